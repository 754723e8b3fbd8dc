"""Matrix Bernstein against exact tails, simulated sums, and versions of itself that are wrong."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from whp.bounds import HermitianBernstein, MatrixBernstein, estimate_L_v
from whp.errors import InputError
from whp.seeding import generator


def diagonal_log_tail(terms: int, d: int, t: np.ndarray) -> np.ndarray:
    """Exact log P(||Y|| >= t), Y = diag of d independent sums of ``terms`` signs over sqrt(terms)."""
    # A sum of signs is 2 B - terms with B binomial; the event needs 2 B - terms >= t sqrt(terms).
    needed = np.ceil(0.5 * (terms + t * np.sqrt(terms)) - 1e-9)
    log_one_side = stats.binom.logsf(needed - 1, terms, 0.5)
    return np.log(-np.expm1(d * np.log1p(-np.minimum(2 * np.exp(log_one_side), 1 - 1e-16))))


def holds(bound: MatrixBernstein | HermitianBernstein, t: np.ndarray, log_tail: np.ndarray) -> bool:
    """Whether the bound is above the exact tail at every level."""
    with np.errstate(divide="ignore"):
        return bool(np.all(np.log(bound.tail(t)) >= log_tail - 1e-9))


class TestFormula:
    @pytest.mark.parametrize("parameters", [(0.5, 2.0, 3, 4), (3.0, 0.1, 1, 1), (0.01, 40.0, 500, 700)])
    def test_thirty_digits(self, parameters: tuple[float, float, int, int]) -> None:
        with mpmath.workdps(30):
            L, v, d1, d2 = (mpmath.mpf(x) for x in parameters)
            bound = MatrixBernstein(*parameters)
            for t in (7.5, 40.0, 100.0):
                tail = (d1 + d2) / mpmath.exp(mpmath.mpf(t) ** 2 / 2 / (v + L * t / 3))
                assert bound.tail(t) == pytest.approx(float(min(1, tail)), rel=1e-11)
            expectation = mpmath.sqrt(2 * v * mpmath.log(d1 + d2)) + L / 3 * mpmath.log(d1 + d2)
            assert bound.expectation() == pytest.approx(float(expectation), rel=1e-14)

    def test_array_and_scalar_agree_and_nothing_exceeds_one(self) -> None:
        bound = MatrixBernstein(0.3, 1.2, 5, 2)
        t = np.linspace(-2.0, 30.0, 200)
        tail = bound.tail(t)
        assert tail.shape == t.shape
        assert np.all(tail[t <= 0] == 1.0)
        assert np.all(np.diff(tail) <= 0.0)
        assert np.all((tail > 0) & (tail <= 1.0))
        assert [bound.tail(float(x)) for x in t] == pytest.approx(tail.tolist(), rel=1e-14)

    @pytest.mark.parametrize(("L", "v"), [(0.0, 1.0), (1.0, 0.0), (0.01, 3.0), (50.0, 0.2), (1.0, 1.0)])
    @pytest.mark.parametrize("delta", [1.0 - 1e-9, 0.5, 1e-3, 1e-12, 1e-200])
    def test_quantile_inverts_tail(self, L: float, v: float, delta: float) -> None:
        for bound in (MatrixBernstein(L, v, 4, 9), HermitianBernstein(L, v, 6)):
            t = bound.quantile(delta)
            assert np.log(bound.tail(t)) == pytest.approx(np.log(delta), rel=1e-9, abs=1e-8)
            assert bound.tail(t * (1 - 1e-6)) > delta

    def test_degenerate_sum(self) -> None:
        bound = MatrixBernstein(0.0, 0.0, 2, 2)
        assert (bound.tail(0.0), bound.tail(1e-300), bound.tail(1e300)) == (1.0, 0.0, 0.0)
        assert bound.quantile(1e-9) == 0.0
        assert bound.expectation() == 0.0
        assert MatrixBernstein(1.0, 1.0, 2, 2).tail(np.inf) == 0.0
        assert MatrixBernstein(1.0, 1.0, 2, 2).quantile(1.0) == 0.0

    def test_one_sided_version_has_half_the_factor(self) -> None:
        assert HermitianBernstein(1.0, 1.0, 5).tail(8.0) == pytest.approx(
            0.5 * MatrixBernstein(1.0, 1.0, 5, 5).tail(8.0), rel=1e-14
        )
        assert HermitianBernstein(1.0, 1.0, 1).expectation() == 0.0

    @pytest.mark.parametrize(
        "parameters",
        [
            (-1.0, 1.0, 2, 2),
            (1.0, -1.0, 2, 2),
            (np.nan, 1.0, 2, 2),
            (1.0, np.inf, 2, 2),
            (1.0, 1.0, 0, 2),
            (1.0, 1.0, 2, 1.5),
        ],
    )
    def test_rejects(self, parameters: tuple[float, float, int, int]) -> None:
        with pytest.raises(InputError, match="must be"):
            MatrixBernstein(*parameters)

    def test_rejects_arguments(self) -> None:
        bound = MatrixBernstein(1.0, 1.0, 2, 2)
        for delta in (0.0, -0.1, 1.1, np.nan):
            with pytest.raises(InputError, match="delta must be"):
                bound.quantile(delta)
        with pytest.raises(InputError, match="t must be"):
            bound.tail(np.array([1.0, np.nan]))
        with pytest.raises(InputError, match="dim must be"):
            HermitianBernstein(1.0, 1.0, 0)


class TestAgainstExactTails:
    """No randomness: binomial tails are exact."""

    def test_rademacher_diagonal_and_the_twin_without_half_the_variance(self) -> None:
        terms, d = 4000, 8
        t = np.linspace(0.1, 12.0, 100)
        log_tail = diagonal_log_tail(terms, d, t)
        L, v = 1 / np.sqrt(terms), 1.0
        assert holds(MatrixBernstein(L, v, d, d), t, log_tail)
        # Nearly tight: far out the exponents agree to 15 %.
        far = t > 9
        ratio = np.log(MatrixBernstein(L, v, d, d).tail(t[far])) / log_tail[far]
        assert np.all((ratio > 0.85) & (ratio < 1.0))
        assert not holds(MatrixBernstein(L, v / 2, d, d), t, log_tail)
        assert not holds(MatrixBernstein(L, 0.0, d, d), t, log_tail)

    def test_sparse_bernoulli_and_the_twin_with_half_the_range(self) -> None:
        # A sum of centred Bernoulli(p): almost Poisson, where the L t / 3 is sharp to first order.
        terms, p, d = 10**7, 1e-4, 1
        v = terms * p * (1 - p)
        t = np.arange(20.0, 900.0, 10.0)
        log_tail = stats.binom.logsf(np.ceil(t + terms * p) - 1, terms, p)
        assert holds(HermitianBernstein(1.0, v, d), t, log_tail)
        assert not holds(HermitianBernstein(0.5, v, d), t, log_tail)
        assert not holds(HermitianBernstein(0.0, v, d), t, log_tail)


class TestAgainstSimulation:
    def rank_one_series(self) -> tuple[torch.Tensor, np.ndarray]:
        rng = generator(0, "bernstein", "rank one")
        x = rng.standard_normal((40, 6)) / np.sqrt(40)  # (K, d)
        terms = np.einsum("ki,kj->kij", x, x)
        signs = rng.choice([-1.0, 1.0], size=(4000, 40))
        norms = np.abs(np.linalg.eigvalsh(np.einsum("sk,kij->sij", signs, terms))).max(axis=1)
        return torch.from_numpy(terms), norms

    def test_tail_and_expectation_of_a_rank_one_series(self) -> None:
        # sum_k sign_k x_k x_k^T: the bound is a theorem, so a false alarm needs the empirical
        # tail above the true one by its one-sided Clopper-Pearson limit at 1e-8, times 20 levels.
        terms, norms = self.rank_one_series()
        estimate = estimate_L_v(terms)
        bound = estimate.bound()
        for t in np.linspace(0.1, 1.2, 20) * norms.max():
            hits = int((norms >= t).sum())
            lower = stats.beta.ppf(1e-8, hits, norms.size - hits + 1) if hits else 0.0
            assert lower <= bound.tail(t)
        # Mean of 4000 values in [0, max sum]: Gaussian error at 6 standard errors, 1e-9.
        margin = 6 * norms.std() / np.sqrt(norms.size)
        assert norms.mean() - margin <= bound.expectation()
        # The twin that drops the variance is refuted by the same numbers.
        assert norms.mean() - margin > MatrixBernstein(estimate.L, 0.0, 6, 6).expectation()

    def test_rectangular_signs(self) -> None:
        # One sign for each entry of a 3 x 12 matrix: v = 12, L = 1, E||Z|| is about sqrt(12) + sqrt(3).
        rng = generator(0, "bernstein", "rectangular")
        Z = rng.choice([-1.0, 1.0], size=(2000, 3, 12))
        norms = np.linalg.svd(Z, compute_uv=False)[:, 0]
        units = torch.eye(36, dtype=torch.float64).reshape(36, 3, 12)
        estimate = estimate_L_v(units)
        assert (estimate.L, estimate.v) == pytest.approx((1.0, 12.0), rel=1e-12)
        # 6 standard errors of the mean: false alarm below 1e-8.
        assert norms.mean() - 6 * norms.std() / np.sqrt(2000) <= estimate.bound().expectation()
        # The twin that swaps S S^T for S^T S has v = 3.
        assert norms.mean() - 6 * norms.std() / np.sqrt(2000) > np.sqrt(2 * 3.0 * np.log(4))


class TestEstimates:
    def test_known_terms(self) -> None:
        x = torch.from_numpy(generator(1, "terms").standard_normal((30, 5)))
        samples = x[:, :, None] * x[:, None, :]
        estimate = estimate_L_v(samples)
        squares = sum(s.numpy() @ s.numpy() for s in samples)
        expected = (float((x**2).sum(1).max()), np.linalg.norm(squares, 2))
        assert (estimate.L, estimate.v) == pytest.approx(expected, rel=1e-12)
        assert (estimate.terms, estimate.samples, estimate.dim1, estimate.dim2) == (30, 30, 5, 5)
        tripled = estimate_L_v(iter(samples), terms=90)
        assert (tripled.L, tripled.v) == pytest.approx((estimate.L, 3 * estimate.v), rel=1e-12)

    def test_symmetric_and_general_routes_agree(self) -> None:
        x = torch.from_numpy(generator(2, "terms").standard_normal((10, 4, 4)))
        symmetric = x + x.transpose(1, 2)
        general = symmetric.clone()
        general[:, 0, 1] *= 1 + 1e-15  # breaks the exact symmetry, nothing else
        a, b = estimate_L_v(symmetric), estimate_L_v(general)
        assert (a.L, a.v) == pytest.approx((b.L, b.v), rel=1e-12)

    def test_wide_and_tall_take_the_larger_side(self) -> None:
        x = torch.from_numpy(generator(3, "terms").standard_normal((50, 2, 9)))
        sides = [
            np.linalg.norm(sum(f(s.numpy()) for s in x), 2) for f in (lambda s: s @ s.T, lambda s: s.T @ s)
        ]
        assert estimate_L_v(x).v == pytest.approx(max(sides), rel=1e-12)
        assert estimate_L_v(x.transpose(1, 2)).v == pytest.approx(max(sides), rel=1e-12)
        assert max(sides) > 1.5 * min(sides)

    def test_the_sampled_range_is_a_lower_bound(self) -> None:
        # S = (B - p) with p = 1e-4: 100 samples miss the rare value with probability 0.99, and then the
        # estimated bound is broken by the true tail. This is why it is called an estimate.
        p, terms = 1e-4, 10**5
        samples = torch.full((100, 1, 1), -p, dtype=torch.float64)
        estimate = estimate_L_v(samples, terms=terms).bound()
        true = MatrixBernstein(1 - p, terms * p * (1 - p), 1, 1)
        t = np.arange(5.0, 20.0)
        log_tail = stats.binom.logsf(np.ceil(t + terms * p) - 1, terms, p)
        assert holds(true, t, log_tail)
        assert not holds(estimate, t, log_tail)

    def test_rejects(self) -> None:
        with pytest.raises(InputError, match="at least one matrix"):
            estimate_L_v([])
        with pytest.raises(InputError, match="all of shape"):
            estimate_L_v([torch.eye(2), torch.eye(3)])
        with pytest.raises(InputError, match="finite"):
            estimate_L_v([torch.full((2, 2), float("nan"))])
        with pytest.raises(InputError, match="at least one entry"):
            estimate_L_v([torch.zeros(3)])
        with pytest.raises(InputError, match="terms must be"):
            estimate_L_v([torch.eye(2)], terms=0)
