"""The label that says whether Gaussian theory is credible."""

import numpy as np
import pytest
from scipy import stats

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import Shape, skewness_check


def share(shape, draws):
    return np.mean([skewness_check(x).shape is shape for x in draws])


def test_gaussian_samples_are_rarely_flagged():
    # About 10 % of Gaussian samples of 20 get a flag; 1000 samples, so 17 % has probability below 1e-6.
    draws = generator(0, "gaussian").normal(size=(1000, 20))
    assert share(Shape.NEAR_GAUSSIAN, draws) > 0.83


def test_skewed_samples_are_flagged():
    # Exponential samples of 40 are flagged in about 95 % of cases, of 2000 in none (n > 28 + 25 * 4).
    rng = generator(0, "exponential")
    assert share(Shape.SKEWED, rng.exponential(size=(400, 40))) > 0.85
    assert share(Shape.SKEWED, rng.exponential(size=(100, 2000))) == 0.0


def test_heavy_tails_are_flagged():
    # Student t with 2 degrees of freedom: skewed by chance or heavy-tailed, seldom near Gaussian (8 %).
    draws = generator(0, "heavy").standard_t(2, size=(400, 60))
    assert share(Shape.NEAR_GAUSSIAN, draws) < 0.25
    assert share(Shape.HEAVY_TAILED, draws) > 0.1


def test_small_and_constant_samples():
    assert skewness_check([1.0]).shape is Shape.TOO_FEW
    assert skewness_check([1.0, 2.0, 9.0, 3.0, 1.0]).shape is Shape.TOO_FEW
    assert skewness_check([0.3] * 5).shape is Shape.CONSTANT
    assert skewness_check([0.3, 0.3 + 1e-16, np.nextafter(0.3, 1.0)] * 5).shape is Shape.CONSTANT


def test_numbers_and_words():
    x = generator(0, "numbers").gamma(2.0, size=30)
    check = skewness_check(x)
    n, centred = 30, x - x.mean()
    g1 = np.mean(centred**3) / np.mean(centred**2) ** 1.5
    assert check.skewness == pytest.approx(g1 * np.sqrt(n * (n - 1)) / (n - 2))
    assert check.excess_kurtosis == pytest.approx(stats.kurtosis(x, bias=False))
    assert check.n == 30
    assert check.label == check.shape.label
    assert all(member.advice.endswith(".") for member in Shape)


@pytest.mark.parametrize("scale", [1e-307, 1e-100, 1e-3, 1e104, 1e200, 1e306])
def test_the_unit_of_the_values_does_not_matter(scale):
    rng = generator(0, "unit")
    for x in (rng.normal(size=30), rng.exponential(size=40), rng.standard_t(2, size=60)):
        here, there = skewness_check(x), skewness_check(scale * x)
        assert there.shape is here.shape
        assert there.skewness == pytest.approx(here.skewness, rel=1e-9)
        assert there.excess_kurtosis == pytest.approx(here.excess_kurtosis, rel=1e-9)


def test_the_ends_of_the_range_of_floats():
    whole = np.arange(30.0) ** 3  # subnormal numbers are multiples of the least
    assert skewness_check(5e-324 * whole) == skewness_check(whole)
    assert skewness_check([1.7e308, -1.7e308] * 10).skewness == 0.0
    assert skewness_check([5e-324] * 10).shape is Shape.CONSTANT
    assert skewness_check([0.0] * 10).shape is Shape.CONSTANT
    assert skewness_check([0.0] * 9 + [5e-324]).skewness == pytest.approx(np.sqrt(10))


def test_bad_input_is_named():
    with pytest.raises(InputError, match="x must be one-dimensional and not empty"):
        skewness_check([])
