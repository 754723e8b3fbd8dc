"""What finite-width kernels and operators refuse, each with one sentence, and what they take."""

import math
import re

import numpy as np
import pytest
import torch

from whp.ensembles import data_distribution, symmetric_init
from whp.errors import InputError
from whp.kernels import (
    ExpectedOperator,
    LinearOperator,
    TangentOperator,
    activation,
    combined_features,
    combined_ntk,
    expected_difference,
    expected_first_layer_ntk,
    expected_second_layer_ntk,
    feature_difference,
    first_layer_ntk,
    layer_ntks,
    linear_kernel,
    second_layer_ntk,
    subtract_linear_kernel_,
)
from whp.linalg import DenseSymmetric, Difference
from whp.seeding import generator

N, M, D = 9, 8, 3
PSI = torch.ones(N, 2, dtype=torch.float64)
# What takes data and weights, and what takes data alone; all with the activation that they are given.
NETWORKS = {
    "combined_ntk": combined_ntk,
    "first_layer_ntk": first_layer_ntk,
    "second_layer_ntk": second_layer_ntk,
    "layer_ntks": lambda X, W, phi: layer_ntks(X, W, phi)[0],
    "feature_difference": lambda X, W, phi: feature_difference(X, W, phi, PSI).matrix,
    "expected_difference": lambda X, W, phi: expected_difference(X, W, phi).matrix,
    "TangentOperator": lambda X, W, phi: TangentOperator(X, W, phi, (1, 1)).matmat(PSI),
}
DATA = {
    "combined_features": lambda X, phi: combined_features(X, phi, 1.0),
    "linear_kernel": lambda X, phi: linear_kernel(X, phi, 1.0),
    "expected_first_layer_ntk": expected_first_layer_ntk,
    "expected_second_layer_ntk": expected_second_layer_ntk,
    "LinearOperator": lambda X, phi: LinearOperator(X, phi, 1.0, (1, 1)).matmat(PSI),
    "ExpectedOperator": lambda X, phi: ExpectedOperator(X, phi, (1, 1)).matmat(PSI),
}
BOTH = {**NETWORKS, **{name: lambda X, W, phi, f=f: f(X, phi) for name, f in DATA.items()}}
ERF = activation("erf")


def problem():
    X = data_distribution("gaussian").sample(generator(14, "X"), N, D)
    return X, symmetric_init(generator(14, "W"), M, D).W_half


def spoiled(A, value):
    A = A.clone()
    A[-1, -1] = value
    return A


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", BOTH)
def test_data_that_are_not_finite(name, bad):
    X, W = problem()
    with pytest.raises(InputError, match="X must be finite in every entry"):
        BOTH[name](spoiled(X, bad), W, ERF)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_that_are_not_finite(name, bad):
    X, W = problem()
    with pytest.raises(InputError, match="W must be finite in every entry"):
        NETWORKS[name](X, spoiled(W, bad), ERF)


@pytest.mark.parametrize("name", BOTH)
def test_gradients_are_not_asked_for(name):
    X, W = problem()
    plain = BOTH[name](X, W, ERF)
    for x, w in ((X.clone().requires_grad_(), W), (X, torch.nn.Parameter(W))):
        found = BOTH[name](x, w, ERF)
        assert not found.requires_grad
        assert torch.equal(found, plain)


def test_gradients_of_what_is_multiplied_or_subtracted_are_not_asked_for():
    X, W = problem()
    V = torch.nn.Parameter(PSI)
    for operator in (TangentOperator(X, W, ERF), LinearOperator(X, ERF, 1.0), ExpectedOperator(X, ERF)):
        assert torch.equal(operator.matmat(V), operator.matmat(PSI))
    assert torch.equal(feature_difference(X, W, ERF, V).matrix, feature_difference(X, W, ERF, PSI).matrix)
    K, points = torch.eye(N, dtype=torch.float64), X.clone().requires_grad_()
    assert torch.equal(
        subtract_linear_kernel_(K.clone(), points, 1.0, 1.0), subtract_linear_kernel_(K, X, 1, 1)
    )


@pytest.mark.parametrize("name", BOTH)
def test_what_is_no_tensor(name):
    X, W = problem()
    for x, kind in ((X.numpy(), "ndarray"), (X.tolist(), "list"), (None, "NoneType")):
        with pytest.raises(InputError, match=f"X must be a torch tensor, got '{kind}'"):
            BOTH[name](x, W, ERF)
    if name in NETWORKS:
        for w, kind in ((W.numpy(), "ndarray"), (W.tolist(), "list"), (None, "NoneType")):
            with pytest.raises(InputError, match=f"W must be a torch tensor, got '{kind}'"):
                BOTH[name](X, w, ERF)


