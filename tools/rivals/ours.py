"""Ask whp's own checks, by the code that decides in a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from draws import DISCREPANCY, LOOKS, SIZES, Cell
from methods import RATE

from whp.calibration.simulated import ArraySample, every_trial, first_decision, once
from whp.claims import (
    Check,
    Design,
    Experiment,
    Outcome,
    Path,
    Share,
    bound,
    experiment,
    order,
    rate,
    symbols,
)

SHARE = Share(RATE, RATE)


def nowhere() -> Experiment:
    """An experiment at one point; its numbers are put in by hand."""

    @experiment(standard=Design(Path(d=(1,))), name="rivals.point")
    def measure(p: Any, rng: np.random.Generator, device: Any) -> float:
        raise NotImplementedError

    return measure


def along_the_path() -> Experiment:
    """The same along a path."""

    @experiment(standard=Design(Path(d=SIZES)), name="rivals.path")
    def measure(p: Any, rng: np.random.Generator, device: Any) -> float:
        raise NotImplementedError

    return measure


POINT, PATH = nowhere(), along_the_path()
d = symbols("d")


def checks(cell: Cell, x: np.ndarray) -> dict[str, tuple[Check, np.ndarray]]:
    """The checks that state the claim, and the statistic of each, shape (claims, trials, points)."""
    if cell.family.startswith("probability"):
        check: Check = bound(experiment=POINT, quantity="Y", bound=0.5, delta=1.0 - cell.limit)
        return {"whp, bound": (check, 1.0 - x[:, :, None])}
    if cell.family.startswith("mean"):
        less = cell.limit - x[:, :, None]
        found: dict[str, tuple[Check, np.ndarray]] = {
            "whp, order": (order(experiment=POINT, quantity="B - X"), less)
        }
        if cell.facts["support"] is not None:
            low, high = cell.facts["support"]
            support = (cell.limit - high, cell.limit - low)
            found["whp, order with support"] = (
                order(experiment=POINT, quantity="B - X", support=support),
                less,
            )
        return found
    stated = rate(experiment=PATH, quantity="Y", bound=d**cell.limit, direction="both", tolerance=DISCREPANCY)
    return {"whp, rate": (stated, x)}


def looks_of(cell: Cell, trials: int) -> tuple[int, ...]:
    """Once, at the end, or after every trial."""
    schedule = every_trial(LOOKS) if cell.family.endswith("looks") else once(trials)
    return schedule.looks


def ours(cell: Cell, x: np.ndarray) -> dict[str, dict[str, int]]:
    """Decide every simulated claim; return by method how many there were, PASSed and FAILed."""
    counts = {}
    for name, (check, values) in checks(cell, x).items():
        looks = looks_of(cell, values.shape[1])
        design = check.experiment.design("standard")
        points = design.points(design.cells()[0])
        samples = (ArraySample.of(check.experiment, points, trials) for trials in values)
        outcomes = [first_decision(check, sample, SHARE, looks)[0] for sample in samples]
        counts[name] = {
            "claims": len(outcomes),
            "passed": outcomes.count(Outcome.PASS),
            "failed": outcomes.count(Outcome.FAIL),
        }
    return counts
