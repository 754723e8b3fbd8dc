"""The closed form of linear descent against iteration, mpmath and a pseudo-inverse.

Inputs are random, outcomes are not: every tolerance is a generous multiple of the rounding
error for any draw, so the false-alarm probability is 0 up to the conditioning of the draw.
"""

import math

import mpmath
import numpy as np
import pytest
import torch

from whp.errors import InputError, MeasurementError
from whp.models import LinearDescent, iterate_linear_descent
from whp.models.linear import geometric_sum
from whp.seeding import generator

STEPS = 120
SHAPES = {"tall": (40, 7), "wide": (9, 30), "square": (12, 12), "single": (1, 1)}


def problem(shape, deficient=False):
    n, M = SHAPES[shape]
    rng = generator(1, "linear", shape)
    Phi = torch.from_numpy(rng.standard_normal((n, M)))
    if deficient:
        Phi[:, M // 2 :] = Phi[:, : M - M // 2]
    return Phi, torch.from_numpy(rng.standard_normal(n))


def relative(a, b):
    return float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp_min(1e-300))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("deficient", [False, True])
@pytest.mark.parametrize("fraction", [1e-3, 0.3, 0.9, 1.0, 1.1])
def test_closed_form_is_iteration(shape, deficient, fraction):
    Phi, y = problem(shape, deficient and min(SHAPES[shape]) > 1)
    eta = fraction * LinearDescent(Phi, y, 1.0).stable_limit
    model = LinearDescent(Phi, y, eta)
    by_steps = iterate_linear_descent(Phi, y, eta, STEPS)
    path = model.omega(range(STEPS + 1))
    assert torch.equal(path[0], torch.zeros(Phi.shape[1], dtype=torch.float64))
    # Rounding is carried through 120 steps: below 1e-11 of the largest iterate.
    scale = float(by_steps.abs().max())
    assert float((path - by_steps).abs().max()) < 1e-11 * scale
    assert relative(model.train_predictions(range(STEPS + 1)), by_steps @ Phi.T) < 1e-11


def test_residual_is_the_power_of_claim_c1():
    Phi, y = problem("tall")
    model = LinearDescent(Phi, y, 0.3)
    K = Phi @ Phi.T
    step = torch.eye(40, dtype=torch.float64) - 0.3 * K / 40
    for t in (0, 1, 5, 33):
        expected = torch.linalg.matrix_power(step, t) @ -y
        assert relative(model.train_predictions(t) - y, expected) < 1e-12


def test_stable_limit_is_two_n_over_the_norm():
    for shape in SHAPES:
        Phi, y = problem(shape)
        expected = 2 * len(y) / float(torch.linalg.matrix_norm(Phi, 2)) ** 2
        assert LinearDescent(Phi, y, 1.0).stable_limit == pytest.approx(expected, rel=1e-12)
    assert LinearDescent(torch.zeros(3, 2), torch.ones(3), 1.0).stable_limit == math.inf


def test_residual_falls_up_to_the_limit_and_grows_beyond():
    Phi, y = problem("wide")
    limit = LinearDescent(Phi, y, 1.0).stable_limit

    def residuals(fraction):
        u = LinearDescent(Phi, y, fraction * limit).train_predictions(range(60))
        return torch.linalg.vector_norm(u - y, dim=1)

    for fraction in (0.5, 1.0):
        r = residuals(fraction)
        assert bool((r[1:] <= r[:-1] * (1 + 1e-12)).all())
    r = residuals(1.1)
    assert bool((r[40:] > r[39:-1]).all())
    assert r[-1] > 10 * r[0]


def test_geometric_sum_against_mpmath():
    x = [0.0, 1e-300, 1e-17, 1e-9, 0.3, 0.4999999, 0.5, 1.0, 1.7, 2.0, 2.1]
    t = [0, 1, 2, 7, 1000]
    ours = geometric_sum(torch.tensor(x, dtype=torch.float64), torch.tensor(t, dtype=torch.float64))
    with mpmath.workdps(400):
        for i, k in enumerate(t):
            for j, value in enumerate(x):
                q = 1 - mpmath.mpf(value)
                exact = mpmath.mpf(k) if value == 0 else (1 - q**k) / (1 - q)
                assert float(ours[i, j]) == pytest.approx(float(exact), rel=1e-12, abs=1e-12), (value, k)


@pytest.mark.parametrize("shape", ["tall", "wide", "square"])
@pytest.mark.parametrize("deficient", [False, True])
def test_limit_is_the_pseudo_inverse_solution(shape, deficient):
    Phi, y = problem(shape, deficient)
    model = LinearDescent(Phi, y, 0.9 * LinearDescent(Phi, y, 1.0).stable_limit)
    expected = torch.from_numpy(np.linalg.pinv(Phi.numpy()) @ y.numpy())
    # The square draw has condition number 26; the Gram route loses its square of rounding.
    assert relative(model.converged(), expected) < 1e-9
    assert relative(model.omega(10**7), expected) < 1e-8


def test_predictions_of_other_points_and_orders():
    Phi, y = problem("tall")
    model = LinearDescent(Phi.to(torch.float32), y.to(torch.float32), 0.2)
    new = torch.from_numpy(generator(2).standard_normal((5, 7)))
    both = model.predictions(new, [9, 3])
    assert both.shape == (2, 5)
    assert both.dtype == torch.float64
    assert torch.allclose(both[0], new @ model.omega(9), rtol=1e-13, atol=1e-15)
    assert torch.allclose(both[1], model.predictions(new, 3), rtol=1e-13, atol=1e-15)
    assert model.omega(np.arange(4)).shape == (4, 7)


def test_limit_needs_a_stable_rate():
    Phi, y = problem("tall")
    limit = LinearDescent(Phi, y, 1.0).stable_limit
    with pytest.raises(InputError, match=r"eta must be below the stable limit 2 n / \|K\|"):
        LinearDescent(Phi, y, 1.01 * limit).converged()


def test_overflow_is_named_by_its_step():
    Phi, y = problem("tall")
    model = LinearDescent(Phi, y, 100 * LinearDescent(Phi, y, 1.0).stable_limit)
    with pytest.raises(MeasurementError, match="linear model at step 1000 must be finite"):
        model.omega([3, 1000])


def test_refusals():
    Phi, y = problem("tall")
    bad = Phi.clone()
    bad[3, 2] = math.nan
    for arguments, message in [
        ((Phi, y, 0.0), "eta must be positive"),
        ((Phi, y, -1.0), "eta must be positive"),
        ((Phi, y, math.inf), "eta must be positive"),
        ((Phi, y, math.nan), "eta must be positive"),
        ((Phi, y[:-1], 1.0), r"y must be of shape \(40,\)"),
        ((Phi[0], y, 1.0), "Phi must be a non-empty matrix"),
        ((Phi[:0], y[:0], 1.0), "Phi must be a non-empty matrix"),
        ((bad, y, 1.0), "Phi must be finite"),
        ((Phi, y / 0.0, 1.0), "y must be finite"),
    ]:
        with pytest.raises(InputError, match=message):
            LinearDescent(*arguments)
        with pytest.raises(InputError, match=message):
            iterate_linear_descent(*arguments, 3)
    model = LinearDescent(Phi, y, 0.1)
    with pytest.raises(InputError, match="t must be not negative"):
        model.omega([0, -1])
    with pytest.raises(InputError, match=r"Phi_new must be of shape \(k, 7\)"):
        model.predictions(Phi[:, :3], 1)
