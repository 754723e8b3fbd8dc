"""Judge the counts and write the tables; nothing here depends on how the counts were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from whp.calibration.study import FACTOR, EventRate, Standing

POWER = 0.5
"""A method that decides fewer of the clear claims than this, in every cell, is not credited."""

FAMILIES = {
    "probability": "P(success) >= p0, decided once",
    "probability, looks": "P(success) >= p0, a look after every trial up to 100",
    "mean": "E[X] < B, decided once",
    "mean, looks": "E[X] < B, a look after every trial up to 100",
    "exponent": "Y grows as d^a, decided once",
}


@dataclass(frozen=True)
class Row:
    """One method on the simulated claims of one cell at one truth."""

    family: str
    cell: str
    truth: str
    method: str
    claims: int
    passed: int
    failed: int

    def rate(self, event: str, nominal: float | None) -> EventRate:
        """How often it PASSed or FAILed, against what it states."""
        hits = self.passed if event == "PASS" else self.failed
        return EventRate.of(event, hits, self.claims, nominal)


def judged(row: Row, method: Mapping[str, Any]) -> dict[str, EventRate]:
    """What counts of a row: the errors, and where the claim is clear the right verdicts.

    At the edge a PASS and a FAIL are both wrong. A method with two outcomes is not accused of a FAIL, which
    is then no more than the lack of a PASS. An exponent that is true has no edge, and there a FAIL is wrong;
    one that is off by the discrepancy must not PASS.
    """
    exponent = row.family == "exponent"
    found = {}
    if row.truth == "edge" or (row.truth == "off" and exponent):
        found["false PASS"] = row.rate("PASS", method["states_pass"])
    false_fail = row.truth == "edge" or (row.truth == "holds" and exponent)
    if false_fail and method["states_fail"] is not None:
        found["false FAIL"] = row.rate("FAIL", method["states_fail"])
    if row.truth == "holds":
        found["right PASS"] = row.rate("PASS", None)
    if row.truth == "fails":
        found["right FAIL"] = row.rate("FAIL", None)
    return found


def record_of(row: Row, method: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the JSON file has it, rates and their Clopper-Pearson intervals included."""
    return {
        **vars(row),
        "judged": {
            name: {
                "rate": rate.rate,
                "low": rate.interval.low,
                "high": rate.interval.high,
                "states": rate.nominal,
                "standing": rate.standing.value,
            }
            for name, rate in judged(row, method).items()
        },
    }


def rows_of(record: Mapping[str, Any]) -> list[Row]:
    """The counts in a JSON record; what was derived from them is derived again."""
    return [Row(**{k: v for k, v in row.items() if k != "judged"}) for row in record["rows"]]


Rates = dict[tuple[str, str, str], EventRate]
"""By cell, method and name of the event."""


def rates_of(rows: Iterable[Row], methods: Mapping[str, Any], family: str) -> Rates:
    """Everything that is judged or shown in a family."""
    return {
        (row.cell, row.method, name): rate
        for row in rows
        if row.family == family
        for name, rate in judged(row, methods[row.method]).items()
    }


def percent(x: float) -> str:
    """Two significant digits below ten per cent, and none after the point above."""
    value = 100 * x
    return "0" if value == 0 else f"{value:.2g}" if value < 9.95 else f"{value:.0f}"


def cell_text(rate: EventRate | None) -> str:
    """A rate in per cent: bold where it surely exceeds what is stated, with ? where it may."""
    if rate is None:
        return ""
    text = percent(rate.rate)
    return {Standing.EXCEEDS: f"**{text}**", Standing.OPEN: f"{text} ?"}.get(rate.standing, text)


def spelled(rate: EventRate) -> str:
    """A rate with its interval."""
    return f"{percent(rate.rate)} % [{percent(rate.interval.low)}, {percent(rate.interval.high)}]"


