"""How loose each bound is: the factor between what is stated and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whp.claims.verdict import Outcome
from whp.report import words
from whp.report.run import Record

COLUMNS = ("Claim", "Bound", "Regime", "Stated / median", "Stated / worst trial", "Tightest at")
NOTE = (
    "The factor by which a bound exceeds what was measured: the median of the trials (the slack), and the"
    " largest of them; from the tightest cell to the loosest, where they differ. Where what decides is itself"
    " a bound, say of a supremum over all times, the median is that of what was seen, and the worst trial"
    " that of the bound. Bounds that PASS, and say a level."
)


@dataclass(frozen=True)
class _Cell:
    """The factors of one cell, at the point where the bound is tightest."""

    median: float
    worst: float
    label: str


def looseness(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Return the rows of the table, one a bound that passed; the columns are `COLUMNS`.

    Parameters
    ----------
    records : sequence of mapping
        Verdicts in the form of ``verdict.schema.json``.
    """
    rows: list[tuple[str, ...]] = []
    for record in records:
        tests = dict.fromkeys(cell["test"] for cell in record["cells"])
        for test in tests:
            cells = [cell for cell in record["cells"] if cell["test"] == test]
            found = [factors for cell in cells if (factors := _factors(cell)) is not None]
            if found and len(found) == len(cells):
                tightest = min(found, key=lambda cell: cell.median)
                rows.append(
                    (
                        str(record["id"]),
                        str(test) if len(tests) > 1 else str(record["title"]),
                        str(record["regime"]),
                        _range([cell.median for cell in found]),
                        _range([cell.worst for cell in found]),
                        tightest.label,
                    )
                )
    return rows


def _factors(cell: Record) -> _Cell | None:
    """Stated over measured; None for what is not a bound, or did not pass."""
    figure: Mapping[str, Any] = cell["figure"]
    stated = figure.get("bound")
    if "levels" not in figure or not stated or cell["verdict"] != Outcome.PASS.value:
        return None
    bound, median, worst = (
        np.array([words.value(x) for x in series]) for series in (stated, figure["median"], figure["maximum"])
    )
    finite = np.isfinite(bound).all() and not np.isnan(words.value(cell["slack"]))
    if not (finite and (bound > 0).all() and (worst > 0).all()):
        return None
    with np.errstate(divide="ignore"):
        by_median = np.where(median > 0, bound / np.maximum(median, 0), np.inf)
    at = int(np.argmin(by_median))
    sizes = figure.get("points", [{}] * len(bound))[at]
    where = [*cell["cell"].items(), *sizes.items()]
    label = ", ".join(f"{key} = {value}" for key, value in where) or "all"
    return _Cell(words.value(cell["slack"]), float((bound / worst).min()), label)


def _range(values: Sequence[float]) -> str:
    """The smallest, and the largest where it shows another number."""
    low, high = words.show(min(values)), words.show(max(values))
    return low if low == high else f"{low} to {high}"
