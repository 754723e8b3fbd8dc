"""Kinds decided by a growth exponent: rate, forall, decay, limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, bound_values, latex, require_in
from whp.claims.experiment import CellSample
from whp.claims.exponents import ExponentCheck
from whp.claims.holds import (
    SKEWNESS_OF_MEANS,
    hold_for_dependence,
    hold_for_few,
    hold_for_shape,
    hold_for_ties,
)
from whp.claims.path import evaluate_nearly
from whp.claims.ruling import Exponent, Ruling, ends_of
from whp.claims.verdict import CellVerdict, Guarantee, Outcome
from whp.errors import ClaimError, require
from whp.interval import Interval

DIRECTIONS = {"upper": r"\lesssim", "lower": r"\gtrsim", "both": r"\asymp"}


@dataclass(frozen=True, kw_only=True)
class Rate(ExponentCheck):
    """``Y <= C r(d, n, m, ...)`` with high probability, C not given (also ``>=``, and both).

    The upper limit of the growth exponent of ``Y / r`` below the tolerance, on
    the whole path and on its tail: PASS (a sure but smaller growth is
    reported); the lower limit above the tolerance on both: FAIL; else
    INCONCLUSIVE. For ``direction="lower"`` with the signs turned, for ``"both"``
    in both directions at once. A correction to scaling gives a true rate a
    small sure growth at all finite sizes; were that enough to FAIL, the look at
    which it is seen would choose between PASS and FAIL.
    """

    kind: ClassVar[str] = "rate"

    bound: Any = None
    direction: str = "upper"

    def __post_init__(self) -> None:
        known = self.direction in DIRECTIONS
        require(known, f"{self.where}: direction", "upper, lower or both", self.direction, ClaimError)
        require(self.bound is not None, f"{self.where}: bound", "given", self.bound, ClaimError)
        super().__post_init__()

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Require that the rate is positive and made of known symbols."""
        super().check_point(values)
        rate = evaluate_nearly(self.bound, values, "bound")
        require(rate > 0, "bound", "positive along the path", rate, ClaimError)

    def same_field(self, other: Check, name: str) -> bool:
        """Rates that differ by a factor are the same rate."""
        if name == "bound":
            return self.same_values(other, name, factor=True)
        return super().same_field(other, name)

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        return f"{self.quantity} {DIRECTIONS[self.direction]} {latex(self.bound)}"

    def scale(self, sample: CellSample) -> np.ndarray:
        """The printed rate at every point."""
        return bound_values(self.bound, sample, "bound")

    @property
    def accepted(self) -> Interval:
        """One-sided in the printed direction."""
        low = -math.inf if self.direction == "upper" else -self.tolerance
        return Interval(low, math.inf if self.direction == "lower" else self.tolerance)

    def vanishing(self) -> Outcome:
        """Zero obeys every upper bound and no lower one."""
        return Outcome.PASS if self.direction == "upper" else Outcome.FAIL

    def reported(self, whole: Exponent, outcome: Outcome) -> Interval:
        """Each end at the error rate that it serves."""
        if self.direction == "upper":
            return Interval(whole.at_fail.low, whole.at_pass.high)
        if self.direction == "lower":
            return Interval(whole.at_pass.low, whole.at_fail.high)
        return whole.at_fail if outcome is Outcome.FAIL else whole.at_pass

    def judge(self, whole: Exponent, tail: Exponent) -> tuple[Outcome, str]:
        """One-sided in the printed direction."""
        tol, both = self.tolerance, (whole, tail)
        up, down = self.direction != "lower", self.direction != "upper"
        small = all(e.at_pass.high < tol for e in both) or not up
        large = all(e.at_pass.low > -tol for e in both) or not down
        grows = up and all(e.at_fail.low > tol for e in both)
        falls = down and all(e.at_fail.high < -tol for e in both)
        side = {"upper": f"below {tol:g}", "lower": f"above {-tol:g}", "both": f"within {tol:g} of zero"}
        threshold = f"growth exponent of Y/r {side[self.direction]}, on the whole path and on its tail"
        if small and large:
            return Outcome.PASS, threshold
        return (Outcome.FAIL if grows or falls else Outcome.INCONCLUSIVE), threshold


@dataclass(frozen=True, kw_only=True)
class Forall(Rate):
    """With high probability, for all weights in a ball: the statistic is a supremum found by search.

    Decided as a rate. A search finds a lower bound of the supremum: it can
    refute, not prove, so a PASS is labelled as one by search.
    """

    kind: ClassVar[str] = "forall"

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """As a rate, with the caveat."""
        verdict = super().decide(sample, share)
        caveat = (
            "The supremum was searched for, not proved: a search can refute a 'for all', not establish it."
        )
        found = Guarantee.SEARCH if verdict.outcome is Outcome.PASS else verdict.guarantee
        return replace(verdict, warnings=[*verdict.warnings, caveat], guarantee=found)


