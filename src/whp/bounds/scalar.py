r"""Scalar concentration inequalities: Hoeffding, Gaussian Lipschitz, chi-square, Markov.

All but Markov's are of one form. A centred Z is *sub-gamma* with variance factor V and scale c
(Boucheron, Lugosi and Massart 2013, Section 2.4) if ``log E exp(s Z) <= s^2 V / (2 (1 - c s))`` for
``0 <= s < 1/c``. Then ``P(Z >= sqrt(2 V x) + c x) <= exp(-x)``, and the maximum of N such variables,
independent or not, has ``P(max >= sqrt(2 V x) + c x) <= N exp(-x)`` and
``E max <= sqrt(2 V log N) + c log N`` (their Corollary 2.6). c = 0 is the sub-Gaussian case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar

from whp.errors import require

Floats = NDArray[np.float64]


def check_not_negative(name: str, value: float) -> None:
    """Require a finite number, zero or more."""
    require(0.0 <= value < np.inf, name, "finite and not negative", value)


def check_delta(delta: float) -> None:
    """Require a failure probability."""
    require(0.0 < delta <= 1.0, "delta", "in (0, 1]", delta)


def levels(t: float | Floats) -> Floats:
    """Return levels as an array, without NaN."""
    level = np.asarray(t, dtype=np.float64)
    require(not np.isnan(level).any(), "t", "a number", t)
    return level


@dataclass(frozen=True)
class SubGamma:
    """Upper tail of the largest of ``count`` sub-gamma variables.

    Parameters
    ----------
    V : float
        Variance factor, in the square of Z's unit.
    c : float
        Scale, in Z's unit; 0 if Z is sub-Gaussian.
    count : int
        Number of variables: 2 for ``|Z|``, which is the larger of Z and -Z.
    """

    V: float
    c: float = 0.0
    count: int = 1

    def __post_init__(self) -> None:
        check_not_negative("V", self.V)
        check_not_negative("c", self.c)
        whole = isinstance(self.count, (int, np.integer)) and bool(self.count >= 1)
        require(whole, "count", "a positive integer", self.count)

    def maximum(self, count: int) -> Self:
        """Return the bound for the largest of ``count`` variables like this one (union bound)."""
        whole = isinstance(count, (int, np.integer)) and bool(count >= 1)
        require(whole, "count", "a positive integer", count)
        return replace(self, count=self.count * int(count))

    @overload
    def tail(self, t: float) -> float: ...
    @overload
    def tail(self, t: Floats) -> Floats: ...
    def tail(self, t: float | Floats) -> float | Floats:
        """Return the bound of ``P(Z >= t)``, at most 1; it is 1 for ``t <= 0``.

        Parameters
        ----------
        t : float or array
            Levels.
        """
        level = levels(t)
        positive = np.maximum(level, 0.0)
        # The root x of sqrt(2 V x) + c x = t is 2 t^2 / (sqrt(2 V) + sqrt(2 V + 4 c t))^2, which is exact at
        # c = 0 too; written so that nothing overflows and V = c = 0 gives 0 beyond t = 0.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            root = 2.0 / (np.sqrt(2.0 * self.V) + np.sqrt(2.0 * self.V + 4.0 * self.c * positive))
            root = np.where(np.isinf(positive), np.inf, root * positive)
            exponent = np.where(positive > 0.0, root, 0.0) ** 2
        bound = np.minimum(1.0, np.exp(np.log(self.count) - exponent))
        return float(bound) if bound.ndim == 0 else bound

    def quantile(self, delta: float) -> float:
        """Return the t with ``tail(t) = delta``: ``sqrt(2 V x) + c x`` at ``x = log(count / delta)``.

        Parameters
        ----------
        delta : float
            Failure probability, in (0, 1]; at 1 the answer is 0.
        """
        check_delta(delta)
        if delta == 1.0:
            return 0.0
        x = float(np.log(self.count) - np.log(delta))
        return float(np.sqrt(2.0 * self.V * x)) + self.c * x

    def expectation(self) -> float:
        """Return the bound of the expectation, ``sqrt(2 V log count) + c log count``."""
        x = float(np.log(self.count))
        return float(np.sqrt(2.0 * self.V * x)) + self.c * x


def hoeffding(widths: ArrayLike, *, sides: int = 1) -> SubGamma:
    """Return Hoeffding's bound for a centred sum of independent bounded variables.

    Hoeffding (1963), Theorem 2: ``P(sum - E sum >= t) <= exp(-2 t^2 / sum_k w_k^2)``.

    Parameters
    ----------
    widths : array_like, shape (K,)
        ``w_k = b_k - a_k``, the lengths of intervals that hold the terms. For a mean, divide by K.
    sides : {1, 2}
        2 for the absolute value.
    """
    w = np.asarray(widths, dtype=np.float64).ravel()
    good = w.size > 0 and bool(np.isfinite(w).all() and (w >= 0).all())
    require(good, "widths", "finite, not negative, and at least one", widths)
    return SubGamma(float(np.sum(w**2)) / 4.0, count=_sides(sides))


def gaussian_lipschitz(lipschitz: float, *, sides: int = 1) -> SubGamma:
    """Return the bound for ``f(g) - E f(g)``, g standard normal, f Lipschitz.

    Wainwright (2019), Theorem 2.26: ``P(f(g) - E f(g) >= t) <= exp(-t^2 / (2 L^2))``.

    Parameters
    ----------
    lipschitz : float
        L, with respect to the Euclidean norm.
    sides : {1, 2}
        2 for the absolute value.
    """
    check_not_negative("lipschitz", lipschitz)
    return SubGamma(lipschitz**2, count=_sides(sides))


def chi_square(dof: float, scale: float = 1.0) -> SubGamma:
    """Return the bound for ``scale (chi^2 - dof)`` from above.

    Laurent and Massart (2000), Lemma 1: ``P(chi^2 - dof >= 2 sqrt(dof x) + 2 x) <= exp(-x)``. From below
    chi-square is sub-Gaussian, ``P(dof - chi^2 >= 2 sqrt(dof x)) <= exp(-x)``: that is ``c = 0``.

    Parameters
    ----------
    dof : float
        Degrees of freedom, positive.
    scale : float
        Factor in front of the variable.
    """
    require(0.0 < dof < np.inf, "dof", "finite and positive", dof)
    check_not_negative("scale", scale)
    return SubGamma(2.0 * dof * scale**2, 2.0 * scale)


def _sides(sides: int) -> int:
    require(sides in (1, 2), "sides", "1 or 2", sides)
    return sides


@dataclass(frozen=True)
class Markov:
    """Markov's inequality for a power: ``P(Y >= t) <= E[Y^p] / t^p``, Y >= 0.

    With Y the deviation from a mean and ``order = 2`` this is Chebyshev's.

    Parameters
    ----------
    moment : float
        ``E[Y^p]``.
    order : float
        p, at least 1.
    """

    moment: float
    order: float = 1.0

    def __post_init__(self) -> None:
        check_not_negative("moment", self.moment)
        require(1.0 <= self.order < np.inf, "order", "finite and at least 1", self.order)

    @overload
    def tail(self, t: float) -> float: ...
    @overload
    def tail(self, t: Floats) -> Floats: ...
    def tail(self, t: float | Floats) -> float | Floats:
        """Return the bound of ``P(Y >= t)``, at most 1; it is 1 for ``t <= 0``."""
        level = levels(t)
        with np.errstate(divide="ignore", over="ignore"):
            ratio = self.expectation() / np.where(level > 0.0, level, 1.0)
            bound = np.where(level > 0.0, np.minimum(1.0, ratio) ** self.order, 1.0)
        return float(bound) if bound.ndim == 0 else bound

    def quantile(self, delta: float) -> float:
        """Return the t with ``tail(t) = delta``."""
        check_delta(delta)
        return float(self.expectation() * delta ** (-1.0 / self.order))

    def expectation(self) -> float:
        """Return the bound of ``E[Y]``, ``E[Y^p]^(1/p)`` (Jensen)."""
        return float(self.moment ** (1.0 / self.order))


def estimate_widths(samples: ArrayLike) -> float:
    """Return the range seen, max - min: a *lower* bound of the width that Hoeffding asks for."""
    return float(np.ptp(_samples(samples, 1)))


def estimate_lipschitz(gradients: Sequence[ArrayLike] | NDArray[np.float64]) -> float:
    """Return the largest Euclidean norm of the gradients seen: a *lower* bound of the Lipschitz constant.

    Parameters
    ----------
    gradients : array_like, shape (samples, dim)
        Gradients of f at sampled arguments.
    """
    G = np.asarray(gradients, dtype=np.float64)
    good = G.ndim == 2 and G.size > 0 and bool(np.isfinite(G).all())
    require(good, "gradients", "a finite (samples, dim) array", G.shape)
    return float(np.linalg.norm(G, axis=1).max())


def estimate_subgaussian(samples: ArrayLike) -> float:
    """Estimate the variance factor of a sub-Gaussian law: the least V that its samples allow.

    It is ``sup over s of 2 log(mean exp(s (x - mean x))) / s^2``, over both signs of s. At s = 0 this is the
    empirical variance, which it therefore never falls below.

    Parameters
    ----------
    samples : array_like
        Independent samples, at least two; the mean is subtracted here.
    """
    x = _samples(samples, 2)
    x = x - x.mean()
    variance = float(np.mean(x**2))
    if variance == 0.0:
        return 0.0
    sd = variance**0.5

    def factor(s: float) -> float:
        exponents = s * x / sd
        top = float(exponents.max())
        return 2.0 * variance * (top + float(np.log(np.mean(np.exp(exponents - top))))) / s**2

    # Far out the mean is that of the one largest sample, and the curve falls like 1/s; so the grid reaches
    # beyond its humps, and the best of them is refined.
    best = variance
    for sign in (-1.0, 1.0):
        grid = sign * np.geomspace(0.05, 20.0, 60)
        values = [factor(s) for s in grid]
        k = int(np.argmax(values))
        low, high = sorted((grid[max(k - 1, 0)], grid[min(k + 1, 59)]))
        fine = minimize_scalar(lambda s: -factor(s), bounds=(low, high), method="bounded")
        best = max(best, values[k], -float(fine.fun))
    return best


def estimate_psi(samples: ArrayLike, order: float = 1.0) -> float:
    """Estimate the psi_p norm: the K with ``mean exp((|x| / K)^p) = 2``.

    Order 1 is the sub-exponential norm, 2 the sub-Gaussian one (Vershynin 2018, Definitions 2.5.6 and
    2.7.5). The law's own norm is a root with E in place of the mean; where that has a heavy tail the
    estimate is too small on average.

    Parameters
    ----------
    samples : array_like
        Independent samples. Nothing is subtracted.
    order : float
        p, positive.
    """
    require(0.0 < order < np.inf, "order", "finite and positive", order)
    x = np.abs(_samples(samples, 1))
    largest = float(x.max())
    if largest == 0.0:
        return 0.0
    powers = (x / largest) ** order  # in [0, 1]

    def excess(rate: float) -> float:
        return float(np.mean(np.exp(rate * powers))) - 2.0

    # At rate log 2 no term exceeds 2; at log(2 n) the largest term alone makes the mean 2.
    rate = brentq(excess, np.log(2.0), np.log(2.0 * x.size) + 1e-9, xtol=1e-15, rtol=1e-14)
    return largest * math.exp(-math.log(rate) / order)


def estimate_chi_square(samples: ArrayLike) -> tuple[float, float]:
    """Fit ``scale chi^2_dof`` to a positive variable by its mean and variance (Satterthwaite 1946).

    Returns
    -------
    (dof, scale) : tuple of float
        For `chi_square`.
    """
    x = _samples(samples, 2)
    mean, variance = float(x.mean()), float(x.var(ddof=1))
    require(mean > 0.0 and variance > 0.0, "samples", "of positive mean and variance", (mean, variance))
    return 2.0 * mean**2 / variance, variance / (2.0 * mean)


def estimate_moment(samples: ArrayLike, order: float = 1.0) -> Markov:
    """Return Markov's inequality with the empirical moment of ``|samples|``."""
    x = np.abs(_samples(samples, 1))
    return Markov(float(np.mean(x**order)), order)


def _samples(samples: ArrayLike, at_least: int) -> Floats:
    x = np.asarray(samples, dtype=np.float64).ravel()
    require(x.size >= at_least, "samples", f"at least {at_least}", x.size)
    require(bool(np.isfinite(x).all()), "samples", "finite", "NaN or inf")
    return x
