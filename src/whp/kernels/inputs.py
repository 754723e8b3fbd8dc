"""What the kernels take: each argument is checked once, where it comes in.

Tensors are looked at without their gradients, as kernels are written into memory that is there already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from whp.errors import fail, require
from whp.kernels.activations import Activation
from whp.linalg.operators import largest_entry


def data_shape(X: torch.Tensor) -> tuple[int, int]:
    """Return (n, d), checked."""
    require(isinstance(X, torch.Tensor), "X", "a torch tensor", type(X).__name__)
    require(X.ndim == 2 and X.numel() > 0, "X", "a non-empty (n, d) matrix", tuple(X.shape))
    require(X.dtype in (torch.float32, torch.float64), "X", "float32 or float64", X.dtype)
    return X.shape[0], X.shape[1]


def checked_data(X: torch.Tensor) -> torch.Tensor:
    """Return X of shape (n, d), detached; raise ``InputError`` unless all of it is finite."""
    data_shape(X)
    largest_entry(X, "X")
    return X.detach()


def checked_network(X: torch.Tensor, W: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return X of shape (n, d) and W of shape (m, d), detached.

    Raises
    ------
    InputError
        Unless both are finite tensors of one dtype on one device.
    """
    X = checked_data(X)
    d = X.shape[1]
    require(isinstance(W, torch.Tensor), "W", "a torch tensor", type(W).__name__)
    require(W.ndim == 2 and W.shape[1] == d and len(W) > 0, "W", f"of shape (m, {d}), m > 0", tuple(W.shape))
    same = W.dtype == X.dtype and W.device == X.device
    require(same, "W", f"{X.dtype} on {X.device} like X", f"{W.dtype} on {W.device}")
    largest_entry(W, "W")
    return X, W.detach()


def checked_rates(rates: object) -> tuple[float, float]:
    """Return the learning rates of both layers as floats; raise ``InputError`` unless they are two."""
    pair = list(rates) if isinstance(rates, Sequence | np.ndarray) else []
    numbers = len(pair) == 2 and all(isinstance(r, int | float | np.integer | np.floating) for r in pair)
    good = numbers and all(math.isfinite(r) and r >= 0 for r in pair) and any(pair)
    require(good, "rates", "a pair of finite numbers, not negative and not both zero", rates)
    return float(pair[0]), float(pair[1])


def checked_activation(activation: object) -> None:
    """Raise ``InputError`` for what is no activation, such as the name of one."""
    rule = "an Activation, such as whp.kernels.activation('erf')"
    require(isinstance(activation, Activation), "activation", rule, activation)


def checked_count(name: str, count: object) -> int:
    """Return a positive integer; raise ``InputError`` for all else."""
    if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
        fail(name, "a positive integer", count)
    return int(count)
