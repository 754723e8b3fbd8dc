"""Scalar inequalities against exact tails that they nearly meet, and wrong versions of themselves."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from whp.bounds import (
    Markov,
    SubGamma,
    chi_square,
    estimate_chi_square,
    estimate_lipschitz,
    estimate_moment,
    estimate_psi,
    estimate_subgaussian,
    estimate_widths,
    gaussian_lipschitz,
    hoeffding,
)
from whp.errors import InputError
from whp.seeding import generator


def holds(bound: SubGamma | Markov, t: np.ndarray, log_tail: np.ndarray) -> bool:
    """Whether the bound is above the exact tail at every level."""
    with np.errstate(divide="ignore"):
        return bool(np.all(np.log(bound.tail(t)) >= log_tail - 1e-9))


class TestFormula:
    @pytest.mark.parametrize("parameters", [(2.0, 0.5, 1), (0.3, 0.0, 2), (0.0, 1.5, 7), (1e-3, 40.0, 1)])
    def test_tail_and_quantile_in_thirty_digits(self, parameters: tuple[float, float, int]) -> None:
        bound = SubGamma(*parameters)
        with mpmath.workdps(30):
            V, c, count = (mpmath.mpf(x) for x in parameters)
            for x in (0.5, 3.0, 30.0):
                t = mpmath.sqrt(2 * V * x) + c * x
                tail = min(mpmath.mpf(1), count * mpmath.exp(-mpmath.mpf(x)))
                assert bound.tail(float(t)) == pytest.approx(float(tail), rel=1e-12)
            for delta in (1e-200, 1e-3, 0.7):
                x = mpmath.log(count / mpmath.mpf(delta))
                expected = float(mpmath.sqrt(2 * V * x) + c * x)
                assert bound.quantile(delta) == pytest.approx(expected, rel=1e-13)
            expected = float(mpmath.sqrt(2 * V * mpmath.log(count)) + c * mpmath.log(count))
            assert bound.expectation() == pytest.approx(expected, rel=1e-13)

    def test_ends(self) -> None:
        bound = SubGamma(1.0, 0.2, 3)
        t = np.array([-1.0, 0.0, 1e-3, 5.0, 1e300, np.inf])
        tail = bound.tail(t)
        assert tail[:3].tolist() == [1.0, 1.0, 1.0]
        assert tail[4:].tolist() == [0.0, 0.0]
        assert tail[3] == bound.tail(5.0)
        assert bound.quantile(1.0) == 0.0
        nothing = SubGamma(0.0)
        assert (nothing.tail(0.0), nothing.tail(1e-300), nothing.quantile(1e-9)) == (1.0, 0.0, 0.0)

    def test_maximum_multiplies_the_count(self) -> None:
        assert SubGamma(2.0, 1.0, 2).maximum(50) == SubGamma(2.0, 1.0, 100)

    def test_rejects(self) -> None:
        for build in (
            lambda: SubGamma(-1.0),
            lambda: SubGamma(1.0, math.nan),
            lambda: SubGamma(1.0, 0.0, 0),
            lambda: SubGamma(1.0).maximum(0),
            lambda: SubGamma(1.0).tail(math.nan),
            lambda: SubGamma(1.0).quantile(0.0),
            lambda: hoeffding([]),
            lambda: hoeffding([-1.0]),
            lambda: hoeffding([1.0], sides=3),
            lambda: gaussian_lipschitz(math.inf),
            lambda: chi_square(0.0),
            lambda: Markov(-1.0),
            lambda: Markov(1.0, 0.5),
            lambda: Markov(1.0).quantile(2.0),
            lambda: estimate_widths([]),
            lambda: estimate_subgaussian([1.0]),
            lambda: estimate_psi([math.nan]),
            lambda: estimate_psi([1.0], 0.0),
            lambda: estimate_chi_square([1.0, 1.0]),
            lambda: estimate_lipschitz([1.0, 2.0]),
        ):
            with pytest.raises(InputError, match="must be"):
                build()


class TestAgainstExactTails:
    """No randomness: every tail below is exact."""

    def test_hoeffding_and_the_twin_with_half_the_widths(self) -> None:
        terms = 4000
        t = np.linspace(0.1, 8.0, 60) * np.sqrt(terms)
        # A sum of signs is 2 B - terms with B binomial.
        log_tail = stats.binom.logsf(np.ceil(0.5 * (terms + t) - 1e-9) - 1, terms, 0.5)
        bound = hoeffding(np.full(terms, 2.0))
        assert holds(bound, t, log_tail)
        far = t > 5 * np.sqrt(terms)
        ratio = np.log(bound.tail(t[far])) / log_tail[far]
        assert np.all((ratio > 0.8) & (ratio < 1.0))
        assert not holds(hoeffding(np.ones(terms)), t, log_tail)
        assert holds(hoeffding(np.full(terms, 2.0), sides=2), t, np.log(2) + log_tail)

    def test_gaussian_lipschitz_and_the_twin_with_a_smaller_constant(self) -> None:
        # f(g) = 3 g_1: Lipschitz constant 3, and its law is exact.
        t = np.linspace(0.1, 60.0, 80)
        log_tail = stats.norm.logsf(t / 3)
        bound = gaussian_lipschitz(3.0)
        assert holds(bound, t, log_tail)
        assert np.log(bound.tail(60.0)) / log_tail[-1] > 0.98
        assert not holds(gaussian_lipschitz(2.9), t, log_tail)

    @pytest.mark.parametrize("dof", [1, 5, 100])
    def test_chi_square_and_the_twins_without_either_term(self, dof: int) -> None:
        bound = chi_square(dof)
        t = np.geomspace(0.1, 1000.0, 80)
        log_tail = stats.chi2.logsf(dof + t, dof)
        assert holds(bound, t, log_tail)
        assert np.log(bound.tail(t[-1])) / log_tail[-1] > 0.8
        assert not holds(replace(bound, c=0.0), t, log_tail)
        assert not holds(replace(bound, c=1.4), t, log_tail)
        # From below: sub-Gaussian with the same V.
        down = np.linspace(0.01, 0.99, 40) * dof
        assert holds(replace(bound, c=0.0), down, stats.chi2.logcdf(dof - down, dof))
        assert holds(chi_square(dof, 2.5), 2.5 * t, log_tail)
        assert not holds(chi_square(dof, 2.0), 2.5 * t, log_tail)

    def test_chi_square_without_its_variance(self) -> None:
        t = np.linspace(1.0, 60.0, 40)
        assert not holds(SubGamma(0.0, 2.0), t, stats.chi2.logsf(400 + t, 400))

    def test_largest_of_many_gaussians(self) -> None:
        count = 1000
        bound = gaussian_lipschitz(1.0).maximum(count)
        t = np.linspace(1.0, 9.0, 50)
        log_tail = np.log(-np.expm1(count * stats.norm.logcdf(t)))
        assert holds(bound, t, log_tail)
        assert not holds(gaussian_lipschitz(1.0).maximum(count // 20), t, log_tail)
        mean = integrate.quad(
            lambda x: x * count * stats.norm.pdf(x) * stats.norm.cdf(x) ** (count - 1), -2.0, 12.0
        )[0]
        assert mean <= bound.expectation() < 1.2 * mean
        assert mean > SubGamma(0.5, 0.0, count).expectation()

    @pytest.mark.parametrize("order", [1.0, 2.0, 4.0])
    def test_markov_is_met_by_two_points(self, order: float) -> None:
        # Y = a with probability q, else 0: at t = a it is an equality.
        a, q = 3.0, 0.02
        bound = Markov(q * a**order, order)
        assert bound.tail(a) == pytest.approx(q, rel=1e-12)
        assert bound.quantile(q) == pytest.approx(a, rel=1e-12)
        assert bound.expectation() >= q * a
        assert Markov(0.9 * q * a**order, order).tail(a) < q
        t = np.geomspace(0.1, 30.0, 40)
        assert holds(bound, t, np.where(t <= a, np.log(q), -np.inf))

    def test_markov_of_a_cauchy_like_tail(self) -> None:
        # P(Y > t) = t^-3 for t > 1: E[Y^2] = 3.
        t = np.geomspace(0.5, 1e4, 60)
        assert holds(Markov(3.0, 2.0), t, np.minimum(0.0, -3 * np.log(t)))
        assert Markov(0.0).tail(1.0) == 0.0
        assert Markov(2.0).tail(-1.0) == 1.0


class TestEstimates:
    def test_range_and_lipschitz_constant_are_lower_bounds(self) -> None:
        rng = generator(0, "scalar", "range")
        x = rng.uniform(-1.0, 1.0, 2000)
        # max - min of 2000 uniforms falls below 1.98 with probability below 2 exp(-10) 11; hence 1.9: 1e-40.
        assert 1.9 < estimate_widths(x) <= 2.0
        # f(x) = log(sum exp x) is 1-Lipschitz, its gradient is the softmax.
        gradients = np.exp(5 * rng.standard_normal((400, 3)))
        gradients /= gradients.sum(axis=1, keepdims=True)
        # One coordinate dominates by 2 (exp(2) to one) in a trial with probability above 1/5: (4/5)^400.
        assert 0.7 < estimate_lipschitz(gradients) <= 1.0 + 1e-12

    def test_subgaussian_factor(self) -> None:
        # On a grid of quantiles, so without randomness.
        grid = (np.arange(200_000) + 0.5) / 200_000
        gaussian = stats.norm.ppf(grid)
        assert estimate_subgaussian(2.0 * gaussian) == pytest.approx(4.0, rel=1e-2)
        # Signs: log cosh(s) <= s^2 / 2, sharp at 0.
        assert estimate_subgaussian([-1.0, 1.0] * 50) == pytest.approx(1.0, rel=1e-3)
        # A centred Bernoulli(p): 2 (1 - 2p) / (4 log((1-p)/p)), and not its variance (Kearns and Saul 1998).
        p = 0.05
        exact = (1 - 2 * p) / (2 * math.log((1 - p) / p))
        sample = np.repeat([0.0, 1.0], [950, 50])
        assert estimate_subgaussian(sample) == pytest.approx(exact, rel=1e-6)
        assert exact > 2 * p * (1 - p)
        assert estimate_subgaussian([3.0, 3.0]) == 0.0
        # A law that is not sub-Gaussian is seen to be none: the factor grows with the sample.
        small, large = (
            estimate_subgaussian(stats.expon.ppf((np.arange(n) + 0.5) / n)) for n in (100, 100_000)
        )
        assert large > 1.5 * small > 1.5

    @pytest.mark.parametrize("order", [1.0, 2.0])
    def test_psi_norms_of_uniform_and_two_points(self, order: float) -> None:
        n = 100_000
        x = 3.0 * (2 * (np.arange(n) + 0.5) / n - 1)  # uniform on [-3, 3]
        with mpmath.workdps(20):
            exact = mpmath.findroot(
                lambda K: mpmath.quad(lambda u: mpmath.exp((u / K) ** order), [0, 3]) / 3 - 2, 3.0
            )
        assert estimate_psi(x, order) == pytest.approx(float(exact), rel=1e-6)
        assert estimate_psi([-5.0, 5.0], order) == pytest.approx(5 * math.log(2) ** (-1 / order), rel=1e-12)
        assert estimate_psi([0.0, 0.0], order) == 0.0
        # One large value among many: still exact where the power overflows.
        lone = estimate_psi([1000.0] + [0.0] * 999, order)
        assert lone == pytest.approx(1000.0 * math.log(1001.0) ** (-1 / order), rel=1e-12)

    def test_chi_square_fit(self) -> None:
        # 200,000 samples: the fit of either number has a standard error below 1.5 %, so 0.12 is 8 of them.
        x = 0.7 * generator(0, "scalar", "chi2").chisquare(9.0, 200_000)
        dof, scale = estimate_chi_square(x)
        assert dof == pytest.approx(9.0, rel=0.12)
        assert scale == pytest.approx(0.7, rel=0.12)

    def test_moment(self) -> None:
        assert estimate_moment([1.0, -3.0], 2.0) == Markov(5.0, 2.0)
