"""Kernels of both layers and their differences in one matrix, against the matrices one by one."""

import math

import pytest
import torch

from whp.ensembles import data_distribution, symmetric_init
from whp.errors import InputError, ResourceError
from whp.kernels import (
    activation,
    combined_features,
    combined_ntk,
    expected_difference,
    expected_first_layer_ntk,
    expected_second_layer_ntk,
    feature_difference,
    first_layer_ntk,
    linear_kernel,
    second_layer_ntk,
)
from whp.kernels.tiles import Gram, neurons_that_fit, triangle_tiles
from whp.seeding import generator

RATES = [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.3, 1.7)]


def problem(n: int, m: int, d: int, dtype: torch.dtype = torch.float64):
    X = data_distribution("gaussian").sample(generator(5, "X", n, d), n, d, dtype)
    return X, symmetric_init(generator(5, "W", m, d), m, d, dtype).W_half


def plain(X, W, act, rates):
    """By the definition, hu2020, eq. (17)."""
    Z = X @ W.T / X.shape[1] ** 0.5
    first = act.dphi(Z) @ act.dphi(Z).T / len(W) * (X @ X.T / X.shape[1])
    return rates[0] * first + rates[1] * act.phi(Z) @ act.phi(Z).T / len(W)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("name", ["erf", "relu", "softplus"])
def test_combinations_are_those_of_the_definition(name, rates):
    X, W = problem(23, 30, 5)
    act = activation(name)
    exact = plain(X, W, act, rates)
    theta = combined_ntk(X, W, act, rates)
    torch.testing.assert_close(theta, exact, rtol=0, atol=1e-14)
    others = [plain(X, W, act, other) for other in RATES if other != rates]
    assert min(float((theta - other).abs().max()) for other in others) > 1e-3  # the comparison can fail


