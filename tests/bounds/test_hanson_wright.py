"""Quadratic forms against exact laws, and versions of the inequalities that are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from whp.bounds import HansonWright, SubGamma, chi_square, estimate_subgaussian, gaussian_chaos, hanson_wright
from whp.errors import InputError
from whp.seeding import generator


def holds(bound: SubGamma | HansonWright, t: np.ndarray, log_tail: np.ndarray) -> bool:
    """Whether the bound is above the exact tail at every level."""
    with np.errstate(divide="ignore"):
        return bool(np.all(np.log(bound.tail(t)) >= log_tail - 1e-9))


def ones_off(n: int) -> torch.Tensor:
    """1 1^T - I: the form is (sum x)^2 - sum x_i^2."""
    return torch.ones(n, n, dtype=torch.float64) - torch.eye(n, dtype=torch.float64)


class TestGaussianChaos:
    def test_identity_is_chi_square(self) -> None:
        one, two = gaussian_chaos(torch.eye(7)), chi_square(7)
        assert (one.V, one.c) == pytest.approx((two.V, two.c), rel=1e-14)

    def test_only_the_symmetric_part_counts(self) -> None:
        A = torch.from_numpy(generator(0, "chaos").standard_normal((5, 5)))
        skew = torch.triu(torch.ones(5, 5, dtype=torch.float64), 1)
        one, two = gaussian_chaos(A), gaussian_chaos(A + skew - skew.T)
        assert (one.V, one.c) == pytest.approx((two.V, two.c), rel=1e-12)

    def test_laplace_and_the_twins_with_half_of_either_constant(self) -> None:
        # lambda = (1, 1, -1, -1): chi^2_2 - chi^2_2 is Laplace with scale 2, P(> t) = exp(-t/2) / 2.
        bound = gaussian_chaos(torch.diag(torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)))
        assert (bound.V, bound.c) == pytest.approx((8.0, 2.0), rel=1e-14)
        t = np.linspace(0.1, 1200.0, 200)
        assert holds(bound, t, -t / 2 - np.log(2))
        assert np.log(bound.tail(1000.0)) / (-500.0) > 0.85
        assert not holds(replace(bound, c=1.0), t, -t / 2 - np.log(2))
        two_sided = replace(bound, count=2)
        assert holds(two_sided, t, -t / 2)

    def test_variance_of_a_long_form(self) -> None:
        # lambda = 1 / sqrt(2 d): nearly Gaussian of variance one, where V alone decides.
        d = 10**6
        bound = SubGamma(1.0, 2 / np.sqrt(2 * d))
        t = np.linspace(0.5, 8.0, 40)
        log_tail = stats.chi2.logsf(d + t * np.sqrt(2 * d), d)
        assert holds(bound, t, log_tail)
        assert not holds(replace(bound, V=0.8), t, log_tail)


class TestHansonWright:
    def test_signs_off_the_diagonal(self) -> None:
        n = 400
        bound = hanson_wright(ones_off(n), 1.0)
        sums = np.arange(20, 200, 4)
        t = sums.astype(float) ** 2 - n  # (sum x)^2 - n
        log_tail = np.log(2) + stats.binom.logsf((n + sums) / 2 - 1, n, 0.5)
        assert holds(bound, t, log_tail)
        # Decoupling costs a factor 4 in the exponent; more than that is refuted.
        assert not holds(SubGamma(bound.V / 16, bound.c / 4), t, log_tail)

    def test_gaussian_entries_with_a_diagonal(self) -> None:
        # A = 1 1^T: n (chi^2_1 - 1) exactly.
        n = 50
        both = hanson_wright(torch.ones(n, n, dtype=torch.float64), 1.0)
        t = n * np.linspace(0.5, 200.0, 100)
        log_tail = stats.chi2.logsf(1 + t / n, 1)
        assert holds(both, t, log_tail)
        assert not holds(SubGamma(both.V / 32, both.c / 8), t, log_tail)
        assert (both.V, both.c) == pytest.approx((32 * n**2, 8 * (n - 1)), rel=1e-12)

    def test_diagonal_alone(self) -> None:
        bound = hanson_wright(torch.eye(30, dtype=torch.float64), 1.0)
        assert (bound.V, bound.c) == pytest.approx((16 * 30, 2.0), rel=1e-12)
        t = np.geomspace(1.0, 1400.0, 80)
        log_tail = stats.chi2.logsf(30 + t, 30)
        assert holds(bound, t, log_tail)
        assert np.log(bound.tail(t[-1])) / log_tail[-1] > 0.6
        assert not holds(replace(bound, c=0.5), t, log_tail)

    def test_with_an_estimated_variance_factor(self) -> None:
        # Uniform entries on [-1, 1], a dense A. The bound is exceeded with probability at most 0.01, and
        # then more than 3 % of 20,000 draws exceed it with probability below 1e-40.
        rng = generator(0, "hanson-wright", "uniform")
        grid = 2 * (np.arange(20_000) + 0.5) / 20_000 - 1
        A = torch.from_numpy(rng.standard_normal((12, 12)))
        v = estimate_subgaussian(grid)
        assert v == pytest.approx(1 / 3, rel=1e-2)
        x = rng.uniform(-1.0, 1.0, (20_000, 12))
        forms = np.einsum("si,ij,sj->s", x, A.numpy(), x) - float(A.trace()) / 3
        bound = hanson_wright(A, v, sides=2)
        assert np.mean(np.abs(forms) >= bound.quantile(0.01)) <= 0.03
        assert np.abs(forms).mean() <= bound.expectation()
        # With a v too small by 20, the other side of it is exceeded far more often.
        assert np.mean(np.abs(forms) >= hanson_wright(A, v / 20).quantile(0.01)) > 0.1


class TestPrintedForm:
    @pytest.mark.parametrize("delta", [1e-30, 1e-3, 0.5, 1.0])
    def test_quantile_inverts_tail(self, delta: float) -> None:
        bound = HansonWright(1.3, 4.0, 1.5, 0.2)
        assert bound.tail(bound.quantile(delta)) == pytest.approx(delta, rel=1e-10)

    def test_both_regimes(self) -> None:
        bound = HansonWright(2.0, 10.0, 1.0, 0.5)
        assert bound.tail(80.0) == pytest.approx(2 * np.exp(-0.5 * (80 / 4 / 10) ** 2), rel=1e-12)
        assert bound.tail(4000.0) == pytest.approx(2 * np.exp(-0.5 * 1000.0), rel=1e-12)

    def test_a_constant_that_holds_and_one_that_does_not(self) -> None:
        # Gaussian entries, A = I / 1: K^2 = 8/3.
        dof = 40
        K = (8 / 3) ** 0.5
        t = np.geomspace(1.0, 500.0, 60)
        log_tail = np.log(stats.chi2.sf(dof + t, dof) + stats.chi2.cdf(np.maximum(dof - t, 0.0), dof))
        assert holds(HansonWright(K, dof**0.5, 1.0, 0.6), t, log_tail)
        assert not holds(HansonWright(K, dof**0.5, 1.0, 2.5), t, log_tail)

    def test_expectation_is_above_the_integral_of_the_tail(self) -> None:
        bound = HansonWright(1.3, 4.0, 1.5, 0.2)
        integral = integrate.quad(bound.tail, 0.0, bound.quantile(1e-12), limit=500)[0]
        assert integral <= bound.expectation() <= 2.5 * integral

    def test_rejects(self) -> None:
        for build in (
            lambda: HansonWright(1.0, 1.0, 1.0, 0.0),
            lambda: HansonWright(0.0, 1.0, 1.0, 1.0),
            lambda: HansonWright(1.0, 1.0, 1.0, 1.0).quantile(0.0),
            lambda: hanson_wright(torch.ones(2, 3), 1.0),
            lambda: hanson_wright(torch.full((2, 2), torch.nan), 1.0),
            lambda: hanson_wright(torch.ones(2, 2), -1.0),
            lambda: hanson_wright(torch.ones(2, 2), 1.0, sides=0),
            lambda: gaussian_chaos(torch.ones(2, 2), sides=3),
        ):
            with pytest.raises(InputError, match="must be"):
                build()
