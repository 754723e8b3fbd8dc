"""Write the generated block of docs/statistics.md from the committed calibration.

Run by ``make readme``; a test compares the result with what is committed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from whp.calibration.condensed import condensed_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "statistics.md"
CALIBRATION = ROOT / "reports" / "calibration" / "calibration.json"
BLOCK = re.compile(r"(<!-- calibration -->\n).*?(<!-- /calibration -->)", re.DOTALL)


def generated() -> str:
    """Return the page with its table renewed."""
    text = PAGE.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        sys.exit(f"{PAGE.name} must have a block <!-- calibration --> ... <!-- /calibration -->, got none")
    table = condensed_table(json.loads(CALIBRATION.read_text(encoding="utf-8")))
    return BLOCK.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text)


if __name__ == "__main__":
    PAGE.write_text(generated(), encoding="utf-8")
