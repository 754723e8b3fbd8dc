"""What was measured, as tables in Markdown: made from the files of ``whp bench``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


def table(records: Sequence[Record]) -> str:
    """Return the numbers that are wanted, what was measured, and how cost grows.

    Parameters
    ----------
    records : sequence of mappings
        As :func:`whp.benchmarks.run.load` gives them.
    """
    if not records:
        return "Nothing is measured yet."
    lines = ["| work | number | wanted | measured |", "|---|---|---|---|"]
    lines += [line for record in records for line in rows(record)]
    for record in records:
        if record["bounded_by"] and any(row["met"] is False for row in record["wanted"]):
            lines += ["", f"`{record['name']}`: {record['bounded_by']}"]
    grown = [row for record in records for row in record["facts"].get("exponents", ())]
    if grown:
        lines += [
            "",
            "How seconds grow with a size when the others stay: slope of logarithms, its 95 % interval over"
            " rounds, and the slope of the operations that are counted.",
            "",
            "| work | against | from, to | measured | operations |",
            "|---|---|---|---|---|",
            *(exponent(row) for row in grown),
        ]
    machines = {machine(record): None for record in records}  # each once, in order
    peers = {" ".join(pair): None for record in records for pair in (record["peer"] or {}).items()}
    lines += ["", f"Machine: {'; '.join(machines)}." + (f" Peer: {', '.join(peers)}." if peers else "")]
    return "\n".join(lines)


def rows(record: Record) -> Iterator[str]:
    """A row for each number that is wanted of a work, or that it has found where none is."""
    title = cell(f"`{record['name']}`: {record['title']}")
    for row in record["wanted"]:
        mark = {True: "✓", False: "✗", None: "?"}[row["met"]]
        found = "not measured" if row["measured"] is None else number(row["measured"], row["unit"])
        yield f"| {title} | {cell(row['figure'])} | {row['words']} | {mark} {found} |"
        title = ""
    if not record["wanted"] and "exponents" not in record["facts"]:  # measured for its own sake
        for name, figure in record["figures"].items():
            yield f"| {title} | {cell(name)} | – | {number(figure, '')} |"
            title = ""


def exponent(row: Mapping[str, Any]) -> str:
    """A row for the growth in one size."""
    measured = f"{row['measured']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    span = f"{row['values'][0]}, {row['values'][-1]}"
    return f"| {cell(row['what'])} | {row['against']} | {span} | {measured} | {row['predicted']:.2f} |"


def number(value: float, unit: str) -> str:
    """Three digits, and the unit."""
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{text} {unit}".strip()


def machine(record: Record) -> str:
    """Processor or GPU, threads and library of products."""
    system = record["environment"]
    device = system["device"]
    where = system["cpu"] if device == "cpu" else device
    count = f"{record['threads']} {'thread' if record['threads'] == 1 else 'threads'}"
    return f"{where}, {count}, torch {system['torch']}, products by {system.get('product', 'torch')}"


def cell(text: str) -> str:
    """Text that does not end a cell."""
    return text.replace("|", "\\|")
