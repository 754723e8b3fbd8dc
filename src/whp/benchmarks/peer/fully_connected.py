"""Fully-connected kernels by neural-tangents, jitted, for whp.benchmarks.fully_connected."""

from __future__ import annotations

import math
import time
from functools import lru_cache

import jax
import numpy as np
from neural_tangents import stax

ACTIVATIONS = {"relu": (stax.Relu(), 2.0), "erf": (stax.Erf(), math.pi / 2 / math.asin(2 / 3))}


@lru_cache(maxsize=1)
def prepared(activation, layers, n, d):
    """The compiled function, inputs (n, d) of norm one, and a corner of their kernel."""
    phi, scale = ACTIVATIONS[activation]
    steps = [stax.Dense(1, W_std=math.sqrt(d)), phi]
    for _ in range(layers - 1):
        steps += [stax.Dense(1, W_std=math.sqrt(scale)), phi]
    kernel = stax.serial(*steps, stax.Dense(1, W_std=math.sqrt(scale)))[2]
    X = np.random.default_rng(0).standard_normal((n, d)).astype("f")
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    function = jax.jit(lambda X: kernel(X, None, "ntk"))
    return function, X, np.asarray(function(X).block_until_ready()[:4, :4]).tolist()


def ntk(activation, layers, n, d):
    """Seconds of one call, and a corner of the kernel."""
    function, X, corner = prepared(activation, layers, n, d)
    start = time.perf_counter()
    function(X).block_until_ready()
    return {"seconds": time.perf_counter() - start, "corner": corner}
