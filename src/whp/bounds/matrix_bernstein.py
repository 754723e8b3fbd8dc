r"""Matrix Bernstein inequalities, and estimates of their parameters.

Source: J. A. Tropp (2015), "An introduction to matrix concentration inequalities",
Foundations and Trends in Machine Learning 8 (arXiv:1501.01571), Theorem 1.6.2 (rectangular)
and Theorem 6.6.1 (Hermitian).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from whp.errors import require

Floats = NDArray[np.float64]


def check_dimension(name: str, value: int) -> None:
    """Require a positive integer."""
    require(isinstance(value, (int, np.integer)) and bool(value >= 1), name, "a positive integer", value)


@dataclass(frozen=True)
class _Bernstein:
    """The shared formula ``D exp(-(t^2/2) / (v + L t / 3))`` with dimension factor D."""

    L: float
    v: float

    def __post_init__(self) -> None:
        require(0.0 <= self.L < np.inf, "L", "finite and not negative", self.L)
        require(0.0 <= self.v < np.inf, "v", "finite and not negative", self.v)

    @property
    def dimension_factor(self) -> int:
        """The factor in front of the exponential."""
        raise NotImplementedError

    @overload
    def tail(self, t: float) -> float: ...
    @overload
    def tail(self, t: Floats) -> Floats: ...
    def tail(self, t: float | Floats) -> float | Floats:
        """Return the bound of ``P(norm >= t)``, at most 1.

        Parameters
        ----------
        t : float or array
            Levels; the bound is 1 for ``t <= 0``.
        """
        level = np.asarray(t, dtype=np.float64)
        require(not np.isnan(level).any(), "t", "a number", t)
        positive = np.maximum(level, 0.0)
        # t^2 / (v + L t / 3) as t / (v/t + L/3): no overflow at large t, and L = v = 0 gives 0 beyond t = 0.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            exponent = 0.5 * positive / (self.v / positive + self.L / 3.0)
        exponent = np.where(positive > 0.0, exponent, 0.0)
        bound = np.minimum(1.0, np.exp(np.log(self.dimension_factor) - exponent))
        return float(bound) if bound.ndim == 0 else bound

    def quantile(self, delta: float) -> float:
        """Return the smallest t with ``tail(t) <= delta``: the root of a quadratic.

        Parameters
        ----------
        delta : float
            Failure probability, in (0, 1].
        """
        require(0.0 < delta <= 1.0, "delta", "in (0, 1]", delta)
        if delta == 1.0:
            return 0.0
        log_ratio = float(np.log(self.dimension_factor) - np.log(delta))
        linear = self.L * log_ratio / 3.0
        return linear + float(np.hypot(linear, np.sqrt(2.0 * self.v * log_ratio)))

    def expectation(self) -> float:
        """Return the bound of the expected norm, ``sqrt(2 v log D) + (L/3) log D``."""
        log_factor = float(np.log(self.dimension_factor))
        return float(np.sqrt(2.0 * self.v * log_factor)) + self.L * log_factor / 3.0


@dataclass(frozen=True)
class MatrixBernstein(_Bernstein):
    r"""Bound of ``||S_1 + ... + S_K||`` for independent centred random matrices.

    Tropp (2015), Theorem 1.6.2: if ``E S_k = 0`` and ``||S_k|| <= L`` for all k, and
    ``v = max(||sum E S_k S_k^T||, ||sum E S_k^T S_k||)``, then for Z the sum
    ``P(||Z|| >= t) <= (d1 + d2) exp(-(t^2/2) / (v + L t / 3))`` and
    ``E ||Z|| <= sqrt(2 v log(d1 + d2)) + (L/3) log(d1 + d2)``.

    Parameters
    ----------
    L : float
        Almost-sure bound of every ``||S_k||``.
    v : float
        Matrix variance of the sum.
    dim1, dim2 : int
        Shape of each ``S_k``.
    """

    dim1: int
    dim2: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_dimension("dim1", self.dim1)
        check_dimension("dim2", self.dim2)

    @property
    def dimension_factor(self) -> int:
        """``d1 + d2``."""
        return self.dim1 + self.dim2


@dataclass(frozen=True)
class HermitianBernstein(_Bernstein):
    r"""Bound of ``lambda_max(S_1 + ... + S_K)`` for independent centred symmetric matrices.

    Tropp (2015), Theorem 6.6.1: needs ``lambda_max(S_k) <= L`` only, takes
    ``v = ||sum E S_k^2||``, and has the factor ``dim`` where `MatrixBernstein`, which bounds
    the norm (both ends of the spectrum), has ``2 dim``.

    Parameters
    ----------
    L : float
        Almost-sure bound of every ``lambda_max(S_k)``.
    v : float
        Matrix variance of the sum.
    dim : int
        Each ``S_k`` is ``(dim, dim)``.
    """

    dim: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_dimension("dim", self.dim)

    @property
    def dimension_factor(self) -> int:
        """``dim``."""
        return self.dim


@dataclass(frozen=True)
class BernsteinEstimate:
    """Parameters of matrix Bernstein read off samples; see `estimate_L_v`.

    Attributes
    ----------
    L, v : float
        Largest norm seen, and estimated matrix variance of the sum.
    dim1, dim2 : int
        Shape of each sample.
    terms : int
        Number of terms of the sum that v belongs to.
    samples : int
        Number of samples read.
    """

    L: float
    v: float
    dim1: int
    dim2: int
    terms: int
    samples: int

    def bound(self) -> MatrixBernstein:
        """Return the inequality with the estimated parameters: an estimate, not a theorem."""
        return MatrixBernstein(self.L, self.v, self.dim1, self.dim2)


def estimate_L_v(samples: Iterable[torch.Tensor], *, terms: int | None = None) -> BernsteinEstimate:
    r"""Estimate L and v of matrix Bernstein from samples of the terms.

    ``L`` is the largest ``||S_k||`` seen. It is a *lower* bound of the almost-sure bound that the
    theorem asks for (which may be infinite), and ``v`` fluctuates around
    ``terms * max(||E S S^T||, ||E S^T S||)``, a little above it on average (Jensen). A tail computed
    from them is therefore an estimate of the theorem's bound, not a theorem.

    Parameters
    ----------
    samples : iterable of torch.Tensor, each (d1, d2)
        Independent samples of a *centred* term; nothing is subtracted here. Symmetric samples need
        one half of the work. Read once, one at a time.
    terms : int, optional
        Number of terms in the sum under study; by default the samples are the terms themselves.

    Raises
    ------
    InputError
        If there are no samples, their shapes differ, or an entry is not finite.
    """
    L, count = 0.0, 0
    left = right = torch.zeros(0)
    shape: tuple[int, ...] = ()
    for sample in samples:
        count += 1
        S = sample.detach().to(torch.float64)
        shape = shape or tuple(S.shape)
        require(tuple(S.shape) == shape, "samples", f"all of shape {shape}", tuple(S.shape))
        require(S.ndim == 2 and S.numel() > 0, "samples", "matrices with at least one entry", shape)
        require(bool(torch.isfinite(S).all()), "samples", "finite in every entry", "NaN or inf")
        symmetric = shape[0] == shape[1] and torch.equal(S, S.T)
        L = max(L, matrix_norm(S, symmetric))
        outer = S @ S.T
        inner = outer if symmetric else S.T @ S
        left, right = (outer, inner) if count == 1 else (left + outer, right + inner)
    require(count > 0, "samples", "at least one matrix", "none")
    require(terms is None or terms >= 1, "terms", "a positive integer", terms)
    terms = count if terms is None else terms
    v = terms / count * max(matrix_norm(left, True), matrix_norm(right, True))
    return BernsteinEstimate(L, v, shape[0], shape[1], terms, count)


def matrix_norm(S: torch.Tensor, symmetric: bool) -> float:
    """Spectral norm by a full decomposition."""
    if symmetric:
        return float(torch.linalg.eigvalsh(S).abs().max())
    return float(torch.linalg.svdvals(S)[0])
