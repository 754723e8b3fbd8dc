"""Panels as SVG."""

import re
from xml.etree.ElementTree import fromstring

import matplotlib
import pytest

from whp.claims.verdict import cell_record
from whp.report.figures import claim_svg, mode, panel_svg


def texts(svg):
    """What is written in a figure."""
    return {
        "".join(node.itertext()).strip() for node in fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    }


def cells_of(records):
    return [cell for record in records for cell in record["cells"]]


def test_every_kind_of_cell_is_drawn(records):
    drawn = {mode(cell): panel_svg(cell) for cell in cells_of(records)}
    assert set(drawn) == {"path", "slope", "bound", "levels", "means", ""}
    assert drawn.pop("") == ""
    for svg in drawn.values():
        fromstring(svg)
        assert len(svg) < 20_000


def test_only_data_is_drawn_where_nothing_was_fitted(records):
    cell = dict(records[0]["cells"][0])
    kept = ("lead", "sizes", "median", "minimum", "maximum")
    cell["figure"] = {key: cell["figure"][key] for key in kept}
    assert mode(cell) == "data"
    assert {"d", "Y", "1024"} <= texts(panel_svg(cell))
    cell["figure"]["maximum"] = [0.0] * 5
    assert mode(cell) == ""


def test_axes_are_labelled_with_sizes_and_letters(records):
    assert {"d", "Y", "slope of Y/r", "64", "1024"} <= texts(panel_svg(records[0]["cells"][0]))
    bound = next(cell for cell in cells_of(records) if mode(cell) == "bound")
    assert {"P(Y > B)", "Y and bound B", "0"} <= texts(panel_svg(bound))


def test_infinite_intervals_and_zeros_are_drawn(records):
    cell = dict(records[0]["cells"][0])
    figure = dict(cell["figure"])
    figure["fit"] = {**figure["fit"], "low": "-inf", "high": "inf"}
    figure["local_slopes"] = [{**s, "low": "-inf", "high": None} for s in figure["local_slopes"]]
    figure["minimum"] = [0.0] * 5
    fromstring(panel_svg({**cell, "figure": figure}))


def test_colours_are_variables_on_the_page_and_fixed_in_a_file(records):
    page, alone = panel_svg(records[0]["cells"][0]), claim_svg(records[0], 2)
    assert "var(--fit)" in page
    assert "var(--" not in alone
    assert "#0072b2" in alone
    assert "#0102" not in page + alone
    fromstring(alone)
    assert claim_svg(next(r for r in records if not r["cells"])) == ""


def test_ids_are_those_of_the_panel_alone(records):
    ids = re.findall(r' id="([^"]*)"', panel_svg(records[0]["cells"][0], "c3-0"))
    assert ids
    assert all(name.startswith("c3-0-") for name in ids)
    assert len(set(ids)) == len(ids)


def test_same_input_same_bytes_whatever_the_user_has_set(records):
    cell = records[0]["cells"][0]
    first = panel_svg(cell)
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert panel_svg(cell) == first


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_verdicts_differ_by_shape_as_well_as_colour(records, verdict):
    bound = next(cell for cell in cells_of(records) if mode(cell) == "bound")
    shapes = {}
    for name in ("PASS", verdict):
        levels = [{**level, "verdict": name} for level in bound["figure"]["levels"]]
        figure = panel_svg({**bound, "figure": {**bound["figure"], "levels": levels}})
        shapes[name] = set(re.findall(r'<path id="[^"]*" d="([^"]*)" style="stroke: var\(--paper\)', figure))
    assert (shapes["PASS"] == shapes[verdict]) == (verdict == "PASS")


def test_cells_decided_by_the_court_are_drawn():
    """The keys of the figures are those that the kinds of claim really give."""
    import numpy as np

    from whp.claims import (
        Budget,
        CellSample,
        Design,
        Path,
        bound,
        experiment,
        geometric,
        mean,
        rate,
        reproduction,
        symbols,
    )

    d = symbols("d")

    @experiment(standard=Design(Path(d=geometric(8, 128, 5)), {"alpha": [0.1]}, (8, 8)), name="t")
    def noisy(p, rng, device):
        return float(3 / p.d * np.exp(0.05 * rng.normal()))

    share = Budget(1).claim_share()
    (cell,) = noisy.design("standard").cells()
    points = noisy.design("standard").points(cell)
    rng = np.random.default_rng(0)
    rows = [[noisy.run(p, rng, None) for p in points] for _ in range(8)]
    sample = CellSample(noisy, cell, points, rows)
    checks = {
        "path": rate(experiment=noisy, quantity="Y", bound=1 / d),
        "bound": bound(experiment=noisy, quantity="Y", bound=9 / d, delta=0.1),
        "levels": bound(experiment=noisy, quantity="Y", tail_of=True, delta=(0.1, 0.2)),
        "means": mean(experiment=noisy, quantity="Y", target=3 / d, tolerance=0.2),
        "slope": reproduction(
            experiment=noisy, quantity="Y", printed=-1.0, tolerance=0.1, slope_between=(8, 64)
        ),
    }
    for name, check in checks.items():
        record = cell_record(check.decide(sample, share))
        assert mode(record) == name
        fromstring(panel_svg(record))
