"""Unbounded matrix Bernstein against exact gamma tails, and versions of it that are wrong."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import optimize, stats

from whp.bounds import (
    KlochkovZhivotovskiy,
    SubExponentialBernstein,
    estimate_L_v,
    estimate_psi,
    estimate_unbounded,
    psi_1_chi_square,
)
from whp.errors import InputError
from whp.seeding import generator

Bound = KlochkovZhivotovskiy | SubExponentialBernstein


def psi_1_of_centred_exponential() -> float:
    """The K with E exp(|E - 1| / K) = 2, E standard exponential: about 1.53."""

    def excess(K: float) -> float:
        a = 1 / K
        return math.exp(-1) / (1 - a) + math.exp(a) * (1 - math.exp(-1 - a)) / (1 + a) - 2

    return float(optimize.brentq(excess, 1.1, 10.0, xtol=1e-14))


K = psi_1_of_centred_exponential()


def log_tail(terms: int, d: int, t: np.ndarray) -> np.ndarray:
    """Exact log P(||Z|| >= t), Z the diagonal of d independent sums of ``terms`` centred exponentials."""
    up = stats.gamma.logsf(t + terms, terms)
    down = stats.gamma.logcdf(np.maximum(terms - t, 0.0), terms)
    one = np.logaddexp(up, down)  # of one sum
    with np.errstate(divide="ignore"):
        near = np.log(-np.expm1(d * np.log1p(-np.minimum(np.exp(one), 1 - 1e-16))))
    return np.where(one < -30, one + np.log(d), near)


def holds(bound: Bound, terms: int, d: int) -> bool:
    """Whether the bound is above the exact tail at every level."""
    t = np.geomspace(0.3, 12.0, 60) * terms**0.5 if terms > 1 else np.geomspace(1.0, 100.0, 60)
    return bool(np.all(np.log(bound.tail(t)) >= log_tail(terms, d, t) - 1e-9))


class TestAgainstExactTails:
    """No randomness. |E (E-1)^p| <= p!/2 for p >= 2, so Tropp's condition holds with R = 1, A = I."""

    @pytest.mark.parametrize(("terms", "d"), [(1, 1), (100, 1), (100, 5), (10**6, 4)])
    def test_explicit_versions_hold(self, terms: int, d: int) -> None:
        v = float(terms)
        assert holds(SubExponentialBernstein(1.0, v, d, d), terms, d)
        assert holds(SubExponentialBernstein.truncated(K, v, terms, d, d), terms, d)
        assert holds(SubExponentialBernstein.from_psi_1(K, terms, d, d), terms, d)

    def test_nearly_tight_where_the_variance_decides(self) -> None:
        terms, d = 10**6, 4
        t = np.array([8.0, 12.0]) * terms**0.5
        exact = log_tail(terms, d, t)
        for bound, least in (
            (SubExponentialBernstein(1.0, terms, d, d), 0.9),
            (SubExponentialBernstein.truncated(K, terms, terms, d, d), 0.75),
        ):
            ratio = np.log(bound.tail(t)) / exact
            assert np.all((ratio > least) & (ratio < 1.0))
        # The psi_1 norm alone has 2 K^2 where the variance is 1.
        alone = np.log(SubExponentialBernstein.from_psi_1(K, terms, d, d).tail(t)) / exact
        assert np.all(alone < 0.25)

    def test_wrong_constants_are_refuted(self) -> None:
        assert not holds(SubExponentialBernstein(0.25, 1.0, 1, 1), 1, 1)
        assert not holds(SubExponentialBernstein(0.25, 100.0, 1, 1), 100, 1)
        assert not holds(SubExponentialBernstein(1.0, 0.5e6, 4, 4), 10**6, 4)
        assert not holds(SubExponentialBernstein.truncated(K, 0.5e6, 10**6, 4, 4), 10**6, 4)
        assert not holds(SubExponentialBernstein.truncated(K / 20, 1.0, 1, 1, 1), 1, 1)

    def test_the_printed_form_needs_a_constant_of_sqrt_2_at_least(self) -> None:
        # With C = 1 even the Gaussian regime fails: sqrt(v x) for sqrt(2 v x).
        for terms, d in ((1, 1), (100, 1), (10**6, 4)):
            assert holds(KlochkovZhivotovskiy(K, terms, terms, d, d, 2.0), terms, d)
        assert not holds(KlochkovZhivotovskiy(K, 10**6, 10**6, 4, 4, 1.0), 10**6, 4)
        assert not holds(KlochkovZhivotovskiy(K, 1, 1, 1, 1, 0.3), 1, 1)


