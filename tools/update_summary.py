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
PAPERS = [folder.parent.name for folder in sorted((ROOT / "validation").glob("*/paper.toml"))]


def counted(records: list[dict[str, Any]]) -> str:
    """How many claims have each verdict, and how many twins were refuted."""
    outcomes = [record["verdict"] for record in records]
    twins = [outcome for record in records for outcome in record["twins"].values()]
    said = ", ".join(f"{outcomes.count(name)} {name}" for name in ("PASS", "FAIL", "INCONCLUSIVE"))
    return f"{said}; {twins.count('FAIL')} of {len(twins)} false twins refuted, {twins.count('PASS')} passed"


def generated() -> dict[Path, str]:
    """Return the summary and the figures, by file."""
    runs = {paper: load_verdict_records(REFERENCE / paper) for paper in PAPERS}
    others = sorted(f.parent for f in REFERENCE.glob("*/verdicts") if f.parent.name not in PAPERS)
    printed = [record for folder in others for record in load_verdict_records(folder)]
    drawn = {
        FIGURES / paper / f"{record['id'].partition('.')[2]}.svg": svg
        for paper, records in runs.items()
        for record in records
        if record.get("plots") and (svg := plots_svg(record))
    }
    lines = [
        "# What was printed, and what was measured",
        "",
        "Made by `make readme` from the committed runs under `reference/`: one of each paper"
        " (`whp run PAPER --profile standard`), and claims at their printed size"
        " (`whp run CLAIM --profile paper`); versions and machine are in those. A row is a check of a"
        " claim, with the numbers of the cell that decides it: the worst one. All cells, and what would"
        " decide an INCONCLUSIVE, are in the report of the run.",
    ]
    for paper, records in runs.items():
        lines += ["", f"## {paper}", "", f"Standard: {counted(records)}.", "", overview(records)]
        figures = [path for path in sorted(drawn) if path.parent.name == paper]
        if figures:
            lines += ["Figures of the standard run, drawn as the paper has them:", ""]
            lines += [f"- [{path.stem}](reference/figures/{paper}/{path.name})" for path in figures]
    lines += ["", "## At the printed size", "", overview(printed)]
    return {SUMMARY: "\n".join(lines), **drawn}


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
