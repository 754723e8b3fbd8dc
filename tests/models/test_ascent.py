"""Projected gradient ascent against suprema that are known, and against dense linear algebra.

Inputs are random, outcomes are not: what is compared are maxima with a closed form, bounds that hold for
any weights, and a matrix with its own products.
"""

import numpy as np
import pytest
import torch

from whp.ensembles import symmetric_init
from whp.errors import InputError, MeasurementError
from whp.kernels import activation, first_layer_ntk
from whp.models import Ball, UnitSphere, ascend
from whp.models.jacobians import (
    first_layer_gram,
    flip_budget,
    perturbation_norm,
    preactivations,
    pull_back,
    soft_slope,
    structure,
)


def gaussian(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def ball(d, radius=1.0):
    return Ball(torch.zeros(d, dtype=torch.float64), radius)


def test_linear_function_on_a_ball():
    a, centre = gaussian(5), gaussian(5, seed=1)
    found = ascend(lambda x: x @ a, [gaussian(3, 5, seed=2)], [Ball(centre, 2.0)])
    assert found.value == pytest.approx(float(centre @ a + 2 * a.norm()), rel=1e-4)
    assert torch.allclose(found.point[0], centre + 2 * a / a.norm(), atol=0.05)


def test_points_stay_in_their_domains():
    seen = []

    def objective(x, u):
        seen.append((x.detach(), u.detach()))
        return (x * u).sum(dim=1)

    ascend(objective, [50 * gaussian(4, 3), gaussian(4, 3)], [ball(3, 0.5), UnitSphere()], steps=20)
    for x, u in seen:
        assert x.norm(dim=1).max() <= 0.5 + 1e-12
        assert torch.allclose(u.norm(dim=1), torch.ones(4, dtype=torch.float64))


def test_spheres_are_the_power_iteration():
    A = gaussian(7, 4)
    form = lambda u, w: ((u @ A) * w).sum(dim=1)  # noqa: E731
    found = ascend(form, [gaussian(3, 7), gaussian(3, 4)], [UnitSphere(), UnitSphere()], steps=400)
    assert found.value == pytest.approx(float(torch.linalg.matrix_norm(A, 2)), rel=1e-9)


def test_several_starts_escape_a_local_maximum():
    def two_hills(x):  # heights 1 at -2 and 2 at 2
        return (torch.exp(-((x + 2) ** 2)) + 2 * torch.exp(-((x - 2) ** 2)))[:, 0]

    low = ascend(two_hills, [torch.tensor([[-1.5]])], [ball(1, 4.0)], shares=(0.05, 0.01))
    assert low.value == pytest.approx(1.0, abs=1e-2)
    both = ascend(two_hills, [torch.tensor([[-1.5], [1.5]])], [ball(1, 4.0)], shares=(0.05, 0.01))
    assert (both.value, both.best) == (pytest.approx(2.0, abs=1e-2), 1)
    assert both.gains.min() > 0


def test_the_judge_decides_and_not_the_substitute():
    """The substitute leads away from the true maximum at the start: the start is what is kept."""
    found = ascend(
        lambda x: -x[:, 0],
        [torch.tensor([[1.0]], dtype=torch.float64)],
        [ball(1)],
        judge=lambda x: x[:, 0],
    )
    assert found.value == 1.0
    assert found.point[0].item() == 1.0
    astray = ascend(lambda x: -x[:, 0], [torch.tensor([[1.0]], dtype=torch.float64)], [ball(1)])
    assert astray.point[0].item() == -1.0


def test_nothing_where_the_gradient_vanishes():
    found = ascend(lambda x, u: 0 * (x * u).sum(dim=1), [gaussian(2, 3)] * 2, [ball(3), UnitSphere()])
    assert found.value == 0.0


def test_a_centre_is_a_start():
    found = ascend(lambda x: x.square().sum(dim=1) + x[:, 0], [torch.zeros(1, 3)], [ball(3, 2.0)])
    assert found.value == pytest.approx(6.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_ball_of_radius_zero_holds_its_variable(dtype):
    centre = torch.tensor([1.0, 2.0], dtype=dtype)
    found = ascend(lambda x: x[:, 0], [centre.repeat(3, 1)], [Ball(centre, 0.0)])
    assert torch.equal(found.points[0], centre.repeat(3, 1))


def test_a_radius_for_each_start():
    radii = torch.tensor([[0.5], [2.0]], dtype=torch.float64)
    found = ascend(lambda x: x[:, 0], [gaussian(2, 3)], [Ball(torch.zeros(3, dtype=torch.float64), radii)])
    assert found.values.tolist() == pytest.approx([0.5, 2.0], rel=1e-2)
    assert torch.all(found.points[0].norm(dim=1, keepdim=True) <= radii * (1 + 1e-12))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"domains": []}, "domains must be one for each"),
        (
            {"starts": [torch.ones(2, 3), torch.ones(1, 3)], "domains": [ball(3)] * 2},
            "starts must be equally",
        ),
        ({"steps": -1}, "steps must be not negative"),
        ({"shares": (0.1, 0.2)}, "shares must be positive"),
        ({"objective": lambda x: x}, "objective must be of shape"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    given = {"objective": lambda x: x[:, 0], "starts": [torch.ones(2, 3)], "domains": [ball(3)]} | arguments
    with pytest.raises(InputError, match=message):
        ascend(given.pop("objective"), given.pop("starts"), given.pop("domains"), **given)


def test_a_value_that_is_no_number():
    with pytest.raises(MeasurementError, match="objective at step 0 must be finite"):
        ascend(lambda x: x[:, 0] / 0.0, [torch.ones(1, 3)], [ball(3)])


# --- Jacobians


def dense_jacobian(X, W, v, phi):
    """J_1 by autograd, shape (n, m d)."""
    output = lambda W: phi.phi(X @ W.T / X.shape[1] ** 0.5) @ v / len(W) ** 0.5  # noqa: E731
    return torch.autograd.functional.jacobian(output, W).flatten(1)


@pytest.mark.parametrize("name", ["erf", "relu", "softplus"])
def test_products_are_those_of_the_jacobian(name):
    phi, X = activation(name), gaussian(6, 4)
    init = symmetric_init(np.random.default_rng(1), 10, 4)
    other, v, u = init.W + 0.5 * gaussian(10, 4, seed=2), gaussian(10, seed=3), gaussian(6, seed=4)
    J, K = dense_jacobian(X, init.W, init.v, phi), dense_jacobian(X, other, v, phi)
    D, E = (phi.dphi(preactivations(X, W)) * a for W, a in ((init.W, init.v), (other, v)))
    assert torch.allclose(pull_back(X, D, u).flatten(), J.T @ u)
    assert torch.allclose(first_layer_gram(X, D, E), J @ K.T)
    assert torch.allclose(first_layer_gram(X, D), first_layer_ntk(X, init.W, phi))
    norm = float(torch.linalg.matrix_norm(J - K, 2))
    assert perturbation_norm(X, D - E, np.random.default_rng(0)) == pytest.approx(norm, rel=1e-8)
    both = pull_back(X, torch.stack((D, E)), torch.stack((u, u)))
    assert torch.allclose(both[1].flatten(), K.T @ u)


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_soft_slope_tends_to_the_step(name):
    phi, z = activation(name), torch.tensor([-2.0, -0.1, 0.1, 3.0], dtype=torch.float64)
    assert torch.allclose(soft_slope(phi, 1e-3)(z), phi.dphi(z))
    gentle = soft_slope(phi, 1.0)(z)
    assert (gentle.diff() > 0).all()
    assert not torch.allclose(gentle, phi.dphi(z), atol=0.01)


def test_no_displacement_flips_more_signs_than_the_budget_says():
    """Against projected gradient ascent on a softened count, from many starts; and the budget is reached."""
    X, W = gaussian(1, 5), gaussian(12, 5, seed=1)
    x = X[0] / X.norm()
    budget = flip_budget(X, W)[:, 0]  # (12,)
    assert torch.allclose(budget, (W @ x).square().sort().values.cumsum(0))
    for radius in (0.3, 1.0, 2.0):
        most = int((budget <= radius**2).sum())
        signs = torch.sign(W @ x)
        count = lambda V, signs=signs: (signs * (V @ x) < 0).double().sum(dim=1)  # noqa: E731
        found = ascend(
            lambda V, signs=signs: torch.sigmoid(-signs * (V @ x) / 0.1).sum(dim=1),
            [W + gaussian(20, 12, 5, seed=2)],
            [Ball(W, radius)],
            steps=200,
            judge=count,
        )
        assert found.value <= most
        assert found.value >= 0.75 * most
        cheap = (W @ x).abs().argsort()[:most]
        cheapest = W.clone()
        cheapest[cheap] -= (1 + 1e-9) * (W @ x)[cheap, None] * x
        assert count(cheapest[None]).item() == most
        assert (cheapest - W).norm() <= radius * (1 + 1e-8)


def test_structure_of_known_displacements():
    X = torch.diag(torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64))
    even = torch.tensor([[1.0], [-1.0], [1.0], [1.0]], dtype=torch.float64)
    along = structure(even * X[0], X)
    assert (along.rank_one, along.neurons) == (pytest.approx(1), pytest.approx(1))
    assert (along.data_direction, along.data_point) == (pytest.approx(1), pytest.approx(1))
    one = torch.zeros(4, 3, dtype=torch.float64)
    one[2] = torch.tensor([0.0, 1.0, 1.0])
    single = structure(one, X)
    assert (single.rank_one, single.neurons) == (pytest.approx(1), pytest.approx(0.25))
    assert single.data_direction == pytest.approx(0, abs=1e-12)
    assert single.data_point == pytest.approx(0.5**0.5)
    spread = structure(torch.eye(3, dtype=torch.float64), X)
    assert spread.rank_one == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="shift must be different from zero"):
        structure(torch.zeros(2, 3), X)


def test_a_soft_slope_needs_a_width():
    with pytest.raises(InputError, match="width must be positive"):
        soft_slope(activation("relu"), 0.0)
