"""Write fully_connected.json: fully-connected kernels by neural-tangents 0.6.5 (jax 0.4.23), in float64.

Run in an environment that has it: python make_fully_connected.py. A first layer of W_std = sqrt(d) and
others of W_std = sqrt(c_sigma) make its networks those of arora2019.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from neural_tangents import stax  # noqa: E402  (after the precision is set)

# E[gelu(g)^2], by mpmath's quadrature with 30 digits.
GELU = 0.4252214825702987
ACTIVATIONS = {
    "relu": (stax.Relu(), 2.0),
    "leaky_relu": (stax.LeakyRelu(0.1), 2 / 1.01),
    "erf": (stax.Erf(), 1 / (2 / math.pi * math.asin(2 / 3))),
    "gelu": (stax.Gelu(), 1 / GELU),
}


def kernel_function(name: str, layers: int, d: int):
    """Return the function that gives both kernels."""
    activation, scale = ACTIVATIONS[name]
    steps = [stax.Dense(1, W_std=math.sqrt(d)), activation]
    for _ in range(layers - 1):
        steps += [stax.Dense(1, W_std=math.sqrt(scale)), activation]
    return stax.serial(*steps, stax.Dense(1, W_std=math.sqrt(scale)))[2]


def main() -> None:
    rng = np.random.default_rng(2019)
    X = rng.standard_normal((6, 5))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True) * np.linspace(0.5, 1.5, 6)[:, None]).round(3)
    X[5] = -1.5 * X[4]
    kernels = []
    for name in ACTIVATIONS:
        for layers in (1, 3, 10):
            result = kernel_function(name, layers, X.shape[1])(X, None, ("nngp", "ntk"))
            kernels.append(
                {
                    "activation": name,
                    "layers": layers,
                    "nngp": np.asarray(result.nngp).tolist(),
                    "ntk": np.asarray(result.ntk).tolist(),
                }
            )
    text = json.dumps({"inputs": X.tolist(), "kernels": kernels})
    Path(__file__).with_name("fully_connected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
