"""One table over several runs: every check of every claim with its printed rate and what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from whp.claims.verdict import RANK, Outcome
from whp.report import words
from whp.report.markdown import VERDICTS, code, formula, plain
from whp.report.run import Record

COLUMNS = ("Claim", "Printed", "Measured [interval]", "Constant or slack", "Regime", "Verdict")


def deciding(cells: Sequence[Record]) -> Record:
    """The cell that decides a check: the worst verdict, and among equals the one nearest its threshold."""

    def order(cell: Record) -> tuple[int, float]:
        high = words.value(cell["interval"]["high"])
        return RANK[Outcome(cell["verdict"])], -high if math.isfinite(high) else math.inf

    return min(cells, key=order)


def overview(records: Sequence[Record]) -> str:
    """Return a Markdown table, one row a check.

    Parameters
    ----------
    records : sequence of mapping
        Verdicts in the form of ``verdict.schema.json``, of one run or of several.
    """
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for record in records:
        lines += _rows(record)
    return "\n".join(lines) + "\n"


def _rows(record: Record) -> list[str]:
    tests = list(dict.fromkeys(cell["test"] for cell in record["cells"]))
    aligned = len(tests) == len(record["formulas"])
    rows = []
    for index, test in enumerate(tests):
        cell = deciding([cell for cell in record["cells"] if cell["test"] == test])
        printed = formula(record["formulas"][index]) if aligned else plain(record["title"])
        name = f"{code(record['id'])}<br>{plain(record['locus'])}"
        name += "" if record["printed"] else ", corrected"
        cells = (
            (name if index == 0 else f"{code(record['id'])}")
            + (f"<br>{plain(test)}" if len(tests) > 1 else ""),
            printed,
            f"{words.estimate_name(cell)}: {words.estimate_text(cell, cell)}{_where(cell)}",
            words.show(cell["slack"]),
            record["regime"],
            VERDICTS[cell["verdict"]],
        )
        rows.append("| " + " | ".join(cells) + " |")
    return rows or [
        f"| {code(record['id'])} | {plain(record['title'])} | nothing | – | {record['regime']} |"
        f" {VERDICTS[record['verdict']]} |"
    ]


def _where(cell: Record) -> str:
    """Which cell it is, where there are several."""
    return f"<br>({plain(words.cell_label(cell))})" if cell["cell"] else ""
