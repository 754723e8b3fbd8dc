"""Expressions of a claim: exact where a verdict rests on them, near where they are only checked."""

from __future__ import annotations

import math

import pytest
import sympy

from whp.claims import Path, symbols
from whp.claims.path import evaluate, evaluate_nearly
from whp.errors import ClaimError

d, n, alpha = symbols("d n alpha")
VALUES = {"d": 37, "n": 1023, "alpha": 0.15, "activation": "erf"}


@pytest.mark.parametrize(
    "expression",
    [
        n / d ** (1 + alpha),
        2 * sympy.sqrt(n / d) + 3 * d / n,
        sympy.log(n) ** 2 / d - sympy.Rational(1, 3),
        sympy.Max(d, n) * sympy.Float("0.1"),
        sympy.exp(-d) + sympy.pi,  # by way of sympy
        sympy.log(d / 37 + sympy.Float("1e-9")),  # a logarithm near zero
        (n + sympy.Float("1e-6")) - (n - d / d**2 * 37 + 1),  # most of it cancels
        d**150 / n**149,  # a power that magnifies errors
        7,
        0.25,
        "n / d",
    ],
)
def test_near_is_near(expression):
    exact = evaluate(expression, VALUES, "bound")
    assert evaluate_nearly(expression, VALUES, "bound") == pytest.approx(exact, rel=1e-8, abs=0.0)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (symbols("q") / d, "bound must be made of known symbols"),
        (symbols("activation"), "bound must be made of known symbols"),
        (1 / (d - 37), "bound must be a finite real number"),
        (sympy.log(36 - d), "bound must be a finite real number"),
        (True, "bound must be a number or an expression"),
    ],
)
def test_what_has_no_value_is_refused_in_the_same_words(expression, message):
    for each in (evaluate, evaluate_nearly):
        with pytest.raises(ClaimError, match=message):
            each(expression, VALUES, "bound")


def test_sizes_are_rounded_as_the_exact_value_is():
    path = Path(d=tuple(range(2, 400)), n=d / 2, m=d * sympy.Rational(7, 5) + sympy.Float("0.1"))
    for sizes in path.sizes({}):
        assert sizes["n"] == round(sizes["d"] / 2)
        exact = evaluate(d * sympy.Rational(7, 5) + sympy.Float("0.1"), {"d": sizes["d"]}, "m")
        assert sizes["m"] == round(exact)


def test_a_size_near_a_half_is_evaluated_exactly(monkeypatch):
    asked = []

    def exactly(expression, values, what):
        asked.append(values["d"])
        return evaluate(expression, values, what)

    monkeypatch.setattr("whp.claims.path.evaluate", exactly)
    assert [s["n"] for s in Path(d=(3, 4, 5), n=d / 2).sizes({})] == [2, 2, 2]
    assert asked == [3, 5]
    assert math.isclose(evaluate_nearly(d / 2, {"d": 4}, "n"), 2.0)
