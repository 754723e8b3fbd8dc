"""Sizes that grow together, and the expressions that tie them."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from whp.errors import ClaimError, fail, require

Value = int | float | str

RESERVED = ("values", "dtype", "key")
"""Attributes of a point that a size or a cell variable of the same name would hide behind."""


def symbols(names: str) -> Any:
    """Return positive sympy symbols, e.g. ``d, n, m, alpha = symbols("d n m alpha")``.

    They serve in the bound and in the path of a claim; a bound is one object,
    which the report renders and the test evaluates.
    """
    return sympy.symbols(names, positive=True)


def geometric(low: int, high: int, count: int) -> tuple[int, ...]:
    """Return ``count`` increasing integers from ``low`` to ``high`` in geometric progression, rounded."""
    require(low >= 1 and high > low, "geometric", "1 <= low < high", (low, high), ClaimError)
    require(count >= 2, "geometric count", "at least 2", count, ClaimError)
    return tuple(int(x) for x in np.rint(np.geomspace(low, high, count)))


def as_expression(value: Any, what: str) -> sympy.Expr:
    """Return a number, a text or an expression as a sympy expression.

    Raises
    ------
    ClaimError
        If it is none of these.
    """
    try:
        expression = sympy.sympify(value)
    except (sympy.SympifyError, SyntaxError, TypeError, AttributeError):
        expression = None
    good = isinstance(expression, sympy.Expr) and not isinstance(value, (bool, np.bool_))
    require(good, what, "a number or an expression in symbols", value, ClaimError)
    return expression


def evaluate(expression: sympy.Expr | float, values: Mapping[str, Value], what: str) -> float:
    """Evaluate an expression at named values.

    Raises
    ------
    ClaimError
        If a symbol has no value, or the result is no finite real number.
    """
    expression = as_expression(expression, what)
    names = sorted(symbol.name for symbol in expression.free_symbols)
    missing = sorted(set(names) - {key for key, value in values.items() if not isinstance(value, str)})
    require(not missing, what, f"made of known symbols ({', '.join(sorted(values))})", missing, ClaimError)
    result = _value(expression, tuple((name, values[name]) for name in names))
    if not isinstance(result, float):
        fail(what, "a finite real number", result, ClaimError)
    return result


@functools.lru_cache(maxsize=100_000)
def _value(expression: sympy.Expr, values: tuple[tuple[str, Value], ...]) -> float | str:
    """Return the value, or what it is instead of a finite real number; sympy is slow and cells repeat."""
    known = dict(values)
    result = expression.subs({symbol: known[symbol.name] for symbol in expression.free_symbols}).evalf()
    good = result.is_number and result.is_real and result.is_finite
    return float(result) if good else str(result)


NEAR = 1e-8
"""Relative error that `evaluate_nearly` allows; what it computes in double precision has far less."""

_Values = Mapping[str, Value]


def evaluate_nearly(expression: Any, values: _Values, what: str) -> float:
    """Evaluate as `evaluate` does, to a relative error of 1e-8 and a hundred times faster.

    For declarations, which are checked at every point of every profile whenever a
    claim file is imported. Whatever is unusual goes to `evaluate`, with its errors.
    """
    if type(expression) in (int, float) and math.isfinite(expression):
        return float(expression)
    try:
        value = _compiled(expression)(values) if isinstance(expression, sympy.Expr) else math.nan
    except (ArithmeticError, ValueError, TypeError, KeyError):
        value = math.nan
    known = isinstance(value, float) and math.isfinite(value)
    return float(value) if known else evaluate(expression, values, what)


@functools.lru_cache(maxsize=10_000)
def _compiled(expression: sympy.Expr) -> Callable[[_Values], float]:
    """The expression as a function in double precision; it raises where it can promise nothing."""
    if isinstance(expression, sympy.Symbol):
        name = expression.name
        return lambda values: values[name] * 1.0  # type: ignore[operator]  # of a text: a TypeError
    if expression.is_Number:
        number = float(expression)
        return lambda values: number
    parts = [_compiled(part) for part in expression.args]
    combine = _OPERATIONS.get(type(expression), _unknown)
    return lambda values: combine([part(values) for part in parts])


def _sum(terms: Sequence[float]) -> float:
    """The sum, unless most of it cancels."""
    total = math.fsum(terms)
    if abs(total) < 1e-4 * max(map(abs, terms)):
        raise ArithmeticError
    return total


def _power(arguments: Sequence[float]) -> float:
    """The power, unless it is so high that it magnifies errors."""
    base, exponent = arguments
    if abs(exponent) > 100:
        raise ArithmeticError
    return math.pow(base, exponent)


def _log(arguments: Sequence[float]) -> float:
    """The logarithm, unless it is near zero."""
    result = math.log(*arguments)
    if abs(result) < 1e-4:
        raise ArithmeticError
    return result


def _unknown(arguments: Sequence[float]) -> float:
    raise ArithmeticError


_OPERATIONS: Mapping[type, Callable[[Sequence[float]], float]] = {
    sympy.Add: _sum,
    sympy.Mul: math.prod,
    sympy.Pow: _power,
    sympy.log: _log,
    sympy.Max: max,
}


@dataclass(frozen=True)
class Point:
    """One point of the path in one cell: everything that a trial may depend on but its randomness.

    Sizes and cell values are attributes: ``p.d``, ``p.n``, ``p.alpha``, ``p.activation``.
    """

    values: Mapping[str, Value]
    dtype: str = "float64"

    def __getattr__(self, name: str) -> Any:
        values = object.__getattribute__(self, "values") if name != "values" else {}
        if name in values:
            return values[name]
        raise AttributeError(f"point must have one of {', '.join(values)}, got {name!r}")

    @property
    def key(self) -> str:
        """Canonical name: the same text for the same values, in any order of declaration."""
        return json.dumps({k: self.values[k] for k in sorted(self.values)}, separators=(",", ":"))

    def __getstate__(self) -> dict[str, Any]:
        return {"values": dict(self.values), "dtype": self.dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "values", state["values"])
        object.__setattr__(self, "dtype", state["dtype"])


class Path:
    """How the sizes grow together, e.g. ``Path(d=geometric(64, 1024, 5), n=2 * d ** (1 + alpha))``.

    Parameters
    ----------
    even : sequence of str
        Sizes that are rounded up to an even number (a symmetric initialisation
        needs an even width). All others are rounded to the nearest integer.
    **sizes
        The first is a sequence of at least one positive, increasing integer:
        the lead, against which exponents are fitted. The others are numbers or
        expressions in the lead, in sizes before them, and in cell symbols.
    """

    def __init__(self, *, even: Sequence[str] = (), **sizes: Any) -> None:
        require(bool(sizes), "path", "given at least one size", sizes, ClaimError)
        self.lead = next(iter(sizes))
        lead_values = sizes[self.lead]
        listed = isinstance(lead_values, (tuple, list)) and len(lead_values) > 0
        require(listed, f"path size {self.lead}", "a non-empty sequence of integers", lead_values, ClaimError)
        for value in lead_values:
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) > 0
            require(whole, f"path size {self.lead}", "positive integers", value, ClaimError)
        increasing = all(a < b for a, b in itertools.pairwise(lead_values))
        require(increasing, f"path size {self.lead}", "strictly increasing", list(lead_values), ClaimError)
        self.lead_values = tuple(int(v) for v in lead_values)
        self.expressions = {
            name: as_expression(value, f"path size {name}") for name, value in list(sizes.items())[1:]
        }
        taken = sorted(set(sizes) & set(RESERVED))
        require(not taken, "path size", f"called other than {', '.join(RESERVED)}", taken, ClaimError)
        unknown = sorted(set(even) - set(sizes))
        require(not unknown, "even", f"sizes of the path ({', '.join(sizes)})", unknown, ClaimError)
        self.even = tuple(even)

    def __len__(self) -> int:
        return len(self.lead_values)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sizes, lead first."""
        return (self.lead, *self.expressions)

    def sizes(self, cell: Mapping[str, Value]) -> Iterator[dict[str, int]]:
        """Yield the sizes at each point, as positive integers."""
        for lead in self.lead_values:
            sizes: dict[str, int] = {self.lead: lead}
            for name, expression in self.expressions.items():
                raw = evaluate_nearly(expression, {**cell, **sizes}, f"path size {name}")
                if abs(raw - math.floor(raw) - 0.5) <= NEAR * abs(raw):  # too near a half to be rounded
                    raw = evaluate(expression, {**cell, **sizes}, f"path size {name}")
                size = round(raw)
                if name in self.even:
                    size += size % 2
                require(size >= 1, f"path size {name}", "a positive integer", raw, ClaimError)
                sizes[name] = size
            yield sizes

    def describe(self) -> str:
        """One line of plain text, e.g. ``d = 64..1024 (5 points), n = 2*d**(alpha + 1)``."""
        first, last = self.lead_values[0], self.lead_values[-1]
        lead = f"{self.lead} = {first}" + (f"..{last} ({len(self)} points)" if len(self) > 1 else "")
        return ", ".join([lead, *(f"{name} = {expr}" for name, expr in self.expressions.items())])
