"""Bivariate Gaussian expectations Phi(a, b, c) and Gamma(a, b, c) of an activation."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.quadrature import EPS, Function, gaussian_mean_pair

Real = float | torch.Tensor

# How far |c| may exceed sqrt(ab), relatively, before it is an error and not rounding.
EDGE = 1e-12


@dataclass(frozen=True)
class ExpectationResult:
    """Values and error estimates, float64 tensors of one shape on the CPU."""

    value: torch.Tensor
    error: torch.Tensor


@dataclass(frozen=True)
class PhiGradient:
    """(c1, c2, c3) = grad Phi(1, 1, 0) (hu2020, below eq. (21))."""

    c1: float
    c2: float
    c3: float


def Phi(activation: Activation, a: Real, b: Real, c: Real) -> ExpectationResult:
    """Return E[phi'(z1) phi'(z2)] for (z1, z2) ~ N(0, [[a, c], [c, b]]) (hu2020, proof of Proposition D.4).

    Parameters
    ----------
    activation : Activation
        Supplies phi'.
    a, b, c : float or Tensor
        Variances and covariance, broadcast together; computed in float64 on the CPU.

    Returns
    -------
    ExpectationResult
        Closed form for erf and the piecewise-linear activations, quadrature for the others.

    Raises
    ------
    InputError
        If a variance is negative, a number is not finite, or |c| > sqrt(ab).
    """
    a, b, c = _checked(a, b, c)
    if activation.closed is not None:
        value = activation.closed.Phi(a, b, c)
        return ExpectationResult(value, torch.full_like(value, 16 * EPS * activation.sup_dphi**2))
    return _quadrature(activation.dphi, a, b, c)


def Gamma(activation: Activation, a: Real, b: Real, c: Real) -> ExpectationResult:
    """Return E[phi(z1) phi(z2)] for (z1, z2) ~ N(0, [[a, c], [c, b]]), as :func:`Phi` does for phi'."""
    a, b, c = _checked(a, b, c)
    if activation.closed is not None:
        value = activation.closed.Gamma(a, b, c)
        return ExpectationResult(value, 16 * EPS * activation.sup_dphi**2 * torch.sqrt(a * b))
    return _quadrature(activation.phi, a, b, c)


def phi_gradient(activation: Activation) -> PhiGradient:
    """Return grad Phi(1, 1, 0): c1 = c2 = E[phi'(g)] E[(g^2 - 1) phi'(g)] / 2 and c3 = E[g phi'(g)]^2.

    At c = 0 the expectation factorises, and d/da E[phi'(sqrt(a) g)] at a = 1 is
    E[(g^2 - 1) phi'(g)] / 2 by the heat equation of the Gaussian density; c3 is
    E[phi''(g)]^2 (Price's theorem) and Stein's identity.
    """
    moments = activation.moments
    slope = moments.zeta * moments.he2_dphi / 2
    return PhiGradient(slope, slope, moments.g_dphi**2)


def _checked(*numbers: Real) -> list[torch.Tensor]:
    a, b, c = (torch.as_tensor(x, dtype=torch.float64, device="cpu") for x in numbers)
    shape = (a + b + c).shape
    a, b, c = a.expand(shape), b.expand(shape), c.expand(shape)
    for name, x in (("a", a), ("b", b), ("c", c)):
        require(bool(torch.isfinite(x).all()), name, "finite", "NaN or infinite values")
    for name, x in (("a", a), ("b", b)):
        require(bool((x >= 0).all()), name, "a variance, at least 0", x[x < 0][:1].tolist())
    limit = torch.sqrt(a * b)
    outside = c.abs() > limit * (1 + EDGE)
    require(not bool(outside.any()), "c", "at most sqrt(a b) in modulus", c[outside][:1].tolist())
    return [a, b, torch.minimum(torch.maximum(c, -limit), limit)]


def _quadrature(f: Function, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> ExpectationResult:
    value, error = gaussian_mean_pair(f, a.flatten(), b.flatten(), c.flatten())
    return ExpectationResult(value.reshape(a.shape), error.reshape(a.shape))
