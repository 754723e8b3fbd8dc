r"""Matrix Chernoff inequalities, and estimates of their parameters.

Source: J. A. Tropp (2012), "User-friendly tail bounds for sums of random matrices", Foundations of
Computational Mathematics 12, Corollary 5.2, as caron2023 prints it in Proposition B.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq

from whp.bounds.matrix_bernstein import check_dimension
from whp.errors import require

Floats = NDArray[np.float64]

ROUNDING = 1e-10
"""How far below zero, relative to the largest, an eigenvalue of a semi-definite sample may come out."""


@dataclass(frozen=True)
class MatrixChernoff:
    r"""Bounds of the extreme eigenvalues of ``S = X_1 + ... + X_p``, independent and positive semi-definite.

    With ``eig_max(X_j) <= R`` almost surely and ``mu_min``, ``mu_max`` the extreme eigenvalues of ``E S``,

    ``P(eig_min(S) <= (1 - delta) mu_min) <= n [e^-delta / (1 - delta)^(1 - delta)]^(mu_min / R)``
    ``<= n exp(-delta^2 mu_min / (2 R))`` for delta in [0, 1), and

    ``P(eig_max(S) >= (1 + delta) mu_max) <= n [e^delta / (1 + delta)^(1 + delta)]^(mu_max / R)``
    ``<= n exp(-delta^2 mu_max / ((2 + delta) R))`` for delta >= 0.

    The methods take the first form unless ``simple``.

    Parameters
    ----------
    n : int
        Each ``X_j`` is (n, n).
    mu_min, mu_max : float
        Extreme eigenvalues of ``E S``.
    R : float
        Almost-sure bound of every ``eig_max(X_j)``.

    Raises
    ------
    InputError
        If n is not a positive integer, R not positive and finite, or not ``0 <= mu_min <= mu_max``.
    """

    n: int
    mu_min: float
    mu_max: float
    R: float

    def __post_init__(self) -> None:
        check_dimension("n", self.n)
        require(0.0 < self.R < math.inf, "R", "positive and finite", self.R)
        require(0.0 <= self.mu_min < math.inf, "mu_min", "finite and not negative", self.mu_min)
        require(self.mu_min <= self.mu_max < math.inf, "mu_max", "finite and at least mu_min", self.mu_max)

    @overload
    def lower_tail(self, delta: float, *, simple: bool = ...) -> float: ...
    @overload
    def lower_tail(self, delta: Floats, *, simple: bool = ...) -> Floats: ...
    def lower_tail(self, delta: float | Floats, *, simple: bool = False) -> float | Floats:
        """Return the bound of ``P(eig_min(S) <= (1 - delta) mu_min)``, at most 1.

        Raises
        ------
        InputError
            If delta is not in [0, 1).
        """
        share = np.asarray(delta, dtype=np.float64)
        require(bool(((share >= 0.0) & (share < 1.0)).all()), "delta", "in [0, 1)", delta)
        return self._bound(lower_exponent(share, simple=simple) * (self.mu_min / self.R))

    @overload
    def upper_tail(self, delta: float, *, simple: bool = ...) -> float: ...
    @overload
    def upper_tail(self, delta: Floats, *, simple: bool = ...) -> Floats: ...
    def upper_tail(self, delta: float | Floats, *, simple: bool = False) -> float | Floats:
        """Return the bound of ``P(eig_max(S) >= (1 + delta) mu_max)``, at most 1.

        Raises
        ------
        InputError
            If delta is negative or not a number.
        """
        share = np.asarray(delta, dtype=np.float64)
        require(bool((share >= 0.0).all()), "delta", "at least 0", delta)
        return self._bound(upper_exponent(share, simple=simple) * (self.mu_max / self.R))

    def lower_quantile(self, probability: float, *, simple: bool = False) -> float:
        """Return the level that ``eig_min(S)`` exceeds but with the given probability of failure, at least 0.

        It is ``(1 - delta) mu_min`` at the smallest delta with ``lower_tail(delta) <= probability``; 0,
        which says nothing, where there is none below 1.

        Raises
        ------
        InputError
            If the probability is not in (0, 1].
        """
        need = self._needed(probability, self.mu_min)
        if need >= (0.5 if simple else 1.0):  # the exponent at delta = 1
            return 0.0
        if simple:
            return (1.0 - math.sqrt(2.0 * need)) * self.mu_min
        return (1.0 - _root(lower_exponent, need, 1.0)) * self.mu_min

    def upper_quantile(self, probability: float, *, simple: bool = False) -> float:
        """Return the level that ``eig_max(S)`` stays below but with the given probability of failure.

        Raises
        ------
        InputError
            If the probability is not in (0, 1], or ``mu_max`` is zero.
        """
        require(self.mu_max > 0.0, "mu_max", "above 0 for a quantile", self.mu_max)
        need = self._needed(probability, self.mu_max)
        delta = 0.5 * (need + math.sqrt(need * (need + 8.0)))  # of delta^2 / (2 + delta) = need
        if not simple:
            delta = _root(upper_exponent, need, delta)
        return (1.0 + delta) * self.mu_max

    def _needed(self, probability: float, mu: float) -> float:
        """The exponent, for mu = R, at which the bound is the given probability."""
        require(0.0 < probability <= 1.0, "probability", "in (0, 1]", probability)
        need = max(0.0, (math.log(self.n) - math.log(probability)) * self.R)
        return need / mu if mu > 0.0 else math.inf

    def _bound(self, exponent: Floats) -> float | Floats:
        bound = np.minimum(1.0, np.exp(math.log(self.n) - exponent))
        return float(bound) if bound.ndim == 0 else bound


def lower_exponent(delta: float | Floats, *, simple: bool = False) -> Floats:
    """Return ``delta + (1 - delta) log(1 - delta)``, or its minorant ``delta^2 / 2``, for delta in [0, 1]."""
    share = np.asarray(delta, dtype=np.float64)
    if simple:
        return share**2 / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 log 0 at delta = 1
        entropy = np.where(share < 1.0, (1.0 - share) * np.log1p(-share), 0.0)
    return np.asarray(share + entropy)


def upper_exponent(delta: float | Floats, *, simple: bool = False) -> Floats:
    """Return ``(1 + delta) log(1 + delta) - delta``, or its minorant ``delta^2 / (2 + delta)``."""
    share = np.asarray(delta, dtype=np.float64)
    if simple:
        return share * (share / (2.0 + share))
    return np.asarray((1.0 + share) * np.log1p(share) - share)


def _root(exponent: Callable[[float], Floats], need: float, top: float) -> float:
    """Return the delta in [0, top] at which a rising exponent is ``need``."""
    if need <= 0.0:
        return 0.0
    if float(exponent(top)) <= need:  # as far as rounding tells
        return top
    return float(brentq(lambda delta: float(exponent(delta)) - need, 0.0, top, xtol=1e-300, rtol=1e-14))


@dataclass(frozen=True)
class ChernoffEstimate:
    """Parameters of matrix Chernoff read off samples; see `estimate_R_mu`.

    Attributes
    ----------
    R : float
        Largest eigenvalue seen in a sample.
    mu_min, mu_max : float
        Extreme eigenvalues of the estimated mean of the sum.
    n : int
        Size of each sample.
    terms : int
        Number of terms of the sum that mu belongs to.
    samples : int
        Number of samples read.
    """

    R: float
    mu_min: float
    mu_max: float
    n: int
    terms: int
    samples: int

    def bound(self) -> MatrixChernoff:
        """Return the inequality with the estimated parameters: an estimate, not a theorem."""
        return MatrixChernoff(self.n, self.mu_min, self.mu_max, self.R)


def estimate_R_mu(samples: Iterable[torch.Tensor], *, terms: int | None = None) -> ChernoffEstimate:
    r"""Estimate R, mu_min and mu_max of matrix Chernoff from samples of the terms.

    ``R`` is the largest eigenvalue seen: a *lower* bound of the almost-sure bound that the inequality asks
    for. By concavity ``mu_min`` comes out a little too small on average, and ``mu_max`` a little too large. A
    tail computed from them is an estimate of the inequality's, not a theorem.

    Parameters
    ----------
    samples : iterable of torch.Tensor, each (n, n)
        Independent samples of a term, symmetric and positive semi-definite. Read once, one at a time.
    terms : int, optional
        Number of terms in the sum under study; by default the samples are the terms themselves.

    Raises
    ------
    InputError
        If there are no samples, their shapes differ, an entry is not finite, a sample is not symmetric or has
        a negative eigenvalue, or all are zero.
    """
    require(terms is None or terms >= 1, "terms", "a positive integer", terms)
    total = torch.zeros(0)
    R, count = 0.0, 0
    for sample in samples:
        S = sample.detach().to(torch.float64)
        square = S.ndim == 2 and S.shape[0] == S.shape[1] and S.numel() > 0
        require(square, "samples", "square matrices with at least one entry", tuple(S.shape))
        total = torch.zeros_like(S) if count == 0 else total
        require(S.shape == total.shape, "samples", f"all of shape {tuple(total.shape)}", tuple(S.shape))
        require(bool(torch.isfinite(S).all()), "samples", "finite in every entry", "NaN or inf")
        size = float(S.abs().max())
        skew = float((S - S.T).abs().max())
        require(skew <= ROUNDING * size, "samples", "symmetric", f"a difference of {skew:.3g} from S^T")
        eigenvalues = torch.linalg.eigvalsh(S)
        low, high = float(eigenvalues[0]), float(eigenvalues[-1])
        semi = low >= -ROUNDING * len(S) * size
        require(semi, "samples", "positive semi-definite", f"an eigenvalue of {low:.6g}")
        R, total, count = max(R, high), total + S, count + 1
    require(count > 0, "samples", "at least one matrix", "none")
    require(R > 0.0, "samples", "other than zero", f"{count} zero matrices")
    number = count if terms is None else terms
    mean = torch.linalg.eigvalsh((total + total.T) / 2) * (number / count)
    low, high = max(0.0, float(mean[0])), float(mean[-1])
    return ChernoffEstimate(R, low, high, len(total), number, count)
