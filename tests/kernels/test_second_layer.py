"""Theta_2, Theta_2^*, psi_2, psi and their kernels against their definitions."""

import math

import pytest
import torch

from whp.ensembles import data_distribution, symmetric_init
from whp.errors import InputError
from whp.kernels import (
    Gamma,
    activation,
    activation_names,
    combined_features,
    expected_first_layer_ntk,
    expected_second_layer_ntk,
    first_layer_ntk,
    layer_ntks,
    linear_features,
    linear_kernel,
    norm_feature,
    nu,
    second_layer_ntk,
    subtract_gram_,
)
from whp.kernels.mehler import MAX_ORDER, hermite_table, mehler_tile
from whp.seeding import generator

NAMES = activation_names()


def problem(n: int, m: int, d: int, dtype: torch.dtype = torch.float64):
    X = data_distribution("gaussian").sample(generator(7, "X", n, d), n, d, dtype)
    return X, symmetric_init(generator(7, "W", m, d), m, d, dtype)


def jacobian(weights, X, act):
    """Of the network's outputs by autograd, one tensor (n, ...) for W and one for v."""

    def network(W, v):
        return act.phi(X @ W.T / X.shape[1] ** 0.5) @ v / len(v) ** 0.5

    return torch.autograd.functional.jacobian(network, weights)


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_the_gram_matrices_of_the_jacobians(name):
    # hu2020, eqs (16) and (17).
    act = activation(name)
    X, init = problem(7, 6, 4)
    J_W, J_v = jacobian((init.W, init.v), X, act)
    J_W = J_W.reshape(len(X), -1)
    torch.testing.assert_close(second_layer_ntk(X, init.W, act), J_v @ J_v.T, rtol=0, atol=1e-14)
    first, second = layer_ntks(X, init.W, act)
    torch.testing.assert_close(first, J_W @ J_W.T, rtol=0, atol=1e-14)
    torch.testing.assert_close(second, J_v @ J_v.T, rtol=0, atol=1e-14)
    assert float((second - J_W @ J_W.T).abs().max()) > 1e-2  # the layers differ: the comparison can fail


@pytest.mark.parametrize("name", ["erf", "relu", "softplus"])
def test_half_of_the_neurons_gives_the_same_matrix(name):
    X, init = problem(20, 30, 5)
    act = activation(name)
    half, full = second_layer_ntk(X, init.W_half, act), second_layer_ntk(X, init.W, act)
    torch.testing.assert_close(half, full, rtol=0, atol=1e-14)
    other_half = init.W_half.flip(1)  # not the same neurons: the comparison can fail
    assert float((second_layer_ntk(X, other_half, act) - full).abs().max()) > 1e-3


@pytest.mark.parametrize("strip", [1, 8, 100])
@pytest.mark.parametrize("neurons", [1, 7, 15, 100])
def test_block_sizes_do_not_matter(strip, neurons):
    X, init = problem(20, 30, 5)
    act = activation("softplus")
    plain = act.phi(X @ init.W_half.T / 5**0.5) @ act.phi(init.W_half @ X.T / 5**0.5) / 15
    theta = second_layer_ntk(X, init.W_half, act, strip=strip, neurons=neurons)
    torch.testing.assert_close(theta, plain, rtol=0, atol=1e-14)
    first, second = layer_ntks(X, init.W_half, act, strip=strip, neurons=neurons)
    torch.testing.assert_close(second, plain, rtol=0, atol=1e-14)
    torch.testing.assert_close(first, first_layer_ntk(X, init.W_half, act), rtol=0, atol=1e-14)
    for name in ("erf", "tanh"):
        whole = expected_second_layer_ntk(X, activation(name), strip=20)
        tiled = expected_second_layer_ntk(X, activation(name), strip=strip)
        torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-11)
        assert torch.equal(tiled, tiled.T)
    features = combined_features(X, act, 1.25)
    K = subtract_gram_(theta, features, strip=strip)
    torch.testing.assert_close(K, plain - features @ features.T, rtol=0, atol=1e-14)
    for K in (theta, first, second):
        assert torch.equal(K, K.T)


def test_out_is_filled_and_the_arguments_are_left_alone():
    X, init = problem(9, 4, 3)
    before = X.clone(), init.W_half.clone()
    act = activation("relu")
    out = torch.full((9, 9), math.nan, dtype=torch.float64)
    assert second_layer_ntk(X, init.W_half, act, out=out) is out
    assert torch.equal(out, second_layer_ntk(X, init.W_half, act))
    out.fill_(math.nan)
    assert expected_second_layer_ntk(X, act, out=out) is out
    assert torch.equal(out, expected_second_layer_ntk(X, act))
    combined_features(X, act, 1.0)
    assert torch.equal(X, before[0])
    assert torch.equal(init.W_half, before[1])


