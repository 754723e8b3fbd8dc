"""What a verdict says to someone whose measurement, not whose theorem, is at fault."""

from __future__ import annotations

import numpy as np

from whp import stats
from whp.claims import CellSample, Design, Outcome, Path, Share, Status, TrialResult, bound, experiment, mean
from whp.claims.levels import trials_at

SHARE = Share(1e-3, 1e-3)


@experiment(standard=Design(Path(d=(8,)), trials=(8, 40)))
def made(p, rng, device):
    return 1.0


def sample(results):
    """One point, one result a trial."""
    cell = {}
    points = made.design("standard").points(cell)
    return CellSample(made, cell, points, [[result] for result in results])


def test_a_bound_of_which_no_trial_gave_a_number_says_why():
    broken = TrialResult(Status.ERROR, message="ZeroDivisionError: division by zero, line 25")
    verdict = bound(experiment=made, quantity="Y", bound=2).decide(sample([broken] * 40), SHARE)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.advice.startswith("40 error of 40 trials gave no number (ZeroDivisionError")
    assert np.isnan(verdict.estimate)


def test_a_bound_of_which_some_trials_failed_says_so_first():
    good, broken = TrialResult(Status.OK, {"value": 1.0}), TrialResult(Status.TIMEOUT, message="60 s")
    verdict = bound(experiment=made, quantity="Y", bound=2).decide(sample([good] * 30 + [broken] * 10), SHARE)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.advice.startswith("10 timeout of 40 trials gave no number (60 s)")


def test_a_mean_whose_interval_is_too_wide_names_the_trials_that_would_do():
    """The estimate lies at the edge by noise only; more trials would decide."""
    values = np.linspace(-1, 1, 40) * 0.3 + 0.99
    trials = [TrialResult(Status.OK, {"value": float(x)}) for x in values]
    verdict = mean(experiment=made, quantity="Y", target=1, tolerance=0.01).decide(sample(trials), SHARE)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.advice.startswith("About ")
    assert "no number of trials" not in verdict.advice


def test_trials_for_a_bound_are_those_of_the_mixture_that_decides():
    level, alpha = 0.05, 1e-4
    assert trials_at(level, 0.0, alpha) < stats.bernoulli_trials_needed(level, 0.0, alpha)
    assert trials_at(level, 0.2, alpha) == stats.bernoulli_trials_needed(level, 0.2, alpha)
    assert trials_at(level, 0.2, alpha) != stats.bernoulli_trials_needed(
        level, 0.2, alpha, prior=stats.prior_below(level)
    )
