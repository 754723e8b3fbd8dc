"""The table on the page about statistics is made from the calibration, and names the worst cell."""

import importlib.util
import json
from pathlib import Path

from whp.calibration.condensed import condensed_table, worst

ROOT = Path(__file__).resolve().parents[2]


def cell(kind, guarantee, noise, rate, nominal=0.05):
    ratio = rate / nominal if nominal else None
    judged = {
        "event": "false PASS",
        "rate": rate,
        "low": 0.0,
        "high": 1.0,
        "nominal": nominal,
        "ratio": ratio,
    }
    shown = {"event": "right", "rate": 0.9, "low": 0.8, "high": 1.0, "nominal": None, "ratio": None}
    facts = {"kind": kind, "noise": noise, "truth": "edge", "looks": "once", "trials": 20}
    return {"facts": facts, "guarantee": guarantee, "claims": 1000, "rates": [shown, judged]}


def test_a_row_a_rule_with_its_worst_cell():
    cells = [
        cell("mean", "exact", "normal", 0.01),
        cell("mean", "asymptotic", "t5", 0.02),
        cell("mean", "asymptotic", "lognormal", 0.3),
        cell("always", "exact", "none", 0.0, nominal=0.0),
    ]
    rows = condensed_table({"command": "whp calibrate", "cells": cells}).splitlines()[4:]
    assert [row.split(" | ")[1] for row in rows] == ["exact", "asymptotic", "exact"]
    assert "| 2 | 2,000 | lognormal; edge; once; 20 trials | false PASS | 5 | 30 [0, 100] |" in rows[1]
    assert worst(cells)[0]["facts"]["noise"] == "lognormal"


def test_the_committed_page_shows_the_committed_calibration():
    spec = importlib.util.spec_from_file_location("update_docs", ROOT / "tools" / "update_docs.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.generated() == (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")


def test_the_committed_calibration_is_whole_and_holds():
    record = json.loads((ROOT / "reports" / "calibration" / "calibration.json").read_text())
    assert record["profile"] == "full"
    assert record["standing"] == "holds"
    for made in record["cells"]:
        for rate in made["rates"]:
            if made["guarantee"] == "exact" and rate["nominal"]:
                assert rate["high"] <= 1.2 * rate["nominal"], made["name"]
