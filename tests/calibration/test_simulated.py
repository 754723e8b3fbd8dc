"""Simulated claims: the truth is what their names say, and a wrong rule is caught."""

from __future__ import annotations

import numpy as np
import pytest

from whp import stats
from whp.calibration import resumption
from whp.calibration.kinds import (
    SIZES,
    betting_claim,
    bound_claim,
    decay_claim,
    deterministic_mean,
    limit_claim,
    mean_claim,
    order_claim,
    rate_claim,
    reproduced_slope,
    reproduced_value,
    tail_claim,
)
from whp.calibration.noise import NORMAL, UNIFORM, bernoulli
from whp.calibration.resumption import cells as resumption_cells
from whp.calibration.searches import cells as search_cells
from whp.calibration.simulated import (
    ArraySample,
    batches,
    decision_cell,
    every_trial,
    first_decision,
    once,
    resumed,
)
from whp.calibration.study import CellResult, Standing
from whp.calibration.suites import Suite, simulate_suites, suites
from whp.claims import Budget, CellSample, Outcome, Share, Status, TrialResult
from whp.interval import Interval
from whp.seeding import generator


def measured(cell, count, seed=0):
    return CellResult.of(cell, count, [cell.simulate(generator(seed, cell.name), count)], 0.0)


def standing(cell, count):
    return {rate.event: rate.standing for rate in measured(cell, count).rates if rate.nominal is not None}


class TestSchedules:
    def test_looks(self):
        assert batches(8, 40).looks == (8, 12, 18, 27, 40)
        assert once(7).looks == (7,)
        assert every_trial(5).looks == (2, 3, 4, 5)
        assert resumed(8, 12, 20).looks == (8, 12, 10, 15, 20)
        assert resumed(8, 12, 20).trials == 20

    def test_the_first_decision_stands(self):
        """A PASS at eight trials is not taken back when later trials would FAIL."""
        claim = mean_claim(NORMAL, 0.0)
        values = np.concatenate([10 + 0.01 * np.sin(np.arange(8.0)), 20 + np.sin(np.arange(40.0))])[:, None]
        sample = ArraySample.of(claim.check.experiment, claim.points(), values)
        share = claim.share(0.05)
        assert first_decision(claim.check, sample, share, (8, 48)) == (Outcome.PASS, 8)
        assert first_decision(claim.check, sample, share, (48,))[0] is not Outcome.PASS
        assert first_decision(claim.check, sample, share, (2,)) == (Outcome.INCONCLUSIVE, 2)


class TestTruth:
    """Draws have the stated mean: each comparison is to six standard errors, which fails with 2e-9."""

    @staticmethod
    def close(values, truth):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - truth) <= 6.0 * error + 1e-12)

    @pytest.mark.parametrize("excess", [-0.3, 0.1])
    def test_rate(self, excess):
        claim = rate_claim(NORMAL, excess)
        logs = np.log(claim.draw(generator(0), 50, 20).reshape(-1, len(SIZES)))
        scale = np.log(np.array(SIZES, dtype=float)) * -0.5
        self.close((logs - scale) @ stats.slope_weights(np.log(SIZES)), excess)

    def test_decay_and_slope(self):
        weights = stats.slope_weights(np.log(SIZES))
        for claim, slope in ((decay_claim(NORMAL, -0.3), -0.3), (reproduced_slope(NORMAL, 1.0), 0.6)):
            self.close(np.log(claim.draw(generator(0), 50, 20).reshape(-1, len(SIZES))) @ weights, slope)

    @pytest.mark.parametrize(
        ("claim", "truth"),
        [
            (mean_claim(NORMAL, 1.0), 11.0),
            (mean_claim(UNIFORM, -1.0), 9.0),
            (reproduced_value(NORMAL, 3.0), 13.0),
            (order_claim(NORMAL, 0.0), 0.0),
            (betting_claim(bernoulli(0.05), 1.0), 0.05),
            (bound_claim(0.1, 0.3), 0.3),
            (deterministic_mean(3.0), 13.0),
        ],
        ids=lambda x: "",
    )
    def test_mean(self, claim, truth):
        self.close(claim.draw(generator(0), 100, 20).ravel(), truth)

    def test_betting_edge_is_the_edge_of_what_is_accepted(self):
        for at in (1.0, -1.0):
            claim = betting_claim(UNIFORM, at)
            (accepted,) = claim.check.accepted(
                ArraySample.of(claim.check.experiment, claim.points(), np.zeros((2, 1)))
            )
            assert (accepted.high if at > 0 else accepted.low) == pytest.approx(0.5)

    def test_limit_and_tail(self):
        for power in (1.0, 0.25):
            values = limit_claim(0.4, power).draw(generator(0), 50, 20).reshape(-1, len(SIZES))
            self.close(values @ stats.limit_weights(SIZES, power), 0.4)
        inside = tail_claim((0.5, 0.1), 2.0, "half", "inside").draw(generator(0), 100, 20).ravel()
        self.close((inside <= 0.5).astype(float), 0.25)

    def test_what_would_be_wrong(self):
        assert rate_claim(NORMAL, 0.0).wrong == (Outcome.FAIL,)
        assert set(rate_claim(NORMAL, 0.1).wrong) == {Outcome.FAIL, Outcome.PASS}
        assert rate_claim(NORMAL, 0.3).wrong == (Outcome.PASS,)
        assert rate_claim(NORMAL, 0.3, direction="lower").wrong == (Outcome.FAIL,)
        assert rate_claim(NORMAL, -0.3, direction="both").wrong == (Outcome.PASS,)
        assert order_claim(NORMAL, -0.5).wrong == (Outcome.PASS,)
        assert rate_claim(NORMAL, 0.0, log_power=1.0).wrong == ()


