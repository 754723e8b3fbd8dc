"""Exponents of other summaries than ``E[log Y]``: the mean, a quantile, the largest of the trials.

These are not linear in a trial's logarithms, so their intervals are asymptotic.  `mean_slope` and
`quantile_slope` put an influence-function standard deviation into the boundary of the t-sequence, which makes
an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024): as the first look
comes later, the error over all looks tends to at most alpha.  `upper_tail_slope` is for one look, and for a
veto only.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from scipy.stats import norm

from whp.errors import require
from whp.interval import Interval
from whp.seeding import generator
from whp.stats.sequences import (
    DEFAULT_C2,
    Array,
    Rule,
    require_count,
    require_level,
    t_half_width_factor,
    t_limits,
)
from whp.stats.slopes import DEFAULT_RESOLUTION, Estimate, check_sizes, check_trials, slope_weights

MEAN_SLOPE = Rule(
    "jackknife sequence for the slope of log E[Y]",
    "asymptotic in the trials at the first look; needs a finite variance of Y itself",
    "Waudby-Smith et al. 2024, Time-uniform central limit theory and asymptotic confidence sequences",
)
QUANTILE_SLOPE = Rule(
    "bootstrap sequence for the slope of a quantile",
    "asymptotic in the trials at the first look; assumes that the quantile is linear in log size",
    "Koenker and Bassett 1978 (estimate); resampling of whole trials (standard deviation)",
)
UPPER_TAIL = Rule(
    "slope of the largest trial",
    "rough and for one look only: assumes an exponential-type upper tail of log Y; a veto, never a proof",
    "Renyi spacings; Weissman 1978 (scale of the tail)",
)


# statsmodels iterates until the coefficients move by less than this.
_FIT_TOLERANCE = 1e-6


def mean_slope(
    sizes: ArrayLike,
    Y: ArrayLike,
    alpha: float,
    *,
    c2: float = DEFAULT_C2,
    resolution: float = DEFAULT_RESOLUTION,
) -> Estimate:
    """Slope of ``log E[Y]``: a line through the logarithms of the means over trials.

    This is what a figure shows that fits a line to mean norms on logarithmic axes.  It is not the slope of
    ``E[log Y]`` when the shape of Y changes along the path.

    Parameters
    ----------
    sizes : array_like, shape (k,)
        Sizes, positive and strictly increasing.
    Y : array_like, shape (trials, k)
        Natural logarithms of the statistic, at least 2 trials.
    alpha, c2 : float
        As in `whp.stats.t_sequence`.
    resolution : float
        Bound on the relative numerical error of the statistic.

    Returns
    -------
    Estimate
        The plug-in slope, and the t-sequence of its jackknife pseudo-values (`MEAN_SLOPE`).

    Raises
    ------
    InputError
        As `whp.stats.slope_report`.
    """
    weights = slope_weights(np.log(check_sizes(sizes)))
    logs = check_trials(Y, weights.size)
    n = logs.shape[0]
    value = float(weights @ (logsumexp(logs, axis=0) - math.log(n)))
    # Sums of all trials but one, as those before it plus those after it: nothing cancels or overflows.
    none = np.full((1, weights.size), -np.inf)
    before = np.concatenate([none, np.logaddexp.accumulate(logs[:-1], axis=0)])
    after = np.concatenate([np.logaddexp.accumulate(logs[:0:-1], axis=0)[::-1], none])
    leave_one_out = (np.logaddexp(before, after) - math.log(n - 1)) @ weights
    slack = resolution * float(np.abs(weights).sum())
    low, high = t_limits(n * value - (n - 1) * leave_one_out, alpha, c2, resolution=slack)
    return Estimate(value, Interval(float(low), float(high)))


def _quantile_fit(x: Array, logs: Array, tau: float) -> float:
    """Slope of one quantile regression over all trials and points."""
    # Imported here: statsmodels takes about a second and few claims ask for a quantile.
    from statsmodels.regression.quantile_regression import QuantReg

    design = np.column_stack([np.ones(logs.size), np.tile(x - x.mean(), logs.shape[0])])
    with warnings.catch_warnings():
        # The iteration may cycle between two vertices of equal loss; either is a minimiser.
        warnings.simplefilter("ignore")
        fit = QuantReg(logs.ravel(), design).fit(q=tau)
    return float(np.asarray(fit.params)[1])


def quantile_slope(
    sizes: ArrayLike,
    Y: ArrayLike,
    tau: float,
    alpha: float,
    *,
    c2: float = DEFAULT_C2,
    resamples: int = 100,
    seed: int = 0,
) -> Estimate:
    """Slope of the ``tau``-quantile of log Y against log size, by quantile regression (statsmodels).

    Parameters
    ----------
    sizes : array_like, shape (k,)
        Sizes, positive and strictly increasing.
    Y : array_like, shape (trials, k)
        Natural logarithms of the statistic; at least ``2 / min(tau, 1 - tau)`` trials.
    tau : float
        The quantile, in (0, 1).
    alpha, c2 : float
        As in `whp.stats.t_sequence`.
    resamples : int
        Bootstrap samples of whole trials, from which the standard deviation is taken.
    seed : int
        Root seed of the bootstrap.

    Returns
    -------
    Estimate
        The fitted slope and an asymptotic confidence sequence (`QUANTILE_SLOPE`).

    Raises
    ------
    InputError
        As `whp.stats.slope_report`, or too few trials for the quantile.
    """
    require(0.0 < tau < 1.0, "tau", "in (0, 1)", tau)
    require_count("resamples", resamples, 2)
    x = np.log(check_sizes(sizes))
    logs = check_trials(Y, x.size, at_least=math.ceil(2.0 / min(tau, 1.0 - tau) - 1e-9))
    n = logs.shape[0]
    value = _quantile_fit(x, logs, tau)
    rng = generator(seed, "quantile_slope")
    draws = [_quantile_fit(x, logs[rng.integers(n, size=n)], tau) for _ in range(resamples)]
    # A standard error times sqrt(n) plays the part of the standard deviation of one trial.
    half = t_half_width_factor(n, alpha, c2) * math.sqrt(n) * float(np.std(draws, ddof=1))
    half += _FIT_TOLERANCE
    return Estimate(value, Interval(value - half, value + half))


@dataclass(frozen=True)
class UpperTail:
    """Growth of the largest trial along the path.

    Attributes
    ----------
    maxima : tuple of float, length k
        Largest log Y at each point.
    slope : float
        Their least-squares slope against log size.
    standard_error : float
        Rough standard error of the slope.
    interval : Interval
        ``slope`` plus or minus a normal quantile of standard errors, for one look (`UPPER_TAIL`).
    """

    maxima: tuple[float, ...]
    slope: float
    standard_error: float
    interval: Interval


def upper_tail_slope(sizes: ArrayLike, Y: ArrayLike, alpha: float) -> UpperTail:
    """Slope of the per-point maximum over trials, for a veto on claims "with high probability".

    The jackknife is inconsistent for a maximum: it sees only the gap of the largest two.  Instead, in the
    Gumbel domain of attraction (log Y with a Gaussian, exponential, gamma, ... upper tail), the i-th gap from
    the top times i is about exponential with one scale, and the maximum has standard deviation ``scale pi /
    sqrt(6)``.  The top two gaps give the scale; on five points and 6 to 100 Gaussian or exponential trials a
    nominal 5 % interval then errs 2 to 6 %.  A bounded tail makes it too wide, a power tail of log Y too
    narrow.

    Parameters
    ----------
    sizes : array_like, shape (k,)
        Sizes, positive and strictly increasing.
    Y : array_like, shape (trials, k)
        Natural logarithms of the statistic, at least 2 trials; points independent within a trial.
    alpha : float
        Two-sided level, in (0, 1).

    Returns
    -------
    UpperTail

    Raises
    ------
    InputError
        As `whp.stats.slope_report`.
    """
    require_level(alpha)
    weights = slope_weights(np.log(check_sizes(sizes)))
    ranked = np.sort(check_trials(Y, weights.size), axis=0)[::-1]  # (n, k), largest first
    n = ranked.shape[0]
    gaps = min(n - 1, 2)
    # The mean of i (y_(i) - y_(i+1)) over the top gaps telescopes.
    scale = ranked[:gaps].mean(axis=0) - ranked[gaps]  # (k,)
    # A mean of exponentials squared exceeds the squared scale by (gaps + 1) / gaps on average.
    variance = math.pi**2 / 6.0 * gaps / (gaps + 1) * scale**2
    error = math.sqrt(float(weights**2 @ variance))
    slope = float(weights @ ranked[0])
    half = float(norm.isf(alpha / 2.0)) * error
    return UpperTail(tuple(ranked[0].tolist()), slope, error, Interval(slope - half, slope + half))
