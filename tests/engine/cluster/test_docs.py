"""The commands of docs/cluster.md, over loopback, and its script with a queue that starts jobs at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

DOCS = Path(__file__).parents[3] / "docs" / "cluster.md"
BIN = Path(sys.executable).parent

# Stands for a SLURM of one machine: a submitted script runs at once.
SBATCH = f"""#!{sys.executable}
import subprocess, sys
job = subprocess.Popen(["bash", sys.argv[-1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print("Submitted batch job", job.pid)
"""
SCANCEL = "#!/bin/bash\npkill -9 -P $1; kill -9 $1; true\n"


def block(heading: str, kind: str = "") -> list[str]:
    """The code blocks of one kind below a heading."""
    section = DOCS.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def shell(tmp_path):
    """Start a command line as a person would; what it has started ends with the test."""
    started = []

    def start(line: str, **options) -> subprocess.Popen:
        path = f"{tmp_path}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            line,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "HOSTNAME": "localhost"},
            text=True,
            start_new_session=True,
            **({"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.wait(20)


@pytest.mark.slow
def test_scheduler_and_workers_by_hand(shell, toy, unused_port):
    toy.growth()
    commands, run = block("By hand")
    here = {"HOST:8786": f"127.0.0.1:{unused_port}", "HOST": "127.0.0.1", "8786": str(unused_port)}
    here |= {"hu2020 --profile standard": "toy"}
    for old, new in here.items():
        commands, run = commands.replace(old, new), run.replace(old, new)
    scheduler, worker = commands.strip().splitlines()
    shell(scheduler)
    shell(worker)
    answer = shell(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = answer.communicate(timeout=100)
    assert (answer.returncode, errors) == (0, "")
    assert "PASS toy.growth" in out


@pytest.mark.slow
def test_the_script_for_slurm(shell, toy, tmp_path):
    toy.growth()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (script,) = block("SLURM", "python")
    assert "processes=16" in script  # as many as cores: one thread each
    small = {
        "cores=16, processes=16": "cores=2, processes=2",
        "jobs=4": "jobs=1",
        "hu2020 --profile paper": "toy",
    }
    for old, new in small.items():
        assert old in script
        script = script.replace(old, new)
    (tmp_path / "cluster.py").write_text(textwrap.dedent(script))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    cluster = shell(f"{sys.executable} cluster.py", **pipes)
    line = cluster.stdout.readline()
    assert line.startswith("whp run toy --executor dask://"), cluster.stderr.read()
    answer = shell(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = answer.communicate(timeout=100)
    assert (answer.returncode, errors) == (0, "")
    assert "PASS toy.growth" in out
    cluster.communicate("\n", timeout=60)
    assert cluster.returncode == 0
