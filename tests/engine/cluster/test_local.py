"""A cluster of this machine, by itself: the same verdicts, and Ctrl-C leaves nothing running."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest


def committed(toy, kept) -> int:
    """Trials in the ledger; none before it has its tables."""
    with suppress(sqlite3.OperationalError):
        return len(kept(toy)) if toy.ledger.exists() else 0
    return 0


@pytest.mark.slow
def test_ctrl_c_with_a_local_cluster_is_an_interrupt_that_resumes(toy, kept):
    toy.flat("zero", "time.sleep(0.05); return rng.standard_normal()", trials=(100, 150))
    words = ["run", "toy", "--executor", "dask-local:2", "--ledger", "ledger.sqlite"]
    command = [sys.executable, "-m", "whp", *words]
    process = subprocess.Popen(
        command,
        cwd=toy.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while committed(toy, kept) < 10:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 4  # workers, and what they have made for trials
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all of them
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert "Interrupted. What was measured is kept" in output
    assert psutil.wait_procs(children, timeout=20)[1] == []
    there = committed(toy, kept)
    again = subprocess.run(command, cwd=toy.root, capture_output=True, text=True, timeout=120, check=False)
    assert (again.returncode, again.stderr) == (7, "")
    assert f"the ledger has {there} trials" in again.stdout
