"""Write reports/summary.md and the figures beside it from the committed reference runs.

Run by ``make readme``; a test compares the result with what is committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from whp.report import load_verdict_records, overview, plots_svg

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "reports" / "reference"
SUMMARY = ROOT / "reports" / "summary.md"
FIGURES = REFERENCE / "figures"


def counted(records: list[dict[str, Any]]) -> str:
    """How many claims have each verdict, and how many twins were refuted."""
    outcomes = [record["verdict"] for record in records]
    twins = [outcome for record in records for outcome in record["twins"].values()]
    said = ", ".join(f"{outcomes.count(name)} {name}" for name in ("PASS", "FAIL", "INCONCLUSIVE"))
    return f"{said}; {twins.count('FAIL')} of {len(twins)} false twins refuted, {twins.count('PASS')} passed"


def generated() -> dict[Path, str]:
    """Return the summary and the figures, by file."""
    records = load_verdict_records(REFERENCE / "standard")
    printed = [r for r in load_verdict_records(REFERENCE / "fig_5") if r["id"] == "hu2020.fig_5"]
    figures = {FIGURES / f"{r['id'].partition('.')[2]}.svg": plots_svg(r) for r in records if r.get("plots")}
    drawn = {path: svg for path, svg in figures.items() if svg}
    lines = [
        "# What was printed, and what was measured",
        "",
        "Made by `make readme` from the committed runs: `reference/standard`"
        " (`whp run hu2020 --profile standard`) and `reference/fig_5`"
        " (`whp run hu2020.fig_5 --profile paper`); versions and machine are in those. A row is a check of a"
        " claim, with the numbers of the cell that decides it: the worst one. All cells, and what would"
        " decide an INCONCLUSIVE, are in the report of the run.",
        "",
        f"Standard: {counted(records)}.",
        "",
        overview(records),
        "At the printed size:",
        "",
        overview(printed),
    ]
    if drawn:
        lines += ["Figures of the standard run, drawn as the paper has them:", ""]
        lines += [f"- [{path.stem}](reference/figures/{path.name})" for path in sorted(drawn)]
        lines.append("")
    return {SUMMARY: "\n".join(lines), **drawn}


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
