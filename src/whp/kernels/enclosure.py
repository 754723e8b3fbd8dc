"""Certified suprema over the real line, by interval arithmetic on the functions as they are written.

An :class:`Enclosure` goes through the tensor operations of a function in place of a tensor, and comes out
as intervals that contain all its values there. Bisecting them bounds a supremum from both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whp.errors import InputError, MeasurementError, fail, require
from whp.interval import Interval

EPS = torch.finfo(torch.float64).eps
TINY = torch.finfo(torch.float64).tiny
ROUNDING = 4 * EPS  # of one operation, the library's functions included (they are good to one unit)
LARGEST_EXPONENT = 300  # the line is searched to 2^300, whose square is still a number
FAR = 2.0**150  # what is larger out there than nearer by is taken to be unbounded
MOST_CELLS = 1 << 20
MOST_ROUNDS = 80


@dataclass(frozen=True)
class Enclosure:
    """Intervals ``[low, high]``, elementwise, that behave as a tensor in the usual operations.

    Attributes
    ----------
    low, high : Tensor, shape (N,), float64
    """

    low: Tensor
    high: Tensor

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Answer a call such as ``torch.tanh(enclosure)``."""
        known = _FUNCTIONS.get(function)
        name = getattr(function, "__name__", str(function))
        if known is None:
            fail(
                "activation",
                f"made of functions with a known range ({', '.join(FUNCTION_NAMES)})",
                name,
                InputError,
            )
        return known(*args, **(kwargs or {}))

    def new_tensor(self, value: float) -> Enclosure:
        """Return a constant."""
        return _constant(self, value)

    def new_ones(self, shape: Any) -> Enclosure:
        """Return the constant one; the shape is that of ``self``."""
        return _constant(self, 1.0)

    def exp_(self) -> Enclosure:
        """Return the exponential."""
        return _rising(torch.exp)(self)

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.high, -self.low)

    def __add__(self, other: Enclosure | float) -> Enclosure:
        b = _lift(self, other)
        return _outward(self.low + b.low, self.high + b.high)

    __radd__ = __add__

    def __sub__(self, other: Enclosure | float) -> Enclosure:
        return self + -_lift(self, other)

    def __rsub__(self, other: Enclosure | float) -> Enclosure:
        return -self + other

    def __mul__(self, other: Enclosure | float) -> Enclosure:
        if other is self:
            return self**2
        b = _lift(self, other)
        products = torch.stack((self.low * b.low, self.low * b.high, self.high * b.low, self.high * b.high))
        return _outward(products.amin(0), products.amax(0))

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> Enclosure:
        return self * (1 / other)

    def __pow__(self, power: int) -> Enclosure:
        require(power == 2, "power", "2", power)
        ends = torch.stack((self.low**2, self.high**2))
        least = torch.where((self.low <= 0) & (self.high >= 0), 0.0, ends.amin(0))
        found = _outward(least, ends.amax(0))
        return Enclosure(found.low.clamp_min(0), found.high)


def supremum(f: Callable[[Any], Any], *, tolerance: float = 1e-8) -> Interval:
    """Enclose sup |f| over the real line.

    Parameters
    ----------
    f : callable
        Elementwise on tensors, made of functions whose range over an interval is known: sums, products,
        squares, exp, log(e^a + e^b), tanh, sigmoid, erf, erfc, sin and cos.
    tolerance : float
        Width at which the search ends, relative to the supremum.

    Returns
    -------
    Interval
        It contains the supremum over -2^300 <= z <= 2^300, rounding included: a certificate, not an
        estimate.

    Raises
    ------
    InputError
        If a function's range is not known.
    MeasurementError
        If the width is not reached, or values beyond 2^150 are larger than nearer by: it may be unbounded.
    """
    powers = 2.0 ** torch.arange(-2, LARGEST_EXPONENT + 1, dtype=torch.float64)
    ends = torch.cat((-powers.flip(0), powers.new_zeros(1), powers))
    low, high = ends[:-1], ends[1:]
    best = near = biggest = 0.0
    for _ in range(MOST_ROUNDS):
        middle = low + (high - low) / 2
        value = _size(f(Enclosure(middle, middle))).low
        best = max(best, float(value.max()))
        near = max(near, float(torch.where(middle.abs() < FAR, value, 0.0).max()))
        top = _size(f(Enclosure(low, high))).high.nan_to_num(nan=math.inf)
        limit = best + tolerance * best + TINY
        keep = top > limit
        if not bool(keep.any()):
            break
        biggest = float(top.max())
        if int(keep.sum()) > MOST_CELLS:
            break
        low, middle, high = low[keep], middle[keep], high[keep]
        low, high = torch.cat((low, middle)), torch.cat((middle, high))
    if not bool(keep.any()) and near >= best * (1 - tolerance):
        return Interval(best, limit)
    rule = f"enclosed to {tolerance:g} (it may be unbounded)"
    raise MeasurementError(f"the supremum must be {rule}, got [{best:g}, {biggest:g}]")


