r"""The node scales of a shallow network: ``lambda_{m,j}`` of caron2023, equation (1).

Source: F. Caron, F. Ayed, P. Jung, H. Lee, J. Lee, H. Yang (2023), "Over-parameterised shallow neural
networks with asymmetrical node scaling: global convergence guarantees and feature learning", NeurIPS;
equations (1) and (35), Propositions B.2 and 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from scipy.special import zeta
from torch import Tensor

from whp.errors import require

BLOCK = 1 << 20
"""How many scales a sum over all of them holds at a time."""

LONGEST_SUM = 1 << 26
"""Zipf weights are summed one by one up to here, and by Hurwitz' zeta beyond."""

UNIT_SUM = 1e-6
"""How far from one the sum of a user's sequence may be: what rounding in single precision explains."""

LARGEST_EXPONENT = 1e5
"""Exponents of zeta are cut here, as scipy has no value at 1e300; 1/2 to this power is zero already."""


def zipf_weights(m: int, alpha: float) -> Tensor:
    r"""Return the first m Zipf weights ``lambda~_j = j^(-1/alpha) / zeta(1/alpha)`` (caron2023, (35)).

    Parameters
    ----------
    m : int
        How many, at least 1.
    alpha : float
        In (0, 1): the smaller, the faster they fall.

    Returns
    -------
    Tensor, (m,), float64
        They sum to one over all j, so to less over j <= m: ``zipf_power_sum(alpha, above=m)`` is left.

    Raises
    ------
    InputError
        If m is not a positive integer or alpha not in (0, 1).
    """
    _check_width(m)
    check_alpha(alpha)
    return _powers(0, m, alpha) / float(zeta(1.0 / alpha))


def zipf_power_sum(alpha: float, r: float = 1.0, above: int = 0) -> float:
    r"""Return ``sum_{j > above} lambda~_j^r``, the Zipf weights' power sum, without truncation.

    It is ``zeta(r/alpha, above + 1) / zeta(1/alpha)^r`` with Hurwitz' zeta; for r = 2, above = 0 the curve
    of caron2023, Figure 1.

    Parameters
    ----------
    alpha : float
        In (0, 1).
    r : float
        The power; the series converges for r > alpha.
    above : int
        How many of the first weights are left out.

    Raises
    ------
    InputError
        If alpha is not in (0, 1), r not above alpha, or ``above`` negative.
    """
    check_alpha(alpha)
    require(alpha < r < math.inf, "r", f"finite and above alpha = {alpha:g} (else the sum diverges)", r)
    require(isinstance(above, (int, np.integer)) and above >= 0, "above", "an integer, at least 0", above)
    # Far out, or at small alpha, Hurwitz' zeta underflows to 0, which is right.
    return float(zeta(min(r / alpha, LARGEST_EXPONENT), above + 1.0) / zeta(1.0 / alpha) ** r)


@dataclass(frozen=True)
class NodeScales:
    r"""The scales ``lambda_{m,j} = gamma/m + (1 - gamma) lambda~_j / sum_{k <= m} lambda~_k``, j = 1..m.

    Made by :func:`node_scales`. Nothing of size m is held until `values` or `second` is asked for; `block`
    gives any stretch of them.

    Attributes
    ----------
    m : int
        The width.
    gamma : float
        The share of the symmetrical part, in [0, 1]; 1 is the NTK scaling.
    alpha : float or None
        The Zipf exponent, if the sequence is Zipf's.
    tilde : Tensor or None
        The start of the user's sequence, float64; zero beyond.
    total : float
        The sum over j <= m of what ``lambda~`` is proportional to.
    """

    m: int
    gamma: float
    alpha: float | None
    tilde: Tensor | None = field(repr=False)
    total: float = field(repr=False)

    @property
    def first(self) -> float:
        """The symmetrical part ``lambda^(1)_{m,j} = gamma / m``, the same for all j."""
        return self.gamma / self.m

    @cached_property
    def second(self) -> Tensor:
        """The asymmetrical part ``lambda^(2)_{m,j}``, shape (m,), float64."""
        return self._second(0, self.m)

    @cached_property
    def values(self) -> Tensor:
        """All ``lambda_{m,j}``, shape (m,), float64."""
        return self.block(0, self.m)

    def block(self, start: int, stop: int) -> Tensor:
        """Return ``lambda_{m,j}`` for start < j <= stop (counted from one), shape (stop - start,), float64.

        Raises
        ------
        InputError
            If not ``0 <= start <= stop <= m``.
        """
        require(0 <= start <= stop <= self.m, "start, stop", f"ordered within 0..{self.m}", (start, stop))
        return self._second(start, stop).add_(self.first)

    def power_sum(self, r: float) -> float:
        """Return ``sum_{j <= m} lambda_{m,j}^r``; r = 1/2, 3/2 and 2 are those of the paper's bounds.

        Raises
        ------
        InputError
            If r is not positive and finite.
        """
        require(0 < r < math.inf, "r", "positive and finite", r)
        return math.fsum(float((self.block(a, b) ** r).sum()) for a, b in _blocks(self.m))

    def _second(self, start: int, stop: int) -> Tensor:
        if self.tilde is not None:
            part = torch.zeros(stop - start, dtype=torch.float64)
            known = self.tilde[start:stop]
            part[: len(known)] = known
        elif self.alpha is not None:
            part = _powers(start, stop, self.alpha)
        else:
            return torch.zeros(stop - start, dtype=torch.float64)
        return part.mul_((1.0 - self.gamma) / self.total)


