"""The FAILs of the words of Theorems B.1 and B.2 by a second route: exact laws, no random numbers."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, chi2

from whp.claims import Claim
from whp.claims.path import evaluate
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


def beyond(d: int, error: float) -> float:
    """P(| |g^(1)|^2 - 1 | > error), |x| = 1: d |g|^2 / 2 is chi-square with Binomial(d, 1/2) degrees."""
    spread = 12 * math.isqrt(d)
    k = np.arange(max(1, d // 2 - spread), min(d, d // 2 + spread) + 1)
    inside = chi2.cdf(d / 2 * (1 + error), k) - chi2.cdf(d / 2 * (1 - error), k)
    return 1 - float(binom.pmf(k, d, 0.5) @ inside)


def test_the_exact_law_has_the_variance_five_over_d():
    """E|g|^4 - 1 = (4/d) Var(relu(z)^2) = (4/d)(3/2 - 1/4)."""
    grid = np.linspace(0, 1.5, 601)
    second = 2 * np.trapezoid([x * beyond(400, x) for x in grid], grid)
    assert second == pytest.approx(5 / 400, rel=2e-3)


@pytest.mark.parametrize("c_1", [1, 10, 80])
def test_words_of_theorem_b_2_are_false_for_any_constant(c_1):
    """At L = 1: with d = c_1 log(1/delta)/epsilon^2, epsilon^2/8 is far below the spread sqrt(5/d)."""
    delta = 0.1
    d = 10_000 * c_1**2
    epsilon_2 = c_1 * math.log(1 / delta) / d
    assert epsilon_2 < 1
    assert beyond(d, epsilon_2 / 8) > 5 * delta
    corrected = math.sqrt(1280 * math.log(1 / delta) / d)  # epsilon^2 where d = c_1 log(1/delta)/epsilon^4
    assert beyond(d, corrected / 8) < delta


def test_claims_print_what_is_refuted_here():
    folder = validation_root() / "arora2019"
    files = [
        vars(load_file(folder / f"{stem}.py")) for stem in ("thm_b_1", "thm_b_2", "claim_b_1", "claim_b_2")
    ]
    claims = {made.id: made for file in files for made in file.values() if isinstance(made, Claim)}
    check = claims["arora2019.thm_b_2_words"].checks[0]
    assert evaluate(check.bound, {"d": 100}, "bound") == pytest.approx(0.01)
    for name in ("thm_b_1_words", "thm_b_2_words", "claim_b_1", "claim_b_2", "claim_b_2_by_product"):
        assert claims[f"arora2019.{name}"].printed
        assert claims[f"arora2019.{name}_corrected"].corrects == f"arora2019.{name}"
