"""Small claim files for the engine's tests."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whp.claims import Budget, Claim, verdict_record
from whp.engine.discovery import discover
from whp.engine.runner import RunResult, run

HEADER = """
import os, time
import numpy as np
from whp.claims import Design, Path, Twin, claim, experiment, mean, rate, symbols

d = symbols("d")
PATH = Path(d=(4, 8, 16))
"""

# Decided in a few looks: the slope of log Y is 1/2 with little noise.
GROWTH = """
@experiment(standard=Design(PATH, over={{"side": ["left", "right"]}}, trials=({low}, {high})))
def {name}(p, rng, device):
    {body}
    return p.d**0.5 * float(np.exp(0.02 * rng.standard_normal(100).mean()))

CLAIM = claim(
    "toy.{name}",
    rate(experiment={name}, quantity="Y", bound=d**0.5, twins={{"slower": Twin("1/4", bound=d**0.25)}}),
    title="Y grows as the square root", locus="nowhere",
)
"""

# One point, never decided for a mean of zero. For what trials do, not for what is concluded.
FLAT = """
@experiment(standard=Design(Path(d=({size},)), trials=({low}, {high})), {limits})
def {name}(p, rng, device):
    {body}

CLAIM = claim(
    "toy.{name}",
    mean(experiment={name}, quantity="Y", target=0, tolerance=1e-3, twins={{"ten": Twin("10", target=10)}}),
    title="Y is zero in the mean", locus="nowhere",
)
"""


class Toy:
    """A folder of claim files, and a ledger beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "toy"
        self.folder.mkdir()
        self.ledger = root / "ledger.sqlite"

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder."""
        file = self.folder / f"{name}.py"
        file.write_text(text)
        return file

    def growth(self, name: str = "growth", body: str = "pass", trials: tuple[int, int] = (4, 30)) -> Path:
        """Write a claim that is decided."""
        low, high = trials
        return self.write(name, HEADER + GROWTH.format(name=name, body=body, low=low, high=high))

    def flat(
        self,
        name: str,
        body: str,
        trials: tuple[int, int] = (4, 4),
        limits: str = "",
        size: int = 5,
    ) -> Path:
        """Write a claim at one point, whose measurement is ``body``."""
        low, high = trials
        text = FLAT.format(name=name, body=body, low=low, high=high, limits=limits, size=size)
        return self.write(name, HEADER + text)

    def claims(self) -> list[Claim]:
        """What the folder declares; nothing in it may be broken."""
        found = discover([self.folder])
        assert found.broken == []
        return found.claims

    def run(self, claims: list[Claim] | None = None, **options: Any) -> RunResult:
        """Run, by default everything with one worker process."""
        claims = self.claims() if claims is None else claims
        settings: dict[str, Any] = {
            "profile": "quick",
            "seed": 7,
            "jobs": 1,
            "device": "cpu",
            "ledger_path": self.ledger,
            # A mean of zero FAILs with probability 5e-7 at most: tests may count on INCONCLUSIVE.
            "budget": Budget(2, false_fail=1e-6),
        }
        return run(claims, **(settings | options))


def records(result: RunResult) -> dict[str, str]:
    """The verdict records as text, by claim, less what the clock makes."""
    found = {}
    for verdict in result.verdicts:
        record = verdict_record(verdict)
        del record["seconds"]
        found[verdict.id] = json.dumps(record)
    return found


def trials(toy: Toy) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Everything in the ledger but seconds, by key."""
    with sqlite3.connect(toy.ledger) as connection:
        rows = connection.execute(
            "SELECT fingerprint, experiment, seed, dtype, device, point, trial,"
            " status, statistics, notes, message FROM streams JOIN trials ON stream = id"
        ).fetchall()
    connection.close()
    assert len({row[:7] for row in rows}) == len(rows)
    return {row[:7]: row[7:] for row in rows}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """An empty folder for claim files."""
    return Toy(tmp_path)


@pytest.fixture
def as_records() -> Callable[[RunResult], dict[str, str]]:
    """See records."""
    return records


@pytest.fixture
def kept() -> Callable[[Toy], dict[tuple[Any, ...], tuple[Any, ...]]]:
    """See trials."""
    return trials
