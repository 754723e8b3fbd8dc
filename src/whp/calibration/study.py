"""A cell of the calibration: what is simulated, which events are counted, and how often they may happen."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from whp.errors import InputError, UsageError, require
from whp.interval import Interval

STUDIES: dict[str, str] = {
    "sequences": "whp.calibration.sequences",
    "decisions": "whp.calibration.decisions",
    "resumption": "whp.calibration.resumption",
    "searches": "whp.calibration.searches",
    "splitting": "whp.calibration.splitting",
    "suites": "whp.calibration.suites",
    "norms": "whp.calibration.norms",
    "matrix means": "whp.calibration.matrix_coverage",
}
"""Study to its module, which has ``cells() -> list[StudyCell]``."""

PROFILES = ("quick", "full")
GUARANTEES = ("exact", "asymptotic", "none")
FACTOR = 1.2
"""A rate holds when its upper confidence limit is at most so many times nominal."""
CONFIDENCE = 0.95

Simulate = Callable[[np.random.Generator, int], Mapping[str, float]]


@dataclass(frozen=True)
class StudyCell:
    """Simulated claims of one sort.

    Attributes
    ----------
    study, name : str
        The study, and one line that is unique in it.
    simulate : callable
        ``simulate(rng, count)`` makes ``count`` simulated claims and returns how often each event of
        ``nominal`` happened among them; a key that is no event is a sum, and its mean is shown.
    nominal : mapping of str to float or None
        Event to the rate that it must not exceed; None for what is shown and not judged, such as power.
    guarantee : str
        ``exact`` or ``asymptotic``, by what theory says of the rule on such values; ``none`` for a method
        that is shown for contrast.
    count, quick_count : int
        Simulated claims in the profiles full and quick, multiples of ``batch``; 0: not in quick.
    batch : int
        Simulated claims in one task, of some seconds.
    facts : mapping
        Columns of the table: kind, noise, looks, trials, truth, ...

    Raises
    ------
    InputError
        If the fields break these rules.
    """

    study: str
    name: str
    simulate: Simulate
    nominal: Mapping[str, float | None]
    guarantee: str
    count: int
    quick_count: int
    batch: int
    facts: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"{self.study}: {self.name}"
        require(self.guarantee in GUARANTEES, f"{where}: guarantee", " or ".join(GUARANTEES), self.guarantee)
        require(self.batch >= 1, f"{where}: batch", "at least 1", self.batch)
        for name in ("count", "quick_count"):
            value = getattr(self, name)
            require(value >= 0 and value % self.batch == 0, f"{where}: {name}", "a multiple of batch", value)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        """A worker finds the cell again by its name: what simulates need not be picklable."""
        return find_cell, (self.study, self.name)

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        return json.dumps([self.name, self.batch])

    def batches(self, profile: str) -> int:
        """How many tasks a profile takes."""
        return (self.quick_count if profile == "quick" else self.count) // self.batch


class Standing(StrEnum):
    """What the simulated claims say of a nominal rate."""

    HOLDS = "holds"
    EXCEEDS = "exceeds"
    OPEN = "open"
    SHOWN = "shown"

    @property
    def meaning(self) -> str:
        """One sentence."""
        return {
            Standing.HOLDS: f"The upper confidence limit is at most {FACTOR:g} times the nominal rate.",
            Standing.EXCEEDS: "The lower confidence limit is above the nominal rate.",
            Standing.OPEN: "Too few simulated claims to tell.",
            Standing.SHOWN: "Not a rate that is promised.",
        }[self]


@dataclass(frozen=True)
class EventRate:
    """How often an event happened among ``count`` simulated claims, with its Clopper-Pearson interval."""

    event: str
    hits: int
    count: int
    nominal: float | None
    interval: Interval

    @classmethod
    def of(cls, event: str, hits: int, count: int, nominal: float | None) -> EventRate:
        """From the counts."""
        return cls(event, hits, count, nominal, clopper_pearson(hits, count))

    @property
    def rate(self) -> float:
        """The measured rate."""
        return self.hits / self.count

    @property
    def ratio(self) -> float:
        """Measured over nominal; NaN where nothing is promised."""
        if self.nominal is None:
            return math.nan
        if self.nominal == 0:
            return math.inf if self.hits else 0.0
        return self.rate / self.nominal

    @property
    def standing(self) -> Standing:
        """The verdict on the nominal rate; what must never happen exceeds at its first occurrence."""
        if self.nominal is None:
            return Standing.SHOWN
        if self.nominal == 0:
            return Standing.EXCEEDS if self.hits else Standing.HOLDS
        if self.interval.high <= FACTOR * self.nominal:
            return Standing.HOLDS
        return Standing.EXCEEDS if self.interval.low > self.nominal else Standing.OPEN


def clopper_pearson(hits: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Exact two-sided interval for a probability (Clopper and Pearson 1934; statsmodels).

    Parameters
    ----------
    hits, count : int
        ``0 <= hits <= count``, count at least 1.
    confidence : float
        Its coverage, in (0, 1).

    Raises
    ------
    InputError
        If the counts break this rule.
    """
    # Imported here: statsmodels takes about a second to load.
    from statsmodels.stats.proportion import proportion_confint

    require(count >= 1 and 0 <= hits <= count, "counts", "0 <= hits <= count, count >= 1", (hits, count))
    low, high = proportion_confint(hits, count, alpha=1.0 - confidence, method="beta")
    # At no hits, or all, statsmodels gives NaN or the exact end, depending on its version.
    return Interval(0.0 if hits == 0 else float(low), 1.0 if hits == count else float(high))


