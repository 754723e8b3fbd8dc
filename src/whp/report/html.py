"""The report as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from whp.claims.verdict import Guarantee, Outcome, Regime
from whp.report import words
from whp.report.drawing import Drawing, draw_all
from whp.report.figures import choose_cells, mode
from whp.report.formulas import documentation, mathml, sentence
from whp.report.looseness import COLUMNS as LOOSE
from whp.report.looseness import NOTE as LOOSE_NOTE
from whp.report.looseness import looseness
from whp.report.planned import COLUMNS, NOTE, comparison
from whp.report.plots import drawn as drawn_plots
from whp.report.run import BrokenFile, Record, RunInfo

TEMPLATES = Path(__file__).parent / "templates"
SYMBOLS = {Outcome.PASS.value: "✓", Outcome.FAIL.value: "✗", Outcome.INCONCLUSIVE.value: "?"}
KEYS = {  # what the marks of a panel mean, by the kind of panel
    "data": ("point", "median of the trials, with a whisker from the smallest to the largest"),
    "fit": ("fit", "fitted power law; band: the interval of its exponent"),
    "rate": ("line", "the stated rate, through the first point"),
    "printed": ("line", "the printed exponent"),
    "bound": ("line", "the stated bound, and the level of its failure probability"),
    "level": ("line", "the level, as stated"),
    "accepted": ("range", "what the statement accepts"),
    "local": ("local", "slope between neighbouring sizes, with its interval"),
    "edge": ("edge", "edge of what passes"),
    "chance": ("chance", "estimate, with its interval"),
}
SHOWN = {
    "path": ("data", "fit", "rate", "local", "edge"),
    "slope": ("data", "fit", "printed", "local", "edge"),
    "bound": ("data", "bound", "chance"),
    "levels": ("level", "chance"),
    "means": ("accepted", "chance"),
    "data": ("data",),
}


def render_html(
    records: Sequence[Record],
    run: RunInfo,
    papers: Mapping[str, Mapping[str, Any]] | None = None,
    broken: Sequence[BrokenFile] = (),
    planned: Sequence[Mapping[str, Any]] = (),
    panels: int | None = None,
    workers: Executor | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    records : sequence of mapping
        Verdicts in the form of ``verdict.schema.json``.
    run : RunInfo
        Facts of the run.
    papers : mapping
        Paper key to its ``title``, ``authors``, ``year``, ``arxiv``, where known.
    broken : sequence of BrokenFile
        Claim files that could not be read.
    planned : sequence of mapping
        What was planned for each claim before the run.
    panels : int, optional
        The most panels that are drawn for a claim; 6, but 2 in the profile quick, where drawing would
        take as long as measuring.
    workers : Executor, optional
        Processes that draw; by default this one does.
    """
    if panels is None:
        panels = 2 if run.profile == "quick" else 6
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        show=words.show, interval=words.show_interval, seconds=words.show_seconds, sentence=sentence
    )
    twins = [outcome for record in records for outcome in record["twins"].values()]
    return environment.get_template("report.html.j2").render(
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        title=words.heading(records),
        run=run,
        papers=_papers(records, papers or {}),
        broken=broken,
        counts=words.counts(records),
        twins=len(twins),
        twins_refuted=sum(outcome == Outcome.FAIL.value for outcome in twins),
        twins_passed=[r for r in records if Outcome.PASS.value in r["twins"].values()],
        outcomes=list(Outcome),
        regimes=list(Regime),
        rates=words.guarantees(records),
        guarantees=[kind for kind in Guarantee if kind is not Guarantee.NONE],
        loose=looseness(records),
        loose_columns=LOOSE,
        loose_note=LOOSE_NOTE,
        planned=comparison(planned, records),
        planned_columns=COLUMNS,
        planned_note=NOTE,
        symbols=SYMBOLS,
        claims=_claims(records, run, panels, workers),
        failed=[r for r in records if r["verdict"] == Outcome.FAIL.value],
        errata=[(_statement(a), a, _statement(b), b) for a, b in words.errata(records)],
    )


