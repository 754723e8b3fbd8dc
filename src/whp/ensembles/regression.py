"""Simulated regression data of caron2023."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from whp.errors import require


@dataclass(frozen=True)
class Regression:
    """Inputs and targets.

    Attributes
    ----------
    X : Tensor of float64, shape (n, d)
    y : Tensor of float64, shape (n,)
    """

    X: torch.Tensor
    y: torch.Tensor


def simulated_regression(rng: np.random.Generator, n: int, d: int) -> Regression:
    """Draw the simulated data: inputs uniform on the unit sphere, targets a sum of sines with noise.

    ``y_i = (5 / d) sum_j sin(pi x_ij) + e_i`` with independent standard normal ``e_i``.

    Raises
    ------
    InputError
        If ``n`` or ``d`` is not a positive integer.

    Notes
    -----
    Source: caron2023, Appendix J, "Simulated data".
    """
    for name, value in (("n", n), ("d", d)):
        require(isinstance(value, (int, np.integer)) and value >= 1, name, "a positive integer", value)
    X = rng.standard_normal((n, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = 5 / d * np.sin(np.pi * X).sum(axis=1) + rng.standard_normal(n)
    return Regression(torch.from_numpy(X), torch.from_numpy(y))
