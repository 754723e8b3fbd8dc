"""What the kinds that are decided by a growth exponent share.

The estimand is the slope of ``E[log(Y / r)]`` against the log of the lead size.
Each trial runs every point of the path, so its slopes are i.i.d. over trials
whatever the noise does along the path, and every quantity below (whole slope,
tail slope, local slopes, ...) is the mean of a linear functional of a trial's
log-vector.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import sympy

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, bound_values, lead_sizes, points_figure, require_in, shape_warnings
from whp.claims.experiment import CellSample
from whp.claims.path import evaluate
from whp.claims.verdict import CellVerdict, Outcome
from whp.errors import ClaimError, require
from whp.interval import Interval


@dataclass(frozen=True)
class Exponent:
    """A slope with its two-sided interval at each of the two error rates."""

    estimate: float
    at_fail: Interval
    at_pass: Interval
    sd: float

    @classmethod
    def of(cls, slopes: np.ndarray, share: Share, resolution: float = 0.0) -> Exponent:
        """From per-trial slopes, shape (trials,)."""
        return cls(
            float(np.mean(slopes)),
            stats.t_sequence(slopes, share.false_fail, resolution=resolution),
            stats.t_sequence(slopes, share.false_pass, resolution=resolution),
            float(np.std(slopes, ddof=1)) if len(slopes) > 1 else math.nan,
        )


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
        inside = sympy.sympify(self.soft).replace(
            lambda e: isinstance(e, sympy.log), lambda e: sympy.Integer(2)
        )
        powers = sorted(symbol.name for symbol in inside.free_symbols)
        require(
            not powers,
            "soft",
            "made of logarithms only, as a power could excuse anything",
            powers,
            ClaimError,
        )
        soft = evaluate(self.soft, values, "soft")
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
        rule = f"{stats.T_SEQUENCE.name} on per-trial slopes"
        validity = stats.T_SEQUENCE.validity
        refused = self.unmeasured(sample, share, rule, validity)
        if refused is not None:
            return refused
        values = sample.values(self.statistic)  # (trials, points)
        scale = self.scale(sample)  # (points,)
        if len(values) < 2:
            return self.undecided(sample, share, "One trial has no spread: make at least two.")
        if values.min() < 0:
            reason = f"The statistic must be non-negative to have an exponent, got {values.min():.6g}."
            return self.undecided(sample, share, reason, figure=points_figure(sample, values))
        values = np.where(values <= self.floor, 0.0, values)
        if not values.all():
            return self._with_zeros(sample, share, values)

        sizes = lead_sizes(sample)
        logs = np.log(values) - np.log(scale)  # (trials, points)
        weights = stats.slope_weights(np.log(sizes))
        tail_count = stats.tail_points(len(sizes))
        tail_weights = np.zeros_like(weights)
        tail_weights[-tail_count:] = stats.slope_weights(np.log(sizes[-tail_count:]))
        rounding = self.rounding * float(np.abs(tail_weights).sum())
        whole = Exponent.of(logs @ weights, share, rounding)
        tail = Exponent.of(logs @ tail_weights, share, rounding)
        outcome, threshold = self.judge(whole, tail)
        if self.soft != 1:
            threshold += f"; to FAIL, growth beyond the hidden factor {self.soft} as well"
        report = stats.slope_report(sizes, logs, share.false_pass, resolution=self.rounding)
        largest = stats.upper_tail_slope(sizes, logs, share.false_pass)
        trials = len(values)
        veto = self._veto(outcome, whole, tail, largest)
        if outcome is Outcome.FAIL and not veto:
            # The hidden factor excuses growth under an upper bound, and decline over a lower one.
            excuse = np.log(bound_values(self.soft, sample, f"{self.where}: soft"))
            softened = logs - np.sign(whole.estimate) * excuse
            slopes = (Exponent.of(softened @ w, share, rounding) for w in (weights, tail_weights))
            if self.judge(*slopes)[0] is not Outcome.FAIL:
                veto = (
                    f"Y / r changes, but not surely faster than the factor {self.soft} that the statement"
                    " hides: at these sizes the logarithm decides, and only much larger ones would tell."
                )
        if not veto and min(np.ptp(logs @ weights), np.ptp(logs @ tail_weights)) <= rounding:
            veto = too_few_equal(outcome, trials, share)
        if veto:
            outcome = Outcome.INCONCLUSIVE
        warnings = self._warnings(whole, tail, report) + shape_warnings(logs @ weights, "Per-trial slopes")
        implied = np.exp(logs.mean(axis=0))
        return self.verdict(
            outcome,
            sample,
            share,
            estimate=whole.estimate,
            interval=self.reported(whole, outcome),
            rule=rule,
            validity=validity,
            threshold=threshold,
            advice=veto or self._advice(outcome, whole, tail, share, trials),
            detectable=stats.detectable(whole.sd, trials, share.false_fail),
            slack=float(implied.max()),
            warnings=warnings,
            figure={
                **points_figure(sample, values),
                "bound": scale.tolist(),
                "claimed_slope": float(weights @ np.log(scale)),
                "accepted": {"low": self.accepted.low, "high": self.accepted.high},
                "fit": {
                    "slope": whole.estimate,
                    "low": whole.at_pass.low,
                    "high": whole.at_pass.high,
                    "intercept": float(logs.mean() - whole.estimate * np.log(sizes).mean()),
                },
                "tail": {"from": float(sizes[-tail_count]), **ends_of(tail.estimate, tail.at_pass)},
                "implied_constant": implied.tolist(),
                **finite_size(report, sizes),
            },
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
        reason = too_few_equal(outcome, len(values), share)
        return self.verdict(
            Outcome.INCONCLUSIVE if reason else outcome,
            sample,
            share,
            estimate=0.0,
            interval=Interval(0.0, 0.0),
            rule="identically zero",
            validity="exact, if a statistic that is off vanishes in at most half of the trials",
            threshold="the statistic is zero in every trial; no exponent is fitted",
            advice=reason or "The statistic vanishes: every upper bound holds trivially, and no lower one.",
            slack=0.0,
            figure=figure,
        )

    def undecided(self, sample: CellSample, share: Share, reason: str, **fields: Any) -> CellVerdict:
        """INCONCLUSIVE, because there is no exponent."""
        rule = f"{stats.T_SEQUENCE.name} on per-trial slopes"
        return self.verdict(
            Outcome.INCONCLUSIVE, sample, share, rule=rule, validity="not applied", advice=reason, **fields
        )

    def _veto(self, outcome: Outcome, whole: Exponent, tail: Exponent, largest: stats.UpperTail) -> str:
        """Say why a decision is not taken after all, or nothing; this can only lower the error rates."""
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

    def _advice(self, outcome: Outcome, whole: Exponent, tail: Exponent, share: Share, trials: int) -> str:
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


def too_few_equal(outcome: Outcome, trials: int, share: Share) -> str:
    """Say that equal values are too few to decide by, or nothing.

    An interval of width zero is right for a statistic that is not random. What
    can be said of one that may be: if its value were another in half of the
    trials or more, all would agree with probability at most ``2**-trials``.
    """
    rate = share.false_fail if outcome is Outcome.FAIL else share.false_pass
    need = math.ceil(-math.log2(rate))
    if outcome is Outcome.INCONCLUSIVE or trials >= need:
        return ""
    return f"All {trials} trials agree; {need} that agree would decide."


def ends_of(estimate: float, interval: Interval) -> dict[str, float]:
    return {"estimate": estimate, "low": interval.low, "high": interval.high}


def finite_size(report: stats.SlopeReport, sizes: np.ndarray) -> dict[str, Any]:
    """What shows how far from asymptotic the path is."""
    ends = [float(size) for size in sizes]
    extra: dict[str, Any] = {
        "local_slopes": [
            {"size_low": a, "size_high": b, **ends_of(e.value, e.interval)}
            for a, b, e in zip(ends[:-1], ends[1:], report.local, strict=True)
        ],
        "tail_slopes": [
            {"from": size, **ends_of(e.value, e.interval)}
            for size, e in zip(ends[:-1], report.from_smallest, strict=True)
        ],
    }
    if report.curvature is not None:
        extra["curvature"] = ends_of(report.curvature.value, report.curvature.interval)
    if report.corrected is not None:
        extra["corrected"] = ends_of(report.corrected.value, report.corrected.interval)
    return extra
