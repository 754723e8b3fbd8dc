"""What a run would take is said before it is made, and turns out to be so."""

from __future__ import annotations

import pytest

from whp.claims import Budget
from whp.engine.executors import SerialExecutor
from whp.engine.plan import Clock, plan

BOUND = """
from whp.claims import Design, Path, Twin, bound, claim, experiment, symbols

@experiment(standard=Design(Path(d=(5,)), trials=(4, {most})))
def {name}(p, rng, device):
    return rng.random()

CLAIM = claim("toy.{name}", bound(experiment={name}, quantity="Y", bound=2, delta={delta},
              twins={{"half": Twin("half", bound=0.5)}}), title="t", locus="l")
"""


def planned(toy, **options):
    settings = {"profile": "quick", "budget": Budget(2), "seed": 7, "ledger_path": toy.ledger}
    return plan(toy.claims(), **(settings | options))


def test_counts_and_times_come_from_the_ledger(toy):
    toy.growth("growth", body="time.sleep(0.001)", trials=(4, 9))
    before = planned(toy)
    (row,) = before.rows
    assert (row.id, row.cells, row.points) == ("toy.growth", 2, 6)
    assert (row.trials_least, row.trials_most, row.trials_known) == (24, 54, 0)
    assert (row.seconds_least, row.seconds_most, before.seconds_most) == (None, None, None)
    assert not toy.ledger.exists()  # a plan leaves nothing behind

    result = toy.run(executor=SerialExecutor())
    (row,) = planned(toy).rows
    assert row.trials_known == result.measured
    assert row.seconds_least == 0.0
    (other,) = planned(toy, seed=8).rows  # nothing known, but timed
    assert other.trials_known == 0
    assert 24 * 0.001 < other.seconds_least < other.seconds_most


def test_a_probe_times_what_was_never_timed_and_keeps_it(toy):
    toy.growth("growth", body="time.sleep(0.002)", trials=(4, 9))
    (row,) = planned(toy, probe=True).rows
    assert row.trials_known == 4  # two trials at the first point of a cell, one at the others
    assert row.seconds_least > 20 * 0.002
    result = toy.run(executor=SerialExecutor())
    assert result.reused == 4


def test_trials_that_claims_share_are_counted_once_in_the_total(toy):
    toy.growth("first", body="time.sleep(0.001)", trials=(4, 9))
    toy.write(
        "second",
        "from .first import first, d\nfrom whp.claims import Twin, claim, rate\n"
        "CLAIM = claim('toy.second', rate(experiment=first, quantity='Y', bound=d**0.5,"
        " twins={'w': Twin('slower', bound=d**0.2)}), title='t', locus='l')\n",
    )
    toy.run(executor=SerialExecutor())
    whole = planned(toy, seed=8)
    assert [row.seconds_most for row in whole.rows] == [whole.seconds_most] * 2


@pytest.mark.parametrize(
    ("most", "delta", "can_pass"), [(2000, 0.05, True), (20, 0.05, False), (2000, 1e-3, False)]
)
def test_a_bound_that_its_trials_cannot_certify_is_named(toy, most, delta, can_pass):
    toy.write("value", BOUND.format(name="value", most=most, delta=delta))
    (row,) = planned(toy).rows
    assert row.can_pass is can_pass
    (check,) = row.checks
    assert ("certify" if can_pass else "cannot PASS") in check.text


def test_a_bound_that_can_pass_does_pass(toy):
    toy.write("value", BOUND.format(name="value", most=2000, delta=0.05))
    (row,) = planned(toy).rows
    need = row.checks[0].needed
    (verdict,) = toy.run(executor=SerialExecutor()).verdicts
    (cell,) = verdict.cells
    assert cell.outcome.value == "PASS"
    assert need <= cell.trials <= 1.5 * need + 1