def node_scales(
    m: int, gamma: float, alpha: float | None = None, *, tilde: Sequence[float] | Tensor | None = None
) -> NodeScales:
    r"""Return the node scales of width m (caron2023, equation (1)).

    Parameters
    ----------
    m : int
        The width, at least 1.
    gamma : float
        In [0, 1].
    alpha : float, optional
        In (0, 1): takes the Zipf weights (35) for ``lambda~``.
    tilde : sequence of float or Tensor, optional
        A sequence of the user's own in place of Zipf's: the start of ``lambda~``, zero beyond. It must
        decrease (or stay), not be negative, and sum to one (within 1e-6) over its whole length, which may
        exceed m or not; ``[1/K] * K`` is a finite network of width K at gamma = 0.

    Raises
    ------
    InputError
        If m is not a positive integer; gamma or alpha lies outside its range; ``tilde`` is negative, not
        finite, increases somewhere, or does not sum to one; both are given, or neither where gamma < 1.
    """
    _check_width(m)
    require(_is_number(gamma) and 0.0 <= gamma <= 1.0, "gamma", "in [0, 1]", gamma)
    require(alpha is None or tilde is None, "alpha", "left out where tilde is given", alpha)
    known = alpha is not None or tilde is not None or gamma == 1.0
    require(known, "alpha", "given (or tilde) where gamma is below 1", alpha)
    if tilde is not None:
        sequence = _check_tilde(tilde)
        return NodeScales(int(m), float(gamma), None, sequence, math.fsum(sequence[:m].tolist()))
    if alpha is None:
        return NodeScales(int(m), 1.0, None, None, 1.0)
    check_alpha(alpha)
    if m > LONGEST_SUM:
        total = float(zeta(1.0 / alpha) - zeta(1.0 / alpha, m + 1.0))
    else:
        total = math.fsum(float(_powers(a, b, alpha).sum()) for a, b in _blocks(m))
    return NodeScales(int(m), float(gamma), float(alpha), None, total)


def check_alpha(alpha: float) -> None:
    """Require a Zipf exponent: a number in (0, 1)."""
    require(_is_number(alpha) and 0.0 < alpha < 1.0, "alpha", "in (0, 1)", alpha)


def _check_width(m: int) -> None:
    integer = isinstance(m, (int, np.integer)) and not isinstance(m, bool)
    require(integer and bool(m >= 1), "m", "a positive integer", m)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _check_tilde(tilde: Sequence[float] | Tensor) -> Tensor:
    """Return the sequence in float64, if it is one that equation (1) admits."""
    sequence = torch.as_tensor(tilde, dtype=torch.float64).detach().clone()
    shaped = sequence.ndim == 1 and len(sequence) > 0
    require(shaped, "tilde", "a sequence of at least one number", tuple(sequence.shape))
    require(bool(torch.isfinite(sequence).all()), "tilde", "finite in every entry", sequence.tolist())
    rises = torch.nonzero(sequence.diff() > 0).flatten()
    if len(rises):
        j = int(rises[0])
        got = f"{sequence[j]:.6g} at j = {j + 1} and {sequence[j + 1]:.6g} at j = {j + 2}"
        require(False, "tilde", "decreasing (or staying) in j", got)
    require(bool(sequence[-1] >= 0), "tilde", "not negative", float(sequence[-1]))
    total = math.fsum(sequence.tolist())
    require(abs(total - 1.0) <= UNIT_SUM, "sum of tilde", "1", total)
    return sequence


def _powers(start: int, stop: int, alpha: float) -> Tensor:
    """Return ``j^(-1/alpha)`` for start < j <= stop."""
    j = torch.arange(start + 1, stop + 1, dtype=torch.float64)
    return j.pow_(-1.0 / alpha)


def _blocks(m: int) -> Iterator[tuple[int, int]]:
    for start in range(0, m, BLOCK):
        yield start, min(m, start + BLOCK)