def test_vectors_and_features_that_are_no_tensors():
    X, W = problem()
    with pytest.raises(InputError, match="V must be a torch tensor, got 'ndarray'"):
        TangentOperator(X, W, ERF).matmat(PSI.numpy())
    with pytest.raises(InputError, match="features must be a torch tensor, got 'ndarray'"):
        feature_difference(X, W, ERF, PSI.numpy())


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("phi", ["erf", None, torch.erf])
def test_what_is_no_activation(name, phi):
    rule = re.escape("activation must be an Activation, such as whp.kernels.activation('erf'), got")
    with pytest.raises(InputError, match=rule):
        BOTH[name](*problem(), phi)


RATED = {
    "combined_ntk": lambda X, W, rates: combined_ntk(X, W, ERF, rates),
    "feature_difference": lambda X, W, rates: feature_difference(X, W, ERF, PSI, rates).matrix,
    "expected_difference": lambda X, W, rates: expected_difference(X, W, ERF, rates).matrix,
    "combined_features": lambda X, W, rates: combined_features(X, ERF, 1.0, rates),
    "linear_kernel": lambda X, W, rates: linear_kernel(X, ERF, 1.0, rates),
    "TangentOperator": lambda X, W, rates: TangentOperator(X, W, ERF, rates).matmat(PSI),
    "LinearOperator": lambda X, W, rates: LinearOperator(X, ERF, 1.0, rates).matmat(PSI),
    "ExpectedOperator": lambda X, W, rates: ExpectedOperator(X, ERF, rates).matmat(PSI),
}
NO_RATES = [(1,), (1, 1, 1), (), 1, None, "11", ("1", "0"), (None, 1), (1j, 1), {1, 2}, (-1.0, 1.0), (0, 0)]


@pytest.mark.parametrize("name", RATED)
def test_rates(name):
    X, W = problem()
    rule = "rates must be a pair of finite numbers, not negative and not both zero, got"
    for rates in [*NO_RATES, (math.nan, 1.0), (1.0, math.inf)]:
        with pytest.raises(InputError, match=rule):
            RATED[name](X, W, rates)
    plain = RATED[name](X, W, (1.0, 0.0))
    for rates in ((True, False), [1, 0], np.array([1.0, 0.0]), (np.float32(1), np.int64(0))):
        assert torch.equal(RATED[name](X, W, rates), plain)
    assert not torch.equal(RATED[name](X, W, (1, 1)), plain)


def test_bytes_to_keep():
    X, W = problem()
    for keep in (-1, -math.inf, math.nan, "all"):
        with pytest.raises(InputError, match="keep must be a number of bytes, 0 or more, got"):
            TangentOperator(X, W, ERF, keep=keep)
    for keep, blocks in ((0, 0), (1e12, 1), (math.inf, 1)):
        operator = TangentOperator(X, W, ERF, keep=keep)
        operator.matmat(PSI)
        assert len(operator._kept) == blocks


@pytest.mark.parametrize("bad", [2.5, 0, -1, True, "4", None])
def test_block_sizes(bad):
    X, W = problem()
    calls = {"neurons": [combined_ntk, first_layer_ntk, second_layer_ntk, layer_ntks]}
    calls["strip"] = calls["neurons"] if bad is not None else []  # None is the strip that is best
    for name, functions in calls.items():
        for function in functions:
            with pytest.raises(InputError, match=f"{name} must be a positive integer, got"):
                function(X, W, ERF, **{name: bad})
    assert torch.equal(combined_ntk(X, W, ERF, neurons=np.int64(4)), combined_ntk(X, W, ERF, neurons=4))


@pytest.mark.parametrize("bad", [math.inf, math.nan, -1.0, "1", None])
def test_the_moment_of_the_covariance(bad):
    X, _ = problem()
    with pytest.raises(InputError, match=r"Tr\[Sigma\^2\]/d must be finite and at least 0, got"):
        LinearOperator(X, ERF, bad)


def test_what_is_no_operator_is_not_subtracted():
    X, W = problem()
    operator, K = TangentOperator(X, W, ERF), torch.eye(N, dtype=torch.float64)
    rule = "right must be an operator with shape, dtype, device, matmat and rounding, got"
    for other, kind in ((K, "Tensor"), (1, "int"), (None, "NoneType"), (DenseSymmetric(K), "DenseSymmetric")):
        with pytest.raises(InputError, match=f"{rule} '{kind}'"):
            operator - other
    with pytest.raises(InputError, match="left must be an operator"):
        Difference(K, operator)
    nested = Difference(operator - LinearOperator(X, ERF, 1.0), ExpectedOperator(X, ERF))
    assert nested.matmat(PSI).shape == (N, 2)


def test_to_subtract_computes_no_rounding():
    X, W = problem()
    operator = TangentOperator(X, W, ERF)
    _ = operator - LinearOperator(X, ERF, 1.0)
    assert "rounding" not in vars(operator)  # a pass over all features
