"""The study of suites: many claims at their edges under one budget, split by the code that splits a run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whp.calibration.kinds import betting_claim, bound_claim, mean_claim, order_claim, rate_claim
from whp.calibration.noise import EXPONENTIAL, NORMAL, STUDENT, UNIFORM
from whp.calibration.simulated import Schedule, Simulated, batches, simulate
from whp.calibration.study import StudyCell
from whp.claims import Budget

SCHEDULE = batches(8, 40)
"""The default looks of a design."""


@dataclass(frozen=True)
class Suite:
    """Claims of one run: every law with the number of claims that follow it."""

    name: str
    laws: Sequence[tuple[Simulated, int]]
    guarantee: str

    @property
    def claims(self) -> int:
        """How many."""
        return sum(number for _, number in self.laws)


def simulate_suites(
    suite: Suite, schedule: Schedule, budget: Budget, rng: np.random.Generator, count: int
) -> dict[str, float]:
    """How many of ``count`` suites have any false FAIL, and any false PASS; how many claims had one."""
    found = {"any false FAIL": 0, "any false PASS": 0, "false FAILs": 0, "false PASSes": 0}
    for _ in range(count):
        wrong = {"false FAIL": 0.0, "false PASS": 0.0}
        for law, number in suite.laws:
            share = budget.decision_share(law.check.decisions_per_cell(len(law.points())))
            tally = simulate(law, schedule, share, rng, number)
            wrong = {event: wrong[event] + tally[event] for event in wrong}
        found["any false FAIL"] += wrong["false FAIL"] > 0
        found["any false PASS"] += wrong["false PASS"] > 0
        found["false FAILs"] += int(wrong["false FAIL"])
        found["false PASSes"] += int(wrong["false PASS"])
    return {key: float(value) for key, value in found.items()}


def suites(claims: int) -> list[Suite]:
    """Claims that all lie exactly at their edges, so that either decision is wrong.

    Parameters
    ----------
    claims : int
        A multiple of 20.
    """
    part = claims // 20
    mixture = [
        (mean_claim(NORMAL), 8 * part),
        (rate_claim(NORMAL, 0.1), 4 * part),
        (order_claim(NORMAL, 0.0), 4 * part),
        (bound_claim(0.3, 0.3), 3 * part),
        (betting_claim(UNIFORM, 1.0), part),
    ]
    alone = [
        Suite(f"means, {noise.name}", [(mean_claim(noise), claims)], mean_claim(noise).guarantee)
        for noise in (NORMAL, EXPONENTIAL, STUDENT)
    ]
    return [*alone, Suite("a mixture of kinds, exact trials", mixture, "exact")]


def _cell(suite: Suite, level: float, count: int, quick: int, batch: int) -> StudyCell:
    budget = Budget(suite.claims, level, level)
    return StudyCell(
        "suites",
        f"{suite.claims} edge claims; {suite.name}; {level:g}",
        lambda rng, n: simulate_suites(suite, SCHEDULE, budget, rng, n),
        {"any false FAIL": level, "any false PASS": level},
        suite.guarantee,
        count,
        quick,
        batch,
        {
            "group": f"suites of {suite.claims} claims",
            "kind": "suite",
            "noise": suite.name,
            "truth": "every claim at its edge",
            "looks": SCHEDULE.name,
            "trials": SCHEDULE.trials,
            "level": level,
        },
    )


def cells() -> list[StudyCell]:
    """Suites of 100 claims at the default budget, and small ones at a budget that quick can judge."""
    large = [_cell(suite, 0.01, 2_000 if suite.guarantee == "exact" else 500, 0, 20) for suite in suites(100)]
    small = [_cell(suite, 0.05, 1_000, 200 * (suite.guarantee == "exact"), 50) for suite in suites(20)]
    return [*large, *small]