class TestFormula:
    def test_moment_condition_of_the_truncated_version(self) -> None:
        # E |E-1|^p <= (p!/2) R^(p-2) A^2 in numbers, from the incomplete gamma functions of mpmath.
        bound = SubExponentialBernstein.truncated(K, 50.0, 50, 1, 1, inflation=0.1)
        with mpmath.workdps(20):
            for p in range(2, 40):
                moment = mpmath.quad(lambda x, p=p: abs(x - 1) ** p * mpmath.exp(-x), [0, 1, 2, 10, 60, 200])
                assert moment <= mpmath.factorial(p) / 2 * mpmath.mpf(bound.R) ** (p - 2) * bound.v / 50

    @pytest.mark.parametrize("delta", [1e-100, 1e-3, 0.3])
    def test_quantile_inverts_tail(self, delta: float) -> None:
        for bound in (
            KlochkovZhivotovskiy(0.3, 2.0, 9, 3, 4, 1.7),
            KlochkovZhivotovskiy(2.0, 0.0, 1, 1, 1, 1.0),
            SubExponentialBernstein(0.5, 2.0, 3, 4),
            SubExponentialBernstein.truncated(0.5, 2.0, 10, 3, 4),
        ):
            assert bound.tail(bound.quantile(delta)) == pytest.approx(delta, rel=1e-9)

    def test_klochkov_zhivotovskiy_by_hand(self) -> None:
        bound = KlochkovZhivotovskiy(0.3, 2.0, 8, 3, 4, 1.7)
        x = math.log(7.0) + 3.0
        expected = 1.7 * (math.sqrt(2.0 * x) + 0.3 * 4 * x)  # log2(16) = 4
        assert bound.quantile(math.exp(-3.0)) == pytest.approx(expected, rel=1e-13)
        # It says nothing below u = 1.
        assert bound.quantile(0.9) == bound.quantile(math.exp(-1.0))
        assert bound.tail(0.999 * bound.quantile(math.exp(-1.0))) == 1.0
        assert bound.tail(np.array([-1.0, 0.0, np.inf])).tolist() == [1.0, 1.0, 0.0]
        assert bound.quantile(1.0) == 0.0
        t = np.linspace(0.0, bound.quantile(1e-14), 200_001)
        integral = float(np.trapezoid(bound.tail(t), t))
        assert integral <= bound.expectation() * (1 + 1e-4) <= 1.1 * integral

    def test_sub_exponential_by_hand(self) -> None:
        bound = SubExponentialBernstein(0.5, 2.0, 3, 4)
        assert bound.tail(10.0) == pytest.approx(7 * math.exp(-50 / (2.0 + 5.0)), rel=1e-12)
        expected = math.sqrt(4.0 * math.log(7)) + 0.5 * math.log(7)
        assert bound.expectation() == pytest.approx(expected, rel=1e-12)

    def test_degenerate(self) -> None:
        nothing = SubExponentialBernstein.truncated(0.0, 0.0, 5, 2, 2)
        assert (nothing.tail(0.0), nothing.tail(1e-9)) == (1.0, 0.0)
        # A variance above all that K allows leaves R = 3 K.
        assert SubExponentialBernstein.truncated(1.0, 1e9, 1, 1, 1).R == 3.0

    def test_rejects(self) -> None:
        for build in (
            lambda: KlochkovZhivotovskiy(-1.0, 1.0, 1, 1, 1, 1.0),
            lambda: KlochkovZhivotovskiy(1.0, 1.0, 0, 1, 1, 1.0),
            lambda: KlochkovZhivotovskiy(1.0, 1.0, 1, 1, 1, 0.0),
            lambda: SubExponentialBernstein(math.nan, 1.0, 1, 1),
            lambda: SubExponentialBernstein(1.0, -1.0, 1, 1),
            lambda: SubExponentialBernstein.from_psi_1(1.0, 0, 1, 1),
            lambda: SubExponentialBernstein.truncated(1.0, 0.0, 1, 1, 1),
            lambda: SubExponentialBernstein.truncated(1.0, 1.0, 1, 1, 1, inflation=0.0),
            lambda: psi_1_chi_square(0.0),
            lambda: estimate_unbounded([]),
            lambda: estimate_unbounded([torch.eye(2), torch.eye(3)]),
            lambda: estimate_unbounded([torch.full((1, 1), math.inf)]),
            lambda: estimate_unbounded([torch.zeros(3)]),
            lambda: estimate_unbounded([torch.eye(2)], terms=0),
        ):
            with pytest.raises(InputError, match="must be"):
                build()


