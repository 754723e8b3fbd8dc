"""Let whp and its rivals decide on the same simulated claims, and write the table.

Run by ``make rivals``. The rivals live in an environment of their own and are asked through ``decide.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from draws import DISCREPANCY, EDGE, FAR, FAR_OFF, FAR_RATES, LOOKS, NOISE_ALONG_PATH, SIZES, Cell, cells
from judge import Row, markdown, record_of
from methods import METHODS
from ours import ours

import whp

HERE = Path(__file__).resolve().parent
REPORTS = HERE.parent.parent / "reports" / "calibration"

LOOKED_AT = f"Looks are after every trial up to {LOOKS}; the naive methods first look at the 10th."
MEANS = "The clear claims are one standard deviation from the mean."
CELLS = {
    "probability": "Clear claims: "
    + "; ".join(f"p0 = {p0:g}: p = {holds:g} and {fails:g}" for p0, (holds, fails) in FAR_RATES.items())
    + ". The last four cells are the smallest n that the README of lcb-gate gives for each bar.",
    "probability, looks": LOOKED_AT,
    "mean": MEANS,
    "mean, looks": f"{MEANS} {LOOKED_AT}",
    "exponent": f"Y = d (1 + c / sqrt(d)) times log-normal noise of sigma {NOISE_ALONG_PATH:g}, at"
    f" d = {', '.join(map(str, SIZES))}. The exponent is 1 as d grows; the claimed one is 1, or"
    f" {DISCREPANCY:g} or {FAR_OFF:g} less. Along this path a correction c takes away from the visible"
    " exponent, so that it can hide growth.",
}


class Rivals:
    """The process in the other environment."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "decide.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.versions = self._answer()

    def __enter__(self) -> Rivals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Workers that were forked since hold its standard input open too, so closing it would not end it.
        self.process.terminate()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout is not None else ""
        if not line:
            raise SystemExit(f"the rivals stopped with exit code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def decide(self, cell: Cell, x: np.ndarray) -> dict[str, dict[str, int]]:
        """Ask all methods that know this sort of claim."""
        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            np.save(file, x)
            file.flush()
            task = {"family": cell.family, "facts": dict(cell.facts), "limit": cell.limit, "file": file.name}
            if self.process.stdin is not None:
                self.process.stdin.write(json.dumps(task) + "\n")
                self.process.stdin.flush()
            return self._answer()


def ours_of(index: int, seed: int, share: float) -> dict[str, dict[str, int]]:
    """In a worker: draw the cell again, from the same stream, and ask whp."""
    cell = cells()[index]
    return ours(cell, cell.samples(seed, share))


def rows_of(cell: Cell, counts: dict[str, dict[str, int]]) -> Iterable[Row]:
    """Name the counts."""
    return (Row(cell.family, cell.name, cell.truth, method, **found) for method, found in counts.items())


def machine() -> str:
    """What it ran on, in words."""
    return f"{os.cpu_count()} cores of {platform.machine()}, {platform.system()}"


def processor_seconds() -> float:
    """Time that this process and those that it started have computed; the pool and the rivals have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def compare(python: str, seed: int, share: float) -> dict[str, Any]:
    """Draw, ask everybody, count."""
    start = time.perf_counter()
    everything = cells()
    rows: list[Row] = []
    with ProcessPoolExecutor(2) as pool, Rivals(python) as rivals:
        asked = [pool.submit(ours_of, index, seed, share) for index in range(len(everything))]
        versions = {"whp": whp.__version__, **rivals.versions}
        for cell, answer in zip(everything, asked, strict=True):
            theirs = rivals.decide(cell, cell.samples(seed, share))
            rows += rows_of(cell, {**answer.result(), **theirs})
            print(
                f"{time.perf_counter() - start:6.0f} s  {cell.family}: {cell.name}, {cell.truth}", flush=True
            )
    return {
        "command": "make rivals",
        "seed": seed,
        "seconds": round(time.perf_counter() - start),
        "processor_seconds": round(processor_seconds()),
        "machine": machine(),
        "versions": versions,
        "cells": CELLS,
        "methods": METHODS,
        "rows": [record_of(row, METHODS[row.method]) for row in rows],
    }


def main() -> None:
    """Write rivals.json and rivals.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="the interpreter of the rivals' environment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=REPORTS)
    help_share = (
        f"share of the simulated claims ({EDGE:,} at the edge and {FAR:,} elsewhere), for a trial run"
    )
    parser.add_argument("--share", type=float, default=1.0, help=help_share)
    options = parser.parse_args()
    record = compare(options.python, options.seed, options.share)
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (options.out / "rivals.json").write_text(text + "\n", encoding="utf-8")
    (options.out / "rivals.md").write_text(markdown(record), encoding="utf-8")


if __name__ == "__main__":
    main()
