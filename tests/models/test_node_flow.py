"""Gradient flow and descent of node-scaled networks: against formulas, autograd and each other.

Inputs are random, outcomes are not: tolerances are those of the integrators.
"""

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError, MeasurementError
from whp.kernels import activation
from whp.kernels.activations import Activation
from whp.models import node_network
from whp.models.node_flow import node_descent, node_flow
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

IDENTITY = Activation("identity", "z", lambda z: z.clone(), torch.ones_like, torch.zeros_like, True, 1.0)


def task(n=4, d=4, m=60, name="tanh", *, gamma=0.5, dtype=torch.float64, outputs=None, seed=0):
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.standard_normal((n, d)))
    X = X / X.norm(dim=1, keepdim=True)
    y = torch.from_numpy(rng.uniform(-1, 1, (n,) if outputs is None else (n, outputs)))
    a = IDENTITY if name == "identity" else activation(name)
    return NodeScaled.draw(rng, X, d, node_scales(m, gamma, 0.5), a, dtype, outputs=outputs), X, y


@pytest.mark.parametrize("method", ["exponential", "dopri5"])
def test_the_linear_case_is_that_of_the_exponential_of_the_kernel(method):
    net, X, y = task(name="identity")
    K, u = net.ntg(X), net.outputs(X)
    flow = node_flow(net, X, y, method=method, times=[0.5, 3.0, 20.0], stop=None, tolerance=1e-4)
    assert flow.times.tolist() == [0.0, 0.5, 3.0, 20.0]
    error = 1e-12 if method == "exponential" else 1e-4
    for t, outputs, ntg in zip(flow.times, flow.outputs, flow.ntg, strict=True):
        torch.testing.assert_close(outputs, y + torch.matrix_exp(-t * K) @ (u - y), rtol=0, atol=error)
        torch.testing.assert_close(ntg, K)
    # Each neuron moves along the same vector; the residual's integral is K^(-1) of its change.
    v = X.T @ torch.linalg.solve(K, flow.outputs[-1] - u) / math.sqrt(4)
    assert float(flow.movement_ratio[-1]) == pytest.approx(float(v.norm()), abs=10 * error)
    largest = float(net.scales.values.max().sqrt() * v.norm())
    assert float(flow.movement[-1]) == pytest.approx(largest, abs=10 * error)


@pytest.mark.parametrize("name", ["tanh", "swish", "softplus"])
def test_the_methods_agree(name):
    net, X, y = task(name=name)
    times = [1.0, 10.0, 50.0]
    one = node_flow(net, X, y, times=times, tolerance=1e-4)
    two = node_flow(net, X, y, times=times, tolerance=1e-7, method="dopri5")
    torch.testing.assert_close(one.outputs, two.outputs, rtol=0, atol=1e-4)
    torch.testing.assert_close(one.ntg, two.ntg, rtol=0, atol=1e-4)
    torch.testing.assert_close(one.movement_ratio, two.movement_ratio, rtol=1e-3, atol=1e-4)
    assert float((two.ntg[-1] - two.ntg[0]).abs().max()) > 1e-2  # the kernel does move


def test_the_error_is_of_second_order():
    net, X, y = task()
    exact = node_flow(net, X, y, times=[20.0], tolerance=1e-8, method="dopri5").outputs[-1]
    errors = [
        float((node_flow(net, X, y, times=[20.0], tolerance=t).outputs[-1] - exact).abs().max())
        for t in (1e-2, 1e-4)
    ]
    print(errors)
    assert errors[1] < errors[0] / 30


def test_the_flow_of_relu_and_in_blocks_of_neurons(monkeypatch):
    net, X, y = task(name="relu", m=300)
    whole = node_flow(net, X, y, times=[5.0, 40.0], tolerance=1e-2)
    monkeypatch.setattr(node_network, "CPU_CACHE", 4 * 8 * 64)
    parts = node_flow(net, X, y, times=[5.0, 40.0], tolerance=1e-2)
    torch.testing.assert_close(parts.outputs, whole.outputs)
    torch.testing.assert_close(parts.movement, whole.movement)
    other = node_flow(net, X, y, times=[5.0, 40.0], tolerance=1e-3, method="dopri5")
    torch.testing.assert_close(whole.outputs, other.outputs, rtol=0, atol=1e-3)
    torch.testing.assert_close(whole.network.outputs(X), whole.outputs[-1], rtol=0, atol=1e-12)


def test_single_precision_is_near_double():
    net, X, y = task(m=20000, gamma=1.0)
    single = NodeScaled(net.weights.float(), net.signs.float(), net.scales, net.activation, net.dimension)
    one, two = (node_flow(k, X, y, times=[5.0, 100.0]) for k in (single, net))
    torch.testing.assert_close(one.outputs, two.outputs, rtol=0, atol=2e-6)
    torch.testing.assert_close(one.movement_ratio, two.movement_ratio, rtol=1e-4, atol=0)
    moved = two.ntg[-1] - two.ntg[0]
    torch.testing.assert_close(one.ntg[-1] - one.ntg[0], moved, rtol=0, atol=1e-3 * float(moved.abs().max()))


