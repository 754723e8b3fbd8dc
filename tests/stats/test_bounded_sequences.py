"""The beta-binomial and the betting sequence against brute force, and their coverage under peeking."""

import math

import numpy as np
import pytest
from scipy import stats

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import (
    bernoulli_log_evalue,
    bernoulli_sequence,
    bernoulli_trials_needed,
    betting_sequence,
    prior_below,
)
from whp.stats.bounded import _log_capital, _plug_in_bets, betting_log_capitals

PATHS, HORIZON, ALPHA = 4000, 200, 0.05
# A sequence with error rate at most ALPHA misses more often than this with probability below 1e-6.
MOST_MISSES = stats.binom.isf(1e-6, PATHS, ALPHA)


def clopper_pearson(s, n):
    """The exact interval for a sample size fixed in advance."""
    tail = ALPHA / 2
    low = np.where(s > 0, stats.beta.ppf(tail, np.maximum(s, 1), n - s + 1), 0.0)
    high = np.where(s < n, stats.beta.isf(tail, s + 1, np.maximum(n - s, 1)), 1.0)
    return low, high


def sequence(s, n):
    ends = [bernoulli_sequence(int(count), n, ALPHA) for count in s]
    return np.array([e.low for e in ends]), np.array([e.high for e in ends])


def bernoulli_misses(limits, p):
    """Number of paths whose interval misses p at some look."""
    draws = generator(0, "bernoulli paths", str(p)).random((PATHS, HORIZON)) < p
    counts = np.cumsum(draws, axis=1)
    missed = np.zeros(PATHS, dtype=bool)
    for n in range(1, HORIZON + 1):
        reached, where = np.unique(counts[:, n - 1], return_inverse=True)
        low, high = limits(reached, n)
        missed |= ((low > p) | (high < p))[where]
    return int(missed.sum())


@pytest.mark.parametrize("p", [0.02, 0.4])
def test_bernoulli_sequence_covers_at_every_look(p):
    # False alarm <= 1e-6 each (binomial).
    assert bernoulli_misses(sequence, p) <= MOST_MISSES


def test_peeking_breaks_clopper_pearson():
    # An interval for a fixed sample size misses on about 27 % of paths.
    assert bernoulli_misses(clopper_pearson, 0.4) > MOST_MISSES


@pytest.mark.parametrize("alpha", [0.05, 1e-5])
@pytest.mark.parametrize(("s", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (3, 30), (29, 30), (70, 200)])
def test_bernoulli_ends_match_a_grid(s, n, alpha):
    # The mixture from scipy's beta-binomial, the likelihood from its binomial: the coefficients cancel.
    grid = np.linspace(0.0, 1.0, 200_001)
    with np.errstate(divide="ignore"):
        log_ratio = stats.betabinom.logpmf(s, n, 0.5, 0.5) - stats.binom.logpmf(s, n, grid)
    inside = grid[log_ratio < -math.log(alpha)]
    interval = bernoulli_sequence(s, n, alpha)
    assert interval.low == pytest.approx(inside[0], abs=6e-6)
    assert interval.high == pytest.approx(inside[-1], abs=6e-6)
    assert interval.low <= inside[0]
    assert interval.high >= inside[-1]


@pytest.mark.parametrize(("s", "n"), [(0, 10**6), (1, 10**6), (12345, 10**6), (10**6 - 1, 10**6)])
def test_bernoulli_ends_at_a_million(s, n):
    interval = bernoulli_sequence(s, n, 1e-3)
    assert 0.0 <= interval.low <= s / n <= interval.high <= 1.0
    for end, open_side in ((interval.low, s == 0), (interval.high, s == n)):
        if not open_side:
            assert bernoulli_log_evalue(s, n, end) == pytest.approx(math.log(1e3), abs=1e-4)


def test_bernoulli_corner_cases_and_symmetry():
    assert (bernoulli_sequence(0, 0, 0.1).low, bernoulli_sequence(0, 0, 0.1).high) == (0.0, 1.0)
    assert bernoulli_sequence(0, 50, 0.1).low == 0.0
    assert bernoulli_sequence(50, 50, 0.1).high == 1.0
    one, other = bernoulli_sequence(7, 50, 0.01, (0.5, 2.0)), bernoulli_sequence(43, 50, 0.01, (2.0, 0.5))
    assert one.low == pytest.approx(1.0 - other.high)
    assert one.high == pytest.approx(1.0 - other.low)


def skewed_paths(paths=PATHS):
    """Values in [0, 1] with mean 0.1, most of them near zero."""
    return generator(0, "skewed bounded paths").beta(0.2, 1.8, size=(paths, HORIZON))


def test_betting_sequence_covers_at_every_look():
    # Missed at some look when either gambler has reached 2 / alpha at the true mean; false alarm <= 1e-6.
    x, mu = skewed_paths(), 0.1
    bets = _plug_in_bets(x, ALPHA)
    up, down = _log_capital(x, bets, mu), _log_capital(1.0 - x, bets, 1.0 - mu)
    rich = np.maximum(up, down) >= math.log(2.0 / ALPHA)
    assert rich.any(axis=1).sum() <= MOST_MISSES
    # The capital is what the function inverts.
    for path in range(25):
        for n in (1, 7, 60, HORIZON):
            assert betting_sequence(x[path, :n], ALPHA).contains(mu) == (not rich[path, n - 1])


def test_capital_check_sees_a_wrong_mean():
    # Tested at twice the mean, nearly every gambler on "below" gets rich.
    x = skewed_paths(500)
    down = _log_capital(1.0 - x, _plug_in_bets(x, ALPHA), 1.0 - 0.2)
    assert (down >= math.log(2.0 / ALPHA)).any(axis=1).mean() > 0.5


