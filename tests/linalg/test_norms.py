"""Certified norms on hard spectra: both sides hold, and wrong certificates are caught.

Failure probabilities are left at 1e-10 (or lowered), so a false alarm of any test here is
below 1e-7 for all its calls together, whatever the seed.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from whp.errors import InputError, MeasurementError
from whp.linalg import DenseSymmetric, NormBounds, extreme_eigenvalues, frobenius_norm, spectral_norm
from whp.seeding import generator

SPECTRA = {
    "semicircle": lambda n: 2 * np.cos(np.linspace(0.01, np.pi - 0.01, n)),
    "uniform": lambda n: np.linspace(-1.0, 1.0, n),
    "clustered top": lambda n: np.r_[
        1.0 - 1e-6 * np.arange(min(20, n)), np.linspace(-0.9, 0.9, max(n - 20, 0))
    ],
    "gap 1e-8": lambda n: np.r_[1.0, 1.0 - 1e-8, np.linspace(0, 0.99, n)][:n],
    "dense top": lambda n: 1.0 - np.linspace(0, 1, n) ** 4,
    "big negative": lambda n: np.r_[-3.0, np.linspace(-1, 2.9, n)][:n],
    "both ends": lambda n: np.r_[-2.0, 2.0, np.linspace(-1, 1, n)][:n],
    "low rank": lambda n: np.r_[5.0, 4.999, -4.9, np.zeros(n)][:n],
    "rank one": lambda n: np.r_[7.0, np.zeros(n - 1)],
    "negative rank one": lambda n: np.r_[-7.0, np.zeros(n - 1)],
    "multiple top": lambda n: np.r_[np.ones(n // 2), np.linspace(-0.5, 0.5, n - n // 2)],
    "decay": lambda n: 0.9 ** np.arange(n),
    "identity": lambda n: np.ones(n),
    "signs": lambda n: np.where(np.arange(n) % 2, 1.0, -1.0),
    "zero": lambda n: np.zeros(n),
    "one of many scales": lambda n: np.r_[1.0, 1e-12 * np.linspace(-1, 1, n)][:n],
}


def rotated(values: np.ndarray, rng: np.random.Generator, reflections: int = 3) -> np.ndarray:
    """Return a dense symmetric matrix with these eigenvalues, by a few Householder reflections."""
    A = np.diag(values)
    for _ in range(reflections):
        u = rng.standard_normal(values.size)
        u /= np.linalg.norm(u)
        Au = A @ u
        A = A - 2 * np.outer(u, Au) - 2 * np.outer(Au, u) + 4 * (u @ Au) * np.outer(u, u)
    return 0.5 * (A + A.T)


def covers(bounds: NormBounds, truth: float) -> bool:
    """Whether the truth, known to a few float64 roundoffs, lies between the bounds."""
    return bounds.low <= truth * (1 + 1e-12) and truth * (1 - 1e-12) <= bounds.high


def true_norm(A: torch.Tensor) -> float:
    """Return LAPACK's norm of the matrix as stored."""
    wide = A.double()
    if torch.equal(wide, wide.T):
        return float(torch.linalg.eigvalsh(wide).abs().max())
    return float(torch.linalg.svdvals(wide)[0])


