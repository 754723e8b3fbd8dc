"""Shared draws leave every mean as it is."""

from __future__ import annotations

import pytest

from whp.benchmarks.pairing import mean, order


def test_antithetic_draws_keep_the_mean_and_save_trials():
    found = mean(trials=400, m=8)
    # six standard errors of Gaussian averages: a false alarm has probability 2e-9
    assert abs(found["independent mean"] - found["antithetic mean"]) < 6 * found["standard error"]
    assert found["saved"] > 0


def test_common_draws_keep_the_mean_difference():
    found = order(trials=6, m=20)
    assert found["common mean"] == pytest.approx(found["independent mean"])  # the same numbers in other pairs
