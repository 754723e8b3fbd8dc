"""Planned numbers of trials against simulation with the real intervals."""

import math

import numpy as np
import pytest
from scipy import stats

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import (
    bernoulli_detectable,
    bernoulli_sequence,
    bernoulli_trials_needed,
    detectable,
    t_half_width_factor,
    t_limits,
    trials_needed,
)
from whp.stats import design as design_module

RUNS = 20_000
# Five standard deviations: a share of RUNS is further from its probability with probability below 1e-6.
NOISE = 5.0 * math.sqrt(0.25 / RUNS)


@pytest.mark.parametrize(
    ("sd", "margin", "alpha"), [(0.05, 0.05, 1e-3), (0.1, 0.05, 1e-2), (0.02, 0.1, 1e-4)]
)
def test_trials_needed_has_the_power(sd, margin, alpha):
    n = trials_needed(sd, margin, alpha, power=0.9)
    x = generator(0, "design", str(sd)).normal(scale=sd, size=(n, RUNS))

    def power(trials):
        return np.mean(t_limits(x[:trials], alpha)[1] < margin)

    assert power(n) >= 0.9 - NOISE
    assert power(n - 1) <= 0.9 + NOISE
    # The check can fail: two thirds of the trials are not enough.
    assert power(2 * n // 3) < 0.9 - NOISE


def test_trials_needed_agrees_with_the_plain_formula():
    # Half width plus z standard errors within the margin; for many trials the variance is as good as known.
    n = trials_needed(1.0, 0.1, 0.01)
    plain = next(
        k
        for k in range(2, 10_000)
        if t_half_width_factor(k, 0.01) + stats.norm.ppf(0.9) / math.sqrt(k) <= 0.1
    )
    assert n == pytest.approx(plain, rel=0.01)


def test_trials_needed_edges():
    assert trials_needed(5.0, 0.01, 0.01, limit=1000) is None
    # Without noise: the first n at which the sequence is not the whole line.
    n = trials_needed(0.0, 0.1, 1e-4)
    assert math.isinf(t_limits(np.zeros(n - 1), 1e-4)[1])
    assert t_limits(np.zeros(n), 1e-4)[1] == 0.0


@pytest.mark.parametrize("n", [6, 30, 1000])
def test_detectable_inverts_trials_needed(n):
    margin = detectable(0.3, n, 0.01)
    assert trials_needed(0.3, margin * (1 + 1e-9), 0.01) == n
    assert trials_needed(0.3, margin * (1 - 1e-6), 0.01) == n + 1
    assert detectable(0.3, n, 0.01, power=0.99) > margin


def test_detectable_edges():
    assert detectable(0.3, 1, 0.01) == math.inf
    assert detectable(0.0, 20, 0.01) == 0.0


def bernoulli_power(delta, n, alpha, p_true):
    """Probability that the interval lies on the right side of delta, by adding up all outcomes."""
    side = [bernoulli_sequence(s, n, alpha) for s in range(n + 1)]
    decided = [i.high < delta if p_true < delta else i.low > delta for i in side]
    return stats.binom.pmf(np.arange(n + 1), n, p_true) @ np.array(decided)


@pytest.mark.parametrize(("delta", "p_true"), [(0.1, 0.0), (0.1, 0.03), (0.1, 0.25), (0.9, 0.75), (0.5, 1.0)])
def test_bernoulli_trials_needed_has_the_power(delta, p_true):
    n = bernoulli_trials_needed(delta, p_true, 0.01)
    assert bernoulli_power(delta, n, 0.01, p_true) >= 0.9
    assert bernoulli_power(delta, n - 1, 0.01, p_true) < 0.9


def test_bernoulli_trials_needed_edges():
    assert bernoulli_trials_needed(0.1, 0.1, 0.01) is None
    assert bernoulli_trials_needed(0.1, 0.0999, 0.01, limit=1000) is None
    assert 5_000 < bernoulli_trials_needed(1e-3, 0.0, 0.01) < 15_000


@pytest.mark.parametrize(("delta", "n"), [(0.1, 200), (0.9, 200), (0.5, 60)])
def test_bernoulli_detectable_has_the_power(delta, n):
    ends = bernoulli_detectable(delta, n, 0.01)
    assert ends.low < delta < ends.high
    assert bernoulli_power(delta, n, 0.01, ends.low) == pytest.approx(0.9, abs=1e-6)
    assert bernoulli_power(delta, n, 0.01, ends.high) == pytest.approx(0.9, abs=1e-6)


def test_bernoulli_detectable_edges():
    none = bernoulli_detectable(0.1, 0, 0.01)
    assert (none.low, none.high) == (-math.inf, math.inf)
    # Twenty trials can refute a claim of 0.1, not confirm it.
    few = bernoulli_detectable(0.1, 20, 0.01)
    assert few.low == -math.inf
    assert few.high < 1.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: trials_needed(-1.0, 0.1, 0.1), "sd must be a non-negative number"),
        (lambda: trials_needed(1.0, 0.0, 0.1), "margin must be a positive number"),
        (lambda: detectable(1.0, 5, 0.1, power=1.0), r"power must be in \(0, 1\)"),
        (lambda: detectable(1.0, 5, 1.1), r"alpha must be in \(0, 1\)"),
        (lambda: bernoulli_trials_needed(0.0, 0.1, 0.1), r"delta must be in \(0, 1\)"),
        (lambda: bernoulli_trials_needed(0.1, 1.1, 0.1), r"p_true must be in \[0, 1\]"),
        (lambda: bernoulli_detectable(0.1, -1, 0.1), "n must be an integer, at least 0"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(InputError, match=text):
        call()


def test_tiny_deviations_need_fewest_trials():
    # Beyond the reach of scipy's noncentral t, where it gives NaN.
    fewest = trials_needed(1e-6, 1.0, 1e-3)
    assert fewest == trials_needed(1e-10, 1.0, 1e-3) == trials_needed(1e-300, 1e300, 1e-3) == 5
    assert trials_needed(1e300, 1e-300, 1e-3, limit=1000) is None


def test_power_goes_on_smoothly_where_effects_are_large():
    there = design_module.LARGE_EFFECT
    for share in (0.5, 0.9, 1.3):
        powers = []
        for effect in (there * (1 - 1e-9), there * (1 + 1e-9)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(design_module, "t_half_width_factor", lambda *_, e=effect * share: e)
                powers.append(design_module._power(effect, 5, 1e-3, 1.0))
        assert powers[0] == pytest.approx(powers[1], rel=1e-5)
        assert 0 < powers[0] < 1
