"""Plots show the trials as they are, and decide nothing."""

from __future__ import annotations

import numpy as np
import pytest

from whp.claims import (
    Budget,
    CellSample,
    Design,
    Line,
    Path,
    Plot,
    Referee,
    Status,
    TrialResult,
    Twin,
    claim,
    experiment,
    rate,
    symbols,
    verdict_record,
)
from whp.errors import ClaimError

d = symbols("d")


@experiment(standard=Design(Path(d=(2, 4, 8)), {"alpha": [0.1, 0.2]}, trials=(8, 8)), name="test.curves")
def curves(p, rng, device):
    return {"value": 1.0, "loss @1": 3.0, "loss @10": 2.0}


def sample(alpha, values, failed=()):
    """Trials whose statistic ``loss @x`` at point k is value * x + k."""
    points = curves.design("standard").points({"alpha": alpha})
    rows = [
        [
            TrialResult(Status.ERROR)
            if s in failed
            else TrialResult(Status.OK, {"loss @1": v + k, "loss @10": 10 * v + k})
            for k in range(len(points))
        ]
        for s, v in enumerate(values)
    ]
    return CellSample(curves, {"alpha": alpha}, points, rows)


LOSS = {1: "loss @1", 10: "loss @10"}


def test_a_line_is_the_mean_with_its_band_at_the_last_point():
    line = Line("loss", curves, LOSS).record([sample(0.1, [1.0, 3.0])])
    assert line["x"] == [1.0, 10.0]
    assert line["mean"] == [4.0, 22.0]
    assert (line["low"], line["high"]) == ([3.0, 12.0], [5.0, 32.0])
    assert line["trials"] == 2


def test_at_chooses_cell_and_point():
    line = Line("loss", curves, LOSS, at={"alpha": 0.2, "d": 2})
    assert line.record([sample(0.1, [1.0]), sample(0.2, [5.0])])["mean"] == [5.0, 50.0]


def test_a_line_along_the_path():
    line = Line("loss", curves, along="d", statistic="loss @1").record([sample(0.1, [1.0, 3.0])])
    assert line["x"] == [2.0, 4.0, 8.0]
    assert line["mean"] == [2.0, 3.0, 4.0]


def test_failed_trials_and_missing_cells_leave_no_curve():
    assert Line("loss", curves, LOSS).record([sample(0.1, [1.0, 3.0], failed=[0])])["mean"] == [5.0, 32.0]
    assert Line("loss", curves, LOSS).record([sample(0.1, [1.0], failed=[0])])["x"] == []
    assert Line("loss", curves, LOSS).record([])["x"] == []
    assert Line("loss", curves, LOSS, at={"alpha": 0.3}).record([sample(0.1, [1.0])])["x"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"statistics": LOSS, "along": "d", "statistic": "loss @1"},
        {"along": "d"},
        {"statistics": LOSS, "colour": 6},
    ],
)
def test_a_line_that_says_too_little_or_too_much_is_refused(fields):
    with pytest.raises(ClaimError, match="line 'loss'"):
        Line("loss", curves, **fields)


def test_a_plot_needs_lines_and_an_experiment_that_is_measured():
    with pytest.raises(ClaimError, match="at least one"):
        Plot("P", "x", "y", [])

    @experiment(standard=Design(Path(d=(2, 4, 8)), trials=(8, 8)), name="test.other")
    def other(p, rng, device):
        return 1.0

    check = rate(experiment=curves, quantity="Y", bound=1, twins={"t": Twin("d", bound=1 / d)})
    with pytest.raises(ClaimError, match=r"of experiments of its checks, got 'test\.other'"):
        claim(
            "test_plots.a", check, title="T", locus="1", plots=[Plot("P", "x", "y", [Line("l", other, LOSS)])]
        )


def test_the_referee_puts_the_last_look_on_the_verdict():
    check = rate(
        experiment=curves, quantity="Y", bound=1, twins={"t": Twin("d", bound=1 / d)}, statistic="loss @1"
    )
    plot = Plot("Losses", "t", "loss", [Line("loss", curves, LOSS)], caption="As drawn.")
    stated = claim("test_plots.b", check, title="T", locus="1", plots=[plot])
    referee = Referee([stated], "standard", Budget(1, 0.01, 0.01))
    facts = {"seed": 0, "seconds": 0.0, "environment": {}, "command": "whp run"}
    assert verdict_record(referee.verdict(stated, **facts))["plots"][0]["lines"][0]["x"] == []
    referee.look(curves, sample(0.1, np.linspace(1, 2, 8)))
    record = verdict_record(referee.verdict(stated, **facts))["plots"][0]
    assert record["title"] == "Losses"
    assert record["lines"][0]["mean"] == [3.5, 17.0]
