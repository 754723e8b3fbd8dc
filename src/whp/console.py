"""What the command line shows: a live display on a terminal, plain lines everywhere else."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from whp.claims import PROFILES, Claim, Outcome, verdict_record
from whp.engine.discovery import Paper
from whp.engine.events import ClaimDecided, Event, RunStarted
from whp.engine.events import Progress as Progressed
from whp.engine.forecast import Forecast
from whp.engine.plan import Plan
from whp.report.planned import COLUMNS
from whp.report.run import Record
from whp.report.words import (
    counts,
    guarantee_name,
    guarantees,
    show,
    show_interval,
    show_seconds,
    twins_summary,
    verdict_sentence,
)

STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow"}
PLAIN_WIDTH = 200  # of tables where there is no terminal to fit into


def is_plain() -> bool:
    """Whether to print plain lines: CI or NO_COLOR is set, or the output is no terminal."""
    return any(os.environ.get(name) for name in ("CI", "NO_COLOR")) or not sys.stdout.isatty()


class Screen(Console):
    """A console whose reader may leave, as ``head`` does: what runs goes on, unheard."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on; rich would exit with 1, which here means a FAIL."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_console() -> Console:
    """The console for standard output; without colour, markup or control codes where plain."""
    if not is_plain():
        return Screen(highlight=False)
    return Screen(highlight=False, width=PLAIN_WIDTH, force_terminal=False, no_color=True, color_system=None)


def print_table(
    console: Console, head: Sequence[str], rows: Sequence[Sequence[str | Text]], wrap: Sequence[str] = ()
) -> None:
    """Print a table; the columns in ``wrap`` are folded where there is no room, others never."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        table.add_column(Text(name), no_wrap=name not in wrap, overflow="fold")
    for row in rows:
        table.add_row(*row)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(console, line.rstrip())  # padding at the end of lines is noise in a log


def nearest(file: Path) -> str:
    """A path as a person would type it here: relative where it is below the current folder."""
    file, here = file.resolve(), Path.cwd().resolve()
    return str(file.relative_to(here) if here in file.parents else file)


def many(number: int, noun: str) -> str:
    """``1 claim``, ``2 claims``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(console: Console, text: str | Text) -> None:
    """Print a line as it is: long lines are not broken, brackets are no markup."""
    console.print(text, soft_wrap=True, markup=False)


def coloured(verdict: str) -> Text:
    """A verdict in its colour."""
    return Text(verdict, STYLES[verdict])


def print_claims(console: Console, claims: Sequence[Claim], papers: Mapping[str, Paper]) -> None:
    """Ids with kind, regime and title, paper by paper."""
    for key in dict.fromkeys(claim.paper for claim in claims):
        own = [claim for claim in claims if claim.paper == key]
        say(console, Text(_paper(key, papers.get(key)), "bold"))
        rows = [(f"  {claim.id}", claim.kind, _regimes(claim), claim.title) for claim in own]
        print_table(console, ("  claim", "kind", "regime", "title"), rows, wrap=("  claim", "title"))


def _paper(key: str, paper: Paper | None) -> str:
    if paper is None:
        return key
    return f"{key}: {', '.join(paper.authors)}. {paper.title}. {paper.venue}, {paper.year}."


def _regimes(claim: Claim) -> str:
    """One word where it is the same in every profile."""
    values = {profile: claim.regime(profile).value for profile in PROFILES}
    return next(iter(values.values())) if len(set(values.values())) == 1 else _pairs(values)


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def print_claim(console: Console, claim: Claim, paper: Paper | None) -> None:
    """Everything that is declared about a claim."""
    say(console, Text(f"{claim.id}: {claim.title}", "bold"))
    facts = [
        ("paper", _paper(claim.paper, paper)),
        ("locus", claim.locus + ("" if claim.printed else f"; corrects {claim.corrects}")),
        ("kind", claim.kind),
        ("regime", _regimes(claim)),
        *(
            ("statement", f"{f'{check.name}: ' if check.name else ''}{check.formula}")
            for check in claim.checks
        ),
        *(("assumes", assumption) for assumption in claim.assumptions),
        *(("sizes", line) for line in _sizes(claim)),
        *(
            ("false twin", f"{name}: {check.formula} ({why})")
            for name, (check, why) in claim.twin_checks().items()
        ),
        ("file", nearest(claim.source)),
    ]
    for index, (name, text) in enumerate(facts):
        repeated = index > 0 and facts[index - 1][0] == name
        say(console, f"{'' if repeated else name:11}{text}")
    say(console, f"\n{claim.documentation}")


def _sizes(claim: Claim) -> Iterator[str]:
    """The design in every profile: path, number of cells, trials."""
    for experiment in claim.experiments():
        for profile in PROFILES:
            design = experiment.design(profile)
            path = "" if design.path is None else f"{design.path.describe()}; "
            least, most = design.trials
            yield f"{profile}: {path}{many(len(design.cells()), 'cell')}, {least} to {most} trials a point"


