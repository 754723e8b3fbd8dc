"""The table and the figure of exponents show the verdicts that they are made from. No chance in it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_tool():
    spec = importlib.util.spec_from_file_location("exponents", ROOT / "tools" / "exponents.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


def cell(test, alpha, estimate, low, high, activation="erf"):
    where = {"activation": activation, "data": "gaussian"} | ({} if alpha is None else {"alpha": alpha})
    return {"test": test, "cell": where, "estimate": estimate, "interval": {"low": low, "high": high}}


def folder(tmp_path, **claims):
    """A run with these claims; whatever else a verdict has is that of a committed one."""
    (tmp_path / "verdicts").mkdir()
    committed = json.loads((TOOL.STANDARD / "verdicts" / "hu2020.thm_3_2_train.json").read_text())
    for name, cells in claims.items():
        whole = [committed["cells"][0] | cell for cell in cells]
        record = committed | {"id": f"hu2020.{name}", "cells": whole}
        (tmp_path / "verdicts" / f"hu2020.{name}.json").write_text(json.dumps(record))
    return tmp_path


RATES = [
    cell("decay, centred", 0.1, -0.11, -0.2, -0.03),
    cell("decay, centred", 0.2, -0.25, -0.4, -0.1),
    cell("decay, unequal rates", 0.2, -9.0, -9.0, -9.0),
    cell("explicit rate, centred", 0.2, -8.0, -8.0, -8.0),
]


def test_rows_and_sharpest_rate(tmp_path):
    made = TOOL.generated(folder(tmp_path, thm_3_5_train=RATES))
    text, svg = made[TOOL.REPORTS / "exponents.md"], made[TOOL.REPORTS / "exponents.svg"]
    assert (
        "| `thm_3_5_train` | 0.1 | erf, gaussian | -0.050 | -0.110 | [-0.200, -0.030] | d^(-0.030) |" in text
    )
    # Only decays of the theorem itself: neither a rate, whose estimate is of Y / r, nor unequal rates.
    assert "-8.0" not in text
    assert "-9.0" not in text
    assert "d^(−0.30 α), at every α" in text  # 0.03 / 0.1 is less than 0.1 / 0.2
    assert "Not in the committed run: `thm_3_2_train`" in text
    assert svg.startswith("<svg")
    assert "second layer, training data" in svg


def test_a_decay_that_is_not_sure_is_said(tmp_path):
    slow = [*RATES, cell("decay, centred", 0.05, -0.01, -0.1, 0.08)]
    text = TOOL.table(TOOL.load_verdict_records(folder(tmp_path, thm_3_5_train=slow)))
    assert "d^(−0.30 α) where decay is sure; not sure at α = 0.05" in text
    assert TOOL.sharpest([TOOL.decays([{"id": "hu2020.x", "cells": slow[-1:]}], "x")[0]]).startswith("none")


def test_figure_1c_has_rows_without_alpha(tmp_path):
    widths = [cell("width 256, d to 24", None, -0.5, -0.7, -0.3, ""), cell("width d^2", None, -0.6, -1, -0.2)]
    text = TOOL.generated(folder(tmp_path, thm_d_1_dist=RATES, fig_1c=widths))[TOOL.REPORTS / "exponents.md"]
    assert "| `fig_1c` | | width 256, d to 24 | | -0.500 | [-0.700, -0.300] | d^(-0.300) |" in text


def test_a_run_without_them_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="must have a verdict of thm_3_2_train"):
        TOOL.generated(folder(tmp_path, fig_5=RATES))


def test_what_is_committed_is_what_is_made():
    for path, text in TOOL.generated().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make exponents`"
