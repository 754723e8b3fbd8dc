"""Data outside Assumption 3.1: each law has what it should have, and lacks what it should lack."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from whp.ensembles import outside_distribution, outside_names
from whp.errors import InputError
from whp.seeding import generator

N, D = 20_000, 9


def sigma(name: str, d: int) -> np.ndarray:
    """The covariance as the docstring states it."""
    k = math.ceil(math.sqrt(d))
    return {
        "equicorrelated": (np.eye(d) + 1) / 2,
        "low_rank": np.diag([d / k] * k + [0.0] * (d - k)),
        "spike": np.diag([math.sqrt(d)] + [(d - math.sqrt(d)) / (d - 1)] * (d - 1)),
    }.get(name, np.eye(d))


def deviation(X: np.ndarray, covariance: np.ndarray) -> float:
    """Largest studentised deviation of the second moments."""
    products = np.einsum("ni,nj->nij", X, X)
    return float((np.abs(products.mean(0) - covariance) / (products.std(0) / math.sqrt(len(X)) + 1e-9)).max())


# 45 sums of 20,000 terms against 8 standard errors: 45 * 1.3e-15, with a wide margin for the error of the
# normal approximation. Student's t laws have no such moments, and are compared in distribution below.
@pytest.mark.parametrize("name", ["common_scale", "equicorrelated", "low_rank", "spike"])
def test_covariance(name: str) -> None:
    X = outside_distribution(name).sample(generator(0, "outside", name), N, D).numpy()
    assert deviation(X, sigma(name, D)) < 8
    wrong = sigma(name, D) + 0.2 * np.eye(D)
    assert deviation(X, wrong) > 8


@pytest.mark.parametrize("name", outside_names())
def test_trace_and_moment(name: str) -> None:
    for d in (4, 9, 30):
        law, covariance = outside_distribution(name), sigma(name, d)
        assert np.trace(covariance) == pytest.approx(d, rel=1e-12)
        assert law.sigma_moment(d) == pytest.approx(np.trace(covariance @ covariance) / d, rel=1e-12)
    assert law.breaks


@pytest.mark.parametrize(("name", "dof"), [("student_3", 3), ("student_5", 5)])
def test_student_entries(name: str, dof: int) -> None:
    x = outside_distribution(name).sample(generator(0, "outside", name), 4000, 5).numpy().ravel()
    law = stats.t(dof, scale=math.sqrt((dof - 2) / dof))
    assert law.var() == pytest.approx(1.0, rel=1e-12)
    # Kolmogorov-Smirnov at 1e-7; and the normal law of the same variance is refuted.
    assert stats.kstest(x, law.cdf).pvalue > 1e-7
    assert stats.kstest(x, stats.norm.cdf).pvalue < 1e-12


def test_a_common_factor_shows_in_the_norms_only() -> None:
    X = outside_distribution("common_scale").sample(generator(0, "outside", "norms"), 400, 2000)
    squares = X.square().mean(dim=1)
    # chi^2 over 2000: a relative deviation of 0.3 is 9 standard deviations (1e-18), for each of 400 points.
    small = squares < 1
    assert torch.all((squares[small] - 0.5).abs() < 0.15)
    assert torch.all((squares[~small] - 1.5).abs() < 0.45)
    # 400 fair coins: fewer than 120 of either have probability 1e-16.
    assert 120 < int(small.sum()) < 280


def test_low_rank_has_the_rank() -> None:
    X = outside_distribution("low_rank").sample(generator(0, "outside", "rank"), 50, 30)
    assert int(torch.linalg.matrix_rank(X)) == 6


def test_type_and_stream() -> None:
    for name in outside_names():
        law = outside_distribution(name)
        X = law.sample(generator(0, name), 3, 4, torch.float32)
        assert X.dtype == torch.float32
        assert X.shape == (3, 4)
        assert torch.equal(X, law.sample(generator(0, name), 3, 4, torch.float32))


def test_rejects() -> None:
    with pytest.raises(InputError, match=r"one of student_3, student_5, .* got 'gaussian'"):
        outside_distribution("gaussian")
    with pytest.raises(InputError, match="positive integers"):
        outside_distribution("student_3").sample(generator(0), 0, 4)
