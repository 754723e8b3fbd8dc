"""The budget is never overspent; the referee decides the same in any order; a verdict is always JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from whp.claims import (
    Budget,
    Outcome,
    Referee,
    Regime,
    Share,
    Twin,
    always,
    bound,
    claim,
    combine,
    decay,
    limit,
    mean,
    order,
    rate,
    reproduction,
    search,
    verdict_record,
)
from whp.errors import ClaimError, UsageError
from whp.interval import Interval

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
FACTS = {"seed": 0, "seconds": 0.0, "environment": {}, "command": "whp run"}


def a_claim(id, *checks, **fields):
    return claim(id, *checks, **{"title": "T", "locus": "Theorem 1", **fields})


def a_rate(simulate, made, **fields):
    twins = {"exponent": Twin("too good by 1/4", bound=simulate.d**-0.25)}
    return rate(**{"experiment": made, "quantity": "Y", "bound": 1, "twins": twins, **fields})


class TestBudget:
    @pytest.mark.parametrize("claims", [1, 7, 100])
    @pytest.mark.parametrize("decisions", [1, 30, 999])
    @pytest.mark.parametrize("certificate", [0.0, 1e-9])
    def test_shares_sum_to_no_more_than_the_total(self, claims, decisions, certificate):
        budget = Budget(claims, 0.02, 0.01)
        share = budget.decision_share(decisions, certificate)
        assert claims * decisions * (share.false_fail + certificate) <= 0.02 * (1 + 1e-12)
        # A false statement in one decision needs all others to pass as well: no union over decisions.
        assert claims * (share.false_pass + certificate) <= 0.01 * (1 + 1e-12)
        assert min(share.false_fail, share.false_pass) > 0

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Budget(0), "number of claims must be at least 1, got 0"),
            (lambda: Budget(1, 0.0), "false_fail must be in (0, 0.5), got 0.0"),
            (lambda: Budget(1, 0.01, 0.7), "false_pass must be in (0, 0.5), got 0.7"),
            (lambda: Budget(1).decision_share(0), "number of decisions must be at least 1, got 0"),
            (
                lambda: Budget(10).decision_share(10, 1e-3),
                "failure probability of the certified statistics must be below the claim's share of the"
                " budget (0.0001), got 0.001",
            ),
            (
                lambda: Budget(1).decision_share(1, 0.01),  # all of it, and nothing left for the decision
                "failure probability of the certified statistics must be below the claim's share of the"
                " budget (0.01), got 0.01",
            ),
        ],
    )
    def test_wrong_budgets(self, make, message):
        with pytest.raises(UsageError) as caught:
            make()
        assert str(caught.value) == message

    def test_every_decision_of_a_claim_is_counted(self, simulate):
        cells = {"alpha": [0.1, 0.2, 0.3]}
        path = simulate.power_law(over=cells, failure_probability=1e-9)
        levels = simulate.drawn(lambda rng, p: 0.5, sizes=(4, 8), over=cells)
        made = a_claim(
            "test.many",
            a_rate(simulate, path),
            bound(experiment=levels, quantity="U", delta=(0.1, 0.2), tail_of=True),
            mean(experiment=levels, quantity="U", target=0.5),
            limit(experiment=path, quantity="Y"),
        )
        referee = Referee([made], "standard", Budget(1))
        decisions = 3 * (1 + 2 * 2 + 2 + 2)  # cells x (rate, points x levels, points, limit)
        shares = {d.check.label: d.share for d in referee._main["test.many"]}
        certificate = 1e-9 * 5 * 40  # points x most trials
        assert shares["rate"].false_fail == pytest.approx(0.01 / decisions - certificate, rel=1e-12)
        assert shares["rate"].false_pass == pytest.approx(0.01 - certificate, rel=1e-12)
        assert shares["bound"].false_fail == pytest.approx(0.01 / decisions, rel=1e-12)
        verdict = referee.verdict(made, **FACTS)
        assert (verdict.false_fail, verdict.false_pass) == (0.01, 0.01)

    def test_a_certificate_beyond_the_budget_is_refused(self, simulate):
        path = simulate.power_law(failure_probability=5e-4)
        with pytest.raises(UsageError, match="certified statistics must be below"):
            Referee([a_claim("test.a", a_rate(simulate, path))], "standard", Budget(1))


class TestReferee:
    @pytest.fixture
    def claims(self, simulate):
        cells = {"alpha": [0.0, 0.3, -0.3]}

        def draw(rng, p):
            return {
                "y": p.d**p.alpha * np.exp(0.1 * rng.standard_normal()),
                "z": np.exp(0.2 * rng.standard_normal()),
            }

        shared = simulate.drawn(draw, name="test.shared", sizes=(64, 256, 1024), over=cells)
        other = simulate.power_law(0.5, name="test.other")
        return [
            a_claim("test.one", a_rate(simulate, shared, statistic="y")),
            a_claim("test.two", a_rate(simulate, shared, statistic="z"), a_rate(simulate, other, name="b")),
            a_claim("test.three", mean(experiment=shared, statistic="z", quantity="Z", target=1, twins=OFF)),
        ]

    def test_order_of_looks_does_not_matter(self, simulate, claims):
        forward, backward = simulate.run(claims), simulate.run(claims, reverse=True)
        for id_, verdict in forward.items():
            assert json.dumps(verdict_record(verdict)) == json.dumps(verdict_record(backward[id_]))
        assert forward["test.one"].outcome is FAIL
        assert [c.cell["alpha"] for c in backward["test.one"].cells] == [0.0, 0.3, -0.3]

    def test_a_decision_stands(self, simulate):
        made = simulate.power_law()
        referee = Referee([a_claim("test.a", a_rate(simulate, made))], "standard", Budget(1))
        noise = 0.05 * np.random.default_rng(0).standard_normal((40, 5))
        sizes = np.array([64, 128, 256, 512, 1024])
        growing = simulate.sample(made, np.exp(0.5 * np.log(sizes) + noise))
        level = simulate.sample(made, np.exp(noise))
        assert not referee.look(made, growing.prefix(3))
        assert referee.look(made, growing)
        assert referee.look(made, level)  # would PASS by itself
        assert referee.verdict(referee.claims[0], **FACTS).outcome is FAIL

    def test_unseen_cells_bar_the_pass_and_not_the_fail(self, simulate, claims):
        referee = Referee(claims[:1], "standard", Budget(1))
        made = referee.experiments[0]
        looks = {a: simulate.measured(made, {"alpha": a}, 40, 0) for a in (0.0, 0.3)}
        assert referee.verdict(claims[0], **FACTS).advice == "Nothing was measured."
        assert referee.look(made, looks[0.0])
        verdict = referee.verdict(claims[0], **FACTS)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.twins == {"exponent": FAIL}
        assert "Not every cell was measured" in verdict.advice
        referee.look(made, looks[0.3])
        assert referee.verdict(claims[0], **FACTS).outcome is FAIL

    def test_an_experiment_of_a_twin_alone_is_asked_until_it_is_decided(self, simulate):
        alone = simulate.power_law(0.5, name="test.twin", noise=0.3)
        twins = {"other": Twin("another quantity", experiment=alone)}
        made = a_claim("test.a", a_rate(simulate, simulate.power_law(), twins=twins))
        referee = Referee([made], "standard", Budget(1))
        sample = simulate.measured(alone, {}, 40, 0)
        assert not referee.look(alone, sample.prefix(4))
        assert referee.look(alone, sample)
        assert referee.verdict(made, **FACTS).twins == {"other": FAIL}

    def test_one_claim_an_id_and_one_experiment_a_name(self, simulate):
        made, same = simulate.power_law(), simulate.power_law(0.5)
        one = a_claim("test.a", a_rate(simulate, made))
        with pytest.raises(ClaimError, match=r"^id must be that of one claim in a run, got 'test.a'$"):
            Referee([one, one], "standard", Budget(2))
        rule = r"^test.b: experiment name must be used for one experiment, got 'test.power_law'$"
        with pytest.raises(ClaimError, match=rule):
            Referee([one, a_claim("test.b", a_rate(simulate, same))], "standard", Budget(2))

    def test_unknown_profile(self, simulate):
        one = a_claim("test.a", a_rate(simulate, simulate.power_law()))
        with pytest.raises(UsageError, match=r"^profile must be one of quick, standard, paper, got 'fast'$"):
            Referee([one], "fast", Budget(1))


OFF = {"off": Twin("a half", target=0.5)}


def test_combine():
    assert combine([]) is INCONCLUSIVE
    assert combine([PASS, PASS]) is PASS
    assert combine([PASS, INCONCLUSIVE]) is INCONCLUSIVE
    assert combine([INCONCLUSIVE, PASS, FAIL]) is FAIL


def test_words_have_meanings():
    assert len({outcome.meaning for outcome in Outcome} | {regime.meaning for regime in Regime}) == 6


INTEGERS = st.integers(0, 9)


def false(a):
    return 1.0


def true(a):
    return -1.0


EVERY_KIND = {
    "rate": (rate, {"bound": 1}),
    "decay": (decay, {}),
    "limit": (limit, {}),
    "mean": (mean, {"target": 1}),
    "support": (mean, {"target": 1, "support": (0, 9)}),
    "constant": (mean, {"target": 1, "deterministic": True}),
    "order": (order, {}),
    "number": (reproduction, {"printed": 1.0, "tolerance": 0.5}),
    "slope": (reproduction, {"printed": 0.0, "tolerance": 0.5, "slope_between": (1, 9999)}),
    "bound": (bound, {"bound": 1, "delta": 0.3}),
    "tail": (bound, {"delta": (0.1, 0.3), "tail_of": True}),
}
NUMBERS = {
    "one trial": np.ones((1, 5)),
    "two trials": np.array([[1.0] * 5, [2.0] * 5]),
    "noise": np.exp(0.1 * np.random.default_rng(0).standard_normal((40, 5))),
    "growth": np.exp(np.arange(5) + 0.1 * np.random.default_rng(0).standard_normal((40, 5))),
    "equal": np.ones((40, 5)),
    "zero": np.zeros((40, 5)),
    "some zero": np.eye(5),
    "negative": -np.ones((3, 5)),
    "huge": np.full((3, 5), 1e300) * [[1.0], [0.5], [1.0]],
    "tiny": np.full((3, 5), 1e-300) * [[1.0], [0.5], [1.0]],
    "lost": np.full((9, 5), np.nan),
    "some lost": np.where(np.eye(5) > 0, np.nan, 1.0),
}


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_verdict_is_json(simulate, kind, numbers):
    made, fields = EVERY_KIND[kind]
    path = simulate.power_law()
    twins = {"statistic": Twin("another one", statistic="other")}
    whole = a_claim("test.json", made(experiment=path, quantity="Y", twins=twins, **fields))
    referee = Referee([whole], "standard", Budget(1))
    cell = whole.checks[0].decide(simulate.sample(path, NUMBERS[numbers]), Share(1e-3, 1e-3))
    for cells in ([], [cell]):
        record = verdict_record(replace(referee.verdict(whole, **FACTS), cells=cells))
        assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["cells"][0]["verdict"] == cell.outcome.value
    if numbers in ("one trial", "some lost", "negative", "lost") and kind not in ("bound", "constant"):
        assert cell.outcome is not PASS


def test_infinities_and_numpy_numbers_in_a_record(simulate):
    twins = {"other": Twin("another search", experiment=search(false, given={"a": INTEGERS}))}
    whole = a_claim(
        "test.always", always(experiment=search(true, given={"a": INTEGERS}), statement="x", twins=twins)
    )
    verdict = simulate.run([whole])["test.always"]
    odd = replace(
        verdict.cells[0],
        interval=Interval(-math.inf, math.inf),
        slack=math.nan,
        figure={"a": np.float32(0.5), "b": [np.int64(3), math.inf], "c": {"d": np.float64("nan")}},
    )
    record = verdict_record(replace(verdict, cells=[odd], seconds=math.nan))
    json.dumps(record, allow_nan=False)
    assert record["interval"] == {"low": "-inf", "high": "inf"}
    assert record["cells"][0]["figure"] == {"a": 0.5, "b": [3, "inf"], "c": {"d": None}}
    assert (record["slack"], record["seconds"]) == (None, None)
