"""What the benchmarks share: works with wanted numbers, sides that take turns, the limits of the machine.

Speed is a ratio of two things that were timed in turn, in one run. Seconds alone are recorded, and say
nothing about another machine.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numba
import torch

from whp.benchmarks import thread_limits
from whp.benchmarks.peers import Peer
from whp.errors import WhpError, require


class BenchmarkError(WhpError):
    """A work could not be measured."""

    exit_code = 1


@dataclass(frozen=True)
class Wanted:
    """A number that a figure is to reach.

    Attributes
    ----------
    value : float
        The number.
    unit : str
        Empty for ratios and shares. A time (``"s"``, ``"min"``) depends on the machine: it is recorded, but
        nothing fails for it.
    """

    value: float
    unit: str = ""

    @property
    def of_the_machine(self) -> bool:
        """Whether the figure is a time, which a slower machine would miss."""
        return self.unit in ("s", "min")

    def met(self, figure: float) -> bool:
        """Whether the figure reaches the number."""
        raise NotImplementedError


@dataclass(frozen=True)
class AtLeast(Wanted):
    """The figure is to be this large."""

    def met(self, figure: float) -> bool:
        """Whether the figure is as large."""
        return figure >= self.value

    def __str__(self) -> str:
        return f"at least {self.value:g}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True)
class AtMost(Wanted):
    """The figure is to be no larger."""

    def met(self, figure: float) -> bool:
        """Whether the figure is no larger."""
        return figure <= self.value

    def __str__(self) -> str:
        return f"at most {self.value:g}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True)
class Context:
    """How to measure.

    Attributes
    ----------
    threads : int
        Threads of every side.
    rounds : int
        How often each side is timed; medians over rounds count.
    peer : Peer or None
        The other program; without it a work measures the rest and leaves those figures out.
    small : bool
        Sizes so tiny that a work takes well under a second: whether it works at all.
    device : str
        ``cpu`` or ``cuda:K``.
    """

    threads: int = 1
    rounds: int = 5
    peer: Peer | None = None
    small: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Measurement:
    """What a work has found.

    Attributes
    ----------
    figures : Mapping of float
        Numbers by name; those that are wanted, unless they could not be measured, and any others.
    seconds : Mapping of sequences of float
        Every time that was taken, by side.
    sizes, facts : Mapping
        Sizes of the problem; whatever else belongs to the record, e.g. a rate or a note on what bounds it.
    """

    figures: Mapping[str, float]
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    sizes: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """Something that is timed.

    Attributes
    ----------
    name : str
        How it is asked for, and the name of its file.
    title : str
        What is done, with the sizes, for the table.
    wanted : Mapping of Wanted
        Numbers that figures of the measurement are to reach; the names are shown.
    run : callable
        Takes a :class:`Context`, returns a :class:`Measurement`.
    devices : tuple of str
        Kinds of device that it is for at its full size. With ``small`` it runs on the CPU in any case.
    bounded_by : str
        What keeps it from a number that it misses; shown where it does.
    """

    name: str
    title: str
    wanted: Mapping[str, Wanted]
    run: Callable[[Context], Measurement]
    devices: tuple[str, ...] = ("cpu",)
    bounded_by: str = ""


def alternate(
    routes: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    setup: Callable[[], object] | None = None,
    *,
    warm: bool = True,
) -> dict[str, list[float]]:
    """Time each route once a round, in turn, so that a slow moment of the machine hits all of them.

    Parameters
    ----------
    routes : Mapping of callables
        By name. One that returns a mapping with ``"seconds"``, as :meth:`Peer.call` does, has timed itself.
    rounds : int
        How many times.
    setup : callable, optional
        Called before each, untimed.
    warm : bool
        Call each once before, untimed: it then has compiled, and has its memory.

    Returns
    -------
    dict
        Seconds of each round, by route.
    """
    require(rounds >= 1, "rounds", "at least 1", rounds)
    if warm:
        for route in routes.values():
            if setup is not None:
                setup()
            route()
    seconds: dict[str, list[float]] = {name: [] for name in routes}
    for _ in range(rounds):
        for name, route in routes.items():
            if setup is not None:
                setup()
            synchronise()
            start = time.perf_counter()
            result = route()
            synchronise()
            taken = time.perf_counter() - start
            own = result.get("seconds") if isinstance(result, Mapping) else None
            seconds[name].append(taken if own is None else float(own))
    return seconds


def synchronise() -> None:
    """Wait for the GPU, where one is in use."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def times_faster(seconds: Mapping[str, Sequence[float]], other: str, own: str = "whp") -> float:
    """The median over rounds of the seconds of ``other`` divided by those of ``own``."""
    return statistics.median(a / b for a, b in zip(seconds[other], seconds[own], strict=True))


def copy_rate(device: str = "cpu", *, megabytes: int = 256, rounds: int = 5) -> float:
    """Bytes a second of copying float32 from one part of memory to another: read once, written once.

    What is moved is counted once in each direction, so the memory carries this number of bytes, both ways
    together.
    """
    source = torch.ones(megabytes * 250_000, device=device)
    target = torch.empty_like(source)
    (seconds,) = alternate({"copy": lambda: target.copy_(source)}, rounds).values()
    return 2 * 4 * source.numel() / statistics.median(seconds)


@contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Give torch, numba and processes that are started from here so many threads."""
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    before = torch.get_num_threads(), numba.get_num_threads()
    numba.set_num_threads(min(threads, most))
    torch.set_num_threads(threads)  # last: where both use OpenMP, numba sets its number for both
    try:
        with thread_limits(threads):
            yield
    finally:
        numba.set_num_threads(before[1])
        torch.set_num_threads(before[0])


def fresh_process(target: str, **arguments: object) -> dict[str, Any]:
    """Call a function in a new process of this Python, for what it takes by itself.

    Parameters
    ----------
    target : str
        ``"module:function"``; the function returns what JSON can hold, in a dict.
    **arguments
        What it is called with; JSON again.

    Returns
    -------
    dict
        What it returned, with ``peak_memory_gb``, the largest resident size of the process in 10^9 bytes.

    Raises
    ------
    BenchmarkError
        If the process ends without an answer.
    """
    command = [sys.executable, "-m", "whp.benchmarks.fresh", target, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BenchmarkError(f"the process of {target} must answer, got exit code {done.returncode}: {last}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
