r"""Matrix Bernstein inequalities for terms without an almost-sure bound, and estimates of their parameters.

The terms S_1, ..., S_N are independent and centred; K is the largest sub-exponential norm of their norms,
``E exp(||S_k|| / K) <= 2``, and v the matrix variance of the sum, as in `MatrixBernstein`.

- `KlochkovZhivotovskiy`: what hu2020 uses for its Proposition D.10, with an absolute constant that no
  source prints.
- `SubExponentialBernstein`: Tropp (2012), Theorem 6.2, explicit, from bounds of all moments. Its constructor
  ``truncated`` takes the parameters above and has the same two regimes, so it is the explicit version of the
  other one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch

from whp.bounds.matrix_bernstein import MatrixBernstein, check_dimension, matrix_norm
from whp.bounds.scalar import Floats, check_delta, check_not_negative, estimate_psi, levels
from whp.errors import require


@dataclass(frozen=True)
class KlochkovZhivotovskiy:
    r"""Matrix Bernstein for sub-exponential terms, with an absolute constant that is not printed.

    Klochkov and Zhivotovskiy (2020), Proposition 4.1, as Klochkov's dissertation states it (Theorem 3.4
    there): for ``u >= 1``, with probability at least ``1 - exp(-u)``,
    ``||Z|| <= C (sqrt(v (log D + u)) + K log(N) (log D + u))``. hu2020 has it as
    ``P(||Z|| > u) <~ D exp(-Omega(min{u^2 / v, u / (K log N)}))`` for u beyond ``sqrt(v)`` and ``K log N``.
    Here D = d1 + d2, and ``M = K log2(2 N)`` stands for ``K log N``: it is positive at N = 1, and bounds the
    psi_1 norm of the largest ``||S_k||``, as ``E max exp(||S_k|| / M) <= (2 N)^(K/M) = 2``.

    Parameters
    ----------
    K, v : float
        Largest psi_1 norm of a ``||S_k||``; matrix variance of the sum.
    terms : int
        N, the number of terms.
    dim1, dim2 : int
        Shape of each term.
    constant : float
        C: a bound with a C of one's own is no theorem. The quantile is proportional to it, so a measured norm
        over the quantile at ``constant = 1`` is the C that this norm would need.
    """

    K: float
    v: float
    terms: int
    dim1: int
    dim2: int
    constant: float

    def __post_init__(self) -> None:
        check_not_negative("K", self.K)
        check_not_negative("v", self.v)
        for name in ("terms", "dim1", "dim2"):
            check_dimension(name, getattr(self, name))
        require(0.0 < self.constant < np.inf, "constant", "finite and positive", self.constant)

    @property
    def dimension_factor(self) -> int:
        """``d1 + d2``."""
        return self.dim1 + self.dim2

    @property
    def M(self) -> float:
        """``K log2(2 N)``."""
        return self.K * float(np.log2(2 * self.terms))

    @overload
    def tail(self, t: float) -> float: ...
    @overload
    def tail(self, t: Floats) -> Floats: ...
    def tail(self, t: float | Floats) -> float | Floats:
        """Return the bound of ``P(||Z|| >= t)``: 1 below the quantile at ``exp(-1)``, as u >= 1."""
        level = np.maximum(levels(t), 0.0) / self.constant
        # The root of sqrt(v) r + M r^2 = level is 2 level / (sqrt v + sqrt(v + 4 M level)).
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            root = 2.0 * level / (np.sqrt(self.v) + np.sqrt(self.v + 4.0 * self.M * level))
            root = np.where(np.isinf(level), np.inf, np.where(level > 0.0, root, 0.0))
            exponent = root**2 - np.log(self.dimension_factor)
        bound = np.where(exponent >= 1.0, np.exp(-np.maximum(exponent, 1.0)), 1.0)
        return float(bound) if bound.ndim == 0 else bound

    def quantile(self, delta: float) -> float:
        """Return the smallest t with ``tail(t) <= delta``; 0 at ``delta = 1``."""
        check_delta(delta)
        if delta == 1.0:
            return 0.0
        x = float(np.log(self.dimension_factor)) + max(1.0, -float(np.log(delta)))
        return self.constant * (float(np.sqrt(self.v * x)) + self.M * x)

    def expectation(self) -> float:
        """Return a bound of ``E ||Z||``: the quantile at ``exp(-1)``, and the tail integrated beyond it.

        With ``x = log D + u``, the derivative of the quantile is ``C (sqrt(v / x) / 2 + M)``, and ``x >= 1``.
        """
        x = float(np.log(self.dimension_factor)) + 1.0
        beyond = self.constant * (0.5 * float(np.sqrt(self.v / x)) + self.M) * float(np.exp(-1.0))
        return self.quantile(float(np.exp(-1.0))) + beyond


@dataclass(frozen=True)
class SubExponentialBernstein:
    r"""Matrix Bernstein from bounds of all moments, with explicit constants.

    Tropp (2012), "User-friendly tail bounds for sums of random matrices", Theorem 6.2: if S_k is symmetric
    and ``E S_k^p <= (p!/2) R^(p-2) A_k^2`` in the semidefinite order for p = 2, 3, ..., then
    ``P(lambda_max(Z) >= t) <= d exp(-(t^2/2) / (v + R t))`` with ``v = ||sum A_k^2||``. For the norm of a
    rectangular sum this is used with the Hermitian dilation, and d is d1 + d2.

    Parameters
    ----------
    R, v : float
        Scale and variance parameter above.
    dim1, dim2 : int
        Shape of each term.
    """

    R: float
    v: float
    dim1: int
    dim2: int

    def __post_init__(self) -> None:
        check_not_negative("R", self.R)
        _ = self._bounded

    @property
    def _bounded(self) -> MatrixBernstein:
        # The bounded inequality has L/3 where this one has R.
        return MatrixBernstein(3.0 * self.R, self.v, self.dim1, self.dim2)

    @classmethod
    def from_psi_1(cls, K: float, terms: int, dim1: int, dim2: int) -> SubExponentialBernstein:
        """Return what the psi_1 norm alone gives: ``E ||S||^p <= p! K^p``, so R = K and ``v = 2 N K^2``.

        The matrix variance is not used, which makes v too large by up to a factor of the dimension.
        """
        check_dimension("terms", terms)
        return cls(K, 2.0 * terms * K**2, dim1, dim2)

    @classmethod
    def truncated(
        cls, K: float, v: float, terms: int, dim1: int, dim2: int, *, inflation: float = 0.1
    ) -> SubExponentialBernstein:
        r"""Return what psi_1 norm and matrix variance give together: Klochkov-Zhivotovskiy, made explicit.

        For symmetric S and any B, ``E S^p <= E ||S||^(p-2) S^2 <= B^(p-2) E S^2 + E[||S||^p; ||S|| > B] I``.
        Here ``B^(p-2) <= (p!/2) (B/3)^(p-2)``; and by ``P(||S|| > s) <= 2 exp(-s/K)`` the last expectation is
        at most ``2 K^p Gamma(p + 1, B/K) <= (p!/2) (3 K)^(p-2) 108 K^2 exp(-2 B / (3 K))``. So
        ``R = max(3 K, B/3)`` and the variance parameter is ``v + 108 N K^2 exp(-2 B / (3 K))``; B is chosen
        to make that ``(1 + inflation) v``: ``R = K max(3, log(108 N K^2 / (inflation v)) / 2)``.

        Parameters
        ----------
        K, v : float
            Largest psi_1 norm of a ``||S_k||``; matrix variance of the sum, positive (unless K is 0).
        terms, dim1, dim2 : int
            Number of terms, and the shape of each.
        inflation : float
            By how much the variance may grow, as a share of it.
        """
        check_not_negative("K", K)
        check_dimension("terms", terms)
        require(0.0 < inflation < np.inf, "inflation", "finite and positive", inflation)
        if K == 0.0:
            return cls(0.0, 0.0, dim1, dim2)
        require(0.0 < v < np.inf, "v", "finite and positive", v)
        logarithm = float(np.log(108.0 * terms / inflation) + 2.0 * np.log(K) - np.log(v))
        return cls(K * max(3.0, logarithm / 2.0), (1.0 + inflation) * v, dim1, dim2)

    @overload
    def tail(self, t: float) -> float: ...
    @overload
    def tail(self, t: Floats) -> Floats: ...
    def tail(self, t: float | Floats) -> float | Floats:
        """Return the bound of ``P(||Z|| >= t)``, at most 1."""
        return self._bounded.tail(t)

    def quantile(self, delta: float) -> float:
        """Return the smallest t with ``tail(t) <= delta``."""
        return self._bounded.quantile(delta)

    def expectation(self) -> float:
        """Return the bound of ``E ||Z||``, ``sqrt(2 v log D) + R log D``."""
        return self._bounded.expectation()


@dataclass(frozen=True)
class UnboundedEstimate:
    """Parameters of the unbounded inequalities read off samples; see `estimate_unbounded`.

    Attributes
    ----------
    K : float
        psi_1 norm of the sampled norms.
    v, R : float
        Matrix variance of the sum, and the scale of the moments of order 3 to 8 about it.
    below, above : float
        The part of v from samples of norm at most ``level``, and a bound of the rest,
        ``N E[||S||^2; ||S|| > level]``. ``v <= below + above``.
    terms, dim1, dim2, samples : int
        Number of terms of the sum that v belongs to, shape of each, number of samples read.
    """

    K: float
    v: float
    R: float
    below: float
    above: float
    terms: int
    dim1: int
    dim2: int
    samples: int

    def truncated(self) -> SubExponentialBernstein:
        """Return the inequality from K and v: with estimated parameters it is an estimate, no theorem."""
        return SubExponentialBernstein.truncated(self.K, self.v, self.terms, self.dim1, self.dim2)

    def sub_exponential(self) -> SubExponentialBernstein:
        """Return the inequality from R and v: with estimated parameters it is an estimate, no theorem."""
        return SubExponentialBernstein(self.R, self.v, self.dim1, self.dim2)


ORDERS = range(3, 9)


def estimate_unbounded(
    samples: Iterable[torch.Tensor], *, terms: int | None = None, level: float = float("inf")
) -> UnboundedEstimate:
    """Estimate the parameters of the unbounded matrix Bernstein inequalities from samples of the terms.

    All are plug-in: means in place of expectations. K and R are too small on average where the law of
    ``||S||`` has a heavy tail, and R sees no moment beyond the eighth.

    Parameters
    ----------
    samples : iterable of torch.Tensor, each (d1, d2)
        Independent samples of a *centred* term; nothing is subtracted here. Read once, one at a time.
    terms : int, optional
        Number of terms in the sum under study; by default the samples are the terms themselves.
    level : float
        Where the variance is cut in two, the threshold of hu2020, proof of D.10.

    Raises
    ------
    InputError
        If there are no samples, their shapes differ, or an entry is not finite.
    """
    norms: list[float] = []
    shape: tuple[int, ...] = ()
    sides: list[
        list[torch.Tensor]
    ] = []  # sums of ||S||^(p-2) S S^T and S^T S for p = 2..8, and of those below level
    for sample in samples:
        S = sample.detach().to(torch.float64)
        shape = shape or tuple(S.shape)
        require(tuple(S.shape) == shape, "samples", f"all of shape {shape}", tuple(S.shape))
        require(S.ndim == 2 and S.numel() > 0, "samples", "matrices with at least one entry", shape)
        require(bool(torch.isfinite(S).all()), "samples", "finite in every entry", "NaN or inf")
        norm = matrix_norm(S, False)
        norms.append(norm)
        weights = [1.0, *(norm ** (p - 2) for p in ORDERS), float(norm <= level)]
        squares = (S @ S.T, S.T @ S)
        if not sides:
            sides = [[torch.zeros_like(square) for _ in weights] for square in squares]
        for sums, square in zip(sides, squares, strict=True):
            for total, weight in zip(sums, weights, strict=True):
                total.add_(square, alpha=weight)
    count = len(norms)
    require(count > 0, "samples", "at least one matrix", "none")
    terms = count if terms is None else terms
    check_dimension("terms", terms)
    moments = [max(matrix_norm(s, True) for s in pair) / count for pair in zip(*sides, strict=True)]
    one, below = moments[0], moments[-1]
    factors = [
        (2.0 * moment / (math.factorial(p) * one)) ** (1 / (p - 2)) if one else 0.0
        for p, moment in zip(ORDERS, moments[1:-1], strict=True)
    ]
    above = sum(norm**2 for norm in norms if norm > level) / count
    K = estimate_psi(norms)
    return UnboundedEstimate(
        K, terms * one, max(factors), terms * below, terms * above, terms, shape[0], shape[1], count
    )


def psi_1_chi_square(dof: float) -> float:
    """Return the psi_1 norm of a chi-square variable, ``2 / (1 - 2^(-2/dof))``: about ``dof / log 2``.

    From ``E exp(chi^2 / K) = (1 - 2/K)^(-dof/2)``.
    """
    require(0.0 < dof < np.inf, "dof", "finite and positive", dof)
    return float(-2.0 / np.expm1(-2.0 / dof * np.log(2.0)))
