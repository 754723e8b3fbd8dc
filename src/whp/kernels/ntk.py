"""First-layer neural tangent kernels of two-layer networks (hu2020): Theta_1, Theta_1^* and Theta^lin1."""

from __future__ import annotations

import torch

from whp.kernels.activations import Activation
from whp.kernels.finite import combined_ntk
from whp.kernels.inputs import checked_data, data_shape
from whp.kernels.tiles import (
    NEURONS,
    TOLERANCE,
    covariance_tiles,
    expectations,
    mirror,
    mirror_strips,
    output,
    strip_of,
    strips,
)


def first_layer_ntk(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
    neurons: int = NEURONS,
) -> torch.Tensor:
    """Return Theta_1(W) of hu2020, eq. (17), for output weights +-1.

    Theta_1 = (phi'(X W^T / sqrt d) phi'(X W^T / sqrt d)^T / m) o (X X^T / d), with m
    the number of rows of ``W``. For a symmetric initialisation pass its independent
    half ``W_half``: the matrix is the same at half of the work.

    Besides the result, memory is taken for (n, neurons) features and for one strip.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    W : Tensor, shape (m, d)
        First-layer weights, of the dtype and on the device of ``X``.
    activation : Activation
        Supplies phi'.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    strip, neurons : int
        Block sizes; they change the result by rounding only.

    Returns
    -------
    Tensor, shape (n, n)
        Exactly symmetric.
    """
    return combined_ntk(X, W, activation, (1.0, 0.0), out=out, strip=strip, neurons=neurons)


def expected_first_layer_ntk(
    X: torch.Tensor,
    activation: Activation,
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
) -> torch.Tensor:
    """Return Theta_1^* = E_W[Theta_1(W)] of hu2020, eq. (18): the kernel at infinite width.

    Entries are (x_i . x_j / d) Phi(|x_i|^2 / d, |x_j|^2 / d, x_i . x_j / d), by the closed
    form where there is one. For the other activations Phi is Mehler's expansion,
    its truncation error certified to be at most ``TOLERANCE[dtype]`` times the largest
    E[phi'(|x_i| g / sqrt d)^2]; the diagonal is by quadrature.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Supplies phi'.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    strip : int, optional
        Side of the tiles.

    Returns
    -------
    Tensor, shape (n, n)
        Exactly symmetric.
    """
    X = checked_data(X)
    theta = output(out, X)
    a = norm_ratios(X)  # (n,)
    strip = strip_of(X, strip)
    phi, diagonal = expectations(activation, a, TOLERANCE[X.dtype], layer=1)
    for rows, columns, c in covariance_tiles(X, strip):
        torch.mul(c, phi(rows, columns, c), out=theta[rows, columns])
    mirror_strips(theta, strip)
    theta.diagonal().copy_(a * diagonal)
    return theta


def linear_features(X: torch.Tensor, zeta: float, nu: float) -> torch.Tensor:
    """Return Psi_1, shape (n, d + 1): rows psi_1(x) = (zeta x, nu) / sqrt(d) (hu2020, eq. (5))."""
    n, d = data_shape(X)
    bias = torch.full((n, 1), nu, dtype=X.dtype, device=X.device)
    return torch.cat((zeta * X, bias), dim=1).div_(d**0.5)


def subtract_linear_kernel_(
    K: torch.Tensor, X: torch.Tensor, zeta: float, nu: float, *, strip: int | None = None
) -> torch.Tensor:
    """Subtract (zeta^2 X X^T + nu^2 1 1^T) / d from ``K`` in place, and return it.

    Needs no second n x n matrix. ``K`` must be symmetric: only its lower triangle is read.
    """
    X = checked_data(X)
    n, d = X.shape
    output(K, X)
    strip = strip_of(X, strip)
    for rows, end in strips(n, strip):
        K[rows, :end].addmm_(X[rows], X[:end].T, alpha=-(zeta**2) / d).sub_(nu**2 / d)
        mirror(K, rows, end)
    return K


def norm_ratios(X: torch.Tensor) -> torch.Tensor:
    """Return |x_i|^2 / d, shape (n,)."""
    ratios: torch.Tensor = torch.linalg.vecdot(X, X) / X.shape[1]
    return ratios
