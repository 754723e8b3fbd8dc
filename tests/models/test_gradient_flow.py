"""Gradient flow against other integrators, and what it says of a run.

Inputs are random, outcomes are not: tolerances are those of the integrators.
"""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from whp.errors import InputError, MeasurementError
from whp.kernels import activation
from whp.models.finite import FullyConnected
from whp.models.gradient_flow import gradient_flow, phi_function


def task(m=20, layers=2, name="erf", n=5, d=4, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.standard_normal((n + 3, d)))
    X = (X / X.norm(dim=1, keepdim=True)).to(dtype)
    y = torch.from_numpy(rng.choice([-1.0, 1.0], n)).to(dtype)
    net = FullyConnected.draw(rng, [d, *[m] * layers], activation(name), c_sigma=2.0, dtype=dtype)
    return net, X[:n], y, X[n:]


def by_scipy(net, X, y, Z, kappa, time):
    """Outputs at X and Z after a time, by an explicit method on the weights and autograd."""
    shapes = [W.shape for W in net.weights]

    def network(theta):
        parts = torch.split(torch.from_numpy(theta), [s.numel() for s in shapes])
        weights = tuple(p.reshape(s).requires_grad_() for p, s in zip(parts, shapes, strict=True))
        return FullyConnected(weights, net.activation, net.c_sigma)

    def slope(_, theta):
        here = network(theta.copy())
        loss = 0.5 * (kappa * here.outputs(X) - y).square().sum()
        return -torch.cat([g.flatten() for g in torch.autograd.grad(loss, here.weights)]).numpy()

    start = torch.cat([W.flatten() for W in net.weights]).numpy()
    end = solve_ivp(slope, (0, time), start, rtol=1e-8, atol=1e-10).y[:, -1]
    return kappa * network(end).outputs(torch.cat([X, Z])).detach()


@pytest.mark.parametrize(("layers", "kappa"), [(1, 1.0), (2, 0.4)])
def test_outputs_are_those_of_another_integrator_at_the_same_times(layers, kappa):
    net, X, y, Z = task(layers=layers)
    flow = gradient_flow(net, X, y, X_test=Z, multiplier=kappa, tolerance=1e-3, stop=0.1)
    k = len(flow.times) - 1
    other = by_scipy(net, X, y, Z, kappa, float(flow.times[k]))
    torch.testing.assert_close(flow.outputs[k], other, rtol=0, atol=2e-4)
    assert float((flow.kernels[k] - flow.kernels[0]).abs().max()) > 0.3  # the kernel does move


def test_the_error_is_controlled_and_of_second_order():
    net, X, y, Z = task()
    exact = gradient_flow(net, X, y, X_test=Z, tolerance=1e-4, stop=0.01)
    errors, steps = [], []
    for tolerance in (0.3, 0.03):
        flow = gradient_flow(net, X, y, X_test=Z, tolerance=tolerance, stop=0.01)
        errors.append(float((flow.limit - exact.limit).abs().max()))
        steps.append(len(flow.times))
    assert errors[0] < 0.05
    assert errors[1] < errors[0] / 4  # the local error goes with the step squared, of third order here
    assert steps[0] < steps[1] < 6 * steps[0]


def test_relu_against_short_steps_of_gradient_descent():
    net, X, y, Z = task(m=200, layers=2, name="relu")
    flow = gradient_flow(net, X, y, X_test=Z, multiplier=0.5, tolerance=0.01, stop=0.2)
    weights = [W.clone().requires_grad_() for W in net.weights]
    here = FullyConnected(tuple(weights), net.activation, net.c_sigma)
    steps = 1000
    for _ in range(steps):
        loss = 0.5 * (0.5 * here.outputs(X) - y).square().sum()
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            torch._foreach_add_(weights, gradients, alpha=-float(flow.times[-1]) / steps)
    outputs = 0.5 * here.outputs(torch.cat([X, Z])).detach()
    torch.testing.assert_close(flow.outputs[-1], outputs, rtol=0, atol=0.01)
    moved = [float((W - W0).detach().norm()) for W, W0 in zip(weights, net.weights, strict=True)]
    assert flow.movement[-1].tolist() == pytest.approx(moved, rel=0.01)


