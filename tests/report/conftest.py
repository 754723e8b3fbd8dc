"""Hand-made verdicts of every kind, as the report gets them."""

import itertools
import math

import numpy as np
import pytest

from whp.claims.verdict import CellVerdict, Guarantee, Outcome, Regime, Verdict, verdict_record
from whp.interval import Interval
from whp.report import RunInfo

SIZES = [64.0, 128.0, 256.0, 512.0, 1024.0]


def series(values):
    """The statistic along the path, for the figure."""
    values = np.asarray(values)
    return {
        "lead": "d",
        "sizes": SIZES,
        "points": [{"d": size} for size in SIZES],
        "median": np.median(values, axis=0).tolist(),
        "minimum": values.min(axis=0).tolist(),
        "maximum": values.max(axis=0).tolist(),
        "mean": values.mean(axis=0).tolist(),
        "sd": values.std(axis=0).tolist(),
    }


def cell(outcome=Outcome.PASS, test="rate", where=None, **changes):
    """A cell with numbers that are not about anything."""
    fields = {
        "outcome": outcome,
        "test": test,
        "cell": {"alpha": 0.1, "activation": "erf"} if where is None else where,
        "estimate": -0.02,
        "interval": Interval(-0.05, 0.03),
        "rule": "t-sequence on per-trial slopes",
        "validity": "asymptotic",
        "guarantee": Guarantee.ASYMPTOTIC,
        "threshold": "growth exponent of Y/r below 0.1",
        "advice": "Nothing to do.",
        "trials": 8,
        "points": 5,
        "detectable": 0.04,
        "slack": 1.7,
        "false_fail": 1e-4,
        "false_pass": 1e-3,
    }
    return CellVerdict(**{**fields, **changes})


def rate_cell(outcome=Outcome.PASS, slope=0.0, low=-0.05, high=0.05, **changes):
    """A cell with everything that an exponent's panel shows."""
    sizes = np.array(SIZES)
    rng = np.random.default_rng(0)
    values = 3 * sizes ** (slope - 1) * np.exp(0.05 * rng.normal(size=(8, 5)))
    local = [
        {"size_low": a, "size_high": b, "estimate": slope, "low": low, "high": high}
        for a, b in itertools.pairwise(SIZES)
    ]
    figure = {
        **series(values),
        "bound": (1 / sizes).tolist(),
        "accepted": {"low": -math.inf, "high": 0.1},
        "claimed_slope": -1.0,
        "fit": {"slope": slope, "low": low, "high": high, "intercept": math.log(3)},
        "tail": {"from": 256.0, "estimate": slope, "low": low, "high": high},
        "local_slopes": local,
        "tail_slopes": [{"from": s, "estimate": slope, "low": low, "high": high} for s in SIZES[:-1]],
        "curvature": {"estimate": 0.01, "low": -0.1, "high": 0.1},
    }
    return cell(outcome, estimate=slope, interval=Interval(low, high), figure=figure, **changes)


def bound_cell(levels=(0.01,), **changes):
    """A cell of kind bound; with several levels, of a tail."""
    values = np.exp(0.2 * np.random.default_rng(1).normal(size=(400, 5)))
    rows = [
        {"point": k, "delta": level, "estimate": 0.0, "low": 0.0, "high": level * 0.8, "verdict": "PASS"}
        for k in range(5)
        for level in levels
    ]
    figure = {**series(values), "bound": [9.0] * 5 if len(levels) == 1 else None, "levels": rows}
    exact = {"interval": Interval(0.0, 0.008), "guarantee": Guarantee.EXACT}
    return cell(test="bound", estimate=0.0, figure=figure, **exact, **changes)


def mean_cell(verdicts=("PASS", "FAIL", "INCONCLUSIVE", "PASS", "PASS"), **changes):
    """A cell of kind mean."""
    means = [
        {"estimate": 3.0, "low": 2.9, "high": 3.1, "accept_low": 2.8, "accept_high": math.inf, "verdict": v}
        for v in verdicts
    ]
    figure = {**series(np.full((4, 5), 3.0)), "means": means}
    return cell(test="mean", estimate=3.0, interval=Interval(2.9, 3.1), figure=figure, **changes)


def slope_cell(**changes):
    """A printed slope that is reproduced."""
    figure = dict(rate_cell(slope=-0.2).figure)
    figure = {key: figure[key] for key in (*series([[1.0] * 5]), "local_slopes")}
    figure["slope"] = {"printed": -1.25, "from": 128.0, "to": 512.0}
    figure["means"] = [
        {"estimate": -1.2, "low": -1.3, "high": -1.1, "accept_low": -1.28, "accept_high": -1.22}
        | {"verdict": "INCONCLUSIVE"}
    ]
    return cell(Outcome.INCONCLUSIVE, test="slope", estimate=-1.2, figure=figure, **changes)


def always_cell(outcome=Outcome.PASS, **changes):
    """A search for a counterexample."""
    return cell(
        outcome,
        test="always",
        where={"examples": 100},
        estimate=1e-16,
        interval=Interval(1e-16, math.inf),
        detectable=math.nan,
        slack=math.nan,
        points=1,
        figure={"examples": 1000, "worst": 1e-16},
        guarantee=Guarantee.SEARCH,
        **changes,
    )