@pytest.mark.parametrize("name", ["erf", "relu", "centred_softplus"])
def test_float32_follows_float64(name):
    X, init = problem(60, 80, 10, torch.float32)
    act = activation(name)
    for kernel in (
        lambda X: second_layer_ntk(X, init.W_half.to(X), act),
        lambda X: expected_second_layer_ntk(X, act),
        lambda X: linear_kernel(X, act, 1.25, rates=(0.5, 1.0)),
    ):
        single, double = kernel(X), kernel(X.double())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["erf", "tanh", "sigmoid"])
def test_mean_over_weights_tends_to_the_expected_kernel(name):
    # Theta_2 averages m independent products phi(z_i) phi(z_j), each in an interval of length at most 2.
    # Hoeffding, and a union bound over 36 entries: false-alarm probability 1e-6.
    m = 400_000
    act = activation(name)
    X, init = problem(6, 2 * m, 4)
    limit = (1 if name == "sigmoid" else 2) * math.sqrt(math.log(2 * 36 / 1e-6) / (2 * m))
    theta = second_layer_ntk(X, init.W_half, act)
    assert float((theta - expected_second_layer_ntk(X, act)).abs().max()) <= limit
    wrong = expected_second_layer_ntk(X, activation("softplus"))  # and it can fail
    assert float((theta - wrong).abs().max()) > 3 * limit


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("d", [3, 40])
def test_expected_kernel_against_gamma(name, d):
    X = data_distribution("uniform").sample(generator(8, "expected"), 14, d)
    X[0] = 0
    X[2] = X[1]  # parallel, antiparallel and almost parallel pairs
    X[3] = -2 * X[1]
    X[4] = X[1] + 1e-3 * X[5]
    act = activation(name)
    gram = X @ X.T / d
    a = gram.diagonal()
    limit = torch.sqrt(a[:, None] * a)
    exact = Gamma(act, a[:, None], a, gram.clamp(-limit, limit)).value
    torch.testing.assert_close(expected_second_layer_ntk(X, act), exact, rtol=0, atol=4e-12)
    other = expected_second_layer_ntk(X, activation("erf" if name == "tanh" else "tanh"))
    assert float((other - exact).abs().max()) > 1e-2  # and it can fail


@pytest.mark.parametrize("name", ["tanh", "softplus", "centred_softplus", "gelu"])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-12])
def test_truncation_error_of_gamma_is_within_the_bound(name, tolerance):
    A = torch.tensor([0.25, 0.8, 1.0, 1.3, 3.0], dtype=torch.float64)
    act, moments = activation(name), activation(name).moments
    table = hermite_table(act, A, layer=2)
    # h_1(1) = E[g phi(g)] = E phi'(g)
    expected = torch.tensor([moments.vartheta_0, moments.zeta], dtype=torch.float64)
    torch.testing.assert_close(table.h[2, :2], expected, rtol=0, atol=1e-14)
    off = ~torch.eye(5, dtype=torch.bool)
    for rho in (0.05, -0.8):
        c = rho * torch.sqrt(A[:, None] * A)
        value = mehler_tile(act, table, slice(0, 5), slice(0, 5), A, c, tolerance)
        exact = Gamma(act, A[:, None], A, c).value
        K, bound = table.order(abs(rho), tolerance)
        assert bound <= tolerance * table.scale or K == MAX_ORDER
        assert float((value - exact).abs()[off].max()) <= tolerance * table.scale + 1e-14
    # The last K is for rho = -0.8; half of its terms are too few, at both tolerances.
    short = sum(torch.outer(table.h[:, k], table.h[:, k]) * rho**k for k in range(K // 2))
    assert float((short - exact).abs()[off].max()) > tolerance * table.scale


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.3, 2.5)])
def test_features_row_by_row(name, rates):
    # psi_1 of hu2020, eq. (5), psi_2 of eq. (9), psi of eq. (11), and their sums in other proportions.
    act, (X, _), d = activation(name), problem(12, 2, 5), 5
    moments, nu_value, (first, second) = act.moments, nu(act, 1.25), rates
    psi = combined_features(X, act, 1.25, rates)
    assert psi.shape == (12, d + 2)
    psi_1, psi_2, both = [], [], []
    for x in X:
        e = float(x.norm()) / d**0.5 - 1
        q = moments.vartheta_0 + moments.vartheta_1 * e + moments.vartheta_2 * e**2
        tail = x.new_tensor([nu_value / d**0.5, 0.0])
        psi_1.append(torch.cat((moments.zeta * x / d**0.5, tail)))
        psi_2.append(torch.cat((moments.zeta * x / d**0.5, x.new_tensor([nu_value / (2 * d) ** 0.5, q]))))
        both.append(
            torch.cat(((2 / d) ** 0.5 * moments.zeta * x, x.new_tensor([(1.5 / d) ** 0.5 * nu_value, q])))
        )
    psi_1, psi_2, both = torch.stack(psi_1), torch.stack(psi_2), torch.stack(both)
    torch.testing.assert_close(psi_1[:, :-1], linear_features(X, moments.zeta, nu_value))
    exact = {(1.0, 1.0): both, (0.0, 1.0): psi_2, (1.0, 0.0): psi_1}.get(rates)
    if exact is not None:
        torch.testing.assert_close(psi, exact, rtol=0, atol=1e-14)
    kernel = first * psi_1 @ psi_1.T + second * psi_2 @ psi_2.T
    torch.testing.assert_close(linear_kernel(X, act, 1.25, rates), kernel, rtol=0, atol=1e-13)
    torch.testing.assert_close(psi @ psi.T, kernel, rtol=0, atol=1e-13)
    torch.testing.assert_close(norm_feature(X, act), psi_2[:, -1], rtol=0, atol=1e-14)


