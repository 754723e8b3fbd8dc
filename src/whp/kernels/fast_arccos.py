"""Arccos and what ReLU kernels need beside it, in float32, as polynomials that compile to vector code.

The variable is q = 1 - |rho|, not rho: an angle near 0 then keeps all its digits. With theta = arccos(1 - q),

    theta                        = sqrt(2q) P(q),
    sin theta - theta cos theta  = sqrt(2q) q G(q),

where P and G are analytic around [0, 1]; so one square root a pair and layer is enough. For ReLU with
c_sigma = 2, correlations rho >= 0 map to

    1 - rho' = q - sqrt(2q) q G(q) / pi,    and    c_sigma E[sigma' sigma'] = 1 - sqrt(2q) P(q) / pi,

and rho < 0 to rho' = sqrt(2q) q G(q) / pi and sqrt(2q) P(q) / pi (Cho and Saul 2009; arora2019, (17), (18)).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev, Polynomial

from whp.vectors import compiled

Array = npt.NDArray[np.float64]


def _angle(q: Array) -> Array:
    return 2 * np.arcsin(np.sqrt(q / 2))


def _p(q: Array) -> Array:
    return _angle(q) / np.sqrt(2 * q)


def _g(q: Array) -> Array:
    angle = _angle(q)
    return (np.sin(angle) - angle * np.cos(angle)) / (q * np.sqrt(2 * q))


def _fit(f: Callable[[Array], Array], high: float, degree: int) -> list[float]:
    """Coefficients of the interpolant in Chebyshev's points of [0, high], lowest degree first."""
    interpolant = Chebyshev.interpolate(f, degree, domain=[0.0, high])
    return [float(c) for c in interpolant.convert(kind=Polynomial).coef]


# Relative errors below 3e-8, which is half a unit of rounding of float32.
P0, P1, P2, P3, P4, P5, P6, P7, P8 = map(np.float32, _fit(_p, 1.0, 8))
G0, G1, G2, G3, G4, G5, G6 = map(np.float32, _fit(_g, 1.0, 6))
# arcsin(s) / s of s^2, |s| <= 1/2, and arccos(1 - q) / sqrt(q (2 - q)) of q <= 1/2: relative errors 1e-9.
S0, S1, S2, S3, S4, S5, S6, S7 = _fit(lambda z: np.arcsin(np.sqrt(z)) / np.sqrt(z), 0.25, 7)
C0, C1, C2, C3, C4, C5, C6, C7 = _fit(lambda q: _angle(q) / np.sqrt(q * (2 - q)), 0.5, 7)
HALF_PI = math.pi / 2


@compiled
def arccos_factor(q: np.float32) -> np.float32:
    """Return P(q) = arccos(1 - q) / sqrt(2q), 0 <= q <= 1, to 1e-7 relatively."""
    return P0 + q * (P1 + q * (P2 + q * (P3 + q * (P4 + q * (P5 + q * (P6 + q * (P7 + q * P8)))))))


@compiled
def lift_factor(q: np.float32) -> np.float32:
    """Return G(q) = (sin t - t cos t) / (q sqrt(2q)), t = arccos(1 - q), 0 <= q <= 1, to 1e-7 relatively."""
    return G0 + q * (G1 + q * (G2 + q * (G3 + q * (G4 + q * (G5 + q * G6)))))


@compiled
def arcsin(sine: float, q: float, cosine: float) -> float:
    """Return arcsin of ``sine`` to 1e-9 relatively, in float64.

    Parameters
    ----------
    sine : float
        From -1 to 1.
    q, cosine : float
        1 - |sine| and sqrt(q (2 - q)).
    """
    z = sine * sine
    low = S5 + z * (S6 + z * S7)
    small = sine * (S0 + z * (S1 + z * (S2 + z * (S3 + z * (S4 + z * low)))))
    high = C5 + q * (C6 + q * C7)
    large = HALF_PI - cosine * (C0 + q * (C1 + q * (C2 + q * (C3 + q * (C4 + q * high)))))
    return small if q > 0.5 else (large if sine > 0 else -large)
