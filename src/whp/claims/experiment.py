"""What is measured: a function of a point and a random stream, and the design it is run on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from whp.claims.path import RESERVED, Path, Point, Value
from whp.errors import ClaimError, MeasurementError, fail, require

PROFILES = ("quick", "standard", "paper")


class Status(StrEnum):
    """How a trial ended. Every outcome is counted; none is dropped."""

    OK = "ok"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    INVALID = "invalid"
    ERROR = "error"
    CRASHED = "crashed"


@dataclass(frozen=True)
class TrialResult:
    """The outcome of one trial: its named statistics, or why there are none."""

    status: Status
    statistics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """Where an experiment is run: the path, the cells, and how many trials.

    Attributes
    ----------
    path : Path or None
        None for a search, which has no sizes.
    over : mapping of str to sequence
        Cell variables; the cells are their product.
    trials : (int, int)
        The least and the most trials a point. A claim stops at the first look
        at which it is decided; looks are at the least, and then 1.5 times as
        many each, up to the most.
    only : callable or None
        Keeps the cells for which it is true, where the full product is too much.
    """

    path: Path | None
    over: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    trials: tuple[int, int] = (8, 40)
    only: Callable[[dict[str, Value]], bool] | None = None

    def __post_init__(self) -> None:
        pair = isinstance(self.trials, (tuple, list)) and [type(x) for x in self.trials] == [int, int]
        ordered = pair and (2 <= self.trials[0] <= self.trials[1] or tuple(self.trials) == (1, 1))
        rule = "(least, most), two integers with 2 <= least <= most"
        require(ordered, "trials", rule, self.trials, ClaimError)
        for name, values in self.over.items():
            listed = isinstance(values, (list, tuple)) and len(values) > 0
            where = f"over[{name!r}]"
            require(listed, where, "a non-empty list", values, ClaimError)
            for value in values:
                plain = isinstance(value, (int, str)) or (isinstance(value, float) and math.isfinite(value))
                require(plain, where, "made of finite numbers and strings of Python", value, ClaimError)
            require(len(set(values)) == len(values), where, "free of repetitions", values, ClaimError)
            clash = self.path is not None and name in self.path.names
            require(not clash, where, "a name that is not a size of the path", name, ClaimError)
            require(name not in RESERVED, where, f"called other than {', '.join(RESERVED)}", name, ClaimError)

    def cells(self) -> list[dict[str, Value]]:
        """Every combination of the cell variables, in order of declaration."""
        product = itertools.product(*self.over.values())
        cells = [dict(zip(self.over, values, strict=True)) for values in product]
        kept = [cell for cell in cells if self.only is None or self.only(cell)]
        require(bool(kept), "over", "left with at least one cell", self.over, ClaimError)
        return kept

    def points(self, cell: Mapping[str, Value], dtype: str = "float64") -> list[Point]:
        """The points of the path in one cell."""
        if self.path is None:
            return [Point(dict(cell), dtype)]
        return [Point({**cell, **sizes}, dtype) for sizes in self.path.sizes(cell)]

    def distinct_values(self) -> list[dict[str, Value]]:
        """The values at every point of every cell, those that differ in words only once.

        Expressions see numbers only, so this is all that a declaration needs to evaluate.
        """
        found: dict[tuple[tuple[str, Value], ...], dict[str, Value]] = {}
        for cell in self.cells():
            numbers = tuple((k, v) for k, v in cell.items() if not isinstance(v, str))
            found.setdefault(numbers, cell)
        return [{**point.values} for cell in found.values() for point in self.points(cell)]

    def looks(self) -> list[int]:
        """Trial counts at which a decision is tried."""
        low, high = self.trials
        looks = [low]
        while looks[-1] < high:
            looks.append(min(high, math.ceil(1.5 * looks[-1])))
        return looks


Measure = Callable[[Point, np.random.Generator, Any], float | Mapping[str, float]]


@dataclass(frozen=True)
class Experiment:
    """A measurement and its designs; several claims may share one.

    Attributes
    ----------
    measure : callable
        ``measure(point, rng, device)`` returns the statistic, or named ones.
        Never a boolean: always the quantity.
    name : str
        Identifies its trials in the ledger, e.g. ``"hu2020.thm_3_2"``.
    designs : mapping
        Profile to design; all three profiles are present.
    dtype : str
        ``"float32"`` or ``"float64"``.
    time_limit : float
        Seconds a trial may take; a breach is an outcome.
    memory_limit : float
        GB that a trial may allocate; a breach is an outcome.
    failure_probability : float
        Probability, per trial, that a certified statistic is wrong; charged to the budget.
    needs : tuple of str
        Data sets without which it is not run at all, and nothing is kept of it.
    """

    measure: Measure
    name: str
    designs: Mapping[str, Design]
    source: FilePath
    dtype: str = "float64"
    time_limit: float = 300.0
    memory_limit: float = 4.0
    failure_probability: float = 0.0
    needs: tuple[str, ...] = ()

    def design(self, profile: str) -> Design:
        """The design of a profile."""
        require(profile in PROFILES, "profile", f"one of {', '.join(PROFILES)}", profile, ClaimError)
        return self.designs[profile]

    def run(self, point: Point, rng: np.random.Generator, device: Any) -> TrialResult:
        """Measure once and check what comes back.

        Raises
        ------
        MeasurementError
            If the statistic is None, of the wrong type or shape, NaN or infinite.
        """
        raw = self.measure(point, rng, device)
        notes: dict[str, str] = {}
        if not isinstance(raw, Mapping):
            raw = {"value": raw}
        require(bool(raw), "measurement", "at least one named statistic", raw, MeasurementError)
        statistics: dict[str, float] = {}
        for name, value in raw.items():
            if isinstance(value, str):
                notes[name] = value
            else:
                statistics[name] = _as_float(name, value)
        require(bool(statistics), "measurement", "at least one number", raw, MeasurementError)
        return TrialResult(Status.OK, statistics, notes=notes)


def _as_float(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, or say what is wrong with it."""
    where = f"statistic {name!r}"
    truth = isinstance(value, (bool, np.bool_)) or str(getattr(value, "dtype", "")).endswith("bool")
    if value is None or truth:
        fail(where, "a real number (the quantity, not a verdict on it)", value, MeasurementError)
    shape = getattr(value, "shape", ())
    require(tuple(shape) == (), where, "a single number", f"shape {tuple(shape)}", MeasurementError)
    try:
        number = float(value)
    except (TypeError, ValueError):
        fail(where, "a real number", value, MeasurementError)
    require(math.isfinite(number), where, "finite", number, MeasurementError)
    return number


