"""Certified spectral norms and extreme eigenvalues.

A Ritz value or a power iterate is only ever a *lower* bound of a norm, so a claim
``||A|| <= B`` must not be tested with it. The functions here return both sides: a
lower bound, and an upper bound that holds with a stated probability (or always,
where the matrix is small enough for a full decomposition).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from whp.errors import MeasurementError, require
from whp.interval import Interval
from whp.linalg.lanczos import STARTS, Product, spectrum_edges
from whp.linalg.operators import (
    ROUNDOFF64,
    RoundedOperator,
    SymmetricOperator,
    frobenius_norm,
    product_rounding,
    skew_norm,
    unit_roundoff,
)

Method = Literal["exact", "lanczos"]


@dataclass(frozen=True)
class NormBounds:
    """Two sides of a spectral norm.

    Attributes
    ----------
    low, high : float
        ``low <= ||A||`` always, and ``||A|| <= high`` except with ``failure_probability``.
    failure_probability : float
        Probability, over the random starts, that ``||A|| > high``; 0 for ``exact``.
    method : {"exact", "lanczos"}
        Full decomposition, or Lanczos with a randomised a-posteriori bound.
    matvecs : int
        Products with a vector (for a rectangular matrix those with A.T count too).
    """

    low: float
    high: float
    failure_probability: float
    method: Method
    matvecs: int

    def __post_init__(self) -> None:
        require(0.0 <= self.low <= self.high, "norm bounds", "0 <= low <= high", (self.low, self.high))

    @property
    def relative_width(self) -> float:
        """``(high - low) / low``; 0 for a zero norm, infinite where ``low`` says nothing."""
        if self.high == self.low:
            return 0.0
        return (self.high - self.low) / self.low if self.low > 0.0 else float("inf")


@dataclass(frozen=True)
class ExtremeEigenvalues:
    """Two sides of the smallest and of the largest eigenvalue of a symmetric matrix.

    Attributes
    ----------
    smallest, largest : Interval
        Each contains its eigenvalue; the *outer* ends (``smallest.low``, ``largest.high``) hold
        together except with ``failure_probability``, the inner ones always.
    failure_probability, method, matvecs
        As in `NormBounds`.
    """

    smallest: Interval
    largest: Interval
    failure_probability: float
    method: Method
    matvecs: int


@dataclass(frozen=True)
class _Problem:
    """A symmetric product of norm of order one, and the way back to the units of A."""

    product: Product
    n: int
    device: torch.device
    scale: float  # the product is A / scale, or A.T A / scale^2
    rounding: float  # absolute allowance for one product of A with a unit vector
    relative_rounding: float = 0.0  # the same in units of ||A||, where its size is not known beforehand
    probes: int = 0  # products spent on finding the scale

    def allowance(self, steps: int, norm: float) -> float:
        """Rounding of the products, of the orthogonalisation and of the Ritz values."""
        own = 4.0 * steps * ROUNDOFF64 * max(norm, self.scale)
        return self.rounding + self.relative_rounding * norm + own


def spectral_norm(
    A: torch.Tensor | SymmetricOperator,
    rng: np.random.Generator,
    *,
    failure_probability: float = 1e-10,
    rtol: float = 1e-2,
    exact_below: int = 512,
    max_steps: int = 300,
    symmetric: bool | None = None,
    rounding: float | None = None,
) -> NormBounds:
    r"""Return a lower and a probabilistic upper bound of the largest singular value.

    Tensors whose longer side is below ``exact_below`` get a full decomposition in
    float64. All else gets Lanczos runs from random starts, on A itself when it is
    symmetric and on the smaller Gram matrix (never formed) when it is not, until
    ``high - low <= rtol * low``. When the steps run out, or rounding hides any further
    progress, the interval returned is wider, and just as valid.

    Parameters
    ----------
    A : torch.Tensor of shape (n, p), or SymmetricOperator
        float32 or float64. Products are computed in this precision, all else in float64.
    rng : numpy.random.Generator
        Source of the random starts; the only randomness there is.
    failure_probability : float
        Allowed probability that ``||A|| > high``, 1e-30 or more, over the starts alone: A is fixed.
        A may be random, but must not depend on ``rng``'s draws made here.
    rtol : float
        Relative width at which to stop.
    exact_below : int
        Tensors with both sides below this are decomposed.
    max_steps : int
        Largest number of Lanczos steps, each of four products with a vector.
    symmetric : bool, optional
        Whether to treat a square A as symmetric. By default it is when its skew part is
        within rounding; the norm of the skew part is added to the allowance. With True a skew
        part up to ``1e-3 ||A||_F`` is accepted, at the price of a wider interval.
    rounding : float, optional
        Allowance for the rounding error ``||fl(A v) - A v||`` of one product with a unit
        vector. By default ``2 sqrt(N) u ||A||_F`` for a tensor with longer side N, and
        ``2 N u ||A||`` for an operator (models of rounding, see `product_rounding`), unless it has a
        ``rounding`` of its own (`RoundedOperator`), as one whose terms cancel must.

    Returns
    -------
    NormBounds

    Raises
    ------
    InputError
        If A is empty, not real floating point, has NaN or infinite entries, overflows
        in a product, or a parameter is out of range.
    MeasurementError
        If the randomised bound is seen to have failed, as it may with ``failure_probability``.

    Notes
    -----
    The bound is that of Hochstenbach (2013), "Probabilistic upper bounds for the matrix two-norm",
    from several independent starts; the argument is in `whp.linalg.lanczos`.
    """
    _check_parameters(rng, failure_probability, rtol, max_steps, rounding)
    gram = False
    if isinstance(A, torch.Tensor):
        scale, A = frobenius_norm(A), A.detach()
        if rounding is None:
            rounding = product_rounding(A.shape, A.dtype, scale)
        skew = _skew(A, scale, symmetric)
        gram = skew is None
        if max(A.shape) < exact_below or scale == 0.0:
            return _exact_norm(A, skew)
        problem = (
            _gram_problem(A, scale, rounding) if skew is None else _dense_problem(A, scale, rounding, skew)
        )
    else:
        problem = _operator_problem(A, rng, rounding)
    low, high, steps = 0.0, float("inf"), 0
    for edges in spectrum_edges(
        problem.product,
        problem.n,
        rng,
        problem.device,
        failure_probability=failure_probability,
        max_steps=max_steps,
    ):
        steps = edges.steps
        inner = max(edges.ritz_max, -edges.ritz_min)
        outer = max(edges.upper, -edges.lower)
        if gram:
            inner, outer = float(np.sqrt(max(edges.ritz_max, 0.0))), float(np.sqrt(max(edges.upper, 0.0)))
        inner, outer = problem.scale * inner, problem.scale * outer
        slack = problem.allowance(steps, outer)
        low, high = max(inner - slack, 0.0), outer + slack
        if high - low <= rtol * low or outer - inner <= 0.1 * slack:
            break
    _require_met(low, high, failure_probability)
    matvecs = problem.probes + (2 if gram else 1) * steps * STARTS
    return NormBounds(low, high, failure_probability, "lanczos", matvecs)


def extreme_eigenvalues(
    A: torch.Tensor | SymmetricOperator,
    rng: np.random.Generator,
    *,
    failure_probability: float = 1e-10,
    rtol: float = 1e-2,
    exact_below: int = 512,
    max_steps: int = 300,
    rounding: float | None = None,
) -> ExtremeEigenvalues:
    """Return two sides of the smallest and of the largest eigenvalue of a symmetric A.

    Parameters and errors as in `spectral_norm`; A must be symmetric, ``rtol`` is relative to the
    spectral norm, and ``failure_probability`` is split over the two ends.
    """
    _check_parameters(rng, failure_probability, rtol, max_steps, rounding)
    if isinstance(A, torch.Tensor):
        scale, A = frobenius_norm(A), A.detach()
        if rounding is None:
            rounding = product_rounding(A.shape, A.dtype, scale)
        skew = _skew(A, scale, True) or 0.0
        if max(A.shape) < exact_below or scale == 0.0:
            values = _eigenvalues(A)
            slack = skew + 2.0 * len(A) * ROUNDOFF64 * max(-values[0], values[-1])
            ends = [Interval(x - slack, x + slack) for x in (values[0], values[-1])]
            return ExtremeEigenvalues(ends[0], ends[1], 0.0, "exact", 0)
        problem = _dense_problem(A, scale, rounding, skew)
    else:
        problem = _operator_problem(A, rng, rounding)
    ends, steps = [], 0
    for edges in spectrum_edges(
        problem.product,
        problem.n,
        rng,
        problem.device,
        failure_probability=0.5 * failure_probability,
        max_steps=max_steps,
    ):
        steps = edges.steps
        norm = max(edges.upper, -edges.lower) * problem.scale
        slack = problem.allowance(steps, norm)
        low, inner_low, inner_high, high = (
            x * problem.scale for x in (edges.lower, edges.ritz_min, edges.ritz_max, edges.upper)
        )
        _require_met(low - slack, inner_low + slack, failure_probability)
        _require_met(inner_high - slack, high + slack, failure_probability)
        ends = [Interval(low - slack, inner_low + slack), Interval(inner_high - slack, high + slack)]
        gap = max(inner_low - low, high - inner_high)
        if max(end.width for end in ends) <= rtol * norm or gap <= 0.1 * slack:
            break
    return ExtremeEigenvalues(
        ends[0], ends[1], failure_probability, "lanczos", problem.probes + steps * STARTS
    )


def _require_met(low: float, high: float, failure_probability: float) -> None:
    """Refuse a randomised bound that contradicts the sure one: the event it is allowed has happened."""
    rule = (
        f"beyond the sure one, which holds except with probability {failure_probability:g}: use another seed"
    )
    require(low <= high, "randomised bound of a norm", rule, (low, high), MeasurementError)


def _check_parameters(
    rng: np.random.Generator, failure_probability: float, rtol: float, max_steps: int, rounding: float | None
) -> None:
    require(isinstance(rng, np.random.Generator), "rng", "a numpy.random.Generator", rng)
    resolved = 1e-30 <= failure_probability < 1.0  # smaller overlaps drown in the rounding of the start
    require(resolved, "failure_probability", "from 1e-30 to below 1", failure_probability)
    require(0.0 < rtol < np.inf, "rtol", "positive", rtol)
    require(max_steps >= 1, "max_steps", "a positive integer", max_steps)
    require(rounding is None or 0.0 <= rounding < np.inf, "rounding", "not negative", rounding)


def _skew(A: torch.Tensor, scale: float, symmetric: bool | None) -> float | None:
    """Return the norm of the skew part of A, or None where A is not to be treated as symmetric."""
    square = A.shape[0] == A.shape[1]
    require(square or not symmetric, "A", "square", tuple(A.shape))
    if symmetric is False or not square:
        return None
    skew = skew_norm(A, scale)
    if symmetric is None:
        return skew if skew <= product_rounding(A.shape, A.dtype, scale) else None
    require(skew <= 1e-3 * scale, "A", "symmetric, its skew part below 1e-3 of its norm", skew)
    return skew


def _eigenvalues(A: torch.Tensor) -> list[float]:
    """Return the eigenvalues of the symmetric part of A, increasing."""
    wide = A.to(torch.float64)
    values: list[float] = torch.linalg.eigvalsh(wide + 0.5 * (wide.T - wide)).tolist()
    return values


def _exact_norm(A: torch.Tensor, skew: float | None) -> NormBounds:
    if skew is None:
        norm = float(torch.linalg.svdvals(A.to(torch.float64))[0])
    else:
        values = _eigenvalues(A)
        norm = max(-values[0], values[-1])
    # LAPACK's backward error is a modest multiple of eps ||A||; its bounds grow at most like the size.
    slack = 2.0 * max(A.shape) * ROUNDOFF64 * norm + (skew or 0.0)
    return NormBounds(max(norm - slack, 0.0), norm + slack, 0.0, "exact", 0)


def _dense_problem(A: torch.Tensor, scale: float, rounding: float, skew: float) -> _Problem:
    def product(V: torch.Tensor) -> torch.Tensor:
        # V^T A in place of A V: a few long rows take up to half the time of a few columns.
        return (V.T.to(A.dtype) @ A).T.to(torch.float64) / scale

    # The runs see A^T = S - K; dropping the skew part K changes products and norm by its norm each.
    return _Problem(product, A.shape[0], A.device, scale, rounding + 2.0 * skew)


def _gram_problem(A: torch.Tensor, scale: float, rounding: float) -> _Problem:
    tall = A if A.shape[0] >= A.shape[1] else A.T

    def product(V: torch.Tensor) -> torch.Tensor:
        W = (tall @ V.to(A.dtype)).to(torch.float64) / scale
        # Unit columns in between: squares of small or large entries stay inside float32.
        norms: torch.Tensor = W.norm(dim=0).clamp_min(torch.finfo(torch.float64).tiny)
        return (tall.T @ (W / norms).to(A.dtype)).to(torch.float64) * (norms / scale)

    # Two products, each off by r: the Gram matrix is off by 2 r ||A||, and its root by at most 2 r.
    return _Problem(product, tall.shape[1], A.device, scale, 2.0 * rounding)


def _operator_problem(A: SymmetricOperator, rng: np.random.Generator, rounding: float | None) -> _Problem:
    require(isinstance(A, SymmetricOperator), "A", "a tensor or a SymmetricOperator", type(A).__name__)
    require(A.dtype in (torch.float32, torch.float64), "A", "float32 or float64", A.dtype)
    shape = tuple(A.shape)
    require(len(shape) == 2 and shape[0] == shape[1] >= 1, "A", "square and not empty", shape)
    n = shape[0]
    if rounding is None and isinstance(A, RoundedOperator):
        rounding = A.rounding

    def product(V: torch.Tensor) -> torch.Tensor:
        W = A.matmat(V.to(A.dtype))
        require(W.shape == V.shape, "A.matmat(V)", f"of shape {tuple(V.shape)}", tuple(W.shape))
        return W.to(torch.float64)

    probe = torch.from_numpy(rng.standard_normal((n, 1))).to(A.device)
    scale = float(product(probe / probe.norm()).norm())
    require(np.isfinite(scale), "A", "scaled so that A v is finite", scale)
    scale = max(scale, torch.finfo(torch.float64).tiny)  # zero only if A is, with probability one
    relative = 2.0 * n * unit_roundoff(A.dtype) if rounding is None else 0.0
    return _Problem(lambda V: product(V) / scale, n, A.device, scale, rounding or 0.0, relative, probes=1)