def _papers(records: Sequence[Record], papers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each paper of which something is known."""
    lines = []
    for key in dict.fromkeys(record["paper"] for record in records):
        facts = papers.get(key, {})
        authors = facts.get("authors", "")
        authors = ", ".join(map(str, authors)) if isinstance(authors, (list, tuple)) else str(authors)
        parts = [authors, str(facts.get("title", "")), str(facts.get("year", ""))]
        parts += [f"arXiv:{facts['arxiv']}"] if facts.get("arxiv") else []
        if any(parts):
            lines.append(f"{key}: {'. '.join(part for part in parts if part)}")
    return lines


def _statement(record: Record) -> list[dict[str, Any]]:
    """The formulas, each with the name of its test where there are several."""
    formulas = record["formulas"]
    tests = list(dict.fromkeys(cell["test"] for cell in record["cells"]))
    named = len(formulas) > 1 and len(tests) == len(formulas)
    return [
        {"name": tests[i] if named else "", "formula": mathml(formula, block=True)}
        for i, formula in enumerate(formulas)
    ]


def _claims(
    records: Sequence[Record], run: RunInfo, panels: int, workers: Executor | None
) -> list[dict[str, Any]]:
    """All that the template shows of each claim."""
    chosen = [choose_cells(record, panels) for record in records]
    drawings: list[Drawing] = []
    for index, (record, cells) in enumerate(zip(records, chosen, strict=True)):
        drawings += [Drawing(cell, f"c{index}-{k}") for k, cell in enumerate(cells)]
        plots = drawn_plots(record)
        drawings += [Drawing(plot, f"q{index}-{k}", panel=False) for k, plot in enumerate(plots)]
    texts = draw_all(drawings, workers)
    drawn = {
        made.prefix: Markup(svg) for made, svg in zip(drawings, texts, strict=True)
    }  # escaped where made
    return [
        _claim(record, index, run, cells, drawn)
        for index, (record, cells) in enumerate(zip(records, chosen, strict=True))
    ]


def _claim(
    record: Record, index: int, run: RunInfo, drawn: Sequence[Record], svg: Mapping[str, Markup]
) -> dict[str, Any]:
    """All that the template shows of a claim, given its cells that are drawn and the figures by prefix."""
    cell = words.binding(record)
    shown = dict.fromkeys(key for c in drawn for key in SHOWN[mode(c)])
    several = len({c["test"] for c in record["cells"]}) > 1
    failures: dict[str, int] = {}
    for c in record["cells"]:
        for status, count in c["failures"].items():
            failures[status] = failures.get(status, 0) + int(count)
    return {
        "record": record,
        "statement": _statement(record),
        "regime": Regime(record["regime"]),
        "binding": cell,
        "advice": words.advice(record, cell),
        "binding_label": words.cell_label(cell) if cell else "",
        "estimate_name": words.estimate_name(cell),
        "estimate": words.estimate_text(record, cell),
        "guarantee": words.guarantee_name(record),
        "error_rates": words.error_rates(record),
        "slack_name": words.slack_name(cell),
        "trials": words.trials_text(record),
        "twins": words.twins_summary(record["twins"]),
        "cell_counts": words.counts(record["cells"]),
        "several_tests": several,
        "variables": list(dict.fromkeys(key for c in record["cells"] for key in c["cell"])),
        "cells": [
            {
                "record": c,
                "estimate": words.estimate_text(c, c),
                "slack": words.show(c["slack"]),
                "guarantee": words.guarantee_name(c),
            }
            for c in record["cells"]
        ],
        "finite_size": _finite_size(cell) if cell else [],
        "warnings": words.warnings_of(record),
        "failures": failures,
        "documentation": documentation(record["documentation"]),
        "other_profile": record["profile"] if record["profile"] != run.profile else "",
        "key": [KEYS[key] for key in shown],
        "panels": [
            {
                "svg": svg[f"c{index}-{k}"],
                "label": (f"{c['test']}: " if several else "") + words.cell_label(c),
                "verdict": c["verdict"],
                "estimate": f"{words.estimate_name(c)} {words.estimate_text(c, c)}",
            }
            for k, c in enumerate(drawn)
        ],
        "plots": [
            {"svg": svg[f"q{index}-{k}"], "caption": plot["caption"]}
            for k, plot in enumerate(drawn_plots(record))
        ],
        "omitted": len([c for c in record["cells"] if mode(c)]) - len(drawn),
    }


def _finite_size(cell: Record) -> list[tuple[str, str]]:
    """What shows how far the binding cell is from asymptotic, as label and number."""
    figure = cell["figure"]
    lead = figure.get("lead", "")

    def text(entry: Mapping[str, Any]) -> str:
        return f"{words.show(entry['estimate'])} {words.show_interval(entry)}"

    named = {
        "tail": f"over the tail, {lead} ≥ {words.show(figure['tail']['from'], 6)}"
        if "tail" in figure
        else "",
        "corrected": "with a correction to scaling",
        "curvature": "curvature",
        "limit": "share of the first value left at infinite size",
    }
    rows = [(label, text(figure[key])) for key, label in named.items() if key in figure]
    tails = figure.get("tail_slopes", [])
    rows += [(f"{lead} ≥ {words.show(t['from'], 6)}", text(t)) for t in tails[1:]]
    return rows
