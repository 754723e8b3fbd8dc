"""What a decision by an exponent is made from: slopes of trials, their intervals, and what a report adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.verdict import Outcome
from whp.interval import Interval

RULE = f"{stats.T_SEQUENCE.name} on per-trial slopes"


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
        at_fail = stats.t_sequence(slopes, share.false_fail, resolution=resolution)
        at_pass = at_fail
        if share.false_pass != share.false_fail:
            at_pass = stats.t_sequence(slopes, share.false_pass, resolution=resolution)
        sd = float(np.std(slopes, ddof=1)) if len(slopes) > 1 else math.nan
        return cls(float(np.mean(slopes)), at_fail, at_pass, sd)


@dataclass(frozen=True)
class Ruling:
    """A decision and what it was made from.

    Attributes
    ----------
    outcome, threshold
        As in the verdict.
    hold : str
        Why no decision was taken although the intervals allow one, or nothing.
    logs : array, shape (trials, points)
        ``log(Y / r)``.
    sizes : array, shape (points,)
        Of the lead size.
    slopes : array, shape (trials, 2)
        Per-trial slopes along the whole path and along its tail.
    said : str
        What else was found.
    figure : mapping
        Of what else was found.
    """

    outcome: Outcome
    threshold: str
    hold: str
    logs: np.ndarray
    sizes: np.ndarray
    slopes: np.ndarray
    whole: Exponent
    tail: Exponent
    said: str = ""
    figure: Mapping[str, Any] = field(default_factory=dict)


def functionals(sizes: np.ndarray) -> np.ndarray:
    """Weights of the slope along the whole path and along its tail, shape (points, 2)."""
    count = stats.tail_points(len(sizes))
    weights = np.zeros((len(sizes), 2))
    weights[:, 0] = stats.slope_weights(np.log(sizes))
    weights[-count:, 1] = stats.slope_weights(np.log(sizes[-count:]))
    return weights


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
