"""PASS is decided at the rate of false passes, FAIL at that of false fails: at the edge the two differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from whp import stats
from whp.claims import Outcome, Share, bound, decay, mean, rate

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
TRIALS, SD, TOLERANCE = 14, 0.01, 0.1
SIZES = (64, 128, 256, 512, 1024)
LOOSE, STRICT = 0.2, 1e-6

# The quantiles of a normal law, large and small in turns: unskewed, and neighbours do not rise together.
QUANTILES = norm.ppf((np.arange(TRIALS) + 0.5) / TRIALS)
NOISE = SD * np.column_stack([QUANTILES[: TRIALS // 2], QUANTILES[::-1][: TRIALS // 2]]).ravel()


def half_width(alpha):
    """Of the interval of the slopes below."""
    return stats.t_half_width_factor(TRIALS, alpha) * float(NOISE.std())


def rate_check(simulate, direction="upper"):
    return rate(
        experiment=simulate.power_law(sizes=SIZES),
        quantity="Y",
        bound=1,
        tolerance=TOLERANCE,
        direction=direction,
    )


def growing(check, simulate, local_slopes):
    """Trials whose local slopes along the path are these, all shifted by the noise of the trial."""
    steps = np.log(2.0) * (np.asarray(local_slopes) + NOISE[:, None])  # (trials, points - 1)
    logs = np.concatenate([np.zeros((TRIALS, 1)), np.cumsum(steps, axis=1)], axis=1)
    return simulate.sample(check.experiment, np.exp(logs))


@pytest.mark.parametrize(
    ("share", "outcome"), [(Share(STRICT, LOOSE), PASS), (Share(LOOSE, STRICT), INCONCLUSIVE)]
)
@pytest.mark.parametrize(("direction", "sign"), [("upper", 1), ("lower", -1)])
def test_a_rate_passes_at_the_rate_of_false_passes(simulate, direction, sign, share, outcome):
    check = rate_check(simulate, direction)
    below = TOLERANCE - (half_width(LOOSE) + half_width(STRICT)) / 2
    assert check.outcome(growing(check, simulate, [sign * below] * 4), share) is outcome


@pytest.mark.parametrize(
    ("share", "outcome"), [(Share(LOOSE, STRICT), FAIL), (Share(STRICT, LOOSE), INCONCLUSIVE)]
)
@pytest.mark.parametrize(("direction", "sign"), [("upper", 1), ("lower", -1)])
def test_a_rate_fails_at_the_rate_of_false_fails(simulate, direction, sign, share, outcome):
    check = rate_check(simulate, direction)
    above = TOLERANCE + (half_width(LOOSE) + half_width(STRICT)) / 2
    assert check.outcome(growing(check, simulate, [sign * above] * 4), share) is outcome


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("turned", [False, True])
def test_a_decay_is_decided_at_its_two_rates(simulate, sign, turned):
    check = decay(experiment=simulate.power_law(sizes=SIZES), quantity="Y")
    edge = sign * (half_width(LOOSE) + half_width(STRICT)) / 2
    share = Share(STRICT, LOOSE) if turned else Share(LOOSE, STRICT)
    decided = (PASS if turned else INCONCLUSIVE) if sign < 0 else (INCONCLUSIVE if turned else FAIL)
    assert check.outcome(growing(check, simulate, [edge] * 4), share) is decided


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_mean_is_decided_at_its_two_rates(simulate, outside, turned):
    made = simulate.drawn(lambda rng, p: 0.0)
    check = mean(experiment=made, quantity="Y", target=0, tolerance=TOLERANCE)
    values = np.tile(NOISE, 3)  # three times, as Gaussian theory asks for so many trials
    loose, strict = (
        stats.t_half_width_factor(len(values), alpha) * float(values.std()) for alpha in (LOOSE, STRICT)
    )
    centre = TOLERANCE + (loose + strict) / 2 * (1 if outside else -1)
    share = Share(STRICT, LOOSE) if turned else Share(LOOSE, STRICT)
    decided = (INCONCLUSIVE if turned else FAIL) if outside else (PASS if turned else INCONCLUSIVE)
    assert check.outcome(simulate.sample(made, (centre + values)[:, None]), share) is decided


def test_a_small_sure_growth_does_not_fail_a_rate(simulate):
    """Surely above zero, not surely below the tolerance: a correction to scaling would look like this."""
    check, share = rate_check(simulate), Share(0.01, 0.01)
    below = TOLERANCE - half_width(0.01) / 2
    assert below - half_width(0.01) > 0
    assert check.outcome(growing(check, simulate, [below] * 4), share) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("local", "outcome"), [([0.02, 0.06, 0.06, 0.06], PASS), ([0.02, 0.02, 0.12, 0.12], INCONCLUSIVE)]
)
def test_the_tail_of_the_path_must_obey_the_rate_too(simulate, local, outcome):
    """The second path obeys as a whole and not along its tail, too little to be called a drift."""
    check, share = rate_check(simulate), Share(0.01, 0.01)
    sample = growing(check, simulate, local)
    verdict = check.decide(sample, share)
    assert verdict.estimate < TOLERANCE - half_width(0.01)
    assert verdict.outcome is check.outcome(sample, share) is outcome
    assert "drifts" not in verdict.advice


@pytest.mark.parametrize("turned", [False, True])
def test_a_bound_is_decided_at_its_two_rates(simulate, turned):
    """Of 400 trials, as many break it as exclude delta at the loose rate and not at the strict one."""
    delta, trials = 0.1, 400
    check = bound(experiment=simulate.drawn(lambda rng, p: 0.0), quantity="Y", bound=1, delta=delta)

    def counts(inside):
        return [bad for bad in range(trials) if inside(bad)]

    def interval(bad, alpha):
        return stats.bernoulli_sequence(bad, trials, alpha)

    many = counts(lambda bad: interval(bad, LOOSE).low > delta >= interval(bad, STRICT).low)
    few = counts(lambda bad: interval(bad, LOOSE).high < delta <= interval(bad, STRICT).high)
    share = Share(STRICT, LOOSE) if turned else Share(LOOSE, STRICT)

    def outcome(bad):
        spread = np.arange(trials) * bad % trials < bad  # evenly, so that neighbours are not alike
        assert spread.sum() == bad
        return check.outcome(simulate.sample(check.experiment, 2.0 * spread[:, None]), share)

    assert outcome(many[0]) is (INCONCLUSIVE if turned else FAIL)
    assert outcome(few[-1]) is (PASS if turned else INCONCLUSIVE)