def test_the_run_ends_once_the_loss_is_low():
    net, X, y = task(m=400)
    flow = node_flow(net, X, y, stop=1e-6)
    assert float(flow.losses[-1]) <= 1e-6 * float(flow.losses[0]) < float(flow.losses[-2])
    assert bool((flow.losses.diff() < 0).all())
    early = node_flow(net, X, y, stop=0.5, times=[1.0, 1e6])
    assert early.times[-1] < 1e6
    steps = node_flow(net, X, y, times=[1.0, 50.0], all_steps=True)
    assert len(steps.times) > 3
    assert {0.0, 1.0, 50.0} <= set(steps.times.tolist())
    with pytest.raises(MeasurementError, match="steps must be enough in 2"):
        node_flow(net, X, y, most_steps=2)


@pytest.mark.parametrize("outputs", [None, 3])
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_descent_is_that_of_autograd(name, outputs, monkeypatch):
    monkeypatch.setattr(node_network, "CPU_CACHE", 4 * 8 * 64)
    net, X, y = task(name=name, outputs=outputs, m=150)
    W, root = net.weights.clone().requires_grad_(), net.scales.values.sqrt()
    readout = net.signs * (root if outputs is None else root[:, None])
    losses = []
    for _ in range(6):
        loss = 0.5 * (net.activation.phi(X @ W.T / 2.0) @ readout - y).square().sum()
        losses.append(loss.item())
        (grad,) = torch.autograd.grad(loss, W)
        W = (W - 0.7 * grad).detach().requires_grad_()
    seen = []
    descent = node_descent(
        net, X, y, rate=0.7, steps=6, record=[0, 4, 6], observe=lambda s, k: seen.append((s, k))
    )
    torch.testing.assert_close(descent.network.weights, W.detach())
    torch.testing.assert_close(descent.every_loss[:6], torch.tensor(losses, dtype=torch.float64))
    assert descent.steps.tolist() == [0, 4, 6] == [s for s, _ in seen]
    moved = (W.detach() - net.weights).norm(dim=1)
    assert float(descent.movement[-1]) == pytest.approx(float(moved.max()))
    assert float(descent.movement_ratio[-1]) == pytest.approx(float((moved / root).max()))
    torch.testing.assert_close(descent.outputs[1], seen[1][1].outputs(X))
    torch.testing.assert_close(descent.ntg[1], seen[1][1].ntg(X))
    torch.testing.assert_close(descent.losses, descent.every_loss[descent.steps])
    assert node_descent(net, X, y, rate=0.7, steps=1, ntg=False).ntg.shape == (2, 0, 4)


def test_neurons_of_scale_zero_do_not_count_and_stay():
    rng = np.random.default_rng(0)
    X = torch.eye(2, dtype=torch.float64)
    scales = node_scales(5, 0.0, tilde=[0.5, 0.5])
    net = NodeScaled.draw(rng, X, 2, scales, activation("tanh"))
    flow = node_flow(net, X, torch.tensor([0.3, -0.3], dtype=torch.float64), times=[1.0])
    assert torch.equal(flow.network.weights[2:], net.weights[2:])
    moved = (flow.network.weights - net.weights).norm(dim=1)[:2]
    assert float(flow.movement_ratio[-1]) == pytest.approx(float(moved.max()) / math.sqrt(0.5))


def test_bad_arguments_are_refused():
    net, X, y = task()
    for wrong, message in [
        ({"stop": 2.0}, "stop must be in"),
        ({"stop": None}, "stop must be given where times are not"),
        ({"tolerance": 0.0}, "tolerance must be a positive number"),
        ({"method": "euler"}, "method must be exponential or dopri5"),
        ({"times": [2.0, 1.0]}, "times must be increasing"),
        ({"times": []}, "times must be increasing"),
        ({"most_steps": 0}, "most_steps must be a positive integer"),
    ]:
        with pytest.raises(InputError, match=message):
            node_flow(net, X, y, **wrong)
    with pytest.raises(InputError, match="y must be of shape"):
        node_flow(net, X, y[:2])
    with pytest.raises(InputError, match="B must be of shape"):
        node_descent(net, X[:, :2], y, rate=0.1, steps=1)
    with pytest.raises(InputError, match="rate must be a positive number"):
        node_descent(net, X, y, rate=0.0, steps=1)
    with pytest.raises(InputError, match="record must be increasing"):
        node_descent(net, X, y, rate=0.1, steps=3, record=[0, 4])
    with pytest.raises(InputError, match="network must be of one output"):
        node_flow(*task(outputs=2))
    with pytest.raises(MeasurementError, match="loss at step"):
        node_descent(*task(name="softplus"), rate=1e200, steps=9)
