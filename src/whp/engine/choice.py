"""Executors by name, as the command line has them."""

from __future__ import annotations

from whp.engine.dask_executor import DaskExecutor
from whp.engine.environment import available_cores
from whp.engine.executors import LocalProcesses, SerialExecutor, TrialExecutor
from whp.errors import UsageError, fail, require

CHOICES = "auto, processes, serial, dask-local:N or dask://HOST:PORT"


def check_executor(name: str, jobs: int | None = None) -> None:
    """Require that there is an executor of that name, and that it goes with a number of jobs.

    Raises
    ------
    UsageError
        If not; nothing has been started.
    """
    require(jobs is None or jobs >= 1, "jobs", "at least 1", jobs, UsageError)
    if name in ("auto", "processes"):
        return
    alone = jobs is None or (name == "serial" and jobs == 1)
    kind, _, number = name.partition(":")
    if kind == "dask-local":
        require(
            number.isdecimal() and int(number) >= 1, "executor", "dask-local:N with N >= 1", name, UsageError
        )
    elif name.startswith("dask://"):
        host, _, port = name.removeprefix("dask://").rpartition(":")
        good = bool(host) and port.isdecimal() and 0 < int(port) < 2**16
        require(good, "executor", "dask://HOST:PORT with the port of a Dask scheduler", name, UsageError)
    elif name != "serial":
        fail("executor", CHOICES, name, UsageError)
    require(alone, "jobs", f"left out with the executor {name}", jobs, UsageError)


def make_executor(name: str, jobs: int | None, device: str) -> TrialExecutor:
    """Start the executor called ``name``.

    Parameters
    ----------
    name : str
        ``processes``; ``serial``, this process; ``dask-local:N``, a Dask cluster of N workers on this
        machine; ``dask://HOST:PORT``, the cluster of that scheduler. ``auto`` is ``processes``, but for a
        CUDA device ``serial`` unless more than one job is asked for.
    jobs : int, optional
        Of ``processes``: how many; by default one a core.
    device : str
        Where tasks compute.

    Raises
    ------
    UsageError
        If there is none of that name, or Dask is asked for and not installed.
    ExecutorError
        If it cannot be used.
    """
    check_executor(name, jobs)
    if name == "serial" or (name == "auto" and device.startswith("cuda") and (jobs or 1) == 1):
        return SerialExecutor()
    if name in ("auto", "processes"):
        return LocalProcesses(jobs or available_cores())
    if name.startswith("dask://"):
        return DaskExecutor(name.removeprefix("dask://"))
    return DaskExecutor(local=int(name.partition(":")[2]))
