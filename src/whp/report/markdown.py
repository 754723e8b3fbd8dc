"""The summary as Markdown: a table, claim by claim."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from whp.claims.verdict import Outcome
from whp.report import words
from whp.report.looseness import COLUMNS as LOOSE
from whp.report.looseness import NOTE as LOOSE_NOTE
from whp.report.looseness import looseness
from whp.report.planned import COLUMNS as PLANNED
from whp.report.planned import NOTE, comparison
from whp.report.run import BrokenFile, Record, RunInfo

VERDICTS = {
    Outcome.PASS.value: "✓ PASS",
    Outcome.FAIL.value: "✗ **FAIL**",
    Outcome.INCONCLUSIVE.value: "? INCONCLUSIVE",
}
COLUMNS = (
    "Claim",
    "Statement",
    "Kind",
    "Regime",
    "Verdict",
    "Estimate [interval]",
    "Constant or slack",
    "Trials",
    "Twins refuted",
)
MATH = re.compile(r"(?<!\\)(\$[^$]+\$)")


def render_markdown(
    records: Sequence[Record],
    run: RunInfo,
    broken: Sequence[BrokenFile] = (),
    planned: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return ``summary.md``; the arguments are those of :func:`whp.report.html.render_html`."""
    counts = words.counts(records)
    lines = [
        f"# {words.heading(records)}",
        "",
        ", ".join(f"{count} {name}" for name, count in counts.items()) + f" of {len(records)} claims.",
        "",
        f"- Command: {code(run.command)}",
        f"- Profile {plain(run.profile)}, seed {run.seed}"
        + (f", started {plain(run.started)}" if run.started else "")
        + f", {words.show_seconds(run.seconds)}",
        f"- Trials: {run.measured:,} measured, {run.reused:,} taken from the ledger",
        f"- Error budget of the whole run: {words.show(run.false_fail)} false FAIL,"
        f" {words.show(run.false_pass)} false PASS",
    ]
    if rates := words.guarantees(records):
        lines.append(f"- What the error rates rest on: {plain(rates)}")
    if run.environment:
        listed = "; ".join(f"{plain(key)} {plain(value)}" for key, value in run.environment.items())
        lines.append(f"- Environment: {listed}")
    if run.interrupted:
        lines += ["", "**Interrupted**: the verdicts rest on the trials made until then."]
    if broken:
        lines += ["", "Not read:", ""]
        lines += [f"- {code(file.where)}: {plain(file.message)}" for file in broken]
    pairs = words.errata(records)
    if pairs:
        lines += ["", "## Errata", "", "| As printed | | Corrected | |", "|---|---|---|---|"]
        lines += [
            f"| {code(a['id'])}: {_statement(a)} | {VERDICTS[a['verdict']]}"
            f" | {code(b['id'])}: {_statement(b)} | {VERDICTS[b['verdict']]} |"
            for a, b in pairs
        ]
    lines += ["", "## Claims", ""]
    if not records:
        return "\n".join([*lines, "Nothing was measured.", ""])
    lines += [
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
        *(_row(record) for record in records),
        "",
        "Estimate, interval and slack are those of the cell that decides; all cells are in `report.html`.",
        "",
    ]
    undecided = [record for record in records if record["verdict"] != Outcome.PASS.value]
    if undecided:
        lines += ["## Not passed", ""]
        lines += [f"- {code(record['id'])} {plain(words.verdict_sentence(record))}" for record in undecided]
        lines.append("")
    loose = looseness(records)
    if loose:
        lines += [
            "## How loose the bounds are",
            "",
            "| " + " | ".join(LOOSE) + " |",
            "|" + "---|" * len(LOOSE),
        ]
        lines += [
            f"| {code(row[0])} | {_cell(row[1])} | " + " | ".join(map(plain, row[2:])) + " |" for row in loose
        ]
        lines += ["", LOOSE_NOTE, ""]
    rows = comparison(planned, records)
    if rows:
        lines += ["## Planned and made", "", "| " + " | ".join(PLANNED) + " |", "|" + "---|" * len(PLANNED)]
        lines += [f"| {code(row[0])} | " + " | ".join(map(plain, row[1:])) + " |" for row in rows]
        lines += ["", NOTE, ""]
    return "\n".join(lines)