class TestSymmetric:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
    @pytest.mark.parametrize("n", [2, 3, 17, 400])
    @pytest.mark.parametrize("spectrum", SPECTRA)
    def test_both_sides_and_width(self, spectrum: str, n: int, dtype: torch.dtype) -> None:
        rng = generator(0, "norms", spectrum, n)
        A = torch.from_numpy(rotated(SPECTRA[spectrum](n), rng)).to(dtype)
        truth = true_norm(A)
        lanczos = spectral_norm(A, rng, exact_below=0)
        exact = spectral_norm(A, rng)
        assert covers(lanczos, truth)
        assert covers(exact, truth)
        assert (exact.method, exact.failure_probability) == ("exact", 0.0)
        assert exact.relative_width <= 1e-6
        assert lanczos.relative_width <= 1e-2
        assert lanczos.method == ("lanczos" if truth > 0 else "exact")

    @pytest.mark.parametrize("spectrum", ["semicircle", "gap 1e-8", "big negative", "dense top", "low rank"])
    def test_at_1500(self, spectrum: str) -> None:
        rng = generator(1, "norms", spectrum)
        A = torch.from_numpy(rotated(SPECTRA[spectrum](1500), rng)).float()
        bounds = spectral_norm(A, rng)
        assert bounds.method == "lanczos"
        assert covers(bounds, true_norm(A))
        assert bounds.relative_width <= 1e-2
        assert bounds.matvecs <= 400

    @settings(max_examples=60, deadline=None)
    @given(
        n=st.integers(1, 60),
        seed=st.integers(0, 2**32),
        top=st.lists(st.floats(-2, 2), min_size=1, max_size=6),
        log_scale=st.integers(-25, 25),
        single=st.booleans(),
        steps=st.integers(1, 80),
    )
    def test_any_spectrum(
        self, n: int, seed: int, top: list[float], log_scale: int, single: bool, steps: int
    ) -> None:
        rng = generator(seed, "any")
        values = np.resize(np.array(top), n) * 10.0**log_scale
        A = torch.from_numpy(rotated(values, rng)).to(torch.float32 if single else torch.float64)
        bounds = spectral_norm(A, rng, exact_below=0, max_steps=steps)
        assert covers(bounds, true_norm(A))
        assert bounds.matvecs <= 4 * min(steps, n)

    def test_steps_run_out_is_wider_and_still_true(self) -> None:
        rng = generator(2, "norms")
        A = torch.from_numpy(rotated(SPECTRA["dense top"](600), rng))
        widths = []
        for steps in (1, 2, 5, 20, 60):
            bounds = spectral_norm(A, rng, max_steps=steps, rtol=1e-6)
            assert covers(bounds, 1.0)
            assert bounds.matvecs == 4 * steps
            widths.append(bounds.relative_width)
        assert widths[0] > 1.0
        assert all(a > b for a, b in pairwise(widths))

    def test_scale_and_sign_do_not_matter(self) -> None:
        A = torch.from_numpy(rotated(SPECTRA["semicircle"](600), generator(3, "norms")))
        one = spectral_norm(A, generator(4, "start"))
        for factor in (1e-150, -1.0, 1e150):
            other = spectral_norm(factor * A, generator(4, "start"))
            assert other.low / abs(factor) == pytest.approx(one.low, rel=1e-9)
            assert other.high / abs(factor) == pytest.approx(one.high, rel=1e-9)
        single = spectral_norm((1e-30 * A).float(), generator(4, "start"))
        assert covers(single, 1e-30 * true_norm(A) * (1 + 1e-9))

    def test_nearly_symmetric_is_symmetric_with_an_allowance(self) -> None:
        rng = generator(5, "norms")
        A = torch.from_numpy(rotated(SPECTRA["uniform"](600), rng)).float()
        A[0, 1:] *= 1 + 1e-6
        bounds = spectral_norm(A, rng)
        assert covers(bounds, float(np.linalg.norm(A.double().numpy(), 2)))
        skewed = A.clone()
        skewed[0, 1] += 0.5
        # By default a visibly skew matrix goes through its Gram matrix: two products a step.
        general = spectral_norm(skewed, rng)
        assert covers(general, float(np.linalg.norm(skewed.double().numpy(), 2)))
        assert general.matvecs % 8 == 0
        with pytest.raises(InputError, match="A must be symmetric"):
            spectral_norm(skewed, rng, symmetric=True)
        slightly = A.clone()
        slightly[0, 1] += 1e-2
        widened = spectral_norm(slightly, rng, symmetric=True)
        assert covers(widened, float(np.linalg.norm(slightly.double().numpy(), 2)))
        assert widened.high - widened.low > 1e-2


class TestRectangular:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
    @pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (5, 300), (300, 40), (90, 90), (520, 600)])
    def test_gaussian(self, shape: tuple[int, int], dtype: torch.dtype) -> None:
        rng = generator(6, "norms", *shape)
        A = torch.from_numpy(rng.standard_normal(shape)).to(dtype)
        for exact_below in (0, 10**6):
            bounds = spectral_norm(A, rng, exact_below=exact_below)
            assert covers(bounds, float(np.linalg.norm(A.double().numpy(), 2)))
            assert bounds.relative_width <= 1e-2

    def test_nilpotent(self) -> None:
        # Every eigenvalue is 0, the norm is 1: symmetric Lanczos on it would see nonsense.
        A = torch.diag(torch.ones(599, dtype=torch.float64), 1)
        bounds = spectral_norm(A, generator(7, "norms"))
        assert covers(bounds, 1.0)
        assert bounds.relative_width <= 1e-2

    @pytest.mark.parametrize("factor", [1e-25, 1e25])
    def test_squares_outside_float32(self, factor: float) -> None:
        rng = generator(8, "norms")
        A = torch.from_numpy(rng.standard_normal((300, 80)) * factor).float()
        bounds = spectral_norm(A, rng, exact_below=0)
        assert covers(bounds, true_norm(A))
        assert bounds.relative_width <= 1e-2


