"""Whole runs: the same verdicts whatever the order and the number of workers, and nothing measured twice."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch

from whp import seeding
from whp.claims import Outcome
from whp.engine import runner
from whp.engine.events import ClaimDecided, Progress, RunStarted
from whp.engine.executors import LocalProcesses, SerialExecutor
from whp.engine.ledger import Ledger
from whp.errors import LedgerError, UsageError, WhpError


def serial(toy, claims=None, **options):
    return toy.run(claims, executor=SerialExecutor(), **options)


def streams_differ(statistics: list[str]) -> bool:
    """The identity test: no two trials have the same numbers."""
    return len(set(statistics)) == len(statistics)


MATRIX = "A = rng.standard_normal((60, 40)); return float(np.linalg.norm(A @ A.T, 2)) + np.exp(A).sum()"


def test_one_and_two_jobs_any_order_and_this_process_give_the_same_bits(toy, as_records, kept, tmp_path):
    toy.growth("growth")
    toy.growth("noisy", body="time.sleep(0.003 * rng.random())", trials=(6, 12))
    toy.flat("matrix", MATRIX, trials=(5, 12), size=40)
    claims = toy.claims()
    found = []
    for name, order, options in [
        ("one", claims, {"jobs": 1}),
        ("two", claims[::-1], {"jobs": 2}),
        ("here", [claims[1], claims[0], claims[2]], {"executor": SerialExecutor()}),
    ]:
        toy.ledger = tmp_path / f"{name}.sqlite"
        result = toy.run(order, **options)
        assert result.broken == ()
        assert [verdict.id for verdict in result.verdicts] == [claim.id for claim in order]
        assert (result.reused, result.interrupted, result.seed) == (0, False, 7)
        found.append((as_records(result), kept(toy)))
    assert found[0] == found[1] == found[2]
    outcomes = {verdict.id: verdict.outcome for verdict in result.verdicts}
    assert outcomes["toy.growth"] is Outcome.PASS
    # Two trials with equal numbers would have shared a stream. (Doubles collide by chance with p < 1e-12.)
    assert streams_differ([statistics for (*_, statistics, _, _) in found[0][1].values()])


def test_the_identity_test_sees_a_stream_that_is_used_twice(toy, monkeypatch, kept):
    toy.flat("matrix", MATRIX)
    real = runner.measure.__globals__["generator"]
    monkeypatch.setitem(
        runner.measure.__globals__, "generator", lambda seed, *path: real(seed, *path[:-1], path[-1] // 2)
    )
    serial(toy)
    assert not streams_differ([statistics for (_, statistics, *_) in kept(toy).values()])


def test_another_seed_gives_other_numbers_and_fresh_gives_another_seed(toy, kept):
    toy.flat("matrix", MATRIX)
    assert serial(toy).seed == 7
    assert serial(toy, seed=8).measured == 4
    fresh = serial(toy, fresh=True)
    assert fresh.seed not in (7, 8)
    assert fresh.verdicts[0].seed == fresh.seed
    assert streams_differ([statistics for (_, statistics, *_) in kept(toy).values()])


def test_nothing_in_the_ledger_is_measured_twice(toy, as_records):
    log = toy.root / "log"
    line = f"open({str(log)!r}, 'a').write(f'{{p.d}} {{p.side}} {{rng.bit_generator.random_raw()}}\\n')"
    toy.growth(body=line)
    first = serial(toy)
    lines = log.read_text().splitlines()
    assert len(set(lines)) == first.measured > 0
    assert len(lines) - len(set(lines)) <= 6  # once a point, one is made again to see that it gives the same
    events = []
    again = toy.run(jobs=2, on_event=events.append)
    assert log.read_text().splitlines() == lines
    assert (again.measured, again.reused) == (0, first.measured)
    assert as_records(again) == as_records(first)
    assert [verdict.seconds for verdict in again.verdicts] == [verdict.seconds for verdict in first.verdicts]
    assert events[0] == RunStarted(1, 2, first.measured, 7)


def test_a_decided_cell_stops_and_an_undecided_one_goes_on_to_the_end(toy):
    toy.growth("growth", trials=(4, 30))
    toy.flat("zero", "return rng.standard_normal()", trials=(4, 20))
    result = serial(toy)
    by_name = {verdict.id: verdict for verdict in result.verdicts}
    assert all(cell.trials < 30 for cell in by_name["toy.growth"].cells)
    assert by_name["toy.zero"].outcome is Outcome.INCONCLUSIVE
    assert [cell.trials for cell in by_name["toy.zero"].cells] == [20]
    made = {experiment: sum(counts.values()) for experiment, counts in Ledger(toy.ledger).counts().items()}
    assert made == {
        "toy.growth.growth": sum(cell.trials * cell.points for cell in by_name["toy.growth"].cells),
        "toy.zero.zero": 20,
    }
    assert result.measured == sum(made.values())


def test_events_tell_what_is_planned_and_decided(toy):
    toy.growth("growth", body="time.sleep(0.002)")
    toy.flat("slow", "time.sleep(0.03); return rng.standard_normal()", trials=(4, 30))
    events = []
    result = serial(toy, on_event=events.append)
    progress = [event for event in events if isinstance(event, Progress)]
    decided = [event for event in events if isinstance(event, ClaimDecided)]
    assert isinstance(events[0], RunStarted)
    assert [event.finished for event in decided] == [1, 2]
    assert {event.verdict.id: event.verdict for event in decided} == {v.id: v for v in result.verdicts}
    assert all(event.trials_done <= event.trials_planned for event in progress)
    assert all(event.seconds_done <= event.seconds_planned for event in progress)
    assert any(event.time_left is not None and event.time_left > 0 for event in progress)


def trials_by_first_number(name: str, count: int) -> str:
    """Source of an expression that tells a trial its own index."""
    key = '{"d":5}'
    first = {seeding.generator(7, name, key, trial).random(): trial for trial in range(count)}
    return f"{first!r}[rng.random()]"


def test_failures_of_every_kind_are_outcomes_that_count(toy):
    body = f"""trial = {trials_by_first_number("toy.bad.bad", 5)}
    if trial == 0:
        return rng.random()
    if trial == 1:
        time.sleep(60)
    if trial == 2:
        return np.empty(10**9).sum()
    if trial == 3:
        return float('nan')
    raise ValueError('no')"""
    toy.flat("bad", body, trials=(5, 5), limits="time_limit=0.3, memory_limit=0.5")
    toy.flat("good", "return rng.random()", trials=(6, 6))
    result = serial(toy)
    by_name = {verdict.id: verdict for verdict in result.verdicts}
    expected = {"timeout": 1, "memory": 1, "invalid": 1, "error": 1}
    (cell,) = by_name["toy.bad"].cells
    assert dict(cell.failures) == expected
    assert by_name["toy.bad"].outcome is Outcome.INCONCLUSIVE
    assert dict(by_name["toy.good"].cells[0].failures) == {}
    assert Ledger(toy.ledger).counts()["toy.bad.bad"] == {"ok": 1, **expected}
    assert serial(toy).measured == 0  # failures are kept too


def test_a_lost_worker_is_a_retried_trial_until_it_is_a_crash(toy, monkeypatch, kept):
    """Trial 5 dies once and then works; trial 8 always dies; none of the others is counted wrong."""
    monkeypatch.setattr("whp.engine.schedule.RETRIES", 1)
    flag = toy.root / "flag"
    toy.flat(
        "dies",
        f"""trial = {trials_by_first_number("toy.dies.dies", 12)}
    if trial == 5 and not os.path.exists({str(flag)!r}):
        open({str(flag)!r}, 'w').close(); os._exit(9)
    if trial == 8:
        os._exit(9)
    return rng.random()""",
        trials=(12, 12),
    )
    (verdict,) = toy.run().verdicts
    assert dict(verdict.cells[0].failures) == {"crashed": 1}
    assert verdict.outcome is Outcome.INCONCLUSIVE
    found = {key[6]: (value[0], json.loads(value[1])) for key, value in kept(toy).items()}
    for trial in range(12):
        stream = seeding.generator(7, "toy.dies.dies", '{"d":5}', trial)
        stream.random()
        expected = ("crashed", {}) if trial == 8 else ("ok", {"value": stream.random()})
        assert found[trial] == expected


def test_a_trial_stuck_in_compiled_code_is_killed(toy, monkeypatch, kept):
    monkeypatch.setattr("whp.engine.worker.GRACE", 0.5)
    # A C call that holds on: signals are blocked, so no alarm reaches Python.
    toy.flat(
        "stuck",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); time.sleep(60)",
        trials=(1, 1),
        limits="time_limit=0.1",
    )
    result = toy.run()
    (cell,) = result.verdicts[0].cells
    assert dict(cell.failures) == {"timeout": 1}
    assert "compiled code" in next(iter(kept(toy).values()))[-1]


def test_a_claim_that_measures_nothing_is_inconclusive(toy):
    toy.flat("never", "raise RuntimeError('no')")
    result = serial(toy)
    (verdict,) = result.verdicts
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "RuntimeError: no (never.py, line 11)" in verdict.advice


def test_a_wrong_statistic_breaks_its_claim_and_no_other(toy):
    toy.growth()
    file = toy.flat("named", "return {'size': rng.random()}")
    file.write_text(file.read_text().replace("quantity=", "statistic='length', quantity="))
    result = serial(toy)
    assert [verdict.id for verdict in result.verdicts] == ["toy.growth"]
    (broken,) = result.broken
    assert str(broken) == "toy.named: statistic must be one of size, got 'length'"


def test_a_file_edited_before_its_worker_reads_it_breaks_its_claim(toy, monkeypatch):
    toy.growth()
    file = toy.flat("edited", "return 1.0")
    claims = toy.claims()

    class Late(SerialExecutor):
        def submit(self, fn, /, *args, **kwargs):
            file.write_text(file.read_text().replace("return 1.0", "return 2.0"))
            return super().submit(fn, *args, **kwargs)

    result = toy.run(claims, executor=Late())
    assert [verdict.id for verdict in result.verdicts] == ["toy.growth"]
    assert "edited.py must stay as it is" in result.broken[0].message


def test_two_claims_share_the_trials_of_one_experiment(toy):
    toy.growth("first")
    toy.write(
        "second",
        "from .first import first, d\nfrom whp.claims import Twin, claim, rate\n"
        "CLAIM = claim('toy.second', rate(experiment=first, quantity='Y', bound=d**0.5,"
        " twins={'w': Twin('slower', bound=d**0.2)}), title='t', locus='l')\n",
    )
    result = serial(toy)
    one, two = result.verdicts
    assert [cell.trials for cell in one.cells] == [cell.trials for cell in two.cells]
    assert result.measured == sum(cell.trials * cell.points for cell in one.cells)
    assert one.seconds == two.seconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "jobs must be at least 1, got 0"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"profile": "fast"}, "profile must be one of quick, standard, paper, got 'fast'"),
        ({"device": "tpu"}, "device must be auto, cpu, cuda or cuda:K, got 'tpu'"),
        ({"device": "cuda:99"}, "device must be"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_made(toy, options, message):
    toy.growth()
    with pytest.raises(UsageError) as caught:
        toy.run(**options)
    assert str(caught.value).startswith(message)
    assert not toy.ledger.exists()
    with pytest.raises(UsageError, match="claims must be at least one"):
        toy.run([])


def test_a_ledger_that_fills_up_ends_the_run_in_one_sentence(toy, monkeypatch):
    toy.growth()

    def full(connection, rows):
        raise LedgerError("ledger must be writable")

    monkeypatch.setattr("whp.engine.ledger._insert", full)
    with pytest.raises(LedgerError):
        serial(toy)


def test_workers_that_cannot_start_are_said_to_be(toy, monkeypatch):
    toy.growth()
    monkeypatch.setattr("whp.engine.executors.start_worker", os.abort)
    with pytest.raises(WhpError, match="worker processes must start"):
        toy.run(jobs=1)


def test_local_processes_have_one_thread_and_are_deaf_to_interrupts(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with LocalProcesses(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        assert pool.submit(torch.get_num_threads).result() == 1
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
    assert os.environ["OMP_NUM_THREADS"] == "3"
