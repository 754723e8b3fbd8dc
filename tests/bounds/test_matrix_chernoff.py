"""Matrix Chernoff: formulas against mpmath, quantiles against tails, exact laws, and every refusal."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from whp.bounds import MatrixChernoff, estimate_R_mu
from whp.bounds.matrix_chernoff import lower_exponent, upper_exponent
from whp.errors import InputError

BOUND = MatrixChernoff(5, 30.0, 80.0, 2.0)


@pytest.mark.parametrize("delta", [0.2, 0.7, 0.999])
def test_tails_are_as_printed(delta):
    x = mpmath.mpf(delta)
    lower = 5 * (mpmath.exp(-x) / (1 - x) ** (1 - x)) ** 15
    upper = 5 * (mpmath.exp(x) / (1 + x) ** (1 + x)) ** 40
    assert BOUND.lower_tail(delta) == pytest.approx(float(min(1, lower)), rel=1e-12)
    assert BOUND.upper_tail(delta) == pytest.approx(float(min(1, upper)), rel=1e-12)
    assert BOUND.lower_tail(delta, simple=True) == pytest.approx(min(1, 5 * math.exp(-(delta**2) * 7.5)))
    assert BOUND.upper_tail(delta, simple=True) == pytest.approx(
        min(1, 5 * math.exp(-40 * delta**2 / (2 + delta)))
    )


def test_the_simple_forms_lie_above():
    delta = np.linspace(0.0, 0.999, 400)
    assert (BOUND.lower_tail(delta) <= BOUND.lower_tail(delta, simple=True) * (1 + 1e-12)).all()
    far = np.geomspace(1e-3, 1e3, 400)
    assert (BOUND.upper_tail(far) <= BOUND.upper_tail(far, simple=True) * (1 + 1e-12)).all()


def test_ends():
    assert BOUND.lower_tail(0.0) == BOUND.upper_tail(0.0) == 1.0
    assert MatrixChernoff(3, 0.0, 1.0, 1.0).lower_tail(0.5) == 1.0
    assert lower_exponent(1.0) == 1.0
    assert BOUND.upper_tail(1e6) == 0.0
    assert upper_exponent(1e300) == pytest.approx(1e300 * (math.log(1e300) - 1))


@pytest.mark.parametrize("simple", [False, True])
@pytest.mark.parametrize("probability", [0.9, 0.05, 5e-3])
def test_quantiles_invert_tails(simple, probability):
    low, high = (
        BOUND.lower_quantile(probability, simple=simple),
        BOUND.upper_quantile(probability, simple=simple),
    )
    assert 0 < low < 30
    assert high > 80
    assert BOUND.lower_tail(1 - low / 30, simple=simple) == pytest.approx(probability, rel=1e-9)
    assert BOUND.upper_tail(high / 80 - 1, simple=simple) == pytest.approx(probability, rel=1e-9)


def test_quantiles_where_the_bound_says_nothing():
    assert BOUND.lower_quantile(1e-30) == 0.0  # 5 exp(-15) is the least
    assert MatrixChernoff(3, 0.0, 1.0, 1.0).lower_quantile(0.1) == 0.0
    one = MatrixChernoff(1, 2.0, 2.0, 1.0)
    assert one.lower_quantile(1.0) == one.upper_quantile(1.0) == 2.0
    with pytest.raises(InputError, match=r"^mu_max must be above 0 for a quantile"):
        MatrixChernoff(3, 0.0, 0.0, 1.0).upper_quantile(0.1)


def test_a_binomial_obeys_and_half_of_the_exponent_would_not():
    """For n = 1 and Bernoulli terms the law is exact; with twice the exponent it would be violated."""
    p, q = 400, 0.1
    bound = MatrixChernoff(1, p * q, p * q, 1.0)
    deltas = np.linspace(0.05, 0.95, 19)
    law = stats.binom(p, q)
    lower, upper = law.cdf(np.floor((1 - deltas) * p * q)), law.sf(np.ceil((1 + deltas) * p * q) - 1)
    assert (lower <= bound.lower_tail(deltas)).all()
    assert (upper <= bound.upper_tail(deltas)).all()
    assert (lower > bound.lower_tail(deltas) ** 2).any()
    assert (upper > bound.upper_tail(deltas) ** 2).any()


def test_estimates_of_the_parameters():
    """Random diagonal projections: E S = p diag(q), R = 1. A mean of 4,000 is off by 0.06 or more with
    probability below 2 * 3 exp(-2 * 4000 * 0.06^2) < 2e-12 (Hoeffding)."""
    rng = np.random.default_rng(5)
    q = np.array([0.2, 0.5, 0.7])
    draws = [torch.diag(torch.from_numpy((rng.random(3) < q).astype(float))) for _ in range(4000)]
    found = estimate_R_mu(draws, terms=10)
    assert found.R == 1.0
    assert (found.n, found.terms, found.samples) == (3, 10, 4000)
    assert found.mu_min == pytest.approx(2.0, abs=0.6)
    assert found.mu_max == pytest.approx(7.0, abs=0.6)
    assert found.bound() == MatrixChernoff(3, found.mu_min, found.mu_max, 1.0)
    own = estimate_R_mu([torch.eye(2), 2 * torch.eye(2)])
    assert (own.R, own.mu_min, own.mu_max, own.terms) == (2.0, 3.0, 3.0, 2)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ([], r"^samples must be at least one matrix, got 'none'"),
        ([torch.zeros(2, 3)], r"^samples must be square matrices"),
        ([torch.eye(2), torch.eye(3)], r"^samples must be all of shape \(2, 2\), got \(3, 3\)"),
        ([torch.full((2, 2), math.nan)], r"^samples must be finite in every entry"),
        ([torch.tensor([[1.0, 0.5], [0.0, 1.0]])], r"^samples must be symmetric, got 'a difference of 0.5"),
        ([torch.diag(torch.tensor([1.0, -0.1]))], r"^samples must be positive semi-definite, got 'an eigenv"),
        ([torch.zeros(2, 2)], r"^samples must be other than zero"),
    ],
)
def test_samples_that_are_refused(samples, sentence):
    with pytest.raises(InputError, match=sentence):
        estimate_R_mu(samples)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, 1.0, 1.0, 1.0), r"^n must be a positive integer, got 0"),
        ((2, -1.0, 1.0, 1.0), r"^mu_min must be finite and not negative, got -1.0"),
        ((2, 2.0, 1.0, 1.0), r"^mu_max must be finite and at least mu_min, got 1.0"),
        ((2, 1.0, math.inf, 1.0), r"^mu_max must be finite and at least mu_min, got inf"),
        ((2, 1.0, 2.0, 0.0), r"^R must be positive and finite, got 0.0"),
        ((2, 1.0, 2.0, math.nan), r"^R must be positive and finite, got nan"),
    ],
)
def test_parameters_that_are_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        MatrixChernoff(*arguments)


def test_levels_that_are_refused():
    for delta in (-0.1, 1.0, math.nan):
        with pytest.raises(InputError, match=r"^delta must be in \[0, 1\), got"):
            BOUND.lower_tail(delta)
    for delta in (-0.1, math.nan):
        with pytest.raises(InputError, match=r"^delta must be at least 0, got"):
            BOUND.upper_tail(delta)
    for probability in (0.0, 1.5, math.nan):
        with pytest.raises(InputError, match=r"^probability must be in \(0, 1\], got"):
            BOUND.lower_quantile(probability)
    with pytest.raises(InputError, match=r"^terms must be a positive integer, got 0"):
        estimate_R_mu([torch.eye(2)], terms=0)