def print_plan(console: Console, plan: Plan, profile: str, jobs: int) -> None:
    """What each claim asks for, what it would find, and the time of the whole."""
    rows = [
        (
            row.id,
            row.kind,
            str(row.cells),
            f"{row.trials_least} to {row.trials_most}",
            _needs(row.checks),
            str(row.trials_known),
            _time(row.seconds_least, row.seconds_most, jobs),
            "yes" if row.can_pass else "no",
        )
        for row in plan.rows
    ]
    head = ("claim", "kind", "cells", "trials", "needs a point", "in ledger", "time", "can PASS")
    print_table(console, head, rows, wrap=("claim", "kind", "time"))
    say(console, "\nWith the most trials a run would find:")
    for row in plan.rows:
        for check in row.checks:
            name = f"{check.check}: " if len(row.checks) > 1 else ""
            say(console, f"  {row.id}: {name}{check.text}")
    away: dict[str, dict[str, None]] = {}  # reason: ids, each once
    for row in plan.rows:
        for check in row.checks:
            if check.elsewhere:
                away.setdefault(check.elsewhere, {})[row.id] = None
    for reason, ids in away.items():
        say(console, f"\nINCONCLUSIVE, {reason}: {', '.join(ids)}")
    time = _time(plan.seconds_least, plan.seconds_most, jobs)
    say(console, f"\nTime of the whole, shared trials counted once, with {many(jobs, 'worker')}: {time}")


def _needs(checks: Sequence[Forecast]) -> str:
    """Trials a point that the check that needs the most would take, of the most that are made."""
    decided = [check for check in checks if not check.elsewhere]
    if not decided:
        return "–"
    worst = max(decided, key=lambda check: check.needed or check.fewest or math.inf)
    number = worst.needed or worst.fewest
    return f"{'' if worst.needed else 'at least '}{number or 'a million'} of {worst.most}"


def print_comparison(console: Console, rows: Sequence[Sequence[str]]) -> None:
    """What was planned beside what was made, claim by claim."""
    head = [name.lower() for name in COLUMNS]
    print_table(console, head, rows, wrap=("claim", "trial time planned"))


def _time(least: float | None, most: float | None, jobs: int) -> str:
    """From the least to the most trials, shared by the workers."""
    if least is None or most is None:
        return "not timed yet"
    return f"{show_seconds(least / jobs)} to {show_seconds(most / jobs)}"


def print_results(console: Console, records: Sequence[Record]) -> None:
    """One row a claim, the reasons of what did not PASS, and what runs a FAIL again."""
    head = ("claim", "verdict", "error rates", "regime", "estimate [interval]", "trials", "twins refuted")
    rows = [
        (
            record["id"],
            coloured(record["verdict"]),
            guarantee_name(record) or "–",
            record["regime"],
            _estimate(record),
            str(record["trials"]),
            twins_summary(record["twins"]),
        )
        for record in records
    ]
    say(console, "")
    print_table(console, head, rows, wrap=("claim", "estimate [interval]"))
    say(console, "")
    for record in records:
        if record["verdict"] != Outcome.PASS:
            say(console, f"{record['id']}: {verdict_sentence(record)}")
        for name, outcome in record["twins"].items():
            if outcome == Outcome.PASS:
                say(
                    console, f"{record['id']}: its false twin {name!r} has passed, so its check shows nothing"
                )
        if record["verdict"] == Outcome.FAIL:
            say(console, f"  to see it again: {record['command']}")
    tally = ", ".join(f"{count} {name}" for name, count in counts(records).items() if count)
    say(console, tally or "No verdict.")
    if rates := guarantees(records):
        say(console, f"Error rates: {rates}")


def _estimate(record: Record) -> str:
    """Estimate and interval; a dash where nothing was estimated."""
    estimate = show(record["estimate"])
    return estimate if record["estimate"] is None else f"{estimate} {show_interval(record['interval'])}"


def decided_line(event: ClaimDecided) -> Text:
    """The line that is printed when a claim is decided."""
    record = verdict_record(event.verdict)
    return Text.assemble(
        f"[{event.finished}/{event.claims}] ",
        coloured(record["verdict"]),
        f" {record['id']}: {_estimate(record)}, {record['trials']} trials, {show_seconds(record['seconds'])}",
    )


@contextmanager
def watching(console: Console) -> Iterator[Callable[[Event], None]]:
    """Show a run while it goes on; yields what the runner calls with its events."""

    def line(event: Event) -> None:
        if isinstance(event, RunStarted):
            known = f"; the ledger has {many(event.trials_known, 'trial')}" if event.trials_known else ""
            work = f"{many(event.claims, 'claim')} in {many(event.cells, 'cell')}"
            say(console, f"{work}, seed {event.seed}{known}")
        elif isinstance(event, ClaimDecided):
            say(console, decided_line(event))

    if is_plain():
        yield line
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        finished = [0, 0]

        def live(event: Event) -> None:
            line(event)
            if isinstance(event, RunStarted):
                finished[1] = event.claims
            elif isinstance(event, ClaimDecided):
                finished[0] = event.finished
            elif isinstance(event, Progressed):
                left = "" if event.time_left is None else f", about {show_seconds(event.time_left)} left"
                trials = f"{event.trials_done} of {event.trials_planned} trials"
                text = f"{finished[0]}/{finished[1]} claims, {trials}{left}"
                total = max(event.seconds_planned, 1e-9) if event.time_left is not None else None
                bar.update(task, description=text, total=total, completed=event.seconds_done)

        yield live
