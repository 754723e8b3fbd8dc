"""What ``whp run`` does once its words are read: plan, measure, and report, once or paper by paper."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from whp.claims import Budget, Claim, verdict_record
from whp.console import make_console, nearest, print_results, say, watching
from whp.engine.choice import make_executor
from whp.engine.discovery import Discovery, validation_root
from whp.engine.environment import environment
from whp.engine.lasting import Lasting
from whp.engine.plan import Plan
from whp.engine.plan import plan as plan_claims
from whp.engine.runner import RunResult
from whp.engine.runner import run as run_claims
from whp.options import ALPHA, DEVICE, Exit, broken_code, complain, most_telling, verdict_code
from whp.report import writer
from whp.report.run import BrokenFile, RunInfo

NO_SEED = -1  # under which no trial was ever made: what --fresh knows of its seed before it draws one


@dataclass(frozen=True)
class Settings:
    """The options of a run; ``device`` is resolved, and ``command`` is the line that was typed."""

    profile: str
    jobs: int | None
    seed: int | None
    alpha: float
    device: str
    executor: str
    ledger: Path
    fresh: bool
    command: str


def run_papers(found: Discovery, claims: Sequence[Claim], out: Path, settings: Settings) -> int:
    """Make one run for each paper, with a budget of its own, its report in ``OUT-PAPER``; the exit code."""
    codes: list[int] = []
    with closing(workers_of(settings)) as workers:
        for paper in dict.fromkeys(claim.paper for claim in claims):
            own = [claim for claim in claims if claim.paper == paper]
            codes.append(run_once(found, own, out.with_name(f"{out.name}-{paper}"), settings, workers))
            if codes[-1] == Exit.INTERRUPTED:
                break
    return most_telling([broken_code(found), *codes])


def run_together(found: Discovery, claims: Sequence[Claim], out: Path, settings: Settings) -> int:
    """Make one run of all claims, with its report in ``OUT``; the exit code."""
    with closing(workers_of(settings)) as workers:
        code = run_once(found, claims, out, settings, workers)
    return most_telling([broken_code(found), code])


def workers_of(settings: Settings) -> Lasting:
    """The workers of a command; none is started yet."""
    return Lasting(lambda: make_executor(settings.executor, settings.jobs, settings.device))


def run_once(
    found: Discovery, claims: Sequence[Claim], out: Path, settings: Settings, workers: Lasting
) -> int:
    """Plan, measure, print, and write the report of one run; the exit code of its claims."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    budget = Budget(len(claims), settings.alpha, settings.alpha)
    early = workers.at_hand or settings.fresh or not settings.ledger.exists()
    if early:  # there will be something to measure, and they take as long to be ready as the plan does
        workers.prepare(claims)
    planned = plan_claims(
        claims,
        profile=settings.profile,
        budget=budget,
        seed=NO_SEED if settings.fresh else settings.seed or 0,
        ledger_path=settings.ledger,
        device=settings.device,
    )
    for id, sentence in planned.refused.items():
        complain(
            sentence
            if id in planned.impossible
            else f"notice: {sentence}; the run goes on, without a PASS for it"
        )
    if planned.impossible:
        return Exit.USAGE
    if not early and any(row.trials_known < row.trials_least for row in planned.rows):
        workers.prepare(claims)
    writer.check_writable(out)  # which makes the folder, so not before what may be refused
    console = make_console()
    with watching(console) as listener:
        result = run_claims(
            claims,
            profile=settings.profile,
            seed=settings.seed or 0,
            executor=workers,
            device=settings.device,
            ledger_path=settings.ledger,
            budget=budget,
            on_event=listener,
            fresh=settings.fresh,
        )
    code = _report(found, claims, out, settings, workers, planned, result, started, console)
    for claim in result.broken:
        complain(str(claim))
    codes = [code, Exit.USAGE if result.broken else Exit.PASS]
    return most_telling([*codes, Exit.INTERRUPTED if result.interrupted else Exit.PASS])


def _report(
    found: Discovery,
    claims: Sequence[Claim],
    out: Path,
    settings: Settings,
    workers: Lasting,
    planned: Plan,
    result: RunResult,
    started: str,
    console: Console,
) -> int:
    """Print the verdicts and write the report; the exit code of the verdicts."""
    extra = _unlike(alpha=settings.alpha, device=settings.device)
    again = {claim.id: _again(claim, settings.profile, result.seed, extra) for claim in claims}
    verdicts = [replace(verdict, command=again[verdict.id]) for verdict in result.verdicts]
    records = [verdict_record(verdict) for verdict in verdicts]
    print_results(console, records)
    if result.interrupted:
        say(console, f"Interrupted. What was measured is kept; to go on: {settings.command}")
    broken = [BrokenFile(str(b.path), b.message, b.line or None) for b in found.broken]
    broken += [BrokenFile(b.id, b.message) for b in result.broken]
    info = RunInfo(
        command=settings.command,
        profile=settings.profile,
        seed=result.seed,
        false_fail=settings.alpha,
        false_pass=settings.alpha,
        started=started,
        seconds=result.seconds,
        measured=result.measured,
        reused=result.reused,
        interrupted=result.interrupted,
        environment=environment(settings.device),
    )
    own = {claim.paper for claim in claims}
    papers = {
        key: {"title": p.title, "authors": p.authors, "year": p.year}
        for key, p in found.papers.items()
        if key in own
    }
    forecasts = [row.record() for row in planned.rows]
    free = workers.at_hand and not result.interrupted  # then they have nothing left to do
    files = writer.write_report(
        out,
        verdicts,
        run=info,
        papers=papers,
        broken=broken,
        planned=forecasts,
        workers=workers if free else None,
    )
    say(console, f"Report: {files.html}")
    return verdict_code(records)


def _unlike(**options: object) -> str:
    """Those of the options that are not at their defaults, as they are typed."""
    defaults = {"alpha": ALPHA, "device": DEVICE}
    return "".join(f" --{name} {value}" for name, value in options.items() if value != defaults[name])


def _again(claim: Claim, profile: str, seed: int, extra: str) -> str:
    """The line that runs one claim again; a claim that is not shipped is found by its file."""
    shipped = validation_root() in claim.source.resolve().parents
    word = claim.id if shipped else shlex.quote(nearest(claim.source))
    return f"whp run {word} --profile {profile} --seed {seed}{extra}"