@dataclass(frozen=True)
class CellResult:
    """What was measured in a cell.

    Attributes
    ----------
    study, name, guarantee, facts
        Of the cell.
    claims : int
        Simulated claims.
    rates : tuple of EventRate
        One for each event.
    means : mapping
        Means of other figures.
    seconds : float
        Processor time that the cell took.
    """

    study: str
    name: str
    guarantee: str
    facts: Mapping[str, str | float]
    claims: int
    rates: tuple[EventRate, ...]
    means: Mapping[str, float]
    seconds: float

    @classmethod
    def of(
        cls, cell: StudyCell, claims: int, batches: Sequence[Mapping[str, float]], seconds: float
    ) -> CellResult:
        """Add up the batches of a cell."""
        sums = {key: math.fsum(batch[key] for batch in batches) for key in batches[0]}
        missing = sorted(set(cell.nominal) - set(sums))
        require(not missing, f"{cell.study}: {cell.name}: events", "counted by simulate", missing, InputError)
        rates = [EventRate.of(event, round(sums[event]), claims, n) for event, n in cell.nominal.items()]
        means = {key: total / claims for key, total in sums.items() if key not in cell.nominal}
        return cls(cell.study, cell.name, cell.guarantee, cell.facts, claims, tuple(rates), means, seconds)


@lru_cache(maxsize=1)
def all_cells() -> Mapping[tuple[str, str], StudyCell]:
    """Every cell of every study, by study and name."""
    found: dict[tuple[str, str], StudyCell] = {}
    for study, module in STUDIES.items():
        for cell in importlib.import_module(module).cells():
            key = (cell.study, cell.name)
            require(cell.study == study and key not in found, "cell", f"of {study}, and the only one", key)
            found[key] = cell
    return found


def find_cell(study: str, name: str) -> StudyCell:
    """The cell of that name."""
    return all_cells()[study, name]


def select_cells(studies: Sequence[str] = ()) -> list[StudyCell]:
    """The cells of some studies, by default of all.

    Raises
    ------
    UsageError
        If there is no such study.
    """
    for study in studies:
        require(study in STUDIES, "--study", f"one of {', '.join(STUDIES)}", study, UsageError)
    return [cell for cell in all_cells().values() if not studies or cell.study in studies]
