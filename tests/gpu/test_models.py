"""Every network, flow and trainer gives on a device what it gives on the CPU, in both precisions."""

from __future__ import annotations

import pytest
import torch

from whp import kernels as k
from whp import models as mo
from whp.models import deep, jacobians
from whp.models.gradient_flow import gradient_flow
from whp.models.node_classifier import train_classifier
from whp.models.random_features import random_features

ERF, RELU, TANH = (k.activation(name) for name in ("erf", "relu", "tanh"))


def features(i):
    return k.combined_features(i.X, ERF, 1.0)


def start(i):
    return i.X, i.y, i.W, i.normal("v", 40).sign()


def fully_connected(i, phi=RELU):
    return mo.FullyConnected.draw(i.rng(), (9, 16, 16), phi, c_sigma=2.0, dtype=i.dtype, device=i.device)


def convolutional(i):
    return mo.Convolutional.draw(
        i.rng(), (3, 8), (6, 6), activation=RELU, c_sigma=2.0, dtype=i.dtype, device=i.device
    )


def nodes(i, outputs=None):
    scales = mo.node_scales(64, gamma=0.5, alpha=0.7)
    B = mo.span_coordinates(i.X[:6])
    network = mo.NodeScaled.draw(i.rng(), B, 9, scales, TANH, i.dtype, outputs=outputs, device=i.device)
    return network, B


def through_nodes(i):
    network, B = nodes(i)
    return B @ B.T, network.outputs(B), network.ntg(B), mo.nth_kernel(network, B)


def node_trainings(i):
    network, B = nodes(i)
    flow = mo.node_flow(network, B, i.y[:6], stop=0.1)
    descent = mo.node_descent(network, B, i.y[:6], rate=0.5, steps=5)
    return flow.outputs, flow.losses, descent.outputs, descent.losses


def node_classifier(i):
    network, B = nodes(i, outputs=2)
    labels = (i.y[:6] > 0).to(torch.int64)
    batches = [torch.arange(3), torch.arange(3, 6)]
    return train_classifier(network, B.to(i.dtype), labels, rate=0.5, batches=batches)[-1].weights


def flow(i):
    found = gradient_flow(fully_connected(i), i.X[:4], i.y[:4], X_test=i.X[4:8], multiplier=0.3)
    return found.outputs[-1], found.limit, found.kernels[-1], found.movement


def regression(i):
    K = k.fc_ntk(i.X / 3, RELU, 2)
    labels = (i.y > 0).to(torch.int64)
    fitted = mo.kernel_regression(K, mo.encode_labels(labels, 2).to(K))
    accuracy = mo.classification_accuracy(fitted.predict(K), labels)
    return fitted.predict(K), float(accuracy.correct)


def climb(i):
    A = k.first_layer_ntk(i.X, i.W, ERF)
    found = mo.ascend(lambda u: ((u @ A) * u).sum(dim=1), [i.normal("u", 3, 70)], [mo.UnitSphere()], steps=20)
    return found.values


def beside_linear(i):
    networks = {"fc": deep.fully_connected(i.rng(), i.images, 16, 2, ERF)}
    trace = deep.train_beside_linear(
        i.rng(), networks, i.images, i.y[:5], i.images[:2], rate=0.2, batch=2, steps=(0, 3), probe=5
    )
    return trace.networks, trace.linear, trace.slopes


def external(i):
    marks = torch.stack(mo.standardised(i.X[None, :, :5], i.X[None, :, 2:7]))[:, 0]
    found = mo.train_external(i.rng(), marks, i.y[:, None], hidden=8, steps=10)
    return found.v, mo.importance(i.X[:, 0].abs(), i.X[:, 1:])


def module(i):
    generator = torch.Generator().manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(9, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    net = net.to(i.device, i.dtype)
    return mo.measure_closeness(net, i.X[:10], i.y[:10], 0.1, 4)


MODELS = {
    "forward": lambda i: mo.TwoLayer(i.W, start(i)[3], TANH).forward(i.X),
    "both layers": lambda i: mo.train_two_layer(*start(i), RELU, 0.5, 0.3, 5).W,
    "first layer": lambda i: mo.train_first_layer(*start(i), ERF, 0.5, 5).W,
    "beside the linear model": lambda i: mo.compare_with_linear(*start(i), ERF, 0.5, 6, features(i)),
    "second layer": lambda i: mo.compare_descents(i.X @ i.W.T / 9, features(i), i.y, 0.5, 6),
    "linear descent": lambda i: mo.LinearDescent(features(i), i.y, 0.5).omega([0, 1, 100]),
    "iterated": lambda i: mo.iterate_linear_descent(features(i), i.y, 0.5, 10),
    "fully connected": lambda i: (fully_connected(i).outputs(i.X), fully_connected(i).ntk(i.X)),
    "by autograd": lambda i: fully_connected(i).layer_ntks_by_autograd(i.X[:5]),
    "convolutional": lambda i: (convolutional(i).outputs(i.images), convolutional(i).ntk(i.images)),
    "random features": lambda i: random_features(
        i.rng(), i.images, layers=2, activation=RELU, c_sigma=2.0, channels=4
    ),
    "gradient flow": flow,
    "kernel regression": regression,
    "ascent": climb,
    "nodes": through_nodes,
    "node trainings": node_trainings,
    "node classifier": node_classifier,
    "deep beside linear": beside_linear,
    "external": external,
    "any module": module,
    "jacobians": lambda i: (
        jacobians.pull_back(i.X, jacobians.preactivations(i.X, i.W), i.y),
        jacobians.first_layer_gram(i.X, jacobians.preactivations(i.X, i.W)),
        jacobians.flip_budget(i.X, i.W),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name, compare):
    # Steps of training pass the rounding of one on to the next.
    compare(MODELS[name], loosened=10.0)
