"""Which trials are wanted, and which comes next."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from whp.claims.experiment import CellSample, Experiment, TrialResult
from whp.claims.path import Point, Value
from whp.engine.ledger import Stream
from whp.engine.worker import SLICE, Task

SHORTEST = 0.1  # seconds of work that a task should have at least, where its lane has so much
RETRIES = 2  # of a trial whose worker was lost


@dataclass
class Lane:
    """The trials at one point of one cell: made, waiting, lost with a worker, recalled from the ledger."""

    point: Point
    results: dict[int, TrialResult] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    losses: dict[int, int] = field(default_factory=dict)
    recalled: set[int] = field(default_factory=set)
    in_flight: int = 0
    spent: float = 0.0

    def add(self, trial: int, result: TrialResult) -> None:
        """Keep the outcome of a trial."""
        self.results[trial] = result
        self.spent += result.seconds

    @property
    def mean_seconds(self) -> float | None:
        """Of a trial; None before the first."""
        return self.spent / len(self.results) if self.results else None

    def want(self, count: int) -> None:
        """Queue those of the trials 0..count-1 that are not there."""
        self.waiting = deque(trial for trial in range(count) if trial not in self.results)

    def take(self, seconds: float = SLICE) -> tuple[int, ...]:
        """Remove the trials of the next task from the queue: about so many seconds of work.

        The first trial of a lane goes alone, to time the others; so does one
        whose worker was lost, to know whose fault it was.
        """
        mean = self.mean_seconds
        if mean is None or self.waiting[0] in self.losses:
            length = 1
        else:
            length = max(1, int(seconds / max(mean, 1e-6)))
        taken: list[int] = []
        while self.waiting and len(taken) < length and (not taken or self.waiting[0] not in self.losses):
            taken.append(self.waiting.popleft())
        self.in_flight += len(taken)
        return tuple(taken)

    def lost(self, trials: Iterable[int]) -> list[int]:
        """Queue the trials of a lost worker again, each alone; return those that had their retries."""
        hopeless = []
        for trial in trials:
            self.losses[trial] = self.losses.get(trial, 0) + 1
            if self.losses[trial] > RETRIES:
                hopeless.append(trial)
            else:
                self.waiting.append(trial)
        return hopeless


class Cell:
    """One cell of an experiment: its lanes, and how far it has been looked at."""

    def __init__(
        self, experiment: Experiment, profile: str, values: Mapping[str, Value], home: Path, stream: Stream
    ) -> None:
        design = experiment.design(profile)
        self.experiment = experiment
        self.values = values
        self.home = home
        self.stream = stream
        self.lanes = [Lane(point) for point in design.points(values, experiment.dtype)]
        self.looked = 0
        self.closed = False
        self._looks = deque(design.looks())

    @property
    def wanted(self) -> int:
        """Trials at the next look, or at the last one when closed."""
        return self.looked if self.closed else self._looks[0]

    @property
    def most(self) -> int:
        """Trials at the last look."""
        return self._looks[-1] if self._looks else self.looked

    def task(self, lane: Lane, device: str, trials: tuple[int, ...], seconds: float = SLICE) -> Task:
        """Some trials of a lane, as a worker wants them."""
        return Task(
            home=str(self.home),
            experiment=self.experiment.name,
            fingerprint=self.stream.fingerprint,
            values=dict(lane.point.values),
            dtype=lane.point.dtype,
            seed=self.stream.seed,
            device=device,
            time_limit=self.experiment.time_limit,
            trials=trials,
            slice_seconds=seconds,
        )

    def open(self) -> None:
        """Queue what the next look needs."""
        for lane in self.lanes:
            lane.want(self.wanted)

    @property
    def complete(self) -> bool:
        """Whether every trial of the next look is there."""
        return not any(lane.waiting or lane.in_flight for lane in self.lanes)

    def sample(self) -> CellSample:
        """The complete trials of the next look."""
        rows = [[lane.results[trial] for lane in self.lanes] for trial in range(self.wanted)]
        return CellSample(self.experiment, self.values, [lane.point for lane in self.lanes], rows)

    def advance(self, decided: bool) -> None:
        """Go to the next look, or close."""
        self.looked = self._looks.popleft()
        if decided or not self._looks:
            self.close()
        else:
            self.open()

    def close(self) -> None:
        """Want no more trials."""
        self.closed = True
        for lane in self.lanes:
            lane.waiting.clear()

    @property
    def seconds(self) -> float:
        """Time of the trials that have been looked at."""
        return math.fsum(lane.results[trial].seconds for lane in self.lanes for trial in range(self.looked))


class Schedule:
    """The cells of a run.

    The longest trials go first, those of unknown length (larger points before
    smaller) before all: what is short fills the gaps at the end.
    """

    def __init__(self, cells: list[Cell]) -> None:
        self.cells = cells

    def next(self) -> tuple[Cell, Lane] | None:
        """The lane to take the next task from; None if nothing is waiting."""
        best, longest = None, -1.0
        for cell in self.cells:
            if cell.closed:
                continue
            for lane in reversed(cell.lanes):
                if lane.waiting:
                    mean = lane.mean_seconds
                    length = math.inf if mean is None and not lane.in_flight else mean or 0.0
                    if length > longest:
                        best, longest = (cell, lane), length
        return best

    def slice(self, workers: int, longest: float) -> float:
        """Seconds of work that a task should have: no more than ``longest``, and a share of what waits.

        Half of what every worker would get: towards the end tasks become short, and no worker waits for
        the last one of another.
        """
        waiting = math.fsum(
            len(lane.waiting) * (lane.mean_seconds or 0.0)
            for cell in self.cells
            if not cell.closed
            for lane in cell.lanes
        )
        return min(longest, max(SHORTEST, waiting / (2 * workers)))

    def progress(self) -> tuple[int, int, float, float, bool]:
        """Trials done and planned, their seconds done and planned, and whether all are timed."""
        done = planned = 0
        spent = ahead = 0.0
        timed = True
        known: dict[str, list[float]] = {}
        for cell in self.cells:
            for lane in cell.lanes:
                if lane.mean_seconds is not None:
                    known.setdefault(cell.experiment.name, []).append(lane.mean_seconds)
        for cell in self.cells:
            for lane in cell.lanes:
                left = 0 if cell.closed else len(lane.waiting) + lane.in_flight
                done += len(lane.results)
                planned += len(lane.results) + left
                spent += lane.spent
                if left:
                    means = known.get(cell.experiment.name)
                    timed = timed and means is not None
                    mean = lane.mean_seconds
                    ahead += left * (mean if mean is not None else sum(means) / len(means) if means else 0.0)
        return done, planned, spent, spent + ahead, timed