@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.0, 1.0), (0.3, 2.5)])
@pytest.mark.parametrize("name", ["erf", "relu", "centred_softplus"])
def test_a_wrong_linear_kernel_would_be_caught(name, rates):
    # The kernel of both layers at infinite width, in the proportion of any learning rates: off the diagonal
    # it is at n / d^1.25 from its linear model, and a model with one part wrong is at n / d or more. Over
    # other streams the first norm is 0.015 to 0.23 of (r_1 + r_2) n / d^1.25 with a relative deviation of
    # 7 %, the ratios below are above 9.5 +- 0.6 and 2.04 +- 0.05: a false alarm is below 1e-6.
    n, d = 600, 100
    law = data_distribution("gaussian_two_level")
    X = law.sample(generator(9, name), n, d)
    act, moment = activation(name), law.sigma_moment(d)
    moments = act.moments
    kernel = rates[0] * expected_first_layer_ntk(X, act) + rates[1] * expected_second_layer_ntk(X, act)
    features = combined_features(X, act, moment, rates)

    def norm(features):
        difference = subtract_gram_(kernel.clone(), features)
        return float(torch.linalg.matrix_norm(difference - torch.diag(difference.diagonal()), 2))

    right = norm(features)
    assert right < 0.4 * sum(rates) * n / d**1.25
    wrong = features.clone()
    wrong[:, :d] *= 1.3
    assert norm(wrong) > 5 * right
    if moments.vartheta_1 and rates[1]:
        wrong = features.clone()
        wrong[:, d + 1] = moments.vartheta_0 * rates[1] ** 0.5  # a naive linear model: Section 3.4
        assert norm(wrong) > 1.5 * right


def test_wrong_shapes_and_rates_are_refused():
    X, init = problem(5, 4, 3)
    act = activation("erf")
    with pytest.raises(InputError, match=r"W must be of shape \(m, 3\)"):
        second_layer_ntk(X, init.W_half[:, :2], act)
    with pytest.raises(InputError, match=r"W must be torch\.float64 on cpu like X"):
        layer_ntks(X, init.W_half.float(), act)
    with pytest.raises(InputError, match="n x n matrix must be"):
        second_layer_ntk(X, init.W_half, act, out=torch.empty(5, 4, dtype=torch.float64))
    with pytest.raises(InputError, match="n x n matrix must be"):
        subtract_gram_(torch.zeros(5, 5), X)
    with pytest.raises(InputError, match="X must be a non-empty"):
        expected_second_layer_ntk(X[0], act)
    with pytest.raises(InputError, match="strip must be a positive integer"):
        expected_second_layer_ntk(X, act, strip=0)
    for rates in ((-1.0, 1.0), (1.0, math.nan), (math.inf, 1.0)):
        with pytest.raises(InputError, match="rates must be a pair of finite numbers, not negative"):
            combined_features(X, act, 1.0, rates)
