"""How many trials a decision needs, and how small a discrepancy a run can see.

All answers are for one look at ``n`` trials with the anytime-valid interval.  A run that also looks earlier
decides at least as often, so they are safe side estimates of a sequential run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv, chdtr
from scipy.stats import binom, nct

from whp.errors import require
from whp.interval import Interval
from whp.stats.bounded import bernoulli_log_evalue, betting_log_capitals
from whp.stats.sequences import DEFAULT_C2, require_count, require_level, t_half_width_factor


def _smallest(enough: Callable[[int], bool], start: int, limit: int) -> int | None:
    """First n in [start, limit] that is enough, if being enough is kept as n grows; None if no n is."""
    low, high = start - 1, start
    while not enough(high):
        if high >= limit:
            return None
        low, high = high, min(2 * high, limit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# From here on only sd_unbiased matters for the noncentral t, to about 1e-6; scipy's series for it is wrong
# by percents from 1e5 on, and NaN further on.
LARGE_EFFECT = 1e3


def _power(effect: float, n: int, alpha: float, c2: float) -> float:
    """Chance that one end of the t-sequence is within ``effect`` standard deviations of the mean.

    mean + factor * s <= margin  says that  sqrt(n) (margin - mean) / sd_unbiased, which is noncentral t,
    is at least  factor * sqrt(n - 1).
    """
    factor = t_half_width_factor(n, alpha, c2)
    if math.isinf(factor):
        return 0.0
    if effect > LARGE_EFFECT:
        return float(chdtr(n - 1, (effect / factor) ** 2 * n))
    return float(nct.sf(factor * math.sqrt(n - 1), n - 1, effect * math.sqrt(n)))


def _check(alpha: float, power: float) -> None:
    require_level(alpha)
    require(0.0 < power < 1.0, "power", "in (0, 1)", power)


def trials_needed(
    sd: float,
    margin: float,
    alpha: float,
    power: float = 0.9,
    *,
    c2: float = DEFAULT_C2,
    limit: int = 100_000,
) -> int | None:
    """Trials after which one end of the t-sequence is within ``margin`` of the mean.

    Parameters
    ----------
    sd : float
        Standard deviation of one trial, e.g. of the per-trial slope.
    margin : float
        Distance from the mean to the value to be excluded, positive.
    alpha : float
        Error rate of the sequence.
    power : float
        Probability with which the value is excluded (exact for Gaussian trials, by the noncentral t).
        To have both ends within the margin ask for ``(1 + power) / 2``.
    c2 : float
        Mixture precision.
    limit : int
        Largest number considered.

    Returns
    -------
    int or None
        None when ``limit`` trials do not suffice.
    """
    _check(alpha, power)
    require(sd >= 0.0 and math.isfinite(sd), "sd", "a non-negative number", sd)
    require(margin > 0.0 and math.isfinite(margin), "margin", "a positive number", margin)
    if sd == 0.0:
        return _smallest(lambda n: math.isfinite(t_half_width_factor(n, alpha, c2)), 2, limit)
    return _trials(margin / sd, alpha, power, c2, limit)


@lru_cache(maxsize=4096)
def _trials(effect: float, alpha: float, power: float, c2: float, limit: int) -> int | None:
    return _smallest(lambda n: _power(effect, n, alpha, c2) >= power, 2, limit)


def detectable(sd: float, n: int, alpha: float, power: float = 0.9, *, c2: float = DEFAULT_C2) -> float:
    """Smallest distance from the mean that ``n`` trials exclude with the given power.

    The inverse of `trials_needed`; infinite while the t-sequence is still the whole line.
    """
    _check(alpha, power)
    require(sd >= 0.0 and math.isfinite(sd), "sd", "a non-negative number", sd)
    return math.inf if math.isinf(t_half_width_factor(n, alpha, c2)) else sd * _effect(n, alpha, power, c2)


@lru_cache(maxsize=4096)
def _effect(n: int, alpha: float, power: float, c2: float) -> float:
    """In standard deviations; the checks of a run share few levels and numbers of trials."""
    high = t_half_width_factor(n, alpha, c2)
    while _power(high, n, alpha, c2) < power:
        high *= 2.0
    return float(brentq(lambda effect: _power(effect, n, alpha, c2) - power, 0.0, high))


def _most_passing(delta: float, n: int, alpha: float, prior: tuple[float, float]) -> int:
    """Largest number of successes in ``n`` whose interval lies below ``delta``; -1 if there is none."""
    threshold = -math.log(alpha)
    # Below n * delta the evidence against delta falls as successes are added.
    low, high = -1, math.ceil(n * delta)
    while high - low > 1:
        s = (low + high) // 2
        low, high = (s, high) if bernoulli_log_evalue(s, n, delta, prior) >= threshold else (low, s)
    return low


def bernoulli_detectable(
    delta: float, n: int, alpha: float, power: float = 0.9, prior: tuple[float, float] = (0.5, 0.5)
) -> Interval:
    """True probabilities that ``n`` trials cannot yet tell from ``delta``.

    Parameters
    ----------
    delta : float
        The claimed probability, in (0, 1).
    n : int
        Number of trials.
    alpha : float
        Error rate of `whp.stats.bernoulli_sequence`.
    power : float
        Probability of a decision.
    prior : tuple of float
        Its mixture.

    Returns
    -------
    Interval
        A true probability at or below ``low`` gives an interval under ``delta`` with the given power, one at
        or above ``high`` an interval over it.  An end is infinite when no probability does.
    """
    _check(alpha, power)
    require(0.0 < delta < 1.0, "delta", "in (0, 1)", delta)
    require_count("n", n)

    def reach(claimed: float, mixture: tuple[float, float]) -> float:
        most = _most_passing(claimed, n, alpha, mixture)
        # P(Binomial(n, p) <= most) = I_{1-p}(n - most, most + 1)
        return 1.0 - float(betaincinv(n - most, most + 1, power)) if most >= 0 else -math.inf

    return Interval(reach(delta, prior), 1.0 - reach(1.0 - delta, prior[::-1]))


def bernoulli_trials_needed(
    delta: float,
    p_true: float,
    alpha: float,
    power: float = 0.9,
    *,
    prior: tuple[float, float] = (0.5, 0.5),
    limit: int = 10_000_000,
) -> int | None:
    """Trials after which the sequence for a probability excludes ``delta``.

    Parameters
    ----------
    delta : float
        The claimed probability, in (0, 1).
    p_true : float
        The true probability, in [0, 1].
    alpha : float
        Error rate of `whp.stats.bernoulli_sequence`.
    power : float
        Probability with which ``delta`` is excluded on the right side.
    prior : tuple of float
        Its mixture.
    limit : int
        Largest number considered.

    Returns
    -------
    int or None
        Smallest up to the sawtooth of the binomial distribution; None when ``limit`` does not suffice, as
        for ``p_true == delta``.
    """
    _check(alpha, power)
    require(0.0 < delta < 1.0, "delta", "in (0, 1)", delta)
    require(0.0 <= p_true <= 1.0, "p_true", "in [0, 1]", p_true)
    if p_true == delta:
        return None
    if p_true > delta:
        delta, p_true, prior = 1.0 - delta, 1.0 - p_true, prior[::-1]

    def enough(n: int) -> bool:
        most = _most_passing(delta, n, alpha, prior)
        return most >= 0 and bool(np.float64(binom.cdf(most, n, p_true)) >= power)

    return _smallest(enough, 1, limit)


def betting_trials_needed(
    accept: Interval, alpha: float, low: float = 0.0, high: float = 1.0, *, limit: int = 100_000
) -> int | None:
    """Fewest trials after which `whp.stats.betting_sequence` can lie inside ``accept``, at the best of luck.

    That is: values that are all the same, at the place in ``accept`` that is best for both gamblers together.
    By the concavity of the logarithm values that differ, at the same stakes, give them less.

    Parameters
    ----------
    accept : Interval
        Where the interval shall lie; an end may be infinite.
    alpha : float
        Error rate of the sequence.
    low, high : float
        Known range of the values.
    limit : int
        Largest number considered.

    Returns
    -------
    int or None
        None when ``limit`` trials do not suffice, as where ``accept`` lies outside of the range.
    """
    require_level(alpha)
    finite = math.isfinite(low) and math.isfinite(high)
    require(finite and low < high, "range", "a pair low < high", (low, high))
    ends = [(end - low) / (high - low) for end in (accept.low, accept.high)]
    wanted = math.log(2.0 / alpha)

    def enough(n: int) -> bool:
        place = (max(ends[0], 0.0), min(ends[1], 1.0))
        for _ in range(20):  # the capital of one gambler grows with the place, that of the other falls
            middle = 0.5 * (place[0] + place[1])
            above, below = betting_log_capitals(np.full(n, middle), alpha, *ends)
            if min(above, below) >= wanted:
                return True
            if max(above, below) < wanted:
                return False
            place = (middle, place[1]) if above < wanted else (place[0], middle)
        return False

    return _smallest(enough, 1, limit) if ends[0] < 1.0 and ends[1] > 0.0 else None
