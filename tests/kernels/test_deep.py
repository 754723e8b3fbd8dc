"""Kernels of deep fully-connected networks against autograd, two-layer kernels and finite differences."""

import math

import pytest
import torch

from whp.ensembles import data_distribution
from whp.errors import InputError
from whp.kernels import (
    activation,
    deep_ntk_function,
    deep_ntks,
    deep_taylor,
    expected_first_layer_ntk,
    expected_second_layer_ntk,
    linear_kernel,
    norm_ratios,
    phi_gradient,
    subtract_deep_linear_kernel_,
)
from whp.seeding import generator

NAMES = ["erf", "relu", "leaky_relu", "tanh", "softplus"]
N, D = 12, 10


def data(name: str = "gaussian", n: int = N, d: int = D) -> torch.Tensor:
    return data_distribution(name).sample(generator(9, "deep", n, d), n, d)


@pytest.mark.parametrize("name", NAMES)
def test_depth_two_is_the_network_of_section_3(name):
    X, act = data(), activation(name)
    both = expected_first_layer_ntk(X, act) + expected_second_layer_ntk(X, act)
    torch.testing.assert_close(deep_ntks(X, act, [2])[2], both, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_matrices_are_the_function_entry_by_entry(name):
    X, act = data(), activation(name)
    kernels = deep_ntks(X, act, [2, 3, 5], strip=5)
    assert sorted(kernels) == [2, 3, 5]
    a = norm_ratios(X)
    i, j = torch.tril_indices(N, N, -1)
    c = (X @ X.T / D)[i, j]
    for depth, K in kernels.items():
        assert torch.equal(K, K.T)
        h = deep_ntk_function(act, depth, a[i], a[j], c)
        torch.testing.assert_close(K[i, j], h, rtol=0, atol=1e-11)
        # At |c| = sqrt(ab) relu has a root of the difference, where rounding of 1e-16 makes 1e-8.
        torch.testing.assert_close(K.diagonal(), deep_ntk_function(act, depth, a, a, a), rtol=0, atol=1e-8)
    assert float((kernels[3] - kernels[2]).abs().max()) > 1e-2  # and depths differ


def finite_network(x: torch.Tensor, weights: list[torch.Tensor], act) -> torch.Tensor:
    for k, W in enumerate(weights):
        x = W @ x / math.sqrt(len(x))
        if k + 1 < len(weights):
            x = act.phi(x)
    return x[0]


def finite_ntk(X: torch.Tensor, widths: list[int], act, *key: object) -> torch.Tensor:
    rng = generator(9, "weights", *widths, *key)
    shapes = zip(widths[1:], widths, strict=False)
    weights = [torch.from_numpy(rng.standard_normal(shape)) for shape in shapes]
    gradients = torch.func.vmap(torch.func.grad(lambda w, x: finite_network(x, w, act)), in_dims=(None, 0))(
        weights, X
    )
    return sum(g.flatten(1) @ g.flatten(1).T for g in gradients)


@pytest.mark.parametrize(("name", "depth"), [("erf", 5), ("relu", 3)])
def test_finite_networks_come_closer_as_their_width_grows(name, depth):
    """From width 32 to 512 the error, over 24 nets, falls by more than 0.85; in theory it is a quarter.

    With 12 nets the logarithm of the ratio had mean -1.40 and standard deviation at most 0.26 over 30
    seeds; with 24 that is 0.18, and log 0.85 is more than 6 of them away: a false alarm is rarer than 1e-8.
    """
    X, act = data(n=4, d=6), activation(name)
    exact = deep_ntks(X, act, [depth])[depth]

    def ratio(limit: torch.Tensor) -> float:
        narrow, wide = (
            sum(
                float((finite_ntk(X, [6, *[width] * (depth - 1), 1], act, t) - limit).norm() ** 2)
                for t in range(24)
            )
            for width in (32, 512)
        )
        return math.sqrt(wide / narrow)

    assert ratio(exact) < 0.85
    assert ratio(2 * exact) > 0.85  # and it can fail


@pytest.mark.parametrize("name", NAMES)
def test_coefficients_of_depth_two_are_those_of_the_proofs(name):
    """h = Gamma + c Phi, so h_c = 2 zeta^2, h_cc = 3 E[phi'']^2 and h_a = vartheta_0 vartheta_1 / 2."""
    act = activation(name)
    m, taylor = act.moments, deep_taylor(act, 2)
    assert taylor.value == pytest.approx(m.vartheta_0**2, abs=1e-12)
    h_a, h_b, h_c = taylor.gradient.tolist()
    assert (h_a, h_b) == (pytest.approx(m.vartheta_0 * m.vartheta_1 / 2, abs=1e-10),) * 2
    assert h_c == pytest.approx(2 * m.zeta**2, abs=1e-10)
    assert float(taylor.hessian[2, 2]) == pytest.approx(3 * m.g_dphi**2, abs=1e-8)
    c1 = phi_gradient(act).c1
    # d/da of zeta(a) zeta(b) from Gamma, and again from c Phi.
    assert float(taylor.hessian[0, 2]) == pytest.approx(2 * c1, abs=1e-8)
    assert float(taylor.hessian[0, 1]) == pytest.approx(m.vartheta_1**2 / 4, abs=1e-8)
    spread = act.phi(torch.linspace(-12, 12, 100_001, dtype=torch.float64)).square()
    density = torch.exp(-torch.linspace(-12, 12, 100_001, dtype=torch.float64).square() / 2)
    second = float((spread * density).sum() * 24 / 100_000 / math.sqrt(2 * math.pi))
    assert taylor.diagonal == pytest.approx(second + m.gamma, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [3, 5])
def test_coefficients_against_finite_differences(name, depth):
    act, step = activation(name), 1e-3
    taylor = deep_taylor(act, depth)
    centre = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)

    def h(*moves: tuple[int, float]) -> float:
        at = centre.clone()
        for axis, move in moves:
            at[axis] += move
        return float(deep_ntk_function(act, depth, *at))

    for i in range(3):
        slope = (h((i, step)) - h((i, -step))) / (2 * step)
        assert float(taylor.gradient[i]) == pytest.approx(slope, abs=1e-5)
        for j in range(3):
            mixed = h((i, step), (j, step)) - h((i, step), (j, -step))
            mixed -= h((i, -step), (j, step)) - h((i, -step), (j, -step))
            assert float(taylor.hessian[i, j]) == pytest.approx(mixed / (4 * step**2), abs=1e-4)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("name", ["erf", "tanh"])