class TestCertificateCanFail:
    """The tests above are only worth something if wrong certificates do not pass them."""

    def test_a_ritz_value_is_no_upper_bound(self) -> None:
        rng = generator(9, "norms")
        wrong = 0
        for spectrum in ("semicircle", "dense top", "uniform"):
            A = torch.from_numpy(rotated(SPECTRA[spectrum](400), rng))
            bounds = spectral_norm(A, rng, exact_below=0)
            as_upper = NormBounds(bounds.low, bounds.low * (1 + 1e-9), 1e-10, "lanczos", bounds.matvecs)
            wrong += not covers(as_upper, true_norm(A))
        assert wrong == 3

    def test_the_probability_is_the_one_that_is_stated(self) -> None:
        # After one step on a rank-one matrix |<x, v_1>| p_1(lambda_max) = sqrt(1 - <x, v_1>^2), so the bound
        # fails almost exactly when the overlap is below delta: the stated probability is attained.
        n, calls = 600, 500
        A = torch.from_numpy(rotated(SPECTRA["rank one"](n), generator(10, "norms")))
        rng = generator(11, "norms")
        failures = {}
        for stated in (0.5, 0.1):
            runs = [
                spectral_norm(A, rng, failure_probability=stated, max_steps=1).high < 7 for _ in range(calls)
            ]
            failures[stated] = sum(runs)
            # Binomial limits at 1e-7 on either side; the lower one says that the test is not vacuous.
            assert failures[stated] <= stats.binom.isf(1e-7, calls, stated)
            assert failures[stated] >= stats.binom.ppf(1e-7, calls, 0.8 * stated)
        # A false twin that claims a fifth of its true failure probability is caught by the same rule.
        assert failures[0.5] > stats.binom.isf(1e-7, calls, 0.1)

    def test_many_steps_and_looks_keep_the_probability(self) -> None:
        # One event for all looks: the failure rate over a whole run stays below the stated one.
        n, calls, stated = 200, 150, 0.5
        rng = generator(12, "norms")
        for values in (np.r_[1.0, np.linspace(-0.99, 0.99, n - 1)], SPECTRA["dense top"](n)):
            A = torch.diag(torch.from_numpy(values))  # the sphere is invariant, so a diagonal is as good
            failed = [
                spectral_norm(A, rng, failure_probability=stated, max_steps=24, exact_below=0, rtol=1e-9).high
                < 1.0
                for _ in range(calls)
            ]
            assert sum(failed) <= stats.binom.isf(1e-7, calls, stated)

    def test_smaller_probability_costs_a_wider_bound(self) -> None:
        A = torch.from_numpy(rotated(SPECTRA["semicircle"](400), generator(13, "norms")))
        highs = [
            spectral_norm(A, generator(14, "s"), failure_probability=p, max_steps=16, exact_below=0).high
            for p in (0.5, 1e-3, 1e-10, 1e-30)
        ]
        assert highs == sorted(highs)
        assert highs[-1] > highs[0]


class TestRounding:
    @pytest.mark.parametrize("kind", ["gaussian", "positive", "constant", "alternating"])
    def test_the_model_covers_float32_products(self, kind: str) -> None:
        rng = generator(15, "rounding", kind)
        n = 2000
        A = rng.standard_normal((n, n))
        v = rng.standard_normal(n)
        if kind != "gaussian":
            A, v = np.abs(A), np.ones(n)
        if kind == "constant":
            A = np.full((n, n), 1 / 3)
        if kind == "alternating":
            v = np.where(np.arange(n) % 2, 1.0, -1.0)
        A32 = torch.from_numpy(A).float()
        unit = torch.from_numpy(v / np.linalg.norm(v))
        error = (A32 @ unit.float()).double() - A32.double() @ unit
        allowance = 2 * np.sqrt(n) * 2.0**-24 * frobenius_norm(A32)
        assert float(error.norm()) <= allowance

    def test_reduced_precision_is_allowed_for(self) -> None:
        A = torch.from_numpy(rotated(SPECTRA["low rank"](520), generator(16, "norms"))).float()
        before = torch.get_float32_matmul_precision()
        try:
            torch.set_float32_matmul_precision("medium")
            wide = spectral_norm(A, generator(17, "s"))
        finally:
            torch.set_float32_matmul_precision(before)
        narrow = spectral_norm(A, generator(17, "s"))
        assert covers(wide, 5.0)
        assert wide.relative_width > 100 * narrow.relative_width


class _Sum:
    """D + u u^T without the matrix."""

    def __init__(self, diagonal: torch.Tensor, u: torch.Tensor) -> None:
        self.diagonal, self.u = diagonal, u
        self.shape, self.dtype, self.device = (len(u), len(u)), u.dtype, u.device

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        return self.diagonal[:, None] * V + self.u[:, None] * (self.u @ V)


