"""Workers that outlive a run: starting them takes longer than some runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from whp.claims.claim import Claim
from whp.engine.executors import LocalProcesses, TrialExecutor
from whp.engine.runner import homes
from whp.engine.worker import prepare

T = TypeVar("T")


class Lasting(TrialExecutor):
    """Workers of several runs, started when they are first asked for.

    ``shutdown`` leaves them to the next run, and ``close`` ends them.
    """

    def __init__(self, start: Callable[[], TrialExecutor]) -> None:
        self._start = start
        self._started: TrialExecutor | None = None

    @property
    def _workers(self) -> TrialExecutor:
        if self._started is None:
            self._started = self._start()
        return self._started

    @property
    def at_hand(self) -> bool:
        """Whether they are processes of this machine, and there already."""
        return isinstance(self._started, LocalProcesses)

    @property
    def jobs(self) -> int:  # type: ignore[override]
        """As the workers say."""
        return self._workers.jobs

    @property
    def ahead(self) -> int:  # type: ignore[override]
        """As the workers say."""
        return self._workers.ahead

    @property
    def slice_seconds(self) -> float:  # type: ignore[override]
        """As the workers say."""
        return self._workers.slice_seconds

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As the workers do."""
        return self._workers.submit(fn, *args, **kwargs)

    def prepare(self, claims: Sequence[Claim]) -> None:
        """Have processes of this machine import and read what claims need, before the first trial does."""
        count, needed = self.jobs, [(str(home), name) for name, home in homes(claims).items()]
        for _ in range(count if self.at_hand else 0):  # each goes to the one that has the least to do
            self.submit(prepare, needed)

    def seconds(self, future: Future[Any]) -> float:
        """As the workers say."""
        return self._workers.seconds(future)

    def abandon(self, future: Future[Any]) -> None:
        """As the workers do."""
        self._workers.abandon(future)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: a task that the run no longer wants ends by itself."""

    def close(self) -> None:
        """End the workers, whatever they are at; asked for again, they are started anew."""
        if self._started is not None:
            self._started.shutdown(wait=True, cancel_futures=True)
            self._started = None
