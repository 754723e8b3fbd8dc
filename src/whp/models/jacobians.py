r"""Jacobians of a two-layer network as products, and what tells one displacement of its weights from another.

``J_1(W, v)`` has n rows of ``m d`` entries, ``J_1^T u`` reshaped to (m, d) is
``D^T diag(u) X / sqrt(m d)`` with ``D = phi'(X W^T / sqrt d) diag(v)``, and
``J_1 \tilde J_1^T = (D \tilde D^T) o (X X^T) / (m d)``: it is never formed. All functions take leading
dimensions (the starts of an ascent) and are differentiable.
Source: hu2020, eqs (15), (16), (28).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whp.errors import require
from whp.linalg import spectral_norm
from whp.models.activation import Activation

Elementwise = Callable[[Tensor], Tensor]


def preactivations(X: Tensor, W: Tensor) -> Tensor:
    """Return ``X W^T / sqrt d``, shape (..., n, m), for X (n, d) and W (..., m, d)."""
    return (X / math.sqrt(X.shape[-1])) @ W.mT


def pull_back(X: Tensor, D: Tensor, u: Tensor) -> Tensor:
    """Return ``J_1^T u`` as a matrix, shape (..., m, d).

    Parameters
    ----------
    X : Tensor, shape (n, d)
    D : Tensor, shape (..., n, m)
        ``phi'(X W^T / sqrt d) diag(v)``, or a difference of two of these for that of two Jacobians.
    u : Tensor, shape (..., n)
    """
    return D.mT @ (u[..., None] * X) / math.sqrt(D.shape[-1] * X.shape[-1])


def first_layer_gram(X: Tensor, D: Tensor, E: Tensor | None = None) -> Tensor:
    """Return ``J_1 J_1'^T``, shape (n, n), for the factors ``D`` and ``E`` (n, m) of two Jacobians."""
    other = D if E is None else E
    return (D @ other.mT).mul_(X @ X.mT).div_(D.shape[-1] * X.shape[-1])


def perturbation_norm(X: Tensor, D: Tensor, rng: np.random.Generator) -> float:
    """Return ``|J_1|``, or that of a difference, from its factor ``D`` (n, m).

    An upper bound, at most 1 % above; wrong with probability at most 1e-10.
    """
    gram = first_layer_gram(X, D)
    return math.sqrt(spectral_norm(gram, rng, symmetric=True, failure_probability=1e-10).high)


def soft_slope(activation: Activation, width: float) -> Elementwise:
    """Return a differentiable substitute of the step ``phi'`` of a piecewise-linear activation.

    Parameters
    ----------
    activation : Activation
        Linear on either side of zero.
    width : float
        Where ``|z|`` is below about this, the substitute differs from ``phi'``.
    """
    require(width > 0, "width", "positive", width)
    low, high = (float(activation.dphi(torch.tensor([z], dtype=torch.float64))) for z in (-1.0, 1.0))
    return lambda z: low + (high - low) * torch.sigmoid(z / width)


def flip_budget(X: Tensor, W: Tensor) -> Tensor:
    """Return the least squared displacement that flips k signs of ``W x_i``, for every k and i.

    For one data point the worst W is known: the cheapest way to change the sign of ``w_r^T x_i``
    costs ``(w_r^T x_i)^2 / |x_i|^2``, and k of them cost the k least of these, with a W - W(0) of rank
    one, whose spectral norm is its Frobenius norm. So no other W of that norm, in either, flips more.

    Returns
    -------
    Tensor, shape (m, n)
        Entry (k - 1, i); increasing in k.
    """
    lengths = torch.linalg.vector_norm(X, dim=1, keepdim=True)
    margins = (X @ W.mT / lengths).square()  # (n, m)
    budget: Tensor = margins.sort(dim=1).values.cumsum(dim=1).mT
    return budget


@dataclass(frozen=True)
class Structure:
    """What a displacement of the first layer looks like; every number is in [0, 1].

    Attributes
    ----------
    rank_one : float
        Share of its squared Frobenius norm in the largest singular value.
    neurons : float
        Share of the neurons that take part: ``(sum |delta_r|^2)^2 / (m sum |delta_r|^4)``.
    data_direction : float
        Cosine between its top right singular vector and that of the data.
    data_point : float
        Largest cosine between its top right singular vector and a data point.
    """

    rank_one: float
    neurons: float
    data_direction: float
    data_point: float


def structure(shift: Tensor, X: Tensor) -> Structure:
    """Describe a displacement ``W - W(0)``, shape (m, d), against the data, shape (n, d).

    Raises
    ------
    InputError
        If the displacement is zero, as it then has no direction.
    """
    size = float(shift.norm())
    require(size > 0, "shift", "different from zero", size)
    scaled = shift / size
    values, vectors = torch.linalg.eigh(scaled.mT @ scaled)
    direction = vectors[:, -1]
    data = torch.linalg.eigh(X.mT @ X)[1][:, -1]
    squares = scaled.square().sum(dim=1)
    cosines = (X @ direction).abs() / X.norm(dim=1)
    return Structure(
        rank_one=min(1.0, float(values[-1])),
        neurons=float(1.0 / (len(shift) * squares.square().sum())),
        data_direction=min(1.0, float((data @ direction).abs())),
        data_point=min(1.0, float(cosines.max())),
    )