def test_odd_activations_have_an_odd_kernel(name, depth):
    taylor = deep_taylor(activation(name), depth)
    assert taylor.value == pytest.approx(0, abs=1e-12)
    for k, number in enumerate(taylor.gradient.tolist()):
        assert (abs(number) > 0.1) if k == 2 else (number == pytest.approx(0, abs=1e-10))
    even = [(0, 0), (0, 1), (1, 1), (2, 2)]
    assert all(float(taylor.hessian[k]) == pytest.approx(0, abs=1e-8) for k in even)


def test_what_is_subtracted_term_by_term():
    X, act, sigma_moment = data(), activation("softplus"), 1.3
    taylor = deep_taylor(act, 3)
    h_a, _, h_c = taylor.gradient.tolist()
    H = taylor.hessian.tolist()
    K = deep_ntks(X, act, [3])[3]
    plain = K - subtract_deep_linear_kernel_(K.clone(), X, taylor, sigma_moment)
    norms = K - subtract_deep_linear_kernel_(K.clone(), X, taylor, sigma_moment, norms=True)
    e = [float(x @ x) / D - 1 for x in X]
    for i in range(N):
        for j in range(N):
            expected = h_c * float(X[i] @ X[j]) / D + taylor.value + H[2][2] / 2 * sigma_moment / D
            expected += (taylor.diagonal - taylor.value - h_c) if i == j else 0
            assert float(plain[i, j]) == pytest.approx(expected, abs=1e-12)
            expected += h_a * (e[i] + e[j]) + H[0][0] / 2 * (e[i] ** 2 + e[j] ** 2) + H[0][1] * e[i] * e[j]
            assert float(norms[i, j]) == pytest.approx(expected, abs=1e-12)


def test_depth_two_subtracts_the_linear_kernel_of_both_layers():
    """Off the diagonal, for an odd activation: 2 zeta^2 X X^T / d."""
    X, act = data("rademacher"), activation("erf")
    zero = torch.zeros(N, N, dtype=torch.float64)
    deep = -subtract_deep_linear_kernel_(zero, X, deep_taylor(act, 2), 1.0, norms=True)
    both = linear_kernel(X, act, 1.0, (1.0, 1.0))
    torch.testing.assert_close(deep.fill_diagonal_(0), both.fill_diagonal_(0), rtol=0, atol=1e-10)


def test_what_makes_no_sense_is_refused():
    X, act = data(), activation("erf")
    for depths in ([], [1], [2, 0]):
        with pytest.raises(InputError, match="depths must be at least one, each 2 or more"):
            deep_ntks(X, act, depths)
    with pytest.raises(InputError, match="depth must be 2 or more, got 1"):
        deep_taylor(act, 1)
    with pytest.raises(InputError, match="strip must be a positive integer"):
        deep_ntks(X, act, [2], strip=0)
    with pytest.raises(InputError, match=r"at most sqrt\(a b\)"):
        deep_ntk_function(act, 3, *(torch.tensor(x, dtype=torch.float64) for x in (1.0, 1.0, 1.5)))
