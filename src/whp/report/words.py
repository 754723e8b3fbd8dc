"""Numbers and verdicts in words, shared by the HTML, Markdown and JUnit forms."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from whp.claims.verdict import RANK, Guarantee, Outcome
from whp.report.run import Record

# What the estimate is, by the series that a cell has for its figure.
NAMES = {
    "levels": "failure probability",
    "slope": "slope of log Y",
    "means": "mean of Y",
    "worst": "largest violation",
}
MEASURED = "docs/statistics.md"  # where the measured rates of the rules are
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def value(x: Any) -> float:
    """Read a JSON number: null is NaN, ``"inf"`` and ``"-inf"`` are the infinities."""
    return math.nan if x is None else float(x)


def power(exponent: int) -> str:
    """``10^exponent`` as plain text, e.g. ``10⁻³``."""
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def show(x: Any, digits: int = 3) -> str:
    """A JSON number with so many significant digits, a true minus sign, and no ``e`` notation."""
    x = value(x)
    if math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == 0:
        return "0"
    if not 1e-4 <= abs(x) < 1e5:
        mantissa, _, exponent = f"{x:.{digits - 1}e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa} × {power(int(exponent))}"
    else:
        text = f"{x:.{digits}g}"
        if "e" in text:  # 12345 with three digits: whole numbers keep theirs
            text = f"{x:.0f}"
    return text.replace("-", "−")


def show_interval(interval: Mapping[str, Any], digits: int = 3) -> str:
    """``[low, high]``; a dash where nothing is known."""
    low, high = value(interval["low"]), value(interval["high"])
    if math.isnan(low) and math.isnan(high):
        return "–"
    return f"[{show(low, digits)}, {show(high, digits)}]"


def show_seconds(seconds: Any) -> str:
    """A duration for people."""
    s = value(seconds)
    if math.isnan(s):
        return "–"
    if s < 100:
        return f"{s:.2g} s" if s < 10 else f"{s:.0f} s"
    minutes = s / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def natural(text: str) -> list[Any]:
    """Sort key under which ``prop_3_4`` precedes ``prop_3_10``."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text)]


def heading(records: Sequence[Record]) -> str:
    """The title of a report."""
    return "Verdicts on " + (", ".join(dict.fromkeys(str(r["paper"]) for r in records)) or "nothing")


def counts(records: Sequence[Record]) -> dict[str, int]:
    """How many claims have each verdict."""
    return {outcome.value: sum(r["verdict"] == outcome.value for r in records) for outcome in Outcome}


def binding(record: Record) -> Record | None:
    """The cell whose numbers the claim shows as its own."""
    cells: Sequence[Record] = record["cells"]
    if not cells:
        return None
    shown = ("estimate", "interval", "slack", "detectable")
    same = [cell for cell in cells if all(cell[key] == record[key] for key in shown)]
    return min(same or cells, key=lambda cell: RANK[Outcome(cell["verdict"])])


def cell_label(cell: Record) -> str:
    """The cell in words, e.g. ``alpha = 0.1, activation = erf``."""
    return ", ".join(f"{key} = {val}" for key, val in cell["cell"].items()) or "all"


def estimate_name(cell: Record | None) -> str:
    """What the estimate of a cell is an estimate of."""
    figure = cell["figure"] if cell else {}
    if "fit" in figure:
        flat = all(value(r) == 1 for r in figure.get("bound", []))
        return "growth exponent of Y" if flat else "growth exponent of Y/r"
    for key, name in NAMES.items():
        if key in figure:
            return name
    return "estimate"


def slack_name(cell: Record | None) -> str:
    """What the slack of a cell is."""
    figure = cell["figure"] if cell else {}
    return "implied constant C" if "fit" in figure else "slack B/Y"


def estimate_text(record: Record, cell: Record | None) -> str:
    """``estimate [interval]`` of a claim or a cell; a search for a counterexample has no interval."""
    estimate = show(record["estimate"])
    if cell is not None and "worst" in cell["figure"]:
        return estimate
    return f"{estimate} {show_interval(record['interval'])}"


def guarantee(record: Record) -> Guarantee | None:
    """What stands behind the error rates of a claim or a cell: the weakest that decided anything.

    None for a record of a time when it was not kept.
    """
    cells = record.get("cells", [record])
    found = [Guarantee(cell["guarantee"]) for cell in cells if "guarantee" in cell]
    if not found and cells:
        return None
    order = list(Guarantee)
    applied = [each for each in found if each is not Guarantee.NONE]
    return max(applied, key=order.index, default=Guarantee.NONE)