def verdict(name, outcome=Outcome.PASS, cells=(), **changes):
    """A verdict on a claim."""
    fields = {
        "id": f"hu2020.{name}",
        "title": "The kernel is close to a linear one, $n \\gtrsim d$",
        "paper": "hu2020",
        "locus": "Proposition 3.4",
        "kind": "rate",
        "printed": True,
        "corrects": None,
        "outcome": outcome,
        "regime": Regime.FORM,
        "formulas": [r"\left\|\Theta_1 - \Theta^{\mathrm{lin1}}\right\| \lesssim \frac{n}{d^{\alpha + 1}}"],
        "assumptions": ["Rows of $X$ are independent with $\\operatorname{Tr}\\Sigma = d$."],
        "cells": list(cells),
        "twins": {"exponent": Outcome.FAIL, "half": Outcome.INCONCLUSIVE},
        "twin_notes": {"exponent": "exponent of $d$ too good by 1/4", "half": "constant halved"},
        "false_fail": 1e-3,
        "false_pass": 1e-3,
        "seed": 7,
        "profile": "standard",
        "path": "d = 64..1024 (5 points), n = 4*d",
        "seconds": 12.5,
        "advice": "Nothing to do.",
        "command": f"whp run hu2020.{name} --profile standard --seed 7",
        "documentation": "A line.\n\nSetting   X: n x d\n          more\nMeasured  the norm.",
        "environment": {"python": "3.11.9", "machine": "x86_64, 2 cores"},
    }
    return Verdict(**{**fields, **changes})


def every_kind():
    """One verdict of every sort that a report can meet."""
    nan_cell = cell(
        Outcome.INCONCLUSIVE,
        estimate=math.nan,
        interval=Interval(-math.inf, math.inf),
        guarantee=Guarantee.NONE,
        detectable=math.nan,
        slack=math.inf,
        failures={"timeout": 3, "invalid": 1},
        warnings=["3 trials were lost."],
        advice="Raise the limit.",
    )
    many = [rate_cell(where={"alpha": i / 100, "activation": "erf"}) for i in range(40)]
    return [
        verdict("prop_3_4", cells=many),
        verdict(
            "prop_d_4",
            Outcome.FAIL,
            [
                rate_cell(where={"alpha": 0.1}),
                rate_cell(Outcome.FAIL, 0.4, 0.3, 0.5, where={"alpha": 0.2}, warnings=["skewed <i>"]),
            ],
            regime=Regime.MET,
        ),
        verdict(
            "prop_d_4_corrected",
            cells=[rate_cell()],
            printed=False,
            corrects="hu2020.prop_d_4",
            formulas=[r"\|\Theta_1\| \lesssim n / \sqrt{d}"],
        ),
        verdict("thm_wide", Outcome.INCONCLUSIVE, [rate_cell(low=-math.inf, high=math.inf), nan_cell]),
        verdict(
            "prop_d_3",
            cells=[bound_cell(), bound_cell((0.01, 0.02, 0.1), where={"half": "first"})],
            kind="bound",
            twins={"half": Outcome.PASS},
        ),
        verdict("eq_7", Outcome.FAIL, [mean_cell()], kind="mean", regime=Regime.BEYOND),
        verdict("fig_5", Outcome.INCONCLUSIVE, [slope_cell()], kind="reproduction"),
        verdict("claim_c_1", cells=[always_cell()], kind="always", path="", twins={}),
        verdict("lemma_none", Outcome.INCONCLUSIVE, [], advice="Nothing was measured."),
        verdict(
            "hostile",
            Outcome.FAIL,
            [cell(Outcome.FAIL, where={"<b>": "</td><script>alert(1)</script>"}, notes={"x": "<img src=x>"})],
            title="<script>alert('t')</script> & \x07 Gauß 定理 🎲 | $x < \\text{<b onclick=1>}$ $open",
            locus="</section>\"'",
            formulas=[r"\href{javascript:alert(1)}{x} \text{<script>}", r"\frac{"],
            assumptions=["<iframe src='https://evil.example'>"],
            advice="]]> <b>",
            documentation="<h1>no</h1>",
            environment={"host": "<a>"},
            twins={"<t>": Outcome.FAIL},
            twin_notes={},
        ),
    ]


@pytest.fixture(scope="session")
def verdicts():
    return every_kind()


@pytest.fixture(scope="session")
def records(verdicts):
    return [verdict_record(v) for v in verdicts]


@pytest.fixture(scope="session")
def older(records):
    """Records of a time when nothing was said of what the error rates rest on."""
    return [
        {key: kept for key, kept in record.items() if key not in ("guarantee", "cells")}
        | {"cells": [{k: v for k, v in cell.items() if k != "guarantee"} for cell in record["cells"]]}
        for record in records
    ]


@pytest.fixture
def planned():
    """What was planned for two of the claims, as ``run.json`` keeps it."""

    def check(name, expected, detectable, in_sd=False):
        kept = {"check": name, "least": 8, "most": 40, "fewest": 5, "needed": 2, "expected": expected}
        return kept | {"detectable": detectable, "in_sd": in_sd, "elsewhere": "", "text": "t"}

    return [
        {
            "id": "hu2020.prop_d_4",
            "trials_least": 80,
            "trials_most": 400,
            "trials_known": 30,
            "seconds_least": 3.0,
            "seconds_most": 15.0,
            "checks": [check("rate", 14, 0.05)],
        },
        {
            "id": "hu2020.eq_7",
            "trials_least": 40,
            "trials_most": 40,
            "trials_known": 0,
            "seconds_least": None,
            "seconds_most": None,
            "checks": [check("mean", None, 0.56, in_sd=True), check("other", 3, None)],
        },
        {"id": "hu2020.never_made"},
    ]


@pytest.fixture
def run_info():
    return RunInfo(
        command="whp run hu2020 --profile standard --seed 7",
        profile="standard",
        seed=7,
        false_fail=0.01,
        false_pass=0.01,
        started="2025-11-22T05:10:00",
        seconds=312.0,
        measured=1200,
        reused=34,
        environment={"python": "3.11.9"},
    )
