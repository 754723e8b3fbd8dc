"""Run claims: make the trials that decisions need, keep them, and stop when all is decided."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from whp.claims.budget import Budget
from whp.claims.claim import Claim
from whp.claims.experiment import Experiment, Status, TrialResult
from whp.claims.referee import Referee
from whp.claims.verdict import CellVerdict, Verdict
from whp.devices import resolve_device
from whp.engine.choice import check_executor, make_executor
from whp.engine.environment import environment
from whp.engine.events import ClaimDecided, Listener, Progress, RunStarted
from whp.engine.executors import TrialExecutor
from whp.engine.fingerprint import fingerprint
from whp.engine.ledger import Ledger, Stream
from whp.engine.loading import all_experiments, holds
from whp.engine.needs import missing_needs
from whp.engine.remote import StuckError
from whp.engine.schedule import Cell, Lane, Schedule
from whp.engine.worker import GRACE, Task, measure
from whp.errors import ExecutorError, UsageError, WhpError, require

TICK = 0.25  # seconds between looks at the clock


@dataclass(frozen=True)
class BrokenClaim:
    """A claim that could not be carried through, and why, in one sentence."""

    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message}"


@dataclass(frozen=True)
class RunResult:
    """What a run has found.

    Attributes
    ----------
    verdicts : tuple of Verdict
        In the order of the claims; partial after an interrupt.
    interrupted : bool
        Whether Ctrl-C ended it; the same call goes on where it stopped.
    measured, reused : int
        Trials made now, and trials of the ledger that were asked for.
    seconds : float
        Of the clock.
    seed : int
        The root seed; not the caller's when ``fresh``.
    broken : tuple of BrokenClaim
        Claims without a verdict.
    twin_cells : mapping
        Claim id and name of a false twin to its decisions, cell by cell; only
        where twins asked for trials.
    """

    verdicts: tuple[Verdict, ...]
    interrupted: bool
    measured: int
    reused: int
    seconds: float
    seed: int
    broken: tuple[BrokenClaim, ...] = ()
    twin_cells: Mapping[str, Mapping[str, tuple[CellVerdict, ...]]] = field(default_factory=dict)


def run(
    claims: Sequence[Claim],
    *,
    profile: str,
    seed: int,
    jobs: int | None = None,
    device: str = "cpu",
    ledger_path: Path,
    budget: Budget,
    on_event: Listener | None = None,
    fresh: bool = False,
    command: str = "",
    executor: str | TrialExecutor = "auto",
    decide_twins: bool = False,
) -> RunResult:
    """Measure until every claim is decided or has made its most trials.

    The verdicts are a function of claims, profile, seed and budget: the same
    for any number of jobs, any order, and any interruption.

    Parameters
    ----------
    claims : sequence of Claim
        What to decide; at least one.
    profile : str
        ``quick``, ``standard`` or ``paper``.
    seed : int
        Root seed. With ``fresh`` another one is drawn from the system.
    jobs : int, optional
        Worker processes; see :func:`whp.engine.choice.make_executor`.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:K``.
    ledger_path : Path
        Where trials are kept and found again.
    budget : Budget
        The two error rates of the run.
    on_event : callable, optional
        Is told of progress.
    command : str
        Recorded in the verdicts.
    executor : str or TrialExecutor
        Where tasks run: a name for :func:`whp.engine.choice.make_executor`, which is called when there is
        something to measure, or what is shut down at the end.
    decide_twins : bool
        Whether false twins ask for trials too; see Referee.

    Raises
    ------
    UsageError, LedgerError, ClaimError
        If an argument is wrong, or the ledger cannot be used.
    ExecutorError
        If the workers cannot be used or are lost; what came back is in the ledger.
    """
    require(bool(claims), "claims", "at least one", list(claims), UsageError)
    if isinstance(executor, str):
        check_executor(executor, jobs)
    require(isinstance(seed, int) and seed >= 0, "seed", "a non-negative integer", seed, UsageError)
    where = resolve_device(device)
    referee = Referee(claims, profile, budget, decide_twins=decide_twins)
    root_seed = secrets.randbits(63) if fresh else seed
    with Ledger(ledger_path) as ledger:
        session = _Session(referee, claims, profile, root_seed, str(where), ledger, command, on_event)
        return session.execute(jobs, executor)


def homes(claims: Sequence[Claim]) -> dict[str, Path]:
    """The file in which a worker finds each experiment, by its name."""
    found: dict[str, Path] = {}
    for claim in claims:
        for experiment in all_experiments(claim):
            if experiment.name not in found:
                here = holds(experiment.source, experiment)
                found[experiment.name] = (experiment.source if here else claim.source).resolve()
    return found


@dataclass
class _Flight:
    """A task on its way."""

    task: Task
    cell: Cell
    lane: Lane
    overdue: bool = False


class _Session:
    """One run, while it goes on."""

    def __init__(
        self,
        referee: Referee,
        claims: Sequence[Claim],
        profile: str,
        seed: int,
        device: str,
        ledger: Ledger,
        command: str,
        on_event: Listener | None,
    ) -> None:
        self._referee = referee
        self._claims = list(claims)
        self._profile = profile
        self._seed = seed
        self._device = device
        self._ledger = ledger
        self._command = command
        self._tell: Listener = on_event or (lambda event: None)
        self._start = time.monotonic()
        self._environment = environment(device)
        self._schedule = Schedule([])
        self._flights: dict[Future[list[tuple[int, TrialResult]]], _Flight] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._spoiled: dict[str, str] = {}  # experiment name: why it gives no verdict
        self._broken: dict[str, BrokenClaim] = {}
        self._measured = 0
        self._known = 0
        self._told = 0.0

    def execute(self, jobs: int | None, executor: str | TrialExecutor) -> RunResult:
        """Run to the end, or to Ctrl-C."""
        interrupted = False
        try:
            self._prepare()
            self._measure(jobs, executor)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            if isinstance(executor, TrialExecutor):
                executor.shutdown(wait=True, cancel_futures=True)
        self._ledger.flush()
        for claim in self._claims:
            if claim.id not in self._verdicts:
                self._decide(claim)
        recalled = [(t, cell) for cell in self._schedule.cells for lane in cell.lanes for t in lane.recalled]
        return RunResult(
            verdicts=tuple(self._verdicts[c.id] for c in self._claims if c.id in self._verdicts),
            interrupted=interrupted,
            measured=self._measured,
            reused=sum(trial < cell.wanted for trial, cell in recalled),
            seconds=time.monotonic() - self._start,
            seed=self._seed,
            broken=tuple(self._broken.values()),
            twin_cells={
                c.id: self._referee.twin_cells(c)
                for c in self._claims
                if c.id in self._verdicts and self._referee.decide_twins
            },
        )

    def _prepare(self) -> None:
        """Make the cells, and give them what the ledger has."""
        places = homes(self._claims)
        for experiment in self._referee.experiments:
            if absent := missing_needs(experiment):
                self._referee.leave_out(experiment, absent)
                continue
            home = places[experiment.name]
            digest = fingerprint(experiment, home)
            stream = Stream(digest, experiment.name, self._seed, experiment.dtype, device_class(self._device))
            known = self._ledger.load(stream)
            for values in experiment.design(self._profile).cells():
                cell = Cell(experiment, self._profile, values, home, stream)
                lanes = {lane.point.key: lane for lane in cell.lanes}
                for (point, trial), result in known.items():
                    if point in lanes and trial < cell.most:
                        lanes[point].add(trial, result)
                        lanes[point].recalled.add(trial)
                        self._known += 1
                cell.open()
                self._schedule.cells.append(cell)
        self._tell(RunStarted(len(self._claims), len(self._schedule.cells), self._known, self._seed))
        for cell in self._schedule.cells:
            self._look(cell)
        for experiment in self._referee.experiments:
            self._finish_claims(experiment)  # those of which no experiment can be run

    def _measure(self, jobs: int | None, executor: str | TrialExecutor) -> None:
        """Keep the workers busy until no cell is open."""
        if all(cell.closed for cell in self._schedule.cells):
            return
        own = isinstance(executor, str)
        workers = make_executor(executor, jobs, self._device) if isinstance(executor, str) else executor
        try:
            while not all(cell.closed for cell in self._schedule.cells):
                self._fill(workers)
                done, _ = wait(self._flights, timeout=TICK, return_when=FIRST_COMPLETED)
                touched = [self._receive(future) for future in done]
                self._fill(workers)  # before the looks: workers must not wait for statistics
                for cell in dict.fromkeys(touched):
                    self._look(cell)
                self._ledger.tick()
                self._watch(workers)
                self._tell_progress(workers.jobs)
        except ExecutorError:
            for future in [future for future in self._flights if future.done()]:
                with suppress(ExecutorError):
                    self._receive(future)
            raise
        finally:
            if own:
                workers.shutdown(wait=True, cancel_futures=True)

    def _fill(self, workers: TrialExecutor) -> None:
        jobs = workers.jobs
        if len(self._flights) >= jobs * workers.ahead:
            return
        seconds = self._schedule.slice(jobs, workers.slice_seconds)
        while len(self._flights) < jobs * workers.ahead and (chosen := self._schedule.next()) is not None:
            cell, lane = chosen
            task = cell.task(lane, self._device, lane.take(seconds), seconds)
            self._flights[workers.submit(measure, task)] = _Flight(task, cell, lane)

    def _receive(self, future: Future[list[tuple[int, TrialResult]]]) -> Cell:
        """Keep the outcomes of a task, or find out what became of it."""
        flight = self._flights.pop(future)
        cell, lane, trials = flight.cell, flight.lane, flight.task.trials
        lane.in_flight -= len(trials)
        try:
            results = future.result()
        except (BrokenExecutor, CancelledError) as loss:
            flight.overdue = flight.overdue or isinstance(loss, StuckError)
            results = self._outcomes_of_loss(flight)
        except ExecutorError:
            raise
        except WhpError as error:
            self._spoil(cell.experiment, error)
            results = []
        else:
            missing = trials[len(results) :]
            lane.waiting.extendleft(reversed(missing))
        for trial, result in results:
            lane.add(trial, result)
        self._measured += len(results)
        self._ledger.put_many((cell.stream, lane.point.key, trial, result) for trial, result in results)
        return cell

    def _outcomes_of_loss(self, flight: _Flight) -> list[tuple[int, TrialResult]]:
        """A lost worker is a retried trial, a few times; one that was stuck alone has had its time."""
        limit, trials = flight.task.time_limit, flight.task.trials
        if flight.overdue and len(trials) == 1:
            message = f"did not come back from compiled code within three times its limit of {limit:g} s"
            return [(trials[0], TrialResult(Status.TIMEOUT, seconds=3 * limit + GRACE, message=message))]
        message = "its worker process died each time that it was tried"
        result = TrialResult(Status.CRASHED, message=message)
        return [(trial, result) for trial in flight.lane.lost(trials)]

    def _watch(self, workers: TrialExecutor) -> None:
        """Abandon tasks that are stuck in compiled code, which no alarm interrupts."""
        for future, flight in self._flights.items():
            if not flight.overdue and workers.seconds(future) > flight.task.patience:
                flight.overdue = True
                workers.abandon(future)

    def _look(self, cell: Cell) -> None:
        """Look as often as the trials that are there allow."""
        while not cell.closed and cell.complete:
            try:
                decided = self._referee.look(cell.experiment, cell.sample())
            except WhpError as error:
                self._spoil(cell.experiment, error)
                break
            cell.advance(decided)
        if cell.closed:
            self._finish_claims(cell.experiment)

    def _spoil(self, experiment: Experiment, error: WhpError) -> None:
        """Give up an experiment; the others go on."""
        self._spoiled.setdefault(experiment.name, str(error))
        for cell in self._schedule.cells:
            if cell.experiment.name == experiment.name:
                cell.close()
        self._finish_claims(experiment)

    def _finish_claims(self, experiment: Experiment) -> None:
        """Decide the claims whose last cell has just been closed."""
        open_names = {cell.experiment.name for cell in self._schedule.cells if not cell.closed}
        if experiment.name in open_names:
            return
        for claim in self._claims:
            names = {e.name for e in claim.experiments()}
            if claim.id in self._verdicts or experiment.name not in names or names & open_names:
                continue
            self._decide(claim)
            if claim.id in self._verdicts:
                done = len(self._verdicts) + len(self._broken)
                self._tell(ClaimDecided(self._verdicts[claim.id], done, len(self._claims)))

    def _decide(self, claim: Claim) -> None:
        """Take the verdict on a claim from what has been looked at."""
        names = {e.name for e in claim.experiments()}
        spoiled = [message for name, message in self._spoiled.items() if name in names]
        if spoiled:
            self._broken[claim.id] = BrokenClaim(claim.id, spoiled[0])
            return
        seconds = sum(cell.seconds for cell in self._schedule.cells if cell.experiment.name in names)
        try:
            self._verdicts[claim.id] = self._referee.verdict(
                claim, seed=self._seed, seconds=seconds, environment=self._environment, command=self._command
            )
        except WhpError as error:
            self._broken[claim.id] = BrokenClaim(claim.id, str(error))

    def _tell_progress(self, jobs: int) -> None:
        if time.monotonic() - self._told < TICK:
            return
        self._told = time.monotonic()
        done, planned, spent, total, timed = self._schedule.progress()
        self._tell(Progress(done, planned, spent, total, (total - spent) / jobs if timed else None))


def device_class(device: str) -> str:
    """Devices of one class are taken to give the same numbers."""
    return device.partition(":")[0]