def table(header: list[str], lines: Iterable[list[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def ordered(names: Iterable[str]) -> list[str]:
    """Without repetitions, in the order of first appearance."""
    return list(dict.fromkeys(names))


def standing_of(rates: Rates, method: str) -> str:
    """Sound, or in how many of its cells it is not."""
    mine = {key: rate for key, rate in rates.items() if key[1] == method}
    errors = {key: rate for key, rate in mine.items() if rate.nominal is not None}
    where = {
        standing: ordered(key[0] for key, rate in errors.items() if rate.standing is standing)
        for standing in (Standing.EXCEEDS, Standing.OPEN)
    }
    cells = len(ordered(key[0] for key in mine))
    if where[Standing.EXCEEDS]:
        return f"**not sound**: exceeds in {len(where[Standing.EXCEEDS])} of {cells} cells"
    if where[Standing.OPEN]:
        return f"open in {len(where[Standing.OPEN])} of {cells} cells"
    for event in ("right PASS", "right FAIL"):
        if max(rate.rate for key, rate in mine.items() if key[2] == event) < POWER:
            return "keeps its rates, but hardly ever decides"
    return "sound"


def worst(rates: Rates, method: str, event: str) -> str:
    """The largest rate of an error against what is stated, with its cell."""
    errors = {key[0]: rate for key, rate in rates.items() if key[1:] == (method, event)}
    if not errors:
        return "-"
    name = max(errors, key=lambda cell: errors[cell].rate)
    return f"{spelled(errors[name])} ({name})"


def extent(rates: Rates, method: str, event: str) -> str:
    """Smallest and largest rate of a right verdict over the cells."""
    values = [rate.rate for key, rate in rates.items() if key[1:] == (method, event)]
    ends = dict.fromkeys((percent(min(values)), percent(max(values))))
    return f"{' to '.join(ends)} %"


def summary(rows: list[Row], methods: Mapping[str, Any]) -> str:
    """One line for every method in every family."""
    lines = []
    for family in FAMILIES:
        rates = rates_of(rows, methods, family)
        for method in ordered(key[1] for key in rates):
            lines.append(
                [
                    family,
                    method,
                    methods[method]["states"],
                    worst(rates, method, "false PASS"),
                    worst(rates, method, "false FAIL"),
                    extent(rates, method, "right PASS"),
                    extent(rates, method, "right FAIL"),
                    standing_of(rates, method),
                ]
            )
    header = [
        "claims",
        "method",
        "states",
        "worst false PASS",
        "worst false FAIL",
        "right PASS",
        "right FAIL",
        "found",
    ]
    return table(header, lines)


def grid(rates: Rates, event: str) -> str:
    """Cells by methods, one event."""
    shown = {key: rate for key, rate in rates.items() if key[2] == event}
    names = ordered(key[1] for key in shown)
    lines = (
        [cell, *(cell_text(shown.get((cell, method, event))) for method in names)]
        for cell in ordered(key[0] for key in shown)
    )
    return table(["per cent", *names], lines)


WORDS = {
    "false PASS": ("PASS at the edge", "PASS of an exponent off by the discrepancy"),
    "false FAIL": ("FAIL at the edge", "FAIL of a true exponent"),
    "right PASS": ("PASS where it clearly holds", "PASS of a true exponent"),
    "right FAIL": ("FAIL where it clearly does not hold", "FAIL of an exponent that is far off"),
}
"""How a table of an event is called, for an exponent in other words."""


def markdown(record: Mapping[str, Any]) -> str:
    """The whole report."""
    methods, rows = record["methods"], rows_of(record)
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    counts = sorted({row.claims for row in rows})
    parts = [
        "# whp and its rivals on the same claims\n",
        f"Made by `{record['command']}` with seed {record['seed']}, in {record['seconds']:,} s"
        f" ({record['processor_seconds']:,} s of processor time) on {record['machine']}. {versions}.\n",
        "Every method sees the same numbers: simulated claims whose truth is known,"
        f" {counts[0]:,} to {counts[-1]:,} of them a cell (each count is in `rivals.json`). At the *edge* the"
        " claim compares with exactly the true value, where a wrong verdict is most likely. Intervals are"
        " Clopper-Pearson at 95 %. A rate is **bold** where its lower limit is above what the method states,"
        f" and has a ? where its upper limit is above {FACTOR:g} times that without being bold. A method is"
        " called sound where no rate has either, and where it also decides at least"
        f" {percent(POWER)} % of the clear claims in some cell: one that never decides is not credited.\n",
        "A method with two outcomes (stochtest, lcb-gate) fails whatever it cannot pass; its FAIL accuses"
        " nothing, and no rate of false FAIL is charged to it.\n",
        "## All methods\n",
        summary(rows, methods),
    ]
    for family, title in FAMILIES.items():
        rates = rates_of(rows, methods, family)
        parts.append(f"## {title}\n")
        parts.append(f"{record['cells'][family]}\n")
        for event, words in WORDS.items():
            if any(key[2] == event for key in rates):
                parts += [f"### {words[family == 'exponent']}\n", grid(rates, event)]
    parts.append("## How each was used\n")
    used = ([name, m["package"], f"`{m['call']}`", m["states"], m["note"]] for name, m in methods.items())
    parts.append(table(["method", "package", "as its documentation says", "states", "note"], used))
    return "\n".join(parts)
