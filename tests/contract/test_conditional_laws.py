"""The exact laws behind Claims B.2 and B.3 against drawn weights, and where they refuse a false constant."""

import math

import numpy as np
import pytest
from scipy.stats import kstest, norm

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file

FOLDER = validation_root() / "arora2019"
GIVEN = load_file(FOLDER / "_conditional.py")
UNLIKELY = 1e-8  # 4 tests rest on chance, each on at most 6 p-values: false alarms below 1e-6 in all


@pytest.mark.parametrize(("width", "gram"), [(7, (1.3, -0.2, 0.6)), (5, (1.0, 1.0, 1.0))])
def test_quadratic_forms_have_the_law_of_drawn_weights(width, gram):
    """Both sides of two levels for the three pairs, by binomial counts; weights of two neurons above."""
    rng = np.random.default_rng(1)
    f = rng.standard_normal((2, width)) + 0.5
    b = GIVEN.root(np.array([[gram[0], gram[1]], [gram[1], gram[2]]]))  # rows are b(x), b(x')
    G = GIVEN.relu(f)
    across = np.eye(width) - G.T @ np.linalg.pinv(G.T)
    u = (b @ rng.standard_normal((100_000, 2, width))) @ across
    for (i, j), (form, mean) in zip(GIVEN.PAIRS, GIVEN.quadratic_forms(f, np.array(gram)), strict=True):
        both = (f[i] > 0) & (f[j] > 0)
        drawn = 2 / width * (u[:, i] * u[:, j] * both).sum(axis=1)
        for t in (0.3, 1.0):
            for share, tail in (
                ((drawn - mean > t).mean(), form.upper_tail(t)),
                ((drawn - mean < -t).mean(), form.lower_tail(t)),
            ):
                spread = math.sqrt(max(tail * (1 - tail), 1e-5) / len(drawn))
                assert abs(share - tail) < -norm.ppf(UNLIKELY) * spread + 1e-4


@pytest.mark.parametrize("width", [2, 9])
def test_the_part_along_the_features_has_two_terms(width):
    """|Pi_G W^T b|^2 = (f/|g|)^2 + a normal square of variance |b|^2, for one row of weights."""
    rng = np.random.default_rng(2)
    G = rng.standard_normal((2, width))
    span = G.T @ np.linalg.pinv(G.T)
    w = 1.3 * rng.standard_normal((4000, width))
    along = np.linalg.norm(w @ span, axis=1) ** 2
    first = (w @ G[0]) ** 2 / (G[0] @ G[0])
    assert kstest((along - first) / 1.3**2, "chi2", args=(1,)).pvalue > UNLIKELY


def test_one_normal_variable_is_what_claim_b_3_comes_to():
    """No part along g, |b| = 1: P(|z| > 2 sqrt(t)) at two inputs over 4 exp(-t)."""
    t = 9.0
    found = GIVEN.claim_b_3((1.0, 1.0), (1.0, 1.0), (0.0, 0.0), t, 2.0)
    assert found == pytest.approx(math.log(4 * norm.sf(6) / (4 * math.exp(-9))), rel=1e-12)
    assert GIVEN.claim_b_3((1.99, 1.99), (1.0, 1.0), (0.0, 0.0), 29.0, 1.6) > 0


def test_half_of_the_constant_of_claim_b_2_is_too_little_where_nearly_all_neurons_are_active():
    f = np.random.default_rng(3).standard_normal((2, 39)) + 1.3
    inner = np.array([1.9, 1.86, 1.99])
    assert GIVEN.claim_b_2(f, inner, 29.4, 16) < 0 < GIVEN.claim_b_2(f, inner, 29.4, 8)
    assert GIVEN.by_product(f, inner, 29.4, 2, 4) < 0 < GIVEN.by_product(f, inner, 29.4, 2, 1)


def test_off_the_events_nothing_is_returned():
    at = {"width": 5, "depth": 2, "layer": 1, "rho": 0.0, "shift": 0.0, "seed": 0}
    at |= {"square": 1.0, "other": 1.0}
    assert GIVEN.conditioned(**at, position=0.5) is not None
    assert GIVEN.conditioned(**at | {"square": 2.1}, position=0.5) is None  # the limit is one
    assert GIVEN.conditioned(**at | {"shift": 9.0}, position=0.5) is None  # all neurons are active
    assert GIVEN.level(10, 1.0, 6) == pytest.approx(10)
    assert GIVEN.level(1e9, 1.0, 6) == pytest.approx(math.log(6e12))
