"""Gaussian expectations that have closed forms: erf, and the piecewise-linear activations.

Everything is elementwise on tensors (a, b: variances; c: covariance) and broadcasts,
so the same lines serve a single number and a tile of a kernel matrix.

Sources: for erf, C. K. I. Williams, *Computing with infinite networks* (1997);
for the piecewise-linear ones, Cho and Saul, *Kernel methods for deep learning*
(2009), orders 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

PairFunction = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Moments:
    """One-dimensional Gaussian moments of an activation, g ~ N(0, 1) (hu2020, eqs (5), (9), (21), (25)).

    Attributes
    ----------
    zeta : float
        E[phi'(g)].
    gamma : float
        E[phi'(g)^2].
    g_dphi : float
        E[g phi'(g)] = E[phi''(g)].
    he2_dphi : float
        E[(g^2 - 1) phi'(g)]: how zeta changes with the norm of the input.
    vartheta_0, vartheta_1, vartheta_2 : float
        E[phi(g)], E[g phi'(g)], E[(g^3/2 - g) phi'(g)].
    error : float
        Bound or estimate of the largest error of the numbers above; a moment
        within the error of zero is given as zero.
    """

    zeta: float
    gamma: float
    g_dphi: float
    he2_dphi: float
    vartheta_0: float
    vartheta_1: float
    vartheta_2: float
    error: float


@dataclass(frozen=True)
class ClosedForm:
    """The closed forms of one activation: moments, Phi(a, b, c) and Gamma(a, b, c)."""

    moments: Moments
    Phi: PairFunction = field(compare=False)
    Gamma: PairFunction = field(compare=False)


def determinant(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Return max(ab - c^2, 0) to a relative error of a few units of rounding.

    The rounding errors of both products are recovered (Dekker 1971), so that
    angles near 0 and pi, where ab and c^2 cancel, keep all their digits.
    """
    product, product_error = _two_product(a, b)
    square, square_error = _two_product(c, c)
    return ((product - square) + (product_error - square_error)).clamp_min(0)


def erf_Phi(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Return E[phi'(z1) phi'(z2)] for phi = erf: (4/pi) / sqrt((1 + 2a)(1 + 2b) - 4c^2)."""
    return (4 / math.pi) * torch.rsqrt(1 + 2 * (a + b) + 4 * determinant(a, b, c))


def erf_Gamma(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Return E[erf(z1) erf(z2)] = (2/pi) arcsin(2c / sqrt((1 + 2a)(1 + 2b)))."""
    beside = torch.sqrt(1 + 2 * (a + b) + 4 * determinant(a, b, c))
    return (2 / math.pi) * torch.atan2(2 * c, beside)


def piecewise_Phi(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, slope: float) -> torch.Tensor:
    """Return E[phi'(z1) phi'(z2)] for phi(z) = z (z >= 0), slope z (z < 0), with phi'(0) = 1."""
    both = 0.25 + torch.atan2(c, torch.sqrt(determinant(a, b, c))) / (2 * math.pi)
    # A variance of zero puts all mass at 0, where phi' = 1 (hu2020, footnote 8).
    first, second = (torch.where(v > 0, 0.5, 1.0).to(both.dtype) for v in (a, b))
    both = torch.where((a > 0) & (b > 0), both, first * second)
    return slope**2 + slope * (1 - slope) * (first + second) + (1 - slope) ** 2 * both


def piecewise_Gamma(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, slope: float) -> torch.Tensor:
    """Return E[phi(z1) phi(z2)] for phi(z) = z (z >= 0), slope z (z < 0)."""
    sine = torch.sqrt(determinant(a, b, c))
    relu = (sine + c * (math.pi / 2 + torch.atan2(c, sine))) / (2 * math.pi)
    return slope * c + (1 - slope) ** 2 * relu


ERF_MOMENTS = Moments(
    zeta=2 / math.sqrt(3 * math.pi),
    gamma=4 / (math.pi * math.sqrt(5)),
    g_dphi=0.0,
    he2_dphi=-4 / (3 * math.sqrt(3 * math.pi)),
    vartheta_0=0.0,
    vartheta_1=0.0,
    vartheta_2=0.0,
    error=1e-15,
)


def piecewise_moments(slope: float) -> Moments:
    """Return the moments of the piecewise-linear activation; E phi(s g) is linear in s, so vartheta_2 = 0."""
    kink = (1 - slope) / math.sqrt(2 * math.pi)
    return Moments(
        zeta=(1 + slope) / 2,
        gamma=(1 + slope**2) / 2,
        g_dphi=kink,
        he2_dphi=0.0,
        vartheta_0=kink,
        vartheta_1=kink,
        vartheta_2=0.0,
        error=1e-15 * (1 + slope**2),
    )


def _two_product(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    product = x * y
    x_high, x_low = _split(x)
    y_high, y_low = _split(y)
    error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    return product, error


def _split(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split into two halves of the significand (Veltkamp)."""
    factor = 2.0**27 + 1 if x.dtype == torch.float64 else 2.0**12 + 1
    scaled = factor * x
    high = scaled - (scaled - x)
    return high, x - high
