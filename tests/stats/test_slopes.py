"""Weight vectors against numpy and statsmodels, and the report built from them."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import (
    corrected_slope_weights,
    curvature_weights,
    estimates,
    limit_weights,
    local_slope_weights,
    per_trial,
    slope_report,
    slope_weights,
    t_sequence,
    tail_points,
    tail_slope_weights,
)

SIZES = np.array([64.0, 100.0, 230.0, 512.0, 1024.0])
X = np.log(SIZES)


@pytest.fixture(scope="module")
def logs():
    """400 trials of slope 0.5 whose noise grows along the path."""
    return 0.5 * X + (0.05 + 0.02 * np.arange(5)) * generator(0, "logs").normal(size=(400, 5))


def test_weights_match_polyfit(logs):
    y = logs[0]
    assert slope_weights(X) @ y == pytest.approx(np.polyfit(X, y, 1)[0])
    assert curvature_weights(X) @ y == pytest.approx(2.0 * np.polyfit(X, y, 2)[0])
    assert local_slope_weights(X) @ y == pytest.approx(np.diff(y) / np.diff(X))
    assert tail_slope_weights(X) @ y == pytest.approx([np.polyfit(X[j:], y[j:], 1)[0] for j in range(4)])


def test_curvature_is_the_change_of_slope_per_e_fold():
    y = 0.3 * X + 0.1 * X**2  # the local slope is 0.3 + 0.2 x
    assert curvature_weights(X) @ y == pytest.approx(0.2)


@pytest.mark.parametrize("omega", [0.5, 1.0])
def test_correction_to_scaling_recovers_the_exponent(omega):
    y = 0.4 * X + 1.3 + 5.0 * SIZES**-omega
    assert corrected_slope_weights(SIZES, omega) @ y == pytest.approx(0.4)
    # The plain slope is off, and the wrong correction does not repair it.
    assert abs(slope_weights(X) @ y - 0.4) > 0.02
    assert abs(corrected_slope_weights(SIZES, 3.0) @ y - 0.4) > 0.01


def test_limit_is_extrapolated():
    y = 2.5 - 3.0 * SIZES**-0.5
    assert limit_weights(SIZES) @ y == pytest.approx(2.5)
    assert limit_weights(SIZES).sum() == pytest.approx(1.0)
    assert abs(y[-1] - 2.5) > 0.05


def test_per_trial_shapes(logs):
    assert per_trial(slope_weights(X), logs).shape == (400,)
    assert per_trial(tail_slope_weights(X), logs).shape == (400, 4)
    assert per_trial(slope_weights(X), logs) == pytest.approx(np.polyfit(X, logs.T, 1)[0])


def test_pooled_regressions_agree(logs):
    # All trials share the points, so the mean slope *is* pooled OLS; HC3 agrees with the slopes' spread.
    # Both errors have relative noise of about 4 %: 25 % is six standard deviations (false alarm < 1e-6).
    slopes = per_trial(slope_weights(X), logs)
    error = slopes.std(ddof=1) / math.sqrt(slopes.size)
    design = sm.add_constant(np.tile(X, 400))
    ols = sm.OLS(logs.ravel(), design).fit(cov_type="HC3")
    assert slopes.mean() == pytest.approx(ols.params[1], rel=1e-10)
    assert error == pytest.approx(ols.bse[1], rel=0.25)
    # Weighted by the noise of each point it is another estimate of the same slope, with less noise.
    wls = sm.WLS(logs.ravel(), design, weights=np.tile(logs.var(axis=0) ** -1, 400)).fit()
    assert wls.bse[1] < error
    assert abs(wls.params[1] - slopes.mean()) < 6.0 * error


def test_report_holds_the_functionals(logs):
    report = slope_report(SIZES, logs, 0.01)
    slopes = per_trial(slope_weights(X), logs)
    assert report.trials == 400
    assert report.sizes == tuple(SIZES)
    assert report.slope.value == pytest.approx(slopes.mean())
    expected = t_sequence(slopes, 0.01, resolution=1e-12 * np.abs(slope_weights(X)).sum())
    assert report.slope.interval.low == pytest.approx(expected.low)
    assert report.slope.interval.high == pytest.approx(expected.high)
    assert report.means == pytest.approx(logs.mean(axis=0))
    assert report.spread == pytest.approx(logs.std(axis=0, ddof=1))
    assert report.from_smallest[0] == report.slope
    assert report.from_smallest[-1].value == pytest.approx(report.local[-1].value)
    assert report.tail == report.from_smallest[2]  # three of five points
    assert len(report.local) == len(report.from_smallest) == 4
    assert report.curvature.value == pytest.approx((logs @ curvature_weights(X)).mean())
    assert report.corrected.value == pytest.approx((logs @ corrected_slope_weights(SIZES)).mean())


def test_report_finds_growing_spread_and_curvature(logs):
    # At alpha = 1e-6 an interval misses its estimand with probability 1e-6 (asymptotic for the spread).
    report = slope_report(SIZES, logs, 1e-6)
    assert report.slope.interval.contains(0.5)
    assert report.curvature.interval.contains(0.0)
    truth = slope_weights(X) @ (0.05 + 0.02 * np.arange(5))
    assert report.spread_slope.interval.contains(truth)
    assert report.spread_slope.interval.low > 0.0
    bent = slope_report(SIZES, logs + 0.1 * X**2, 1e-6)
    assert bent.curvature.interval.contains(0.2)
    assert not bent.curvature.interval.contains(0.0)


def test_spread_pseudo_values_match_leaving_out(logs):
    few = logs[:7]
    w = slope_weights(X)
    whole = w @ few.std(axis=0, ddof=1)
    pseudo = [7 * whole - 6 * (w @ np.delete(few, i, axis=0).std(axis=0, ddof=1)) for i in range(7)]
    expected = t_sequence(pseudo, 0.1)
    interval = slope_report(SIZES, few, 0.1).spread_slope.interval
    assert interval.low == pytest.approx(expected.low)
    assert interval.high == pytest.approx(expected.high)


def test_short_paths_leave_out_what_they_cannot_say(logs):
    two, three = slope_report(SIZES[:2], logs[:, :2], 0.1), slope_report(SIZES[:3], logs[:, :3], 0.1)
    assert two.curvature is None
    assert two.corrected is None
    assert two.tail == two.slope
    assert three.curvature is not None
    assert three.corrected is None
    assert [tail_points(k) for k in (2, 3, 4, 5, 6)] == [2, 2, 3, 3, 4]
    assert slope_report(SIZES, logs[:2], 0.01).spread_slope.interval.width == math.inf


def test_rounding_is_not_growth():
    # Norms of Rademacher vectors divided by sqrt(d): one, up to rounding that is the same in each trial.
    y = np.log(np.array([1.0, 1.0 + 2.2e-16, 1.0, 1.0 + 2.2e-16, 1.0 + 2.2e-16]))
    Y = np.tile(y, (20, 1))
    assert slope_report(SIZES, Y, 0.01).slope.interval.contains(0.0)
    assert not slope_report(SIZES, Y, 0.01, resolution=0.0).slope.interval.contains(0.0)
    single = np.tile(np.float64(np.log(np.float32(1.0) + np.float32(1e-6) * np.arange(5))), (20, 1))
    assert not slope_report(SIZES, single, 0.01).slope.interval.contains(0.0)
    assert slope_report(SIZES, single, 0.01, resolution=1e-5).slope.interval.contains(0.0)


def test_estimates_take_one_functional_or_many(logs):
    (one,) = estimates(slope_weights(X), logs, 0.01)
    first, *others = estimates(tail_slope_weights(X), logs, 0.01)
    assert len(others) == 3
    assert one.value == pytest.approx(first.value)
    assert one.interval.low == pytest.approx(first.interval.low)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: slope_report([2, 1], np.zeros((3, 2)), 0.1),
            "sizes must be positive and strictly increasing",
        ),
        (
            lambda: slope_report([0, 1], np.zeros((3, 2)), 0.1),
            "sizes must be positive and strictly increasing",
        ),
        (lambda: slope_report([1], np.zeros((3, 1)), 0.1), "sizes must be at least 2 numbers"),
        (lambda: slope_report([1, 2], np.zeros((1, 2)), 0.1), r"Y must be of shape \(trials >= 2, 2\)"),
        (lambda: slope_report([1, 2], np.zeros((3, 4)), 0.1), r"Y must be of shape .* got \(3, 4\)"),
        (lambda: slope_report([1, 2], np.full((3, 2), -np.inf), 0.1), "Y must be made of finite numbers"),
        (lambda: slope_report([1, 2], np.zeros((3, 2)), 2.0), r"alpha must be in \(0, 1\)"),
        (lambda: corrected_slope_weights([1, 2, 3]), "sizes must be at least 4 numbers"),
        (lambda: corrected_slope_weights([1, 2, 3, 4], 0.0), "omega must be positive"),
        (lambda: curvature_weights([1, 2]), "log_sizes must be at least 3 strictly increasing numbers"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(InputError, match=text):
        call()
