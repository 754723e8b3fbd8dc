"""Antithetic draws leave the mean as it is, and save trials."""

from __future__ import annotations

from whp.benchmarks.pairing import mean


def test_antithetic_draws_keep_the_mean_and_save_trials():
    found = mean(trials=1000, m=8)
    # six standard errors of Gaussian averages: a false alarm has probability 2e-9
    assert abs(found["independent mean"] - found["antithetic mean"]) < 6 * found["standard error"]
    # 1.5 to 1.6 are saved; the logarithm of a ratio of variances has the deviation 2 / sqrt(trials) = 0.063,
    # so that one is more than six of them away
    assert found["saved"] > 1