@pytest.mark.parametrize("strip", [1, 3, 8, 100])
@pytest.mark.parametrize("neurons", [1, 7, 100])
def test_block_sizes_do_not_matter(strip, neurons):
    X, W = problem(23, 30, 5)
    act, blocks = activation("tanh"), {"strip": strip, "neurons": neurons}
    for rates in RATES:
        exact = plain(X, W, act, rates)
        out = torch.full((23, 23), math.nan, dtype=torch.float64)
        theta = combined_ntk(X, W, act, rates, out=out, **blocks)
        assert theta is out
        assert torch.equal(theta, theta.T)
        torch.testing.assert_close(theta, exact, rtol=0, atol=1e-14)
        features = combined_features(X, act, 1.25, rates)
        found = feature_difference(X, W, act, features, rates, **blocks)
        torch.testing.assert_close(found.matrix, exact - features @ features.T, rtol=0, atol=1e-14)
        assert torch.equal(found.matrix, found.matrix.T)
        assert found.frobenius == pytest.approx(float(found.matrix.norm()), rel=1e-12)
        assert found.frobenius != pytest.approx(float(exact.norm()), rel=1e-3)


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
@pytest.mark.parametrize("rates", RATES)
def test_differences_to_the_kernels_one_by_one(name, rates):
    X, W = problem(40, 60, 6)
    X[3], X[4] = X[2], 0  # pairs that are parallel, and a zero
    act = activation(name)
    theta = rates[0] * first_layer_ntk(X, W, act) + rates[1] * second_layer_ntk(X, W, act)
    expected = rates[0] * expected_first_layer_ntk(X, act) + rates[1] * expected_second_layer_ntk(X, act)
    found = expected_difference(X, W, act, rates, strip=16)
    torch.testing.assert_close(found.matrix, theta - expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(found.matrix.diagonal(), (theta - expected).diagonal(), rtol=0, atol=1e-14)
    assert found.frobenius == pytest.approx(float(found.matrix.norm()), rel=1e-12)
    linear = linear_kernel(X, act, 1.25, rates)
    features = combined_features(X, act, 1.25, rates)
    found = feature_difference(X, W, act, features, rates)
    torch.testing.assert_close(found.matrix, theta - linear, rtol=0, atol=1e-14)
    assert float((expected - linear).abs().max()) > 1e-3


@pytest.mark.parametrize("route", ["torch", "onednn", "numpy"])
def test_float32_by_every_route(monkeypatch, route):
    monkeypatch.setenv("WHP_PRODUCT", route)
    X, W = problem(300, 80, 10, torch.float32)
    act = activation("erf")
    for rates in RATES:
        found = expected_difference(X, W, act, rates, strip=64, neurons=32)
        exact = expected_difference(X.double(), W.double(), act, rates)
        torch.testing.assert_close(found.matrix.double(), exact.matrix, rtol=0, atol=1e-5)
        assert found.frobenius == pytest.approx(exact.frobenius, rel=1e-4)


@pytest.mark.parametrize(("n", "strip"), [(1, 4), (4, 4), (5, 4), (37, 4), (37, 5)])
def test_a_gram_matrix_is_put_to_the_lower_triangle_alone(n, strip):
    torch.manual_seed(0)
    F, out = torch.randn(n, 6, dtype=torch.float64), torch.full((n, n), 7.0, dtype=torch.float64)
    gram = Gram(out.T, torch.zeros(n, strip, dtype=torch.float64))
    gram.put(F, strip, add=False)
    gram.put(F, strip, add=True)
    exact, filled = 2 * F @ F.T, torch.zeros(n, n, dtype=torch.bool)
    for rows, columns in triangle_tiles(n, strip, 2 * strip):
        tile = gram.diagonal_block(rows) if rows == columns else out.T[rows, columns]
        torch.testing.assert_close(tile, exact[rows, columns], rtol=0, atol=1e-14)
        filled[rows, columns] = True
    assert bool(filled.tril().sum() == n * (n + 1) // 2)
    untouched = (out == 7.0).T
    assert bool(untouched[~(filled.tril(-1))].sum() >= n)
    assert bool(untouched.triu().sum() == n * (n + 1) // 2)


def test_fewer_neurons_at_once_where_memory_is_short(monkeypatch):
    X, W = torch.zeros(10_000, 3), torch.zeros(10_000, 3)
    assert neurons_that_fit(X, W, 4096, 2, matrices=1) == 4096
    monkeypatch.setattr("whp.memory.free_bytes", lambda device: 10**9)
    assert neurons_that_fit(X, W, 4096, 2, matrices=1) == 4096  # 0.4 and 0.33 GB into 0.8
    assert neurons_that_fit(X, W, 4096, 2, matrices=0) == 4096
    monkeypatch.setattr("whp.memory.free_bytes", lambda device: 6 * 10**8)
    assert neurons_that_fit(X, W, 4096, 2, matrices=1) == 512
    monkeypatch.setattr("whp.memory.free_bytes", lambda device: 10**8)
    with pytest.raises(ResourceError, match="a tangent kernel and its features must fit"):
        combined_ntk(X, W, activation("erf"))
    assert neurons_that_fit(X[:100], W, 4096, 2, matrices=1) == 4096  # small ones are not planned


def test_wrong_arguments_are_refused():
    X, W = problem(5, 4, 3)
    act = activation("erf")
    for rates in [(0.0, 0.0), (1.0, -1.0), (math.inf, 1.0), (math.nan, 1.0)]:
        with pytest.raises(InputError, match="rates must be a pair of finite numbers, not negative"):
            combined_ntk(X, W, act, rates)
    for features in (torch.zeros(4, 2, dtype=torch.float64), torch.zeros(5, 2), torch.zeros(5)):
        with pytest.raises(InputError, match=r"features must be of shape \(5, p\), torch\.float64 on cpu"):
            feature_difference(X, W, act, features)
    for sizes in ({"strip": 0}, {"neurons": 0}):
        with pytest.raises(InputError, match=r"(strip|neurons) must be a positive integer"):
            combined_ntk(X, W, act, **sizes)
    with pytest.raises(InputError, match="n x n matrix must be"):
        combined_ntk(X, W, act, out=torch.empty(5, 4, dtype=torch.float64))
