"""What the ledger tells of trials that are still to be made: their time, and how they spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from whp.claims.experiment import PROFILES, CellSample, Experiment, TrialResult
from whp.claims.path import Path
from whp.engine.ledger import Ledger, Stream

FEWEST = 4  # trials below which a spread is not worth telling
SEEDS = 3  # that are searched for as many


@dataclass(frozen=True)
class Pilot:
    """Trials that are known already: of the profile that is planned, or of another one.

    Attributes
    ----------
    profile : str
        Where they come from.
    samples : sequence of CellSample
        One for each cell of that profile.
    """

    profile: str
    samples: Sequence[CellSample]

    def __str__(self) -> str:
        return f"{min(len(sample.trials) for sample in self.samples)} trials of profile {self.profile}"


def find_pilot(experiment: Experiment, profile: str, stream: Stream, ledger: Ledger) -> Pilot | None:
    """Return known trials of every cell: of this profile and seed, or else of others; None if too few."""
    others = [seed for seed in ledger.seeds(stream) if seed != stream.seed]
    for seed in [stream.seed, *others][:SEEDS]:
        known = ledger.load(replace(stream, seed=seed))
        for name in (profile, *(other for other in PROFILES if other != profile)):
            samples = list(_samples(experiment, name, known)) if known else []
            if samples and min(len(sample.trials) for sample in samples) >= FEWEST:
                return Pilot(name, samples)
    return None


def _samples(
    experiment: Experiment, profile: str, known: Mapping[tuple[str, int], TrialResult]
) -> Iterator[CellSample]:
    """What is known of each cell of a profile: trials 0..N-1 as far as they are complete."""
    design = experiment.design(profile)
    for cell in design.cells():
        points = design.points(cell, experiment.dtype)
        keys = [point.key for point in points]
        rows: list[list[TrialResult]] = []
        while len(rows) < design.trials[1] and all((key, len(rows)) in known for key in keys):
            rows.append([known[key, len(rows)] for key in keys])
        yield CellSample(experiment, cell, points, rows)


class Clock:
    """Seconds of a trial at any point of an experiment, from those that were timed.

    Parameters
    ----------
    sizes : mapping of str to float
        Point key to the leading size.
    timings : mapping of str to float
        Point key to mean seconds, for some of the points.
    power : float
        Of the size, where only one size was timed.
    """

    def __init__(self, sizes: Mapping[str, float], timings: Mapping[str, float], power: float = 2.0) -> None:
        self._sizes = sizes
        self._power = power
        self._timings = {key: timings[key] for key in sizes if key in timings}
        by_size: dict[float, list[float]] = {}
        for key, seconds in self._timings.items():
            by_size.setdefault(sizes[key], []).append(max(seconds, 1e-6))
        self._curve = sorted((size, sum(s) / len(s)) for size, s in by_size.items())

    @classmethod
    def of(cls, experiment: Experiment, profile: str, timings: Mapping[str, float]) -> Clock:
        """The clock of an experiment, from all profiles in which sizes grow together in the same way.

        A search has no sizes; its time goes by the number of its inputs.
        """
        path = experiment.design(profile).path
        sizes = {}
        for design in experiment.designs.values():
            if _growth(design.path) != _growth(path):
                continue
            for cell in design.cells():
                for point in design.points(cell, experiment.dtype):
                    sizes[point.key] = float(point.values.get(path.lead if path else "examples", 1.0))
        return cls(sizes, timings, 2.0 if path else 1.0)

    def seconds(self, key: str) -> float | None:
        """Of one trial at a point; None if no point was ever timed."""
        if key in self._timings or not self._curve:
            return self._timings.get(key)
        size = self._sizes[key]
        same = dict(self._curve).get(size)
        if same is not None:
            return same
        near = sorted(self._curve, key=lambda pair: abs(math.log(pair[0] / size)))[:2]
        (size0, seconds0), (size1, seconds1) = near[0], near[-1]
        slope = math.log(seconds1 / seconds0) / math.log(size1 / size0) if size1 != size0 else self._power
        return seconds0 * float((size / size0) ** min(max(slope, 0.0), 4.0))


def _growth(path: Path | None) -> object:
    """How sizes grow together, wherever they begin and end."""
    return path and (path.lead, path.expressions)
