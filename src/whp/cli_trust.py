"""Commands that measure whp itself: its error rates, its false twins, its repeatability."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whp.options import Exit, Jobs, Seed

if TYPE_CHECKING:  # rich takes a while to import
    from rich.console import Console

CALIBRATION_LEDGER = Path(".whp/calibration.sqlite")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(calibrate)


def calibrate(
    context: typer.Context,
    profile: Annotated[
        str, typer.Option(help="quick (under a minute) or full (under half an hour on two cores).")
    ] = "quick",
    jobs: Jobs = None,
    seed: Seed = None,
    ledger: Annotated[
        Path, typer.Option(help="SQLite file with every batch that was simulated.")
    ] = CALIBRATION_LEDGER,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for table and figure.  [default: reports/calibration when all studies are run in"
            " full, else reports/run-calibration]",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option(help="Only this study; may be given more than once.", show_default=False),
    ] = None,
) -> int:
    """Measure the error rates of whp itself, on simulated claims whose truth is known.

    Every batch is kept in the ledger, so the same command resumes after an
    interrupt and repeats nothing. Exits with 1 if a rate that is claimed to be
    exact is exceeded, with 7 if the simulated claims are too few to tell.
    """
    from whp.calibration.outputs import write_calibration
    from whp.calibration.run import calibrate as run_calibration
    from whp.calibration.study import Standing, select_cells
    from whp.calibration.table import calibration_record, summary
    from whp.console import make_console, say
    from whp.engine.environment import available_cores, environment
    from whp.report.writer import check_writable

    cells = select_cells(study or ())
    whole = profile == "full" and not study
    out = out or Path("reports") / ("calibration" if whole else "run-calibration")
    check_writable(out)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    console = make_console()
    with _counting(console) as on_batch:
        calibration = run_calibration(
            cells,
            profile=profile,
            seed=seed or 0,
            jobs=available_cores() if jobs is None else jobs,
            ledger_path=ledger,
            on_batch=on_batch,
        )
    record = calibration_record(
        calibration, command=str(context.obj), started=started, environment=environment()
    )
    files = write_calibration(out, record)
    for line in summary(record):
        say(console, line)
    say(console, f"Table: {files.table}; figure: {files.figure}")
    return {Standing.EXCEEDS: Exit.FAIL, Standing.OPEN: Exit.INCONCLUSIVE}.get(
        calibration.standing, Exit.PASS
    )


@contextmanager
def _counting(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many batches are done; yields what hears of their number and that of all."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    from whp.console import is_plain

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=is_plain()) as bar:
        task = bar.add_task("batches ...", total=None)

        def on_batch(done: int, total: int) -> None:
            bar.update(task, description=f"{done} of {total} batches", total=total, completed=done)

        yield on_batch
