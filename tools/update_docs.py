"""Write the generated blocks of docs/statistics.md from the committed files of reports/.

Run by ``make readme``; a test compares the result with what is committed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from whp.benchmarks.stopping import tables
from whp.calibration.condensed import condensed_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "statistics.md"
CALIBRATION = ROOT / "reports" / "calibration" / "calibration.json"
STOPPING = ROOT / "reports" / "benchmarks" / "stopping.json"


def generated() -> str:
    """Return the page with its tables renewed."""
    text = PAGE.read_text(encoding="utf-8")
    for name, make, source in (
        ("calibration", condensed_table, CALIBRATION),
        ("stopping", tables, STOPPING),
    ):
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not block.search(text):
            sys.exit(f"{PAGE.name} must have a block <!-- {name} --> ... <!-- /{name} -->, got none")
        table = make(json.loads(source.read_text(encoding="utf-8")))
        text = block.sub(lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text)
    return text


if __name__ == "__main__":
    PAGE.write_text(generated(), encoding="utf-8")
