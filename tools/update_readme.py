"""Write what was found, by paper, the figure, and what it costs into README.md, from the committed runs.

Run by ``make readme``; a test compares the result with what is committed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from whp.benchmarks.run import load
from whp.benchmarks.table import table
from whp.report import claim_svg, findings, load_verdict_records

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "reports" / "reference"
FIGURE = REFERENCE / "fig_5.svg"
BENCHMARKS = ROOT / "reports" / "benchmarks"
BLOCK = re.compile(r"(<!-- findings (\w+) -->\n).*?(<!-- /findings -->)", re.DOTALL)
COSTS = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)


def generated() -> tuple[str, str]:
    """Return the README with its findings renewed, and the figure."""
    fig_5 = next(r for r in load_verdict_records(REFERENCE / "fig_5") if r["id"] == "hu2020.fig_5")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block, name in ((BLOCK, "findings PAPER"), (COSTS, "benchmarks")):
        if not block.search(text):
            sys.exit(f"README.md must have a block <!-- {name} --> ... <!-- /{name.split()[0]} -->, got none")

    def renewed(block: re.Match[str]) -> str:
        return f"{block[1]}{findings(load_verdict_records(REFERENCE / block[2])).strip()}\n{block[3]}"

    costs = table([*load(BENCHMARKS), *load(BENCHMARKS / "gpu")])
    text = COSTS.sub(lambda block: f"{block[1]}{costs}\n{block[2]}", text)
    return BLOCK.sub(renewed, text), claim_svg(fig_5)


if __name__ == "__main__":
    readme, figure = generated()
    (ROOT / "README.md").write_text(readme, encoding="utf-8")
    FIGURE.write_text(figure, encoding="utf-8")
