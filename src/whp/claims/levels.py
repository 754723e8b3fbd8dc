"""Kinds decided point by point, without an exponent: bound, mean, order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, bound_values, latex, points_figure
from whp.claims.experiment import CellSample
from whp.claims.path import evaluate
from whp.claims.verdict import CellVerdict, Outcome, combine
from whp.errors import ClaimError, require
from whp.interval import Interval


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
    delta: PASS; lower limit above it at any: FAIL; else INCONCLUSIVE. A trial
    that gave no number counts as a failure for PASS, and not for FAIL.
    """

    kind: ClassVar[str] = "bound"

    bound: Any = None
    delta: float | Sequence[float] = 0.01
    tail_of: bool = False
    slack_statistic: str | None = None

    def __post_init__(self) -> None:
        where = f"bound check {self.name}"
        require(
            self.tail_of == (self.bound is None),
            f"{where}: bound",
            "given unless tail_of",
            self.bound,
            ClaimError,
        )
        ok = all(0 < level < 1 for level in self.levels) and len(self.levels) > 0
        require(ok, f"{where}: delta", "in (0, 1)", self.delta, ClaimError)
        require(
            self.tail_of or len(self.levels) == 1,
            f"{where}: delta",
            "a single level unless tail_of",
            self.delta,
            ClaimError,
        )
        super().__post_init__()

    @property
    def levels(self) -> tuple[float, ...]:
        """The failure probabilities that are tested."""
        return (float(self.delta),) if isinstance(self.delta, (int, float)) else tuple(self.delta)

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Require that the bound evaluates."""
        if self.bound is not None:
            evaluate(self.bound, values, "bound")

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
        trials, points = values.shape
        lost = np.isnan(values)  # trials that gave no number
        rows = []
        for k in range(points):
            for level in self.levels:
                limit = level if self.tail_of else evaluate(self.bound, {**sample.points[k].values}, "bound")
                seen = values[:, k]
                bad = int(np.sum(seen <= limit if self.tail_of else seen > limit))
                worst = bad + int(lost[:, k].sum())
                low = stats.bernoulli_sequence(bad, trials, share.false_fail).low
                high = stats.bernoulli_sequence(worst, trials, share.false_pass).high
                if high < level:
                    outcome = Outcome.PASS
                else:
                    outcome = Outcome.FAIL if low > level else Outcome.INCONCLUSIVE
                rows.append((outcome, level, bad / trials, low, high, k))
        rank = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASS: 2}
        outcome, level, share_bad, low, high, at = min(rows, key=lambda r: (rank[r[0]], r[1] - r[4]))
        slack = self._slack(sample, values, lost)
        where = ", ".join(f"{k} = {v}" for k, v in sample.points[at].values.items() if k not in sample.cell)
        advice = {
            Outcome.PASS: "Nothing to do; the slack says how loose the bound is.",
            Outcome.FAIL: f"Violated too often at {where}: check by a second route; if it stands, add a"
            " corrected sibling.",
            Outcome.INCONCLUSIVE: f"Undecided at {where}: about"
            f" {stats.bernoulli_trials_needed(level, share_bad, share.false_pass) or 'more than a million'}"
            f" trials would decide, {trials} were made.",
        }[outcome]
        clean = np.where(lost, np.nanmax(values, initial=0.0), values) if lost.any() else values
        return self.verdict(
            outcome,
            sample,
            share,
            estimate=share_bad,
            interval=Interval(min(low, high), high),
            rule=stats.BERNOULLI_SEQUENCE.name,
            validity=stats.BERNOULLI_SEQUENCE.validity,
            threshold=f"failure probability at most {level:g}, at every point"
            + (" and level" if len(self.levels) > 1 else "")
            + (f"; shown for {where}" if where else ""),
            advice=advice,
            detectable=stats.bernoulli_detectable(level, trials, share.false_fail).high - level,
            slack=slack,
            figure={
                **points_figure(sample, clean),
                "bound": None if self.tail_of else bound_values(self.bound, sample, "bound").tolist(),
                "levels": [
                    {"point": k, "delta": lv, "estimate": s, "low": lo, "high": hi, "verdict": o.value}
                    for o, lv, s, lo, hi, k in rows
                ],
            },
        )

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


def _mean_sequence(values: np.ndarray, alpha: float, support: tuple[float, float] | None) -> Interval:
    """Interval for a mean: betting where the support is known, else the t-sequence."""
    if support is not None:
        return stats.betting_sequence(values, alpha, *support)
    return stats.t_sequence(values, alpha)


@dataclass(frozen=True, kw_only=True)
class MeanCheck(Check):
    """Common to the kinds that look at a mean at every point.

    ``support`` is the known range of the statistic, if it has one; then the
    interval is exact (betting), else Gaussian theory.
    """

    support: tuple[float, float] | None = None

    @property
    def rule(self) -> stats.Rule:
        """Which sequence is used."""
        return stats.BETTING_SEQUENCE if self.support is not None else stats.T_SEQUENCE

    def decisions_per_cell(self, points: int) -> int:
        """Each point can fail the claim."""
        return points

    def columns(self, sample: CellSample) -> np.ndarray:
        """Per-trial values whose mean is decided, shape (trials, columns)."""
        return sample.values(self.statistic)

    def accepted(self, sample: CellSample) -> list[Interval]:
        """The interval of means that PASS, for every column; anything outside FAILs."""
        raise NotImplementedError

    def threshold_text(self) -> str:
        """What the interval is compared with."""
        raise NotImplementedError

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """Inside the accepted interval at every point: PASS; disjoint from it at any: FAIL."""
        refused = self.unmeasured(sample, share, self.rule.name, self.rule.validity)
        if refused is not None:
            return refused
        values = self.columns(sample)
        trials = len(values)
        rows = []
        for k, accept in enumerate(self.accepted(sample)):
            at_fail = _mean_sequence(values[:, k], share.false_fail, self.support)
            at_pass = _mean_sequence(values[:, k], share.false_pass, self.support)
            if accept.low <= at_pass.low and at_pass.high <= accept.high:
                outcome = Outcome.PASS
            else:
                outcome = Outcome.INCONCLUSIVE if at_fail.intersects(accept) else Outcome.FAIL
            rows.append((outcome, float(values[:, k].mean()), at_fail, at_pass, accept))
        outcome = combine(row[0] for row in rows)
        rank = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASS: 2}
        binding = min(range(len(rows)), key=lambda k: rank[rows[k][0]])
        _, estimate, at_fail, at_pass, accept = rows[binding]
        sd = float(values[:, binding].std(ddof=1)) if trials > 1 else math.nan
        gap = min(abs(estimate - accept.low), abs(accept.high - estimate))
        need = stats.trials_needed(sd, gap, share.false_pass) if gap > 0 and math.isfinite(sd) else None
        advice = {
            Outcome.PASS: "Nothing to do.",
            Outcome.FAIL: "Check the measurement by a second route; if it stands, add a corrected sibling.",
            Outcome.INCONCLUSIVE: f"About {need} trials would decide at this noise; {trials} were made."
            if need is not None and need > trials
            else "The mean lies at the edge of what is accepted: no number of trials is sure to decide.",
        }[outcome]
        return self.verdict(
            outcome,
            sample,
            share,
            estimate=estimate,
            interval=at_fail if outcome is Outcome.FAIL else at_pass,
            rule=self.rule.name,
            validity=self.rule.validity,
            threshold=f"{self.threshold_text()} (accepted: {accept})",
            advice=advice,
            detectable=stats.detectable(sd, trials, share.false_fail) if trials > 1 else math.nan,
            slack=math.nan,
            figure={
                **points_figure(sample, sample.values(self.statistic)),
                "means": [
                    {
                        "estimate": e,
                        "low": p.low,
                        "high": p.high,
                        "accept_low": a.low,
                        "accept_high": a.high,
                        "verdict": o.value,
                    }
                    for o, e, _, p, a in rows
                ],
            },
        )


@dataclass(frozen=True, kw_only=True)
class Mean(MeanCheck):
    """``E[Y] = theta``: the interval inside ``theta (1 +- tolerance)`` passes, disjoint from it fails.

    ``target`` is theta, a number or an expression in the symbols of the path;
    where it is zero the tolerance is absolute.
    """

    kind: ClassVar[str] = "mean"

    target: Any = None
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        require(self.target is not None, f"mean check {self.name}: target", "given", self.target, ClaimError)
        require(
            self.tolerance > 0, f"mean check {self.name}: tolerance", "positive", self.tolerance, ClaimError
        )
        super().__post_init__()

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Require that the target evaluates."""
        evaluate(self.target, values, "target")

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        return f"\\mathbb{{E}}\\left[{self.quantity}\\right] = {latex(self.target)}"

    def accepted(self, sample: CellSample) -> list[Interval]:
        """``theta (1 +- tolerance)`` at every point."""
        targets = bound_values(self.target, sample, "target")
        return [Interval(t - h, t + h) for t, h in ((t, self.tolerance * (abs(t) or 1.0)) for t in targets)]

    def threshold_text(self) -> str:
        """In words."""
        return f"the mean within {100 * self.tolerance:g} % of the stated value"


@dataclass(frozen=True, kw_only=True)
class Order(MeanCheck):
    """A is better than B: the sign of the mean of the paired difference.

    The statistic is the difference, trial by trial, positive where the
    printed order holds. Lower limit above zero at every point: PASS; upper
    limit below zero at any: FAIL.
    """

    kind: ClassVar[str] = "order"

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        return f"\\mathbb{{E}}\\left[{self.quantity}\\right] > 0"

    def accepted(self, sample: CellSample) -> list[Interval]:
        """The positive half line."""
        return [Interval(math.ulp(0.0), math.inf)] * len(sample.points)

    def threshold_text(self) -> str:
        """In words."""
        return "the mean difference above zero"
