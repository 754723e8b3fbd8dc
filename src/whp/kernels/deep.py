"""Tangent kernels of fully-connected networks of any depth at infinite width (hu2020, Section 4.1).

A network of depth L has L layers of weights, L - 1 of them followed by the activation,
each scaled by the root of its fan-in as in hu2020, eq. (2); depth 2 is the network of
Section 3 with both layers in training. Its kernel is h(|x|^2 / d, |x'|^2 / d, x . x' / d), with h
from the recursion

    Sigma_1 = Theta_1 = c,
    Sigma_l+1 = Gamma(a_l, b_l, Sigma_l),
    Theta_l+1 = Sigma_l+1 + Theta_l Phi(a_l, b_l, Sigma_l),

where the variances follow a_l+1 = Gamma(a_l, a_l, a_l) (Jacot et al. 2018; Yang and Salman 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.expectations import ExpectationResult, Gamma, Phi
from whp.kernels.inputs import data_shape
from whp.kernels.ntk import norm_ratios
from whp.kernels.quadrature import gaussian_mean
from whp.kernels.tiles import (
    TOLERANCE,
    PairTile,
    covariance_tiles,
    expectations,
    mirror_strips,
    output,
    strip_of,
)

Covariance = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class DeepTaylor:
    """The expansion of h about (1, 1, 0), for off-diagonal entries, and h(1, 1, 1), for diagonal ones.

    Attributes
    ----------
    value, diagonal : float
        h(1, 1, 0) and h(1, 1, 1).
    gradient : Tensor, shape (3,)
        Derivatives of h(a, b, c) by a, b, c at (1, 1, 0); float64.
    hessian : Tensor, shape (3, 3)
        Second derivatives there.
    """

    value: float
    diagonal: float
    gradient: torch.Tensor
    hessian: torch.Tensor


def deep_ntks(
    X: torch.Tensor, activation: Activation, depths: Sequence[int], *, strip: int | None = None
) -> dict[int, torch.Tensor]:
    """Return the kernels of fully-connected networks of several depths at infinite width.

    They share the recursion: several cost what the deepest does. Expectations are closed forms or Mehler's
    expansion, as in :func:`whp.kernels.expected_second_layer_ntk`.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Of all hidden layers.
    depths : sequence of int
        Layers of weights; 2 or more.
    strip : int, optional
        Side of the tiles.

    Returns
    -------
    dict of int to Tensor, shape (n, n)
        By depth; each exactly symmetric.
    """
    data_shape(X)
    strip = strip_of(X, strip)
    wanted = sorted(set(depths))
    require(bool(wanted) and wanted[0] >= 2, "depths", "at least one, each 2 or more", list(depths))
    outs = {depth: output(None, X) for depth in wanted}
    a = norm_ratios(X)  # (n,)
    diagonal, diagonals, tiles = a, {}, []
    for depth in range(2, wanted[-1] + 1):
        gamma, variances = expectations(activation, a, TOLERANCE[X.dtype], layer=2)
        phi, slopes = expectations(activation, a, TOLERANCE[X.dtype], layer=1)
        tiles.append((gamma, phi))
        a = variances.to(X)
        diagonals[depth] = diagonal = a + diagonal * slopes.to(X)
    for rows, cols, c in covariance_tiles(X, strip):
        layers = ((_on(gamma, rows, cols), _on(phi, rows, cols)) for gamma, phi in tiles)
        for depth, kernel in _recursion(c, layers):
            if depth in outs:
                outs[depth][rows, cols] = kernel
    for out in outs.values():
        mirror_strips(out, strip)
    for depth, out in outs.items():
        out.diagonal().copy_(diagonals[depth])
    return outs


def deep_ntk_function(
    activation: Activation, depth: int, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor
) -> torch.Tensor:
    """Return h(a, b, c) of the network of this depth, elementwise, in float64 on the CPU.

    Differentiable by autograd, any number of times, where |c| < sqrt(ab).

    Parameters
    ----------
    activation : Activation
        Of all hidden layers.
    depth : int
        Layers of weights, 2 or more.
    a, b, c : Tensor
        |x|^2 / d, |x'|^2 / d and x . x' / d, of one shape.

    Raises
    ------
    InputError
        If a variance is negative or |c| > sqrt(ab).
    """
    require(depth >= 2, "depth", "2 or more", depth)
    layers = []
    for _ in range(depth - 1):
        layers.append((_at(Gamma, activation, a, b), _at(Phi, activation, a, b)))
        a, b = _variance(activation, a), _variance(activation, b)
    return [kernel for _, kernel in _recursion(c, layers)][-1]


def deep_taylor(activation: Activation, depth: int) -> DeepTaylor:
    """Return the Taylor coefficients of h that Section 4.1 of hu2020 speaks of, by automatic differentiation.

    Parameters
    ----------
    activation : Activation
        Of all hidden layers.
    depth : int
        Layers of weights, 2 or more.
    """

    at = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64, requires_grad=True)
    value = deep_ntk_function(activation, depth, at[0], at[1], at[2])
    one = torch.ones((), dtype=torch.float64)
    diagonal = deep_ntk_function(activation, depth, one, one, one)
    (gradient,) = torch.autograd.grad(value, at, create_graph=True)  # (3,)
    rows = [torch.autograd.grad(slope, at, retain_graph=True)[0] for slope in gradient]
    return DeepTaylor(float(value.detach()), float(diagonal), gradient.detach(), torch.stack(rows))


def subtract_deep_linear_kernel_(
    K: torch.Tensor, X: torch.Tensor, taylor: DeepTaylor, sigma_moment: float, *, norms: bool = False
) -> torch.Tensor:
    """Subtract the simple part of a deep kernel from ``K`` in place, and return it.

    With h and its derivatives at (1, 1, 0), that is

        h_c X X^T / d + (h + h_cc Tr[Sigma^2] / (2 d^2)) 1 1^T + (h(1, 1, 1) - h - h_c) I,

    the mean of the quadratic term in x . x' / d being part of the coefficient of 1 1^T as nu^2 / d is in
    hu2020, eq. (5). With ``norms`` also the terms in e_i = |x_i|^2 / d - 1 alone, which are of rank 3
    and vanish for odd activations and on data of constant norm,

        h_a (e 1^T + 1 e^T) + h_aa (e^2 1^T + 1 (e^2)^T) / 2 + h_ab e e^T;

    they are to depth L what q q^T of eq. (9) is to the second layer.

    Parameters
    ----------
    K : Tensor, shape (n, n)
        Changed in place.
    X : Tensor, shape (n, d)
        Data, one point per row.
    taylor : DeepTaylor
        Of the depth of ``K``.
    sigma_moment : float
        Tr[Sigma^2] / d of the data distribution.
    norms : bool
        Subtract the terms in the norms as well.
    """
    _, d = data_shape(X)
    output(K, X)
    h_a, _, h_c = taylor.gradient.tolist()
    (h_aa, h_ab, _), _, (_, _, h_cc) = taylor.hessian.tolist()
    K.addmm_(X, X.T, alpha=-h_c / d).sub_(taylor.value + h_cc * sigma_moment / (2 * d))
    K.diagonal().sub_(taylor.diagonal - taylor.value - h_c)
    if norms:
        e = norm_ratios(X) - 1  # (n,)
        alone = h_a * e + h_aa / 2 * e**2
        K.sub_(alone[:, None]).sub_(alone).addr_(e, e, alpha=-h_ab)
    return K


def _recursion(
    c: torch.Tensor, layers: Iterable[tuple[Covariance, Covariance]]
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (depth, Theta_depth) from depth 2 on; each layer gives Gamma and Phi of a covariance."""
    covariance = kernel = c
    for depth, (gamma, phi) in enumerate(layers, start=2):
        slopes = phi(covariance)
        covariance = gamma(covariance)
        kernel = covariance + kernel * slopes
        yield depth, kernel


def _on(pair: PairTile, rows: slice, cols: slice) -> Covariance:
    return lambda c: pair(rows, cols, c)


def _at(
    expectation: Callable[..., ExpectationResult], activation: Activation, a: torch.Tensor, b: torch.Tensor
) -> Covariance:
    return lambda c: expectation(activation, a, b, c).value


def _variance(activation: Activation, a: torch.Tensor) -> torch.Tensor:
    """Gamma(a, a, a), differentiable: one integral, or E[phi'(g)^2] a for piecewise-linear phi."""
    if not activation.smooth:
        return activation.moments.gamma * a
    return gaussian_mean(lambda g: activation.phi(torch.sqrt(a)[..., None] * g) ** 2)[0]
