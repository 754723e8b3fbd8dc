"""What runs inside a worker: one trial under guard, and tasks of several trials."""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from whp.claims.experiment import Experiment, Status, TrialResult
from whp.claims.path import Point, Value
from whp.engine.fingerprint import fingerprint
from whp.engine.loading import find_experiment
from whp.engine.needs import missing_needs
from whp.errors import ClaimError, MeasurementError
from whp.seeding import generator, stream_entropy

SLICE = 0.5  # seconds of work after which a task hands back what it has, where sending one is cheap
GRACE = 30.0  # seconds beyond three time limits after which compiled code is taken to be stuck

MEMORY_SIGNS = ("can't allocate memory", "DefaultCPUAllocator", "out of memory", "Cannot allocate memory")


@dataclass(frozen=True)
class Task:
    """Some trials at one point, as sent to a worker; plain values, cheap to pickle."""

    home: str
    experiment: str
    fingerprint: str
    values: Mapping[str, Value]
    dtype: str
    seed: int
    device: str
    time_limit: float
    trials: tuple[int, ...]
    slice_seconds: float = SLICE

    @property
    def patience(self) -> float:
        """Seconds after which no alarm can have reached what runs."""
        return 3 * self.time_limit + GRACE + self.slice_seconds


class TimeLimitBreach(BaseException):
    """Raised by the alarm; no ``except Exception`` of a claim can swallow it."""


def measure(task: Task) -> list[tuple[int, TrialResult]]:
    """Run the trials of a task in order, until they are done or a slice of time has passed.

    Returns
    -------
    list of (trial index, outcome)
        At least one; those that are missing are to be sent again.

    Raises
    ------
    ClaimError
        If the claim file is not the one that the coordinator has read, or the
        measurement is not a function of its point and its stream.
    """
    experiment = _experiment(task.home, task.experiment, task.fingerprint)
    point = Point(dict(task.values), task.dtype)
    device = _device(task.device)
    start = time.perf_counter()
    results = []
    for trial in task.trials:
        results.append((trial, run_trial(experiment, point, trial, task.seed, device)))
        if time.perf_counter() - start > task.slice_seconds:
            break
    # Once in every lane, and where it costs little: the first task of a lane has trial 0 alone.
    if task.trials[0] == 1 and len(results) > 1:
        again = run_trial(experiment, point, 1, task.seed, device)
        _require_same(experiment, results[0][1], again, 1e-9 if device.type == "cpu" else 1e-6)
    return results


def _require_same(experiment: Experiment, first: TrialResult, again: TrialResult, tolerance: float) -> None:
    """Require that a trial made again after others gives the same numbers.

    A measurement that keeps something between trials, or draws from elsewhere
    than its stream, makes trials that depend on each other: no error rate holds.
    """
    if first.status is not Status.OK or again.status is not Status.OK:
        return
    for name, value in first.statistics.items():
        other = again.statistics.get(name, math.nan)
        # The tolerance is for sums that are added in no fixed order.
        if not math.isclose(value, other, rel_tol=tolerance, abs_tol=1e-12):
            rule = "the same when a trial is made again (draw from rng only, keep nothing between trials)"
            where = f"{experiment.name}: {name}"
            raise ClaimError(f"{where} must be {rule}, got {value:.6g} and then {other:.6g}")


@cache
def _experiment(home: str, name: str, expected: str) -> Experiment:
    path = Path(home)
    try:
        experiment = find_experiment(path, name)
    except Exception as error:
        rule = "load in a worker as it did before (if it was edited, run it again)"
        raise ClaimError(f"{path.name} must {rule}, got {type(error).__name__}: {error}") from None
    if fingerprint(experiment, path) != expected:
        if absent := missing_needs(experiment):
            raise ClaimError(f"{path.name} must find its data sets in every worker: {absent}")
        raise ClaimError(f"{path.name} must stay as it is during a run, got an edited file; run it again")
    return experiment


@cache
def _device(name: str) -> Any:
    from whp.devices import resolve_device

    return resolve_device(name)


