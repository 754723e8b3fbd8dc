"""Convolutional tangent kernels by neural-tangents, jitted, for whp.benchmarks.cntk."""

from __future__ import annotations

import time
from functools import lru_cache

import jax
import numpy as np
from neural_tangents import stax


@lru_cache(maxsize=1)
def prepared(layers, pooling, side, images):
    """The compiled function of two sets of images, the sets (n, side, side, 3), and the first entry."""
    steps = []
    for _ in range(layers):  # 3 x 3 filters, zero padding
        steps += [stax.Conv(1, (3, 3), padding="SAME", W_std=2**0.5), stax.Relu()]
    steps += [stax.GlobalAvgPool() if pooling == "average" else stax.Flatten(), stax.Dense(1)]
    kernel = stax.serial(*steps)[2]
    function = jax.jit(lambda X, Z: kernel(X, Z, "ntk"))
    X, Z = (
        np.moveaxis(np.random.default_rng(seed).standard_normal((images, 3, side, side)).astype("f"), 1, -1)
        for seed in (0, 1)
    )
    scale = 3 * (1 if pooling == "average" else side**2)
    return function, X, Z, scale * float(function(X, Z).block_until_ready()[0, 0])


def kernel(layers, pooling, side, images):
    """Seconds of one call, and the first entry of the kernel."""
    function, X, Z, first = prepared(layers, pooling, side, images)
    start = time.perf_counter()
    function(X, Z).block_until_ready()
    return {"seconds": time.perf_counter() - start, "first": first}
