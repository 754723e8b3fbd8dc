"""Kind bound: an inequality with all constants given, which may fail with a given probability."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, bound_values, join, latex, points_figure, require_in
from whp.claims.experiment import CellSample
from whp.claims.holds import hold_for_dependence
from whp.claims.path import evaluate, evaluate_nearly
from whp.claims.verdict import RANK, CellVerdict, Guarantee, Outcome, combine
from whp.errors import ClaimError, require
from whp.interval import Interval


@dataclass(frozen=True)
class _Row:
    """The decision at one point and level: how often Y > B, and the limits of its probability."""

    outcome: Outcome
    level: float
    frequency: float
    low: float
    high: float
    point: int


def trials_at(level: float, at: float, alpha: float, limit: int = 10_000_000) -> int | None:
    """Trials after which a probability ``at`` is seen to be below a level, or above it.

    Each by the mixture that decides it: only to be below has one of its own.
    """
    if at > level:
        return stats.bernoulli_trials_needed(level, at, alpha, limit=limit)
    return stats.bernoulli_trials_needed(level, at, alpha, prior=stats.prior_below(level), limit=limit)


@dataclass(frozen=True, kw_only=True)
class Bound(Check):
    """``Y <= B`` with probability at least ``1 - delta``, all constants given.

    Attributes
    ----------
    bound : expression
        B, in the symbols of the path.
    delta : float or sequence of float
        Failure probability. With ``tail_of=True``, a sequence of levels.
    tail_of : bool
        The statistic is already a printed tail bound evaluated at the measured
        value, ``U = Tail(Y)``; the tail bound holds if and only if
        ``P(U <= delta) <= delta`` at every level.
    slack_statistic : str or None
        Statistic whose median is reported as the slack ``B / Y``; by default
        it is computed from the bound.

    At every point and level: upper limit of the failure probability below
    delta: PASS; lower limit above it at any: FAIL; else INCONCLUSIVE. The upper
    limit has the mixture that certifies delta soonest (`whp.stats.prior_below`). A trial
    that gave no number counts as a failure for PASS, and not for FAIL.
    """

    kind: ClassVar[str] = "bound"
    shown: ClassVar[frozenset[str]] = Check.shown | {"slack_statistic"}

    bound: Any = None
    delta: float | Sequence[float] = 0.01
    tail_of: bool = False
    slack_statistic: str | None = None

    def __post_init__(self) -> None:
        fits = self.tail_of == (self.bound is None)
        require(fits, f"{self.where}: bound", "given unless tail_of", self.bound, ClaimError)
        for level in self.levels:
            require_in(level, 0.0, 1.0, f"{self.where}: delta")
        single = len(self.levels) == 1 or (self.tail_of and len(self.levels) > 1)
        require(single, f"{self.where}: delta", "one level, or several with tail_of", self.delta, ClaimError)
        super().__post_init__()

    @property
    def levels(self) -> tuple[float, ...]:
        """The failure probabilities that are tested."""
        return tuple(self.delta) if isinstance(self.delta, (tuple, list)) else (self.delta,)  # type: ignore[return-value]

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Require that the bound evaluates."""
        if self.bound is not None:
            evaluate_nearly(self.bound, values, "bound")

    def same_field(self, other: Check, name: str) -> bool:
        """Bounds are the same if their values are."""
        return self.same_values(other, name) if name == "bound" else super().same_field(other, name)

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        if self.tail_of:
            return self.quantity
        return f"\\Pr\\left[{self.quantity} \\le {latex(self.bound)}\\right] \\ge 1 - {self.levels[0]:g}"

    def decisions_per_cell(self, points: int) -> int:
        """Each point and level can fail the claim."""
        return points * len(self.levels)

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """See the class."""
        values = sample.values(self.statistic)  # (trials, points)
        trials = len(values)
        lost = np.isnan(values)  # trials that gave no number
        incident = self.unmeasured(sample, share, stats.BERNOULLI_SEQUENCE.name, "not applied")
        if incident is not None and lost.all():
            return incident
        outcome, hold, rows = self._rule(sample, share)
        row = min(rows, key=lambda r: (RANK[r.outcome], r.level - r.high))
        level, at = row.level, row.point
        need = trials_at(level, row.frequency, share.false_pass)
        where = ", ".join(f"{k} = {v}" for k, v in sample.points[at].values.items() if k not in sample.cell)
        advice = {
            Outcome.PASS: "Nothing to do; the slack says how loose the bound is.",
            Outcome.FAIL: f"Violated too often at {where}: check by a second route; if it stands, add a"
            " corrected sibling.",
            Outcome.INCONCLUSIVE: f"Undecided at {where}: about {need or 'more than a million'} trials would"
            f" decide, {trials} were made.",
        }[outcome]
        clean = np.where(lost, np.nanmax(values, initial=0.0), values) if lost.any() else values
        return self.verdict(
            outcome,
            sample,
            share,
            estimate=row.frequency,
            interval=Interval(min(row.low, row.high), row.high),
            rule=stats.BERNOULLI_SEQUENCE.name,
            validity=stats.BERNOULLI_SEQUENCE.validity,
            guarantee=Guarantee.EXACT,
            threshold=f"failure probability at most {level:g}, at every point"
            + (" and level" if len(self.levels) > 1 else "")
            + (f"; shown for {where}" if where else ""),
            advice=join([incident.advice if incident is not None else "", hold or advice]),
            detectable=stats.bernoulli_detectable(level, trials, share.false_fail).high - level,
            slack=self._slack(sample, values, lost),
            figure={
                **points_figure(sample, clean),
                "bound": None if self.tail_of else bound_values(self.bound, sample, "bound").tolist(),
                "levels": [
                    {
                        "point": r.point,
                        "delta": r.level,
                        "estimate": r.frequency,
                        "low": r.low,
                        "high": r.high,
                        "verdict": r.outcome.value,
                    }
                    for r in rows
                ],
            },
        )

    def outcome(self, sample: CellSample, share: Share) -> Outcome:
        """The decision alone."""
        if np.isnan(sample.values(self.statistic)).all():
            return Outcome.INCONCLUSIVE
        return self._rule(sample, share)[0]

    def _rule(self, sample: CellSample, share: Share) -> tuple[Outcome, str, list[_Row]]:
        """Decide; with why a decision was held, and the decision at every point and level."""
        values = sample.values(self.statistic)  # (trials, points)
        trials = len(values)
        lost = np.isnan(values)  # trials that gave no number
        rows = []
        for k, point in enumerate(sample.points):
            seen, unseen = values[:, k], int(lost[:, k].sum())
            for level in self.levels:
                limit = level if self.tail_of else evaluate(self.bound, {**point.values}, "bound")
                bad = int(np.sum(seen <= limit if self.tail_of else seen > limit))
                low = stats.bernoulli_sequence(bad, trials, share.false_fail).low
                prior = stats.prior_below(level)
                high = stats.bernoulli_sequence(bad + unseen, trials, share.false_pass, prior).high
                if high < level:
                    outcome = Outcome.PASS
                else:
                    outcome = Outcome.FAIL if low > level else Outcome.INCONCLUSIVE
                rows.append(_Row(outcome, level, bad / trials, low, high, k))
        outcome = combine(row.outcome for row in rows)
        hold = ""
        if outcome is not Outcome.INCONCLUSIVE and not lost.any():
            hold = hold_for_dependence(values)
        return Outcome.INCONCLUSIVE if hold else outcome, hold, rows

    def _slack(self, sample: CellSample, values: np.ndarray, lost: np.ndarray) -> float:
        """Smallest median of B / Y over the points."""
        if lost.any():
            return math.nan
        if self.slack_statistic is not None:
            return float(np.median(sample.values(self.slack_statistic), axis=0).min())
        if self.tail_of:
            return math.nan
        medians = np.median(values, axis=0)
        bounds = bound_values(self.bound, sample, "bound")
        return float(np.min(np.where(medians > 0, bounds / np.where(medians > 0, medians, 1.0), np.inf)))
