"""Tangent kernels of the second layer and of both layers (hu2020, Sections 3.2, 3.3 and Appendix D.2).

Theta_2, Theta_2^*, and the linear models for the second layer and for both, at equal learning
rates and at any others. The first layer is in :mod:`whp.kernels.ntk`.
"""

from __future__ import annotations

import math

import torch

from whp.kernels.activations import Activation, nu
from whp.kernels.finite import combined_ntk
from whp.kernels.inputs import (
    checked_activation,
    checked_data,
    checked_network,
    checked_rates,
    data_shape,
)
from whp.kernels.ntk import norm_ratios
from whp.kernels.tiles import (
    NEURONS,
    TOLERANCE,
    Gram,
    add_feature_grams,
    covariance_tiles,
    expectations,
    mirror,
    mirror_strips,
    neurons_that_fit,
    output,
    strip_of,
    strips,
)


def second_layer_ntk(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
    neurons: int = NEURONS,
) -> torch.Tensor:
    """Return Theta_2(W) = phi(X W^T / sqrt d) phi(X W^T / sqrt d)^T / m (hu2020, eq. (17)).

    For a symmetric initialisation pass its independent half ``W_half``: the matrix is
    the same at half of the work.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    W : Tensor, shape (m, d)
        First-layer weights, of the dtype and on the device of ``X``.
    activation : Activation
        Supplies phi.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    strip, neurons : int
        Block sizes; they change the result by rounding only.

    Returns
    -------
    Tensor, shape (n, n)
        Exactly symmetric.
    """
    return combined_ntk(X, W, activation, (0.0, 1.0), out=out, strip=strip, neurons=neurons)