def default_name(source: FilePath, measure: Callable[..., Any]) -> str:
    """``FOLDER.FILE.FUNCTION``; a lambda has no name that would tell its trials from those of another."""
    named = measure.__name__.isidentifier()
    require(named, "measurement", "a function with a name (or give name=...)", measure.__name__, ClaimError)
    return f"{source.parent.name}.{source.stem}.{measure.__name__}"


def experiment(
    *,
    standard: Design,
    quick: Design | None = None,
    paper: Design | None = None,
    name: str | None = None,
    dtype: str = "float64",
    time_limit: float = 300.0,
    memory_limit: float = 4.0,
    failure_probability: float = 0.0,
    needs: tuple[str, ...] = (),
) -> Callable[[Measure], Experiment]:
    """Declare the function below as what is measured.

    ``quick`` and ``paper`` default to ``standard``. The name defaults to
    ``FOLDER.FILE.FUNCTION``. ``needs`` names data sets (``whp data list``):
    where one is missing the experiment is not run, and its claims are INCONCLUSIVE.
    """
    require(dtype in ("float32", "float64"), "dtype", "float32 or float64", dtype, ClaimError)
    require(time_limit > 0, "time_limit", "positive seconds", time_limit, ClaimError)
    require(memory_limit > 0, "memory_limit", "positive GB", memory_limit, ClaimError)
    require(
        0 <= failure_probability < 1e-3,
        "failure_probability",
        "in [0, 1e-3)",
        failure_probability,
        ClaimError,
    )
    named = isinstance(needs, tuple) and all(isinstance(name, str) and name for name in needs)
    require(named, "needs", "a tuple of names of data sets", needs, ClaimError)

    def declare(measure: Measure) -> Experiment:
        source = FilePath(measure.__code__.co_filename)
        designs = {"quick": quick or standard, "standard": standard, "paper": paper or standard}
        for design in designs.values():
            design.distinct_values()  # raises here, at declaration, what is wrong with a size
        label = name or default_name(source, measure)
        return Experiment(
            measure, label, designs, source, dtype, time_limit, memory_limit, failure_probability, needs
        )

    return declare


@dataclass(frozen=True)
class CellSample:
    """The trials of one experiment in one cell: ``trials[s][k]`` is trial ``s`` at point ``k``."""

    experiment: Experiment
    cell: Mapping[str, Value]
    points: Sequence[Point]
    trials: Sequence[Sequence[TrialResult]]
    _read: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    def prefix(self, count: int) -> CellSample:
        """The first ``count`` trials."""
        return replace(self, trials=self.trials[:count])

    def values(self, statistic: str) -> np.ndarray:
        """Return the statistic, shape (trials, points), NaN where a trial failed; not to be written to."""
        if statistic not in self._read:
            self._read[statistic] = self._values(statistic)
        return self._read[statistic]

    def _values(self, statistic: str) -> np.ndarray:
        values = np.full((len(self.trials), len(self.points)), math.nan)
        for at, row in enumerate(self.trials):
            for k, result in enumerate(row):
                if result.status is not Status.OK:
                    continue
                if statistic not in result.statistics:
                    names = ", ".join(sorted(result.statistics))
                    fail("statistic", f"one of {names}", statistic, ClaimError)
                values[at, k] = result.statistics[statistic]
        values.flags.writeable = False
        return values

    @property
    def failures(self) -> dict[str, int]:
        """How many trials ended in each status other than ok."""
        counts: dict[str, int] = {}
        for row in self.trials:
            for result in row:
                if result.status is not Status.OK:
                    counts[result.status.value] = counts.get(result.status.value, 0) + 1
        return counts