def prepare(needed: Sequence[tuple[str, str]]) -> None:
    """Import claim files and read what their fingerprints cover, before the first trial asks for it.

    ``needed`` has a claim file and the name of an experiment in each of its pairs. What is wrong
    with one the trials will say.
    """
    for home, name in needed:
        with suppress(Exception):
            fingerprint(find_experiment(Path(home), name), Path(home))


def run_trial(experiment: Experiment, point: Point, trial: int, seed: int, device: Any) -> TrialResult:
    """Run one trial; whatever happens is an outcome.

    The numbers are a pure function of seed, experiment, point and trial. The
    global generators are seeded from the same names, so that a claim which
    forgets to use ``rng`` is still reproducible.
    """
    rng = generator(seed, experiment.name, point.key, trial)
    _reset_globals(stream_entropy(seed, experiment.name, point.key, trial, "global"), device)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(), memory_limit(experiment.memory_limit, device):
            warnings.simplefilter("ignore")
            with time_limit(experiment.time_limit):
                result = experiment.run(point, rng, device)
        status, message = result.status, result.message
        statistics, notes = result.statistics, result.notes
    except TimeLimitBreach:
        status, message = Status.TIMEOUT, f"stopped at its time limit of {experiment.time_limit:g} s"
    except MeasurementError as error:
        status, message = Status.INVALID, str(error)
    except (Exception, SystemExit) as error:
        if _is_memory(error):
            status, message = Status.MEMORY, f"needed more than its limit of {experiment.memory_limit:g} GB"
        else:
            status, message = Status.ERROR, _describe(error, experiment.source)
    if status is not Status.OK:
        statistics, notes = {}, {}
    return TrialResult(status, statistics, time.perf_counter() - start, message, notes)


def _reset_globals(entropy: int, device: Any) -> None:
    """Give every trial a global state of its own, whatever ran before it in this process."""
    import torch

    random.seed(entropy)
    np.random.seed(entropy % 2**32)  # noqa: NPY002 - the generator that a careless claim would use
    if device.type == "cuda":
        torch.manual_seed(entropy % 2**63)
    else:  # the same for the CPU, without the half millisecond that goes into CUDA
        torch.default_generator.manual_seed(entropy % 2**63)
    torch.set_default_dtype(torch.float32)


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(sign in str(error) for sign in MEMORY_SIGNS)


def _describe(error: BaseException, source: Path) -> str:
    """Type and text of an error, and the line of the claim file where it came from."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename == str(source)] or list(frames)
    where = f" ({Path(inside[-1].filename).name}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {text}".rstrip(": ")[:500] + where


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitBreach in the body after ``seconds``, and every second again until it ends.

    Again, because an exception raised inside a destructor or a callback is
    lost. Compiled code is interrupted only when it returns; the coordinator
    watches for that. Only a main thread has alarms.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    armed = True

    def ring(number: int, frame: FrameType | None) -> None:
        if armed:
            raise TimeLimitBreach

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
        try:
            yield
        finally:
            armed = False
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def memory_limit(gigabytes: float, device: Any) -> Iterator[None]:
    """Let the body allocate at most ``gigabytes`` (1e9 bytes) more; then an allocation fails.

    On Linux by the kernel's limit on private writable memory, on a CUDA device
    by torch's limit of its allocator. Elsewhere there is no guard.
    """
    if device.type == "cuda":
        import torch

        index = torch.cuda.current_device() if device.index is None else device.index
        total = torch.cuda.get_device_properties(index).total_memory
        allowed_bytes = torch.cuda.memory_allocated(index) + gigabytes * 1e9
        torch.cuda.set_per_process_memory_fraction(min(1.0, allowed_bytes / total), index)
        yield
        return
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # data and stack
    before = resource.getrlimit(resource.RLIMIT_DATA)
    ceiling = pages * resource.getpagesize() + math.ceil(gigabytes * 1e9)
    allowed = [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([ceiling, *allowed]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def start_worker() -> None:
    """Prepare a worker process: one thread, deaf to Ctrl-C, and gone when the coordinator is."""
    import multiprocessing

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, name="follow-coordinator", daemon=True).start()
