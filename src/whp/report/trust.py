"""What ``whp twins`` and ``whp repeat`` have found, as tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from statsmodels.stats.proportion import proportion_confint

from whp.claims.claim import Claim
from whp.claims.verdict import CellVerdict, Outcome
from whp.engine.repeat import Repeated
from whp.engine.runner import RunResult
from whp.interval import Interval
from whp.report.words import show_seconds

Record = dict[str, Any]
CONFIDENCE = 0.95
WORDS = {Outcome.FAIL: "refuted", Outcome.INCONCLUSIVE: "undecided", Outcome.PASS: "PASSED"}
"""What an outcome means of a statement that is known to be false."""


def rate_interval(count: int, total: int) -> Interval:
    """Clopper-Pearson interval of a rate, at confidence 0.95 (at least; two-sided)."""
    if total == 0:
        return Interval(0.0, 1.0)
    low, high = proportion_confint(count, total, alpha=1 - CONFIDENCE, method="beta")
    return Interval(0.0 if count == 0 else float(low), 1.0 if count == total else float(high))


def rate_record(count: int, total: int) -> Record:
    """A rate with its interval."""
    interval = rate_interval(count, total)
    return {"count": count, "of": total, "low": interval.low, "high": interval.high}


def show_rate(rate: Mapping[str, Any]) -> str:
    """``57 of 59 (96.6 %, 95 % interval 88.3 to 99.6 %)``."""
    count, total = rate["count"], rate["of"]
    share = f"{100 * count / total:.1f} %, " if total else ""
    return f"{count} of {total} ({share}95 % interval {100 * rate['low']:.1f} to {100 * rate['high']:.1f} %)"


def write_pages(folder: Path, name: str, record: Record, text: str) -> Path:
    """Write ``name.json`` and ``name.md``; return the path of the latter. See also ``check_writable``."""
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page = folder / f"{name}.md"
    page.write_text(text, encoding="utf-8")
    return page


# --- whp twins


def twins_record(claims: Sequence[Claim], result: RunResult, facts: Mapping[str, Any]) -> Record:
    """All false twins of a run: what became of each, where, and after how many trials.

    ``facts`` are command, profile, environment and the like; they are copied.
    """
    rows: list[Record] = []
    for claim in claims:
        for name, (_, why) in claim.twin_checks().items():
            outcomes = next((v.twins for v in result.verdicts if v.id == claim.id), None)
            if outcomes is None:
                continue  # a claim without a verdict; the caller names it
            cells = result.twin_cells[claim.id][name]
            cell = _telling(cells, outcomes[name])
            rows.append(
                {
                    "claim": claim.id,
                    "twin": name,
                    "why": why,
                    "outcome": WORDS[outcomes[name]],
                    "trials": cell.trials if cell else 0,
                    "points": cell.points if cell else 0,
                    "cell": cell.label if cell else "",
                    "advice": cell.advice if cell else "Nothing was measured.",
                }
            )
    counts = {word: sum(row["outcome"] == word for row in rows) for word in WORDS.values()}
    return {
        **facts,
        "seed": result.seed,
        "seconds": result.seconds,
        "measured": result.measured,
        "reused": result.reused,
        "counts": counts,
        "kill_rate": rate_record(counts["refuted"], len(rows)),
        "twins": rows,
    }


def _telling(cells: Sequence[CellVerdict], outcome: Outcome) -> CellVerdict | None:
    """The cell that gives the outcome; of several the one with the fewest trials."""
    return min((cell for cell in cells if cell.outcome is outcome), key=lambda c: c.trials, default=None)


def twins_markdown(record: Record) -> str:
    """The page of ``whp twins``."""
    counts = record["counts"]
    lines = [
        f"# False twins, profile {record['profile']}",
        "",
        "Every claim carries deliberately wrong versions of itself. Each must be refuted: a check that lets"
        " one PASS has shown nothing.",
        "",
        f"- Refuted: {show_rate(record['kill_rate'])}; undecided: {counts['undecided']};"
        f" passed: {counts['PASSED']}",
        *_facts(record),
        f"- Seed {record['seed']}; {record['measured']:,} trials measured, {record['reused']:,} taken from"
        " the ledger",
        "- Trials: at each point of the path, until the twin was refuted in the cell that is named",
        "",
        "| Claim | Twin | What is wrong with it | Outcome | Trials | Cell |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["twins"]:
        outcome = row["outcome"] if row["outcome"] == "refuted" else f"**{row['outcome']}**"
        cells = (f"`{row['claim']}`", row["twin"], row["why"], outcome, str(row["trials"]), row["cell"])
        lines.append(_row(cells))
    open_rows = [row for row in record["twins"] if row["outcome"] != "refuted"]
    if open_rows:
        lines += ["", "Not refuted:", ""]
        lines += [f"- `{row['claim']}`, {row['twin']}: {_plain(row['advice'])}" for row in open_rows]
    return "\n".join(lines) + "\n"


# --- whp repeat


def repeat_record(repeated: Repeated, false_fail: float, facts: Mapping[str, Any]) -> Record:
    """The A/A runs: every claim and twin with its counts, and the rates of the whole."""
    runs = repeated.runs
    total = len(runs)
    claims: list[Record] = []
    twins: list[Record] = []
    for id in runs[0].claims if runs else ():
        tally = repeated.tally(id)
        claims.append(
            {
                "claim": id,
                "taken_to_be": "false as printed" if id in repeated.corrected else "true",
                **{outcome.value: count for outcome, count in tally.items()},
                "flips": id in repeated.flipped,
            }
        )
        for name in runs[0].twins[id]:
            tally = repeated.tally_twin(id, name)
            twins.append(
                {
                    "claim": id,
                    "twin": name,
                    **{WORDS[outcome]: count for outcome, count in tally.items()},
                    "power": rate_record(tally[Outcome.FAIL], total),
                }
            )
    open_count = sum(row["INCONCLUSIVE"] for row in claims)
    return {
        **facts,
        "runs": total,
        "seeds": [once.seed for once in runs],
        "seconds": sum(once.seconds for once in runs),
        "measured": sum(once.measured for once in runs),
        "reused": sum(once.reused for once in runs),
        "interrupted": repeated.interrupted,
        "budget_false_fail": false_fail,
        "false_fail": rate_record(repeated.false_fails, total),
        "false_pass": rate_record(repeated.false_passes, total),
        "flipped": repeated.flipped,
        "inconclusive": rate_record(open_count, total * len(claims)),
        "kill_rate": rate_record(sum(row["refuted"] for row in twins), total * len(twins)),
        "twins_passed": sum(row["PASSED"] for row in twins),
        "claims": claims,
        "twins": twins,
        "by_run": [
            {
                "seed": once.seed,
                "seconds": once.seconds,
                "measured": once.measured,
                **{o.value: sum(v is o for v in once.claims.values()) for o in Outcome},
            }
            for once in runs
        ],
    }


def repeat_markdown(record: Record) -> str:
    """The page of ``whp repeat``."""
    seeds = record["seeds"]
    span = f"{seeds[0]} to {seeds[-1]}" if seeds else "none"
    flips = ", ".join(f"`{id}`" for id in record["flipped"]) or "none"
    lines = [
        f"# The same claims {record['runs']} times, profile {record['profile']}",
        "",
        "Nothing differs between the runs but the seed. A verdict may be INCONCLUSIVE in some; it must never"
        " PASS in one and FAIL in another.",
        "",
        f"- Verdicts that flip between PASS and FAIL: {flips}",
        "- Runs with a FAIL of a claim that is taken to be true (all but those with a corrected sibling):"
        f" {show_rate(record['false_fail'])}; budget {100 * record['budget_false_fail']:g} %",
        "- Runs with a PASS of a claim that is taken to be false as printed:"
        f" {show_rate(record['false_pass'])}",
        f"- Verdicts that are INCONCLUSIVE: {show_rate(record['inconclusive'])}",
        f"- False twins refuted, over all runs: {show_rate(record['kill_rate'])};"
        f" passed: {record['twins_passed']}. The interval takes all as independent, which twins of one run"
        " are not; those of the single twins below are exact.",
        *_facts(record),
        f"- Root seeds {span}; {record['measured']:,} trials measured, {record['reused']:,} taken from the"
        " ledger",
        "",
        "## Claims",
        "",
        "| Claim | Taken to be | PASS | FAIL | INCONCLUSIVE | flips |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["claims"]:
        counts = [str(row[outcome.value]) for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE)]
        flip = "**yes**" if row["flips"] else "no"
        lines.append(_row((f"`{row['claim']}`", row["taken_to_be"], *counts, flip)))
    lines += [
        "",
        "## Power of the false twins",
        "",
        "| Claim | Twin | refuted | undecided | passed | power, 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["twins"]:
        power = f"{100 * row['power']['low']:.1f} to {100 * row['power']['high']:.1f} %"
        counts = [str(row[word]) for word in WORDS.values()]
        lines.append(_row((f"`{row['claim']}`", row["twin"], *counts, power)))
    return "\n".join(lines) + "\n"


def _facts(record: Record) -> list[str]:
    """How it was made."""
    environment = "; ".join(f"{key} {value}" for key, value in record["environment"].items())
    return [
        f"- Command: `{record['command']}`, {show_seconds(record['seconds'])}",
        f"- Made with: {environment}",
    ]


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"
