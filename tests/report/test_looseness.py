"""The table of how loose each bound is."""

import copy
import math

import pytest

from whp.report import render_html, render_markdown
from whp.report.looseness import COLUMNS, looseness


@pytest.fixture
def bound(records):
    """A claim with one bound in one cell, which passed."""
    kept = copy.deepcopy(next(r for r in records if r["id"] == "hu2020.prop_d_3"))
    kept["cells"][0]["slack"] = 8.5
    return kept | {"cells": kept["cells"][:1], "title": "The weights hardly move, $n \\gtrsim d$"}


def another(record, factor, **changes):
    """The claim with a second cell, whose bound is so many times the first."""
    cell = copy.deepcopy(record["cells"][0])
    cell["figure"]["bound"] = [factor * b for b in cell["figure"]["bound"]]
    cell["slack"] *= factor
    return record | {"cells": [*record["cells"], cell | changes]}


def test_the_factor_is_the_slack_and_stated_over_worst_at_the_tightest_point(bound):
    figure = bound["cells"][0]["figure"]
    ((name, words, regime, median, worst, where),) = looseness([bound])
    assert (name, words, regime) == (bound["id"], bound["title"], bound["regime"])
    assert median == "8.5"
    assert math.isclose(float(worst), 9 / max(figure["maximum"]), rel_tol=0.01)
    tightest = figure["points"][figure["median"].index(max(figure["median"]))]
    assert where.endswith(f"d = {tightest['d']}")


def test_several_cells_give_a_range_with_the_place_of_the_tightest(bound):
    ((*_, median, worst, where),) = looseness([another(bound, 10, cell={"gamma": 0.5})])
    low, high = (float(text) for text in median.split(" to "))
    assert math.isclose(high, 10 * low, rel_tol=0.02)
    assert " to " in worst
    assert "gamma" not in where


@pytest.mark.parametrize("factor", [0, -1, math.inf, math.nan])
def test_a_bound_without_a_factor_is_left_out(bound, factor):
    assert looseness([another(bound, factor)]) == []


def test_only_bounds_that_passed_are_shown(records, bound):
    assert looseness([another(bound, 1, verdict="FAIL")]) == []
    assert "hu2020.prop_d_3" not in {row[0] for row in looseness(records)}  # its second cell is a tail
    assert looseness([r for r in records if r["kind"] != "bound"]) == []


def test_the_reports_show_it_where_there_is_a_bound(records, bound, run_info):
    page = render_html([bound], run_info)
    assert all(name in page.split('id="looseness"')[1] for name in COLUMNS)
    assert 'id="looseness"' not in render_html(records, run_info)
    text = render_markdown([bound], run_info)
    assert "`hu2020.prop_d_3` | The weights hardly move, $n \\gtrsim d$ |" in text
    assert "How loose" not in render_markdown(records, run_info)
