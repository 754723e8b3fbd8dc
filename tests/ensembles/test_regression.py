"""Simulated regression data: the law that the paper prints."""

import math

import numpy as np
import pytest

from whp.ensembles import simulated_regression
from whp.errors import InputError


def test_inputs_are_uniform_on_the_sphere():
    n, d = 40_000, 5
    data = simulated_regression(np.random.default_rng(0), n, d)
    X = data.X.numpy()
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1, rtol=1e-12)
    # Entries have mean 0 and variance 1/d, mixed moments vanish, E x^4 = 3 / (d (d + 2)). All are means of
    # n values in [-1, 1]: by Hoeffding off by more than 6 sqrt(2/n) with probability below 2 exp(-36).
    off = 6 * math.sqrt(2 / n)
    np.testing.assert_allclose(X.mean(0), 0, atol=off)
    np.testing.assert_allclose(X.T @ X / n, np.eye(d) / d, atol=off)
    np.testing.assert_allclose((X**4).mean(0), 3 / (d * (d + 2)), atol=off)


def test_targets_are_the_sines_with_standard_normal_noise():
    n, d = 40_000, 7
    data = simulated_regression(np.random.default_rng(1), n, d)
    noise = data.y.numpy() - sum(5 / d * np.sin(math.pi * data.X.numpy()[:, j]) for j in range(d))
    # n independent standard normal values: each of the moments is off by 6 standard errors with
    # probability below 1e-8.
    assert abs(noise.mean()) < 6 / math.sqrt(n)
    assert abs((noise**2).mean() - 1) < 6 * math.sqrt(2 / n)
    # The noise has nothing to do with the inputs.
    assert np.abs(data.X.numpy().T @ noise / n).max() < 6 / math.sqrt(n)


def test_the_same_stream_gives_the_same_data_and_sizes_are_checked():
    a, b = (simulated_regression(np.random.default_rng(2), 4, 3) for _ in range(2))
    assert a.X.equal(b.X)
    assert a.y.equal(b.y)
    for n, d in ((0, 3), (3, 0), (2.5, 3)):
        with pytest.raises(InputError, match="must be a positive integer"):
            simulated_regression(np.random.default_rng(2), n, d)
