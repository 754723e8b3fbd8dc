"""Kinds decided by a mean at every point, without an exponent: mean, order."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, bound_values, latex, points_figure, require_in, spread
from whp.claims.experiment import CellSample
from whp.claims.holds import (
    SKEWNESS_OF_MEANS,
    hold_for_dependence,
    hold_for_few,
    hold_for_shape,
    shape_warnings,
)
from whp.claims.path import evaluate_nearly
from whp.claims.verdict import RANK, CellVerdict, Guarantee, Outcome, combine
from whp.errors import ClaimError, require
from whp.interval import Interval

DETERMINISTIC = stats.Rule(
    "the value itself", "exact: the statistic is declared not to be random", "", exact=True
)


@dataclass(frozen=True)
class _Row:
    """The decision at one column: its mean, the interval at each error rate, and what PASSes."""

    outcome: Outcome
    estimate: float
    at_fail: Interval
    at_pass: Interval
    accept: Interval


def _advice(outcome: Outcome, row: _Row, sd: float, trials: int, share: Share) -> str:
    """What to do next, by the column that decides."""
    if outcome is Outcome.PASS:
        return "Nothing to do."
    if outcome is Outcome.FAIL:
        return "Check the measurement by a second route; if it stands, add a corrected sibling."
    gap = min(abs(row.estimate - row.accept.low), abs(row.accept.high - row.estimate))
    # An interval wider than what is accepted cannot lie inside it, wherever the estimate falls.
    if math.isfinite(row.accept.width) and row.at_pass.width >= row.accept.width:
        gap = row.accept.width / 4
    need = stats.trials_needed(sd, gap, share.false_pass) if gap > 0 else None
    if need is not None and need > trials:
        return f"About {need} trials would decide at this noise; {trials} were made."
    return "The mean lies at the edge of what is accepted: no number of trials is sure to decide."


@dataclass(frozen=True, kw_only=True)
class MeanCheck(Check):
    """Common to the kinds that look at a mean at every point.

    Attributes
    ----------
    support : (float, float) or None
        Known range of the statistic, if it has one; then the interval is exact
        (betting), else Gaussian theory.
    deterministic : bool
        The statistic is not random: its value is the mean. Without this (and
        without ``support``) trials that all agree decide nothing, because a
        statistic that is nearly always constant would do the same.
    """

    support: tuple[float, float] | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.support is not None:
            pair = isinstance(self.support, (tuple, list)) and len(self.support) == 2
            finite = pair and all(isinstance(x, (int, float)) and math.isfinite(x) for x in self.support)
            ordered = finite and self.support[0] < self.support[1]
            require(ordered, f"{self.where}: support", "a finite pair low < high", self.support, ClaimError)
        both = self.deterministic and self.support is not None
        require(not both, f"{self.where}: support", "left out if deterministic", self.support, ClaimError)
        super().__post_init__()

    @property
    def rule(self) -> stats.Rule:
        """Which sequence is used."""
        if self.deterministic:
            return DETERMINISTIC
        return stats.BETTING_SEQUENCE if self.support is not None else stats.T_SEQUENCE

    def interval(self, series: np.ndarray, alpha: float) -> Interval:
        """Interval for the mean of a series of trials."""
        if self.deterministic:
            return Interval(float(series.min()), float(series.max()))
        if self.support is not None:
            return stats.betting_sequence(series, alpha, *self.support)
        return stats.t_sequence(series, alpha)

    def objection(self, values: np.ndarray) -> str:
        """Say why no interval can be trusted, or nothing."""
        width = np.ptp(values, axis=0)  # (columns,)
        if len(values) < 2:
            return "One trial has no spread: make at least two."
        if self.deterministic:
            if (width > 1e-9 * np.abs(values).max(axis=0)).any():
                return "The statistic is declared deterministic, and trials differ."
        elif self.support is not None:
            low, high = self.support
            if values.min() < low or values.max() > high:
                return (
                    f"The statistic must be in its support [{low:g}, {high:g}],"
                    f" got values from {values.min():.6g} to {values.max():.6g}."
                )
        elif not width.all():
            return (
                "All trials agree at a point: declare the statistic deterministic, or its support."
                " A statistic that is nearly always constant would do the same."
            )
        if not np.isfinite(spread(values)).all():
            return f"Values as large as {np.abs(values).max():.3g} have no mean in double precision."
        return ""

    def decisions_per_cell(self, points: int) -> int:
        """Each point can fail the claim."""
        return points

    def columns(self, sample: CellSample) -> np.ndarray:
        """Per-trial values whose mean is decided, shape (trials, columns)."""
        return sample.values(self.statistic)

    @abstractmethod
    def accepted(self, sample: CellSample) -> list[Interval]:
        """The interval of means that PASS, for every column; disjoint from it FAILs."""

    @abstractmethod
    def threshold_text(self, accepted: Interval) -> str:
        """What the interval is compared with."""

    def outcome(self, sample: CellSample, share: Share) -> Outcome:
        """The decision alone."""
        refused = self.refusal(sample, share)
        return self._rule(sample, share)[0] if refused is None else refused.outcome

    def refusal(self, sample: CellSample, share: Share) -> CellVerdict | None:
        """The verdict where no interval can be made or trusted; None where one can."""
        refused = self.unmeasured(sample, share, self.rule.name, self.rule.validity)
        if refused is not None:
            return refused
        objection = self.objection(self.columns(sample))
        return self.undecided(sample, share, objection) if objection else None

    def _rule(self, sample: CellSample, share: Share) -> tuple[Outcome, str, list[_Row]]:
        """Decide; with why a decision was held, and the decision at every column."""
        values = self.columns(sample)
        rows = []
        for column, accept in zip(values.T, self.accepted(sample), strict=True):
            at_fail = self.interval(column, share.false_fail)
            same = share.false_pass == share.false_fail
            at_pass = at_fail if same else self.interval(column, share.false_pass)
            if accept.low <= at_pass.low and at_pass.high <= accept.high:
                outcome = Outcome.PASS
            else:
                outcome = Outcome.INCONCLUSIVE if at_fail.intersects(accept) else Outcome.FAIL
            rows.append(_Row(outcome, float(column.mean()), at_fail, at_pass, accept))
        outcome = combine(row.outcome for row in rows)
        hold = self._hold(values) if outcome is not Outcome.INCONCLUSIVE else ""
        return Outcome.INCONCLUSIVE if hold else outcome, hold, rows

    def _hold(self, values: np.ndarray) -> str:
        """Say why no decision is taken, or nothing."""
        if self.deterministic:
            return ""
        if self.rule.exact:
            return hold_for_dependence(values)
        return (
            hold_for_few(len(values))
            or hold_for_dependence(values)
            or hold_for_shape(values, SKEWNESS_OF_MEANS, "Values")
        )

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """Inside the accepted interval at every point: PASS; disjoint from it at any: FAIL."""
        refused = self.refusal(sample, share)
        if refused is not None:
            return refused
        outcome, hold, rows = self._rule(sample, share)
        values = self.columns(sample)
        trials = len(values)
        binding = min(range(len(rows)), key=lambda k: RANK[rows[k].outcome])
        row = rows[binding]
        sd = float(values[:, binding].std(ddof=1))
        return self.verdict(
            outcome,
            sample,
            share,
            estimate=row.estimate,
            interval=row.at_fail if outcome is Outcome.FAIL else row.at_pass,
            rule=self.rule.name,
            validity=self.rule.validity,
            guarantee=Guarantee.EXACT if self.rule.exact else Guarantee.ASYMPTOTIC,
            threshold=self.threshold_text(row.accept),
            advice=hold or _advice(outcome, row, sd, trials, share),
            detectable=stats.detectable(sd, trials, share.false_fail),
            warnings=shape_warnings(values[:, binding], "Values") if self.rule is stats.T_SEQUENCE else [],
            figure={
                **points_figure(sample, sample.values(self.statistic)),
                "means": [
                    {
                        "estimate": r.estimate,
                        "low": r.at_pass.low,
                        "high": r.at_pass.high,
                        "accept_low": r.accept.low,
                        "accept_high": r.accept.high,
                        "verdict": r.outcome.value,
                    }
                    for r in rows
                ],
            },
        )

    def undecided(self, sample: CellSample, share: Share, reason: str) -> CellVerdict:
        """INCONCLUSIVE, because there is no interval."""
        return self.verdict(
            Outcome.INCONCLUSIVE,
            sample,
            share,
            rule=self.rule.name,
            validity="not applied",
            advice=reason,
            figure=points_figure(sample, sample.values(self.statistic)),
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
        require(self.target is not None, f"{self.where}: target", "given", self.target, ClaimError)
        require_in(self.tolerance, 0.0, math.inf, f"{self.where}: tolerance")
        super().__post_init__()

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Require that the target evaluates."""
        evaluate_nearly(self.target, values, "target")

    def same_field(self, other: Check, name: str) -> bool:
        """Targets are the same if their values are."""
        return self.same_values(other, name) if name == "target" else super().same_field(other, name)

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        return f"\\mathbb{{E}}\\left[{self.quantity}\\right] = {latex(self.target)}"

    def accepted(self, sample: CellSample) -> list[Interval]:
        """``theta (1 +- tolerance)`` at every point."""
        targets = bound_values(self.target, sample, "target")
        return [Interval(t - h, t + h) for t, h in ((t, self.tolerance * (abs(t) or 1.0)) for t in targets)]

    def threshold_text(self, accepted: Interval) -> str:
        """In words."""
        return f"the mean within {100 * self.tolerance:g} % of the stated value: in {accepted}"


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

    def threshold_text(self, accepted: Interval) -> str:
        """In words."""
        return "the mean difference above zero"
