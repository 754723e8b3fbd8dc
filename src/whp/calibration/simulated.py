"""Simulated claims: trials of a known law, looked at on a schedule, decided by a real check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whp.calibration.study import StudyCell
from whp.claims import Budget, CellSample, Check, Design, Experiment, Outcome, Point, Share
from whp.stats.sequences import Array

TRIALS_MADE = "mean trials"
"""A sum over claims, of which the table shows the mean."""

Draw = Callable[[np.random.Generator, int, int], Array]
"""Generator, claims and trials to values of shape (claims, trials, points)."""


@dataclass(frozen=True)
class ArraySample(CellSample):
    """A sample whose trials are one array (trials, points): ten thousand `TrialResult` objects are slow."""

    @classmethod
    def of(cls, experiment: Experiment, points: Sequence[Point], trials: Any) -> ArraySample:
        """From an array, shape (trials, points)."""
        return cls(experiment, {}, points, trials)

    def values(self, statistic: str) -> Array:
        """The array."""
        return np.asarray(self.trials)

    @property
    def failures(self) -> dict[str, int]:
        """None."""
        return {}


@dataclass(frozen=True)
class Schedule:
    """Numbers of trials at which a decision is tried, in that order."""

    name: str
    looks: tuple[int, ...]

    @property
    def trials(self) -> int:
        """The most trials."""
        return max(self.looks)


def batches(least: int, most: int) -> Schedule:
    """The looks of a design."""
    return Schedule("batches", tuple(Design(None, trials=(least, most)).looks()))


def every_trial(most: int, least: int = 2) -> Schedule:
    """A look after every trial."""
    return Schedule("every trial", tuple(range(least, most + 1)))


def once(trials: int) -> Schedule:
    """One look, at the end."""
    return Schedule("once", (trials,))


def resumed(least: int, stop: int, most: int) -> Schedule:
    """A run to ``stop`` trials; later another, with other looks, that finds those trials in the ledger."""
    first, second = batches(least, stop), batches(least + 2, most)
    return Schedule(f"resumed at {stop}", first.looks + second.looks)


@dataclass(frozen=True)
class Simulated:
    """A check, and the law of its trials.

    Attributes
    ----------
    check : Check
        The real one.
    draw : callable
        The trials.
    truth : str
        What is true, in words.
    wrong : tuple of Outcome
        The outcomes that would be wrong: PASS where the truth is at or beyond the tolerance, FAIL where it is
        at or inside it.
    noise : str
        The shape of the trials, in words.
    guarantee : str
        What theory says of the rule on such trials: ``exact``, ``asymptotic``, or ``none`` where its
        assumption is broken on purpose.
    """

    check: Check
    draw: Draw
    truth: str
    wrong: tuple[Outcome, ...]
    noise: str
    guarantee: str

    def points(self) -> list[Point]:
        """The path of the check."""
        return self.check.experiment.design("standard").points({})

    def share(self, level: float) -> Share:
        """What one decision may spend when the claim stands alone in a run with this budget."""
        decisions = self.check.decisions_per_cell(len(self.points()))
        return Budget(1, level, level).decision_share(decisions)


def first_decision(
    check: Check, sample: CellSample, share: Share, looks: tuple[int, ...]
) -> tuple[Outcome, int]:
    """The decision that stands, and the trials that it took: the first that is not INCONCLUSIVE."""
    for look in looks:
        outcome = check.outcome(sample.prefix(look), share)
        if outcome is not Outcome.INCONCLUSIVE:
            return outcome, look
    return Outcome.INCONCLUSIVE, looks[-1]


def simulate(
    claim: Simulated, schedule: Schedule, share: Share, rng: np.random.Generator, count: int
) -> dict[str, float]:
    """Decide ``count`` simulated claims; how often each event happened, and the trials made in all."""
    values = claim.draw(rng, count, schedule.trials)  # (claims, trials, points)
    points = claim.points()
    tally = dict.fromkeys(Outcome, 0)
    made = 0
    for trials in values:
        sample = ArraySample.of(claim.check.experiment, points, trials)
        outcome, used = first_decision(claim.check, sample, share, schedule.looks)
        tally[outcome] += 1
        made += used
    # A truth that is neither inside nor beyond has no right outcome; else one of PASS and FAIL is wrong.
    return {**{event(outcome, claim): float(n) for outcome, n in tally.items()}, TRIALS_MADE: float(made)}


def event(outcome: Outcome, claim: Simulated) -> str:
    """How the table calls an outcome."""
    if outcome in claim.wrong:
        return f"false {outcome.value}"
    return "right" if claim.wrong and outcome is not Outcome.INCONCLUSIVE else outcome.value


def decision_cell(
    claim: Simulated,
    schedule: Schedule,
    *,
    level: float = 0.05,
    count: int = 0,
    quick: int = 0,
    batch: int = 500,
    study: str = "decisions",
    group: str = "",
) -> StudyCell:
    """A cell of the calibration: one law of trials on one schedule at one budget.

    By default ten thousand simulated claims at an edge, where the error rates are largest, and two thousand
    elsewhere, where power is shown.
    """
    count = count or (10_000 if len(claim.wrong) == 2 else 2_000)
    share = claim.share(level)
    nominal: Mapping[str, float | None] = {
        event(outcome, claim): level if outcome in claim.wrong else None for outcome in Outcome
    }
    facts: dict[str, str | float] = {
        "group": group,
        "kind": claim.check.label,
        "noise": claim.noise,
        "truth": claim.truth,
        "looks": schedule.name,
        "trials": schedule.trials,
        "level": level,
    }
    name = (
        f"{claim.check.label}; {claim.noise}; {claim.truth}; {schedule.name} to {schedule.trials}; {level:g}"
    )
    return StudyCell(
        study,
        name,
        lambda rng, n: simulate(claim, schedule, share, rng, n),
        nominal,
        claim.guarantee,
        count,
        quick,
        batch,
        facts,
    )
