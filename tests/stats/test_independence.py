"""Trials that depend on the ones before them are found, and independent ones are left alone."""

import numpy as np
import pytest
from scipy.stats import binom

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import serial_correlation


def ar1(rng, rho, shape):
    """Stationary, of standard normal values, along the last axis."""
    noise = rng.standard_normal(shape)
    values = noise.copy()
    for t in range(1, shape[-1]):
        values[..., t] = rho * values[..., t - 1] + np.sqrt(1 - rho**2) * noise[..., t]
    return values


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
@pytest.mark.parametrize("n", [8, 20, 100])
def test_independent_trials_are_rarely_accused(draw, n):
    # Accused at level 0.01, whatever the tails; false alarm of this test 1e-6 for a test at its level.
    rng = generator(0, "independence", draw, n)
    values = getattr(rng, draw)(size=(2000, n))
    accused = sum(serial_correlation(x).p_value < 0.01 for x in values)
    assert accused <= binom.isf(1e-6, 2000, 0.01)


def test_dependent_trials_are_accused():
    # rho = 0.9 over 40 trials: correlation about 0.8, which is 5 standard errors; 100 of 100 but for 1e-6.
    found = [serial_correlation(x) for x in ar1(generator(0, "dependence"), 0.9, (100, 40))]
    assert sum(f.p_value < 1e-3 for f in found) >= 90
    assert np.mean([f.correlation for f in found]) > 0.6


def test_negative_correlation_only_widens_and_is_left():
    assert serial_correlation([0.0, 1.0] * 20).p_value > 0.99


def test_repeated_values_are_counted():
    x = generator(0, "repeats").normal(size=10)
    assert serial_correlation(x).repeats == 0
    assert serial_correlation(np.repeat(x, 2)).repeats == 10


@pytest.mark.parametrize("p", [0.01, 0.05, 0.5])
def test_values_that_are_mostly_tied_are_not_tested(p):
    # Rare events come in clumps by chance, which the normal approximation does not know.
    events = generator(0, "rare").random((200, 300)) < p
    assert all(serial_correlation(x).p_value == 1.0 for x in events.astype(float))


def test_nothing_to_test():
    assert serial_correlation([1.0] * 50).p_value == 1.0
    assert serial_correlation(np.arange(7.0)).p_value == 1.0


def test_bad_input_is_named():
    with pytest.raises(InputError, match="x must be one-dimensional"):
        serial_correlation(np.zeros((3, 3)))
    with pytest.raises(InputError, match="x must be made of finite numbers"):
        serial_correlation([1.0, np.nan])
