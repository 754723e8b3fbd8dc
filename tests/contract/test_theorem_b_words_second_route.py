"""The FAIL of the words of Theorem B.1 for delta_1 near one by a second route: no random numbers."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from whp.claims import Claim
from whp.engine.discovery import validation_root
from whp.engine.loading import load_file


def least_error_of_width_one() -> float:
    """The least possible largest error of <g, g>, <g, g'>, <g', g'> at orthogonal inputs, d = L = 1.

    The three are a^2, a b, b^2 with a, b >= 0, and their limits 1, 1/pi, 1: by symmetry a = b is best.
    """
    grid = np.linspace(0, 2, 401)
    a, b = np.meshgrid(grid, grid)
    worst = np.maximum.reduce([np.abs(a * a - 1), np.abs(b * b - 1), np.abs(a * b - 1 / math.pi)])
    best = brentq(lambda s: (1 - s) - (s - 1 / math.pi), 0, 1)  # where the two errors of a^2 = a b = s meet
    assert worst.min() == pytest.approx(1 - best, abs=0.01)
    assert worst.min() >= 1 - best - 1e-12
    return 1 - best


@pytest.mark.parametrize("c_1", [1e-2, 1, 10, 1e3, 1e6])
@pytest.mark.parametrize("c_2", [1, 1e-3])
def test_words_of_theorem_b_1_are_false_for_any_constants(c_1, c_2):
    """At epsilon_1 = min(c_2, 1/4) and d = 1 the event is impossible, and 1 - delta_1 is positive."""
    epsilon = min(c_2, 0.25)
    assert epsilon < least_error_of_width_one()
    one_less_delta = -math.expm1(-(epsilon**2) / c_1)  # c_1 log(1/delta_1)/epsilon_1^2 = 1
    assert one_less_delta > 0


def test_claims_print_what_is_refuted_here():
    folder = validation_root() / "arora2019"
    files = [
        vars(load_file(folder / f"{stem}.py")) for stem in ("thm_b_1", "thm_b_2", "claim_b_1", "claim_b_2")
    ]
    claims = {made.id: made for file in files for made in file.values() if isinstance(made, Claim)}
    (check,) = claims["arora2019.thm_b_1_words_any_delta"].checks
    for profile in ("quick", "standard"):
        assert [point["d"] for point in check.experiment.design(profile).distinct_values()] == [1]
    for name in ("thm_b_1_words_any_delta", "claim_b_1", "claim_b_2", "claim_b_2_by_product"):
        assert claims[f"arora2019.{name}"].printed
        assert claims[f"arora2019.{name}_corrected"].corrects == f"arora2019.{name}"
