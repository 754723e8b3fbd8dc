"""Confidence sequences: intervals that hold at every number of trials at once.

Each function maps the data so far to an interval.  With probability at least
``1 - alpha`` the intervals at n = 1, 2, 3, ... *all* contain the truth, so a
run may look after every batch, stop when it likes and resume later.  What a
rule assumes is kept beside it as a `Rule`, which a verdict prints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whp.errors import require
from whp.interval import Interval

Array = NDArray[np.float64]

DEFAULT_C2 = 0.1
"""Mixture precision of the t-sequence: effects of about 3 standard deviations are expected."""


@dataclass(frozen=True)
class Rule:
    """What stands behind an interval: its name, when it is valid, where it is proved.

    ``exact`` says that its error rate holds for every distribution that the
    statistic may have; otherwise it is nominal unless the values are as
    ``validity`` wants them.
    """

    name: str
    validity: str
    source: str
    exact: bool = False


T_SEQUENCE = Rule(
    "scale-mixture t-sequence",
    "exact for i.i.d. Gaussian values of unknown variance; else asymptotic in the trials at the first look",
    "Wang and Ramdas, Anytime-valid t-tests and confidence sequences for Gaussian means with unknown "
    "variance",
)


def require_level(alpha: float) -> None:
    """Raise InputError unless ``alpha`` is an error rate."""
    require(0.0 < alpha < 1.0, "alpha", "in (0, 1)", alpha)


def require_count(name: str, value: int, least: int = 0) -> None:
    """Raise InputError unless ``value`` is an integer of at least ``least``."""
    good = isinstance(value, int | np.integer) and value >= least
    require(good, name, f"an integer, at least {least}", value)


def finite_array(x: ArrayLike, name: str) -> Array:
    """Return ``x`` as float64; raise InputError when an entry is not finite."""
    values = np.asarray(x, dtype=np.float64)
    bad = values[~np.isfinite(values)]
    require(bad.size == 0, name, "made of finite numbers", bad.flat[0] if bad.size else None)
    return values


def t_half_width_factor(n: int, alpha: float, c2: float = DEFAULT_C2) -> float:
    r"""Half width of the t-sequence per unit of standard deviation.

    Parameters
    ----------
    n : int
        Number of trials, at least 0.
    alpha : float
        Error rate in (0, 1), two-sided and over all n together.
    c2 : float
        Precision of the Gaussian mixture over the standardised effect.

    Returns
    -------
    float
        :math:`\sqrt{(1-\kappa) / (\kappa - c^2/(n+c^2))}` with
        :math:`\kappa = (\alpha^2 c^2/(n+c^2))^{1/n}`; infinite while the denominator is not
        positive (small n).  It multiplies the standard deviation with divisor n.
    """
    require_level(alpha)
    require(c2 > 0.0 and math.isfinite(c2), "c2", "positive", c2)
    require_count("n", n)
    if n == 0:
        return math.inf
    # 1 - kappa by expm1: kappa tends to 1 as n grows.
    gap = -math.expm1((2.0 * math.log(alpha) + math.log(c2 / (n + c2))) / n)
    denominator = n / (n + c2) - gap
    return math.sqrt(gap / denominator) if denominator > 0.0 else math.inf


def t_limits(
    x: ArrayLike, alpha: float, c2: float = DEFAULT_C2, axis: int = 0, resolution: ArrayLike = 0.0
) -> tuple[Array, Array]:
    """Lower and upper ends of `t_sequence` for many columns at once.

    Parameters
    ----------
    x : array_like
        Values; trials along ``axis``.
    alpha, c2 : float
        As in `t_sequence`; ``alpha`` holds for each column by itself.
    axis : int
        Axis of the trials.
    resolution : array_like
        Bound on the numerical error of each value, broadcast against the result.

    Returns
    -------
    low, high : ndarray
        Shape of ``x`` without ``axis``.

    Raises
    ------
    InputError
        A value is not finite, ``alpha`` is not in (0, 1), or ``c2`` or ``resolution`` is negative.
    """
    values = np.moveaxis(finite_array(np.atleast_1d(x), "x"), axis, 0)  # (n, ...)
    slack = np.asarray(resolution, dtype=np.float64)
    require(bool(np.all(slack >= 0.0)), "resolution", "non-negative", resolution)
    n = values.shape[0]
    factor = t_half_width_factor(n, alpha, c2)
    if math.isinf(factor):
        return np.full(values.shape[1:], -np.inf), np.full(values.shape[1:], np.inf)
    # Relative to the first trial, so that equal values have a variance of exactly zero.
    shifted = values - values[0]
    centre = shifted.mean(axis=0)
    sd = np.sqrt(np.mean((shifted - centre) ** 2, axis=0))
    half = factor * sd + slack
    return values[0] + centre - half, values[0] + centre + half


def t_sequence(x: ArrayLike, alpha: float, c2: float = DEFAULT_C2, resolution: float = 0.0) -> Interval:
    r"""Confidence sequence for a mean with unknown variance.

    Theorem
        For i.i.d. :math:`N(\mu, \sigma^2)`, :math:`S = \sum (x_i - \mu)`, :math:`V = \sum (x_i - \mu)^2`,

        .. math:: E_n(\mu) = \sqrt{c^2/(n+c^2)} \, (V / (V - S^2/(n+c^2)))^{n/2}

        is the likelihood ratio of the scale-invariant data, averaged over the effect :math:`\delta \sim N(0,
        1/c^2)` with the right-Haar measure :math:`d\sigma/\sigma` on both sides.  It is a martingale of mean
        one, and by Ville's inequality :math:`\{\mu : E_n(\mu) < 1/\alpha\}` covers at all n at once with
        probability at least :math:`1 - \alpha`.  With d the distance from the sample mean and :math:`s^2` the
        variance with divisor n, :math:`V = n (s^2 + d^2)` and :math:`S = n d`; solving for d gives a half
        width of ``t_half_width_factor(n, alpha, c2) * s``.
    Validity
        Exact for Gaussian values.  Otherwise asymptotic: correct in the limit where the first look comes
        late.  Skewed values at early looks break it (about 13 % errors at a nominal 5 % on exponential data);
        take logarithms or another rule, and see `whp.stats.skewness_check`.
    Ties
        Values that are all equal give width zero (n large enough for a finite factor).  Gaussian data never
        do this; a deterministic statistic does, and then zero is right.  A statistic that is *nearly always*
        constant may do it too, and then zero is wrong: use a rule for bounded values.  ``resolution`` keeps
        rounding noise in a deterministic statistic from being read as a discrepancy.

    Parameters
    ----------
    x : array_like, shape (n,)
        The values so far; n = 0 and n = 1 give the whole line.
    alpha : float
        Error rate in (0, 1), two-sided.
    c2 : float
        Mixture precision, chosen before the data are seen.
    resolution : float
        Bound on the numerical error of each value; added to the half width.

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        As `t_limits`.
    """
    values = np.asarray(x, dtype=np.float64)
    require(values.ndim == 1, "x", "one-dimensional", values.shape)
    low, high = t_limits(values, alpha, c2, resolution=resolution)
    return Interval(float(low), float(high))


def t_log_evalue(x: ArrayLike, mu0: float, c2: float = DEFAULT_C2) -> float:
    """Logarithm of the e-value against the mean ``mu0``; `t_sequence` inverts it.

    Parameters
    ----------
    x : array_like, shape (n,)
        The values so far, n >= 1.
    mu0 : float
        The mean under the hypothesis.
    c2 : float
        Mixture precision.

    Returns
    -------
    float
        ``log E_n(mu0)``: evidence against ``mu0``; reject at level alpha once it reaches ``log(1 / alpha)``.
    """
    deviations = finite_array(x, "x") - mu0
    require(
        deviations.ndim == 1 and deviations.size > 0, "x", "one-dimensional and not empty", deviations.shape
    )
    n = deviations.size
    total, energy = float(deviations.sum()), float(deviations @ deviations)
    evidence = -math.log1p(-(total**2) / (energy * (n + c2))) if energy > 0.0 else 0.0
    return 0.5 * (math.log(c2 / (n + c2)) + n * evidence)
