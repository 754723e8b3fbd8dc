"""Time fully-connected kernels by neural-tangents, jitted, for fully_connected.py; in an environment with it.

Reads {"cases": [...]} from standard input and writes {"versions": ..., "cases": [...]} to standard output.
"""

from __future__ import annotations

import json
import math
import sys
import time
from importlib.metadata import version

import jax
import numpy as np
from neural_tangents import stax

ACTIVATIONS = {"relu": (stax.Relu(), 2.0), "erf": (stax.Erf(), math.pi / 2 / math.asin(2 / 3))}


def kernel_function(name: str, layers: int, d: int):
    """Return the jitted function that gives the NTK of inputs with themselves."""
    activation, scale = ACTIVATIONS[name]
    steps = [stax.Dense(1, W_std=math.sqrt(d)), activation]
    for _ in range(layers - 1):
        steps += [stax.Dense(1, W_std=math.sqrt(scale)), activation]
    kernel = stax.serial(*steps, stax.Dense(1, W_std=math.sqrt(scale)))[2]
    return jax.jit(lambda X: kernel(X, None, "ntk"))


def measure(case: dict) -> dict:
    """Return the seconds of some calls, and a corner of the kernel."""
    X = np.random.default_rng(0).standard_normal((case["n"], case["d"])).astype("f")
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    kernel = kernel_function(case["activation"], case["layers"], case["d"])
    corner = np.asarray(kernel(X).block_until_ready()[:4, :4])  # compiles
    seconds = []
    for _ in range(case["repeats"]):
        start = time.perf_counter()
        kernel(X).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "corner": corner.tolist()}


def main() -> None:
    cases = [measure(case) for case in json.load(sys.stdin)["cases"]]
    versions = {name: version(name) for name in ("neural-tangents", "jax", "jaxlib")}
    json.dump({"versions": versions, "cases": cases}, sys.stdout)


if __name__ == "__main__":
    main()