@dataclass(frozen=True, kw_only=True)
class Decay(ExponentCheck):
    """``Y <= d^(-Omega(alpha))``: some negative exponent, not given.

    The upper limit of the exponent of Y below zero, on the whole path and on
    its tail: PASS; the lower limit above zero on both: FAIL; else INCONCLUSIVE.
    Zero decay is the statement that must not PASS.
    """

    kind: ClassVar[str] = "decay"

    shown: ClassVar[frozenset[str]] = ExponentCheck.shown | {"power"}

    power: str = r"\Omega(\alpha)"

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        lead = next(iter(self.experiment.design("standard").path.names))  # type: ignore[union-attr]
        return f"{self.quantity} \\lesssim {lead}^{{-{self.power}}}"

    def scale(self, sample: CellSample) -> np.ndarray:
        """One: the exponent is of the statistic itself."""
        return np.ones(len(sample.points))

    @property
    def accepted(self) -> Interval:
        """The negative exponents."""
        return Interval(-math.inf, 0.0)

    def judge(self, whole: Exponent, tail: Exponent) -> tuple[Outcome, str]:
        """Against zero."""
        threshold = "exponent below 0, on the whole path and on its tail"
        if whole.at_pass.high < 0 and tail.at_pass.high < 0:
            return Outcome.PASS, threshold
        if whole.at_fail.low > 0 and tail.at_fail.low > 0:
            return Outcome.FAIL, threshold
        return Outcome.INCONCLUSIVE, threshold


@dataclass(frozen=True, kw_only=True)
class Limit(Decay):
    """``Y_m -> Y`` as a size grows: the statistic is the distance ``|Y_m - Y|``.

    As a decay; and the mean distance, extrapolated to infinite size by the fit
    ``a + c m^(-s)``, must not exceed ``remainder`` times the mean distance at
    the first size. No data at finite sizes tell a slow limit from a remainder:
    it is assumed that the distance less its remainder falls like ``m^(-s)``
    with s between ``order / 2`` and ``2 order``. The intercept falls as s does,
    so to PASS it must be surely below for s = ``2 order`` (and so for all), and
    it FAILs where it is surely above even for s = ``order / 2``.
    """

    kind: ClassVar[str] = "limit"

    remainder: float = 0.4
    order: float = 0.5

    def __post_init__(self) -> None:
        require_in(self.remainder, 0.0, 1.0, f"{self.where}: remainder")
        require_in(self.order, 0.0, math.inf, f"{self.where}: order")
        super().__post_init__()

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        lead = next(iter(self.experiment.design("standard").path.names))  # type: ignore[union-attr]
        return f"{self.quantity} \\to 0 \\quad ({lead} \\to \\infty)"

    def decisions_per_cell(self, points: int) -> int:
        """A growing distance fails the claim, and so does what is left of it."""
        return 2

    def rule(self, sample: CellSample, share: Share) -> Ruling:
        """As a decay, then the extrapolated distance."""
        ruling = super().rule(sample, share)
        values = sample.values(self.statistic)  # (trials, points)
        first = float(values[:, 0].mean())
        # Linear in a trial's values, so its mean has a t-sequence; a ratio of means has none.
        excess = np.column_stack(
            [
                (values @ stats.limit_weights(ruling.sizes, order) - self.remainder * values[:, 0]) / first
                for order in (self.order, 2.0 * self.order, 0.5 * self.order)
            ]
        )  # (trials, 3)
        expected, fastest, slowest = (Exponent.of(column, share) for column in excess.T)
        outcome, hold = ruling.outcome, ruling.hold
        if slowest.at_fail.low > 0:
            outcome = Outcome.FAIL
        elif outcome is Outcome.PASS and not (expected.at_pass.high < 0 and fastest.at_pass.high < 0):
            outcome = Outcome.INCONCLUSIVE
        if outcome is not Outcome.INCONCLUSIVE:
            equal = np.ptp(excess, axis=0).min() <= self.rounding
            hold = (
                hold_for_few(len(values))
                or (hold_for_ties(outcome, len(values), share) if equal else "")
                or hold_for_dependence(excess)
                or hold_for_shape(excess, SKEWNESS_OF_MEANS, "Distances")
            )
        left = Interval(self.remainder + expected.at_pass.low, self.remainder + expected.at_pass.high)
        estimate = self.remainder + expected.estimate
        ends = sorted(self.remainder + each.estimate for each in (slowest, fastest))
        said = (
            f"Extrapolated to infinite size, {estimate:.3f} {left} of the first distance is left, and from"
            f" {ends[0]:.3f} to {ends[1]:.3f} at half to twice the order (to PASS: below {self.remainder:g})."
        )
        return replace(
            ruling,
            outcome=Outcome.INCONCLUSIVE if hold else outcome,
            hold=hold,
            threshold=f"{ruling.threshold}; at infinity below {self.remainder:g} of the first distance",
            said=said,
            figure={"limit": ends_of(estimate, left)},
        )