def _size(x: Enclosure) -> Enclosure:
    """Return the modulus."""
    ends = torch.stack((x.low.abs(), x.high.abs()))
    return Enclosure(torch.where((x.low <= 0) & (x.high >= 0), 0.0, ends.amin(0)), ends.amax(0))


def _outward(low: Tensor, high: Tensor) -> Enclosure:
    return Enclosure(low - ROUNDING * low.abs() - TINY, high + ROUNDING * high.abs() + TINY)


def _constant(like: Enclosure, value: float) -> Enclosure:
    ends = torch.full_like(like.low, value)
    return Enclosure(ends, ends)


def _lift(like: Enclosure, value: Enclosure | float) -> Enclosure:
    return value if isinstance(value, Enclosure) else _constant(like, float(value))


def _rising(f: Callable[[Tensor], Tensor]) -> Callable[[Enclosure], Enclosure]:
    return lambda x: _outward(f(x.low), f(x.high))


def _falling(f: Callable[[Tensor], Tensor]) -> Callable[[Enclosure], Enclosure]:
    return lambda x: _outward(f(x.high), f(x.low))


def _logaddexp(a: Enclosure, b: Enclosure) -> Enclosure:
    return _outward(torch.logaddexp(a.low, b.low), torch.logaddexp(a.high, b.high))


def _addcmul(a: Enclosure, b: Enclosure, c: Enclosure, *, value: float = 1.0) -> Enclosure:
    return a + value * (b * c)


def _wave(f: Callable[[Tensor], Tensor], crest: float) -> Callable[[Enclosure], Enclosure]:
    """Enclose sin or cos, which is 1 at ``crest`` + 2 pi k."""

    def holds(x: Enclosure, point: float) -> Tensor:
        """Whether point + 2 pi k may lie inside for some integer k; far out it is taken to."""
        slack = 1e-6
        first = torch.ceil((x.low - slack - point) / (2 * math.pi))
        return (point + 2 * math.pi * first <= x.high + slack) | (_size(x).high > 1e6)

    def enclosed(x: Enclosure) -> Enclosure:
        ends = torch.stack((f(x.low), f(x.high)))
        found = _outward(ends.amin(0), ends.amax(0))
        low = torch.where(holds(x, crest - math.pi), -1.0, found.low)
        return Enclosure(low, torch.where(holds(x, crest), 1.0, found.high))

    return enclosed


_FUNCTIONS: dict[Any, Callable[..., Enclosure]] = {
    torch.exp: _rising(torch.exp),
    torch.tanh: _rising(torch.tanh),
    torch.sigmoid: _rising(torch.sigmoid),
    torch.erf: _rising(torch.erf),
    torch.erfc: _falling(torch.erfc),
    torch.sin: _wave(torch.sin, math.pi / 2),
    torch.cos: _wave(torch.cos, 0.0),
    torch.logaddexp: _logaddexp,
    torch.addcmul: _addcmul,
    torch.zeros_like: lambda x: _constant(x, 0.0),
}
FUNCTION_NAMES = tuple(function.__name__ for function in _FUNCTIONS)
"""The functions of torch that an activation's derivatives may be made of."""
