"""The kernel of the neural tangent hierarchy, against automatic differentiation of Theta_m and f_m."""

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation
from whp.models.hierarchy import nth_kernel
from whp.models.node_network import NodeScaled, span_coordinates
from whp.models.node_scales import node_scales


def inputs(n, d, seed=1):
    X = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))
    return X / X.norm(dim=1, keepdim=True)


def by_autograd(network, X):
    """<grad Theta(x_k, x_l), grad f(x_i)> from the definitions (2) and (4)."""
    phi, dphi = network.activation.phi, network.activation.dphi
    scales, d = network.scales.values, network.dimension

    def theta(W):
        slopes = dphi(X @ W.T / math.sqrt(d))
        return (slopes * scales) @ slopes.T * (X @ X.T) / d

    def outputs(W):
        return phi(X @ W.T / math.sqrt(d)) @ (scales.sqrt() * network.signs)

    of_kernel = torch.autograd.functional.jacobian(theta, network.weights)  # (n, n, m, d)
    of_outputs = torch.autograd.functional.jacobian(outputs, network.weights)  # (n, m, d)
    return torch.einsum("klmd,imd->kli", of_kernel, of_outputs)


@pytest.mark.parametrize("name", ["tanh", "softplus", "swish"])
@pytest.mark.parametrize(("n", "d", "gamma"), [(1, 1, 0.0), (3, 2, 0.5), (4, 7, 1.0)])
def test_it_is_the_product_of_the_gradients(name, n, d, gamma):
    scales = node_scales(5, gamma, 0.5)
    network = NodeScaled.draw(np.random.default_rng(2), d, d, scales, activation(name))
    X = inputs(n, d)
    found = nth_kernel(network, X)
    torch.testing.assert_close(found, by_autograd(network, X), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found, found.transpose(0, 1), rtol=0, atol=0)


def test_it_says_how_the_kernel_moves():
    scales = node_scales(6, 0.5, 0.7)
    network = NodeScaled.draw(np.random.default_rng(3), 3, 3, scales, activation("softplus"))
    X, y = inputs(4, 3), torch.tensor([0.3, -0.2, 0.9, 0.0], dtype=torch.float64)
    rate = nth_kernel(network, X) @ (y - network.outputs(X))
    velocity, step = network.velocity(X, y), 1e-5
    ahead, behind = (network.moved_to(network.weights + s * step * velocity).ntg(X) for s in (1, -1))
    torch.testing.assert_close(rate, (ahead - behind) / (2 * step), rtol=1e-8, atol=1e-11)


def test_span_coordinates_and_blocks_change_nothing():
    X = inputs(3, 9)
    B = span_coordinates(X)
    scales = node_scales(40_000, 0.5, 0.5)  # several blocks
    network = NodeScaled.draw(np.random.default_rng(4), 3, 9, scales, activation("tanh"))
    # Weights in all nine coordinates whose projections on the span are those.
    wide = network.moved_to(network.weights @ torch.linalg.pinv(B) @ X)
    torch.testing.assert_close(wide.weights @ X.T, network.weights @ B.T, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(nth_kernel(wide, X), nth_kernel(network, B), rtol=1e-10, atol=1e-14)


def test_piecewise_linear_activations_have_none():
    network = NodeScaled.draw(np.random.default_rng(5), 2, 2, node_scales(4, 1.0), activation("relu"))
    assert not nth_kernel(network, inputs(3, 2)).any()


def test_what_it_refuses():
    class NoSecond:
        phi = staticmethod(torch.tanh)
        dphi = staticmethod(torch.tanh)

    scales = node_scales(4, 1.0)
    network = NodeScaled.draw(np.random.default_rng(6), 2, 2, scales, NoSecond())
    with pytest.raises(InputError, match="second derivative"):
        nth_kernel(network, inputs(2, 2))
    several = NodeScaled.draw(np.random.default_rng(6), 2, 2, scales, activation("tanh"), outputs=3)
    with pytest.raises(InputError, match="of one output"):
        nth_kernel(several, inputs(2, 2))
