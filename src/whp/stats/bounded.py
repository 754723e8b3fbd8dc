"""Confidence sequences for probabilities and for values in a known range; exact at every number of trials."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import betaln, xlog1py, xlogy

from whp.errors import require
from whp.interval import Interval
from whp.stats.sequences import Array, Rule, finite_array, require_count, require_level

BERNOULLI_SEQUENCE = Rule(
    "beta-binomial mixture sequence",
    "exact for Bernoulli trials whose success probability given the past is constant",
    "Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021, beta-binomial mixture",
    exact=True,
)
BETTING_SEQUENCE = Rule(
    "hedged betting sequence",
    "exact for values in a known range whose mean given the past is constant",
    "Waudby-Smith and Ramdas 2024, Estimating means of bounded random variables by betting, Theorem 3",
    exact=True,
)

# Rounding in a log-capital of up to 1e6 terms stays below this; intervals are widened by it.
_LOG_SLACK = 1e-8


def bernoulli_log_evalue(successes: int, n: int, p: float, prior: tuple[float, float] = (0.5, 0.5)) -> float:
    """Logarithm of the beta-binomial mixture ratio against success probability ``p``.

    ``B(a + s, b + n - s) / (B(a, b) p^s (1 - p)^(n - s))`` for the prior Beta(a, b); convex in ``p`` and at
    most one at ``p = s / n``.  Infinite where ``p`` makes the data impossible.
    """
    a, b = prior
    likelihood = xlogy(successes, p) + xlog1py(n - successes, -p)
    return float(betaln(a + successes, b + n - successes) - betaln(a, b) - likelihood)


def _bernoulli_fall(successes: int, n: int, alpha: float, prior: tuple[float, float]) -> float:
    """Return u >= 0 such that the lower end is ``(s / n) exp(-u)``, for s >= 1."""
    share = successes / n

    def excess(u: float) -> float:
        return bernoulli_log_evalue(successes, n, share * math.exp(-u), prior) + math.log(alpha) - _LOG_SLACK

    high = 1.0 / n
    while excess(high) < 0.0:
        high *= 2.0
    return float(brentq(excess, 0.0, high, xtol=1e-14, rtol=1e-12))


def bernoulli_sequence(
    successes: int, n: int, alpha: float, prior: tuple[float, float] = (0.5, 0.5)
) -> Interval:
    """Confidence sequence for a probability.

    Theorem
        The ratio of the beta mixture to the likelihood at the true ``p`` is a martingale of mean one, so
        ``{p : ratio < 1 / alpha}`` covers at all n at once with probability at least ``1 - alpha`` (Ville).
        The ratio is convex in the logarithms, so the set is an interval around ``s / n``.
    Validity
        Exact, for every n, when the success probability given the past is constant.

    Parameters
    ----------
    successes, n : int
        ``0 <= successes <= n``; n = 0 gives [0, 1].
    alpha : float
        Error rate in (0, 1), two-sided.
    prior : tuple of float
        Parameters of the beta mixture, both positive, chosen before the data are seen.

    Returns
    -------
    Interval
        Inside [0, 1]; an end is exactly 0 for no success and exactly 1 for no failure.

    Raises
    ------
    InputError
        The counts, ``alpha`` or ``prior`` break these rules.
    """
    require_level(alpha)
    require(min(prior) > 0.0, "prior", "a pair of positive numbers", prior)
    require_count("n", n)
    require_count("successes", successes)
    require(successes <= n, "successes", f"at most n = {n}", successes)
    s = int(successes)
    if n == 0:
        return Interval(0.0, 1.0)
    low, high = 0.0, 1.0
    if s > 0:
        low = s / n * math.exp(-_bernoulli_fall(s, n, alpha, prior))
    if s < n:
        # The same for failures; expm1 keeps a small upper end accurate.
        failures = n - s
        high = s / n - failures / n * math.expm1(-_bernoulli_fall(failures, n, alpha, prior[::-1]))
    return Interval(low, min(high, 1.0))


def prior_below(level: float) -> tuple[float, float]:
    """Return the beta mixture with which a probability is soonest seen to be below ``level``.

    Beta(1/2, b) with the mean ``level``, for a level of at most one half. Where nothing ever happens,
    996 trials put the upper end below 0.01 at an error rate of 0.01 / 48, where Beta(1/2, 1/2) takes
    1256; where the probability is a quarter of the level, or three quarters, a seventh less than it.

    Parameters
    ----------
    level : float
        In (0, 1).
    """
    require(0.0 < level < 1.0, "level", "in (0, 1)", level)
    return (0.5, max(0.5, 0.5 / level - 0.5))


def _plug_in_bets(x: Array, alpha: float) -> Array:
    """Bet on each value from the ones before it: sqrt(2 log(2/alpha) / (variance t log(t + 1)))."""
    t = np.arange(1, x.shape[-1] + 1)
    mean = (0.5 + np.cumsum(x, axis=-1)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2, axis=-1)) / (t + 1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    bets: Array = np.sqrt(2.0 * math.log(2.0 / alpha) / (before * t * np.log1p(t)))
    return bets


def _log_capital(x: Array, bets: Array, m: float) -> Array:
    """Log-wealth (..., n) after each value of the gambler on "above m", who risks at most half of it."""
    stakes = np.minimum(bets, 0.5 / m) if m > 0.0 else bets
    capital: Array = np.cumsum(np.log1p(stakes * (x - m)), axis=-1)
    return capital


def betting_log_capitals(unit: Array, alpha: float, low: float, high: float) -> tuple[float, float]:
    """Log-wealth after values in [0, 1] of the gambler against every mean up to ``low``, and of the other
    against every mean from ``high`` on; infinite where there is no such mean.
    """
    bets = _plug_in_bets(unit, alpha)
    above = float(_log_capital(unit, bets, low)[-1]) if low > 0.0 else math.inf
    below = float(_log_capital(1.0 - unit, bets, 1.0 - high)[-1]) if high < 1.0 else math.inf
    return above, below


def _betting_fall(x: Array, bets: Array, alpha: float) -> float:
    """Largest m found at which the gambler on "above m" has reached 2 / alpha; 0 if there is none."""

    def excluded(m: float) -> bool:
        return bool(_log_capital(x, bets, m)[-1] >= math.log(2.0 / alpha) + _LOG_SLACK)

    low, high = 0.0, 1.0
    if not excluded(low):
        return 0.0
    # Each factor falls as m grows, also through the truncation, so the excluded means are [0, end): bisection
    # finds the end, and the bracket's outer side is never inside the true set.
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excluded(middle) else (low, middle)
    return low


def betting_sequence(x: ArrayLike, alpha: float, low: float = 0.0, high: float = 1.0) -> Interval:
    """Confidence sequence for the mean of values in a known range.

    Theorem
        Two gamblers bet that the mean lies above and below m, with stakes fixed before each value; each one's
        wealth is a non-negative martingale when m is the mean, so is their average, which is at least half
        the larger.  By Ville's inequality the m at which neither has reached ``2 / alpha`` cover at all n at
        once with probability at least ``1 - alpha`` (Waudby-Smith and Ramdas 2024, Theorem 3, equal hedge,
        truncation 1/2).
    Validity
        Exact, for every n, for i.i.d. values and whenever the mean given the past is constant.  It depends on
        the order of the values, which must be the order of the trials.

    Parameters
    ----------
    x : array_like, shape (n,)
        The values so far, in order; n = 0 gives [low, high].
    alpha : float
        Error rate in (0, 1), two-sided.
    low, high : float
        Known range of the values.

    Returns
    -------
    Interval
        Inside [low, high]; never narrower than the theorem's set, wider by at most 1e-12 of the range an end.

    Raises
    ------
    InputError
        A value lies outside the range or is not finite, or ``alpha`` or the range breaks its rule.
    """
    require_level(alpha)
    require(
        math.isfinite(low) and math.isfinite(high) and low < high, "range", "a pair low < high", (low, high)
    )
    values = finite_array(x, "x")
    require(values.ndim == 1, "x", "one-dimensional", values.shape)
    outside = values[(values < low) | (values > high)]
    require(outside.size == 0, "x", f"in [{low}, {high}]", float(outside[0]) if outside.size else None)
    if values.size == 0:
        return Interval(low, high)
    unit = np.clip((values - low) / (high - low), 0.0, 1.0)
    bets = _plug_in_bets(unit, alpha)
    ends = (_betting_fall(unit, bets, alpha), 1.0 - _betting_fall(1.0 - unit, bets, alpha))
    # When every m is excluded (a mean that was not constant) the ends are crossed and the set is empty.
    return Interval(low + (high - low) * min(ends), low + (high - low) * max(ends))
