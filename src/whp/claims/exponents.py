"""What the kinds that are decided by a growth exponent share.

The estimand is the slope of ``E[log(Y / r)]`` against the log of the lead size.
Each trial runs every point of the path, so its slopes are i.i.d. over trials
whatever the noise does along the path, and every quantity below (whole slope,
tail slope, local slopes, ...) is the mean of a linear functional of a trial's
log-vector.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import sympy

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, bound_values, join, lead_sizes, points_figure, require_in
from whp.claims.experiment import CellSample
from whp.claims.holds import (
    SKEWNESS_OF_SLOPES,
    hold_for_dependence,
    hold_for_shape,
    hold_for_ties,
    shape_warnings,
)
from whp.claims.path import evaluate_nearly
from whp.claims.ruling import RULE, Exponent, Ruling, ends_of, finite_size, functionals
from whp.claims.verdict import CellVerdict, Guarantee, Outcome
from whp.errors import ClaimError, require
from whp.interval import Interval


@functools.lru_cache(maxsize=256)
def _outside_logarithms(factor: Any) -> list[str]:
    """Symbols of which a factor is made otherwise than by their logarithm."""
    inside = sympy.sympify(factor).replace(lambda e: isinstance(e, sympy.log), lambda e: sympy.Integer(2))
    return sorted(symbol.name for symbol in inside.free_symbols)


@dataclass(frozen=True, kw_only=True)
class ExponentCheck(Check):
    """Common to the kinds that fit an exponent.

    Attributes
    ----------
    tolerance : float
        The discrepancy: an exponent beyond it is what must not PASS.
    rounding : float
        Relative rounding error of the statistic; keeps a deterministic
        statistic's last digits from being read as a discrepancy.
    floor : float
        Absolute rounding error of the statistic: a value up to it is zero.
    soft : expression
        A power of a logarithm that the statement hides (in a soft O, or in an
        exponent ``Omega(alpha)``), by default none. It never helps to PASS; to
        FAIL, Y must outgrow the rate times this factor too.
    """

    needs_path: ClassVar[bool] = True

    tolerance: float = 0.1
    rounding: float = 1e-12
    floor: float = 0.0
    soft: Any = 1

    def __post_init__(self) -> None:
        require_in(self.tolerance, 0.0, 1.0, f"{self.where}: tolerance")
        for name in ("rounding", "floor"):
            value = getattr(self, name)
            good = isinstance(value, (int, float)) and 0 <= value < 1
            require(good, f"{self.where}: {name}", "in [0, 1)", value, ClaimError)
        super().__post_init__()

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Require that the hidden factor is positive and made of known symbols."""
        powers = _outside_logarithms(self.soft)
        require(
            not powers,
            "soft",
            "made of logarithms only, as a power could excuse anything",
            powers,
            ClaimError,
        )
        soft = evaluate_nearly(self.soft, values, "soft")
        require(soft > 0, "soft", "positive along the path", soft, ClaimError)

    @abstractmethod
    def scale(self, sample: CellSample) -> np.ndarray:
        """What the statistic is divided by, shape (points,)."""

    @abstractmethod
    def judge(self, whole: Exponent, tail: Exponent) -> tuple[Outcome, str]:
        """Decide from the exponent along the whole path and along its tail; say what was compared."""

    @property
    def accepted(self) -> Interval:
        """The exponents of Y / r that PASS."""
        return Interval(-math.inf, self.tolerance)

    def vanishing(self) -> Outcome:
        """The verdict where the statistic is exactly zero throughout."""
        return Outcome.PASS

    def reported(self, whole: Exponent, outcome: Outcome) -> Interval:
        """The interval to show: each end at the error rate that it serves."""
        return Interval(whole.at_fail.low, whole.at_pass.high)

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """See the class of the kind."""
        refused = self._refusal(sample, share)
        if refused is not None:
            return refused
        ruling = self.rule(sample, share)
        logs, sizes, whole, tail = ruling.logs, ruling.sizes, ruling.whole, ruling.tail
        report = stats.slope_report(sizes, logs, share.false_pass, resolution=self.rounding)
        trials = len(logs)
        implied = np.exp(logs.mean(axis=0))
        scale = self.scale(sample)
        return self.verdict(
            ruling.outcome,
            sample,
            share,
            estimate=whole.estimate,
            interval=self.reported(whole, ruling.outcome),
            rule=RULE,
            validity=stats.T_SEQUENCE.validity,
            guarantee=Guarantee.ASYMPTOTIC,
            threshold=ruling.threshold,
            advice=join([ruling.said, ruling.hold or self._advice(ruling, share)]),
            detectable=stats.detectable(whole.sd, trials, share.false_fail),
            slack=float(implied.max()),
            warnings=self._warnings(whole, tail, report)
            + shape_warnings(ruling.slopes[:, 0], "Per-trial slopes"),
            figure={
                **points_figure(sample, sample.values(self.statistic)),
                "bound": scale.tolist(),
                "claimed_slope": float(stats.slope_weights(np.log(sizes)) @ np.log(scale)),
                "accepted": {"low": self.accepted.low, "high": self.accepted.high},
                "fit": {
                    "slope": whole.estimate,
                    "low": whole.at_pass.low,
                    "high": whole.at_pass.high,
                    "intercept": float(logs.mean() - whole.estimate * np.log(sizes).mean()),
                },
                "tail": {
                    "from": float(sizes[-stats.tail_points(len(sizes))]),
                    **ends_of(tail.estimate, tail.at_pass),
                },
                "implied_constant": implied.tolist(),
                **finite_size(report, sizes),
                **ruling.figure,
            },
        )

    def outcome(self, sample: CellSample, share: Share) -> Outcome:
        """The decision alone."""
        refused = self._refusal(sample, share)
        return self.rule(sample, share).outcome if refused is None else refused.outcome

    def _refusal(self, sample: CellSample, share: Share) -> CellVerdict | None:
        """The verdict where there is no exponent; None where there is one."""
        refused = self.unmeasured(sample, share, RULE, stats.T_SEQUENCE.validity)
        if refused is not None:
            return refused
        values = sample.values(self.statistic)  # (trials, points)
        if len(values) < 2:
            return self.undecided(sample, share, "One trial has no spread: make at least two.")
        if values.min() < 0:
            reason = f"The statistic must be non-negative to have an exponent, got {values.min():.6g}."
            return self.undecided(sample, share, reason, figure=points_figure(sample, values))
        if values.min() <= self.floor:
            return self._with_zeros(sample, share, np.where(values <= self.floor, 0.0, values))
        return None

    def rule(self, sample: CellSample, share: Share) -> Ruling:
        """Decide from a sample that has an exponent."""
        sizes = lead_sizes(sample)
        logs = np.log(sample.values(self.statistic)) - np.log(self.scale(sample))  # (trials, points)
        weights = functionals(sizes)  # (points, 2)
        rounding = self.rounding * float(np.abs(weights[:, 1]).sum())
        slopes = logs @ weights
        whole, tail = (Exponent.of(column, share, rounding) for column in slopes.T)
        outcome, threshold = self.judge(whole, tail)
        if self.soft != 1:
            threshold += f"; to FAIL, growth beyond the hidden factor {self.soft} as well"
        hold = ""
        if outcome is not Outcome.INCONCLUSIVE:
            failed, equal = outcome is Outcome.FAIL, np.ptp(slopes, axis=0).min() <= rounding
            hold = (
                self._veto(outcome, whole, tail, stats.upper_tail_slope(sizes, logs, share.false_pass))
                or (self._excuse(sample, share, logs, weights, rounding) if failed else "")
                or (hold_for_ties(outcome, len(logs), share) if equal else "")
                or hold_for_dependence(slopes[:, :1])
                or hold_for_shape(slopes, SKEWNESS_OF_SLOPES, "Per-trial slopes")
            )
        outcome = Outcome.INCONCLUSIVE if hold else outcome
        return Ruling(outcome, threshold, hold, logs, sizes, slopes, whole, tail)

    def _excuse(
        self, sample: CellSample, share: Share, logs: np.ndarray, weights: np.ndarray, rounding: float
    ) -> str:
        """Say that the hidden factor explains growth under an upper bound, or decline over a lower one."""
        if self.soft == 1:
            return ""
        factor = np.log(bound_values(self.soft, sample, f"{self.where}: soft"))
        softened = logs - np.sign((logs @ weights[:, 0]).mean()) * factor
        slopes = (Exponent.of(column, share, rounding) for column in (softened @ weights).T)
        if self.judge(*slopes)[0] is Outcome.FAIL:
            return ""
        return (
            f"Y / r changes, but not surely faster than the factor {self.soft} that the statement"
            " hides: at these sizes the logarithm decides, and only much larger ones would tell."
        )

    def _with_zeros(self, sample: CellSample, share: Share, values: np.ndarray) -> CellVerdict:
        """Where the statistic is zero there is no logarithm: decide without one, or not at all."""
        figure = points_figure(sample, values)
        if values.any():
            reason = (
                "The statistic is zero in some trials and positive in others: it has no exponent."
                " State the claim as a bound."
            )
            return self.undecided(sample, share, reason, figure=figure)
        outcome = self.vanishing()
        reason = hold_for_ties(outcome, len(values), share, anywhere=False)
        return self.verdict(
            Outcome.INCONCLUSIVE if reason else outcome,
            sample,
            share,
            estimate=0.0,
            interval=Interval(0.0, 0.0),
            rule="identically zero",
            guarantee=Guarantee.EXACT,
            validity="exact, if a statistic that is off vanishes in at most half of the trials",
            threshold="the statistic is zero in every trial; no exponent is fitted",
            advice=reason or "The statistic vanishes: every upper bound holds trivially, and no lower one.",
            slack=0.0,
            figure=figure,
        )

    def undecided(self, sample: CellSample, share: Share, reason: str, **fields: Any) -> CellVerdict:
        """INCONCLUSIVE, because there is no exponent."""
        return self.verdict(
            Outcome.INCONCLUSIVE, sample, share, rule=RULE, validity="not applied", advice=reason, **fields
        )

    def _veto(self, outcome: Outcome, whole: Exponent, tail: Exponent, largest: stats.UpperTail) -> str:
        """Say why a decision is not taken at this look after all, or nothing."""
        drift = tail.estimate - whole.estimate
        ahead = tail.estimate + drift
        drifts = abs(drift) > self.tolerance
        seen = f"{whole.estimate:.3f} over all of the path, {tail.estimate:.3f} over its tail"
        if outcome is Outcome.PASS and drifts and not self.accepted.contains(ahead):
            return f"The exponent drifts towards the threshold ({seen}): lengthen the path."
        if outcome is Outcome.FAIL and drifts and self.accepted.contains(ahead):
            return f"The exponent drifts towards what is accepted ({seen}): lengthen the path."
        if outcome is Outcome.PASS and largest.interval.low > self.accepted.high:
            return (
                "The typical value obeys, but the largest trial at each point does not: exponent"
                f" {largest.slope:.3f} {largest.interval}."
            )
        return ""

    def _warnings(self, whole: Exponent, tail: Exponent, report: stats.SlopeReport) -> list[str]:
        """What a reader should know whatever was decided."""
        warnings: list[str] = []
        if abs(tail.estimate - whole.estimate) > self.tolerance:
            warnings.append(
                f"The exponent changes along the path: {whole.estimate:.3f} over all of it,"
                f" {tail.estimate:.3f} over its tail."
            )
        if report.spread_slope.interval.low > 0:
            warnings.append(
                "The spread over trials grows along the path: the sd of log Y by"
                f" {report.spread_slope.value:.3f} an e-fold of size."
            )
        return warnings

    def _advice(self, ruling: Ruling, share: Share) -> str:
        outcome, whole, tail, trials = ruling.outcome, ruling.whole, ruling.tail, len(ruling.logs)
        if outcome is Outcome.PASS:
            if whole.at_pass.low > 0:
                return (
                    f"Passes within the tolerance, but a small growth is sure (exponent at least"
                    f" {whole.at_pass.low:.3f}): lengthen the path to see whether it dies out."
                )
            return "Nothing to do; larger sizes would tighten the exponent."
        if outcome is Outcome.FAIL:
            return "Check the measurement by a second route; if it stands, add a corrected sibling."
        needs = [self._trials_needed(e, share) for e in (whole, tail)]
        sides = {self.accepted.contains(e.estimate) for e in (whole, tail)}
        if None in needs:
            said = f"At this noise and margin no number of trials is sure to decide; {trials} were made."
        elif (need := max(n for n in needs if n is not None)) > trials:
            said = f"About {need} trials a point would decide at this noise; {trials} were made."
        else:
            said = f"A few more trials should decide; {trials} were made."
        apart = "The path and its tail point different ways: if that stays so, lengthen the path."
        return said if len(sides) == 1 else f"{said} {apart}"

    def _trials_needed(self, exponent: Exponent, share: Share) -> int | None:
        """Trials after which this exponent would PASS, if it is accepted, or else FAIL."""
        ends = (self.accepted.low, self.accepted.high)
        margin = min(abs(exponent.estimate - end) for end in ends)
        if margin == 0:
            return None
        rate = share.false_pass if self.accepted.contains(exponent.estimate) else share.false_fail
        return stats.trials_needed(exponent.sd, margin, rate)
