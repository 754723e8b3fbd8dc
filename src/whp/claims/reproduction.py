"""Kind reproduction: a number or an exponent that a figure or table prints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import lead_sizes, require_in
from whp.claims.experiment import PROFILES, CellSample
from whp.claims.means import MeanCheck
from whp.claims.ruling import finite_size
from whp.claims.verdict import CellVerdict
from whp.errors import ClaimError, fail, require
from whp.interval import Interval


@dataclass(frozen=True, kw_only=True)
class Reproduction(MeanCheck):
    """A number printed in a figure or table, measured at the printed sizes.

    The interval inside ``printed +- tolerance`` passes, disjoint from it
    fails. Away from the printed sizes the check is not decided.

    Attributes
    ----------
    printed : float
        The printed number.
    tolerance : float
        Absolute.
    at : mapping of str to int
        The printed sizes; a point with others is not what the paper shows.
    slope_between : (float, float) or None
        The number is the slope of log Y against the log of the lead size over
        the points in this range; otherwise it is the mean of Y at every point.
    """

    kind: ClassVar[str] = "reproduction"

    printed: float = math.nan
    tolerance: float = math.nan
    at: Mapping[str, int] | None = None
    slope_between: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        require_in(self.printed, -math.inf, math.inf, f"{self.where}: printed")
        require_in(self.tolerance, 0.0, math.inf, f"{self.where}: tolerance")
        if self.slope_between is not None:
            pair = isinstance(self.slope_between, (tuple, list)) and len(self.slope_between) == 2
            rule = "a pair low < high"
            ordered = pair and self.slope_between[0] < self.slope_between[1]
            require(ordered, f"{self.where}: slope_between", rule, self.slope_between, ClaimError)
        super().__post_init__()
        self._require_reachable()

    def _require_reachable(self) -> None:
        """Some profile must have the printed sizes, or nothing could ever be decided."""
        samples = [
            CellSample(self.experiment, cell, design.points(cell), [])
            for design in (self.experiment.design(profile) for profile in PROFILES)
            for cell in design.cells()
        ]
        reasons = [self.away(sample) for sample in samples]
        if all(reasons):
            rule = "measured in some profile at the printed sizes"
            fail(f"{self.where}: at", rule, reasons[-1], ClaimError)

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        if self.slope_between is None:
            return f"{self.quantity} = {self.printed:g}"
        path = self.experiment.design("standard").path
        lead = "" if path is None else path.lead
        return f"{self.quantity} \\propto {lead}^{{{self.printed:g}}}"

    def _range(self, sample: CellSample) -> np.ndarray:
        sizes = lead_sizes(sample)
        low, high = self.slope_between or (0.0, math.inf)
        return (sizes >= low) & (sizes <= high)

    def columns(self, sample: CellSample) -> np.ndarray:
        """The per-trial slope, or the values themselves."""
        values = sample.values(self.statistic)
        if self.slope_between is None:
            return values
        inside = self._range(sample)
        weights = stats.slope_weights(np.log(lead_sizes(sample)[inside]))
        slopes: np.ndarray = np.log(values[:, inside]) @ weights
        return slopes[:, None]

    def accepted(self, sample: CellSample) -> list[Interval]:
        """``printed +- tolerance``."""
        count = 1 if self.slope_between is not None else len(sample.points)
        return [Interval(self.printed - self.tolerance, self.printed + self.tolerance)] * count

    def decisions_per_cell(self, points: int) -> int:
        """One slope, or every point."""
        return 1 if self.slope_between is not None else points

    def threshold_text(self, accepted: Interval) -> str:
        """In words."""
        over = ""
        if self.slope_between is not None:
            over = f" (slope over {self.slope_between[0]:g} to {self.slope_between[1]:g})"
        return f"within {self.tolerance:g} of the printed {self.printed:g}{over}"

    def away(self, sample: CellSample) -> str:
        """Say in what the sizes are not the printed ones, or nothing."""
        away = {
            f"{name} = {point.values.get(name)} where the paper has {size}": None
            for point in sample.points
            for name, size in (self.at or {}).items()
            if point.values.get(name) != size
        }
        if not away and self.slope_between is not None and int(self._range(sample).sum()) < 3:
            return "fewer than three points in the stated range"
        return "; ".join(away)

    def refusal(self, sample: CellSample, share: Share) -> CellVerdict | None:
        """As a mean; and away from the printed sizes nothing is decided."""
        refused = self.unmeasured(sample, share, self.rule.name, self.rule.validity)
        if refused is not None:
            return refused
        away = self.away(sample)
        if away:
            reason = f"Not measured at the printed sizes ({away}): run a larger profile."
            return self.undecided(sample, share, reason)
        if self.slope_between is not None and not sample.values(self.statistic).min() > 0:
            return self.undecided(sample, share, "The statistic must be positive to have a slope.")
        return super().refusal(sample, share)

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """As a mean, at the printed sizes only."""
        verdict = super().decide(sample, share)
        if self.slope_between is None or "means" not in verdict.figure:  # refused
            return verdict
        return replace(verdict, figure={**verdict.figure, **self._along_path(sample, share)})

    def _along_path(self, sample: CellSample, share: Share) -> dict[str, Any]:
        """What the report draws of a slope: the printed one, its range, and how it changes along the path."""
        sizes = lead_sizes(sample)
        inside = sizes[self._range(sample)]
        printed = {"printed": self.printed, "from": float(inside[0]), "to": float(inside[-1])}
        logs = np.log(sample.values(self.statistic))
        if len(logs) < 2:
            return {"slope": printed}
        return {"slope": printed, **finite_size(stats.slope_report(sizes, logs, share.false_pass), sizes)}
