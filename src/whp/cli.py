"""The command line. Each command is a thin layer over the engine and the report."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

import whp
from whp import cli_bench, cli_data, cli_trust
from whp.errors import UsageError, WhpError, require
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

EPILOG = "Exit codes: " + "; ".join(f"{code} {code.meaning}" for code in sorted(Exit)) + "."


class _Commands(TyperGroup):
    """The commands, which say that Ctrl-C has ended them: typer by itself exits without a word."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # outside a run's measurement, which says more
            complain("interrupted; the same command resumes")
            return Exit.INTERRUPTED


app = typer.Typer(
    cls=_Commands,
    help="Check theorems by experiment: a printed claim in, a verdict with named error rates out.",
    epilog=EPILOG,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cli_trust.register(app)
cli_bench.register(app)
app.add_typer(cli_data.app, name="data")


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        print(f"whp {whp.__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_(selection: Selection = []) -> int:  # noqa: B006 - typer reads the default, nobody changes it
    """List claims: id, kind, regime and title."""
    from whp.console import make_console, print_claims
    from whp.engine.discovery import resolve

    found, claims = resolve(selection)
    print_claims(make_console(), claims, found.papers)
    return broken_code(found)


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A claim id, or a path to a claim file.")],
) -> int:
    """Show a claim: statement, assumptions, sizes, regime, false twins, and its file."""
    from whp.console import make_console, print_claim
    from whp.engine.discovery import resolve

    found, claims = resolve([id])
    for claim in claims:
        print_claim(make_console(), claim, found.papers.get(claim.paper))
    return broken_code(found) if not claims else Exit.PASS


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(help="Claim file or folder; by default the claims shipped with whp.")
    ] = None,
) -> int:
    """Validate claim files without running them: names file and line of each broken one.

    A claim needs two false twins at least, and each of its checks one.
    """
    from whp.claims import twin_faults
    from whp.console import many, nearest
    from whp.engine.discovery import discover, validation_root

    if path is not None and not path.exists() and (validation_root() / path).is_dir():
        path = validation_root() / path  # the key of a shipped paper
    found = discover(None if path is None else [path])
    faults = [(claim, fault) for claim in found.claims for fault in twin_faults(claim)]
    faulty = {claim.id for claim, _ in faults}
    good = [claim for claim in found.claims if claim.id not in faulty]
    files = len({claim.source for claim in good})
    broken = len(found.broken) + len({claim.source for claim, _ in faults})
    print(f"well formed: {many(len(good), 'claim')} in {many(files, 'file')}; broken: {many(broken, 'file')}")
    for claim, fault in faults:
        complain(f"{nearest(claim.source)}: {fault}")
    return most_telling([broken_code(found), Exit.USAGE if faults else Exit.PASS])


@app.command()
def run(
    context: typer.Context,
    selection: Selection,
    profile: Profile = "quick",
    jobs: Jobs = None,
    seed: Seed = None,
    alpha: Alpha = ALPHA,
    device: Device = DEVICE,
    executor: Executor = EXECUTOR,
    ledger: Ledger = LEDGER,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report.  [default: reports/run-PROFILE]", show_default=False),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh/--resume",
            help="Make new trials from a new random seed, or take those in the ledger first.",
        ),
    ] = False,
    by_paper: Annotated[
        bool,
        typer.Option(
            "--by-paper/--together",
            help="Make a run of each paper, with --alpha and a report (OUT-PAPER) of its own, or one of all.",
        ),
    ] = False,
) -> int:
    """Measure claims, decide them, and write a report.

    A claim stops as soon as it is decided. What was measured is kept in the
    ledger, so the same command resumes after an interrupt and repeats nothing.
    A claim that cannot PASS with its trials and its share of --alpha is named
    at the start; the run goes on, as it may FAIL, and others depend on nothing of it.
    """
    from whp.cli_run import Settings, run_papers, run_together
    from whp.devices import resolve_device
    from whp.engine.discovery import as_typed, resolve

    check_options(profile, jobs, seed, alpha, executor)
    require(not fresh or seed is None, "--seed", "left out with --fresh, which draws one", seed, UsageError)
    found, claims = resolve(selection)
    if not claims:
        return broken_code(found) or Exit.NOTHING
    where, command = str(resolve_device(device)), str(context.obj)
    settings = Settings(profile, jobs, seed, alpha, where, executor, ledger, fresh, command)
    out = out if out is not None else Path("reports") / f"run-{profile}"
    if by_paper:
        return run_papers(found, as_typed(found, claims, selection), out, settings)
    return run_together(found, claims, out, settings)