def layer_ntks(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    *,
    strip: int | None = None,
    neurons: int = NEURONS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Theta_1(W) and Theta_2(W) of hu2020, eq. (17), for output weights +-1.

    At less work than one by one, as they share X W^T. :func:`combined_ntk` has their sum, and any
    other combination, in one matrix.

    Parameters
    ----------
    X, W, activation, strip, neurons
        As for :func:`second_layer_ntk`.

    Returns
    -------
    Theta_1, Theta_2 : Tensor, shape (n, n)
        Exactly symmetric.
    """
    X, W = checked_network(X, W)
    checked_activation(activation)
    n, d = X.shape
    strip = strip_of(X, strip)
    neurons = neurons_that_fit(X, W, neurons, 2, matrices=2)
    first, second = output(None, X), output(None, X)
    add_feature_grams(X, W, [activation.dphi, activation.phi], [Gram(first), Gram(second)], strip, neurons)
    m = len(W)
    for rows, end in strips(n, strip):
        first[rows, :end].mul_((X[rows] / (m * d)) @ X[:end].T)
        second[rows, :end].div_(m)
        mirror(first, rows, end)
        mirror(second, rows, end)
    return first, second


def expected_second_layer_ntk(
    X: torch.Tensor,
    activation: Activation,
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
) -> torch.Tensor:
    """Return Theta_2^* = E_W[Theta_2(W)] of hu2020, eq. (18): the kernel at infinite width.

    Entries are Gamma(|x_i|^2 / d, |x_j|^2 / d, x_i . x_j / d), with variances where the
    paper's Gamma takes standard deviations; by the closed form where there is one. For
    the other activations Gamma is Mehler's expansion, its truncation error certified to be
    at most ``TOLERANCE[dtype]`` times the largest E[phi(|x_i| g / sqrt d)^2]; the
    diagonal is by quadrature.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Supplies phi.
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
    strip = strip_of(X, strip)
    gamma, diagonal = expectations(activation, norm_ratios(X), TOLERANCE[X.dtype], layer=2)
    for rows, columns, c in covariance_tiles(X, strip):
        theta[rows, columns] = gamma(rows, columns, c)
    mirror_strips(theta, strip)
    theta.diagonal().copy_(diagonal)
    return theta


def norm_feature(X: torch.Tensor, activation: Activation) -> torch.Tensor:
    """Return q of hu2020, below eq. (20): the feature that depends on the norm.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Supplies vartheta_0, vartheta_1 and vartheta_2.

    Returns
    -------
    Tensor, shape (n,)
        vartheta_0 + vartheta_1 e_i + vartheta_2 e_i^2 with e_i = |x_i| / sqrt d - 1.
    """
    data_shape(X)
    checked_activation(activation)
    moments = activation.moments
    e = norm_ratios(X).sqrt_().sub_(1)
    return moments.vartheta_0 + e * (moments.vartheta_1 + e * moments.vartheta_2)


def combined_features(
    X: torch.Tensor,
    activation: Activation,
    sigma_moment: float,
    rates: tuple[float, float] = (1.0, 1.0),
) -> torch.Tensor:
    """Return features of the linear model for both layers, in the proportion of their learning rates.

    Rows psi(x) with psi(x) . psi(x') = r_1 psi_1(x) . psi_1(x') + r_2 psi_2(x) . psi_2(x'):

        psi(x) = (sqrt((r_1 + r_2) / d) zeta x, sqrt((r_1 + r_2 / 2) / d) nu, sqrt(r_2) q(x)).

    Rates (1, 1) are psi of hu2020, eq. (11); (0, 1) are psi_2 of eq. (9); (1, 0) are psi_1 of
    eq. (5) beside a zero. For eta_1 != eta_2 the paper asks for "a weighted combination of the
    kernels": rates (eta_1, eta_2) and learning rate one, or (eta_1 / eta_2, 1) and eta_2.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Supplies the moments.
    sigma_moment : float
        Tr[Sigma^2] / d of the data distribution, not of the sample.
    rates : (float, float)
        r_1 and r_2, not negative, one of them positive.

    Returns
    -------
    Tensor, shape (n, d + 2)
    """
    X = checked_data(X)
    checked_activation(activation)
    n, d = X.shape
    first, second = checked_rates(rates)
    features = torch.empty(n, d + 2, dtype=X.dtype, device=X.device)
    torch.mul(X, activation.moments.zeta * math.sqrt((first + second) / d), out=features[:, :d])
    features[:, d] = nu(activation, sigma_moment) * math.sqrt((first + second / 2) / d)
    torch.mul(norm_feature(X, activation), math.sqrt(second), out=features[:, d + 1])
    return features


def linear_kernel(
    X: torch.Tensor,
    activation: Activation,
    sigma_moment: float,
    rates: tuple[float, float] = (1.0, 0.0),
    *,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return r_1 Theta^lin1 + r_2 Theta^lin2 of hu2020, eq. (20), shape (n, n).

    Theta^lin1 = (zeta^2 X X^T + nu^2 1 1^T) / d, and
    Theta^lin2 = (zeta^2 X X^T + nu^2 1 1^T / 2) / d + q q^T.

    Parameters
    ----------
    X, activation, sigma_moment, rates
        As for :func:`combined_features`, whose Gram matrix it is. Rates (1, 0) are Theta^lin1,
        (0, 1) are Theta^lin2, (1, 1) are Theta^lin.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    """
    features = combined_features(X, activation, sigma_moment, rates)
    return subtract_gram_(output(out, X).zero_(), features).neg_()


def subtract_gram_(K: torch.Tensor, features: torch.Tensor, *, strip: int | None = None) -> torch.Tensor:
    """Subtract ``features @ features.T`` from ``K`` in place, and return it.

    Needs no second n x n matrix. ``K`` must be symmetric: only its lower triangle is read.

    Parameters
    ----------
    K : Tensor, shape (n, n)
    features : Tensor, shape (n, p)
    strip : int, optional
        Rows at once.
    """
    n, _ = data_shape(features)
    output(K, features)
    strip = strip_of(K, strip)
    for rows, end in strips(n, strip):
        K[rows, :end].addmm_(features[rows], features[:end].T, alpha=-1)
        mirror(K, rows, end)
    return K
