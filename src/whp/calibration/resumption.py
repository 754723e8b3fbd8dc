"""The study of resumption: a run that is stopped and begun again decides as one that was never stopped."""

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

LOOKS = batches(8, 40).looks
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
    """Decide each claim in one go, and in a run stopped after some looks and begun again from its trials."""
    found = {"differs from one go": 0, "false PASS": 0, "false FAIL": 0}
    for trials in law.draw(rng, count, LOOKS[-1]):
        whole = judged(declared, trials, LOOKS)
        stop = int(rng.integers(1, len(LOOKS)))
        first = judged(declared, trials[: LOOKS[stop - 1]], LOOKS[:stop])
        again = judged(declared, trials, LOOKS)
        kept = first if first is not Outcome.INCONCLUSIVE else again
        found["differs from one go"] += {kept, again} != {whole}
        found["false PASS"] += whole is Outcome.PASS
        found["false FAIL"] += whole is Outcome.FAIL
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
        f"{law.check.label}; {law.truth}; stopped and begun again",
        lambda rng, count: simulate_resumption(law, declared, rng, count),
        {"differs from one go": 0.0, "false PASS": None, "false FAIL": None},
        "exact",
        300,
        20,
        20,
        {
            "group": "through the referee of a run",
            "kind": law.check.label,
            "noise": law.noise,
            "truth": law.truth,
            "looks": "stopped and begun again",
            "trials": LOOKS[-1],
            "level": LEVEL,
        },
    )
