"""Each assumption of caron2023, broken one at a time."""

import math

import pytest
import torch

from whp.errors import InputError
from whp.kernels import (
    Activation,
    activation,
    c_1,
    check_activation,
    check_assumptions,
    check_inputs,
    check_targets,
    sup_derivatives,
)

TANH = activation("tanh")
X = torch.tensor([[0.6, 0.8], [0.5, -0.1]], dtype=torch.float64)
Y = torch.tensor([0.3, -0.4], dtype=torch.float64)


def test_what_satisfies_them():
    found = check_assumptions(X, Y, TANH)
    assert (found.n, found.d, found.C) == (2, 2, 0.4)
    assert math.isclose(found.M, 4 / (3 * math.sqrt(3)), rel_tol=1e-7)
    assert 0 < found.kappa.low < found.kappa.high
    assert 0 < found.C_1 < 0.5
    assert check_assumptions(X, Y, TANH, C=2.0).C == 2.0
    assert check_assumptions(X[:1], Y[:1], TANH).n == 1
    # One norm of rounding above one, opposite signs of one direction in a plane, and tiny inputs.
    unit = torch.nn.functional.normalize(torch.tensor([[1.0, 2.0], [-3.0, 1.0], [1e-9, 1.0]]).double(), dim=1)
    check_assumptions(unit, torch.ones(3), TANH)
    check_inputs(torch.tensor([[1e-300, 0.0], [1e-200, 1e-200]], dtype=torch.float64))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[0.0, 0.0], [1.0, 0.0]], "x_1 must be different from zero .*2.1 a"),
        ([[0.5, 0.0], [1.0, 0.01]], "the norm of x_2 must be at most 1 .*2.1 a.*got 1.0000"),
        ([[0.5, 0.5], [0.1, 0.0], [0.2, 0.2]], "x_1 and x_3 must be no multiples .*2.1 b"),
        ([[0.5, 0.1], [-0.25, -0.05]], "x_1 and x_2 must be no multiples"),
        ([[0.5], [0.3]], "x_1 and x_2 must be no multiples"),
        ([[math.nan, 0.0], [1.0, 0.0]], "X must be made of finite numbers"),
        ([[math.inf, 0.0], [1.0, 0.0]], "X must be made of finite numbers"),
    ],
)
def test_inputs(rows, sentence):
    with pytest.raises(InputError, match=sentence):
        check_inputs(torch.tensor(rows, dtype=torch.float64))


def test_parallel_inputs_of_any_size_are_found():
    x = torch.tensor([1.0, math.pi, -math.e], dtype=torch.float64) / 5
    for factor in (1.0, -0.3, 1e-12, 1 / 3):
        with pytest.raises(InputError, match="multiples of each other"):
            check_inputs(torch.stack((x, factor * x)))
    check_inputs(torch.stack((x, x + torch.tensor([0, 0, 1e-12], dtype=torch.float64))))


@pytest.mark.parametrize(
    ("y", "C", "sentence"),
    [
        ([0.3], None, r"y must be targets of shape \(2,\)"),
        ([0.3, math.nan], None, "y must be made of finite numbers"),
        ([0.3, -0.4], 0.35, r"C must be at least max\|y_i\| = 0.4 .*2.1 c.*got 0.35"),
        ([0.3, -0.4], math.inf, "C must be at least"),
    ],
)
def test_targets(y, C, sentence):
    with pytest.raises(InputError, match=sentence):
        check_targets(torch.tensor(y), 2, C)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("relu", r"activation must be analytic \(Assumption 2.2\), got 'relu'"),
        ("swish", r"sup\|sigma'\| of swish must be at most 1 .*got 1.0998"),
        ("erf", r"sup\|sigma'\| of erf must be at most 1 .*got 1.128"),
        ("gelu", r"sup\|sigma'\| of gelu must be at most 1"),
    ],
)
def test_activations(name, sentence):
    with pytest.raises(InputError, match=sentence):
        check_activation(activation(name))
    with pytest.raises(InputError, match=sentence):
        check_assumptions(X, Y, activation(name))


def test_activations_of_ones_own():
    def made(phi, dphi, ddphi):
        return Activation("own", "own", phi, dphi, ddphi, smooth=True, sup_dphi=1.0)

    sine = made(torch.sin, torch.cos, lambda z: -torch.sin(z))
    assert check_activation(sine).ddphi.contains(1.0)
    identity = made(lambda z: 1 * z, lambda z: 0 * z + 1, torch.zeros_like)
    with pytest.raises(InputError, match="a polynomial is excluded"):
        check_activation(identity)
    with pytest.raises(InputError, match="known range"):
        sup_derivatives(made(torch.sin, torch.lgamma, torch.sin))


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_kappa_that_is_numerically_zero(name):
    near = torch.tensor([[1.0, 0.0], [1.0, 1e-9]], dtype=torch.float64)
    with pytest.raises(InputError, match=r"kappa_n must be above zero .*certified interval.*got \[-"):
        check_assumptions(near / near.norm(dim=1, keepdim=True), Y, activation(name))


def test_derivatives_must_be_those_of_the_activation():
    wrong = Activation("a", "a", torch.tanh, torch.cos, lambda z: -torch.sin(z), True, 1.0)
    with pytest.raises(InputError, match=r"dphi of a must be the derivative of phi, .* at z = -5, got"):
        check_activation(wrong)
    wrong = Activation("a", "a", torch.sin, torch.cos, torch.sin, True, 1.0)
    with pytest.raises(InputError, match=r"ddphi of a must be the derivative of dphi"):
        check_activation(wrong)
    with pytest.raises(InputError, match=r"activation must be a whp.kernels.Activation .*got 'tanh'"):
        check_activation("tanh")


def test_a_function_without_a_known_range_is_refused_in_a_sentence():
    atan = Activation(
        "atan", "", torch.atan, lambda z: 1 / (1 + z * z), lambda z: -2 * z / (1 + z * z) ** 2, True, 1.0
    )
    with pytest.raises(InputError, match=r"a derivative of an activation must be made of torch\.exp, "):
        check_activation(atan)


def test_a_flat_second_moment_ends_with_a_bound():
    """sup_c E[(sin(k c g) / k)^2] = (1 - exp(-2 k^2)) / (2 k^2), the same to rounding for most c."""
    k = 30.0
    wave = Activation(
        "wave",
        "",
        lambda z: torch.sin(k * z) / k,
        lambda z: torch.cos(k * z),
        lambda z: -k * torch.sin(k * z),
        True,
        1.0,
    )
    assert 1 <= c_1(wave, 1) / (0.5 / k**2) < 1.01


def test_arrays_and_zero_targets_are_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"X must be a torch.Tensor"):
        check_inputs(X.numpy())
    with pytest.raises(InputError, match=r"y must be a torch.Tensor"):
        check_targets([0.1, 0.2], 2)
    with pytest.raises(InputError, match="give C where all targets are zero"):
        check_targets(torch.zeros(2), 2)
