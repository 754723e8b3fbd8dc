"""Descent of two-layer networks by jax, a jitted ``lax.fori_loop``, for whp.benchmarks.training."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

ACTIVATIONS = {"erf": jax.lax.erf, "relu": lambda z: jnp.maximum(z, 0)}


@lru_cache(maxsize=1)
def data(path):
    """Inputs, targets and weights of all trials, from the file that the other side has written."""
    with np.load(path) as kept:
        return tuple(jnp.asarray(kept[name]) for name in ("X", "y", "W", "v"))


@lru_cache(maxsize=8)
def prepared(activation, way, steps, eta):
    """A function that trains all trials, in one of three ways."""
    phi = ACTIVATIONS[activation]

    def loss(weights, X, y):
        W, v = weights
        f = phi(X @ W.T / math.sqrt(X.shape[1])) @ v / math.sqrt(len(v))
        return 0.5 * jnp.mean((f - y) ** 2)

    def train(X, y, W, v):
        def step(_, weights):
            slopes = jax.grad(loss)(weights, X, y)
            return jax.tree_util.tree_map(lambda w, slope: w - eta * slope, weights, slopes)

        return jax.lax.fori_loop(0, steps, step, (W, v))

    if way == "vmap":
        return jax.jit(jax.vmap(train))
    one = jax.jit(train)

    def loop(X, y, W, v):
        return [one(*trial) for trial in zip(X, y, W, v)]  # noqa: B905 - Python 3.9 has no strict

    def threads(X, y, W, v):
        trials = list(zip(X, y, W, v))  # noqa: B905
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(lambda trial: jax.block_until_ready(one(*trial)), trials))

    return {"loop": loop, "threads": threads}[way]


def descent(activation, way, steps, eta, path):
    """Seconds of one call, and corners of the first trial's weights after it.

    ``way`` is ``vmap``, all trials in one program; ``loop``, one after another, each on all cores; or
    ``threads``, one in each of as many threads as there are cores.
    """
    given, train = data(path), prepared(activation, way, steps, eta)
    start = time.perf_counter()
    result = jax.block_until_ready(train(*given))
    seconds = time.perf_counter() - start
    W, v = (result[0][0], result[1][0]) if way == "vmap" else result[0]
    return {"seconds": seconds, "W": np.asarray(W[:4, :4]).tolist(), "v": np.asarray(v[:4]).tolist()}
