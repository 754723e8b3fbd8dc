"""The whole suites: the quick one run from nothing, the standard one as its committed runs say."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from whp.benchmarks.harness import AtMost, BenchmarkError, Context, Measurement, Work
from whp.engine.discovery import discover
from whp.errors import fail
from whp.linalg.products import product_rate

REFERENCE = Path("reports/reference")
FINDINGS = (0, 1, 7)  # exit codes of a run that worked, whatever the verdicts
PRODUCT = 2 * 4096**3  # operations of the product by which machines are compared


def quick(context: Context) -> Measurement:
    """Run the papers as ``make run`` does: one command, one set of workers, an empty ledger."""
    papers = sorted({claim.paper for claim in discover(None).claims})
    trials: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", *papers, "--by-paper", "--profile", "quick", "--jobs", str(context.threads)]
        words += ["--ledger", f"{folder}/ledger.sqlite", "--out", f"{folder}/out"]
        whole = call(["--version"] if context.small else words)
        for paper in papers:
            files = Path(folder, f"out-{paper}", "verdicts").glob("*.json")
            trials[paper] = sum(json.loads(file.read_text())["seconds"] for file in files)
    seconds = {"whp": [whole]}
    rate = product_rate(torch.float32, context.threads, size=256 if context.small else 4096)
    figures = {"time": whole, "time, in float32 products of 4096 x 4096": whole * rate / PRODUCT}
    facts = {"seconds of trials, as claims count them": trials, "product, FLOP/s": rate}
    return Measurement(figures, seconds, {"jobs": context.threads}, facts)


def call(words: Sequence[str]) -> float:
    """Seconds of a command of ``whp``, from nothing."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "whp", *words], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode not in FINDINGS:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        rule = f"one of {', '.join(map(str, FINDINGS))}"
        fail(f"exit code of whp {words[0]}", rule, f"{done.returncode}: {last}", BenchmarkError)
    return seconds


def standard(_: Context) -> Measurement:
    """What the committed runs say that they took; they are of the machines that are named there."""
    runs = {}
    for file in sorted(REFERENCE.glob("*/run.json")):
        run = json.loads(file.read_text(encoding="utf-8"))["run"]
        if run["profile"] == "standard":
            runs[file.parent.name] = run
    machines = {f"{run['environment']['cpu']}, {run['environment']['cores']} cores" for run in runs.values()}
    facts: dict[str, object] = {"machines": sorted(machines)}
    seconds = {name: [run["seconds"]] for name, run in runs.items()}
    known = {name: run["reused"] for name, run in runs.items() if run["reused"]}
    if known or not runs:  # a run that found trials in its ledger says nothing of what the suite takes
        facts["not measured"] = (
            f"trials from earlier sittings: {known}" if known else f"no run in {REFERENCE}"
        )
        return Measurement({}, seconds, facts=facts)
    return Measurement({"time": sum(times[0] for times in seconds.values()) / 60}, seconds, facts=facts)


WORK = (
    Work("quick_suite", "every claim, quick profile, from nothing", {"time": AtMost(90, "s")}, quick),
    Work(
        "standard_suite", "every claim, standard profile, as committed", {"time": AtMost(40, "min")}, standard
    ),
)
