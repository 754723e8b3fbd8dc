"""Slopes of the mean, of a quantile and of the largest trial."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import (
    mean_slope,
    per_trial,
    quantile_slope,
    slope_report,
    slope_weights,
    t_sequence,
    upper_tail_slope,
)

SIZES = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])
X = np.log(SIZES)


def lognormal_trials(trials):
    """E[log Y] has slope 0.5; the variance is 0.1 x, so log E[Y] has slope 0.55."""
    noise = generator(0, "lognormal", trials).normal(size=(trials, 5))
    return 0.5 * X + np.sqrt(0.1 * X) * noise


def test_mean_slope_is_the_line_through_log_means():
    Y = lognormal_trials(30)
    means = np.exp(Y).mean(axis=0)
    result = mean_slope(SIZES, Y, 0.05)
    assert result.value == pytest.approx(np.polyfit(X, np.log(means), 1)[0])

    def line(rows):
        return slope_weights(X) @ np.log(np.exp(rows).mean(axis=0))

    pseudo = [30 * line(Y) - 29 * line(np.delete(Y, i, axis=0)) for i in range(30)]
    expected = t_sequence(pseudo, 0.05)
    assert result.interval.low == pytest.approx(expected.low)
    assert result.interval.high == pytest.approx(expected.high)


def test_mean_slope_and_log_slope_are_different_estimands():
    # alpha = 1e-6 is the false-alarm probability of each line (asymptotic; 20000 trials).
    Y = lognormal_trials(20_000)
    mean, log = mean_slope(SIZES, Y, 1e-6), slope_report(SIZES, Y, 1e-6).slope
    assert mean.interval.contains(0.55)
    assert log.interval.contains(0.5)
    # Each excludes the other's: the separation is 0.05, the half widths are below 0.03.
    assert not mean.interval.contains(0.5)
    assert not log.interval.contains(0.55)


def test_mean_slope_of_huge_values_and_equal_values():
    Y = lognormal_trials(30)
    assert mean_slope(SIZES, Y + 5000.0, 0.05).value == pytest.approx(mean_slope(SIZES, Y, 0.05).value)
    still = mean_slope(SIZES, np.tile(0.5 * X, (30, 1)), 0.05).interval
    assert still.contains(0.5)
    assert still.width < 1e-10


def heteroscedastic_trials(trials):
    """The tau-quantile of log Y is 0.5 x + (0.1 x) z_tau + constant: slope 0.5 + 0.1 z_tau."""
    return 0.5 * X + 0.1 * X * generator(0, "heteroscedastic", trials).normal(size=(trials, 5))


@pytest.mark.parametrize("tau", [0.5, 0.9])
def test_quantile_slope_follows_the_quantile(tau):
    # Asymptotic interval at alpha = 1e-6.
    truth = 0.5 + 0.1 * stats.norm.ppf(tau)
    result = quantile_slope(SIZES, heteroscedastic_trials(2000), tau, 1e-6, resamples=40)
    assert result.interval.contains(truth)
    # The other quantile's slope, 0.128 away, is excluded: the check can fail.
    assert not result.interval.contains(0.5 + 0.1 * stats.norm.ppf(1.4 - tau))


def test_quantile_slope_attains_the_minimum_of_the_check_loss():
    # The minimiser need not be unique, its loss is; linear programming finds it exactly.
    Y, tau = heteroscedastic_trials(20), 0.75
    x, y = np.tile(X, 20), Y.ravel()
    n = y.size
    cost = np.concatenate([np.zeros(4), np.full(n, tau), np.full(n, 1 - tau)])
    design = np.column_stack([np.ones(n), -np.ones(n), x, -x, np.eye(n), -np.eye(n)])
    best = linprog(cost, A_eq=design, b_eq=y).fun

    def loss(slope):
        rest = y - slope * x
        rest = rest - np.quantile(rest, tau, method="inverted_cdf")
        return np.sum(rest * (tau - (rest < 0)))

    value = quantile_slope(SIZES, Y, tau, 0.05, resamples=2).value
    assert loss(value) == pytest.approx(best, rel=1e-5)
    assert loss(value + 0.2) > best * 1.01


def test_quantile_slope_is_reproducible_and_leaks_no_warning():
    # Ties make the iteration cycle; warnings are errors in this suite.
    Y = np.round(heteroscedastic_trials(40), 1)
    first, again = (quantile_slope(SIZES, Y, 0.9, 0.05, resamples=10) for _ in range(2))
    assert first == again
    still = quantile_slope(SIZES, np.tile(0.5 * X, (40, 1)), 0.9, 0.05, resamples=2)
    assert still.interval.contains(0.5)


@pytest.mark.parametrize("shape", ["normal", "exponential"])
@pytest.mark.parametrize("trials", [6, 20])
def test_upper_tail_error_is_roughly_right(shape, trials):
    # 1500 repetitions of identical points (true slope 0); rates measured at 2 to 6 % for a nominal 5 %.
    # 9 % is five standard deviations above 6 % (false alarm about 1e-6).
    draw = getattr(generator(0, "upper tail", shape, trials), shape)
    tails = [upper_tail_slope(SIZES, draw(size=(trials, 5)), 0.05) for _ in range(1500)]
    assert np.mean([not t.interval.contains(0.0) for t in tails]) < 0.09
    actual = np.std([t.slope for t in tails])
    stated = math.sqrt(np.mean([t.standard_error**2 for t in tails]))
    assert 0.85 < stated / actual < 1.6


def test_upper_tail_sees_growth_that_the_typical_value_hides():
    # Median constant, spread growing from 0.2 to 2: E[log Y] has slope 0, the largest of 50 grows (z > 10).
    noise = generator(0, "hidden growth").normal(size=(50, 5))
    Y = np.linspace(0.2, 2.0, 5) * noise
    assert slope_report(SIZES, Y, 1e-6).slope.interval.contains(0.0)
    tail = upper_tail_slope(SIZES, Y, 0.01)
    assert tail.interval.low > 0.0
    assert tail.maxima == tuple(Y.max(axis=0))
    assert tail.slope == pytest.approx(per_trial(slope_weights(X), Y.max(axis=0)[None, :])[0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mean_slope([1, 2], np.zeros((1, 2)), 0.1), r"Y must be of shape \(trials >= 2, 2\)"),
        (
            lambda: quantile_slope([1, 2], np.zeros((19, 2)), 0.9, 0.1),
            r"Y must be of shape \(trials >= 20, 2\)",
        ),
        (lambda: quantile_slope([1, 2], np.zeros((19, 2)), 1.0, 0.1), r"tau must be in \(0, 1\)"),
        (
            lambda: quantile_slope([1, 2], np.zeros((9, 2)), 0.5, 0.1, resamples=1),
            "resamples must be an integer",
        ),
        (lambda: upper_tail_slope([1, 2], np.zeros((2, 2)), 0.0), r"alpha must be in \(0, 1\)"),
        (lambda: upper_tail_slope([1, 2], np.zeros((1, 2)), 0.1), r"Y must be of shape \(trials >= 2, 2\)"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(InputError, match=text):
        call()
