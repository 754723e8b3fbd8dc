r"""The exact law of a quadratic form of a Gaussian vector, far into its tails; and a printed bound of it.

In the eigenbasis of the symmetric part of A the form ``xi^T A xi - tr A`` is ``Q = sum_i l_i (xi_i^2 - 1)``,
with ``K(s) = log E exp(s Q) = sum_i [-log(1 - 2 s l_i) / 2 - s l_i]`` for ``s < 1 / (2 max l_i)``. Then

    P(Q > t) = 1 / (2 pi i) * integral of exp(K(s) - s t) / s

from below to above the real axis, crossing it between 0 and the first singularity (Imhof 1961 takes the
line through 0). Crossed at the saddle point of the integrand, nothing cancels, so that the *relative* error
is that of rounding however small the probability is; bent like a hyperbola away from the line, the integrand
decays at least exponentially in the parameter, also for a form of rank one, and the trapezoidal rule
converges geometrically (Trefethen and Weideman 2014, The exponentially convergent trapezoidal rule).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit

from whp.bounds.scalar import Floats, check_not_negative
from whp.errors import require

STEP = 0.05
"""Of the trapezoidal rule; half of what rounding needs."""
SLOPE = 0.5
"""Inverse slope of the asymptotes of the hyperbola."""


@dataclass(frozen=True)
class TailEstimate:
    """A probability estimated by simulation.

    Attributes
    ----------
    value, standard_error : float
        The mean of the weights, and its standard error.
    """

    value: float
    standard_error: float


@dataclass(frozen=True)
class QuadraticForm:
    """``Q = sum_i l_i (xi_i^2 - 1)``, xi standard normal.

    Parameters
    ----------
    eigenvalues : array_like, shape (n,)
        l_i, of any sign; those that are zero do not matter.
    """

    eigenvalues: ArrayLike

    def __post_init__(self) -> None:
        given = np.asarray(self.eigenvalues, dtype=np.float64)
        good = given.ndim == 1 and given.size > 0 and bool(np.isfinite(given).all())
        require(good, "eigenvalues", "a finite array of shape (n,), n >= 1", self.eigenvalues)

    @cached_property
    def values(self) -> Floats:
        """The eigenvalues that are not zero to rounding, which decide the law."""
        given: Floats = np.asarray(self.eigenvalues, dtype=np.float64)
        kept: Floats = given[np.abs(given) > 1e-20 * np.abs(given).max()]
        return kept

    @property
    def frobenius(self) -> float:
        """The Frobenius norm of A; ``2 frobenius^2`` is the variance of Q."""
        return float(np.linalg.norm(self.values))

    @property
    def spectral(self) -> float:
        """The spectral norm of A."""
        return float(np.abs(self.values).max(initial=0.0))

    def upper_tail(self, t: float) -> float:
        """Return ``P(Q > t)`` to about 12 digits, down to the smallest numbers of double precision."""
        return _upper_tail(self.values, _level(t))

    def lower_tail(self, t: float) -> float:
        """Return ``P(Q < -t)``, as `upper_tail`."""
        return _upper_tail(-self.values, _level(t))

    def tail(self, t: float) -> float:
        """Return ``P(|Q| > t)``, t not negative."""
        check_not_negative("t", t)
        return self.upper_tail(t) + self.lower_tail(t)

    def sampled_tail(self, t: float, rng: np.random.Generator, samples: int) -> TailEstimate:
        """Estimate ``P(|Q| > t)`` by importance sampling, each side from the law tilted towards it.

        Under the tilt s the xi_i are independent ``N(0, 1 / (1 - 2 s l_i))``, and the weight is
        ``exp(K(s) - s Q)``; s has ``K'(s) = t``, so that about half of the draws fall beyond t.

        Parameters
        ----------
        t : float
            Positive.
        rng : numpy Generator
        samples : int
            Draws for each side, at least 2.
        """
        require(0.0 < t < np.inf, "t", "finite and positive", t)
        require(samples >= 2, "samples", "at least 2", samples)
        above = _tilted(self.values, t, rng, samples)
        below = _tilted(-self.values, t, rng, samples)
        error = math.hypot(above.standard_error, below.standard_error)
        return TailEstimate(above.value + below.value, error)


def chaos_tail(t: float, frobenius: float, spectral: float, *, linear: float = 4.0) -> float:
    """Return ``2 exp(-t^2 / (4 F^2 + linear S t))``, at most 1: the two-sided tail of a Gaussian chaos.

    Parameters
    ----------
    t : float
        Level, not negative.
    frobenius, spectral : float
        F and S, the norms of A; F positive.
    linear : float
        4 in Boucheron, Lugosi and Massart (2013), Example 2.12, where it follows from the form that is
        `whp.bounds.gaussian_chaos` here. Arora et al. (2019), Lemma B.10, print 1, which is false.
    """
    require(0.0 < frobenius < np.inf, "frobenius", "finite and positive", frobenius)
    require(0.0 < spectral <= frobenius * (1 + 1e-12), "spectral", "in (0, frobenius]", spectral)
    require(0.0 < linear < np.inf, "linear", "finite and positive", linear)
    check_not_negative("t", t)
    return min(1.0, 2.0 * math.exp(-(t**2) / (4.0 * frobenius**2 + linear * spectral * t)))


def _level(t: float) -> float:
    require(bool(np.isfinite(t)), "t", "finite", t)
    return float(t)


def _crossing(w: Floats, t: float, pole: float) -> tuple[float, Floats]:
    """Solve ``K'(s) - pole / s = t`` for s > 0: return s, and ``1 - 2 s w`` without cancellation."""
    top = max(float(w.max()), 0.0)

    def at(z: float) -> tuple[float, Floats]:
        if top == 0.0:
            s = float(np.exp(z))
            return s, 1.0 - 2.0 * s * w
        s, ratio = float(expit(z)) / (2.0 * top), w / top
        return s, np.where(w > 0.0, (1.0 - ratio) + ratio * float(expit(-z)), 1.0 - 2.0 * s * w)

    def slope(z: float) -> float:
        s, rest = at(z)
        return float(np.sum(2.0 * s * w**2 / rest)) - t - pole / s

    # Both ends are singular; in z they are far away.
    return at(brentq(slope, -80.0, 80.0, xtol=1e-12))


