"""The fewest trials with which a bounded mean can be decided."""

import math

import numpy as np
import pytest

from whp.interval import Interval
from whp.stats import betting_sequence, betting_trials_needed


@pytest.mark.parametrize(
    ("accept", "support", "alpha"),
    [
        (Interval(0.45, 0.55), (0.0, 1.0), 0.01),
        (Interval(0.9, 1.1), (0.0, 1.0), 1e-3),  # beyond the range
        (Interval(0.0, 5.0), (-1.0, 1.0), 0.01),  # one-sided
        (Interval(5e-324, math.inf), (0.0, 1.0), 0.01),  # an order of values in [0, 1]
    ],
)
def test_betting_needs_no_fewer_trials_than_said(accept, support, alpha):
    need = betting_trials_needed(accept, alpha, *support)

    def passes(n):
        places = np.linspace(max(accept.low, support[0]), min(accept.high, support[1]), 101)
        intervals = [betting_sequence(np.full(n, place), alpha, *support) for place in places]
        return any(accept.low <= i.low and i.high <= accept.high for i in intervals)

    assert passes(need)
    assert not passes(need - 1)
    # Values that differ do not do better.
    spread = np.linspace(-0.02, 0.02, need - 1) * (support[1] - support[0])
    middle = np.clip(max(accept.low, support[0]) / 2 + min(accept.high, support[1]) / 2 + spread, *support)
    for order in (middle, middle[::-1]):
        found = betting_sequence(order, alpha, *support)
        assert not (accept.low <= found.low and found.high <= accept.high)


def test_no_number_of_trials_is_enough_outside_of_the_range():
    assert betting_trials_needed(Interval(2.0, 3.0), 0.01) is None