def brute_force_betting(x, alpha, grid):
    """Means not rejected by Theorem 3 of Waudby-Smith and Ramdas, term by term."""
    kept = []
    for m in grid:
        total, squares, variance = 0.5, 0.25, 0.25
        up = down = 1.0
        for t, value in enumerate(x, start=1):
            bet = math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(t + 1)))
            up *= 1 + min(bet, 0.5 / m) * (value - m)
            down *= 1 - min(bet, 0.5 / (1 - m)) * (value - m)
            total += value
            squares += (value - total / (t + 1)) ** 2
            variance = squares / (t + 1)
        if max(0.5 * up, 0.5 * down) < 1 / alpha:
            kept.append(m)
    return kept


@pytest.mark.parametrize("shape", [(0.2, 1.8), (5.0, 5.0), (1.0, 0.1)])
def test_betting_ends_match_brute_force(shape):
    x = generator(1, "brute force", str(shape)).beta(*shape, size=60)
    grid = np.linspace(0.0005, 0.9995, 1000)
    kept = brute_force_betting(x, 0.05, grid)
    interval = betting_sequence(x, 0.05)
    assert interval.low <= kept[0] <= interval.low + 0.002
    assert interval.high - 0.002 <= kept[-1] <= interval.high


def test_betting_range_and_corner_cases():
    x = generator(2, "range").random(80)
    unit, wide = betting_sequence(x, 0.01), betting_sequence(-3.0 + 5.0 * x, 0.01, low=-3.0, high=2.0)
    assert wide.low == pytest.approx(-3.0 + 5.0 * unit.low)
    assert wide.high == pytest.approx(-3.0 + 5.0 * unit.high)
    assert betting_sequence([], 0.01, -1.0, 4.0).width == 5.0
    zeros = betting_sequence(np.zeros(500), 0.01)
    assert zeros.low == 0.0
    assert 0.0 < zeros.high < 0.05
    assert betting_sequence(np.ones(500), 0.01).low == pytest.approx(1.0 - zeros.high)


def test_betting_survives_a_drifting_mean():
    # The theorem's set may be empty when the mean is not constant; the answer is still an interval.
    drift = np.concatenate([np.zeros(400), np.ones(400)])
    for x in (drift, drift[::-1]):
        interval = betting_sequence(x, 0.05)
        assert 0.0 <= interval.low <= interval.high <= 1.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: bernoulli_sequence(3, 2, 0.1), "successes must be at most n = 2, got 3"),
        (lambda: bernoulli_sequence(0.5, 2, 0.1), "successes must be an integer"),
        (lambda: bernoulli_sequence(0, -2, 0.1), "n must be an integer"),
        (lambda: bernoulli_sequence(1, 2, 0.0), r"alpha must be in \(0, 1\)"),
        (lambda: bernoulli_sequence(1, 2, 0.1, (0.0, 1.0)), "prior must be a pair of positive numbers"),
        (lambda: betting_sequence([0.5, 1.1], 0.1), r"x must be in \[0.0, 1.0\], got 1.1"),
        (lambda: betting_sequence([0.5, math.inf], 0.1), "x must be made of finite numbers"),
        (lambda: betting_sequence([0.5], 0.1, low=1.0, high=1.0), "range must be a pair low < high"),
        (lambda: betting_sequence([[0.5]], 0.1), "x must be one-dimensional"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(InputError, match=text):
        call()


@pytest.mark.parametrize("prior", [(0.5, 0.5), (5.0, 1.0), (1.0, 20.0)])
def test_both_ends_are_where_the_evidence_under_the_prior_reaches_one_over_alpha(prior):
    ends = bernoulli_sequence(3, 10, ALPHA, prior)
    for end in (ends.low, ends.high):
        assert bernoulli_log_evalue(3, 10, end, prior) == pytest.approx(-math.log(ALPHA), abs=1e-6)


def test_a_mean_outside_the_range_is_excluded_from_the_start():
    values = np.array([0.2, 0.4, 0.6])
    assert betting_log_capitals(values, ALPHA, 0.0, 1.0) == (math.inf, math.inf)
    above, below = betting_log_capitals(values, ALPHA, 0.1, 0.8)
    bets = _plug_in_bets(values, ALPHA)
    assert above == _log_capital(values, bets, 0.1)[-1]
    assert below == _log_capital(1.0 - values, bets, 1.0 - 0.8)[-1]


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_the_mixture_for_a_level_certifies_it_sooner(level):
    def trials(at, prior):
        return bernoulli_trials_needed(level, at, 0.01 / 48, prior=prior)

    for at in (0.0, level / 4, 3 * level / 4):
        assert trials(at, prior_below(level)) < 0.96 * trials(at, (0.5, 0.5))
    # Not every other mixture does: one that expects ten times the level takes longer.
    assert trials(0.0, (0.5, 0.05 / level)) > trials(0.0, prior_below(level))
    assert prior_below(0.5) == prior_below(0.9) == (0.5, 0.5)
    with pytest.raises(InputError, match="level must be"):
        prior_below(0.0)


def test_the_mixture_for_a_level_covers_under_peeking():
    # At the level itself the upper end is below it in at most ALPHA of the paths, whenever one looks.
    level = 0.1
    draws = generator(3, "prior below").random((PATHS, HORIZON)) < level
    highs = {}
    counts = draws.cumsum(axis=1)
    missed = np.zeros(PATHS, dtype=bool)
    for n in range(1, HORIZON + 1):
        for s in np.unique(counts[:, n - 1]):
            highs[s] = bernoulli_sequence(int(s), n, ALPHA, prior_below(level)).high
        missed |= np.array([highs[s] for s in counts[:, n - 1]]) < level
    assert missed.sum() <= MOST_MISSES
