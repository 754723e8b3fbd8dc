"""Plots that a claim shows beside its decisions: curves of its trials, as the paper draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whp.claims.experiment import CellSample, Experiment
from whp.claims.path import Point, Value
from whp.errors import ClaimError, require

COLOURS = 6
"""How many colours a line may ask for."""


@dataclass(frozen=True)
class Line:
    """One curve of a `Plot`: the mean over trials, with a band from the smallest to the largest.

    Attributes
    ----------
    label : str
        What the legend says.
    experiment : Experiment
        Whose trials are drawn; one that a check of the claim rests on.
    statistics : mapping of float to str
        The statistic to draw at each value of x, e.g. ``{1: "loss @1", 10: "loss @10"}``.
    statistic : str
        With ``along``: the statistic to draw at every point of the path.
    along : str
        The size that is x, instead of ``statistics``.
    at : mapping of str to value
        Cell values and sizes of the points to draw. By default the first cell, and, without
        ``along``, the last point of its path.
    dashed : bool
    colour : int
        0 to 5: blue, vermilion, green, orange, purple, grey.
    """

    label: str
    experiment: Experiment
    statistics: Mapping[float, str] = field(default_factory=dict)
    statistic: str = ""
    along: str = ""
    at: Mapping[str, Value] = field(default_factory=dict)
    dashed: bool = False
    colour: int = 0

    def __post_init__(self) -> None:
        where = f"line {self.label!r}"
        one = bool(self.statistics) != bool(self.along) and bool(self.along) == bool(self.statistic)
        got = {"statistics": len(self.statistics), "statistic": self.statistic, "along": self.along}
        require(one, where, "given statistics, or statistic and along", got, ClaimError)
        require(
            self.colour in range(COLOURS), f"{where}: colour", f"0 to {COLOURS - 1}", self.colour, ClaimError
        )

    def record(self, samples: Sequence[CellSample]) -> dict[str, Any]:
        """Return what the report draws; without x where nothing was measured."""
        found = {"label": self.label, "dashed": self.dashed, "colour": self.colour}
        chosen = self._columns(samples)
        if chosen is None:
            return {**found, "x": [], "mean": [], "low": [], "high": [], "trials": 0}
        xs, values = chosen
        good = values[np.isfinite(values).all(axis=1)]  # a trial that failed has no curve
        if not len(good):
            return {**found, "x": [], "mean": [], "low": [], "high": [], "trials": 0}
        return {
            **found,
            "x": xs,
            "mean": good.mean(axis=0).tolist(),
            "low": good.min(axis=0).tolist(),
            "high": good.max(axis=0).tolist(),
            "trials": len(good),
        }

    def _columns(self, samples: Sequence[CellSample]) -> tuple[list[float], np.ndarray] | None:
        """The x, and the values, shape (trials, x); None where nothing fits."""
        for sample in samples:
            fitting = [k for k, point in enumerate(sample.points) if self._fits(point)]
            if not fitting or not sample.trials:
                continue
            if self.along:
                xs = [float(sample.points[k].values[self.along]) for k in fitting]
                return xs, sample.values(self.statistic)[:, fitting]
            columns = [sample.values(name)[:, fitting[-1]] for name in self.statistics.values()]
            return [float(x) for x in self.statistics], np.stack(columns, axis=1)
        return None

    def _fits(self, point: Point) -> bool:
        return all(point.values.get(name) == value for name, value in self.at.items())


@dataclass(frozen=True)
class Plot:
    """A plot of a claim; it decides nothing.

    Attributes
    ----------
    title, x, y : str
        Plain text.
    lines : sequence of Line
    log_x, log_y : bool
    caption : str
        In what it differs from the paper's, and why.
    """

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    log_x: bool = True
    log_y: bool = False
    caption: str = ""

    def __post_init__(self) -> None:
        require(bool(self.lines), f"plot {self.title!r}: lines", "given at least one", self.lines, ClaimError)

    def record(self, samples: Mapping[str, Sequence[CellSample]]) -> dict[str, Any]:
        """Return its JSON form, from the trials of each experiment by name."""
        return {
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "log_x": self.log_x,
            "log_y": self.log_y,
            "caption": self.caption,
            "lines": [line.record(samples.get(line.experiment.name, ())) for line in self.lines],
        }