def _verdict(record: Record) -> str:
    """The word, and what its error rates rest on, where that is known."""
    basis = words.guarantee_name(record)
    return VERDICTS[record["verdict"]] + (f"<br>{basis}" if basis else "")


def findings(records: Sequence[Record]) -> str:
    """Counts, and what did not PASS: printed claims beside their corrections, and what is undecided."""
    counts = words.counts(records)
    twins = [outcome for record in records for outcome in record["twins"].values()]
    lines = [
        ", ".join(f"{count} {name}" for name, count in counts.items())
        + f"; {twins.count(Outcome.FAIL.value)} of {len(twins)} false twins refuted."
    ]
    pairs = words.errata(records)
    lines += _listed(
        "As printed, and corrected:",
        [f"{_finding(a)}. {code(b['id'])} {VERDICTS[b['verdict']]}: {_cell(b['title'])}." for a, b in pairs],
    )
    corrected = {a["id"] for a, _ in pairs}
    failed = [r for r in records if r["verdict"] == Outcome.FAIL.value and r["id"] not in corrected]
    lines += _listed("Contradicted, without a correction:", [f"{_finding(r)}." for r in failed])
    undecided = [r for r in records if r["verdict"] == Outcome.INCONCLUSIVE.value]
    lines += _listed("Not decided:", [f"{_finding(r)}." for r in undecided])
    return "\n".join(lines) + "\n"


def _listed(heading: str, items: Sequence[str]) -> list[str]:
    return ["", heading, "", *(f"- {item}" for item in items)] if items else []


def _finding(record: Record) -> str:
    verdict = VERDICTS[record["verdict"]]
    return f"{code(record['id'])} ({_cell(record['locus'])}) {verdict}: {_cell(record['title'])}"


def _row(record: Record) -> str:
    name = f"{code(record['id'])}<br>{_cell(record['locus'])}" + ("" if record["printed"] else ", corrected")
    cells = [
        name,
        _statement(record),
        plain(record["kind"]),
        record["regime"],
        _verdict(record),
        _estimate(record),
        words.show(record["slack"]),
        words.trials_text(record),
        words.twins_summary(record["twins"]),
    ]
    return "| " + " | ".join(cells) + " |"


def _estimate(record: Record) -> str:
    cell = words.binding(record)
    return f"{words.estimate_name(cell)}: {words.estimate_text(record, cell)}" if cell else "–"


def _statement(record: Record) -> str:
    """The printed formulas."""
    return "<br>".join(formula(latex) for latex in dict.fromkeys(record["formulas"])) or _cell(
        record["title"]
    )


def formula(latex: str) -> str:
    """A formula, for a table."""
    return f"${_math(latex)}$"


def _math(latex: str) -> str:
    """LaTeX that survives inside a table: no bars, no line ends, no dollar signs."""
    latex = (
        latex.replace(r"\|", r"\Vert ")
        .replace(r"\left|", r"\left\vert ")
        .replace(r"\right|", r"\right\vert ")
    )
    latex = latex.replace("|", r"\vert ").replace("$", "").replace("<", r"\lt ").replace(">", r"\gt ")
    return " ".join(latex.split())


def _cell(text: str) -> str:
    """Text with formulas between dollar signs, for a table."""
    parts = MATH.split(str(text))
    return "".join(f"${_math(part[1:-1])}$" if i % 2 else _spaced(part) for i, part in enumerate(parts))


def _spaced(text: str) -> str:
    """The text in plain, with a space where it had one beside a formula."""
    before, after = (" " if edge.isspace() else "" for edge in (text[:1], text[-1:]))
    return f"{before}{plain(text)}{after}" if text.strip() else before


def plain(text: str) -> str:
    """Escape what Markdown, HTML or a table would take for markup, and put it on one line."""
    text = re.sub(r"([\\`*_\[\]|])", r"\\\1", " ".join(str(text).split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Text in the type of code."""
    return f"`{' '.join(text.replace('`', '').split())}`"
