"""The FAIL of caron2023.feature_learning_bound_c_each by exact fractions, without code of the library."""

from __future__ import annotations

from fractions import Fraction

SEQUENCE = (Fraction(1, 2), Fraction(1, 2))  # lambda~, zero beyond: K = 2 equal weights, as Section 2 has it


def scale(m: int, j: int, gamma: Fraction) -> Fraction:
    """lambda_{m,j} of equation (1)."""
    tilde = [SEQUENCE[k] if k < len(SEQUENCE) else Fraction(0) for k in range(min(m, 5))]
    return gamma / m + (1 - gamma) * tilde[j - 1] / sum(tilde)


def test_the_sequence_is_admitted():
    assert sum(SEQUENCE) == 1
    assert 1 >= SEQUENCE[0] >= SEQUENCE[1] >= 0


def test_a_node_without_a_weight_of_its_own_has_a_bound_that_vanishes_for_gamma_below_one():
    """(c) is sqrt(lambda_{m,j}) times a number without m, and so vanishes where lambda_{m,j} does."""
    for gamma in (Fraction(1, 100), Fraction(1, 2), Fraction(99, 100)):
        for m in (10, 10**6, 10**30):
            assert scale(m, 3, gamma) == gamma / m
            assert scale(m, 1, gamma) > (1 - gamma) / 2  # with a weight it does not


def test_for_gamma_one_all_vanish():
    assert scale(10**30, 1, Fraction(1)) == scale(10**30, 3, Fraction(1)) == Fraction(1, 10**30)
