"""Closed forms of deep networks against automatic differentiation."""

import numpy as np
import pytest
import torch

from whp.kernels import activation
from whp.models import deep_gradients
from whp.models.deep import convolutional, fully_connected

SHAPE = (2, 3, 4)  # height and width differ: a transposed place would be seen


def images(n, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, *SHAPE)))


def network(kind, phi, X):
    rng = np.random.default_rng(1)
    if kind == "fully connected":
        return fully_connected(rng, X, 7, 3, activation(phi))
    return convolutional(rng, X, 5, 3, activation(phi), int(kind[-1]))


KINDS = ["fully connected", "filters of side 1", "filters of side 3"]


@pytest.fixture(params=[2**21, 1], ids=["one block", "a block an image"], autouse=True)
def blocks(request, monkeypatch):
    monkeypatch.setattr(deep_gradients, "CPU_BLOCK", request.param)


@pytest.mark.parametrize("phi", ["erf", "relu", "softplus"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_that_of_automatic_differentiation(kind, phi):
    X, offset = images(6), torch.linspace(-1, 1, 6, dtype=torch.float64)
    net, other = network(kind, phi, X), network(kind, phi, X)
    form = net.closed_form(X)
    for k in range(3):  # more than one: what a step keeps must not reach the next, which has fewer images
        rows = slice(k, None)
        loss = 0.5 * (other.forward(X[rows]) - offset[rows]).square().mean()
        gradients = torch.autograd.grad(loss, other.parameters)
        form.step(X[rows], offset[rows], 0.1)
        for p, q, g in zip(net.parameters, other.parameters, gradients, strict=True):
            assert g.any()
            q.data.add_(g, alpha=-0.1)
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(net.outputs(X), other.forward(X).detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_is_the_gram_matrix_of_all_gradients(kind):
    X = images(5)
    net = network(kind, "erf", X)
    rows = []
    for x in X:
        (f,) = net.forward(x[None])
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(f, net.parameters)]))
    J = torch.stack(rows)
    torch.testing.assert_close(net.closed_form(X).kernel(X), J @ J.T, rtol=1e-12, atol=1e-12)
