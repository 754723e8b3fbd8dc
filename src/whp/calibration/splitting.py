"""The study of splitting: claims of many decisions, where a budget that is not split would be seen.

A single decision at its edge errs far less than nominal (one side of a two-sided sequence, at few looks), so
that a claim with a handful of decisions would keep its rate even if each spent the whole budget. With these
numbers it would not.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from whp.calibration.kinds import TARGET, TOLERANCE, bound_claim, mean_claim
from whp.calibration.noise import NORMAL
from whp.calibration.simulated import ArraySample, Simulated, batches, decision_cell, first_decision
from whp.calibration.study import StudyCell
from whp.claims import (
    Budget,
    Claim,
    Design,
    Outcome,
    Path,
    Point,
    Referee,
    Share,
    Twin,
    claim,
    combine,
    experiment,
    mean,
)
from whp.errors import fail
from whp.stats.sequences import Array

POINTS = 40
SCHEDULE = batches(8, 100)
LEVEL = 0.05
SPREAD = 0.1


def cells() -> list[StudyCell]:
    """Every cell, each once."""
    many = "decisions that share a budget"
    return [
        decision_cell(
            mean_claim(NORMAL, points=POINTS), SCHEDULE, study="splitting", group=many, count=800, batch=50
        ),
        decision_cell(
            bound_claim(0.3, 0.3, points=POINTS), SCHEDULE, study="splitting", group=many, count=400, batch=20
        ),
        decision_cell(
            _one_at_its_edge(), SCHEDULE, study="splitting", group=many, count=1_500, quick=200, batch=50
        ),
        _whole("every decision at its edge", 1.0, {"false FAIL": LEVEL, "false PASS": LEVEL}, 500, 0),
        _whole("one cell at its edge, the others as claimed", 0.0, {"false PASS": LEVEL}, 500, 40),
    ]


def _one_at_its_edge() -> Simulated:
    """A false PASS needs every decision: the worst case is one that is false, and the others at ease."""
    law = mean_claim(NORMAL, points=POINTS)

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        values: Array = TARGET + SPREAD * rng.standard_normal((claims, trials, POINTS))
        values[:, :, 0] += TARGET * TOLERANCE
        return values

    truth = f"at the upper edge at one of {POINTS} points, as claimed at the others"
    return Simulated(law.check, draw, truth, (Outcome.FAIL, Outcome.PASS), "normal", "exact")


@cache
def declared() -> tuple[Claim, Share]:
    """A claim of two checks in forty cells, and the share that the referee of a run gives to a decision."""

    @experiment(
        standard=Design(Path(d=(64,)), {"cell": list(range(POINTS))}, trials=(8, 100)),
        name="calibration.splitting",
    )
    def measured(p: Point, rng: np.random.Generator, device: object) -> float:
        fail("simulated claim", "drawn as an array", p)

    # One mean is at the upper edge of the lower target and at the lower edge of the upper one.
    above = TARGET * (1.0 + TOLERANCE) / (1.0 - TOLERANCE)
    checks = [
        mean(
            experiment=measured,
            quantity="Y",
            name=name,
            target=target,
            tolerance=TOLERANCE,
            twins={"half": Twin("half of the target", target=target / 2)},
        )
        for name, target in (("lower target", TARGET), ("upper target", above))
    ]
    made = claim("calibration.splitting", *checks, title="A simulated claim", locus="none")
    referee = Referee([made], "standard", Budget(1, LEVEL, LEVEL))
    return made, referee.shares(made)["calibration.splitting"]


def simulate_whole(at: float, rng: np.random.Generator, count: int) -> dict[str, float]:
    """Decide whole claims; the mean of all cells but the first is ``at`` tolerances above the target."""
    made, share = declared()
    design = made.checks[0].experiment.design("standard")
    points = design.points(design.cells()[0])
    checks = made.checks if at == 1.0 else made.checks[:1]
    centres = np.full(POINTS, TARGET * (1.0 + at * TOLERANCE))
    centres[0] = TARGET * (1.0 + TOLERANCE)
    tally = dict.fromkeys(Outcome, 0)
    for _ in range(count):
        values = centres + SPREAD * rng.standard_normal((SCHEDULE.trials, POINTS))
        samples = [ArraySample.of(checks[0].experiment, points, values[:, k : k + 1]) for k in range(POINTS)]
        found = (
            first_decision(check, sample, share, SCHEDULE.looks)[0]
            for check, sample in product(checks, samples)
        )
        tally[combine(found)] += 1
    return {
        "false FAIL": float(tally[Outcome.FAIL]),
        "false PASS": float(tally[Outcome.PASS]),
        "INCONCLUSIVE": float(tally[Outcome.INCONCLUSIVE]),
    }


def _whole(truth: str, at: float, judged: dict[str, float], count: int, quick: int) -> StudyCell:
    decisions = POINTS * (2 if at == 1.0 else 1)
    return StudyCell(
        "splitting",
        f"a claim of {decisions} decisions; {truth}",
        lambda rng, n: simulate_whole(at, rng, n),
        {**dict.fromkeys(("false FAIL", "false PASS", "INCONCLUSIVE")), **judged},
        "exact",
        count,
        quick,
        20,
        {
            "group": "decisions that share a budget",
            "kind": "claim of several checks and cells",
            "noise": "normal",
            "truth": truth,
            "looks": SCHEDULE.name,
            "trials": SCHEDULE.trials,
            "level": LEVEL,
        },
    )
