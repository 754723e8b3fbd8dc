"""Where tasks run: local processes, this process, or a cluster.

All are ``concurrent.futures`` executors. The runner needs some things more:
how many tasks to keep in flight and how long to make them, for how long a task
has been running, and to abandon one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psutil

from whp.engine.environment import PRODUCT, product_route
from whp.engine.worker import SLICE, start_worker
from whp.errors import ExecutorError, UsageError, require

T = TypeVar("T")

# One thread each: cores are not oversubscribed, and sums are added in the same order whatever the number
# of workers. A fixed hash seed makes the order of sets the same in every worker.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


def worker_environment() -> dict[str, str]:
    """What a worker process finds in its environment: the same everywhere, so that numbers are."""
    return {**WORKER_ENVIRONMENT, PRODUCT: product_route()}


class TrialExecutor(Executor):
    """An executor that the runner can watch over.

    Attributes
    ----------
    jobs : int
        How many tasks run at once; may change as workers come and go.
    ahead : int
        Tasks to keep in flight for each of them: more than one where sending takes a while.
    slice_seconds : float
        How much work to put into a task, at most.
    """

    jobs: int
    ahead = 1
    slice_seconds = SLICE

    @abstractmethod
    def seconds(self, future: Future[Any]) -> float:
        """How long the future's task has been running; 0 before it does."""

    @abstractmethod
    def abandon(self, future: Future[Any]) -> None:
        """Stop the future's task by force; the future then fails with BrokenExecutor."""


class SerialExecutor(TrialExecutor):
    """Runs every task in this process at once: for a GPU, which one process has to itself."""

    jobs = 1

    def __init__(self) -> None:
        self._restore = _set_environment({PRODUCT: product_route()})

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Restore the environment."""
        self._restore()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run now; the future is done when this returns. Ctrl-C is not caught."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def seconds(self, future: Future[Any]) -> float:
        """Always 0: a task has ended before anyone can ask."""
        return 0.0

    def abandon(self, future: Future[Any]) -> None:
        """Nothing to do."""


class _Worker:
    """A pool of one process, so that a lost process is known to have lost its own task only."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=start_worker)
        self.process: psutil.Process | None = None
        self.ready_at = float("inf")
        self.tasks: list[Future[Any]] = []
        with interrupts_held():
            self.ready = self.pool.submit(os.getpid)
        self.ready.add_done_callback(self._note_ready)

    def _note_ready(self, ready: Future[int]) -> None:
        if not ready.cancelled() and ready.exception() is None:
            with suppress(psutil.NoSuchProcess):
                self.process = psutil.Process(ready.result())
            self.ready_at = time.monotonic()

    @property
    def never_started(self) -> bool:
        """Whether the process died before its first task."""
        return self.ready.done() and (self.ready.cancelled() or self.ready.exception() is not None)

    def busy(self) -> int:
        """Tasks that are not done."""
        self.tasks = [task for task in self.tasks if not task.done()]
        return len(self.tasks)

    def kill(self) -> None:
        """End the process; psutil makes sure that its id has not passed to another."""
        if self.process is not None:
            with suppress(psutil.NoSuchProcess):
                self.process.kill()
        self.pool.shutdown(wait=False, cancel_futures=True)


class LocalProcesses(TrialExecutor):
    """Processes of this machine, each with one thread.

    Parameters
    ----------
    jobs : int
        How many.
    """

    def __init__(self, jobs: int) -> None:
        require(jobs >= 1, "jobs", "at least 1", jobs, UsageError)
        self.jobs = jobs
        self._restarts = 0
        self._started: dict[Future[Any], float] = {}
        # Children read these before they import numpy, which is before any code of ours runs in them.
        self._restore = _set_environment(worker_environment())
        self._workers = [_Worker() for _ in range(jobs)]

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Give a task to the least busy worker, a new one in place of one that has died.

        Raises
        ------
        ExecutorError
            If workers die again and again before they are ready.
        """
        worker = min(self._workers, key=_Worker.busy)
        try:
            future = worker.pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            worker = self._replace(worker)
            future = worker.pool.submit(fn, *args, **kwargs)
        worker.tasks.append(future)
        self._started[future] = time.monotonic()
        future.add_done_callback(lambda done: self._started.pop(done, None))
        return future

    def _replace(self, worker: _Worker) -> _Worker:
        self._restarts = self._restarts + 1 if worker.never_started else 0
        if self._restarts > 2:
            raise ExecutorError(
                "worker processes must start, got three that died at once (a script that starts a run needs"
                ' the guard if __name__ == "__main__":)'
            )
        worker.kill()
        new = _Worker()
        self._workers[self._workers.index(worker)] = new
        return new

    def seconds(self, future: Future[Any]) -> float:
        """Since the task was submitted and its worker was ready; exact for one task a worker."""
        worker = self._holder(future)
        if worker is None:
            return 0.0
        return max(0.0, time.monotonic() - max(worker.ready_at, self._started.get(future, float("inf"))))

    def abandon(self, future: Future[Any]) -> None:
        """Kill the worker that has the task."""
        worker = self._holder(future)
        if worker is not None:
            worker.kill()

    def _holder(self, future: Future[Any]) -> _Worker | None:
        return next((worker for worker in self._workers if future in worker.tasks), None)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the tasks, or with ``cancel_futures`` kill the workers; both restore the environment."""
        for worker in self._workers:
            if cancel_futures:
                worker.kill()
            worker.pool.shutdown(wait=wait)
        self._restore()


def _set_environment(values: Mapping[str, str]) -> Callable[[], None]:
    """Set environment variables; the function that is returned puts back what was there, once."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        before.clear()

    return restore


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Start children deaf to Ctrl-C: they would print a traceback while they still import."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
