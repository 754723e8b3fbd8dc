"""Small claims on simulated numbers, and an engine of ten lines that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from whp.claims import (
    Budget,
    CellSample,
    Claim,
    Design,
    Experiment,
    Path,
    Referee,
    Status,
    TrialResult,
    Verdict,
    experiment,
    geometric,
    symbols,
)
from whp.seeding import generator


def power_law(
    slope: float = 0.0,
    *,
    noise: float = 0.1,
    name: str = "test.power_law",
    trials: tuple[int, int] = (8, 40),
    sizes: Sequence[int] = geometric(64, 1024, 5),
    over: dict[str, list[Any]] | None = None,
    **settings: Any,
) -> Experiment:
    """``Y = d^slope`` times log-normal noise: its exponent is known, and Gaussian theory exact."""

    @experiment(standard=Design(Path(d=sizes), over or {}, trials), name=name, **settings)
    def measure(p: Any, rng: np.random.Generator, device: Any) -> float:
        return float(p.d**slope * np.exp(noise * rng.standard_normal()))

    return measure


def drawn(
    draw: Callable[..., Any],
    *,
    name: str = "test.drawn",
    trials: tuple[int, int] = (8, 40),
    sizes: Sequence[int] = (10,),
    over: dict[str, list[Any]] | None = None,
    **settings: Any,
) -> Experiment:
    """Measure whatever ``draw(rng, p)`` gives."""

    @experiment(standard=Design(Path(d=sizes), over or {}, trials), name=name, **settings)
    def measure(p: Any, rng: np.random.Generator, device: Any) -> Any:
        return draw(rng, p)

    return measure


def sample(made: Experiment, values: Any, statistic: str = "value") -> CellSample:
    """Trials with given numbers, shape (trials, points); NaN is a trial that timed out."""
    design = made.design("standard")
    cell = design.cells()[0]
    rows = [
        [
            TrialResult(Status.TIMEOUT, message="too slow")
            if np.isnan(x)
            else TrialResult(Status.OK, {statistic: float(x)})
            for x in row
        ]
        for row in np.atleast_2d(values)
    ]
    return CellSample(made, cell, design.points(cell), rows)


def measured(made: Experiment, cell: dict[str, Any], trials: int, seed: int) -> CellSample:
    """Run the trials 0..trials-1 of one cell."""
    points = made.design("standard").points(cell, made.dtype)
    rows = [[made.run(p, generator(seed, made.name, p.key, s), "cpu") for p in points] for s in range(trials)]
    return CellSample(made, cell, points, rows)


def run(claims: Sequence[Claim], seed: int = 0, reverse: bool = False, **rates: float) -> dict[str, Verdict]:
    """Look at every cell of every experiment until it is decided; return the verdicts by id."""
    referee = Referee(claims, "standard", Budget(len(claims), **rates))
    cells = [(e, cell) for e in referee.experiments for cell in e.design("standard").cells()]
    for made, cell in reversed(cells) if reverse else cells:
        looks = made.design("standard").looks()
        trials = measured(made, cell, looks[-1], seed)
        for look in looks:
            if referee.look(made, trials.prefix(look)):
                break
    facts = {"seed": seed, "seconds": 0.0, "environment": {}, "command": "whp run"}
    return {claim.id: referee.verdict(claim, **facts) for claim in claims}


@pytest.fixture
def simulate() -> SimpleNamespace:
    """What the tests of this folder share."""
    d, n, alpha = symbols("d n alpha")
    return SimpleNamespace(
        power_law=power_law, drawn=drawn, sample=sample, measured=measured, run=run, d=d, n=n, alpha=alpha
    )
