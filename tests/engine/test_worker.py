"""One trial under guard: whatever happens in it is an outcome, and leaves no trace on the next."""

from __future__ import annotations

import resource
import signal
import time

import numpy as np
import pytest
import torch

from whp.claims import Point, Status
from whp.engine.fingerprint import fingerprint
from whp.engine.loading import find_experiment
from whp.engine.worker import Task, TimeLimitBreach, measure, memory_limit, run_trial, time_limit
from whp.errors import ClaimError

CPU = torch.device("cpu")


def outcome(toy, body, trial=0, limits=""):
    file = toy.flat("value", body, limits=limits)
    experiment = find_experiment(file, "toy.value.value")
    return run_trial(experiment, Point({"d": 5}), trial, 7, CPU)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("return rng.standard_normal()", Status.OK, ""),
        ("return float('nan')", Status.INVALID, "statistic 'value' must be finite, got nan"),
        ("return float('inf')", Status.INVALID, "statistic 'value' must be finite, got inf"),
        ("return None", Status.INVALID, "statistic 'value' must be a real number"),
        ("return True", Status.INVALID, "statistic 'value' must be a real number"),
        ("return np.zeros(3)", Status.INVALID, "statistic 'value' must be a single number, got 'shape (3,)'"),
        ("return {}", Status.INVALID, "measurement must be at least one named statistic, got {}"),
        ("return 1 / 0", Status.ERROR, "ZeroDivisionError: division by zero (value.py, line 11)"),
        ("raise SystemExit(2)", Status.ERROR, "SystemExit: 2 (value.py, line 11)"),
        ("return np.linalg.cholesky(-np.eye(2))", Status.ERROR, "LinAlgError: "),
        ("return np.empty(10**9)", Status.MEMORY, "needed more than its limit of 0.5 GB"),
        ("import torch; return torch.empty(10**9)", Status.MEMORY, "needed more than its limit of 0.5 GB"),
        ("return len([0] * 10**9)", Status.MEMORY, "needed more than its limit of 0.5 GB"),
        ("import warnings; warnings.warn('odd'); return float(np.log(np.zeros(1))[0] < 0)", Status.OK, ""),
    ],
)
def test_outcomes(toy, body, status, message):
    result = outcome(toy, body, limits="memory_limit=0.5")
    assert (result.status, result.message[: len(message)]) == (status, message)
    assert bool(result.message) == (status is not Status.OK)
    assert bool(result.statistics) == (status is Status.OK)
    assert result.seconds > 0


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(30)",
        "while True:\n        pass",
        "while True:\n        try:\n            time.sleep(30)\n        except Exception:\n            pass",
    ],
)
def test_a_trial_that_takes_too_long_is_stopped(toy, body):
    start = time.monotonic()
    result = outcome(toy, body, limits="time_limit=0.2")
    assert result.status is Status.TIMEOUT
    assert result.message == "stopped at its time limit of 0.2 s"
    assert time.monotonic() - start < 5


def test_an_alarm_that_was_swallowed_comes_again():
    def stubborn() -> None:
        try:
            time.sleep(30)
        except BaseException:
            time.sleep(30)

    start = time.monotonic()
    with pytest.raises(TimeLimitBreach), time_limit(0.1):
        stubborn()
    assert time.monotonic() - start < 5


def test_the_guards_leave_nothing_behind(toy):
    before = resource.getrlimit(resource.RLIMIT_DATA), signal.getsignal(signal.SIGALRM)
    outcome(toy, "time.sleep(30)", limits="time_limit=0.05")
    outcome(toy, "return np.empty(10**9)", limits="memory_limit=0.1")
    assert (resource.getrlimit(resource.RLIMIT_DATA), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_memory_guard_lets_pass_what_is_allowed():
    with memory_limit(0.4, CPU):
        assert np.ones(40_000_000).sum() == 40_000_000  # 0.32 GB
    with pytest.raises(MemoryError), memory_limit(0.4, CPU):
        np.ones(60_000_000)


def test_numbers_depend_on_names_only_even_for_a_careless_claim(toy):
    numbers = "{'a': random.random(), 'b': np.random.rand(), 'c': torch.rand(1)[0], 'd': rng.random()}"
    body = f"import random, torch\n    return {numbers}"
    first = outcome(toy, body, trial=3).statistics
    torch.set_default_dtype(torch.float64)  # as another claim may leave it
    np.random.rand(5)  # noqa: NPY002
    again = outcome(toy, body, trial=3).statistics
    other = outcome(toy, body, trial=4).statistics
    assert torch.get_default_dtype() == torch.float32
    assert first == again
    assert not set(first.values()) & set(other.values())


def task(file, **changes):
    experiment = find_experiment(file, f"toy.{file.stem}.{file.stem}")
    fields = {
        "home": str(file),
        "experiment": experiment.name,
        "fingerprint": fingerprint(experiment, file),
        "values": {"d": 5},
        "dtype": "float64",
        "seed": 7,
        "device": "cpu",
        "time_limit": 9.0,
        "trials": (0, 1, 2),
    }
    return Task(**(fields | changes))


def test_a_task_hands_back_what_a_slice_of_time_has_given(toy):
    quick = measure(task(toy.flat("quick", "return rng.random()"), slice_seconds=1.5))
    slow = measure(task(toy.flat("slow", "time.sleep(1.0); return rng.random()"), slice_seconds=1.5))
    assert [trial for trial, _ in quick] == [0, 1, 2]
    assert [trial for trial, _ in slow] == [0, 1]
    assert slow[0][1].statistics != slow[1][1].statistics


def test_a_task_refuses_a_file_that_was_edited_or_lost_its_experiment(toy):
    file = toy.flat("edited", "return 1.0")
    sent = task(file)
    file.write_text(file.read_text().replace("return 1.0", "return 2.0"))
    with pytest.raises(ClaimError, match=r"edited\.py must stay as it is during a run"):
        measure(sent)
    file.write_text("1 / 0")
    with pytest.raises(ClaimError, match=r"edited\.py must load .* got ZeroDivisionError"):
        measure(sent)


@pytest.mark.parametrize(
    "body",
    [
        "STATE.append(float(rng.standard_normal())); return sum(STATE)",
        "return rng.standard_normal() + time.perf_counter() % 1.0",
    ],
)
def test_a_measurement_that_keeps_something_between_trials_is_refused(toy, body):
    file = toy.flat("walk", body)
    file.write_text("STATE = []\n" + file.read_text())
    first = measure(task(file, trials=(0,)))  # alone: nothing to compare with
    assert first[0][1].status is Status.OK
    with pytest.raises(ClaimError, match="value must be the same when a trial is made again"):
        measure(task(file, trials=(1, 2, 3)))


def test_a_sound_measurement_may_be_made_again(toy):
    file = toy.flat("sound", "return rng.standard_normal()")
    assert len(measure(task(file, trials=(1, 2, 3)))) == 3


def test_a_run_names_the_claim_that_keeps_state(toy):
    file = toy.flat("stateful", "STATE.append(rng.standard_normal()); return sum(STATE)", trials=(8, 8))
    file.write_text("STATE = []\n" + file.read_text())
    result = toy.run()
    assert [b.id for b in result.broken] == ["toy.stateful"]
    assert "must be the same when a trial is made again" in result.broken[0].message
