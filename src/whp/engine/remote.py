"""What a worker of a cluster does with a task: it hands it to a process of its own.

Alarms reach the main thread of a process only, limits of memory hold for a
whole process, and a worker of Dask runs tasks in other threads beside its
network. So every thread of a worker keeps a child process: time and memory
limits hold there as they do in local processes, compiled code that is stuck is
killed, and what a trial breaks is not the worker.

The scheduler and the workers import this module, so it imports nothing slow.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import whp
from whp.errors import ExecutorError

START = 180.0  # seconds that a child may take to import what it needs; a shared disk can be slow
LIBRARIES = ("numpy", "scipy", "torch", "numba")
# Parts of whp that no number depends on: what reports and measures speed, and claim files, which are sent.
ASIDE = ("benchmarks", "calibration", "report", "validation")


class StuckError(BrokenExecutor):
    """A task ran for so long that its process was killed."""


@dataclass(frozen=True)
class Parcel:
    """Tasks and everything that their process needs, as sent to a worker.

    Attributes
    ----------
    session : str
        Of the coordinator, which may call off all that it has sent.
    calls : tuple of (bytes, float)
        Pickled function and task of each, and the seconds after which its process is taken to be stuck.
    folder, files : str, bytes
        Name and contents of the folder of the claim file, by :func:`pack`.
    environment : mapping
        Variables for the process.
    versions : mapping
        What :func:`versions` says at the coordinator.
    device : str
        Where the tasks compute.
    """

    session: str
    calls: tuple[tuple[bytes, float], ...]
    folder: str
    files: bytes
    environment: Mapping[str, str]
    versions: Mapping[str, str]
    device: str


def versions() -> dict[str, str]:
    """What the numbers of a trial depend on besides its claim file: versions, and the code of whp itself."""
    root = Path(whp.__file__).resolve().parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py"), key=lambda file: file.relative_to(root).as_posix()):
        place = file.relative_to(root)
        if place.parts[0] not in ASIDE and not place.name.startswith("cli"):
            digest.update(place.as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    found = {"whp": whp.__version__, "code of whp": digest.hexdigest()[:12]}
    found["python"] = ".".join(platform.python_version_tuple()[:2])
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def differences(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Say what is other than ``here``; nothing if all is the same."""
    return ", ".join(
        f"{name} {there.get(name, 'none')} (here {here[name]})"
        for name in here
        if there.get(name) != here[name]
    )


def pack(folder: Path) -> bytes:
    """The claim files of a folder."""
    files = {file.name: file.read_bytes() for file in sorted(folder.glob("*.py"))}
    return zlib.compress(pickle.dumps(files))


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process with that of local workers over it, less what a nanny puts in.

    A nanny has its worker give back memory at once, which makes arrays anew with every trial: measured on
    trials of 10 ms, they take a quarter longer.
    """
    return {k: v for k, v in os.environ.items() if k != "MALLOC_TRIM_THRESHOLD_"} | dict(environment)


class _Child:
    """A process that runs one task after the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.session = ""
        self._connection, far = Pipe()
        try:
            self._process = subprocess.Popen(
                # -P: a folder called whp in the current one must not hide the package.
                [sys.executable, "-P", "-m", "whp.engine.child", str(far.fileno())],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                env=child_environment(environment),
            )
        finally:
            far.close()
        # Of the code that it has loaded, which may be newer than this process, and than what is on the disk.
        self.versions: Mapping[str, str] = self._receive(START)

    @property
    def alive(self) -> bool:
        """Whether it can take a task."""
        return self._process.poll() is None

    def call(self, message: tuple[Any, ...], patience: float) -> tuple[bool, Any]:
        """Whether the task succeeded, and its result or error."""
        with suppress(OSError):  # what has died says so below
            self._connection.send(message)
        answer: tuple[bool, Any] = self._receive(patience)
        return answer

    def _receive(self, patience: float) -> Any:
        try:
            if self._connection.poll(patience):
                return self._connection.recv()
        except (EOFError, OSError):
            self.kill()
            raise BrokenExecutor(f"process must live, got exit code {self._process.returncode}") from None
        self.kill()
        raise StuckError(f"task must end within {patience:g} s")

    def kill(self) -> None:
        """End it; a thread that waits for its answer sees that."""
        self._process.kill()
        self._process.wait()


_lock = threading.Lock()
_idle: list[_Child] = []
_busy: list[_Child] = []
_ended: set[str] = set()
_folders: dict[tuple[str, bytes], Path] = {}  # session and files: where they were written


def perform(parcel: Parcel) -> list[tuple[bool, Any]]:
    """Run tasks in a child process, in a worker's thread.

    Returns
    -------
    list of (bool, object)
        Whether each has succeeded, and its result or error: BrokenExecutor where its process died or
        was stuck.

    Raises
    ------
    ExecutorError
        If this worker must not run them: it has other versions, or no such device.
    """
    folder = _unpack(parcel)
    answers: list[tuple[bool, Any]] = []
    for call, patience in parcel.calls:
        try:
            answers.append(_perform(parcel, (call, str(folder), parcel.device), patience))
        except BrokenExecutor as loss:
            answers.append((False, loss))
    return answers


def _perform(parcel: Parcel, message: tuple[Any, ...], patience: float) -> tuple[bool, Any]:
    child = _take(parcel)
    try:
        return child.call(message, patience)
    finally:
        with _lock:
            if child in _busy:
                _busy.remove(child)
                if child.alive:
                    _idle.append(child)


def stop(session: str) -> None:
    """End the processes that are at work for a session, and remove its files."""
    with _lock:
        _ended.add(session)
        for child in [child for child in _busy if child.session == session]:
            _busy.remove(child)
            child.kill()
        for key in [key for key in _folders if key[0] == session]:
            shutil.rmtree(_folders.pop(key).parent, ignore_errors=True)


def _take(parcel: Parcel) -> _Child:
    """An idle child with the same code and environment, or a new one."""
    with _lock:
        if parcel.session in _ended:
            raise BrokenExecutor("session must go on, got one that has ended")
        _idle[:] = [child for child in _idle if child.alive]
        fit = (c for c in _idle if c.versions == parcel.versions and c.environment == parcel.environment)
        child = next(fit, None)
        if child is not None:
            _idle.remove(child)
    if child is None:
        child = _Child(parcel.environment)
        if wrong := differences(child.versions, parcel.versions):
            child.kill()
            here = f"{platform.node()} (process {os.getpid()})"
            raise ExecutorError(f"workers must have the versions of this process, got {wrong} on {here}")
    with _lock:
        child.session = parcel.session
        _busy.append(child)
    return child


def _unpack(parcel: Parcel) -> Path:
    """Write the claim files into a folder of their name, as names of experiments begin with it."""
    key = (parcel.session, parcel.files)
    with _lock:
        if key not in _folders:
            folder = Path(tempfile.mkdtemp(prefix="whp-")) / parcel.folder
            folder.mkdir()
            for name, text in pickle.loads(zlib.decompress(parcel.files)).items():
                (folder / name).write_bytes(text)
            _folders[key] = folder
        return _folders[key]


@atexit.register
def _remove_folders() -> None:
    for folder in _folders.values():
        shutil.rmtree(folder.parent, ignore_errors=True)
