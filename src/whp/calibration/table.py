"""The result of a calibration as a record (JSON) and as a table (Markdown)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from whp.calibration.run import Calibration
from whp.calibration.study import FACTOR, CellResult, EventRate, Standing
from whp.claims.verdict import number
from whp.report.markdown import plain
from whp.report.words import show, show_seconds

Record = Mapping[str, Any]

HEADS = {
    "kind": "Claim",
    "noise": "Trials drawn from",
    "truth": "Truth",
    "looks": "Looks",
    "trials": "Most trials",
    "level": "Budget",
}
WORDS = {
    "exact": "cells whose rule claims an exact rate",
    "asymptotic": "cells whose rule claims its rate asymptotically",
    "none": "cells whose rule claims no rate",
}


def calibration_record(
    calibration: Calibration, *, command: str, started: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that was measured, in plain values; figure and table are made from it."""
    return {
        "schema": 1,
        "command": command,
        "profile": calibration.profile,
        "seed": calibration.seed,
        "started": started,
        "seconds": calibration.seconds,
        "batches": {"measured": calibration.measured, "reused": calibration.reused},
        "environment": dict(environment),
        "standing": calibration.standing.value,
        "worst": {
            guarantee: None if worst is None else _worst_record(*worst)
            for guarantee in WORDS
            for worst in [calibration.worst(guarantee)]
        },
        "cells": [_cell_record(result) for result in calibration.results],
    }


def _worst_record(result: CellResult, rate: EventRate) -> dict[str, Any]:
    return {"study": result.study, "name": result.name, **_rate_record(rate)}


def _cell_record(result: CellResult) -> dict[str, Any]:
    return {
        "study": result.study,
        "name": result.name,
        "guarantee": result.guarantee,
        "facts": dict(result.facts),
        "claims": result.claims,
        "seconds": result.seconds,
        "rates": [_rate_record(rate) for rate in result.rates],
        "means": {name: number(value) for name, value in result.means.items()},
    }


def _rate_record(rate: EventRate) -> dict[str, Any]:
    return {
        "event": rate.event,
        "hits": rate.hits,
        "count": rate.count,
        "rate": rate.rate,
        "low": rate.interval.low,
        "high": rate.interval.high,
        "nominal": rate.nominal,
        "ratio": number(rate.ratio),
        "standing": rate.standing.value,
    }


def render_table(record: Record) -> str:
    """The record as Markdown: what it comes to, the worst cells, and a table for each group of each study."""
    cells = record["cells"]
    verdict, *worst = summary(record)
    lines = [
        "# Measured error rates",
        "",
        verdict,
        "",
        *(f"- {line}" for line in worst),
        f"- {len(cells)} cells, {sum(cell['claims'] for cell in cells):,} simulated claims;"
        f" {show_seconds(sum(cell['seconds'] for cell in cells))} of processor time",
        f"- Command: `{record['command']}`; profile {record['profile']}, seed {record['seed']},"
        f" started {record['started']}, {show_seconds(record['seconds'])}"
        f" ({record['batches']['reused']:,} of"
        f" {record['batches']['measured'] + record['batches']['reused']:,} batches from the ledger)",
        "- Environment: "
        + "; ".join(f"{plain(key)} {plain(value)}" for key, value in record["environment"].items()),
        "",
        "Rates in per cent with their intervals; **bold** where the lower limit is above the nominal rate."
        " The last column is the largest measured rate of a row against its nominal one.",
        "",
    ]
    for (study, group), rows in grouped(cells).items():
        lines += [f"## {study}: {group}" if group else f"## {study}", "", *_group(rows), ""]
    return "\n".join(lines)


def summary(record: Record) -> list[str]:
    """What it comes to, and the worst cell of each guarantee, a sentence each."""
    cells = record["cells"]
    judged = [rate for cell in cells if cell["guarantee"] == "exact" for rate in _promised(cell)]
    counts = {s: sum(rate["standing"] == s.value for rate in judged) for s in Standing}
    verdict = {
        Standing.HOLDS: f"Every one of the {len(judged)} rates that are claimed to be exact holds",
        Standing.OPEN: f"{counts[Standing.OPEN]} of the {len(judged)} rates that are claimed to be exact"
        " need more simulated claims, the others hold",
        Standing.EXCEEDS: f"{counts[Standing.EXCEEDS]} of the {len(judged)} rates that are claimed to be"
        " exact are EXCEEDED",
    }[Standing(record["standing"])]
    how = f"upper 95 % Clopper-Pearson limit against {FACTOR:g} times the nominal rate"
    worst = [f"Worst of the {text}: {_worst(record['worst'][key])}" for key, text in WORDS.items()]
    return [f"{verdict} ({how}).", *worst]


def grouped(cells: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """The cells by study and group, in order."""
    found: dict[tuple[str, str], list[Record]] = {}
    for cell in cells:
        found.setdefault((cell["study"], str(cell["facts"].get("group", ""))), []).append(cell)
    return found


def _promised(cell: Record) -> list[Record]:
    return [rate for rate in cell["rates"] if rate["nominal"] is not None]


def _worst(worst: Record | None) -> str:
    if worst is None:
        return "none."
    return (
        f"{plain(worst['name'])} ({worst['study']}): {worst['event']} {_percent(worst)} % where"
        f" {show(100 * worst['nominal'])} % is nominal, {show(worst['ratio'])} times."
    )


def _group(rows: Sequence[Record]) -> Iterator[str]:
    """What the cells of a group share as a sentence, the rest as a table."""
    names = list(dict.fromkeys(key for row in rows for key in row["facts"] if key != "group"))
    varying = [name for name in names if len({row["facts"].get(name) for row in rows}) > 1]
    shared = [name for name in names if name not in varying]
    events = list(dict.fromkeys(rate["event"] for row in rows for rate in row["rates"]))
    events.sort(key=lambda event: (not event.startswith("false "), event == "INCONCLUSIVE"))
    means = list(dict.fromkeys(key for row in rows for key in row["means"]))
    if shared:
        first = rows[0]["facts"]
        yield "; ".join(f"{_head(name).lower()}: {_fact(first[name])}" for name in shared) + "."
        yield ""
    heads = [*(_head(name) for name in varying), "Guarantee", "Simulated", *events, *means, "Ratio"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        rates = {rate["event"]: rate for rate in row["rates"]}
        ratios = [float(rate["ratio"]) for rate in _promised(row)]
        cells = [
            *(_fact(row["facts"].get(name, "")) for name in varying),
            row["guarantee"],
            f"{row['claims']:,}",
            *(_rate(rates[event]) if event in rates else "" for event in events),
            *(show(row["means"][name]) if name in row["means"] else "" for name in means),
            show(max(ratios)) if ratios else "",
        ]
        yield "| " + " | ".join(cells) + " |"


def _head(name: str) -> str:
    return HEADS.get(name, name[:1].upper() + name[1:])


def _fact(fact: object) -> str:
    return show(fact) if isinstance(fact, float) and math.isfinite(fact) else plain(str(fact))


def _percent(rate: Record) -> str:
    low, high = (show(100 * rate[key], 2) for key in ("low", "high"))
    return f"{show(100 * rate['rate'])} [{low}, {high}]"


def _rate(rate: Record) -> str:
    text = _percent(rate)
    return f"**{text}**" if rate["standing"] == Standing.EXCEEDS.value else text
