"""Twins that ask for trials, and the same claims again and again."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from whp.claims import Budget, Outcome
from whp.engine import worker
from whp.engine.executors import SerialExecutor
from whp.engine.lasting import Lasting
from whp.engine.repeat import Once, Repeated, repeat
from whp.errors import UsageError

HEADER = """
import numpy as np
from whp.claims import Design, Path, Twin, claim, experiment, rate, symbols

d = symbols("d")
"""

# The check is decided at the first look: sd of a slope 0.01, the tolerance 0.5 away. The twin is wrong by
# 0.11 with tolerance 0.1, so that it takes many trials: not by 4 (40 standard errors of 0.005 would be
# needed to leave it undecided at 300: the margin 0.01 is 17 of 0.0006, so neither happens by chance at 1e-6).
CLOSE = """
@experiment(standard=Design(Path(d=(4, 8, 16, 32)), trials=(4, 300)))
def {name}(p, rng, device):
    return p.d * float(np.exp(0.01 * rng.standard_normal()))

CLAIM = claim(
    "toy.{name}",
    rate(
        experiment={name},
        quantity="Y",
        bound=d**{power},
        twins={{"close": Twin("off by a little", bound=d**0.89), "far": Twin("off by a half", bound=d**0.5)}},
        {more}
    ),
    title="Y grows like d", locus="nowhere",
)
"""


def close(toy, name="close", power=1.5, more=""):
    toy.write(name, HEADER + CLOSE.format(name=name, power=power, more=more))


def test_a_twin_asks_for_trials_only_when_told_to(toy):
    close(toy)
    plain = toy.run()
    asked = toy.run(decide_twins=True)
    assert plain.measured == 4 * 4
    assert asked.measured > 0
    assert asked.reused == plain.measured
    (before,), (after,) = plain.verdicts, asked.verdicts
    assert before.twins["close"] is Outcome.INCONCLUSIVE
    assert after.twins == {"close": Outcome.FAIL, "far": Outcome.FAIL}
    assert before.outcome is after.outcome is Outcome.PASS
    assert before.cells == after.cells  # the decision on the claim stands as it was made
    (cell,) = asked.twin_cells["toy.close"]["close"]
    assert cell.outcome is Outcome.FAIL
    assert cell.trials > 4


def test_runs_differ_in_their_seeds_and_share_a_ledger(toy):
    close(toy)
    settings = {"profile": "quick", "runs": 2, "seed": 5, "jobs": 1, "budget": Budget(1)}
    told = []
    made = repeat(toy.claims(), **settings, ledger_path=toy.ledger, on_run=told.append)
    assert [once.seed for once in made.runs] == [5, 6]
    assert list(made.runs) == told
    assert [once.measured for once in made.runs] == [16, 16]  # with the seed of the first nothing was kept
    assert made.tally("toy.close") == {Outcome.PASS: 2, Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 0}
    assert made.tally_twin("toy.close", "far")[Outcome.FAIL] == 2
    again = repeat(toy.claims(), **{**settings, "runs": 3}, ledger_path=toy.ledger)
    assert [once.measured for once in again.runs] == [0, 0, 16]  # goes on where it stopped
    assert [once.claims for once in again.runs[:2]] == [once.claims for once in made.runs]


def test_a_broken_claim_ends_the_series(toy):
    toy.write("torn", HEADER + CLOSE.format(name="torn", power=1.5, more='statistic="nothing",'))
    made = repeat(
        toy.claims(), profile="quick", runs=2, seed=1, jobs=1, ledger_path=toy.ledger, budget=Budget(1)
    )
    assert made.runs == ()
    assert [broken.id for broken in made.broken] == ["toy.torn"]


def test_one_run_repeats_nothing(toy):
    close(toy)
    with pytest.raises(UsageError, match="runs must be at least 2, got 1"):
        repeat(
            toy.claims(), profile="quick", runs=1, seed=1, jobs=1, ledger_path=toy.ledger, budget=Budget(1)
        )


def series(*outcomes, corrected=()):
    runs = [Once(seed, {"a.b": outcome}, {"a.b": {}}, 0, 0, 0.0) for seed, outcome in enumerate(outcomes)]
    return Repeated(tuple(runs), frozenset(corrected))


def test_a_flip_is_a_pass_and_a_fail():
    PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
    assert series(PASS, OPEN, PASS).flipped == []
    assert series(FAIL, OPEN).flipped == []
    assert series(PASS, OPEN, FAIL).flipped == ["a.b"]


def test_errors_are_counted_by_what_a_claim_is_taken_to_be():
    PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
    true, false = series(PASS, OPEN, FAIL), series(PASS, FAIL, FAIL, corrected=["a.b"])
    assert (true.false_fails, true.false_passes) == (1, 0)
    assert (false.false_fails, false.false_passes) == (0, 1)


def test_lasting_workers_outlive_a_shutdown():
    class Workers:
        jobs, ahead, slice_seconds = 3, 2, 9.0
        ended = False

        def submit(self, fn, *args):
            made = Future()
            made.set_result(fn(*args))
            return made

        def shutdown(self, **options):
            self.ended = True

    workers = Workers()
    lasting = Lasting(lambda: workers)
    lasting.shutdown(wait=True, cancel_futures=True)
    assert (lasting.jobs, lasting.ahead, lasting.slice_seconds) == (3, 2, 9.0)
    assert not workers.ended
    assert lasting.submit(abs, -2).result() == 2
    lasting.close()
    assert workers.ended


def test_lasting_workers_are_started_when_they_are_needed_and_get_ready_on_this_machine_only(toy):
    toy.growth()
    started = []

    def start():
        started.append(Workers())
        return started[-1]

    class Workers(SerialExecutor):
        tasks = 0

        def submit(self, fn, /, *args, **kwargs):
            self.tasks += 1
            return super().submit(fn, *args, **kwargs)

    lasting = Lasting(start)
    lasting.close()
    assert started == []
    lasting.prepare(toy.claims())
    assert [workers.tasks for workers in started] == [0]  # not of this machine's processes
    assert not lasting.at_hand
    lasting.close()
    assert lasting.jobs == 1
    assert len(started) == 2
    lasting.close()


def test_getting_ready_reads_what_is_there_and_leaves_mistakes_to_the_trials(toy, monkeypatch):
    toy.growth()
    read = []
    monkeypatch.setattr(worker, "fingerprint", lambda experiment, home: read.append(experiment.name))
    name = toy.claims()[0].checks[0].experiment.name
    home = str(toy.folder / "growth.py")
    worker.prepare([(home, "nothing"), ("nowhere.py", name), (home, name)])
    assert read == [name]
