"""A Dask cluster for tests: scheduler and workers are processes of their own, reached over loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

DASK = str(Path(sys.executable).with_name("dask"))
# A process of Dask that is not spoken to must not stay behind a test that was killed.
QUIET = {**os.environ, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def until(condition, seconds: float = 60.0) -> None:
    """Wait; a machine may be slow, so the limit is generous."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


class Cluster:
    """A scheduler, and workers with one thread each."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._processes: list[subprocess.Popen] = []
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-show")
        until(lambda: listening(self.port))

    @property
    def name(self) -> str:
        """As the executor is called."""
        return f"dask://127.0.0.1:{self.port}"

    def start(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        """Start a command of Dask."""
        process = subprocess.Popen(
            [DASK, *words],
            cwd=self._folder,
            env={**QUIET, **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def worker(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        """Start a worker; it connects by itself."""
        place = ["--local-directory", str(self._folder), "--no-dashboard"]
        words = words or ("--no-nanny",)
        return self.start("worker", f"127.0.0.1:{self.port}", "--nthreads", "1", *place, *words, env=env)

    def close(self) -> None:
        """End them all."""
        alive: list[psutil.Process] = []
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):
                one = psutil.Process(process.pid)
                alive += [one, *one.children(recursive=True)]
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self._processes:
            process.wait(20)


class Proxy:
    """A connection between two ends that can be cut, or go silent."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                while self.silent:
                    time.sleep(0.05)
                other.sendall(data)

    def hush(self) -> None:
        """Leave every connection open, and pass on nothing more."""
        self.silent = True

    def cut(self) -> None:
        """Close every connection, and take no new one."""
        self._server.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[Callable[[int], Cluster]]:
    """A function that starts a cluster of so many workers, for one test."""
    made: list[Cluster] = []

    def start(workers: int) -> Cluster:
        made.append(Cluster(tmp_path))
        for _ in range(workers):
            made[-1].worker()
        return made[-1]

    yield start
    for cluster in made:
        cluster.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two workers for all tests, which leave it as it was."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        for _ in range(2):
            made.worker()
        yield made
    finally:
        made.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[int], Proxy]]:
    """A function that starts a proxy to a port of this machine."""
    made: list[Proxy] = []

    def start(port: int) -> Proxy:
        made.append(Proxy(port))
        return made[-1]

    yield start
    for one in made:
        one.silent = False
        one.cut()


@pytest.fixture
def unused_port() -> int:
    """A port at which nobody listens."""
    return free_port()
