"""Fixed numbers of trials against other programs' numbers, and what counts as a decision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.power import TTestPower

from whp import stats
from whp.benchmarks.harness import BenchmarkError, Context
from whp.benchmarks.stopping import (
    POWER,
    RATE,
    REPEATS,
    clean_trials,
    decisions,
    fixed_trials,
    fixed_trials_of_bound,
    fixed_trials_of_design,
    run,
    simulate,
)
from whp.engine.discovery import resolve


def test_it_needs_the_committed_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkError, match=r"^the folder must be a checkout, with reports/reference, got "):
        run(Context(small=True))


@pytest.mark.parametrize(("effect", "alpha"), [(0.3, 0.05), (1.0, 1e-3), (0.5, 0.01)])
def test_fixed_numbers_agree_with_statsmodels(effect, alpha):
    # statsmodels counts the wrong tail too, which has a chance below 1e-6 here
    n = int(fixed_trials(effect, alpha))
    power = [TTestPower().power(effect, count, alpha, alternative="two-sided") for count in (n - 1, n)]
    assert power[0] < POWER <= power[1]


def test_the_same_power_takes_fewer_fixed_trials_than_the_most_sequential_ones():
    for most in (10, 40, 400):
        assert fixed_trials_of_design(most, RATE) < most
    assert math.isinf(fixed_trials_of_design(2, 1e-6))  # two trials find nothing at this rate


def test_the_fixed_number_for_a_bound_has_its_rate_and_its_power():
    level, most, alpha = 0.1, 400, 1e-3
    n = fixed_trials_of_bound(level, most, alpha)
    seen = stats.bernoulli_detectable(level, most, alpha, POWER, stats.prior_below(level)).low
    allowed = max(k for k in range(n) if binom.cdf(k, n, level) <= alpha / 2)
    assert binom.cdf(allowed, n, seen) >= POWER
    assert n < most


def test_clean_trials_are_the_fewest_that_any_test_accepts():
    n = clean_trials(0.01, 1e-3)
    assert 0.99**n <= 5e-4 < 0.99 ** (n - 1)


def test_at_the_edge_nothing_is_decided_and_far_from_it_early():
    rows = {row["truth"]: row for row in simulate(np.random.default_rng())}
    # At the edge a run errs with probability below 2e-4 in all: over 12 of 4000 have a chance below 1e-10.
    assert rows[0.0]["wrong"] <= 12 / REPEATS
    # At the discrepancy the last look alone decides with probability 0.9: 86 % is nine deviations away.
    assert rows[1.0]["decided"] > 0.86
    assert rows[3.0]["trials"] < rows[2.0]["trials"] < rows[1.0]["trials"]
    assert rows[0.0]["ratio"] < 1 < rows[3.0]["ratio"]


def test_an_undecided_decision_is_kept_and_unknown_claims_are_not():
    _, claims = resolve(["caron2023.thm_4_4"])
    label = claims[0].checks[0].label
    means = [{"accept_low": "-inf", "accept_high": 0.0}]
    cell = {
        "test": label,
        "verdict": "INCONCLUSIVE",
        "rule": stats.T_SEQUENCE.name,
        "false_pass": 1e-3,
        "trials": 12,
        "figure": {"means": means, "sd": [1.0]},
    }
    records = [
        {"id": claims[0].id, "cells": [cell, cell | {"test": "another"}]},
        {"id": "x.y", "cells": [cell]},
    ]
    (found,) = decisions(claims[:1], records, "standard")
    assert (found.kind, found.used, found.decided, found.stated) == ("mean", 12, False, None)
