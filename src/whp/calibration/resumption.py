"""The study of resumption: a run that is later gone on with, with more trials and so with other looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from whp.calibration.kinds import mean_claim, rate_claim, symbol
from whp.calibration.noise import NORMAL
from whp.calibration.simulated import ArraySample, Simulated, batches
from whp.calibration.study import StudyCell
from whp.claims import Budget, Claim, Outcome, Referee, Twin, claim
from whp.stats.sequences import Array

FIRST, LATER = batches(8, 20).looks, batches(8, 60).looks
LEVEL = 0.05


def _declared(law: Simulated, name: str, twins: Mapping[str, Twin]) -> Claim:
    check = replace(law.check, twins=dict(twins))
    return claim(f"calibration.{name}", check, title="A simulated claim", locus="none")


def judged(declared: Claim, trials: Array, looks: Iterable[int]) -> Outcome:
    """The outcome after some looks by a new `Referee`, as a run makes them: until the claim is decided."""
    referee = Referee([declared], "standard", Budget(1, LEVEL, LEVEL))
    (experiment,) = referee.experiments
    points = experiment.design("standard").points({})
    for look in looks:
        if referee.look(experiment, ArraySample.of(experiment, points, trials[:look])):
            break
    return referee.verdict(declared, seed=0, seconds=0.0, environment={}, command="").outcome


def simulate_resumption(
    law: Simulated, declared: Claim, rng: np.random.Generator, count: int
) -> dict[str, float]:
    """Take the decision of a first run, or else that of a later one from its trials and more.

    The later run has other looks and keeps no decision of the first, so that it may not find again what
    the first has reported: "withdrawn".
    """
    found = {"withdrawn": 0, "false PASS": 0, "false FAIL": 0}
    for trials in law.draw(rng, count, LATER[-1]):
        first, later = judged(declared, trials, FIRST), judged(declared, trials, LATER)
        reported = {first, later} - {Outcome.INCONCLUSIVE}
        found["withdrawn"] += first is not Outcome.INCONCLUSIVE and later is not first
        found["false PASS"] += Outcome.PASS in reported
        found["false FAIL"] += Outcome.FAIL in reported
    return {key: float(value) for key, value in found.items()}


def cells() -> list[StudyCell]:
    """A mean and a rate at their edges, through the referee of a run."""
    mean, rate = mean_claim(NORMAL), rate_claim(NORMAL, 0.1)
    return [
        _cell(mean, _declared(mean, "mean", {"double": Twin("twice the target", target=20)})),
        _cell(rate, _declared(rate, "rate", {"exponent": Twin("no decay", bound=symbol**0)})),
    ]


def _cell(law: Simulated, declared: Claim) -> StudyCell:
    return StudyCell(
        "resumption",
        f"{law.check.label}; {law.truth}; gone on with, from {FIRST[-1]} to {LATER[-1]} trials",
        lambda rng, count: simulate_resumption(law, declared, rng, count),
        {"withdrawn": None, "false PASS": LEVEL, "false FAIL": LEVEL},
        "exact",
        300,
        0,
        20,
        {
            "group": "through the referee of a run",
            "kind": law.check.label,
            "noise": law.noise,
            "truth": law.truth,
            "looks": "those of two runs",
            "trials": LATER[-1],
            "level": LEVEL,
        },
    )
