"""Time convolutional tangent kernels by neural-tangents, jitted; run by cntk.py in an environment with it.

Reads {"cases": [...]} from standard input and writes {"versions": ..., "cases": [...]} to standard output.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import jax
import numpy as np
from neural_tangents import stax


def kernel_function(layers: int, pooling: str):
    """Return the jitted function of two sets of images, shape (n, P, Q, C): 3 x 3 filters, zero padding."""
    steps = []
    for _ in range(layers):
        steps += [stax.Conv(1, (3, 3), padding="SAME", W_std=2**0.5), stax.Relu()]
    steps += [stax.GlobalAvgPool() if pooling == "average" else stax.Flatten(), stax.Dense(1)]
    kernel = stax.serial(*steps)[2]
    return jax.jit(lambda X, Z: kernel(X, Z, "ntk"))


def measure(case: dict) -> dict:
    """Return seconds of the fastest of some calls, and the kernel of the first images."""
    kernel = kernel_function(case["layers"], case["pooling"])
    X, Z = (
        np.random.default_rng(seed)
        .standard_normal((case["peer_images"], 3, case["side"], case["side"]))
        .astype("f")
        for seed in (0, 1)
    )
    X, Z = np.moveaxis(X, 1, -1), np.moveaxis(Z, 1, -1)
    result = kernel(X, Z).block_until_ready()  # compiles
    seconds = []
    for _ in range(case["peer_repeats"]):
        start = time.perf_counter()
        kernel(X, Z).block_until_ready()
        seconds.append(time.perf_counter() - start)
    scale = 3 * (1 if case["pooling"] == "average" else case["side"] ** 2)
    return {"seconds": min(seconds), "pairs": X.shape[0] * Z.shape[0], "first": scale * float(result[0, 0])}


def main() -> None:
    cases = [measure(case) for case in json.load(sys.stdin)["cases"]]
    versions = {name: version(name) for name in ("neural-tangents", "jax", "jaxlib")}
    json.dump({"versions": versions, "cases": cases}, sys.stdout)


if __name__ == "__main__":
    main()
