"""The corners of the decision rules: zeros, ties, lost trials, drift, the largest trials, single trials.

Where numbers are drawn, what is asserted is more than ten standard errors away from its threshold.
"""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from whp.claims import (
    CellSample,
    Design,
    Outcome,
    Path,
    Share,
    bound,
    decay,
    experiment,
    limit,
    mean,
    order,
    rate,
    reproduction,
)
from whp.claims.exponents import ExponentCheck
from whp.errors import ClaimError

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
SHARE = Share(1e-3, 1e-3)
SIZES = (64, 128, 256, 512, 1024)
EVERY_KIND = {
    "rate": (rate, {"bound": 1}),
    "decay": (decay, {}),
    "limit": (limit, {}),
    "mean": (mean, {"target": 1}),
    "order": (order, {}),
    "reproduction": (reproduction, {"printed": 1.0, "tolerance": 0.5}),
    "slope": (reproduction, {"printed": 0.0, "tolerance": 0.5, "slope_between": (1, 9999)}),
}


@pytest.fixture
def path(simulate):
    """An experiment along a path; the numbers are put in by hand."""
    return simulate.power_law(sizes=SIZES)


@pytest.fixture
def point(simulate):
    """An experiment at a single point."""
    return simulate.drawn(lambda rng, p: 0.0)


def log_normal(exponents, trials, noise, seed=0):
    """Y along the path with given exponents between neighbours, shape (trials, points)."""
    steps = np.diff(np.log(SIZES)) * np.broadcast_to(exponents, (len(SIZES) - 1,))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    return np.exp(logs + noise * np.random.default_rng(seed).standard_normal((trials, len(SIZES))))


class TestNoEvidence:
    @pytest.mark.parametrize("kind", EVERY_KIND)
    def test_one_trial_decides_nothing(self, simulate, path, kind):
        made, fields = EVERY_KIND[kind]
        verdict = made(experiment=path, quantity="Y", **fields).decide(
            simulate.sample(path, [1.0] * 5), SHARE
        )
        assert verdict.outcome is INCONCLUSIVE
        assert "at least two" in verdict.advice

    def test_one_trial_does_not_decide_a_bound(self, simulate, point):
        check = bound(experiment=point, quantity="Y", bound=1, delta=0.4)
        for value in (0.0, 2.0):
            assert check.decide(simulate.sample(point, [[value]]), SHARE).outcome is INCONCLUSIVE

    @pytest.mark.parametrize("kind", EVERY_KIND)
    def test_two_trials_decide_nothing(self, simulate, path, kind):
        made, fields = EVERY_KIND[kind]
        values = np.array([[1.0] * 5, [1.0 + 1e-9] * 5])
        verdict = made(experiment=path, quantity="Y", **fields).decide(simulate.sample(path, values), SHARE)
        assert verdict.outcome is INCONCLUSIVE

    @pytest.mark.parametrize(("slope", "outcome"), [(0.0, PASS), (0.5, FAIL)])
    def test_equal_slopes_need_enough_trials(self, simulate, path, slope, outcome):
        check = rate(experiment=path, quantity="Y", bound=1)
        values = log_normal(slope, 11, 0.0)
        verdict = check.decide(simulate.sample(path, values[:10]), SHARE)  # 2 / 2^10 > 1e-3 > 2 / 2^11
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.advice == "All 10 trials agree; 11 that agree would decide."
        verdict = check.decide(simulate.sample(path, values), SHARE)
        assert verdict.outcome is outcome
        assert any("right only if the statistic is deterministic" in w for w in verdict.warnings)

    @pytest.mark.parametrize(("direction", "outcome"), [("upper", PASS), ("lower", FAIL), ("both", FAIL)])
    def test_zeros_need_enough_trials(self, simulate, path, direction, outcome):
        check = rate(experiment=path, quantity="Y", bound=1, direction=direction)
        assert check.decide(simulate.sample(path, np.zeros((9, 5))), SHARE).outcome is INCONCLUSIVE
        assert check.decide(simulate.sample(path, np.zeros((10, 5))), SHARE).outcome is outcome
        strict = Share(1e-6, 1e-6)
        assert check.decide(simulate.sample(path, np.zeros((10, 5))), strict).outcome is INCONCLUSIVE

    def test_a_mean_of_values_that_agree_is_not_decided(self, simulate, point):
        # An indicator with mean 0.02 is zero in 20 trials with probability 2/3: neither verdict is allowed.
        values = simulate.sample(point, np.zeros((20, 1)))
        for target in (0.0, 0.02):
            verdict = mean(experiment=point, quantity="Y", target=target).decide(values, SHARE)
            assert verdict.outcome is INCONCLUSIVE
            assert "deterministic" in verdict.advice
        assert order(experiment=point, quantity="Y").decide(values, SHARE).outcome is INCONCLUSIVE

    @pytest.mark.parametrize(("target", "outcome"), [(2.0, PASS), (2.1, FAIL)])
    def test_a_declared_constant_is_decided(self, simulate, point, target, outcome):
        check = mean(experiment=point, quantity="Y", target=target, deterministic=True)
        verdict = check.decide(simulate.sample(point, [[2.0], [2.0]]), SHARE)
        assert verdict.outcome is outcome
        assert check.decide(simulate.sample(point, [[2.0]]), SHARE).outcome is INCONCLUSIVE
        random = check.decide(simulate.sample(point, [[2.0], [2.001]]), SHARE)
        assert (random.outcome, "trials differ" in random.advice) == (INCONCLUSIVE, True)


