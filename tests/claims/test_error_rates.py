"""Measured error rates of the decision rules, at the edge where they are largest.

Simulated claims that are off by exactly the stated discrepancy, or true with nothing to spare, go through
``Check.outcome`` at successive looks, and the first decision stands. The number of wrong ones is compared to
the nominal rate by a binomial bound with a false alarm of 1e-6 (`most`): a rule that keeps its rate is
accused with at most that probability. A naive rule is accused by the same bound.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from whp import stats
from whp.claims import Outcome, Share, bound, decay, limit, mean, order, rate

NOMINAL = 0.05
PASS_ONLY = Share(1e-12, NOMINAL)
BOTH = Share(NOMINAL, NOMINAL)
SIZES = (64, 256, 1024)
LOOKS = (8, 14, 28)


def most(claims: int) -> int:
    """The number of errors that a rule at its nominal rate exceeds with probability at most 1e-6."""
    return int(binom.isf(1e-6, claims, NOMINAL))


def tally(simulate, check, values, share, looks=LOOKS, naive=None):
    """Decisions on many simulated claims; values of shape (claims, trials, points)."""
    found: Counter[Outcome] = Counter()
    for numbers in values:
        sample = simulate.sample(check.experiment, numbers)
        for look in looks:
            seen = sample.prefix(look)
            outcome = naive(seen) if naive else check.outcome(seen, share)
            if outcome is not Outcome.INCONCLUSIVE:
                break
        found[outcome] += 1
    return found


def power_laws(exponent, claims, noise=0.3, seed=0):
    """Claims whose statistic grows with a given exponent, shape (claims, trials, points)."""
    noise = noise * np.random.default_rng(seed).standard_normal((claims, LOOKS[-1], len(SIZES)))
    return np.exp(exponent * np.log(np.array(SIZES) / SIZES[0]) + noise)


@pytest.fixture
def path(simulate):
    """An experiment along a path; the numbers are put in by hand."""
    return simulate.power_law(sizes=SIZES)


@pytest.fixture
def point(simulate):
    """An experiment at a single point."""
    return simulate.drawn(lambda rng, p: 0.0)


class TestExponents:
    CLAIMS = 2000

    def test_a_rate_at_its_tolerance(self, simulate, path):
        check = rate(experiment=path, quantity="Y", bound=1, tolerance=0.1)
        found = tally(simulate, check, power_laws(0.1, self.CLAIMS), BOTH)
        assert found[Outcome.PASS] <= most(self.CLAIMS)
        assert found[Outcome.FAIL] <= most(self.CLAIMS)

    def test_both_errors_of_a_decay(self, simulate, path):
        claims = 600
        found = tally(simulate, decay(experiment=path, quantity="Y"), power_laws(0.0, claims), BOTH)
        assert found[Outcome.PASS] <= most(claims)
        assert found[Outcome.FAIL] <= most(claims)

    @pytest.mark.parametrize("exponent", [0.1, -0.1])
    def test_false_pass_in_both_directions(self, simulate, path, exponent):
        claims = 600
        check = rate(experiment=path, quantity="Y", bound=1, direction="both", tolerance=0.1)
        found = tally(simulate, check, power_laws(exponent, claims), PASS_ONLY)
        assert found[Outcome.PASS] <= most(claims)

    def test_the_rules_decide_off_the_edge(self, simulate, path):
        # Without this, a rule that never decides would keep its rates: 3 standard errors of 100 claims.
        check = rate(experiment=path, quantity="Y", bound=1, tolerance=0.1)
        claims, quiet = 50, 0.05
        assert tally(simulate, check, power_laws(0.0, claims, quiet), BOTH)[Outcome.PASS] >= 45
        assert tally(simulate, check, power_laws(0.2, claims, quiet), BOTH)[Outcome.FAIL] >= 45

    def test_naive_rule_is_accused(self, simulate, path):
        def below_tolerance(sample):  # the point estimate, and no interval
            logs = np.log(sample.values("value"))
            slope = (logs @ stats.slope_weights(np.log(SIZES))).mean()
            return Outcome.PASS if slope < 0.1 else Outcome.INCONCLUSIVE

        check = rate(experiment=path, quantity="Y", bound=1, tolerance=0.1)
        claims = 600
        found = tally(simulate, check, power_laws(0.1, claims), PASS_ONLY, naive=below_tolerance)
        assert found[Outcome.PASS] > 5 * most(claims)

    def test_a_look_after_every_trial_is_accused_without_a_sequence(self, simulate, path):
        def t_interval(sample):  # at the nominal level one-sided, as if there were one look
            slopes = np.log(sample.values("value")) @ stats.slope_weights(np.log(SIZES))
            error = slopes.std(ddof=1) / len(slopes) ** 0.5
            high = slopes.mean() + 1.645 * error
            return Outcome.PASS if high < 0.1 else Outcome.INCONCLUSIVE

        check = rate(experiment=path, quantity="Y", bound=1, tolerance=0.1)
        claims = 600
        values = power_laws(0.1, claims)
        found = tally(simulate, check, values, PASS_ONLY, looks=range(3, 29), naive=t_interval)
        assert found[Outcome.PASS] > most(claims)


class TestLevels:
    def test_bound_at_its_level(self, simulate, point):
        claims, delta = 1000, 0.2
        failed = np.random.default_rng(0).random((claims, 120, 1)) < delta
        check = bound(experiment=point, quantity="Y", bound=1, delta=delta)
        found = tally(simulate, check, 2.0 * failed, BOTH, looks=(20, 40, 80, 120))
        assert found[Outcome.PASS] <= most(claims)
        assert found[Outcome.FAIL] <= most(claims)

    @pytest.mark.parametrize("edge", [0.9, 1.1])
    def test_mean_at_the_edge(self, simulate, point, edge):
        claims = 1000
        values = edge + 0.1 * np.random.default_rng(0).standard_normal((claims, LOOKS[-1], 1))
        check = mean(experiment=point, quantity="Y", target=1, tolerance=0.1)
        found = tally(simulate, check, values, BOTH)
        assert found[Outcome.PASS] <= most(claims)
        assert found[Outcome.FAIL] <= most(claims)

    def test_mean_in_a_known_range(self, simulate, point):
        claims = 600
        values = (np.random.default_rng(0).random((claims, 60, 1)) < 0.5).astype(float)
        check = mean(experiment=point, quantity="Y", target=0.4, tolerance=0.25, support=(0, 1))
        found = tally(simulate, check, values, BOTH, looks=(20, 40, 60))
        assert found[Outcome.PASS] <= most(claims)
        assert found[Outcome.FAIL] <= most(claims)

    def test_order_of_equals(self, simulate, point):
        claims = 1000
        values = np.random.default_rng(0).standard_normal((claims, LOOKS[-1], 1))
        found = tally(simulate, order(experiment=point, quantity="Y"), values, BOTH)
        assert found[Outcome.PASS] <= most(claims)
        assert found[Outcome.FAIL] <= most(claims)

    def test_limit_with_the_remainder_left(self, simulate, path):
        claims, left = 600, 0.25
        sizes = np.array(SIZES, dtype=float)
        means = left + (1 - left) * (sizes / sizes[0]) ** -0.5  # a + c m^(-1/2), a quarter of the first
        noise = np.random.default_rng(0).standard_normal((claims, LOOKS[-1], len(SIZES)))
        check = limit(experiment=path, quantity="Y", remainder=left)
        found = tally(simulate, check, np.abs(means * (1 + 0.1 * noise)), PASS_ONLY)
        assert found[Outcome.PASS] <= most(claims)

    def test_naive_rule_is_accused(self, simulate, point):
        def below_level(sample):
            return Outcome.PASS if (sample.values("value") > 1).mean() < 0.2 else Outcome.INCONCLUSIVE

        claims = 600
        failed = np.random.default_rng(0).random((claims, 120, 1)) < 0.2
        check = bound(experiment=point, quantity="Y", bound=1, delta=0.2)
        found = tally(simulate, check, 2.0 * failed, BOTH, looks=(20, 40, 80, 120), naive=below_level)
        assert found[Outcome.PASS] > 5 * most(claims)
