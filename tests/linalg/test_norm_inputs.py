"""What norms accept and refuse, and the Frobenius norm."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.linalg import NormBounds, extreme_eigenvalues, frobenius_norm, spectral_norm
from whp.seeding import generator


class TestInputs:
    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
    @pytest.mark.parametrize("n", [4, 600])
    def test_not_finite(self, bad: float, n: int) -> None:
        A = torch.zeros(n, n)
        A[n - 1, 1] = bad
        for call in (lambda: spectral_norm(A, generator(0, "x")), lambda: frobenius_norm(A)):
            with pytest.raises(InputError, match="A must be finite in every entry"):
                call()

    @pytest.mark.parametrize("A", [torch.zeros(0, 0), torch.zeros(3), torch.zeros(0, 4)])
    def test_not_a_matrix(self, A: torch.Tensor) -> None:
        with pytest.raises(InputError, match="at least one entry"):
            spectral_norm(A, generator(0, "x"))

    def test_dtypes_and_parameters(self) -> None:
        rng, A = generator(0, "x"), torch.eye(3)
        with pytest.raises(InputError, match="float32 or float64"):
            spectral_norm(A.half(), rng)
        with pytest.raises(InputError, match="float32 or float64"):
            spectral_norm(torch.eye(3, dtype=torch.int64), rng)
        for name, value in {
            "failure_probability": 0.0,
            "rtol": -1.0,
            "max_steps": 0,
            "rounding": -1.0,
        }.items():
            with pytest.raises(InputError, match=f"{name} must be"):
                spectral_norm(A, rng, **{name: value})
        with pytest.raises(InputError, match="A must be square"):
            spectral_norm(torch.ones(2, 3), rng, symmetric=True)

    def test_what_is_no_generator(self) -> None:
        for rng in (0, None, np.random):
            for call in (spectral_norm, extreme_eigenvalues):
                with pytest.raises(InputError, match=r"rng must be a numpy\.random\.Generator, got"):
                    call(torch.eye(3), rng)

    def test_overflow_in_products(self) -> None:
        with pytest.raises(InputError, match="scaled"):
            spectral_norm(torch.full((600, 600), 3e38), generator(0, "x"))

    def test_bounds_are_ordered(self) -> None:
        with pytest.raises(InputError, match="norm bounds"):
            NormBounds(2.0, 1.0, 0.0, "exact", 0)
        assert NormBounds(0.0, 1.0, 0.1, "lanczos", 4).relative_width == float("inf")
        assert NormBounds(0.0, 0.0, 0.0, "exact", 0).relative_width == 0.0
        assert NormBounds(2.0, 3.0, 0.1, "lanczos", 4).relative_width == 0.5

    def test_same_stream_same_bounds_and_nothing_is_changed(self) -> None:
        B = generator(25, "x").standard_normal((520, 520))
        A = torch.from_numpy(B + B.T)
        copy = A.clone()
        first, second = (spectral_norm(A, generator(26, "x")) for _ in range(2))
        assert first == second
        assert torch.equal(A, copy)


class TestFrobenius:
    @pytest.mark.parametrize("shape", [(1, 1), (1, 999), (513, 7), (300, 300)])
    def test_against_numpy(self, shape: tuple[int, int]) -> None:
        A = torch.from_numpy(generator(27, "f", *shape).standard_normal(shape))
        for block in (1, 100, 1000):
            assert frobenius_norm(A, block=block) == pytest.approx(np.linalg.norm(A.numpy()), rel=1e-13)

    def test_float32_is_summed_in_float64(self) -> None:
        # 4e6 entries of 1 beside one of 4096: float32 sums of squares stop at 2^24 + ..., float64 is exact.
        A = torch.ones(2000, 2000)
        A[0, 0] = 4096.0
        assert frobenius_norm(A) == pytest.approx(np.sqrt(4e6 - 1 + 4096.0**2), rel=1e-14)

    @pytest.mark.parametrize("factor", [1e-200, 1e200])
    def test_no_overflow(self, factor: float) -> None:
        A = factor * torch.ones(4, 9, dtype=torch.float64)
        assert frobenius_norm(A) == pytest.approx(6 * factor, rel=1e-14)
        assert frobenius_norm(torch.zeros(2, 2)) == 0.0

    def test_block(self) -> None:
        with pytest.raises(InputError, match="block must be"):
            frobenius_norm(torch.eye(2), block=0)
