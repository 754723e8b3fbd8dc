"""Matrix empirical Bernstein: the theorem's steps, coverage under peeking, width, and the scalar case."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm, logm

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import (
    MATRIX_SEQUENCE,
    Rule,
    matrix_means,
    matrix_sequence,
    matrix_sequence_looks,
    rectangular_sequence,
)

ALPHA, PATHS, LAST = 0.2, 300, 400
LOOKS = [1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200, 300, LAST]
# A sequence with error rate at most ALPHA misses more often than this with probability below 1e-6.
MOST_MISSES = stats.binom.isf(1e-6, PATHS, ALPHA)


def symmetric(rng, n, d, low=0.0, high=1.0):
    """Samples with eigenvalues in [low, high]."""
    q, _ = np.linalg.qr(rng.standard_normal((n, d, d)))
    return (q * rng.uniform(low, high, (n, 1, d))) @ q.transpose(0, 2, 1)


def rare(rng, n):
    """Mean 0.1 on the first axis: a rotated block is 1 with probability 0.1 (skewed, the hard case)."""
    x = np.zeros((n, 3, 3))
    x[:, 0, 0] = rng.random(n) < 0.1
    x[:, 1:, 1:] = symmetric(rng, n, 2, 0.4, 0.6)
    return x, np.diag([0.1, 0.5, 0.5])


def signs(rng, n):
    """Mean 1/2: all eigenvalues are 0 or 1 together (the largest variance)."""
    return (rng.random(n) < 0.5)[:, None, None] * np.eye(3), 0.5 * np.eye(3)


def misses(estimate, mean):
    """Whether any statement of one estimate is wrong."""
    values = np.linalg.eigvalsh(mean)
    inside = (
        np.linalg.eigvalsh(mean - estimate.lower)[0] >= 0
        and np.linalg.eigvalsh(estimate.upper - mean)[0] >= 0
        and np.linalg.norm(mean - estimate.centre, 2) <= estimate.radius
        and estimate.smallest.contains(values[0])
        and estimate.largest.contains(values[-1])
        and estimate.norm.contains(abs(values).max())
    )
    return not inside


def paths_missed(draw, horizon):
    """Number of paths with a wrong statement at any look."""
    missed = 0
    for path in range(PATHS):
        x, mean = draw(generator(0, "matrix paths", draw.__name__, path), LAST)
        looks = matrix_sequence_looks(x, LOOKS, ALPHA, 0.0, 1.0, horizon=horizon)
        missed += any(misses(look, mean) for look in looks)
    return missed


@pytest.mark.parametrize("horizon", [None, 20])
@pytest.mark.parametrize("draw", [rare, signs])
def test_covers_at_every_look(draw, horizon):
    # False alarm <= 1e-6 each (binomial).
    assert paths_missed(draw, horizon) <= MOST_MISSES


@pytest.mark.parametrize("horizon", [None, 20])
def test_without_the_variance_it_does_not_cover(horizon, monkeypatch):
    monkeypatch.setattr(matrix_means, "_psi", np.zeros_like)
    assert paths_missed(signs, horizon) > MOST_MISSES


def test_fans_inequality():
    g, y = np.meshgrid(np.linspace(0, 0.999, 400), np.linspace(-1, 30, 3000))
    assert np.all(np.exp(g * y - matrix_means._psi(g) * y**2) <= 1 + g * y + 1e-12)
    # It is tight: a variance term that is smaller by 2 % breaks it.
    assert np.any(np.exp(g * y - 0.98 * matrix_means._psi(g) * y**2) > 1 + g * y + 1e-4)


def trace_gain(rng, factor=1.0):
    """``E[L_1 | past] / L_0`` of the proof for two equally likely matrices and a random past."""
    d = 3
    q, _ = np.linalg.qr(rng.standard_normal((2, d, d)))
    x = (q * rng.integers(0, 2, (2, 1, d))) @ q.transpose(0, 2, 1)  # projectors
    centre, past = symmetric(rng, 1, d)[0], symmetric(rng, 1, d, -2.0, 2.0)[0]
    g = rng.uniform(0.0, 0.9)
    y = x - centre
    step = g * (x - x.mean(axis=0)) - factor * matrix_means._psi(np.array(g)) * y @ y
    return np.mean([np.trace(expm(past + s)) for s in step]) / np.trace(expm(past))


def test_trace_is_a_supermartingale():
    rng = generator(1, "trace")
    gains = [trace_gain(rng) for _ in range(300)]
    assert max(gains) <= 1 + 1e-12  # an inequality for all inputs: no chance of a false alarm
    assert max(trace_gain(rng, factor=0.3) for _ in range(300)) > 1.001


def test_lieb_in_the_form_used():
    rng = generator(2, "lieb")
    for _ in range(50):
        past, *z = symmetric(rng, 3, 3, -2.0, 2.0)
        mean_log = logm(0.5 * (expm(z[0]) + expm(z[1])))
        left = 0.5 * (np.trace(expm(past + z[0])) + np.trace(expm(past + z[1])))
        assert left <= np.trace(expm(past + mean_log)) * (1 + 1e-12)


def scalar_known_horizon(x, alpha, horizon):
    """Empirical Bernstein for scalars by a plain loop (Waudby-Smith and Ramdas 2024, with these weights)."""
    level = math.log(2 / alpha)
    total = weighted = variance = squares = seen = 0.0
    for i, value in enumerate(x):
        centre = (0.5 + seen) / (i + 1)
        g = min(math.sqrt(2 * level / (horizon * (0.25 + squares) / (i + 1))), 0.8)
        total, weighted = total + g, weighted + g * value
        variance += (-math.log(1 - g) - g) * (value - centre) ** 2
        squares, seen = squares + (value - centre) ** 2, seen + value
    half = (level + variance) / total
    return weighted / total - half, weighted / total + half


def scalar_any_horizon(x, alpha):
    squares = sum((value - (0.5 + sum(x[:i])) / (i + 1)) ** 2 for i, value in enumerate(x))
    halves = []
    for k in range(40):
        g = 0.8 * 0.5**k
        level = math.log(2 * (k + 1) * (k + 2) / alpha)
        halves.append((level + (-math.log(1 - g) - g) * squares) / (len(x) * g))
    return np.mean(x) - min(halves), np.mean(x) + min(halves)


@pytest.mark.parametrize("n", [1, 7, 100])
@pytest.mark.parametrize("horizon", [None, 50])
def test_one_by_one_is_the_scalar_bound(n, horizon):
    x = generator(3, "scalar").beta(1, 5, n)
    low, high = scalar_any_horizon(x, 0.05) if horizon is None else scalar_known_horizon(x, 0.05, horizon)
    estimate = matrix_sequence(x[:, None, None], 0.05, 0.0, 1.0, horizon=horizon)
    assert estimate.lower[0, 0] == pytest.approx(low, abs=1e-7)
    assert estimate.upper[0, 0] == pytest.approx(high, abs=1e-7)
    assert estimate.largest.low == pytest.approx(max(low, 0.0), abs=1e-7)
    assert estimate.smallest == estimate.largest
    assert estimate.norm == estimate.largest


def balanced(n):
    """A fixed population in a fixed order: nothing is random. Mean diag(1/2, 1/20)."""
    i = np.arange(n)
    x = np.zeros((n, 2, 2))
    x[:, 0, 0] = 0.4 + 0.2 * (i % 2)
    x[:, 1, 1] = 0.05 + 0.04 * np.where(i // 2 % 2 == 0, 1, -1)
    return x, 0.1**2  # and the norm of the variance


def test_width_approaches_bernstein_and_beats_hoeffding():
    level = math.log(2 * 2 / 0.05)
    known, anytime = [], []
    for n in (1_000, 10_000, 100_000):
        x, variance = balanced(n)
        bernstein = math.sqrt(2 * variance * level / n)  # its first-order term, the variance known
        known.append(matrix_sequence(x, 0.05, 0.0, 1.0, horizon=n).radius / bernstein)
        anytime.append(matrix_sequence(x, 0.05, 0.0, 1.0).radius / bernstein)
    assert known[0] > known[1] > known[2]
    assert 1.0 < known[2] < 1.04
    assert 1.0 < min(anytime[1:]) <= max(anytime[1:]) < 1.5
    # Hoeffding knows the range only: sqrt(log(2 d / alpha) / (2 n)), five times Bernstein here.
    assert anytime[2] < 0.3 * math.sqrt(level / 2e5) / bernstein


@pytest.mark.parametrize("horizon", [None, 40])
def test_rotates_and_scales_with_the_samples(horizon):
    rng = generator(4, "rotation")
    x = symmetric(rng, 30, 4)
    q, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    plain = matrix_sequence(x, 0.05, 0.0, 1.0, horizon=horizon)
    turned = matrix_sequence(q @ (6 * x - 2 * np.eye(4)) @ q.T, 0.05, -2.0, 4.0, horizon=horizon)
    np.testing.assert_allclose(turned.lower, q @ (6 * plain.lower - 2 * np.eye(4)) @ q.T, atol=1e-12)
    np.testing.assert_allclose(turned.upper, q @ (6 * plain.upper - 2 * np.eye(4)) @ q.T, atol=1e-12)
    assert turned.largest.high == pytest.approx(6 * plain.largest.high - 2, abs=1e-12)


@pytest.mark.parametrize("horizon", [None, 25])
def test_a_look_is_the_sequence_of_the_first_samples(horizon):
    x = symmetric(generator(5, "prefix"), 40, 3)
    for look in matrix_sequence_looks(x, LOOKS[:8], 0.1, 0.0, 1.0, horizon=horizon):
        alone = matrix_sequence(x[: look.n], 0.1, 0.0, 1.0, horizon=horizon)
        assert (look.smallest, look.largest, look.norm) == (alone.smallest, alone.largest, alone.norm)
        np.testing.assert_array_equal(look.lower, alone.lower)


def test_no_samples_say_the_range():
    estimate = matrix_sequence(np.zeros((0, 3, 3)), 0.05, -2.0, 1.0)
    assert (estimate.smallest.low, estimate.largest.high, estimate.radius) == (-2.0, 1.0, 1.5)
    assert (estimate.norm.low, estimate.norm.high) == (0.0, 2.0)
    nothing = rectangular_sequence(np.zeros((0, 2, 3)), 0.05, 4.0)
    assert (nothing.norm.low, nothing.norm.high, nothing.radius) == (0.0, 4.0, 4.0)


@pytest.mark.parametrize("horizon", [None, 20])
def test_rectangular_is_the_dilation(horizon):
    rng = generator(6, "rectangular")
    x = rng.uniform(-1, 1, (50, 2, 3)) / 3
    dilated = np.zeros((50, 5, 5))
    dilated[:, :2, 2:], dilated[:, 2:, :2] = x, x.transpose(0, 2, 1)
    got = rectangular_sequence(x, 0.05, 1.0, horizon=horizon)
    # Its two sides are one event, so it is the two-sided sequence at twice the error rate.
    want = matrix_sequence(dilated, 0.1, -1.0, 1.0, horizon=horizon)
    np.testing.assert_allclose(want.upper, -want.lower * np.outer([1, 1, -1, -1, -1], [1, 1, -1, -1, -1]))
    np.testing.assert_allclose(got.centre, want.centre[:2, 2:])
    assert (got.norm.low, got.norm.high) == pytest.approx((want.norm.low, want.norm.high))
    assert got.radius == pytest.approx(want.radius)


def test_rectangular_covers_at_a_data_dependent_stop():
    # Stop where the norm's interval first leaves the truth, if ever. False alarm <= 1e-6 (binomial).
    mean, missed = np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.1]]), 0
    for path in range(100):
        rng = generator(7, "rectangular paths", path)
        x = mean + 0.5 * rng.choice([-1, 1], (LAST, 1, 1)) * np.eye(2, 3)
        stops = (rectangular_sequence(x[:n], ALPHA, 1.0) for n in LOOKS)
        missed += any(
            not look.norm.contains(0.3) or np.linalg.norm(look.centre - mean, 2) > look.radius
            for look in stops
        )
    assert missed <= stats.binom.isf(1e-6, 100, ALPHA)


GOOD = np.tile(0.5 * np.eye(2), (4, 1, 1))
ABOVE, SKEW, NAN = GOOD.copy(), GOOD.copy(), GOOD.copy()
ABOVE[2, 0, 0], SKEW[1, 0, 1], NAN[3, 1, 1] = 1.1, 0.1, np.nan


@pytest.mark.parametrize(
    ("x", "settings", "words"),
    [
        (ABOVE, {}, r"eigenvalues of x must be in \[0.0, 1.0\] in every sample, got \(0.5, 1.1\)"),
        (-GOOD, {}, r"eigenvalues of x must be in \[0.0, 1.0\] in every sample, got \(-0.5"),
        (SKEW, {}, r"x - x.T must be zero in every sample, up to rounding, got 0.1"),
        (NAN, {}, "x must be made of finite numbers, got .*nan"),
        (GOOD[0], {}, r"x must be of shape \(n, d, d\), got \(2, 2\)"),
        (GOOD, {"alpha": 1.0}, r"alpha must be in \(0, 1\), got 1.0"),
        (GOOD, {"low": 2.0}, "range must be a pair low < high"),
        (GOOD, {"horizon": 0}, "horizon must be an integer, at least 1, got 0"),
        (GOOD, {"looks": [0]}, "looks must be an integer, at least 1, got 0"),
        (GOOD, {"looks": [5]}, "looks must be at most the 4 samples, got 5"),
    ],
)
def test_bad_input_is_named(x, settings, words):
    with pytest.raises(InputError, match=words):
        matrix_sequence_looks(x, **{"looks": [1], "alpha": 0.05, "low": 0.0, "high": 1.0, **settings})


def test_bad_rectangular_input_is_named():
    with pytest.raises(InputError, match=r"spectral norm of x must be at most 1.0 in every sample, got 2.0"):
        rectangular_sequence(np.ones((1, 2, 2)), 0.05, 1.0)
    with pytest.raises(InputError, match=r"bound must be positive, got 0.0"):
        rectangular_sequence(np.ones((1, 2, 2)), 0.05, 0.0)
    with pytest.raises(InputError, match=r"x must be of shape \(n, p, q\)"):
        rectangular_sequence(np.ones(3), 0.05, 1.0)


def test_rounding_of_a_projector_is_no_error():
    v = generator(8, "projectors").standard_normal((200, 6))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    estimate = matrix_sequence(v[:, :, None] * v[:, None, :], 0.05, 0.0, 1.0)
    assert estimate.largest.high <= 1.0


def test_the_rule_says_what_it_needs():
    assert isinstance(MATRIX_SEQUENCE, Rule)
    assert "exact" in MATRIX_SEQUENCE.validity
