"""Run the calibration: batches of simulated claims in parallel, each kept in a ledger."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from whp.calibration.study import PROFILES, STUDIES, CellResult, EventRate, Standing, StudyCell
from whp.claims.experiment import Status, TrialResult
from whp.engine.executors import LocalProcesses, SerialExecutor, TrialExecutor
from whp.engine.fingerprint import module_digest
from whp.engine.ledger import Ledger, Stream
from whp.errors import UsageError, require
from whp.seeding import generator

OnBatch = Callable[[int, int], None]
"""Called with the number of batches that are done and of all."""


@dataclass(frozen=True)
class Calibration:
    """A finished calibration.

    Attributes
    ----------
    results : tuple of CellResult
        In the order of the studies.
    profile, seed
        As asked for.
    seconds : float
        Wall time of this run.
    measured, reused : int
        Batches that were simulated now, and that came from the ledger.
    """

    results: tuple[CellResult, ...]
    profile: str
    seed: int
    seconds: float
    measured: int
    reused: int

    def rates(self, guarantee: str) -> list[tuple[CellResult, EventRate]]:
        """Every promised rate of the cells with this guarantee."""
        return [
            (result, rate)
            for result in self.results
            if result.guarantee == guarantee
            for rate in result.rates
            if rate.nominal is not None
        ]

    def worst(self, guarantee: str) -> tuple[CellResult, EventRate] | None:
        """The cell with the largest measured rate against nominal; None where no rate is promised."""
        return max(self.rates(guarantee), key=lambda pair: pair[1].ratio, default=None)

    @property
    def standing(self) -> Standing:
        """The worst standing of a rate that is claimed to be exact."""
        found = {rate.standing for _, rate in self.rates("exact")}
        return next((s for s in (Standing.EXCEEDS, Standing.OPEN) if s in found), Standing.HOLDS)


def simulate_batch(cell: StudyCell, seed: int, index: int) -> TrialResult:
    """Simulate one batch; its numbers depend on the seed, the cell and the index only."""
    start = time.process_time()
    rng = generator(seed, "calibration", cell.study, cell.name, index)
    sums = {key: float(value) for key, value in cell.simulate(rng, cell.batch).items()}
    return TrialResult(Status.OK, sums, seconds=time.process_time() - start)


def calibrate(
    cells: Sequence[StudyCell],
    *,
    profile: str = "quick",
    seed: int = 0,
    jobs: int = 1,
    ledger_path: Path,
    on_batch: OnBatch = lambda done, total: None,
) -> Calibration:
    """Simulate all batches of some cells that the ledger does not have yet, and add up.

    Parameters
    ----------
    cells : sequence of StudyCell
        Those with no simulated claims in the profile are left out.
    profile : str
        quick or full.
    seed : int
        Root seed.
    jobs : int
        Worker processes; one: everything happens in this process.
    ledger_path : Path
        SQLite file; batches are found again by study, cell, seed, index, and a digest of the source of the
        study with all that it imports.
    on_batch : callable
        Hears of progress.

    Returns
    -------
    Calibration

    Raises
    ------
    UsageError
        An option breaks its rule, or no cell is left.
    LedgerError
        The ledger cannot be read or written.
    """
    require(profile in PROFILES, "--profile", f"one of {', '.join(PROFILES)}", profile, UsageError)
    require(jobs >= 1, "--jobs", "at least 1", jobs, UsageError)
    require(seed >= 0, "--seed", "a non-negative integer", seed, UsageError)
    kept = [cell for cell in cells if cell.batches(profile)]
    require(bool(kept), "cells", f"given at least one that is in profile {profile}", len(cells), UsageError)
    start = time.monotonic()
    streams = {study: _stream(study, seed) for study in {cell.study for cell in kept}}
    batches = [(cell, index) for cell in kept for index in range(cell.batches(profile))]
    with Ledger(ledger_path) as ledger:
        known = {study: ledger.load(stream) for study, stream in streams.items()}
        todo = [(cell, i) for cell, i in batches if (cell.key, i) not in known[cell.study]]
        done = len(batches) - len(todo)
        for cell, index, result in _simulated(todo, seed, jobs):
            known[cell.study][cell.key, index] = result
            ledger.put_many([(streams[cell.study], cell.key, index, result)])
            done += 1
            on_batch(done, len(batches))
    results = tuple(_result(cell, profile, known[cell.study]) for cell in kept)
    seconds = time.monotonic() - start
    return Calibration(results, profile, seed, seconds, len(todo), len(batches) - len(todo))


def _stream(study: str, seed: int) -> Stream:
    file = importlib.import_module(STUDIES[study]).__file__
    require(file is not None, "study", "a module with a source file", study)
    return Stream(module_digest(Path(str(file))), f"calibration.{study}", seed, "float64", "cpu")


def _result(cell: StudyCell, profile: str, known: Mapping[tuple[str, int], TrialResult]) -> CellResult:
    """Add up in the order of the batches, whatever the order in which they came in."""
    rows = [known[cell.key, index] for index in range(cell.batches(profile))]
    sums = [row.statistics for row in rows]
    return CellResult.of(cell, cell.batch * len(rows), sums, sum(row.seconds for row in rows))


def _simulated(
    todo: Sequence[tuple[StudyCell, int]], seed: int, jobs: int
) -> Iterator[tuple[StudyCell, int, TrialResult]]:
    """Yield batches as they get done, a few tasks ahead of the workers."""
    executor: TrialExecutor = SerialExecutor() if jobs == 1 or not todo else LocalProcesses(jobs)
    flying: dict[Future[TrialResult], tuple[StudyCell, int]] = {}
    waiting = iter(todo)
    try:
        while True:
            ahead = 1 if executor.jobs == 1 else 2 * executor.jobs
            for cell, index in islice(waiting, ahead - len(flying)):
                flying[executor.submit(simulate_batch, cell, seed, index)] = (cell, index)
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                cell, index = flying.pop(future)
                yield cell, index, future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=bool(flying))
