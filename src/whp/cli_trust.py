"""Commands that measure whp itself: its error rates, its false twins, its repeatability."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whp.options import (
    ALPHA,
    DEVICE,
    EXECUTOR,
    LEDGER,
    Alpha,
    Device,
    Executor,
    Exit,
    Jobs,
    Ledger,
    Profile,
    Seed,
    Selection,
    broken_code,
    check_options,
    complain,
    most_telling,
)

if TYPE_CHECKING:  # rich takes a while to import
    from rich.console import Console

    from whp.engine.repeat import Once
    from whp.report.trust import Record

CALIBRATION_LEDGER = Path(".whp/calibration.sqlite")
REPEAT_LEDGER = Path(".whp/repeat.sqlite")
OUT = Path("reports/run-calibration")
FIRST_SEED = 1  # the designs of the shipped claims were tuned on seed 0

Out = Annotated[Path, typer.Option(help="Folder for the table (.md) and its numbers (.json).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(calibrate)
    app.command()(twins)
    app.command()(repeat)


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
    from whp.engine.environment import available_cores, environment, named_route
    from whp.report.writer import check_writable

    named_route()
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


def twins(
    context: typer.Context,
    selection: Selection,
    profile: Profile = "quick",
    jobs: Jobs = None,
    seed: Seed = None,
    alpha: Alpha = ALPHA,
    device: Device = DEVICE,
    executor: Executor = EXECUTOR,
    ledger: Ledger = LEDGER,
    out: Out = OUT,
) -> int:
    """Run the false twins of claims: each must be refuted, or its check has shown nothing.

    As `whp run`, but a twin that is not yet refuted asks for trials too, up to
    the most of its design. Exits with 0 if all are refuted, 1 if one has
    PASSed, 7 if one is undecided.
    """
    from whp.claims import Budget
    from whp.console import make_console, say, watching
    from whp.engine.discovery import resolve
    from whp.engine.environment import environment
    from whp.engine.runner import run as run_claims
    from whp.report.trust import show_rate, twins_markdown, twins_record, write_pages
    from whp.report.writer import check_writable

    check_options(profile, jobs, seed, alpha, executor)
    found, claims = resolve(selection)
    if not claims:
        return broken_code(found) or Exit.NOTHING
    check_writable(out)
    console = make_console()
    with watching(console) as listener:
        result = run_claims(
            claims,
            profile=profile,
            seed=seed or 0,
            jobs=jobs,
            executor=executor,
            device=device,
            ledger_path=ledger,
            budget=Budget(len(claims), alpha, alpha),
            on_event=listener,
            decide_twins=True,
        )
    facts = {"command": str(context.obj), "profile": profile, "environment": environment(device)}
    record = twins_record(claims, result, facts)
    print_twins(record)
    page = write_pages(out, f"twins-{profile}", record, twins_markdown(record))
    say(console, f"Refuted: {show_rate(record['kill_rate'])}")
    say(console, f"Report: {page}")
    for claim in result.broken:
        complain(str(claim))
    codes = [broken_code(found), Exit.USAGE if result.broken else Exit.PASS, twins_code(record)]
    return most_telling([*codes, Exit.INTERRUPTED if result.interrupted else Exit.PASS])


def print_twins(record: Record) -> None:
    """One row a twin."""
    from whp.console import make_console, print_table, say

    console = make_console()
    rows = [
        (row["claim"], row["twin"], row["outcome"], str(row["trials"]), row["why"]) for row in record["twins"]
    ]
    head = ("claim", "false twin", "outcome", "trials a point", "what is wrong with it")
    say(console, "")
    print_table(console, head, rows, wrap=("claim", "false twin", "what is wrong with it"))
    say(console, "")


def twins_code(record: Record) -> Exit:
    """1 if a twin has PASSed, 7 if one is undecided."""
    counts = record["counts"]
    if not record["twins"]:
        return Exit.NOTHING
    if counts["PASSED"]:
        return Exit.FAIL
    return Exit.INCONCLUSIVE if counts["undecided"] else Exit.PASS


def repeat(
    context: typer.Context,
    selection: Selection,
    runs: Annotated[int, typer.Option(help="How many runs.")] = 50,
    profile: Profile = "quick",
    jobs: Jobs = None,
    seed: Annotated[
        int, typer.Option(help="Root seed of the first run; the next ones count on.")
    ] = FIRST_SEED,
    alpha: Alpha = ALPHA,
    device: Device = DEVICE,
    executor: Executor = EXECUTOR,
    ledger: Ledger = REPEAT_LEDGER,
    out: Out = OUT,
) -> int:
    """Run claims again and again with fresh seeds (an A/A test) and count what chance does.

    Every trial is kept in a ledger of its own, so the same command resumes
    after an interrupt. Exits with 1 if a verdict flips between PASS and FAIL or
    a false twin has PASSed.
    """
    from whp.claims import Budget
    from whp.console import make_console, say
    from whp.engine.discovery import resolve
    from whp.engine.environment import environment
    from whp.engine.repeat import repeat as repeat_claims
    from whp.report.trust import repeat_markdown, repeat_record, show_rate, write_pages
    from whp.report.words import show_seconds
    from whp.report.writer import check_writable

    check_options(profile, jobs, seed, alpha, executor)
    found, claims = resolve(selection)
    if not claims:
        return broken_code(found) or Exit.NOTHING
    check_writable(out)
    console = make_console()

    def tell(once: Once) -> None:
        words = [f"{id} {outcome}" for id, outcome in once.claims.items() if outcome != "PASS"]
        tally = f"{len(once.claims) - len(words)} PASS" + "".join(f", {word}" for word in words)
        made = f"{once.measured} trials measured" if once.measured else "all from the ledger"
        say(console, f"[seed {once.seed}] {tally}; {made}, {show_seconds(once.seconds)}")

    result = repeat_claims(
        claims,
        profile=profile,
        runs=runs,
        seed=seed,
        jobs=jobs,
        executor=executor,
        device=device,
        ledger_path=ledger,
        budget=Budget(len(claims), alpha, alpha),
        on_run=tell,
    )
    for claim in result.broken:
        complain(str(claim))
    if result.interrupted:
        say(console, f"Interrupted. What was measured is kept; to go on: {context.obj}")
    if result.runs:
        facts = {"command": str(context.obj), "profile": profile, "environment": environment(device)}
        record = repeat_record(result, alpha, facts)
        page = write_pages(out, "aa", record, repeat_markdown(record))
        say(console, f"Verdicts that flip between PASS and FAIL: {', '.join(record['flipped']) or 'none'}")
        say(console, f"Runs with a false FAIL: {show_rate(record['false_fail'])}")
        say(console, f"INCONCLUSIVE verdicts: {show_rate(record['inconclusive'])}")
        say(console, f"False twins refuted: {show_rate(record['kill_rate'])}")
        say(console, f"Report: {page}")
    codes = [broken_code(found), Exit.USAGE if result.broken else Exit.PASS]
    if not result.runs:
        codes.append(Exit.NOTHING)
    elif record["flipped"] or record["twins_passed"]:
        codes.append(Exit.FAIL)
    return most_telling([*codes, Exit.INTERRUPTED if result.interrupted else Exit.PASS])
