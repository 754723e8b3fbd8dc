"""Proposition B.2, (11) at gamma = 1, in exact arithmetic: the relation between the two sums fails there.

Equation (1) is written out again here with rational numbers, without the library.
"""

from fractions import Fraction

import pytest

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.models import node_scales


def parts(m, gamma, tilde):
    """lambda^(1) (the same for all j) and lambda^(2) of (1)."""
    total = sum(tilde[:m])
    return gamma / m, [(1 - gamma) * t / total for t in tilde[:m]]


def sums(m, gamma, r):
    """The two sums of (11) for lambda~_j = 6 / (pi j)^2; pi cancels."""
    first, second = parts(m, gamma, [Fraction(1, j**2) for j in range(1, m + 1)])
    return sum((first + s) ** r for s in second), sum(s**r for s in second)


@pytest.mark.parametrize("m", [1, 2, 10, 1000])
@pytest.mark.parametrize("r", [2, 3])
def test_at_gamma_one_the_second_sum_is_zero_and_the_first_is_not(m, r):
    whole, second = sums(m, Fraction(1), r)
    assert second == 0
    assert whole == Fraction(1, m ** (r - 1))  # tends to zero, as (11) says, but is not ~ 0


def test_below_one_the_ratio_tends_to_one():
    gaps = [1 - second / whole for whole, second in (sums(m, Fraction(1, 2), 2) for m in (10, 40, 160))]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 0


@pytest.mark.parametrize("alpha", [0.4, 0.7])
def test_sums_at_large_widths_are_those_term_by_term(alpha):
    far_sums = load_file(validation_root() / "caron2023" / "prop_b_2.py").far_sums
    m, powers = 300_000, (1.1, 1.3, 2.0)
    scales = node_scales(m, 0.9, alpha)
    for r, (whole, second) in zip(powers, far_sums(m, 0.9, alpha, powers), strict=True):
        assert whole == pytest.approx(scales.power_sum(r), rel=1e-7)
        assert second == pytest.approx(float((scales.second**r).sum()), rel=1e-7)
        assert whole != pytest.approx(second, rel=1e-4)
