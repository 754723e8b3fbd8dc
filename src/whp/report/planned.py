"""What a run was planned to take and to find, beside what it took and found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from whp.report import words
from whp.report.run import Record

COLUMNS = (
    "Claim",
    "Verdict",
    "Trials planned",
    "made",
    "A point, expected",
    "made",
    "Trial time planned",
    "spent",
    "Detectable, planned",
    "achieved",
)
NOTE = (
    "Planned: from what the ledger knew before the run; from the fewest trials at which a claim may end to"
    " the most. Known: trials that the ledger had already, those of twins included. A point, expected: trials"
    " a point in the cell that takes the most, were the truth what had been seen. Detectable: the discrepancy"
    " found with probability 0.9 in the noisiest cell of the test that decides, planned with the most trials;"
    " a claim that is decided sooner stops at a larger one. sd: in standard deviations of one trial, where no"
    " spread was known."
)


def comparison(planned: Sequence[Mapping[str, Any]], records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Return a row of text for each claim that was both planned and made, in the order of the ids.

    Parameters
    ----------
    planned : sequence of mapping
        As kept in ``run.json``: the records of a plan's rows.
    records : sequence of mapping
        Verdicts.
    """
    plans = {plan["id"]: plan for plan in planned}
    ordered = sorted(records, key=lambda record: words.natural(record["id"]))
    return [_row(plans[record["id"]], record) for record in ordered if record["id"] in plans]


def _row(plan: Mapping[str, Any], record: Record) -> tuple[str, ...]:
    cell = words.binding(record)
    checks = plan["checks"]
    expected = [check["expected"] for check in checks if check["expected"] is not None]
    deciding = next((check for check in checks if cell and check["check"] == cell["test"]), None)
    reached = [words.value(c["detectable"]) for c in record["cells"] if cell and c["test"] == cell["test"]]
    found = [x for x in reached if not math.isnan(x)]
    return (
        record["id"],
        record["verdict"],
        _range(f"{plan['trials_least']:,}", f"{plan['trials_most']:,}")
        + (f" ({plan['trials_known']:,} known)" if plan["trials_known"] else ""),
        f"{int(record['trials']):,}",
        f"{max(expected):,}" if expected and len(expected) == len(checks) else "–",
        f"{max((int(c['trials']) for c in record['cells']), default=0):,}",
        "not timed"
        if plan["seconds_least"] is None or plan["seconds_most"] is None
        else _range(words.show_seconds(plan["seconds_least"]), words.show_seconds(plan["seconds_most"])),
        words.show_seconds(record["seconds"]),
        "–"
        if deciding is None
        else words.show(deciding["detectable"], 2) + (" sd" if deciding["in_sd"] else ""),
        words.show(max(found) if found else None, 2),
    )


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