def test_array_sample_decides_as_trials_do():
    claim = rate_claim(NORMAL, 0.0)
    (values,) = claim.draw(generator(0), 1, 20)
    points, experiment, share = claim.points(), claim.check.experiment, claim.share(0.05)
    rows = [[TrialResult(Status.OK, {"value": float(x)}) for x in row] for row in values]
    for count in (8, 12, 20):
        real = claim.check.decide(CellSample(experiment, {}, points, rows[:count]), share)
        ours = claim.check.outcome(ArraySample.of(experiment, points, values).prefix(count), share)
        assert ours is real.outcome


class TestAWrongRuleIsCaught:
    """Each is run as it should be, and made wrong on purpose.

    A sound rule has less than half of its nominal rate here; that 400 claims show more than the nominal one
    with confidence has a chance below 1e-7. A wrong one has several times its rate.
    """

    CENTRE = batches(8, 60)

    def test_half_width_of_the_t_sequence(self, monkeypatch):
        mean = decision_cell(mean_claim(NORMAL), self.CENTRE)
        rate = decision_cell(rate_claim(NORMAL, 0.1), self.CENTRE)
        assert set(standing(mean, 400).values()) == {Standing.HOLDS}
        assert set(standing(rate, 400).values()) == {Standing.HOLDS}
        whole = stats.t_half_width_factor
        monkeypatch.setattr("whp.stats.sequences.t_half_width_factor", lambda n, a, c: whole(n, a, c) / 3)
        assert set(standing(mean, 400).values()) == {Standing.EXCEEDS}
        assert Standing.EXCEEDS in standing(rate, 400).values()

    def test_level_of_the_bernoulli_sequence(self, monkeypatch):
        cell = decision_cell(bound_claim(0.3, 0.3), self.CENTRE)
        assert set(standing(cell, 400).values()) == {Standing.HOLDS}

        def rough(successes, n, alpha, prior=(0.5, 0.5)):
            share = successes / n
            half = 0.5 * np.sqrt(share * (1.0 - share) / n)
            return Interval(max(share - half, 0.0), min(share + half, 1.0))

        monkeypatch.setattr(stats, "bernoulli_sequence", rough)
        assert set(standing(cell, 400).values()) == {Standing.EXCEEDS}

    def test_betting_without_a_margin(self, monkeypatch):
        cell = decision_cell(betting_claim(UNIFORM, 1.0), self.CENTRE)
        assert set(standing(cell, 200).values()) == {Standing.HOLDS}

        def rough(x, alpha, low, high):
            half = x.std() / np.sqrt(len(x))
            return Interval(x.mean() - half, x.mean() + half)

        monkeypatch.setattr(stats, "betting_sequence", rough)
        assert set(standing(cell, 200).values()) == {Standing.EXCEEDS}

    def test_a_budget_that_is_not_split(self, monkeypatch):
        """Twenty claims that each spend the whole budget."""
        (suite,) = (s for s in suites(20) if s.name == "means, normal")
        wrong = simulate_suites(suite, self.CENTRE, Budget(20, 0.05, 0.05), generator(0), 20)
        assert wrong["any false FAIL"] <= 10  # at most 5 % of 20 suites: more has a probability below 1e-8
        monkeypatch.setattr(Budget, "decision_share", lambda self, decisions: Share(0.9, 0.9))
        wrong = simulate_suites(suite, self.CENTRE, Budget(20, 0.05, 0.05), generator(0), 10)
        assert wrong["any false FAIL"] >= 5


class TestOtherStudies:
    def test_suites_count_claims(self):
        assert [suite.claims for suite in suites(100)] == [100] * 4
        far = Suite("far", [(mean_claim(NORMAL, 3.0), 2), (mean_claim(NORMAL, 1.0), 1)], "exact")
        assert far.claims == 3

    def test_resumption(self):
        for cell in resumption_cells():
            assert set(cell.nominal) == set(cell.simulate(generator(0), 3))

    def test_a_later_run_that_decides_otherwise_is_counted(self, monkeypatch):
        outcomes = iter([Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS])
        monkeypatch.setattr(resumption, "judged", lambda *arguments: next(outcomes))
        found = resumption.simulate_resumption(mean_claim(NORMAL), None, generator(0), 2)
        assert found == {"withdrawn": 1, "false PASS": 2, "false FAIL": 1}

    def test_searches(self):
        events = {cell.name: cell.simulate(generator(0), 2) for cell in search_cells()}
        assert events["an identity, up to rounding"]["false FAIL"] == 0
        assert events["an inequality with equality at both ends"]["false FAIL"] == 0
        # A hundred examples, of which hypothesis draws most inside: a miss of 0.3 of them has 1e-15.
        assert events["violated on 0.3 of the inputs"]["right FAIL"] == 2
