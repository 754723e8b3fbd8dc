"""What a run was planned to take and to find, beside what it took and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from whp.report import words
from whp.report.run import Record

COLUMNS = (
    "Claim",
    "Verdict",
    "Trials planned",
    "made",
    "A point, needed",
    "made",
    "Trial time planned",
    "spent",
    "Detectable, planned",
    "achieved",
)
NOTE = (
    "Planned: from what the ledger knew before the run, from the fewest trials at which a claim may end to"
    " the most. Needed: trials a point in the cell that needs the most, at the spread known then. Detectable:"
    " the discrepancy found with probability 0.9, planned with the most trials and achieved in the cell that"
    " decides; a claim that is decided sooner stops at a larger one. sd: in standard deviations of one trial,"
    " where no spread was known."
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
    needs = [check["needed"] for check in checks if check["needed"] is not None]
    deciding = next((check for check in checks if cell and check["check"] == cell["test"]), None)
    return (
        record["id"],
        record["verdict"],
        _range(f"{plan['trials_least']:,}", f"{plan['trials_most']:,}"),
        f"{int(record['trials']):,}",
        f"{max(needs):,}" if needs and len(needs) == len(checks) else "–",
        f"{max((int(c['trials']) for c in record['cells']), default=0):,}",
        "not timed"
        if plan["seconds_least"] is None or plan["seconds_most"] is None
        else _range(words.show_seconds(plan["seconds_least"]), words.show_seconds(plan["seconds_most"])),
        words.show_seconds(record["seconds"]),
        "–"
        if deciding is None
        else words.show(deciding["detectable"], 2) + (" sd" if deciding["in_sd"] else ""),
        words.show(record["detectable"], 2),
    )


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
