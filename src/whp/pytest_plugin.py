"""The pytest plugin: claim files as test items, one a claim.

``pytest --whp claims/`` collects the claims of a file or folder; the ini option
``whp_claims`` names such places for good. PASS passes and FAIL fails.
INCONCLUSIVE is an outcome of its own, shown as ``I``; it is never a pass: the
session exits with 1 as after a failure, ``-x`` stops at it, and ``junit.xml``
counts it as a failure.

This module is imported by every pytest run where whp is installed, so it
imports nothing but pytest until there is a claim to collect.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from whp.claims import Claim
    from whp.report.run import Record

CATEGORY = "inconclusive"
PROPERTY = "whp_verdict"  # of an item; junit.xml shows it


@dataclass(frozen=True)
class Settings:
    """What the options and the ini file say."""

    places: tuple[Path, ...]
    profile: str
    seed: int


SETTINGS = pytest.StashKey[Settings]()
RECORDS = pytest.StashKey[dict[str, "Record"]]()  # of the session, by claim id
BROKEN = pytest.StashKey[dict[str, str]]()  # claims without a verdict, and why


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("whp", "claims checked by experiment")
    group.addoption(
        "--whp",
        action="append",
        default=[],
        metavar="PATH",
        help="Claim file or folder to collect; repeatable. Alone, only claims are collected.",
    )
    group.addoption(
        "--whp-profile", default="quick", metavar="NAME", help="quick (default), standard or paper."
    )
    group.addoption(
        "--whp-seed", type=int, default=0, metavar="N", help="Root seed of all trials (default 0)."
    )
    parser.addini("whp_claims", "Claim files and folders to collect.", type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, and add the places that are not reached by the other arguments."""
    asked = [(config.invocation_params.dir / place).resolve() for place in config.getoption("--whp")]
    places = (*asked, *(place.resolve() for place in config.getini("whp_claims")))
    if not places:
        return
    from whp.engine.environment import named_route
    from whp.errors import WhpError

    settings = Settings(places, config.getoption("--whp-profile"), config.getoption("--whp-seed"))
    for place in places:
        if not place.exists():
            raise pytest.UsageError(f"--whp must be an existing claim file or folder, got {str(place)!r}")
    if settings.profile not in ("quick", "standard", "paper"):
        raise pytest.UsageError(f"--whp-profile must be quick, standard or paper, got {settings.profile!r}")
    if settings.seed < 0:
        raise pytest.UsageError(f"--whp-seed must be a non-negative integer, got {settings.seed}")
    try:
        named_route()
    except WhpError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[SETTINGS] = settings
    config.stash[RECORDS] = {}
    config.stash[BROKEN] = {}
    source = pytest.Config.ArgsSource
    if asked:
        kept = config.args if config.args_source is source.ARGS else []
        config.args = [*kept, *map(str, asked)]
    elif config.args_source is source.TESTPATHS:
        config.args = [*config.args, *map(str, places)]


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a claim file as claims, and as nothing else."""
    others = yield
    settings = parent.config.stash.get(SETTINGS, None)
    if settings is None or file_path.suffix != ".py":
        return others
    if not any(file_path == place or place in file_path.parents for place in settings.places):
        return others
    from whp.engine.discovery import NO_CLAIM_FILES

    if file_path.name.startswith("_") or any(file_path.match(name) for name in NO_CLAIM_FILES):
        return others
    return [ClaimFile.from_parent(parent, path=file_path)]


class ClaimFile(pytest.File):
    """A claim file; a broken one is a collection error that names the line."""

    def collect(self) -> Iterator[ClaimItem]:
        """One item a claim."""
        from whp.engine.discovery import discover

        found = discover([self.path])
        if found.broken:
            raise self.CollectError("\n".join(map(str, found.broken)))
        for claim in found.claims:
            yield ClaimItem.from_parent(self, name=claim.id, claim=claim)


class NotPassedError(Exception):
    """The claim is not a PASS; the message is its report."""


class ClaimItem(pytest.Item):
    """A claim to be decided."""

    def __init__(self, *, claim: Claim, **options: Any) -> None:
        super().__init__(**options)
        self.claim = claim

    def runtest(self) -> None:
        """Judge the verdict of the claim.

        The first item runs all claims of the session, as ``whp run`` would:
        claims share trials and a budget, and workers start once. A worker of
        pytest-xdist runs the claims that it is given one at a time.

        Raises
        ------
        NotPassedError
            Unless the verdict is PASS and no false twin has passed.
        """
        records, broken = self.config.stash[RECORDS], self.config.stash[BROKEN]
        if self.claim.id not in {*records, *broken}:
            _measure(self)
        if self.claim.id in broken:
            raise NotPassedError(f"{self.claim.id}: {broken[self.claim.id]}")
        record = records[self.claim.id]
        word = record["verdict"]
        if word == "PASS" and "PASS" in record["twins"].values():
            word = "INCONCLUSIVE"
        self.user_properties.append((PROPERTY, word))
        if word != "PASS":
            raise NotPassedError(_explain(record, self.config.stash[SETTINGS], self.path))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report of the claim, or the one sentence of a mistake, in place of a traceback."""
        from whp.errors import WhpError

        if isinstance(excinfo.value, (NotPassedError, WhpError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """How headings call the item."""
        return self.path, None, f"claim {self.name}"


def _measure(item: ClaimItem) -> None:
    """Put the verdicts of all claims of the session, or under xdist of this one, into the stash."""
    from whp.claims import Budget, verdict_record
    from whp.engine.environment import available_cores
    from whp.engine.runner import run

    claims = [other.claim for other in item.session.items if isinstance(other, ClaimItem)]
    alone = hasattr(item.config, "workerinput")
    settings = item.config.stash[SETTINGS]
    result = run(
        [item.claim] if alone else claims,
        profile=settings.profile,
        seed=settings.seed,
        jobs=1 if alone else available_cores(),
        ledger_path=item.config.rootpath / ".whp" / "ledger.sqlite",
        budget=Budget(len(claims)),
    )
    if result.interrupted:
        raise KeyboardInterrupt
    item.config.stash[RECORDS].update({verdict.id: verdict_record(verdict) for verdict in result.verdicts})
    item.config.stash[BROKEN].update({broken.id: broken.message for broken in result.broken})


def _explain(record: Record, settings: Settings, file: Path) -> str:
    """What a reader needs of a claim that is no PASS."""
    from whp.report.words import cell_label, verdict_sentence

    lines = [f"{record['id']} ({record['locus']}): {record['title']}", verdict_sentence(record)]
    lines += [f"statement: {formula}" for formula in record["formulas"]]
    for cell in record["cells"]:
        if cell["verdict"] != "PASS" and len(record["cells"]) > 1:
            lines.append(f"{cell['verdict']} in {cell['test']}, {cell_label(cell)}: {cell['advice']}")
    for name, outcome in record["twins"].items():
        if outcome == "PASS":
            lines.append(f"its false twin {name!r} has passed, so its check shows nothing")
    lines.append(f"reproduce: whp run {file} --profile {settings.profile} --seed {settings.seed}")
    return "\n".join(lines)


def pytest_report_teststatus(
    report: pytest.TestReport | pytest.CollectReport,
) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
    """Its own category, letter and word."""
    properties = dict(getattr(report, "user_properties", ()))
    if report.when == "call" and properties.get(PROPERTY) == "INCONCLUSIVE":
        return CATEGORY, "I", ("INCONCLUSIVE", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why, below the failures."""
    reports = terminalreporter.getreports(CATEGORY)
    if reports:
        terminalreporter.write_sep("=", "INCONCLUSIVE")
    for report in reports:
        terminalreporter.write_sep("_", report.nodeid, yellow=True)
        terminalreporter.write_line(report.longreprtext)
