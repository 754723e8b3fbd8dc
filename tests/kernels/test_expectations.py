"""Phi(a, b, c) and Gamma(a, b, c) against mpmath, quadrature and their own gradient."""

import json
import math
from pathlib import Path

import mpmath as mp
import pytest
import torch

from whp.errors import InputError
from whp.kernels import Gamma, Phi, activation, activation_names, leaky_relu, phi_gradient
from whp.kernels.quadrature import gaussian_mean, gaussian_mean_pair

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
NAMES = activation_names()
FUNCTIONS = {"Phi": Phi, "Gamma": Gamma}


def columns(name: str, *keys: str) -> list[torch.Tensor]:
    rows = REFERENCE[name]["pairs"]
    return [torch.tensor([row[key] for row in rows], dtype=torch.float64) for key in keys]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_against_mpmath(name, function):
    a, b, c, exact = columns(name, "a", "b", "c", function)
    result = FUNCTIONS[function](activation(name), a, b, c)
    deviation = (result.value - exact).abs()
    assert float(deviation.max()) < 1e-13
    assert bool((deviation <= result.error + 4e-16).all())
    assert float(result.error.max()) < 1e-12


def test_a_neighbouring_activation_would_be_caught():
    a, b, c, exact = columns("tanh", "a", "b", "c", "Phi")
    assert float((Phi(activation("erf"), a, b, c).value - exact).abs().max()) > 1e-3


def test_erf_quadrature_agrees_with_the_closed_form():
    a, b, c = columns("erf", "a", "b", "c")
    act = activation("erf")
    for f, closed in ((act.dphi, Phi), (act.phi, Gamma)):
        value, error = gaussian_mean_pair(f, a, b, c)
        torch.testing.assert_close(value, closed(act, a, b, c).value, rtol=0, atol=1e-14)
        assert float(error.max()) < 1e-13


def test_an_unconverged_quadrature_says_so():
    a, b, c = (torch.tensor([x], dtype=torch.float64) for x in (1.0, 1.25, 0.3))
    kink = activation("relu").dphi
    value, error = gaussian_mean_pair(kink, a, b, c)
    exact = float(Phi(activation("relu"), a, b, c).value)
    assert 1e-6 < abs(float(value) - exact) < float(error)
    value, one_error = gaussian_mean(lambda u: kink(u - 0.3))
    assert 1e-6 < abs(float(value) - 0.5 * math.erfc(0.3 / math.sqrt(2))) < one_error


def test_live_mpmath_value():
    # One conditional mean: E[phi'(z1) phi'(z2)] for ReLU is P(z1 > 0, z2 > 0).
    with mp.workdps(20):
        exact = mp.quad(lambda u: mp.npdf(u) * mp.ncdf(u * mp.mpf("0.5") / mp.sqrt(0.75)), [0, 2, 5, 12])
    assert float(Phi(activation("relu"), 4.0, 1.0, 1.0).value) == pytest.approx(float(exact), abs=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_large_variances_stay_accurate(name):
    act = activation(name)
    result = Phi(act, 100.0, 64.0, 80.0)  # fully correlated, so a one-dimensional mean
    f = act.dphi
    value, error = gaussian_mean(lambda u: f(10 * u) * f(8 * u))
    if act.smooth:
        assert float(result.value) == pytest.approx(float(value), abs=1e-11)
        assert float(result.error) < 1e-10
    else:
        assert abs(float(result.value) - float(value)) < error


@pytest.mark.parametrize("slope", [-0.5, 0.3, 2.0])
def test_other_slopes_by_linearity(slope):
    # phi = slope z + (1 - slope) relu(z), and E[z1 relu(z2)] = c / 2.
    a, b, c = columns("relu", "a", "b", "c")
    relu = Gamma(activation("relu"), a, b, c).value
    expected = slope**2 * c + slope * (1 - slope) * c + (1 - slope) ** 2 * relu
    torch.testing.assert_close(Gamma(leaky_relu(slope), a, b, c).value, expected, rtol=0, atol=1e-14)


def test_angles_near_the_edge_keep_their_digits():
    # rho = 1 - 2^-40: the angle is sqrt(2^-39), of which ab - c^2 in floating point would lose six digits.
    rho = 1 - 2.0**-40
    value = float(Phi(activation("relu"), 0.7, 0.7, 0.7 * rho).value)
    with mp.workdps(40):
        inputs = mp.mpf(0.7 * rho) / mp.mpf(0.7)
        exact = mp.mpf(1) / 4 + mp.asin(inputs) / (2 * mp.pi)
    assert value == pytest.approx(float(exact), abs=2e-16)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_against_differences(name):
    act = activation(name)
    step = 1e-3
    gradient = phi_gradient(act)
    for axis, ours in enumerate((gradient.c1, gradient.c2, gradient.c3)):
        at = torch.tensor([[1.0, 1.0, 0.0]] * 4, dtype=torch.float64)
        at[:, axis] += step * torch.tensor([-2, -1, 1, 2], dtype=torch.float64)
        low2, low, high, high2 = Phi(act, *at.T).value.tolist()
        derivative = (8 * (high - low) - (high2 - low2)) / (12 * step)  # error O(step^4)
        assert ours == pytest.approx(derivative, abs=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_value_at_independence_is_zeta_squared(name):
    act = activation(name)
    assert float(Phi(act, 1.0, 1.0, 0.0).value) == pytest.approx(act.moments.zeta**2, abs=1e-14)
    assert float(Phi(act, 1.0, 1.0, 1.0).value) == pytest.approx(act.moments.gamma, abs=1e-14)
    assert abs(float(Phi(act, 1.0, 1.0, 0.0).value) - (1.001 * act.moments.zeta) ** 2) > 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_broadcasts_and_is_symmetric(name):
    act = activation(name)
    a = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    table = Phi(act, a[:, None], a, 0.25)
    assert table.value.shape == table.error.shape == (3, 3)
    torch.testing.assert_close(table.value, table.value.T, rtol=0, atol=1e-14)
    assert float(table.value[0, 2]) == pytest.approx(float(Phi(act, 0.5, 2.0, 0.25).value), abs=1e-15)
    assert bool((table.value.abs() <= act.sup_dphi**2).all())


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
@pytest.mark.parametrize(
    ("a", "b", "c", "message"),
    [
        (-1.0, 1.0, 0.0, "a must be a variance"),
        (1.0, -1.0, 0.0, "b must be a variance"),
        (1.0, 1.0, 1.0 + 1e-9, "c must be at most sqrt"),
        (1.0, 1.0, -1.1, "c must be at most sqrt"),
        (0.0, 1.0, 0.1, "c must be at most sqrt"),
        (math.nan, 1.0, 0.0, "a must be finite"),
        (1.0, math.inf, 0.0, "b must be finite"),
    ],
)
def test_impossible_covariances_are_refused(name, a, b, c, message):
    for function in (Phi, Gamma):
        with pytest.raises(InputError, match=message):
            function(activation(name), a, b, c)


def test_rounding_beyond_the_edge_is_forgiven():
    act = activation("relu")
    assert float(Phi(act, 1.0, 1.0, 1.0 + 4e-16).value) == 0.5
