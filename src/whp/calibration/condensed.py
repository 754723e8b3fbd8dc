"""The result of a calibration in one table, a row a rule, for the page on statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from whp.report.words import show

Record = Mapping[str, Any]


def condensed_table(record: Record) -> str:
    """Markdown: for every rule, by what it claims of its rate, the cell with the largest measured rate.

    Parameters
    ----------
    record : mapping
        As in ``calibration.json``.

    Returns
    -------
    str
        A sentence on the run, and a table that has one row for each kind and guarantee.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for cell in record["cells"]:
        if _judged(cell):
            groups.setdefault((_rule(cell["facts"]), cell["guarantee"]), []).append(cell)
    claims = sum(cell["claims"] for cell in record["cells"])
    lines = [
        f"From `{record['command']}`: {len(record['cells'])} cells, {claims:,} simulated claims. A row is a"
        " rule and what it claims of its rate; its worst cell is that whose measured rate is largest against"
        " the nominal one, with its Clopper-Pearson interval.",
        "",
        "| Rule | Claims to be | Cells | Simulated claims | Worst cell | Error | Nominal, % | Measured, % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (kind, guarantee), cells in groups.items():
        cell, rate = worst(cells)
        facts = cell["facts"]
        where = "; ".join(str(facts[name]) for name in ("noise", "truth", "looks") if facts.get(name))
        where += f"; {facts['trials']} trials" if facts.get("trials") else ""
        label = {"none": "nothing"}.get(guarantee, guarantee)
        measured = f"{_percent(rate['rate'])} [{_percent(rate['low'])}, {_percent(rate['high'])}]"
        size = f"{len(cells)} | {sum(c['claims'] for c in cells):,}"
        error = f"{rate['event']} | {_percent(rate['nominal'])} | {measured}"
        lines.append(f"| {kind} | {label} | {size} | {where} | {error} |")
    return "\n".join(lines)


def _rule(facts: Record) -> str:
    """What is measured: a kind of claim, or a method that bounds a norm."""
    return str(facts.get("kind") or facts.get("method") or facts["group"])


def _judged(cell: Record) -> list[Record]:
    """The rates of a cell that have a nominal value."""
    return [rate for rate in cell["rates"] if rate["nominal"] is not None]


def worst(cells: Iterable[Record]) -> tuple[Record, Record]:
    """The cell and the rate that are largest against nominal."""
    pairs = [(cell, rate) for cell in cells for rate in _judged(cell)]
    # The ratio is null where neither may happen nor did: a nominal rate of zero.
    return max(pairs, key=lambda pair: float(pair[1]["ratio"] or 0.0))


def _percent(rate: float) -> str:
    return show(100.0 * rate)
