"""The study of searches for a counterexample (kind always): nothing is random about the statement."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from hypothesis import strategies

from whp.calibration.study import StudyCell
from whp.claims import CellSample, Check, Outcome, Point, Share, always, search

EXAMPLES = 100


def simulate_searches(check: Check, true: bool, rng: np.random.Generator, count: int) -> dict[str, float]:
    """Search ``count`` times with new streams, and decide each."""
    point = Point({"examples": EXAMPLES})
    fails = 0
    for _ in range(count):
        result = check.experiment.run(point, rng, None)
        sample = CellSample(check.experiment, {}, [point], [[result]])
        fails += check.outcome(sample, Share(0.05, 0.05)) is Outcome.FAIL
    if true:
        return {"false FAIL": float(fails), "right PASS": float(count - fails)}
    return {"right FAIL": float(fails), "missed": float(count - fails)}


def _check(excess: Callable[[float], float], name: str) -> Check:
    found = search(excess, given={"a": strategies.floats(0.0, 1.0)}, shrink=False)
    return always(experiment=found, statement="x", name=name)


def identity(a: float) -> float:
    """``(a + 1)^2 = a^2 + 2 a + 1`` up to rounding."""
    return abs((a + 1.0) ** 2 - (a**2 + 2.0 * a + 1.0))


def tight(a: float) -> float:
    """``a^2 <= a``, with equality at both ends."""
    return a**2 - a


def broken(share: float) -> Callable[[float], float]:
    """A statement that is violated on this share of the inputs, away from their ends."""

    def excess(a: float) -> float:
        return 1.0 if 0.3 < a < 0.3 + share else -1.0

    return excess


def cells() -> list[StudyCell]:
    """True statements at their edge must never FAIL; for false ones the power is shown."""
    made = []
    for name, excess, true in (
        ("an identity, up to rounding", identity, True),
        ("an inequality with equality at both ends", tight, True),
        ("violated on 0.3 of the inputs", broken(0.3), False),
        ("violated on 0.01 of the inputs", broken(0.01), False),
    ):
        check = _check(excess, name)
        made.append(
            StudyCell(
                "searches",
                name,
                partial(simulate_searches, check, true),
                {"false FAIL": 0.0, "right PASS": None} if true else {"right FAIL": None, "missed": None},
                "exact" if true else "none",
                200,
                20,
                20,
                {
                    "group": f"{EXAMPLES} examples a search",
                    "kind": "always",
                    "noise": "none",
                    "truth": name,
                    "looks": "once",
                    "trials": EXAMPLES,
                    "level": 0.0,
                },
            )
        )
    return made
