"""What the commands share: their options, the exit codes, and how they complain."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whp.errors import UsageError, require

if TYPE_CHECKING:
    from whp.engine.discovery import Discovery
    from whp.report.run import Record


class Exit(IntEnum):
    """Exit codes of ``whp``; of several that apply, the first in this order."""

    INTERRUPTED = 130
    INTERNAL = 3
    LOST = 4
    FAIL = 1
    USAGE = 2
    NOTHING = 5
    INCONCLUSIVE = 7
    PASS = 0

    @property
    def meaning(self) -> str:
        """One phrase."""
        return {
            Exit.PASS: "all claims PASS",
            Exit.FAIL: "some claim FAILs",
            Exit.USAGE: "wrong usage, a broken claim file (the others have run), or a plan that cannot PASS",
            Exit.INTERNAL: "an error inside whp; WHP_TRACEBACK=1 shows where",
            Exit.LOST: "workers or a scheduler that cannot be used, or were lost; the same command resumes",
            Exit.NOTHING: "nothing was measured",
            Exit.INCONCLUSIVE: "no FAIL, but some claim is INCONCLUSIVE, or a false twin has passed",
            Exit.INTERRUPTED: "interrupted by Ctrl-C; the same command resumes",
        }[self]


Selection = Annotated[
    list[str],
    typer.Argument(
        metavar="SELECTION...",
        help="Papers (hu2020), claim ids (hu2020.prop_3_4), globs over ids ('hu2020.prop_*'),"
        " or paths to claim files and folders.",
    ),
]
Profile = Annotated[
    str, typer.Option(help="quick (seconds), standard (a quarter of an hour) or paper (the printed sizes).")
]
Seed = Annotated[int | None, typer.Option(help="Root seed of all trials.  [default: 0]", show_default=False)]
Jobs = Annotated[
    int | None, typer.Option(help="Worker processes.  [default: number of cores]", show_default=False)
]
Executor = Annotated[
    str,
    typer.Option(
        help="Where trials run: processes, serial, dask-local:N, dask://HOST:PORT (a scheduler's), or auto"
        " (processes; on a GPU serial unless --jobs is given)."
    ),
]
Alpha = Annotated[
    float, typer.Option(help="The run's rate of false FAILs, and of false PASSes, over all its claims.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:K, or auto (CUDA if there is one).")]
Ledger = Annotated[Path, typer.Option(help="SQLite file with all trials ever made.")]

LEDGER = Path(".whp/ledger.sqlite")
ALPHA = 0.01
DEVICE = "cpu"
EXECUTOR = "auto"


def check_options(
    profile: str, jobs: int | None, seed: int | None, alpha: float, executor: str = EXECUTOR
) -> None:
    """What can be said of the options, and of ``WHP_PRODUCT``, before anything slow is done."""
    from whp.claims import PROFILES
    from whp.engine.choice import check_executor
    from whp.engine.environment import named_route

    require(profile in PROFILES, "--profile", f"one of {', '.join(PROFILES)}", profile, UsageError)
    require(jobs is None or jobs >= 1, "--jobs", "at least 1", jobs, UsageError)
    require(seed is None or seed >= 0, "--seed", "a non-negative integer", seed, UsageError)
    require(0 < alpha < 0.5, "--alpha", "in (0, 0.5)", alpha, UsageError)
    check_executor(executor, jobs)
    named_route()


def broken_code(found: Discovery) -> int:
    """Name the broken files on stderr; the exit code that they call for."""
    for file in found.broken:
        complain(str(file))
    return Exit.USAGE if found.broken else Exit.PASS


def complain(sentence: str) -> None:
    print(f"whp: {sentence}", file=sys.stderr)


def verdict_code(records: Sequence[Record]) -> Exit:
    """The exit code for some verdicts. A PASS whose false twin passes too has shown nothing."""
    if not any(record["cells"] for record in records):  # a cell that is left out has a verdict of its own
        return Exit.NOTHING
    words = {record["verdict"] for record in records}
    twins = {outcome for record in records for outcome in record["twins"].values()}
    if "FAIL" in words:
        return Exit.FAIL
    return Exit.INCONCLUSIVE if "INCONCLUSIVE" in words or "PASS" in twins else Exit.PASS


def most_telling(codes: Sequence[int]) -> Exit:
    """Of several exit codes, the first in the order of :class:`Exit`."""
    return next(code for code in Exit if code in codes)
