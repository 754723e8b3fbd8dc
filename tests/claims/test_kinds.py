"""Every kind on simulated numbers whose truth is known: PASS, FAIL, INCONCLUSIVE, and twins that do not PASS.

Each test runs at an error rate of 1e-7 per claim and side (`RATES`): that is the chance of its false alarm.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

from whp.claims import (
    Outcome,
    Share,
    Twin,
    bound,
    claim,
    decay,
    forall,
    limit,
    mean,
    order,
    rate,
    reproduction,
)

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
RATES = {"false_fail": 1e-7, "false_pass": 1e-7}
SHARE = Share(**RATES)


def one(simulate, check, **rates):
    """The verdict of a claim that consists of one check."""
    made = claim("test.kinds", check, title="A title", locus="Theorem 1")
    return simulate.run([made], **(rates or RATES))["test.kinds"]


def by_exponent(twin_bound):
    return {"exponent": Twin("too good by 1/4", bound=twin_bound)}


class TestRate:
    def test_true_rate_passes_and_its_twin_fails(self, simulate):
        made, root = simulate.power_law(0.5, trials=(100, 200)), simulate.d**0.5
        check = rate(experiment=made, quantity="Y", bound=root, twins=by_exponent(simulate.d**0.25))
        verdict = one(simulate, check)
        assert verdict.outcome is PASS
        assert verdict.twins == {"exponent": FAIL}
        assert verdict.cells[0].interval.contains(0.0)
        assert verdict.cells[0].slack == pytest.approx(1.0, abs=0.3)  # the implied constant

    def test_false_rate_fails(self, simulate):
        made, root = simulate.power_law(0.75, trials=(100, 200)), simulate.d**0.5
        check = rate(experiment=made, quantity="Y", bound=root, twins=by_exponent(simulate.d**0.25))
        verdict = one(simulate, check)
        assert verdict.outcome is FAIL
        assert "second route" in verdict.advice

    def test_small_but_sure_growth_passes_and_is_said(self, simulate):
        made = simulate.power_law(0.05, noise=0.005, trials=(100, 200))
        check = rate(experiment=made, quantity="Y", bound=1, twins=by_exponent(simulate.d**-0.25))
        verdict = one(simulate, check)
        assert verdict.outcome is PASS
        assert verdict.cells[0].interval.low > 0
        assert "a small growth is sure" in verdict.advice

    def test_few_trials_decide_nothing(self, simulate):
        made = simulate.power_law(0.05, noise=0.5, trials=(8, 12))
        check = rate(experiment=made, quantity="Y", bound=1, twins=by_exponent(simulate.d**-0.25))
        verdict = one(simulate, check)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.twins == {"exponent": INCONCLUSIVE}
        assert "12 were made" in verdict.advice
        assert verdict.cells[0].detectable > 0.1

    def test_log_factor_is_divided_out(self, simulate):
        made = simulate.drawn(
            lambda rng, p: math.log(p.d) ** 2 * math.exp(0.05 * rng.standard_normal()),
            sizes=(64, 128, 256, 512, 1024),
            trials=(100, 200),
        )
        check = rate(
            experiment=made,
            quantity="Y",
            bound=sympy.log(simulate.d) ** 2,
            twins={"log": Twin("without the logarithm", bound=1)},
        )
        verdict = one(simulate, check)
        assert (verdict.outcome, verdict.twins["log"]) == (PASS, FAIL)

    def test_lower_direction(self, simulate):
        made = simulate.power_law(0.5, trials=(100, 200))
        settings = {"experiment": made, "quantity": "Y", "direction": "lower"}
        twins = {"exponent": Twin("larger by 1/4", bound=simulate.d**0.75)}
        assert one(simulate, rate(bound=simulate.d**0.5, twins=twins, **settings)).twins == {"exponent": FAIL}
        assert one(simulate, rate(bound=simulate.d**0.25, twins=twins, **settings)).outcome is PASS
        assert one(simulate, rate(bound=simulate.d**0.9, twins=twins, **settings)).outcome is FAIL

    @pytest.mark.parametrize(("slope", "outcome"), [(0.0, PASS), (0.25, FAIL), (-0.25, FAIL)])
    def test_both_directions(self, simulate, slope, outcome):
        made = simulate.power_law(slope, trials=(100, 300))
        twins = {"larger": Twin("larger by 1/2", bound=simulate.d**0.5)}
        verdict = one(simulate, rate(experiment=made, quantity="Y", bound=1, direction="both", twins=twins))
        assert verdict.outcome is outcome
        assert verdict.twins["larger"] is FAIL

    def test_all_cells_must_pass(self, simulate):
        made = simulate.drawn(
            lambda rng, p: p.d**p.alpha * math.exp(0.02 * rng.standard_normal()),
            sizes=(64, 256, 1024),
            over={"alpha": [0.0, 0.5]},
            trials=(60, 60),
        )
        check = rate(experiment=made, quantity="Y", bound=1, twins=by_exponent(simulate.d**-0.25))
        verdict = one(simulate, check)
        assert [cell.outcome for cell in verdict.cells] == [PASS, FAIL]
        assert verdict.outcome is FAIL
        assert verdict.advice.startswith("[alpha=0.5]")


class TestForall:
    def test_searched_supremum(self, simulate):
        def supremum(rng, p):  # of <w, x> over |w| <= 1: the norm of x, approached by ascent
            x, w = rng.standard_normal(p.d), np.zeros(p.d)
            for _ in range(20):
                w += 0.1 * x
                w /= max(1.0, np.linalg.norm(w))
            return w @ x

        made = simulate.drawn(supremum, sizes=(64, 128, 256, 512), trials=(100, 200))
        check = forall(
            experiment=made,
            quantity=r"\sup_w \langle w, x\rangle",
            bound=simulate.d**0.5,
            twins=by_exponent(simulate.d**0.25),
        )
        verdict = one(simulate, check)
        assert (verdict.outcome, verdict.twins["exponent"], verdict.kind) == (PASS, FAIL, "forall")
        assert any("can refute" in warning for warning in verdict.cells[0].warnings)


class TestDecay:
    @pytest.mark.parametrize(("slope", "outcome"), [(-0.2, PASS), (0.2, FAIL)])
    def test_sign_of_the_exponent(self, simulate, slope, outcome):
        made = simulate.power_law(slope, trials=(100, 300))
        grows = simulate.power_law(0.3, name="test.grows", trials=(100, 300))
        twins = {"grows": Twin("a quantity that grows", experiment=grows)}
        verdict = one(simulate, decay(experiment=made, quantity="Y", twins=twins))
        assert (verdict.outcome, verdict.twins["grows"]) == (outcome, FAIL)

    def test_no_decay_never_passes(self, simulate):
        constant = simulate.power_law(0.0, noise=0.01, trials=(16, 60))
        twins = {"loss": Twin("a quantity that stays", experiment=constant)}
        check = decay(experiment=simulate.power_law(-0.5, name="test.d"), quantity="Y", twins=twins)
        assert one(simulate, check).twins["loss"] is INCONCLUSIVE

    def test_every_alpha_must_decay(self, simulate):
        made = simulate.drawn(
            lambda rng, p: {
                "decays": p.d**-p.alpha * math.exp(0.02 * rng.standard_normal()),
                "grows": p.d**p.alpha * math.exp(0.02 * rng.standard_normal()),
            },
            sizes=(64, 256, 1024),
            over={"alpha": [0.3, 0.0]},
            trials=(60, 60),
        )
        twins = {"grows": Twin("the reciprocal", statistic="grows")}
        verdict = one(simulate, decay(experiment=made, statistic="decays", quantity="Y", twins=twins))
        assert [cell.outcome for cell in verdict.cells] == [PASS, INCONCLUSIVE]
        assert (verdict.outcome, verdict.twins["grows"]) == (INCONCLUSIVE, FAIL)


class TestLimit:
    @staticmethod
    def distance(offset, order=0.5, noise=0.03):
        def draw(rng, p):
            return (offset + p.d**-order) * math.exp(noise * rng.standard_normal())

        return draw

    def check(self, simulate, offset, order=0.5):
        settings = {"sizes": (16, 64, 256, 1024), "trials": (100, 200)}
        made = simulate.drawn(self.distance(offset, order), **settings)
        wrong = simulate.drawn(self.distance(0.5), name="test.wrong", **settings)
        twins = {"other limit": Twin("the distance to another point", experiment=wrong)}
        return limit(experiment=made, quantity=r"\|Y_m - Y\|", twins=twins)

    def test_convergent_passes_and_the_twin_fails(self, simulate):
        verdict = one(simulate, self.check(simulate, 0.0))
        assert (verdict.outcome, verdict.twins["other limit"]) == (PASS, FAIL)
        assert "Extrapolated to infinite size" in verdict.advice
        left = verdict.cells[0].figure["limit"]
        assert left["low"] <= 0.0 <= left["high"] < 0.25

    def test_offset_fails(self, simulate):
        assert one(simulate, self.check(simulate, 1.0)).outcome is FAIL

    def test_distance_that_stays_fails(self, simulate):
        made = simulate.power_law(0.0, noise=0.02, trials=(100, 200))
        wrong = simulate.power_law(0.5, name="test.wrong", trials=(100, 200))
        twins = {"grows": Twin("grows", experiment=wrong)}
        verdict = one(simulate, limit(experiment=made, quantity="Y", twins=twins))
        assert (verdict.outcome, verdict.twins["grows"]) == (FAIL, FAIL)

    def test_slow_limit_is_not_failed(self, simulate):
        # m^(-1/4): a fit in m^(-1/2) leaves a third of the first distance, and the claim is true.
        verdict = one(simulate, self.check(simulate, 0.0, order=0.25))
        assert verdict.outcome is not FAIL
        assert verdict.cells[0].figure["limit"]["low"] > 0.0

    def test_few_trials_decide_nothing(self, simulate):
        made = simulate.drawn(self.distance(0.0, noise=0.5), sizes=(16, 64, 256), trials=(4, 6))
        verdict = limit(experiment=made, quantity="Y").decide(simulate.measured(made, {}, 6, 0), SHARE)
        assert verdict.outcome is INCONCLUSIVE


class TestBound:
    def check(self, simulate, failure, trials=(100, 4000), **settings):
        made = simulate.drawn(lambda rng, p: rng.uniform(), trials=trials, name="test.uniform")
        twins = {"constant": Twin("half of the constant", bound=(1 - failure) / 2)}
        return bound(
            experiment=made,
            quantity="U",
            **{"bound": 1 - failure + 0 * simulate.d, "delta": 0.1, "twins": twins, **settings},
        )

    def test_true_bound_passes_and_its_twin_fails(self, simulate):
        verdict = one(simulate, self.check(simulate, 0.05))
        assert (verdict.outcome, verdict.twins["constant"]) == (PASS, FAIL)
        assert verdict.cells[0].slack == pytest.approx(0.95 / 0.5, rel=0.1)

    def test_false_bound_fails(self, simulate):
        verdict = one(simulate, self.check(simulate, 0.2))
        assert verdict.outcome is FAIL
        assert "d = 10" in verdict.advice

    def test_few_trials_decide_nothing(self, simulate):
        verdict = one(simulate, self.check(simulate, 0.05, trials=(10, 10)))
        assert verdict.outcome is INCONCLUSIVE
        assert "10 were made" in verdict.advice

    def test_tail_bound_is_tested_at_every_level(self, simulate):
        def tails(x):  # P(X >= t) = exp(-t), which exp(-t/2) bounds and exp(-2t) does not
            return {"true": math.exp(-x / 2), "false": math.exp(-2 * x)}

        made = simulate.drawn(
            lambda rng, p: tails(rng.exponential()),
            trials=(100, 3000),
        )
        check = bound(
            experiment=made,
            statistic="true",
            quantity=r"P(X \ge t) \le e^{-t/2}",
            delta=(0.1, 0.3, 0.5),
            tail_of=True,
            twins={"rate": Twin("four times the rate", statistic="false")},
        )
        verdict = one(simulate, check)
        assert (verdict.outcome, verdict.twins["rate"]) == (PASS, FAIL)
        assert [row["delta"] for row in verdict.cells[0].figure["levels"]] == [0.1, 0.3, 0.5]


class TestMean:
    def check(self, simulate, truth, trials=(16, 400), **settings):
        made = simulate.drawn(lambda rng, p: truth * p.d + 0.05 * rng.standard_normal(), trials=trials)
        twins = {"off": Twin("off by a tenth", target=1.1 * simulate.d)}
        fields = {"target": simulate.d, "tolerance": 0.01, "twins": twins, **settings}
        return mean(experiment=made, quantity="Y", **fields)

    def test_pass_fail_and_twin(self, simulate):
        verdict = one(simulate, self.check(simulate, 1.0))
        assert (verdict.outcome, verdict.twins["off"]) == (PASS, FAIL)
        assert one(simulate, self.check(simulate, 1.05)).outcome is FAIL

    def test_few_trials_decide_nothing(self, simulate):
        assert one(simulate, self.check(simulate, 1.0, trials=(2, 3))).outcome is INCONCLUSIVE

    def test_zero_has_an_absolute_tolerance(self, simulate):
        made = simulate.drawn(lambda rng, p: 0.1 * rng.standard_normal(), trials=(50, 400))
        twins = {"off": Twin("a tenth instead", target=0.1)}
        check = mean(experiment=made, quantity="Y", target=0, tolerance=0.05, twins=twins)
        verdict = one(simulate, check)
        assert (verdict.outcome, verdict.twins["off"]) == (PASS, FAIL)

    def test_known_support_uses_betting(self, simulate):
        made = simulate.drawn(lambda rng, p: float(rng.random() < 0.3), trials=(500, 4000))
        twins = {"off": Twin("twice as often", target=0.6)}
        check = mean(
            experiment=made, quantity="Y", target=0.3, tolerance=0.3, support=(0.0, 1.0), twins=twins
        )
        verdict = one(simulate, check)
        assert (verdict.outcome, verdict.twins["off"]) == (PASS, FAIL)
        assert verdict.cells[0].rule == "hedged betting sequence"
        assert verdict.cells[0].validity.startswith("exact")


class TestOrder:
    @pytest.mark.parametrize(
        ("gain", "trials", "outcome"),
        [(0.5, (30, 200), PASS), (-0.5, (30, 200), FAIL), (0.5, (2, 3), INCONCLUSIVE)],
    )
    def test_sign_of_the_mean_difference(self, simulate, gain, trials, outcome):
        def difference(rng, p):
            gap = gain + 0.3 * rng.standard_normal()
            return {"B - A": gap, "A - B": -gap}

        made = simulate.drawn(difference, trials=trials)
        twins = {"reversed": Twin("B better than A", statistic="A - B")}
        verdict = one(simulate, order(experiment=made, statistic="B - A", quantity="B - A", twins=twins))
        assert verdict.outcome is outcome
        opposite = {PASS: FAIL, FAIL: PASS, INCONCLUSIVE: INCONCLUSIVE}
        assert verdict.twins["reversed"] is opposite[outcome]


class TestReproduction:
    def check(self, simulate, slope, **settings):
        made = simulate.power_law(slope, noise=0.02, trials=(30, 100))
        twins = {"other": Twin("another printed slope", printed=-0.5)}
        fields = {"printed": -1.0, "tolerance": 0.05, "slope_between": (64, 1024), "twins": twins}
        return reproduction(experiment=made, quantity="Y", **{**fields, **settings})

    def test_slope(self, simulate):
        verdict = one(simulate, self.check(simulate, -1.0))
        assert (verdict.outcome, verdict.twins["other"]) == (PASS, FAIL)
        assert verdict.cells[0].figure["slope"]["printed"] == -1.0
        assert one(simulate, self.check(simulate, -1.2)).outcome is FAIL

    def test_interval_that_only_meets_the_printed_value_does_not_pass(self, simulate):
        verdict = one(simulate, self.check(simulate, -1.0, tolerance=1e-4))
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.cells[0].interval.contains(-1.0)

    def test_number_at_a_point(self, simulate):
        made = simulate.drawn(lambda rng, p: 3.0 + 0.1 * rng.standard_normal(), trials=(100, 200))
        twins = {"digit": Twin("a digit exchanged", printed=3.5)}
        check = reproduction(
            experiment=made, quantity="Y", printed=3.02, tolerance=0.1, at={"d": 10}, twins=twins
        )
        verdict = one(simulate, check)
        assert (verdict.outcome, verdict.twins["digit"]) == (PASS, FAIL)
