"""Rates with their intervals, the verdict on them, and the catalogue of cells."""

from __future__ import annotations

import math
import pickle

import pytest
from scipy.stats import binomtest

from whp.calibration.study import (
    FACTOR,
    CellResult,
    EventRate,
    Standing,
    StudyCell,
    all_cells,
    clopper_pearson,
    select_cells,
)
from whp.errors import InputError, UsageError


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (1, 10), (10, 10), (500, 10_000), (0, 10_000)])
def test_clopper_pearson_is_scipys(hits, count):
    ours = clopper_pearson(hits, count)
    theirs = binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_clopper_pearson_refuses():
    with pytest.raises(InputError, match="counts must be"):
        clopper_pearson(2, 1)


@pytest.mark.parametrize(
    ("hits", "count", "nominal", "standing"),
    [
        (500, 10_000, 0.05, Standing.HOLDS),
        (600, 10_000, 0.05, Standing.EXCEEDS),
        (25, 500, 0.05, Standing.OPEN),
        (0, 50, 0.05, Standing.OPEN),
        (0, 100, 0.05, Standing.HOLDS),
        (0, 3, 0.0, Standing.HOLDS),
        (1, 1000, 0.0, Standing.EXCEEDS),
        (9, 10, None, Standing.SHOWN),
    ],
)
def test_standing(hits, count, nominal, standing):
    rate = EventRate.of("event", hits, count, nominal)
    assert rate.standing is standing
    assert rate.standing.meaning.endswith(".")


def test_ratio():
    assert EventRate.of("event", 5, 100, 0.1).ratio == pytest.approx(0.5)
    assert EventRate.of("event", 1, 100, 0.0).ratio == math.inf
    assert math.isnan(EventRate.of("event", 1, 100, None).ratio)


def cell(**changes):
    fields = {
        "study": "sequences",
        "name": "test",
        "simulate": lambda rng, count: {"event": count / 10, "width": 2.0 * count},
        "nominal": {"event": 0.1},
        "guarantee": "exact",
        "count": 100,
        "quick_count": 20,
        "batch": 10,
    }
    return StudyCell(**{**fields, **changes})


def test_cell_adds_up():
    made = CellResult.of(cell(), 20, [{"event": 1.0, "width": 20.0}, {"event": 2.0, "width": 20.0}], 0.5)
    (rate,) = made.rates
    assert (rate.hits, rate.count, rate.rate) == (3, 20, 0.15)
    assert made.means == {"width": 2.0}
    with pytest.raises(InputError, match="events must be counted by simulate"):
        CellResult.of(cell(), 20, [{"width": 20.0}], 0.5)


@pytest.mark.parametrize(
    "changes", [{"guarantee": "sure"}, {"count": 95}, {"quick_count": 5}, {"batch": 0}, {"count": -10}]
)
def test_cell_refuses(changes):
    with pytest.raises(InputError, match="must be"):
        cell(**changes)


class TestTheCatalogue:
    def test_workers_find_cells_by_name(self):
        some = next(iter(all_cells().values()))
        assert pickle.loads(pickle.dumps(some)) is some

    def test_unknown_study(self):
        with pytest.raises(UsageError, match="--study must be one of"):
            select_cells(["divination"])

    def test_covers_what_it_must(self):
        facts = [c.facts for c in select_cells(["decisions"])]
        kinds = " ".join(str(f["kind"]) for f in facts)
        for kind in ("upper", "lower", "both", "forall", "decay", "limit", "order", "value", "slope"):
            assert kind in kinds
        for rule in ("t-sequence", "betting", "deterministic", "bound", "tail levels"):
            assert rule in kinds
        noises = {str(f["noise"]) for f in facts}
        for p in (0.01, 0.05, 0.95, 0.99):
            assert f"Bernoulli {p:g}" in noises
        for name in (
            "normal",
            "t5",
            "uniform",
            "exponential",
            "lognormal 0.5",
            "lognormal 1",
            "lognormal 1.5",
        ):
            assert {name, f"{name}, spread d^0.5"} <= noises | {"uniform, spread d^0.5"}
        assert any("AR(1)" in name for name in noises)
        assert any("twice" in name for name in noises)
        assert {"every trial", "batches", "once", "resumed at 20"} <= {f["looks"] for f in facts}
        assert {5, 20, 100, 1000} <= {f["trials"] for f in facts}
        truths = " ".join(str(f["truth"]) for f in facts)
        for part in ("correction 0.5", "correction 1", "correction 2", "log factor", "edge", "as claimed"):
            assert part in truths

    def test_counts_can_clear_a_sound_rule(self):
        """One side of a two-sided rule errs at half of the nominal rate: that must come out as HOLDS."""
        for c in select_cells(["sequences", "decisions", "suites"]):
            for nominal in c.nominal.values():
                for count in {c.count, c.quick_count} - {0}:
                    if c.guarantee == "exact" and nominal:
                        high = clopper_pearson(round(0.5 * nominal * count), count).high
                        assert high <= FACTOR * nominal, c.name
