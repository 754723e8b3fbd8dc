"""The exact law behind arora2019.lemma_b_4, and the draws behind lemma_b_3, by second routes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file


def module(name):
    return load_file(validation_root() / "arora2019" / f"{name}.py")


@pytest.mark.parametrize(("first", "second", "inner"), [(1.0, 1.0, 0.3), (1.5, 0.4, -0.6), (1.0, 0.5, 0.0)])
def test_two_outputs_against_the_bivariate_normal(first, second, inner):
    """P(|u| > r or |v| > r) as one less the square's probability, where that is not yet rounding."""
    r = 1.3
    law = stats.multivariate_normal(cov=[[first, inner], [inner, second]])
    square = law.cdf([r, r]) - law.cdf([r, -r]) - law.cdf([-r, r]) + law.cdf([-r, -r])
    assert module("lemma_b_4").outside(first, second, inner, r) == pytest.approx(1 - square, abs=1e-5)


def test_two_outputs_in_the_limits():
    outside = module("lemma_b_4").outside
    r = 6.5
    one = 2 * stats.norm.sf(r)
    assert outside(1.0, 1.0, 0.0, r) == pytest.approx(2 * one - one**2, rel=1e-10)
    assert outside(1.0, 1.0, 1.0, r) == pytest.approx(one, rel=1e-10)
    assert outside(1.0, 0.0, 0.0, r) == pytest.approx(one, rel=1e-10)
    assert outside(0.0, 0.0, 0.0, r) == 0.0


def test_the_worst_features_of_lemma_b_4():
    """Norms at the upper edge of the event: the printed 2 leaves room, sqrt(2) does not."""
    claims = module("lemma_b_4")
    worst = {"norms": (1.0, 1.0), "cosine": 0.0, "epsilon": 1.0, "off": (1.0, 0.0, 1.0), "digits": 6.0}
    assert claims.law(**worst) < 0 < claims.law_exact_norm(**worst)
    assert claims.law(**{**worst, "off": (1.0, 1.0, 1.0), "cosine": 1.0}) < 0
    assert claims.law(**{**worst, "norms": (0.0, 0.0), "off": (-1.0, 0.0, 1.0)}) == -1e3


def test_kolmogorov_distance_against_scipy():
    sample = np.random.default_rng(1).standard_normal(200)
    expected = math.sqrt(200) * stats.kstest(sample, "norm").statistic
    assert module("lemma_b_3").distance(sample) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "rank"), [("generic", 2), ("twice", 2), ("nearly parallel", 2), ("all but one", 4)]
)
def test_matrices_of_lemma_b_3(kind, rank):
    G = module("lemma_b_3").matrix(kind, 5, np.random.default_rng(2))
    assert np.linalg.matrix_rank(G, tol=1e-9) == rank