def test_what_is_recorded_fits_the_network_that_is_returned():
    net, X, y, Z = task(m=64, name="relu")
    flow = gradient_flow(net, X, y, X_test=Z, multiplier=0.3)
    rows = torch.cat([X, Z])
    torch.testing.assert_close(flow.outputs[-1], 0.3 * flow.network.outputs(rows))
    torch.testing.assert_close(flow.kernels[0], sum(net.layer_ntks_by_autograd(rows)))
    torch.testing.assert_close(flow.kernels[-1], sum(flow.network.layer_ntks_by_autograd(rows)))
    torch.testing.assert_close(flow.residuals, (flow.outputs[:, : len(y)] - y).norm(dim=1))
    moved = [float((W - W0).norm()) for W, W0 in zip(flow.network.weights, net.weights, strict=True)]
    assert flow.movement[-1].tolist() == pytest.approx(moved)
    assert flow.times[0] == 0
    assert bool((flow.times.diff() > 0).all())
    assert bool((flow.movement[0] == 0).all())
    assert float(flow.residuals[-1]) <= 1e-3 * float(flow.residuals[0])


def test_the_limit_continues_the_flow():
    net, X, y, Z = task(m=64, name="relu")
    short = gradient_flow(net, X, y, X_test=Z, stop=0.02, tolerance=0.01)
    long = gradient_flow(net, X, y, X_test=Z, stop=1e-6, tolerance=0.01)
    left = float((short.outputs[-1] - long.limit).abs().max())
    assert float((short.limit - long.limit).abs().max()) < 0.1 * left
    torch.testing.assert_close(short.limit[: len(y)], y)


def test_single_precision_is_enough():
    wide = gradient_flow(*task(m=64, name="relu")[:3])
    narrow = gradient_flow(*_single(task(m=64, name="relu")))
    assert narrow.outputs.dtype == torch.float64
    assert narrow.network.weights[0].dtype == torch.float32
    assert float(narrow.movement[-1].sum()) == pytest.approx(float(wide.movement[-1].sum()), rel=1e-2)


def _single(drawn):
    net, X, y, _ = drawn
    weights = tuple(W.float() for W in net.weights)
    return FullyConnected(weights, net.activation, net.c_sigma), X.float(), y.float()


def test_a_point_twice_makes_the_kernel_singular_and_does_no_harm():
    net, X, y, Z = task(name="relu")
    once = gradient_flow(net, X, y, X_test=Z, stop=0.05, tolerance=0.01)
    both = gradient_flow(
        net, torch.cat([X, X]), torch.cat([y, y]), X_test=Z, stop=0.05, tolerance=0.01, multiplier=1.0
    )
    torch.testing.assert_close(once.limit[-3:], both.limit[-3:], rtol=0, atol=0.05)
    with pytest.raises(MeasurementError, match="residual after 60 steps must be"):
        gradient_flow(net, torch.cat([X, X]), torch.cat([y, -y]), most_steps=60)


def test_nothing_to_learn():
    net, X, _, Z = task()
    flow = gradient_flow(net, X, 0.5 * net.outputs(X), X_test=Z, multiplier=0.5)
    assert len(flow.times) == 1
    torch.testing.assert_close(flow.limit, 0.5 * net.outputs(torch.cat([X, Z])))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_functions_of_the_exponential(order):
    z = [0.0, -1e-12, -1e-3, -0.5, -0.999999, -1.0, -3.0, -50.0, -1e6]
    found = phi_function(order, torch.tensor(z, dtype=torch.float64))
    for value, at in zip(found.tolist(), z, strict=True):
        with mpmath.workdps(60):
            x = mpmath.mpf(at)
            head = mpmath.fsum(x**j / mpmath.factorial(j) for j in range(order))
            exact = float((mpmath.exp(x) - head) / x**order) if at else 1 / math.factorial(order)
        assert value == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": torch.zeros(0, 4)}, "X must be of shape"),
        ({"X": torch.zeros(5, 3)}, "X must be of shape"),
        ({"X": torch.full((5, 4), math.nan)}, "X must be finite"),
        ({"X_test": torch.zeros(2, 3)}, "X_test must be of shape"),
        ({"y": torch.zeros(4)}, "y must be of shape"),
        ({"y": torch.full((5,), math.inf)}, "y must be finite"),
        ({"multiplier": 0.0}, "multiplier must be a positive number"),
        ({"stop": 1.0}, "stop must be in"),
        ({"tolerance": 0.0}, "tolerance must be a positive number"),
        ({"most_steps": 0}, "most_steps must be a positive integer"),
    ],
)
def test_bad_input(change, message):
    net, X, y, _ = task()
    arguments = {"X": X, "y": y, **change}
    with pytest.raises(InputError, match=message):
        gradient_flow(net, **arguments)


def test_weights_that_are_not_finite_are_said():
    net, X, y, _ = task()
    net.weights[0][0, 0] = math.nan
    with pytest.raises(MeasurementError, match="finite"):
        gradient_flow(net, X, y)
