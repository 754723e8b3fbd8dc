"""The samplers have the mean, the spread and the shape that their names say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whp.calibration.noise import (
    EXPONENTIAL,
    NORMAL,
    STUDENT,
    UNIFORM,
    autoregressive,
    bernoulli,
    lognormal,
    twice,
)
from whp.errors import InputError
from whp.seeding import generator

LAWS = [
    (NORMAL, stats.norm()),
    (STUDENT, stats.t(5)),
    (UNIFORM, stats.uniform()),
    (EXPONENTIAL, stats.expon()),
    *((lognormal(s), stats.lognorm(s)) for s in (0.5, 1.0, 1.5)),
]


@pytest.mark.parametrize(("noise", "law"), LAWS, ids=[noise.name for noise, _ in LAWS])
def test_law(noise, law):
    assert noise.mean == pytest.approx(law.mean(), abs=1e-12)
    assert noise.sd == pytest.approx(law.std())
    values = noise.raw(generator(0, noise.name), (100, 100)).ravel()
    # Under the law the p-value is uniform: this fails with probability 1e-7.
    assert stats.kstest(values, law.cdf).pvalue > 1e-7
    # And another law is told apart from it.
    assert stats.kstest(values + 0.2 * law.std(), law.cdf).pvalue < 1e-7
    centred = noise.centred(generator(0, noise.name), (100, 100)).ravel()
    np.testing.assert_allclose(centred * noise.sd + noise.mean, values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("p", [0.01, 0.05, 0.95, 0.99])
def test_bernoulli(p):
    noise = bernoulli(p)
    values = noise.raw(generator(0, noise.name), (100, 100))
    assert set(np.unique(values)) == {0.0, 1.0}
    assert (noise.mean, noise.sd) == pytest.approx((p, stats.bernoulli(p).std()))
    assert stats.binomtest(int(values.sum()), values.size, p).pvalue > 1e-7  # fails with probability 1e-7


def test_parameters():
    with pytest.raises(InputError, match=r"p must be in \(0, 1\)"):
        bernoulli(1.0)
    with pytest.raises(InputError, match=r"rho must be in \(-1, 1\)"):
        autoregressive(1.0)


def test_mirrored():
    noise = EXPONENTIAL.mirrored()
    values = noise.raw(generator(0), (10, 10))
    assert values.max() < 0.0
    assert noise.mean == -1.0
    np.testing.assert_allclose(noise.centred(generator(0), (10, 10)), values + 1.0)


def test_autoregressive_is_stationary():
    values = autoregressive(0.5).raw(generator(0), (4000, 12))
    for trial in (0, 11):
        assert stats.kstest(values[:, trial], "norm").pvalue > 1e-7  # fails with probability 1e-7 each
    # Fisher's z of a correlation has a standard error of 1 / sqrt(n - 3); six of them: 2e-9.
    seen = np.arctanh(np.corrcoef(values[:, 10], values[:, 11])[0, 1])
    assert abs(seen - np.arctanh(0.5)) < 6.0 / np.sqrt(3997)
    assert not autoregressive(0.5).independent


def test_twice():
    noise = twice(UNIFORM)
    values = noise.raw(generator(0), (3, 5, 2))
    assert values.shape == (3, 5, 2)
    np.testing.assert_array_equal(values[:, 0:4:2], values[:, 1:5:2])
    assert len(np.unique(values)) == 3 * 3 * 2
    assert not noise.independent
