"""Write the verdict table and the figure of README.md from the committed reference runs.

Run by ``make readme``; a test compares the result with what is committed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from whp.report import claim_svg, load_verdict_records, readme_table

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "reports" / "reference"
FIGURE = REFERENCE / "fig_5.svg"
BLOCK = re.compile(r"(<!-- verdicts -->\n).*?(<!-- /verdicts -->)", re.DOTALL)


def generated() -> tuple[str, str]:
    """Return the README with its table renewed, and the figure."""
    records = load_verdict_records(REFERENCE / "standard")
    fig_5 = next(r for r in load_verdict_records(REFERENCE / "fig_5") if r["id"] == "hu2020.fig_5")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if not BLOCK.search(text):
        sys.exit("README.md must have a block <!-- verdicts --> ... <!-- /verdicts -->, got none")
    table = readme_table(records).strip()
    return BLOCK.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), claim_svg(fig_5)


if __name__ == "__main__":
    readme, figure = generated()
    (ROOT / "README.md").write_text(readme, encoding="utf-8")
    FIGURE.write_text(figure, encoding="utf-8")
