"""Write cntk.json: convolutional kernels by neural-tangents 0.6.5 (jax 0.4.23), in float64.

Run in an environment that has it: python make_cntk.py. Its kernels are those of networks whose
first layer is scaled by sqrt(2 / (C q^2)) and whose last is scaled by 1 / sqrt(PQ) (none with pooling), so
ReLU networks scaled as in arora2019 have C PQ (with pooling, C) times the kernel.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from neural_tangents import stax  # noqa: E402  (after the precision is set)


def kernel_function(layers: int, filter_size: int, pooling: str, padding: str):
    """Return the function that gives NTKs of images of shape (n, P, Q, C)."""
    border = "SAME" if padding == "zero" else "CIRCULAR"
    steps = []
    for _ in range(layers):
        steps += [stax.Conv(1, (filter_size, filter_size), padding=border, W_std=2**0.5), stax.Relu()]
    steps += [stax.GlobalAvgPool() if pooling == "average" else stax.Flatten(), stax.Dense(1)]
    return stax.serial(*steps)[2]


def main() -> None:
    rng = np.random.default_rng(2019)
    images = rng.standard_normal((4, 2, 5, 4)).round(3)  # (n, C, P, Q)
    images[1, :, :3] = 0  # zero patches
    images[3] = 2 * images[2]
    _, C, P, Q = images.shape
    last_channels = np.moveaxis(images, 1, -1)
    kernels = []
    for layers, q, pooling, padding in product((1, 3), (1, 3, 5), ("none", "average"), ("zero", "circular")):
        if padding == "circular" and q > min(P, Q):
            continue
        raw = kernel_function(layers, q, pooling, padding)(last_channels, None, "ntk")
        scale = C * (P * Q if pooling == "none" else 1)
        options = {"layers": layers, "filter_size": q, "pooling": pooling, "padding": padding}
        kernels.append({"options": options, "kernel": (scale * np.asarray(raw)).tolist()})
    text = json.dumps({"images": images.tolist(), "kernels": kernels})
    Path(__file__).with_name("cntk.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