class TestOperators:
    def test_matrix_free(self) -> None:
        rng = generator(18, "norms")
        diagonal, u = (torch.from_numpy(rng.standard_normal(700)) for _ in range(2))
        truth = true_norm(torch.diag(diagonal) + torch.outer(u, u))
        bounds = spectral_norm(_Sum(diagonal, u), rng)
        assert covers(bounds, truth)
        assert bounds.relative_width <= 1e-2

    def test_dense_wrapper_zero_and_one(self) -> None:
        rng = generator(19, "norms")
        assert covers(spectral_norm(DenseSymmetric(torch.full((1, 1), -3.0)), rng), 3.0)
        zero = spectral_norm(DenseSymmetric(torch.zeros(5, 5)), rng)
        assert (zero.low, zero.high) == (0.0, pytest.approx(0.0, abs=1e-300))
        A = torch.from_numpy(rotated(SPECTRA["both ends"](50), rng))
        assert covers(spectral_norm(DenseSymmetric(A), rng), 2.0)

    def test_stated_rounding_widens(self) -> None:
        A = DenseSymmetric(torch.from_numpy(rotated(SPECTRA["low rank"](50), generator(20, "norms"))))
        narrow, wide = (spectral_norm(A, generator(21, "s"), rounding=r) for r in (0.0, 0.25))
        assert wide.high - narrow.high == pytest.approx(0.25, rel=1e-2)
        assert narrow.low - wide.low == pytest.approx(0.25, rel=1e-2)

    def test_wrong_operators(self) -> None:
        rng = generator(22, "norms")
        with pytest.raises(InputError, match="a tensor or a SymmetricOperator"):
            spectral_norm(np.eye(3), rng)
        broken = _Sum(torch.ones(4), torch.ones(4))
        broken.matmat = lambda V: V[:, :1]
        with pytest.raises(InputError, match="of shape"):
            spectral_norm(broken, rng)
        broken.matmat = lambda V: V * float("nan")
        with pytest.raises(InputError, match="finite"):
            spectral_norm(broken, rng)
        broken.shape = (4, 3)
        with pytest.raises(InputError, match="square and not empty"):
            spectral_norm(broken, rng)


class TestExtremeEigenvalues:
    @pytest.mark.parametrize("exact_below", [0, 10**6])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
    @pytest.mark.parametrize("spectrum", SPECTRA)
    def test_both_ends(self, spectrum: str, dtype: torch.dtype, exact_below: int) -> None:
        rng = generator(23, "ends", spectrum)
        A = torch.from_numpy(rotated(SPECTRA[spectrum](300), rng)).to(dtype)
        values = torch.linalg.eigvalsh(A.double()).numpy()
        norm = float(np.abs(values).max())
        ends = extreme_eigenvalues(A, rng, exact_below=exact_below)
        for end, value in ((ends.smallest, values[0]), (ends.largest, values[-1])):
            assert end.low - 1e-12 * norm <= value <= end.high + 1e-12 * norm
            assert end.width <= 1.01e-2 * norm

    def test_the_probability_is_shared_by_the_ends(self) -> None:
        A = torch.from_numpy(rotated(SPECTRA["rank one"](600), generator(28, "ends")))
        both = extreme_eigenvalues(A, generator(29, "s"), failure_probability=0.5, max_steps=1)
        one = spectral_norm(A, generator(29, "s"), failure_probability=0.25, max_steps=1)
        assert both.largest.high == pytest.approx(one.high, rel=1e-12)

    def test_operator_and_errors(self) -> None:
        rng = generator(24, "ends")
        ends = extreme_eigenvalues(DenseSymmetric(torch.diag(torch.arange(40.0, dtype=torch.float64))), rng)
        assert ends.smallest.contains(0.0)
        assert ends.largest.contains(39.0)
        with pytest.raises(InputError, match="A must be square"):
            extreme_eigenvalues(torch.ones(3, 4), rng)
        with pytest.raises(InputError, match="A must be symmetric"):
            extreme_eigenvalues(torch.ones(4, 4).triu(), rng)


@pytest.mark.parametrize("measure", [spectral_norm, extreme_eigenvalues])
def test_a_randomised_bound_that_has_failed_says_so_and_blames_nobody(measure, monkeypatch) -> None:
    def crossed(*args, **kwargs):
        yield SimpleNamespace(steps=3, lower=0.1, ritz_min=0.0, ritz_max=0.9, upper=0.5)

    monkeypatch.setattr("whp.linalg.norms.spectrum_edges", crossed)
    A = torch.diag(torch.linspace(0.0, 1.0, 600, dtype=torch.float64))
    with pytest.raises(MeasurementError, match="use another seed"):
        measure(A, generator(0, "x"))