def guarantee_name(record: Record) -> str:
    """The guarantee in a word; nothing where it is not known."""
    kept = guarantee(record)
    return "" if kept is None else "no rule applied" if kept is Guarantee.NONE else kept.value


def error_rates(record: Record) -> str:
    """The error rates of a claim, and whether they are exact, in words."""
    kept = guarantee(record)
    if kept is Guarantee.SEARCH or (kept is None and record["kind"] == "always"):
        return "a counterexample is certain; a PASS has no error rate, as a search cannot prove"
    if kept is Guarantee.NONE:
        return "none: no rule was applied"
    word = "nominal" if kept is Guarantee.ASYMPTOTIC else "at most"
    tests = dict.fromkeys(cell["test"] for cell in record["cells"])
    of = {test: {guarantee(cell) for cell in record["cells"] if cell["test"] == test} for test in tests}
    sure = ", ".join(test for test, found in of.items() if found == {Guarantee.EXACT})
    apart = f", but exact for the test {sure}" if sure else ""
    basis = {
        Guarantee.EXACT: " (exact)",
        Guarantee.ASYMPTOTIC: f" (asymptotic: Gaussian theory{apart}; measured rates: {MEASURED})",
        None: " (whether exactly so was not recorded)",
    }[kept]
    return (
        f"FAIL though true: {word} {show(record['false_fail'])}; PASS though off by the stated discrepancy:"
        f" {word} {show(record['false_pass'])}{basis}"
    )


def guarantees(records: Sequence[Record]) -> str:
    """How many verdicts have exact error rates, how many nominal ones; nothing where none says."""
    names = {
        Guarantee.EXACT: "exact",
        Guarantee.ASYMPTOTIC: f"asymptotic (nominal by Gaussian theory; measured rates: {MEASURED})",
        Guarantee.SEARCH: "by search (a FAIL is certain, a PASS has no error rate)",
        Guarantee.NONE: "without a rule applied",
        None: "from an older record, which does not say",
    }
    kept = [guarantee(record) for record in records]
    if set(kept) <= {None, Guarantee.NONE}:
        return ""
    return ", ".join(f"{kept.count(each)} {name}" for each, name in names.items() if each in kept)


def trials_text(record: Record) -> str:
    """How much was measured: trials over all cells and points, or the inputs that a search has tried."""
    inputs = sum(int(cell["figure"].get("examples", 0)) for cell in record["cells"])
    return f"{inputs:,} inputs" if inputs else f"{int(record['trials']):,}"


def twins_summary(twins: Mapping[str, str]) -> str:
    """``2/2`` when all false twins were refuted; says so when one was not."""
    refuted = sum(outcome == Outcome.FAIL.value for outcome in twins.values())
    passed = sum(outcome == Outcome.PASS.value for outcome in twins.values())
    text = f"{refuted}/{len(twins)}"
    return text + (f" ({passed} PASSED)" if passed else "")


def advice(record: Record, cell: Record | None) -> str:
    """The advice, without the name of the cell: what comes before it has just said that."""
    label = ", ".join(f"{key}={val}" for key, val in cell["cell"].items()) if cell else ""
    return str(record["advice"]).replace(f"[{label}] ", "", 1)


def verdict_sentence(record: Record) -> str:
    """The verdict in one plain sentence, for logs and test reports."""
    cell = binding(record)
    if cell is None:
        return f"{record['verdict']}: nothing was measured. {record['advice']}".strip()
    said = f"{estimate_name(cell)} {estimate_text(record, cell)}"
    wanted = f"; to pass: {cell['threshold']}" if cell["threshold"] else ""
    where = f" ({cell['test']}, {cell_label(cell)})" if cell["cell"] else f" ({cell['test']})"
    return f"{record['verdict']}: {said}{wanted}{where}. {advice(record, cell)}".strip()


def warnings_of(record: Record) -> list[tuple[str, list[str]]]:
    """Every warning once, with the labels of the cells that gave it."""
    found: dict[str, list[str]] = {}
    for cell in record["cells"]:
        for warning in cell["warnings"]:
            found.setdefault(str(warning), []).append(f"{cell['test']}: {cell_label(cell)}")
    return list(found.items())


def errata(records: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Pairs (printed, corrected) of which both are at hand."""
    by_id = {record["id"]: record for record in records}
    return [(by_id[r["corrects"]], r) for r in records if r["corrects"] in by_id]