def _upper_tail(values: Floats, t: float) -> float:
    """P(sum_i l_i (xi_i^2 - 1) > t); see the module."""
    if values.size == 0:
        return float(t < 0.0)
    if values.max() < 0.0 and t >= -values.sum():
        return 0.0
    if values.min() > 0.0 and t <= -values.sum():
        return 1.0
    if t < 0.0:  # the pole at 0 is then nearer than the saddle, and the bend crosses the hill between them
        return 1.0 - _upper_tail(-values, -t)
    size = float(np.abs(values).max())
    w, t = values / size, t / size
    if t > 1e5 * w.size:
        return 0.0  # less than exp(-t / 3), which is below the smallest number
    c, rest = _crossing(w, t, pole=1.0)
    scale = float(np.sum(2.0 * (w / rest) ** 2) + c**-2.0) ** -0.5
    # The integrand is exp(-s x) times a power of s: the hyperbola opens to the side where the former decays.
    x = t + float(w.sum())
    # It falls like exp(-v rank / 2), once s is beyond tiny eigenvalues, and exp(-|x| scale cosh(v) / 2).
    rank = int(np.sum(np.abs(w) >= 1e-3))
    far = min(14.0 + 74.0 / rank, 6.0 + float(np.arcsinh(80.0 / max(abs(x) * scale, 1e-30))))
    v = np.arange(0.0, far, STEP)
    slope = SLOPE if x >= 0.0 else -SLOPE
    moved = scale * (1j * np.sinh(v) + slope * (np.cosh(v) - 1.0))  # s - c
    velocity = scale * (1j * np.cosh(v) + slope * np.sinh(v))
    # Relative to the integrand at c: log(1 - 2 s w) - log(1 - 2 c w) = log(1 - 2 (s - c) w / (1 - 2 c w)).
    growth = -0.5 * np.log(1.0 - 2.0 * moved[:, None] * (w / rest)).sum(axis=1) - moved * x
    terms = (np.exp(growth) / (1.0 + moved / c) * velocity).imag
    terms[0] /= 2.0
    height = -0.5 * float(np.log(rest).sum()) - c * x - float(np.log(c))
    return float(min(1.0, max(0.0, STEP / np.pi * terms.sum() * np.exp(height))))


def _tilted(values: Floats, t: float, rng: np.random.Generator, samples: int) -> TailEstimate:
    """Estimate of P(sum_i l_i (xi_i^2 - 1) > t) by exponential tilting."""
    if values.size == 0 or (values.max() < 0.0 and t >= -values.sum()):
        return TailEstimate(0.0, 0.0)
    s, rest = _crossing(values, t, pole=0.0)
    xi = rng.standard_normal((samples, values.size)) / np.sqrt(rest)
    Q: NDArray[np.float64] = (xi**2 - 1.0) @ values
    log_mgf = -0.5 * float(np.log(rest).sum()) - s * float(values.sum())
    weights = np.where(t < Q, np.exp(log_mgf - s * np.maximum(Q, t)), 0.0)
    return TailEstimate(float(weights.mean()), float(weights.std(ddof=1)) / samples**0.5)
