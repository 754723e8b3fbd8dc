"""Splitting an error rate."""

import numpy as np
import pytest

from whp.errors import InputError
from whp.seeding import generator
from whp.stats import holm, split


def test_split_keeps_the_total():
    assert split(0.01, 1) == 0.01
    assert split(0.01, 100) == pytest.approx(1e-4)
    assert 7 * split(0.05, 7) <= 0.05 * (1 + 1e-15)


def test_split_holds_under_the_worst_dependence_and_no_less_does():
    # Disjoint errors attain the union bound: with share alpha / 10 the total is 5 %; unsplit it is 50 %.
    # 20000 runs: the shares are within 0.9 points of these values except with probability below 1e-6.
    u = generator(0, "disjoint errors").random(20_000)
    offsets = np.arange(10) / 10

    def wrong_somewhere(share):
        return np.mean(((u[:, None] - offsets) % 1.0 < share).any(axis=1))

    assert wrong_somewhere(split(0.05, 10)) <= 0.059
    assert wrong_somewhere(0.05) > 0.45


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: split(1.5, 2), r"alpha must be in \(0, 1\)"),
        (lambda: split(0.5, 0), "parts must be an integer, at least 1"),
        (lambda: holm([0.5, 1.5]), "p_values must be a non-empty list"),
        (lambda: holm([]), "p_values must be a non-empty list"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(InputError, match=text):
        call()
