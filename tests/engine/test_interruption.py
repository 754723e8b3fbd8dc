"""A run that is killed or interrupted goes on where it stopped, and ends with the same verdicts."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from whp.engine.executors import SerialExecutor

SCRIPT = """
import json, sys
from pathlib import Path
from whp.claims import Budget
from whp.engine.discovery import discover
from whp.engine.runner import run
result = run(discover([sys.argv[1]]).claims, profile="quick", seed=7, jobs=2, device="cpu",
             ledger_path=Path(sys.argv[2]), budget=Budget(2))
print(json.dumps([result.interrupted, result.measured, [v.outcome.value for v in result.verdicts]]))
"""


def rows(ledger: Path) -> int:
    """Committed trials, as another process sees them."""
    if not ledger.exists():
        return 0
    try:
        connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM trials").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.OperationalError:  # not yet created
        return 0


def start(toy) -> subprocess.Popen:
    """Start a run in a process group of its own, and wait until it has committed some trials."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(toy.folder), str(toy.ledger)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "NAP": "0.05"},
    )
    deadline = time.monotonic() + 60
    while rows(toy.ledger) < 10:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.fixture
def slow(toy):
    """Two claims, of about ten seconds in the process that is disturbed."""
    log = toy.root / "log"
    note = f"open({str(log)!r}, 'a').write(f'{{p.key}} {{rng.bit_generator.random_raw()}}\\n')"
    nap = "time.sleep(float(os.environ.get('NAP', 0)))"
    toy.growth("growth", body=f"{nap}; {note}", trials=(12, 18))
    toy.flat("zero", f"{nap}; {note}; return rng.standard_normal()", trials=(100, 150))
    return toy


def undisturbed(toy, as_records) -> dict[str, str]:
    ledger, toy.ledger = toy.ledger, toy.root / "undisturbed.sqlite"
    log = toy.root / "log"
    noted = log.read_text()
    try:
        return as_records(toy.run(executor=SerialExecutor()))
    finally:
        toy.ledger = ledger
        log.write_text(noted)


def finish_and_compare(toy, as_records) -> None:
    committed = rows(toy.ledger)
    made = len((toy.root / "log").read_text().splitlines())
    result = toy.run(executor=SerialExecutor())
    assert result.reused == committed
    assert result.measured > 0
    lines = (toy.root / "log").read_text().splitlines()[made:]
    assert result.measured == rows(toy.ledger) - committed
    # A trial that is made again, to see that it gives the same, is the only one that is made twice.
    assert len(set(lines)) <= result.measured <= len(lines) <= result.measured + 7
    assert as_records(result) == undisturbed(toy, as_records)


def test_kill_9_and_repeat_gives_the_same_verdicts(slow, as_records):
    process = start(slow)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []  # workers do not outlive their coordinator
    assert rows(slow.ledger) < 200
    finish_and_compare(slow, as_records)


def test_ctrl_c_gives_what_is_there_and_resumes(slow, as_records):
    process = start(slow)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
    output, errors = process.communicate(timeout=20)
    interrupted, measured, outcomes = json.loads(output)
    assert errors == ""
    assert interrupted
    assert measured == rows(slow.ledger)  # nothing that came back is lost
    assert len(outcomes) == 2
    assert outcomes[1] == "INCONCLUSIVE"
    finish_and_compare(slow, as_records)