def test_too_few_trials_for_any_interval_are_named(toy):
    toy.flat("few", "return rng.random()", trials=(2, 2))
    toy.flat("many", "return rng.random()", trials=(2, 60))
    few, many = planned(toy).rows
    assert not few.can_pass
    assert "cannot PASS" in few.checks[0].text
    assert many.can_pass
    assert "standard deviations" in many.checks[0].text


def test_a_claim_that_cannot_pass_is_refused_and_the_others_are_planned(toy):
    toy.flat("few", "return rng.random()", trials=(2, 2))
    toy.flat("many", "return rng.random()", trials=(2, 60))
    whole = planned(toy)
    assert [row.id for row in whole.rows] == ["toy.few", "toy.many"]
    assert list(whole.refused) == ["toy.few"]
    assert whole.impossible == ()
    assert "at least 8 to PASS" in whole.refused["toy.few"]


def test_a_claim_whose_certificates_cost_more_than_its_share_is_not_planned(toy):
    toy.flat("dear", "return rng.random()", trials=(4, 40), limits="failure_probability=1e-4")
    toy.flat("fair", "return rng.random()", trials=(4, 40))
    whole = planned(toy, budget=Budget(2, 1e-3, 1e-3))
    assert [row.id for row in whole.rows] == ["toy.fair"]
    assert whole.impossible == tuple(whole.refused) == ("toy.dear",)


def test_the_spread_of_trials_is_taken_from_the_ledger_of_another_seed_or_profile(toy):
    toy.growth("growth", trials=(4, 9))
    (blind,) = planned(toy).rows
    assert blind.checks[0].in_sd
    toy.run(executor=SerialExecutor())
    (other,) = planned(toy, seed=8).rows
    assert not other.checks[0].in_sd
    assert "trials of profile quick" in other.checks[0].text
    made = toy.run(executor=SerialExecutor(), seed=8).verdicts[0]
    assert other.checks[0].needed <= 9
    assert {cell.trials for cell in made.cells} <= {4, 6, 9}


def test_what_was_planned_contains_what_is_made(toy):
    toy.growth("growth", body="time.sleep(0.002)", trials=(4, 9))
    toy.run(executor=SerialExecutor())
    record = planned(toy, seed=8).rows[0].record()
    (made,) = toy.run(executor=SerialExecutor(), seed=8).verdicts
    assert record["trials_least"] <= made.trials <= record["trials_most"]
    assert record["seconds_most"] >= record["seconds_least"] >= 24 * 0.002  # no sleep is shorter
    assert made.seconds >= made.trials * 0.002
    # All that is in the ledger now still counts in the whole, and not in what is left.
    (row,) = planned(toy, seed=8).rows
    assert row.seconds_least == 0.0
    assert row.whole_least > 24 * 0.002


def test_the_clock_follows_a_power_law_and_never_runs_backwards():
    sizes = {"a": 10.0, "b": 100.0, "c": 1000.0, "a2": 10.0}
    clock = Clock(sizes, {"a": 0.01, "b": 1.0, "elsewhere": 5.0})
    assert clock.seconds("a") == 0.01
    assert clock.seconds("a2") == pytest.approx(0.01)  # the same size in another cell
    assert clock.seconds("c") == pytest.approx(100.0)
    assert Clock(sizes, {"a": 1.0, "b": 0.5}).seconds("c") == pytest.approx(0.5)
    assert Clock(sizes, {}).seconds("a") is None
    assert Clock(sizes, {"b": 1.0}, power=1.0).seconds("c") == pytest.approx(10.0)


def test_what_another_profile_has_timed_tells_the_time_of_this_one(toy):
    text = BOUND.format(name="value", most=40, delta=0.05)
    text = text.replace("@experiment(", "@experiment(paper=Design(Path(d=(10,)), trials=(4, 4)), ")
    toy.write("value", text.replace("return rng", "import time; time.sleep(0.002); return rng"))
    toy.run(executor=SerialExecutor())
    (row,) = planned(toy, profile="paper").rows
    assert row.trials_known == 0
    assert row.seconds_most > 4 * 4 * 0.002  # twice the size, by the square
