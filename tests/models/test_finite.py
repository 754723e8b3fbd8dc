"""Finite networks as drawn: each quantity by the formula of the paper, by autograd, and by sampling."""

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation
from whp.models import FullyConnected

RELU, ERF, TANH = (activation(name) for name in ("relu", "erf", "tanh"))


def inputs(n, d, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d))).to(dtype)


def network(widths=(5, 7, 4, 6), act=ERF, c_sigma=1.7, seed=1, dtype=torch.float64):
    return FullyConnected.draw(np.random.default_rng(seed), widths, act, c_sigma=c_sigma, dtype=dtype)


class TestFullyConnected:
    def test_outputs_are_the_nested_formula(self):
        net, X = network(), inputs(3, 5)
        W1, W2, W3, W4 = (W.numpy() for W in net.weights)
        for x, out in zip(X.numpy(), net.outputs(X), strict=True):
            h = [math.erf(z) * math.sqrt(1.7 / 7) for z in W1 @ x]
            h = [math.erf(z) * math.sqrt(1.7 / 4) for z in W2 @ h]
            h = [math.erf(z) * math.sqrt(1.7 / 6) for z in W3 @ h]
            assert float(out) == pytest.approx(float((W4 @ h)[0]), rel=1e-12)
        assert net.layers == 3

    def test_pass_has_the_shapes_and_indices_that_it_says(self):
        net, X = network(), inputs(3, 5)
        seen = net.pass_(X)
        assert [tuple(t.shape) for t in seen.f] == [(3, 7), (3, 4), (3, 6)]
        assert [tuple(t.shape) for t in seen.g] == [(3, 5), (3, 7), (3, 4), (3, 6)]
        assert [tuple(t.shape) for t in seen.b] == [(3, 7), (3, 4), (3, 6), (3, 1)]
        torch.testing.assert_close(seen.g[0], X)
        torch.testing.assert_close(seen.outputs, net.outputs(X))
        for h in (1, 2, 3):
            torch.testing.assert_close(seen.f[h - 1], seen.g[h - 1] @ net.weights[h - 1].mT)

    @pytest.mark.parametrize("act", [RELU, ERF, TANH], ids=lambda a: a.name)
    def test_gradients_are_outer_products(self, act):
        net, X = network(act=act), inputs(1, 5)
        weights = [W.clone().requires_grad_() for W in net.weights]
        out = FullyConnected(tuple(weights), act, 1.7).outputs(X)
        seen = net.pass_(X)
        for gradient, b, g in zip(torch.autograd.grad(out, weights), seen.b, seen.g, strict=True):
            torch.testing.assert_close(gradient, b.mT @ g)

    @pytest.mark.parametrize("act", [RELU, ERF], ids=lambda a: a.name)
    @pytest.mark.parametrize("widths", [(3, 9), (5, 7, 4, 6), (1, 1, 1)])
    def test_tangent_kernels_are_those_of_autograd(self, act, widths):
        net, X, Z = network(widths, act), inputs(4, widths[0]), inputs(3, widths[0], seed=5)
        layers, by_autograd = net.layer_ntks(X, Z), net.layer_ntks_by_autograd(X, Z)
        assert len(layers) == len(widths)
        for one, two in zip(layers, by_autograd, strict=True):
            torch.testing.assert_close(one, two)
        torch.testing.assert_close(net.ntk(X, Z), sum(by_autograd))
        torch.testing.assert_close(net.ntk(X), sum(net.layer_ntks_by_autograd(X)))

    def test_a_wrong_factor_is_seen_by_autograd(self):
        """The comparison above can fail: with c_sigma a hundredth larger it does."""
        net, X = network(act=RELU), inputs(4, 5)
        other = FullyConnected(net.weights, RELU, 1.717)
        gap = (other.ntk(X) - sum(net.layer_ntks_by_autograd(X))).abs().max() / net.ntk(X).abs().max()
        assert gap > 0.02

    def test_relu_features_keep_the_squared_norm_in_the_mean(self):
        """1 over 4,000 draws of |g|^2 / |x|^2 for two layers of 50 units.

        Its standard deviation is about sqrt(5 / 50 + 5 / 50) = 0.45, that of the mean 0.0072, the tolerance
        six of them: a false alarm has probability below 1e-8.
        """
        rng, x = np.random.default_rng(), inputs(1, 5)
        total = 0.0
        for _ in range(4000):
            net = FullyConnected.draw(rng, (5, 50, 50), RELU, c_sigma=2.0)
            total += float(net.pass_(x).g[2].square().sum() / x.square().sum())
        assert total / 4000 == pytest.approx(1.0, abs=0.043)

    def test_single_precision_stays_single(self):
        net = network(dtype=torch.float32)
        assert net.ntk(inputs(2, 5, dtype=torch.float32)).dtype == torch.float32

    def test_is_differentiable_through_the_pass_back(self):
        net, X = network(), inputs(2, 5)
        W = net.weights[1].clone().requires_grad_()
        kernel = FullyConnected((net.weights[0], W, *net.weights[2:]), ERF, 1.7).ntk(X)
        (gradient,) = torch.autograd.grad(kernel[0, 1], [W])
        step = 1e-6 * torch.ones_like(W)
        moved = [
            FullyConnected((net.weights[0], V, *net.weights[2:]), ERF, 1.7).ntk(X)[0, 1]
            for V in (net.weights[1] + step, net.weights[1] - step)
        ]
        assert float(gradient.sum()) == pytest.approx(float(moved[0] - moved[1]) / 2e-6, rel=1e-5)

    @pytest.mark.parametrize("widths", [(5,), (), (5, 0), (0, 5), (5, 2.5), (5, -1)])
    def test_bad_widths(self, widths):
        with pytest.raises(InputError, match="widths must be positive integers"):
            network(widths)

    @pytest.mark.parametrize("c_sigma", [0.0, -1.0, math.nan, math.inf])
    def test_bad_scale(self, c_sigma):
        with pytest.raises(InputError, match="c_sigma must be a positive number"):
            network(c_sigma=c_sigma)

    def test_bad_inputs(self):
        for X in (inputs(3, 4), inputs(1, 5)[0]):
            with pytest.raises(InputError, match=r"X must be inputs of shape \(n, 5\)"):
                network().ntk(X)
