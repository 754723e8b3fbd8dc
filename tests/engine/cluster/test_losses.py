"""A killed worker costs nothing; a lost scheduler or connection ends a run in a sentence, and it resumes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from whp.engine import dask_executor
from whp.engine.choice import make_executor
from whp.engine.events import Progress
from whp.engine.executors import SerialExecutor
from whp.errors import ExecutorError


@pytest.fixture
def slow(toy):
    """Two claims, of about two seconds."""
    toy.growth("growth", body="time.sleep(0.02)", trials=(6, 9))
    toy.flat("zero", "time.sleep(0.02); return rng.standard_normal()", trials=(40, 60))
    return toy


def undisturbed(toy, as_records, kept):
    """The verdicts and the ledger of a run in this process."""
    ledger, toy.ledger = toy.ledger, toy.root / "undisturbed.sqlite"
    try:
        return as_records(toy.run(executor=SerialExecutor())), kept(toy)
    finally:
        toy.ledger = ledger


def when(trials, act):
    """A listener that acts once, when so many trials are done."""
    done = []

    def listen(event):
        if isinstance(event, Progress) and event.trials_done >= trials and not done:
            done.append(event.trials_done)
            act()

    return listen


def test_a_killed_worker_is_a_retried_task(cluster, slow, as_records, kept):
    first = cluster.worker()
    with make_executor(cluster.name, None, "cpu") as workers:
        while workers.jobs < 3:
            time.sleep(0.02)
    listen = when(15, lambda: os.kill(first.pid, signal.SIGKILL))
    result = slow.run(jobs=None, executor=cluster.name, on_event=listen)
    assert first.wait(20) == -signal.SIGKILL
    assert result.measured == len(kept(slow))
    assert (as_records(result), kept(slow)) == undisturbed(slow, as_records, kept)


def interrupted(toy, kept, name, act):
    """Run until the cluster is lost; returns the sentence. What came back must be in the ledger."""
    start = time.monotonic()
    with pytest.raises(ExecutorError) as caught:
        toy.run(jobs=None, executor=name, on_event=when(15, act))
    assert time.monotonic() - start < 60  # bounded; what is asked for is a second or so
    assert 15 <= len(kept(toy)) < 114
    return str(caught.value)


def resumed(toy, as_records, kept, **options):
    """Run again; everything must be as if nothing had happened."""
    committed = len(kept(toy))
    result = toy.run(**options)
    assert result.reused == committed
    assert result.measured == len(kept(toy)) - committed > 0
    assert (as_records(result), kept(toy)) == undisturbed(toy, as_records, kept)


def test_a_killed_scheduler_ends_the_run_and_the_next_one_resumes(start_cluster, slow, as_records, kept):
    cluster = start_cluster(1)
    sentence = interrupted(slow, kept, cluster.name, cluster.scheduler.kill)
    assert sentence == (
        f"the Dask scheduler at 127.0.0.1:{cluster.port} must stay reachable, got no connection to it any"
        " more; what was measured is kept, and the same command goes on"
    )
    resumed(slow, as_records, kept, executor=SerialExecutor())


def test_a_connection_that_is_cut_ends_the_run_and_the_next_one_resumes(
    cluster, proxy, slow, as_records, kept
):
    between = proxy(cluster.port)
    sentence = interrupted(slow, kept, f"dask://127.0.0.1:{between.port}", between.cut)
    assert "must stay reachable, got no connection to it any more" in sentence
    resumed(slow, as_records, kept, jobs=None, executor=cluster.name)


@pytest.mark.slow
def test_a_connection_that_goes_silent_is_a_lost_one(cluster, proxy, slow, as_records, kept, monkeypatch):
    """Both ends stay open, and nothing comes any more."""
    between = proxy(cluster.port)

    def hush():
        monkeypatch.setattr(dask_executor, "SILENCE", 1.0)
        between.hush()

    monkeypatch.setattr(dask_executor, "CLOSE", 0.5)
    sentence = interrupted(slow, kept, f"dask://127.0.0.1:{between.port}", hush)
    assert "must stay reachable" in sentence
    resumed(slow, as_records, kept, jobs=None, executor=cluster.name)


def committed(toy, kept):
    """Trials in the ledger; none before it has its tables."""
    with suppress(sqlite3.OperationalError):
        return len(kept(toy)) if toy.ledger.exists() else 0
    return 0


SCRIPT = """
import sys
from whp.cli import main
from whp.engine import dask_executor
from whp.engine.choice import make_executor
dask_executor.SILENCE, dask_executor.CLOSE = 2.0, 1.0
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_stopped_scheduler_ends_the_command_with_4_and_the_same_one_resumes(start_cluster, slow, kept):
    cluster = start_cluster(1)
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        "run",
        "toy",
        "--executor",
        cluster.name,
        "--ledger",
        "ledger.sqlite",
    ]
    process = subprocess.Popen(command, cwd=slow.root, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while committed(slow, kept) < 15:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.scheduler.send_signal(signal.SIGSTOP)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        cluster.scheduler.send_signal(signal.SIGCONT)
    assert process.returncode == 4
    assert errors.startswith("whp: the Dask scheduler at 127.0.0.1")
    assert errors.count("\n") == 1
    again = subprocess.run(command, cwd=slow.root, capture_output=True, text=True, timeout=120, check=False)
    assert (again.returncode, again.stderr) == (7, "")


@pytest.mark.slow
def test_a_nanny_starts_a_killed_worker_again(start_cluster, slow, as_records, kept):
    """The only worker there is; the processes that it had end with it."""
    import psutil

    cluster = start_cluster(0)
    nanny = psutil.Process(cluster.worker("--nanny").pid)
    before = []

    def act():
        worker = max(nanny.children(recursive=True), key=lambda process: len(process.children()))
        before.extend([worker, *worker.children()])
        worker.kill()

    result = slow.run(jobs=None, executor=cluster.name, on_event=when(15, act))
    assert len(before) >= 2
    assert psutil.wait_procs(before, timeout=20)[1] == []
    assert (as_records(result), kept(slow)) == undisturbed(slow, as_records, kept)
