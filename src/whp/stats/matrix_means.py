r"""Confidence sequences for the expectation of a random matrix; exact at every number of trials.

The statement, for symmetric (d, d) matrices ``X_1, X_2, ...`` with eigenvalues in [0, 1] and
``E[X_i | past] = M``.  Let ``C_i`` (a centre, 0 <= C_i <= 1 in the Loewner order) and ``g_i`` (a weight
in [0, 1)) be known before ``X_i``; write ``Y_i = X_i - C_i``, ``psi(g) = -log(1 - g) - g`` and

    G = sum g_i,   S = sum g_i X_i,   V = sum psi(g_i) Y_i^2.

Except with probability alpha, at all n at once and in the Loewner order,

    (S - V - log(d / alpha) I) / G  <=  M.                                                      (*)

*Proof.* (1) Fan's inequality: ``exp(g y - psi(g) y^2) <= 1 + g y`` for y >= -1 and 0 <= g < 1, because
``(u - log(1 + u)) / u^2`` decreases in u, so ``g y - log(1 + g y) <= y^2 (-g - log(1 - g))`` (Fan, Grama and
Liu 2015, Exponential inequalities for martingales with applications).  The eigenvalues of ``Y_i`` are at
least -1, and both sides are functions of the one matrix ``Y_i``, so
``exp(g_i Y_i - psi(g_i) Y_i^2) <= I + g_i Y_i``.  (2) Given the past, its expectation is at most
``I + g_i (M - C_i) <= exp(g_i (M - C_i))``; the logarithm is operator monotone, so
``log E[exp(g_i Y_i - psi(g_i) Y_i^2) | past] <= g_i (M - C_i)``.  (3) Let
``L_n = Tr exp(sum_{i <= n} (g_i (X_i - M) - psi(g_i) Y_i^2))``.  Its exponent grows by
``(g_n Y_n - psi(g_n) Y_n^2) - g_n (M - C_n)``, of which only the first bracket is random given the past; by
Lieb's theorem, in the form ``E Tr exp(H + Z) <= Tr exp(H + log E exp Z)`` (Tropp 2012, User-friendly tail
bounds for sums of random matrices, Corollary 3.3), and as ``Tr exp`` is monotone,
``E[L_n | past] <= L_{n-1}``.  (4) ``L_0 = d``, so by Ville's inequality ``L_n < d / alpha`` at all n except
with probability alpha; and ``Tr exp A >= exp lambda_max(A)``, so then
``S - G M - V <= log(d / alpha) I``.  QED

``I - X_i`` and ``I - C_i`` give the upper side, with the same V.  Since ``A <= B`` orders all eigenvalues,
the two sides together enclose every eigenvalue of M.

*Weights.* Known horizon: ``g_i`` is ``sqrt(2 log(d / alpha) / (horizon v))`` with v the largest eigenvalue of
the variance estimated before ``X_i``, as in Wang and Ramdas 2024; at that n the radius is
``sqrt(2 v log(d / alpha) / n)`` in the limit, that of the matrix Bernstein inequality with the variance
known.  Unknown horizon: (*) for each of the constant weights ``g_k = 0.8 / 2^k``, at the error rate
``alpha / ((k + 1) (k + 2))``, which add up to alpha; all hold at once, so the best may be picked at each n.
The price is an iterated logarithm (25 to 40 % in the radius); weights that fall with i like
``1 / sqrt(i log i)`` would cost a factor ``sqrt(log n)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whp.errors import require
from whp.interval import Interval
from whp.stats.sequences import Array, Rule, finite_array, require_count, require_level

MATRIX_SEQUENCE = Rule(
    "matrix empirical Bernstein sequence",
    "exact for symmetric matrices with eigenvalues in a known range, or rectangular ones of known largest "
    "norm, whose mean given the past is constant",
    "Wang and Ramdas 2024, Sharp matrix empirical Bernstein inequalities; weights and proof in "
    "whp.stats.matrix_means",
)

_LARGEST_WEIGHT = 0.8
# Rounding of the sums of up to 1e5 terms stays below this; the statements are widened by it.
_LOG_SLACK = 1e-8
# Eigenvalues may pass the stated range by this much of its scale, times the size; the range is widened by it.
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class MatrixEstimate:
    """What n samples say about the expectation M of a symmetric matrix; all of it holds at once.

    Attributes
    ----------
    n : int
        Samples used.
    lower, upper : ndarray, shape (d, d)
        ``lower <= M <= upper`` in the Loewner order.
    smallest, largest, norm : Interval
        The smallest and the largest eigenvalue of M, and its spectral norm.
    """

    n: int
    lower: Array
    upper: Array
    smallest: Interval
    largest: Interval
    norm: Interval

    @property
    def centre(self) -> Array:
        """Estimate of M, shape (d, d)."""
        return 0.5 * (self.lower + self.upper)

    @property
    def radius(self) -> float:
        """``||M - centre||`` is at most this."""
        return 0.5 * float(np.linalg.eigvalsh(self.upper - self.lower)[-1])


@dataclass(frozen=True, eq=False)
class RectangularEstimate:
    """What n samples say about the expectation M of a rectangular matrix; all of it holds at once.

    Attributes
    ----------
    n : int
        Samples used.
    centre : ndarray, shape (p, q)
        Estimate of M.
    radius : float
        ``||M - centre||`` is at most this.
    norm : Interval
        The spectral norm of M.
    """

    n: int
    centre: Array
    radius: float
    norm: Interval


@dataclass(frozen=True)
class _Statements:
    """Statements at one n, in units of the range: ``|M - centre_k| <= spread_k`` in the Loewner order."""

    centres: Array  # (K, d, d) or (1, d, d)
    spreads: Array  # (K, d, d)


def _psi(g: Array) -> Array:
    """``-log(1 - g) - g``."""
    return -np.log1p(-g) - g


def _predictable_centres(x: Array) -> Array:
    """Mean of the samples before each, and of one at the middle of the range: (n, d, d)."""
    n, d = x.shape[0], x.shape[1]
    before = np.concatenate([0.5 * np.eye(d)[None], x[:-1]])
    centres: Array = np.cumsum(before, axis=0) / np.arange(1, n + 1)[:, None, None]
    return centres


class _AnyHorizon:
    """Constant weights, each with a share of the error rate."""

    def __init__(self, x: Array, squares: Array, log_level: float) -> None:
        self._sums = np.cumsum(x, axis=0)
        self._squares = np.cumsum(squares, axis=0)
        self._log_level = log_level

    def at(self, n: int) -> _Statements:
        # The squares add up to n at most, so the best weight is above sqrt(2 log(d / alpha) / n).
        k = np.arange(2 + math.ceil(0.5 * math.log2(n)))
        g: Array = np.ldexp(_LARGEST_WEIGHT, -k).astype(np.float64)
        levels = self._log_level + np.log((k + 1.0) * (k + 2.0))
        d = self._sums.shape[1]
        spreads = (_psi(g) / (n * g))[:, None, None] * self._squares[n - 1]
        spreads = spreads + (levels / (n * g))[:, None, None] * np.eye(d)
        return _Statements(self._sums[n - 1 : n] / n, spreads)


class _KnownHorizon:
    """One weight a sample, from the variance of the samples before it."""

    def __init__(self, x: Array, squares: Array, log_level: float, horizon: int) -> None:
        n = x.shape[0]
        top = np.linalg.eigvalsh(np.cumsum(squares, axis=0))[:, -1]  # (n,)
        variance = (0.25 + np.concatenate([[0.0], top[:-1]])) / np.arange(1, n + 1)
        g = np.minimum(np.sqrt(2.0 * log_level / (horizon * variance)), _LARGEST_WEIGHT)
        self._total = np.cumsum(g)
        self._sums = np.cumsum(g[:, None, None] * x, axis=0)
        self._squares = np.cumsum(_psi(g)[:, None, None] * squares, axis=0)
        self._log_level = log_level

    def at(self, n: int) -> _Statements:
        total = self._total[n - 1]
        spread = (self._squares[n - 1] + self._log_level * np.eye(self._sums.shape[1])) / total
        return _Statements(self._sums[n - 1 : n] / total, spread[None])


def _ordered(low: float, high: float, known: Interval) -> Interval:
    """Interval of two ends, cut to the known range.

    Crossed ends (statements that contradict each other: at least one of them is wrong) are put in order.
    """
    ends = np.clip([low, high], known.low, known.high)
    return Interval(float(ends.min()), float(ends.max()))


def _estimate(n: int, said: _Statements, low: float, unit: float, known: Interval) -> MatrixEstimate:
    """Put the statements of one n into the units of the range."""
    eye = np.eye(said.spreads.shape[1])
    lower = low * eye + unit * (said.centres - said.spreads)  # (K, d, d)
    upper = low * eye + unit * (said.centres + said.spreads)
    best = int(np.argmin(np.linalg.eigvalsh(said.spreads)[:, -1]))
    # Each statement encloses every eigenvalue, and all of them hold together.
    least = np.linalg.eigvalsh(lower).max(axis=0)  # (d,)
    most = np.linalg.eigvalsh(upper).min(axis=0)
    smallest = _ordered(float(least[0]), float(most[0]), known)
    largest = _ordered(float(least[-1]), float(most[-1]), known)
    norm = Interval(
        max(0.0, largest.low, -smallest.high),
        max(abs(end) for end in (smallest.low, smallest.high, largest.low, largest.high)),
    )
    return MatrixEstimate(n, lower[best], upper[best], smallest, largest, norm)


def _looks(
    x: Array, looks: Sequence[int], log_level: float, known: Interval, slack: float, horizon: int | None
) -> list[MatrixEstimate]:
    """Estimates at the given numbers of samples from checked input, which may pass its range by the slack."""
    low, unit = known.low - slack, known.width + 2.0 * slack
    scaled = (x - low * np.eye(x.shape[1])) / unit  # eigenvalues in [0, 1]
    deviations = scaled - _predictable_centres(scaled)
    squares = deviations @ deviations
    level = log_level + _LOG_SLACK
    if horizon is None:
        rule: _AnyHorizon | _KnownHorizon = _AnyHorizon(scaled, squares, level)
    else:
        rule = _KnownHorizon(scaled, squares, level, horizon)
    return [_estimate(n, rule.at(n), low, unit, known) for n in looks]


def _check_settings(alpha: float, looks: Sequence[int], n: int, horizon: int | None) -> None:
    require_level(alpha)
    for look in looks:
        require_count("looks", look, 1)
        require(look <= n, "looks", f"at most the {n} samples", look)
    if horizon is not None:
        require_count("horizon", horizon, 1)


def _check_symmetric(x: ArrayLike, low: float, high: float) -> tuple[Array, float]:
    """Return the samples, exactly symmetric, and how much the range must be widened for their rounding."""
    good = math.isfinite(low) and math.isfinite(high) and low < high
    require(good, "range", "a pair low < high", (low, high))
    values = finite_array(x, "x")
    square = values.ndim == 3 and values.shape[1] == values.shape[2] >= 1
    require(square, "x", "of shape (n, d, d)", values.shape)
    slack = _ROUNDING * values.shape[1] * max(abs(low), abs(high))
    flipped = values.transpose(0, 2, 1)
    skew = float(np.abs(values - flipped).max(initial=0.0))
    require(skew <= slack, "x - x.T", "zero in every sample, up to rounding", skew)
    values = 0.5 * (values + flipped)
    ends = np.linalg.eigvalsh(values)
    least, most = float(ends.min(initial=high)), float(ends.max(initial=low))
    inside = least >= low - slack and most <= high + slack
    require(inside, "eigenvalues of x", f"in [{low}, {high}] in every sample", (least, most))
    return values, slack


def matrix_sequence(
    x: ArrayLike, alpha: float, low: float, high: float, *, horizon: int | None = None
) -> MatrixEstimate:
    """Confidence sequence for the expectation of a symmetric matrix: its order, eigenvalues and norm.

    Theorem
        Matrix empirical Bernstein; statement and proof at the head of `whp.stats.matrix_means`.  Each side
        has half of ``alpha``, so ``log(2 d / alpha)`` enters.
    Validity
        Exact, for every n at once, for i.i.d. samples and whenever the mean given the past is constant.  It
        depends on the order of the samples, which must be the order of the trials.

    Parameters
    ----------
    x : array_like, shape (n, d, d)
        The samples so far, in order, each symmetric; n = 0 gives the whole range.
    alpha : float
        Error rate in (0, 1), two-sided, for all statements and all n together.
    low, high : float
        Known range of the eigenvalues of every sample.
    horizon : int, optional
        The number of samples at which the estimate shall be narrowest, chosen before the data are seen: the
        fixed-n matrix empirical Bernstein bound.  It holds at every other n too.  By default it is narrow
        at all n.

    Returns
    -------
    MatrixEstimate

    Raises
    ------
    InputError
        A sample is not finite, not symmetric or has an eigenvalue outside of the range; ``alpha``, the range
        or ``horizon`` breaks its rule.
    """
    values, slack = _check_symmetric(x, low, high)
    n, d = values.shape[0], values.shape[1]
    _check_settings(alpha, (), n, horizon)
    if n == 0:
        ends, norm = Interval(low, high), Interval(max(0.0, low, -high), max(-low, high))
        return MatrixEstimate(0, low * np.eye(d), high * np.eye(d), ends, ends, norm)
    return _looks(values, [n], math.log(2.0 * d / alpha), Interval(low, high), slack, horizon)[0]


def matrix_sequence_looks(
    x: ArrayLike,
    looks: Sequence[int],
    alpha: float,
    low: float,
    high: float,
    *,
    horizon: int | None = None,
) -> list[MatrixEstimate]:
    """Return `matrix_sequence` of the first n samples for each n in ``looks``, in one pass.

    Parameters
    ----------
    x, alpha, low, high, horizon
        As in `matrix_sequence`.
    looks : sequence of int
        Numbers of samples, each from 1 to n.

    Returns
    -------
    list of MatrixEstimate
        One for each look.

    Raises
    ------
    InputError
        As `matrix_sequence`, or a look is out of range.
    """
    values, slack = _check_symmetric(x, low, high)
    _check_settings(alpha, looks, values.shape[0], horizon)
    level = math.log(2.0 * values.shape[1] / alpha)
    return _looks(values, looks, level, Interval(low, high), slack, horizon)


def rectangular_sequence(
    x: ArrayLike, alpha: float, bound: float, *, horizon: int | None = None
) -> RectangularEstimate:
    """Confidence sequence for the expectation of a rectangular matrix and for its spectral norm.

    Theorem
        `matrix_sequence` for the dilations ``[[0, X], [X.T, 0]]``, whose eigenvalues are plus and minus the
        singular values of X, and zeros.  A dilation D and -D are turned into each other by the same
        reflection, and so are the two sides of the statement: they are one event, which has all of ``alpha``
        and ``log((p + q) / alpha)``.
    Validity
        As `matrix_sequence`.

    Parameters
    ----------
    x : array_like, shape (n, p, q)
        The samples so far, in order; n = 0 gives a norm in [0, bound].
    alpha : float
        Error rate in (0, 1), for all statements and all n together.
    bound : float
        Known bound on the spectral norm of every sample.
    horizon : int, optional
        As in `matrix_sequence`.

    Returns
    -------
    RectangularEstimate

    Raises
    ------
    InputError
        A sample is not finite or its norm is above ``bound``; ``alpha``, ``bound`` or ``horizon`` breaks its
        rule.
    """
    require(0.0 < bound < math.inf, "bound", "positive", bound)
    values = finite_array(x, "x")
    require(values.ndim == 3 and min(values.shape[1:]) >= 1, "x", "of shape (n, p, q)", values.shape)
    n, p, q = values.shape
    _check_settings(alpha, (), n, horizon)
    slack = _ROUNDING * (p + q) * bound
    most = float(np.linalg.svd(values, compute_uv=False).max(initial=0.0))
    require(most <= bound + slack, "spectral norm of x", f"at most {bound} in every sample", most)
    if n == 0:
        return RectangularEstimate(0, np.zeros((p, q)), bound, Interval(0.0, bound))
    dilations = np.zeros((n, p + q, p + q))
    dilations[:, :p, p:] = values
    dilations[:, p:, :p] = values.transpose(0, 2, 1)
    whole = _looks(dilations, [n], math.log((p + q) / alpha), Interval(-bound, bound), slack, horizon)[0]
    return RectangularEstimate(n, whole.centre[:p, p:], whole.radius, whole.norm)