class TestEstimates:
    def test_psi_1_of_chi_square(self) -> None:
        for dof in (1.0, 7.0, 500.0):
            norm = psi_1_chi_square(dof)
            with mpmath.workdps(20):
                mean = mpmath.quad(
                    lambda x, k=dof, K=norm: x ** (k / 2 - 1) * mpmath.exp(-x / 2 + x / K),
                    [0, 1, dof, 3 * dof, 20 * dof, 200 * dof],
                ) / (2 ** mpmath.mpf(dof / 2) * mpmath.gamma(dof / 2))
            assert float(mean) == pytest.approx(2.0, rel=1e-6)
        # From samples: exp(x / K) has a finite variance, and 50,000 give K to 0.3 %, a tenth of 0.03.
        x = generator(0, "psi", "chi2").chisquare(20.0, 50_000)
        assert estimate_psi(x) == pytest.approx(psi_1_chi_square(20.0), rel=0.03)

    def test_scalar_exponentials(self) -> None:
        # On a grid of quantiles: K, v and R of the centred exponential law, a little too small in the tail.
        n = 20_000
        x = torch.from_numpy(stats.expon.ppf((np.arange(n) + 0.5) / n) - 1.0).reshape(n, 1, 1)
        estimate = estimate_unbounded(x[::20], terms=70, level=2.0)
        assert K * 0.9 < estimate.K < K
        assert estimate.v == pytest.approx(70.0, rel=0.03)
        # Absolute moments: p = 3 decides, E|E-1|^3 = 12/e - 2.
        third = (12 / math.e - 2) / 3
        assert pytest.approx(third, rel=0.1) == estimate.R
        assert estimate.v == pytest.approx(estimate.below + estimate.above, rel=1e-12)
        with mpmath.workdps(20):
            above = mpmath.quad(lambda s: (s - 1) ** 2 * mpmath.exp(-s), [3, mpmath.inf])
        assert estimate.above == pytest.approx(70 * float(above), rel=0.1)
        assert estimate.truncated() == SubExponentialBernstein.truncated(estimate.K, estimate.v, 70, 1, 1)
        assert estimate.sub_exponential() == SubExponentialBernstein(estimate.R, estimate.v, 1, 1)

    def test_rectangular_against_the_bounded_estimate(self) -> None:
        x = torch.from_numpy(generator(1, "terms").standard_normal((40, 2, 5)))
        estimate, bounded = estimate_unbounded(x, terms=9, level=3.0), estimate_L_v(x, terms=9)
        assert estimate.v == pytest.approx(bounded.v, rel=1e-12)
        assert (estimate.dim1, estimate.dim2, estimate.samples) == (2, 5, 40)
        assert estimate.K < bounded.L / math.log(2.0) < 10 * estimate.K
        assert estimate.v <= estimate.below + estimate.above
        assert estimate.below < estimate.v

    def test_zero_terms(self) -> None:
        estimate = estimate_unbounded([torch.zeros(2, 2)])
        assert (estimate.K, estimate.v, estimate.R) == (0.0, 0.0, 0.0)
        assert estimate.truncated().quantile(0.01) == 0.0

    def test_a_rank_one_series(self) -> None:
        # p p^T - I, p Gaussian in R^6, 30 terms: the tail and mean of 4000 sums below the estimated bound.
        rng = generator(0, "unbounded", "rank one")
        p = torch.from_numpy(rng.standard_normal((3000, 6)))
        eye = torch.eye(6, dtype=torch.float64)
        estimate = estimate_unbounded((q[:, None] * q - eye for q in p), terms=30)
        # E (p p^T - I)^2 = (d + 2 - 1) I: 3000 samples give it to a few per cent.
        assert estimate.v == pytest.approx(30 * 7.0, rel=0.5)
        P = rng.standard_normal((4000, 30, 6))
        norms = np.abs(np.linalg.eigvalsh(np.einsum("ski,skj->sij", P, P) - 30 * np.eye(6))).max(axis=1)
        for bound in (estimate.truncated(), estimate.sub_exponential()):
            for t in np.linspace(0.1, 1.2, 20) * norms.max():
                # One-sided Clopper-Pearson limit at 1e-8 for 20 levels and two bounds: below 1e-6.
                hits = int((norms >= t).sum())
                lower = stats.beta.ppf(1e-8, hits, norms.size - hits + 1) if hits else 0.0
                assert lower <= bound.tail(float(t))
            assert norms.mean() + 6 * norms.std() / np.sqrt(norms.size) <= bound.expectation()  # 1e-9
        # The twin that takes the mean of the terms for their sum is refuted by the same numbers.
        wrong = SubExponentialBernstein.truncated(estimate.K / 30, estimate.v / 900, 30, 6, 6)
        assert norms.mean() > wrong.expectation()