@app.command()
def plan(
    selection: Selection,
    profile: Profile = "quick",
    jobs: Jobs = None,
    seed: Seed = None,
    alpha: Alpha = ALPHA,
    device: Device = DEVICE,
    ledger: Ledger = LEDGER,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe/--no-probe",
            help="Time what was never timed, about a second for each experiment. Those trials are kept.",
        ),
    ] = True,
    after: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Set the plan beside what a run has made: the folder of its report.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Say what a run would take: trials, time, and the discrepancy that it would detect.

    Refuses, with exit code 2, claims that cannot PASS with their trials and
    their share of --alpha, and says for each what would do.
    """
    from whp.claims import Budget
    from whp.console import make_console, print_comparison, print_plan
    from whp.devices import resolve_device
    from whp.engine.discovery import resolve
    from whp.engine.environment import available_cores
    from whp.engine.plan import plan as plan_claims
    from whp.report.planned import comparison
    from whp.report.writer import load_verdict_records

    check_options(profile, jobs, seed, alpha)
    made = [] if after is None else load_verdict_records(after)
    found, claims = resolve(selection)
    if not claims:
        return broken_code(found) or Exit.NOTHING
    planned = plan_claims(
        claims,
        profile=profile,
        budget=Budget(len(claims), alpha, alpha),
        seed=seed or 0,
        ledger_path=ledger,
        device=str(resolve_device(device)),
        probe=probe,
    )
    if after is None:
        print_plan(make_console(), planned, profile, jobs or available_cores())
    else:
        print_comparison(make_console(), comparison([row.record() for row in planned.rows], made))
    for sentence in planned.refused.values():
        complain(sentence)
    return most_telling([broken_code(found), Exit.USAGE if planned.refused else Exit.PASS])


@app.command()
def report(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, with its verdicts/.")],
) -> int:
    """Render report.html, summary.md and junit.xml again from the verdict files of a run.

    Exits with 0 when that is done, whatever the verdicts.
    """
    from whp.console import make_console, print_results, say
    from whp.report.writer import check_writable, leftovers, load_run, load_verdict_records, write_records

    require(folder.is_dir(), "DIR", "the folder of a report", str(folder), UsageError)
    records = load_verdict_records(folder)
    known = load_run(folder, records, context.obj)
    check_writable(folder)
    console = make_console()
    print_results(console, records)
    files = write_records(
        folder, records, run=known.run, papers=known.papers, broken=known.broken, planned=known.planned
    )
    if left := leftovers(folder):
        say(console, f"Left out, as an earlier run made them: {', '.join(left)}")
    say(console, f"Report: {files.html}")
    return Exit.PASS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error is one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters gets question marks
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = int(app(words, "whp", standalone_mode=False, obj=shlex.join(["whp", *words])) or 0)
        sys.stdout.flush()
        return code
    except WhpError as error:
        complain(str(error))
        return error.exit_code
    except TyperException as error:  # a word of the command line
        complain(f"{error.format_message()} (whp --help)")
        return Exit.USAGE
    except BrokenPipeError:  # the reader, e.g. head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PASS
    except Exception as error:
        if os.environ.get("WHP_TRACEBACK"):
            raise
        complain(f"internal error: {type(error).__name__}: {error} (WHP_TRACEBACK=1 shows where)")
        return Exit.INTERNAL
