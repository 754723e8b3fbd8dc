"""Another program to compare with, in an environment of its own: a process that answers lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from whp.errors import UsageError, WhpError, require

SCRIPTS = Path(__file__).with_name("peer")
SERVER = SCRIPTS / "serve.py"
NEEDS = ("neural-tangents", "jax", "jaxlib")


class PeerError(WhpError):
    """The other program has stopped, or has met an error of its own."""

    exit_code = 1


class Peer:
    """Functions of the peer, called one by one in one long-living process.

    What a script has compiled or drawn it may keep between calls, so that the sides can take turns.

    Parameters
    ----------
    python : str or Path
        Its Python.
    threads : int
        As many cores are given to it; ``OMP_NUM_THREADS`` says the same.
    scripts : Path
        Folder of its scripts.
    needs : sequence of str
        Packages that must be installed there.

    Raises
    ------
    UsageError
        If there is no such Python, or it lacks a package.
    """

    def __init__(
        self,
        python: str | Path,
        threads: int = 1,
        *,
        scripts: Path = SCRIPTS,
        needs: Sequence[str] = NEEDS,
    ) -> None:
        require(threads >= 1, "threads", "at least 1", threads)
        limits = {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
        # A file, as a pipe that nobody reads would stop the process when it is full.
        self._stderr: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                [str(python), str(SERVER), str(scripts), str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                text=True,
                env={**os.environ, **limits},
            )
        except OSError:
            self._stderr.close()
            raise UsageError(f"--peer must be a Python that can be run, got {str(python)!r}") from None
        try:
            self.versions: dict[str, str] = self._ask({"versions": list(needs)})
        except PeerError as error:
            self.close()
            raise UsageError(f"--peer must be a Python 3.9 or newer, got {str(python)!r}: {error}") from None
        missing = [name for name in needs if not self.versions.get(name)]
        if missing:
            self.close()
            raise UsageError(
                f"--peer must be a Python with {', '.join(needs)}, got {str(python)!r} without"
                f" {', '.join(missing)} (make peer installs one)"
            )

    def call(self, script: str, function: str, **arguments: object) -> dict[str, Any]:
        """Call a function of a script and return its answer.

        Parameters
        ----------
        script : str
            Name of a file of the scripts' folder, without ``.py``.
        function : str
            A function in it; it returns a dict that JSON can hold, with ``"seconds"`` of one call after
            compilation.
        **arguments
            What it is called with.

        Raises
        ------
        PeerError
            If it raises, or the process is gone.
        """
        answer = self._ask(
            {"script": script.removesuffix(".py"), "function": function, "arguments": arguments}
        )
        if "error" in answer:
            raise PeerError(f"the peer's {script}.{function} must return, got {answer['error']}")
        found: dict[str, Any] = answer["answer"]
        return found

    def _ask(self, question: object) -> dict[str, Any]:
        """One line there, one line back."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            self._gone()
        try:
            stdin.write(json.dumps(question) + "\n")
            stdin.flush()
            line = stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        if not line:
            self._gone()
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise PeerError(f"the peer's process must answer in JSON, got {line[:80]!r}") from None
        return answer

    def _gone(self) -> NoReturn:
        """Say what the process last said."""
        self._stderr.seek(0)
        last = (self._stderr.read().strip().splitlines() or ["no message"])[-1]
        raise PeerError(f"the peer's process must answer, got its end: {last}")

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:  # it has gone before
                    continue
        self._process.kill()
        self._process.wait()
        if not self._stderr.closed:
            self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
