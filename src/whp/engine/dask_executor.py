"""Trials on a cluster, by Dask ``distributed``.

Everything that talks to the scheduler runs in the event loop of one thread;
the runner sees futures. Trials are pure functions of their names, so a task
whose worker is lost is simply made again elsewhere. A scheduler that is lost,
or does not answer, ends the run: what came back is in the ledger, and the same
command goes on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import pickle
import socket
import sys
import threading
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from whp.engine import remote
from whp.engine.executors import TrialExecutor, interrupts_held, worker_environment
from whp.engine.worker import Task
from whp.errors import ExecutorError, UsageError, WhpError

T = TypeVar("T")

CONNECT = 20.0  # seconds to reach the scheduler
SILENCE = 60.0  # seconds without an answer after which the scheduler is taken to be lost
WORKERS = 300.0  # seconds to wait where there is no worker: a queue of jobs is not always fast
NOTICE = 3.0  # seconds of waiting for a worker after which that is said
PULSE = 1.0  # seconds between questions to the scheduler
CLOSE = 5.0  # seconds for each step of saying goodbye
KEPT = "what was measured is kept, and the same command goes on"
PARCELS = 2  # in flight for each thread of a worker
GATHER = 0.003  # seconds in which tasks come together to a parcel
LOSSES = 5  # times that Dask may give up a task, each after it has lost some workers


class DaskExecutor(TrialExecutor):
    """The workers of a Dask cluster.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` of its scheduler. Certificates and the like are Dask's to configure.
    local : int
        In place of an address: start a cluster of so many workers on this machine.

    Raises
    ------
    UsageError
        If Dask is not installed.
    ExecutorError
        If the scheduler cannot be reached, no worker comes, or one has other versions.
    """

    # A parcel to Dask has up to four tasks, so about a minute of work: to send one takes some hundredths of
    # a second, longer than a first trial.
    ahead = 4 * PARCELS
    slice_seconds = 15.0

    def __init__(self, address: str = "", *, local: int = 0) -> None:
        try:
            import distributed  # noqa: F401 - it takes a second, which other executors need not wait for
        except ModuleNotFoundError:
            advice = "make, or pip install '.[cluster]', in a checkout of whp"
            sentence = f"Dask must be installed for this executor, got none ({advice})"
            raise UsageError(sentence) from None
        self.jobs = max(1, local)
        self._address, self._local = address, local
        self._session = uuid.uuid4().hex
        self._environment = worker_environment()
        self._files: dict[Path, bytes] = {}
        self._versions = remote.versions()
        self._waiting: set[Future[Any]] = set()
        self._queue: deque[tuple[Future[Any], Task, tuple[bytes, float]]] = deque()
        self._flying = 0
        self._lost: ExecutorError | None = None
        self._client: Any = None
        self._told = -math.inf  # since when there was no worker when that was last said
        self._opened: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="dask", daemon=True)
        try:
            with interrupts_held() if local else nullcontext():  # workers of ours inherit that
                self._thread.start()
                self._opened.result()
        except BaseException:
            self.shutdown(cancel_futures=True)
            raise

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Send a task, with the files of its claim; ``fn`` takes a :class:`Task` and nothing else.

        Raises
        ------
        ExecutorError
            If the cluster has been lost.
        """
        (task,) = args
        if self._lost is not None:
            raise self._lost
        future: Future[T] = Future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        call = pickle.dumps((fn, replace(task, home=Path(task.home).name)))
        with suppress(RuntimeError):  # the loop has just ended
            self._loop.call_soon_threadsafe(self._enqueue, future, task, (call, task.patience))
        if self._lost is not None:  # in the meantime: nobody else would say so
            _settle(future, error=self._lost)
        return future

    def _enqueue(self, future: Future[Any], task: Task, call: tuple[bytes, float]) -> None:
        self._queue.append((future, task, call))
        self._loop.call_later(GATHER, self._send)

    def _send(self) -> None:
        """Send what waits while workers have room: in parcels of a fair share, one folder and device each."""
        while self._queue and self._flying < PARCELS * self.jobs:
            share = math.ceil(len(self._queue) / (PARCELS * self.jobs))
            group = [self._queue.popleft()]
            first = group[0][1]
            while self._queue and len(group) < min(share, self.ahead // PARCELS):
                task = self._queue[0][1]
                if (Path(task.home).parent, task.device) != (Path(first.home).parent, first.device):
                    break
                group.append(self._queue.popleft())
            self._flying += 1
            parcel = self._parcel(first, tuple(call for _, _, call in group))
            self._loop.create_task(self._follow([future for future, _, _ in group], parcel))

    def _parcel(self, task: Task, calls: tuple[tuple[bytes, float], ...]) -> remote.Parcel:
        folder = Path(task.home).parent
        if folder not in self._files:  # once: an edit during the run does not reach the workers
            self._files[folder] = remote.pack(folder)
        return remote.Parcel(
            session=self._session,
            calls=calls,
            folder=folder.name,
            files=self._files[folder],
            environment=self._environment,
            versions=self._versions,
            device=task.device,
        )

    def seconds(self, future: Future[Any]) -> float:
        """Always 0: the workers look at their clocks themselves."""
        return 0.0

    def abandon(self, future: Future[Any]) -> None:
        """Nothing: the workers kill what is stuck."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, and end what still runs there for this run."""
        if not cancel_futures and wait:
            for future in list(self._waiting):
                with suppress(Exception, CancelledError):
                    future.result()
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout=6 * CLOSE)

    def _run(self) -> None:
        """The thread."""
        # Errors of tasks that nobody waits for any more are of no interest; what is wrong is said once.
        self._loop.set_exception_handler(lambda loop, context: None)
        with _quiet():
            try:
                self._loop.run_until_complete(self._serve())
            finally:
                self._loop.close()

    async def _serve(self) -> None:
        cluster: Any = None
        try:
            cluster = await self._connect()
            await self._check()
            self._opened.set_result(None)
            await self._watch()
        except WhpError as error:
            self._lose(error)
        except Exception as error:
            self._lose(ExecutorError(f"{self._name} must answer, got {type(error).__name__}: {error}"))
        finally:
            self._lose(ExecutorError(f"{self._name} must be in use, got an executor that was shut down"))
            await self._leave(cluster)

    @property
    def _name(self) -> str:
        return f"the Dask scheduler at {self._address}" if self._address else "the local Dask cluster"

    async def _connect(self) -> Any:
        """Reach the scheduler, and wait for a worker; returns the cluster where it is our own."""
        from distributed import Client, LocalCluster
        from distributed.versions import VersionMismatchWarning

        warnings.simplefilter("ignore", VersionMismatchWarning)  # what matters is refused in a sentence
        cluster: Any = None
        if self._local:
            cluster = await LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=self._local,
                threads_per_worker=1,
                dashboard_address=":0",
                silence_logs=logging.CRITICAL,
                asynchronous=True,
            )
        try:
            async with asyncio.timeout(CONNECT):  # for all of it: whoever listens may not be Dask
                if self._address:  # Dask would ask for an unknown name again and again
                    host, _, port = self._address.rpartition(":")
                    await self._loop.getaddrinfo(host.strip("[]"), int(port))
                self._client = Client(  # type: ignore[no-untyped-call]
                    cluster or self._address, asynchronous=True, timeout=CONNECT, set_as_default=False
                )
                await self._client
        except (OSError, TimeoutError, ValueError) as error:
            rule = f"reachable within {CONNECT:g} s"
            raise ExecutorError(f"{self._name} must be {rule}, got {_obstacle(error)}") from None
        return cluster

    async def _check(self) -> None:
        """Require a worker, and of all that are there and of the scheduler what tasks need."""
        since = time.monotonic()
        while not await self._count():
            if self._ending.is_set():
                return
            if time.monotonic() - since > WORKERS:
                raise ExecutorError(f"{self._name} must have a worker within {WORKERS:g} s, got none")
            self._tell(since)
            await asyncio.sleep(min(PULSE, 0.1))
        try:
            chief = await asyncio.wait_for(self._client.run_on_scheduler(remote.versions), SILENCE)
        except ModuleNotFoundError as error:
            raise ExecutorError(f"{self._name} must have whp installed, got {error}") from None
        asked = self._client.run(remote.versions, on_error="return")
        answers = {
            "the scheduler": {**self._versions, "whp": chief["whp"]},
            **await asyncio.wait_for(asked, SILENCE),
        }
        wrong = []
        for place, there in answers.items():
            if isinstance(there, BaseException):
                wrong.append(f"no such whp on {place} ({there})")
            elif text := remote.differences(there, self._versions):
                wrong.append(f"{text} on {place}")
        if wrong:
            raise ExecutorError(f"workers must have the versions of this process, got {'; '.join(wrong)}")

    async def _count(self) -> int:
        """Threads of the workers that are there."""
        threads = await asyncio.wait_for(self._client.nthreads(), SILENCE)
        count = int(sum(threads.values()))
        self.jobs = max(1, count)
        return count

    async def _watch(self) -> None:
        """Ask the scheduler now and then, until the end; silence is an error, as is the lack of workers."""
        seen = time.monotonic()
        while not self._ending.is_set():
            try:
                count = await self._count()
            except (TimeoutError, OSError):
                raise self._gone() from None
            if count:
                seen = time.monotonic()
            elif time.monotonic() - seen > WORKERS:
                raise ExecutorError(f"{self._name} must have a worker, got none for {WORKERS:g} s; {KEPT}")
            else:
                self._tell(seen)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), PULSE)

    def _tell(self, since: float) -> None:
        """Say once that there is no worker, when that has lasted for a few seconds."""
        if self._told < since < time.monotonic() - NOTICE:
            self._told = time.monotonic()
            place = f"dask://{self._address}" if self._address else "the local Dask cluster"
            print(f"whp: waiting for a worker of {place}, {WORKERS:g} s at most", file=sys.stderr, flush=True)

    async def _follow(self, futures: list[Future[Any]], parcel: remote.Parcel) -> None:
        """Have tasks made, again where their worker was lost, and give their room to others."""
        try:
            answers = await self._answers(parcel)
        except Exception as error:
            answers = [(False, error)] * len(futures)
        for future, (good, value) in zip(futures, answers, strict=True):
            if good:
                _settle(future, value)
            else:
                _settle(future, error=value)
        self._flying -= 1
        self._send()

    async def _answers(self, parcel: remote.Parcel) -> list[tuple[bool, Any]]:
        from distributed import KilledWorker

        for _ in range(LOSSES):
            sent = self._client.submit(remote.perform, parcel, pure=False, key=f"whp-{uuid.uuid4().hex}")
            try:
                answers: list[tuple[bool, Any]] = await sent
                return answers
            except KilledWorker:
                continue  # trials have processes of their own: that the worker died is not their fault
            except (CancelledError, OSError, TimeoutError):
                self._lose(self._gone())
                raise self._gone() from None
        lost = ExecutorError(f"workers must live, got {LOSSES} times that several died at one task; {KEPT}")
        self._lose(lost)
        raise lost

    def _gone(self) -> ExecutorError:
        return ExecutorError(f"{self._name} must stay reachable, got no connection to it any more; {KEPT}")

    def _lose(self, error: WhpError) -> None:
        """Fail everything that is waited for; the first reason stands."""
        if self._lost is None:
            self._lost = ExecutorError(str(error))
        if not self._opened.done():
            self._opened.set_exception(error)
        for future in list(self._waiting):
            _settle(future, error=self._lost)
        self._ending.set()

    async def _leave(self, cluster: Any) -> None:
        """Say goodbye as far as anyone listens."""
        if self._client is not None:
            if self._opened.exception() is None:  # otherwise nothing was sent
                with suppress(Exception):
                    await asyncio.wait_for(self._client.run(remote.stop, self._session), CLOSE)
            with suppress(Exception):
                await asyncio.wait_for(self._client.close(), CLOSE)
        if cluster is not None:
            with suppress(Exception):
                await asyncio.wait_for(cluster.close(), CLOSE)
        for task in asyncio.all_tasks(self._loop) - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)


def _obstacle(error: BaseException | None) -> str:
    """What kept a connection from being made, as far as an error or its causes tell."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return "no such host"
        if isinstance(error, ConnectionRefusedError):
            return "a refused connection"
        error = error.__cause__ or error.__context__
    return "no answer"


def _settle(future: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
    """Give a future its outcome; the first one stands."""
    with suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask, which logs what it survives: what ends a run is said in one sentence."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
