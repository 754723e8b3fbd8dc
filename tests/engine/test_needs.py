"""An experiment whose data set is missing is not run, and nothing but INCONCLUSIVE comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from whp.claims import Budget, Outcome
from whp.engine.discovery import discover
from whp.engine.executors import SerialExecutor
from whp.engine.fingerprint import fingerprint
from whp.engine.ledger import Ledger
from whp.engine.plan import plan
from whp.ensembles.datasets import ImageSet, store

BODY = """
    from whp.ensembles.datasets import load
    return float(load("mnist").images[0].mean()) - 127 + rng.normal()
"""
NEEDS = "needs=('mnist',)"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of its own."""
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))


def put(grey):
    """Store digits that are all of one grey."""
    store("mnist", ImageSet(np.full((4, 28, 28, 1), grey, np.uint8), np.zeros(4, np.uint8), 2), "a test")


def trials(toy):
    """How many trials the ledger has."""
    with Ledger(toy.ledger) as ledger:
        return ledger._connection.execute("SELECT COUNT(*) FROM trials").fetchone()[0]


def run(toy, **options):
    """Run in this process, as starting another takes a while."""
    return toy.run(executor=SerialExecutor(), **options)


def test_missing_data_are_not_measured_and_never_a_pass(toy):
    toy.flat("digits", BODY, limits=NEEDS)
    result = run(toy)
    (verdict,) = result.verdicts
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.advice == (
        "Not measured: data set mnist is missing; `whp data fetch mnist` gets it, with --data-dir from files"
        " that you have."
    )
    assert set(verdict.twins.values()) == {Outcome.INCONCLUSIVE}
    assert (result.measured, verdict.trials, result.broken) == (0, 0, ())
    assert trials(toy) == 0


def test_a_twin_on_missing_data_is_undecided_too(toy):
    toy.flat("digits", BODY, limits=NEEDS)
    assert run(toy, decide_twins=True).verdicts[0].twins == {"ten": Outcome.INCONCLUSIVE}


def test_other_claims_go_on(toy):
    toy.flat("digits", BODY, limits=NEEDS)
    toy.growth()
    outcomes = {verdict.id: verdict.outcome for verdict in run(toy).verdicts}
    # Not PASS with probability below 1e-6: the slope's sd is 0.002 and its tolerance 0.1.
    assert outcomes == {"toy.digits": Outcome.INCONCLUSIVE, "toy.growth": Outcome.PASS}


def test_with_the_data_it_is_measured_and_other_data_are_measured_anew(toy):
    toy.flat("digits", BODY, limits=NEEDS)
    assert run(toy).measured == 0
    put(127)
    assert run(toy).measured == 4
    assert run(toy).measured == 0
    put(100)
    result = run(toy)
    assert result.measured == 4  # the ledger keeps the trials of each content apart
    assert result.verdicts[0].cells[0].estimate == pytest.approx(-27, abs=10)  # 20 sd


def test_the_fingerprint_has_the_content(toy):
    toy.flat("digits", BODY, limits=NEEDS)
    toy.flat("plain", "return rng.normal()")
    found = {claim.name: claim for claim in toy.claims()}

    def digests():
        return {n: fingerprint(c.checks[0].experiment, c.source) for n, c in found.items()}

    put(127)
    before = digests()
    put(128)
    after = digests()
    assert before["digits"] != after["digits"]
    assert before["plain"] == after["plain"]


def test_a_plan_says_so_and_makes_no_trial(toy):
    toy.flat("digits", BODY, limits=NEEDS)
    settings = {"profile": "quick", "budget": Budget(1), "seed": 0, "ledger_path": toy.ledger, "probe": True}
    (row,) = plan(toy.claims(), **settings).rows
    assert row.checks[0].text.startswith("not measured: data set mnist is missing")
    assert not row.can_pass
    assert trials(toy) == 0
    put(127)
    (row,) = plan(toy.claims(), **settings).rows
    assert "missing" not in row.checks[0].text
    assert trials(toy) == 2


def test_what_it_needs_must_be_known(toy):
    toy.flat("digits", BODY, limits="needs=('imagenet',)")
    (broken,) = discover([toy.folder]).broken
    assert (
        broken.message
        == "data set must be one of cifar10, mnist, concrete, energy, airfoil, plant, got 'imagenet'"
    )
    toy.flat("digits", BODY, limits="needs='mnist'")
    (broken,) = discover([toy.folder]).broken
    assert broken.message.startswith("needs must be a tuple of names of data sets")
