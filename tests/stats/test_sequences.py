"""The t-sequence: closed form, coverage under peeking, and what it does on awkward data."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import T_SEQUENCE, t_half_width_factor, t_limits, t_log_evalue, t_sequence

PATHS, HORIZON, ALPHA = 4000, 200, 0.05
# A sequence with error rate at most ALPHA misses more often than this with probability below 1e-6.
MOST_MISSES = stats.binom.isf(1e-6, PATHS, ALPHA)


def naive_t_limits(x, alpha, axis):
    """Student's interval for a sample size fixed in advance."""
    n = x.shape[axis]
    half = stats.t.isf(alpha / 2, n - 1) * x.std(axis=axis, ddof=1) / np.sqrt(n)
    return x.mean(axis=axis) - half, x.mean(axis=axis) + half


def misses_when_peeking(limits, x, mu, alpha):
    """Number of paths whose interval misses mu at some look."""
    missed = np.zeros(len(x), dtype=bool)
    for n in range(2, x.shape[1] + 1):
        low, high = limits(x[:, :n], alpha, axis=1)
        missed |= (low > mu) | (high < mu)
    return int(missed.sum())


@pytest.fixture(scope="module")
def gaussian_paths():
    return 3.0 + 2.0 * generator(0, "gaussian paths").normal(size=(PATHS, HORIZON))


def test_t_sequence_covers_at_every_look(gaussian_paths):
    # False alarm <= 1e-6 (binomial); measured rate 0.028.
    assert misses_when_peeking(t_limits, gaussian_paths, 3.0, ALPHA) <= MOST_MISSES


def test_peeking_breaks_a_fixed_size_interval(gaussian_paths):
    # The same check must be able to fail: Student's interval misses on about 45 % of paths.
    assert misses_when_peeking(naive_t_limits, gaussian_paths, 3.0, ALPHA) > 4 * MOST_MISSES


def test_coverage_check_sees_a_level_that_is_too_loose(gaussian_paths):
    # At level 0.25 the sequence errs about 16 %: well above MOST_MISSES (6.7 %), 15 standard deviations.
    assert misses_when_peeking(t_limits, gaussian_paths, 3.0, 0.25) > MOST_MISSES


def test_skewed_values_break_the_level_as_documented():
    # About 14 % at nominal 5 %; below MOST_MISSES by chance has probability < 1e-30.
    x = generator(0, "exponential paths").exponential(size=(PATHS, HORIZON))
    assert misses_when_peeking(t_limits, x, 1.0, ALPHA) > MOST_MISSES
    assert "asymptotic" in T_SEQUENCE.validity


@pytest.mark.parametrize("n", [6, 10, 50, 1000])
@pytest.mark.parametrize("alpha", [0.05, 1e-4])
@pytest.mark.parametrize("c2", [0.1, 1.0])
def test_closed_form_inverts_the_evalue(n, alpha, c2):
    x = generator(1, "invert", n).normal(1.0, 3.0, size=n)
    interval = t_sequence(x, alpha, c2)
    if math.isinf(interval.high):
        # Then the e-value stays below the threshold however far the mean is.
        assert t_log_evalue(x, 1e9, c2) < -math.log(alpha)
        return

    def excess(mu):
        return t_log_evalue(x, mu, c2) + math.log(alpha)

    far = x.mean() + 2 * interval.width
    assert interval.high == pytest.approx(brentq(excess, x.mean(), far, xtol=1e-13), rel=1e-9)
    assert interval.low == pytest.approx(brentq(excess, 2 * x.mean() - far, x.mean(), xtol=1e-13), rel=1e-9)


def test_evalue_is_the_mixture_likelihood_ratio():
    # From the definition: Gaussian mixture over the effect, d sigma / sigma over the scale, by quadrature.
    x, mu, c2 = np.array([0.3, 1.9, -0.4, 1.1]), 0.2, 0.3
    y = x - mu

    effect, log_sigma = np.meshgrid(np.linspace(-14, 14, 701), np.linspace(-4, 8, 1201))

    def likelihood(effects):
        return np.prod([stats.norm.pdf(v, effects * np.exp(log_sigma), np.exp(log_sigma)) for v in y], axis=0)

    # Trapezoids converge geometrically here; the weight d sigma / sigma is d log_sigma.
    prior = stats.norm.pdf(effect, scale=c2**-0.5) * (effect[0, 1] - effect[0, 0])
    ratio = (prior * likelihood(effect)).sum() / likelihood(0.0 * effect)[:, 0].sum()
    assert math.exp(t_log_evalue(x, mu, c2)) == pytest.approx(ratio, rel=1e-9)


def test_one_trial_says_nothing():
    assert t_log_evalue([4.2], 1.0) == pytest.approx(0.0, abs=1e-12)
    for x in ([], [4.2]):
        interval = t_sequence(x, 0.5)
        assert (interval.low, interval.high) == (-math.inf, math.inf)


def test_equal_values_have_width_zero_and_resolution_widens():
    x = [0.1] * 30
    assert t_sequence(x, 0.01).width == 0.0
    assert t_sequence(x, 0.01).contains(0.1)
    assert t_sequence(x, 0.01, resolution=1e-6).width == pytest.approx(2e-6)
    # Too few trials for a finite factor: the whole line, not NaN.
    assert t_sequence([0.1, 0.1], 1e-6).width == math.inf
    assert t_log_evalue([0.1, 0.1], 0.1) < 0.0


def test_location_and_scale():
    x = generator(2, "equivariance").normal(size=40)
    one, other = t_sequence(x, 0.01), t_sequence(7.0 - 3.0 * x, 0.01)
    assert other.low == pytest.approx(7.0 - 3.0 * one.high)
    assert other.high == pytest.approx(7.0 - 3.0 * one.low)


def test_columns_are_done_one_by_one():
    x = generator(3, "columns").normal(size=(25, 2, 3))
    low, high = t_limits(x, 0.01, resolution=np.arange(3) / 10)
    assert low.shape == high.shape == (2, 3)
    single = t_sequence(x[:, 1, 2], 0.01, resolution=0.2)
    assert (low[1, 2], high[1, 2]) == (pytest.approx(single.low), pytest.approx(single.high))
    assert np.array_equal(t_limits(np.moveaxis(x, 0, 2), 0.01, axis=2)[0], t_limits(x, 0.01)[0])


def test_factor_shrinks_like_root_log_n_over_n():
    factors = [t_half_width_factor(n, 0.01) for n in range(10, 3000)]
    assert all(a > b for a, b in pairwise(factors))
    n = 10**7  # large n: sqrt((log(1/alpha^2) + log(n/c2)) / n)
    assert t_half_width_factor(n, 0.01) == pytest.approx(
        math.sqrt((math.log(1e4) + math.log(n / 0.1)) / n), rel=1e-3
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: t_sequence([1.0, math.nan], 0.1), "x must be made of finite numbers"),
        (lambda: t_sequence([[1.0]], 0.1), "x must be one-dimensional"),
        (lambda: t_sequence([1.0, 2.0], 1.0), r"alpha must be in \(0, 1\)"),
        (lambda: t_sequence([1.0, 2.0], 0.1, c2=0.0), "c2 must be positive"),
        (lambda: t_sequence([1.0, 2.0], 0.1, resolution=-1.0), "resolution must be non-negative"),
        (lambda: t_half_width_factor(-1, 0.1), "n must be an integer, at least 0"),
        (lambda: t_log_evalue([], 0.0), "x must be one-dimensional and not empty"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(InputError, match=text):
        call()