class TestWrongValues:
    def test_some_zeros_have_no_exponent(self, simulate, path):
        values = log_normal(0.0, 30, 0.01)
        values[3, 2] = 0.0
        verdict = rate(experiment=path, quantity="Y", bound=1).decide(simulate.sample(path, values), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert "zero in some trials" in verdict.advice

    def test_values_up_to_the_floor_are_zero(self, simulate, path):
        values = np.full((30, 5), 1e-9) * np.arange(1, 6) ** 2
        settings = {"experiment": path, "quantity": "Y", "bound": 1}
        assert rate(floor=1e-6, **settings).decide(simulate.sample(path, values), SHARE).outcome is PASS
        assert rate(**settings).decide(simulate.sample(path, values), SHARE).outcome is FAIL

    def test_negative_values_have_no_exponent(self, simulate, path):
        values = log_normal(0.0, 30, 0.01)
        values[3, 2] = -0.5
        verdict = rate(experiment=path, quantity="Y", bound=1).decide(simulate.sample(path, values), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.advice == "The statistic must be non-negative to have an exponent, got -0.5."

    def test_a_slope_needs_positive_values(self, simulate, path):
        made, fields = EVERY_KIND["slope"]
        values = log_normal(0.0, 30, 0.01)
        values[3, 2] = 0.0
        verdict = made(experiment=path, quantity="Y", **fields).decide(simulate.sample(path, values), SHARE)
        assert (verdict.outcome, "positive" in verdict.advice) == (INCONCLUSIVE, True)

    def test_values_outside_the_support(self, simulate, point):
        check = mean(experiment=point, quantity="Y", target=0.5, support=(0, 1))
        verdict = check.decide(simulate.sample(point, [[0.5], [1.5]]), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert "in its support [0, 1], got values from 0.5 to 1.5" in verdict.advice


class TestLostTrials:
    @pytest.mark.parametrize("kind", EVERY_KIND)
    def test_a_lost_trial_bars_a_verdict_on_a_mean(self, simulate, path, kind):
        made, fields = EVERY_KIND[kind]
        check = made(experiment=path, quantity="Y", **fields)
        values = log_normal(0.0, 200, 0.01) * np.linspace(1.0, 1.001, 200)[:, None]
        values[7, 1] = np.nan
        verdict = check.decide(simulate.sample(path, values), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.failures == {"timeout": 1}
        assert "1 timeout of 1000 trials gave no number (too slow)" in verdict.advice

    def test_lost_trials_count_against_a_bound_and_never_for_its_failure(self, simulate, point):
        check = bound(experiment=point, quantity="Y", bound=1, delta=0.1)
        values = np.zeros((200, 1))
        assert check.decide(simulate.sample(point, values), SHARE).outcome is PASS
        some = 7 * np.arange(200) % 10 < 3  # spread over the trials: in a row they would be held as dependent
        values[some] = np.nan
        assert check.decide(simulate.sample(point, values), SHARE).outcome is INCONCLUSIVE
        values[some] = 2.0
        assert check.decide(simulate.sample(point, values), SHARE).outcome is FAIL

    def test_a_bound_with_every_trial_lost(self, simulate, point):
        check = bound(experiment=point, quantity="Y", bound=1, delta=0.1)
        verdict = check.decide(simulate.sample(point, np.full((50, 1), np.nan)), SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.failures == {"timeout": 50}


class TestVetoes:
    """Each may turn a decision into INCONCLUSIVE, and no more."""

    def check(self, path, **fields):
        return rate(experiment=path, quantity="Y", bound=1, **fields)

    def test_a_tail_that_grows_bars_the_pass(self, simulate, path):
        # Decays, then grows: the slope over everything is negative, that over the tail is not.
        values = log_normal([-1.0, -0.4, 0.1, 0.3], 40, 0.01)
        verdict = self.check(path).decide(simulate.sample(path, values), SHARE)
        assert verdict.figure["fit"]["high"] < 0
        assert verdict.figure["tail"]["low"] > 0.1
        assert verdict.outcome is INCONCLUSIVE

    def test_a_drift_towards_the_threshold_bars_the_pass(self, simulate, path):
        # Whole -0.4, tail -0.05: both pass, and one more step of the same drift would not.
        values = log_normal([-1.0, -0.5, -0.1, 0.0], 40, 0.01)
        verdict = self.check(path).decide(simulate.sample(path, values), SHARE)
        assert verdict.figure["tail"]["high"] < 0.1
        assert verdict.outcome is INCONCLUSIVE
        assert "drifts towards the threshold" in verdict.advice

    def test_a_drift_that_dies_out_bars_the_fail(self, simulate, path):
        values = log_normal([1.0, 0.6, 0.3, 0.2], 40, 0.01)
        verdict = self.check(path).decide(simulate.sample(path, values), SHARE)
        assert verdict.figure["tail"]["low"] > 0.1
        assert verdict.outcome is INCONCLUSIVE
        assert "drifts towards what is accepted" in verdict.advice

    @pytest.mark.parametrize("exponents", [[-1.2, -1.0, -0.8, -0.6], [-0.5, -0.5, -0.9, -0.9]])
    def test_a_drift_far_from_the_threshold_is_only_said(self, simulate, path, exponents):
        verdict = self.check(path).decide(simulate.sample(path, log_normal(exponents, 40, 0.01)), SHARE)
        assert verdict.outcome is PASS
        assert any("exponent changes along the path" in warning for warning in verdict.warnings)

    @pytest.mark.parametrize(("direction", "outcome"), [("upper", INCONCLUSIVE), ("lower", PASS)])
    def test_the_largest_trials_bar_the_pass(self, simulate, path, direction, outcome):
        # Half of the trials decay and half grow, by the same exponent: the mean slope is zero.
        signs = np.where(np.arange(400) % 2, 1.0, -1.0)[:, None]
        values = np.exp(0.3 * signs * np.log(np.array(SIZES) / 64)) * log_normal(0.0, 400, 0.01)
        verdict = self.check(path, direction=direction).decide(simulate.sample(path, values), SHARE)
        assert verdict.outcome is outcome
        assert any("spread over trials grows" in warning for warning in verdict.warnings)
        assert ("largest trial" in verdict.advice) == (direction == "upper")

    def test_vetoes_never_turn_a_verdict_round(self, simulate, path, monkeypatch):
        rng = np.random.default_rng(1)
        samples = [
            simulate.sample(path, log_normal(rng.uniform(-1, 1, 4), 12, 0.1, seed=k)) for k in range(200)
        ]
        guarded = [self.check(path).decide(s, SHARE).outcome for s in samples]
        monkeypatch.setattr(ExponentCheck, "_veto", lambda *arguments: "")
        free = [self.check(path).decide(s, SHARE).outcome for s in samples]
        changed = [(a, b) for a, b in zip(guarded, free, strict=True) if a is not b]
        assert changed
        assert {a for a, _ in changed} == {INCONCLUSIVE}
        assert {PASS, FAIL} <= set(free)

    def test_skewed_slopes_are_said(self, simulate, path):
        exponential = -np.log1p(-(np.arange(60)[:, None] + 0.5) / 60)  # its quantiles
        heavy = 0.1 * exponential * np.log(SIZES)
        verdict = self.check(path).decide(simulate.sample(path, np.exp(heavy)), SHARE)
        assert any("skewed" in warning for warning in verdict.warnings)


class TestHiddenLogarithm:
    """Growth like the declared logarithm does not FAIL, and never helps to PASS."""

    @pytest.mark.parametrize(("direction", "sign"), [("upper", 1), ("lower", -1), ("both", 1), ("both", -1)])
    def test_it_excuses_in_the_direction_of_the_statement(self, simulate, path, direction, sign):
        logarithm = np.log(SIZES) ** 2
        noise = 1 + 0.01 * np.random.default_rng(0).standard_normal((40, 5))
        sample = simulate.sample(path, logarithm**sign * noise)
        settings = {"experiment": path, "quantity": "Y", "bound": 1, "direction": direction}
        assert rate(**settings).decide(sample, SHARE).outcome is FAIL
        verdict = rate(soft=sympy.log(simulate.d) ** 2, **settings).decide(sample, SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert "at these sizes the logarithm decides" in verdict.advice
        powers = simulate.sample(path, np.array(SIZES) ** (1.0 * sign) * noise)
        soft = rate(soft=sympy.log(simulate.d) ** 2, **settings)
        assert soft.decide(powers, SHARE).outcome is FAIL

    def test_it_must_be_positive(self, simulate, path):
        with pytest.raises(ClaimError, match=r"^soft must be positive along the path, got -1.0$"):
            rate(experiment=path, quantity="Y", bound=1, soft=-1)


class TestReproductionRule:
    def test_interval_must_lie_inside(self, simulate, point):
        # The sample mean is 1 exactly; what counts is the width of the interval.
        values = 1.0 + np.tile([-0.1, 0.1], 50)[:, None]
        sample = simulate.sample(point, values)
        settings = {"experiment": point, "quantity": "Y", "printed": 1.0}
        wide = reproduction(tolerance=0.1, **settings).decide(sample, SHARE)
        assert (wide.outcome, wide.interval.width < 0.2) == (PASS, True)
        narrow = reproduction(tolerance=0.9 * wide.interval.width / 2, **settings).decide(sample, SHARE)
        assert narrow.outcome is INCONCLUSIVE
        off = reproduction(tolerance=0.1, **{**settings, "printed": 1.1}).decide(sample, SHARE)
        assert off.outcome is INCONCLUSIVE  # the interval meets 1.1 +- 0.1 and sticks out of it
        far = reproduction(tolerance=0.1, **{**settings, "printed": 1.3}).decide(sample, SHARE)
        assert far.outcome is FAIL

    def test_other_sizes_than_the_printed_ones_are_not_decided(self, simulate):
        @experiment(
            quick=Design(Path(d=(16, 32, 64), n=100)),
            standard=Design(Path(d=(16, 32, 64), n=1000)),
            name="test.sizes",
        )
        def made(p, rng, device):
            return 1.0

        check = reproduction(
            experiment=made,
            quantity="Y",
            printed=0.0,
            tolerance=0.1,
            slope_between=(16, 64),
            at={"n": 1000},
        )
        true = simulate.sample(made, np.exp(0.01 * np.random.default_rng(0).standard_normal((30, 3))))
        assert check.decide(true, SHARE).outcome is PASS
        small = CellSample(made, {}, made.design("quick").points({}), true.trials)
        verdict = check.decide(small, SHARE)
        assert verdict.outcome is INCONCLUSIVE
        assert "n = 100 where the paper has 1000" in verdict.advice


class TestTailBounds:
    """``P(U <= delta) <= delta`` is the same statement as the tail bound, at every level that is attained."""

    def test_uniform_is_the_edge_and_is_never_decided(self, simulate, point):
        check = bound(experiment=point, quantity="Y", delta=(0.1, 0.5), tail_of=True)
        grid = (np.arange(1000)[:, None] + 0.5) / 1000  # P(U <= delta) = delta to the last trial
        assert check.decide(simulate.sample(point, grid), SHARE).outcome is INCONCLUSIVE

    def test_one_violated_level_fails(self, simulate, point):
        values = np.full((1000, 1), 0.9)
        values[7 * np.arange(1000) % 10 < 3] = 0.2  # P(U <= 0.25) = 0.3, and P(U <= 0.5) = 0.3
        fine = bound(experiment=point, quantity="Y", delta=(0.1, 0.5), tail_of=True)
        assert fine.decide(simulate.sample(point, values), SHARE).outcome is PASS
        caught = bound(experiment=point, quantity="Y", delta=(0.1, 0.2, 0.5), tail_of=True)
        assert caught.decide(simulate.sample(point, values), SHARE).outcome is FAIL
