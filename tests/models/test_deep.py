"""Deep networks beside a linear model: their outputs, kernels and training, each by a second route."""

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError, MeasurementError
from whp.kernels import activation, first_layer_ntk
from whp.models.deep import (
    DeepNetwork,
    convolutional,
    fully_connected,
    linear_slope,
    relative_gap,
    split_loss,
    tangent_kernel,
    train_beside_linear,
)
from whp.models.linear import LinearDescent

ERF = activation("erf")


class Identity:
    """No activation at all: the network is linear in x."""

    def phi(self, z, /):
        return z

    def dphi(self, z, /):
        return torch.ones_like(z)


def images(n, shape=(3, 4, 4), seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, *shape))).to(dtype)


def data(n=40, n_test=20, shape=(2, 2, 2), dtype=torch.float64):
    X = images(n + n_test, shape, seed=3, dtype=dtype)
    y = torch.sign(X.flatten(1) @ torch.linspace(-1, 1, X[0].numel(), dtype=dtype))
    return X[:n], y[:n], X[n:], y[n:]


class TestOutputs:
    def test_fully_connected_is_the_formula(self):
        X = images(5)
        net = fully_connected(np.random.default_rng(1), X, 7, 3, ERF)
        h = X.flatten(1).T  # (d, n)
        for W in net.weights:
            h = torch.erf(W.detach() @ h / math.sqrt(W.shape[1]))
        torch.testing.assert_close(net.outputs(X), net.v.detach() @ h / math.sqrt(7))
        assert [tuple(W.shape) for W in net.weights] == [(7, 48), (7, 7), (7, 7)]

    @pytest.mark.parametrize("side", [1, 3])
    def test_convolutional_is_a_sum_over_shifts(self, side):
        X = images(5)
        net = convolutional(np.random.default_rng(1), X, 6, 2, ERF, side)
        h = X
        for W in net.weights:
            z = 0.0
            for a in range(side):
                for b in range(side):
                    # Place (i, j) sees (i + a - side // 2, j + b - side // 2), round the edges.
                    shifted = torch.roll(h, (side // 2 - a, side // 2 - b), (2, 3))
                    z = z + torch.einsum("kc,ncij->nkij", W[:, :, a, b].detach(), shifted)
            h = torch.erf(z / math.sqrt(W.shape[1] * side * side))
        expected = h.flatten(1) @ net.v.detach() / math.sqrt(6 * 16)
        torch.testing.assert_close(net.outputs(X), expected)

    def test_shifting_an_image_shifts_what_a_convolution_sees(self):
        # Circular padding: with the same output weight at every place nothing changes.
        X = images(5)
        net = convolutional(np.random.default_rng(1), X, 6, 2, ERF)
        even = DeepNetwork(net.weights, torch.ones_like(net.v), ERF)
        torch.testing.assert_close(even.outputs(torch.roll(X, (1, 2), (2, 3))), even.outputs(X))

    def test_wrong_architectures_are_refused(self):
        rng, X = np.random.default_rng(1), images(5)
        for call, words in [
            (lambda: fully_connected(rng, X.flatten(1), 4, 2, ERF), "X must be images"),
            (lambda: fully_connected(rng, X, 0, 2, ERF), "width must be a positive integer"),
            (lambda: convolutional(rng, X, 4, 0, ERF), "depth must be a positive integer"),
            (lambda: convolutional(rng, X, 4, 2, ERF, 2), "side must be odd and at most 4"),
            (lambda: convolutional(rng, X, 4, 2, ERF, 5), "side must be odd and at most 4"),
        ]:
            with pytest.raises(InputError, match=words):
                call()


class TestKernel:
    def test_of_one_hidden_layer_is_that_of_its_two_layers(self):
        X = images(9, (1, 1, 5))
        net = fully_connected(np.random.default_rng(1), X, 30, 1, ERF)
        flat, W, v = X.flatten(1), net.weights[0].detach(), net.v.detach()
        # whp.kernels has v_r = +-1, for which v_r^2 = 1: give the network such a v.
        signed = DeepNetwork(net.weights, torch.sign(v).requires_grad_(), ERF)
        hidden = torch.erf(flat @ W.T / math.sqrt(5)) / math.sqrt(30)
        expected = first_layer_ntk(flat, W, ERF) + hidden @ hidden.T
        torch.testing.assert_close(tangent_kernel(signed, X), expected)

    def test_slope_of_a_wide_network_is_the_first_coefficient_of_its_kernel(self):
        # Nearly orthogonal inputs of norm sqrt(d): each of the depth + 1 layers gives the product of
        # zeta(q)^2 = (4/pi) / (1 + 2 q) over the hidden ones, with q = (2/pi) arcsin(2 q / (1 + 2 q))
        # from one to the next.
        X = images(12, (1, 20, 20))
        X = X / X.square().mean((1, 2, 3), keepdim=True).sqrt()
        q, product = 1.0, 1.0
        for _ in range(3):
            product *= 4 / math.pi / (1 + 2 * q)
            q = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
        net = fully_connected(np.random.default_rng(1), X, 400, 3, ERF)
        # Over 300 seeds the slope was off by 0.08 (sd); 0.6 is 7 sd.
        assert linear_slope(tangent_kernel(net, X), X) == pytest.approx(4 * product, abs=0.6 * 4 * product)

    def test_slope_of_an_exact_multiple_whatever_the_diagonal(self):
        X = images(6)
        flat = X.flatten(1)
        Theta = 3.5 * flat @ flat.T / 48 + torch.diag(torch.arange(6.0).double())
        assert linear_slope(Theta, X) == pytest.approx(3.5, rel=1e-12)
        with pytest.raises(InputError, match="at least two images"):
            linear_slope(Theta[:1, :1], X[:1])


class TestTraining:
    def test_full_batches_are_gradient_descent(self):
        X, y, X_test, _ = data()
        net = fully_connected(np.random.default_rng(1), X, 12, 2, ERF)
        again = fully_connected(np.random.default_rng(1), X, 12, 2, ERF)
        trace = train_beside_linear(
            np.random.default_rng(2), {"net": net}, X, y, X_test, rate=0.3, batch=40, steps=(0, 1, 3)
        )
        flat = X.flatten(1) / math.sqrt(8)
        top = float(torch.linalg.matrix_norm(flat, 2)) ** 2 / 40
        # The linear model, in closed form.
        linear = LinearDescent(flat, y, 0.3 / top)
        expected = linear.omega([0, 1, 3]) @ (X_test.flatten(1) / math.sqrt(8)).T
        torch.testing.assert_close(trace.linear, expected)
        # The network, by plain steps.
        first = {"train": again.outputs(X), "test": again.outputs(X_test)}
        eta = 0.3 / top / trace.slopes["net"]
        expected = []
        for t in range(4):
            if t in (0, 1, 3):
                expected.append(again.outputs(X_test) - first["test"])
            loss = 0.5 * (again.forward(X) - first["train"] - y).square().mean()
            loss.backward()
            with torch.no_grad():
                for p in again.parameters:
                    p -= eta * p.grad
                    p.grad = None
        torch.testing.assert_close(trace.networks["net"], torch.stack(expected))
        assert trace.steps == (0, 1, 3)
        assert not trace.networks["net"][0].any()
        assert not trace.linear[0].any()

    def test_a_linear_network_follows_the_linear_model_with_the_same_batches(self):
        # One wide hidden layer without activation: its kernel is a multiple of the linear one up to
        # terms of order 1 / sqrt(width), so the two agree to a few per cent of what was learned.
        X, y, X_test, _ = data()
        net = fully_connected(np.random.default_rng(1), X, 4000, 1, Identity())
        trace = train_beside_linear(
            np.random.default_rng(2), {"net": net}, X, y, X_test, rate=0.2, batch=10, steps=(1, 20, 100)
        )
        assert trace.slopes["net"] == pytest.approx(2, abs=0.3)  # sd below 0.04 over seeds
        gap = relative_gap(trace.networks["net"], trace.linear)
        assert float(gap.max()) < 0.02  # at most 0.002 over 200 seeds
        # And the comparison can fail: against the linear model at another time.
        assert float(relative_gap(trace.networks["net"][1:2], trace.linear[:1])) > 0.1

    def test_linear_models_of_all_networks_are_identical_and_widths_agree(self):
        X, y, X_test, _ = data(dtype=torch.float32)
        nets = {
            "fc": fully_connected(np.random.default_rng(1), X, 300, 2, ERF),
            "cnn": convolutional(np.random.default_rng(1), X, 60, 2, ERF, 1),
        }
        trace = train_beside_linear(
            np.random.default_rng(2), nets, X, y, X_test, rate=0.1, batch=20, steps=(0, 10)
        )
        alone = train_beside_linear(
            np.random.default_rng(2),
            {"fc": fully_connected(np.random.default_rng(1), X, 300, 2, ERF)},
            X,
            y,
            X_test,
            rate=0.1,
            batch=20,
            steps=(0, 10),
        )
        torch.testing.assert_close(trace.linear, alone.linear)
        torch.testing.assert_close(trace.networks["fc"], alone.networks["fc"])
        assert trace.slopes["fc"] != trace.slopes["cnn"]

    def test_wrong_arguments_and_blow_ups_are_named(self):
        X, y, X_test, _ = data()
        settings = {"rate": 0.1, "batch": 10, "steps": (0, 1)}
        for changes, error, words in [
            ({"batch": 41}, InputError, "batch must be from 1 to 40"),
            ({"steps": (1, 1)}, InputError, "steps must be increasing"),
            ({"steps": (-1, 1)}, InputError, "steps must be increasing"),
            ({"rate": 0.0}, InputError, "eta must be positive"),
            ({"rate": 1e30, "steps": (0, 30)}, MeasurementError, "net at step 30 must be finite"),
        ]:
            net = {"net": fully_connected(np.random.default_rng(1), X, 5, 2, Identity())}
            with pytest.raises(error, match=words):
                train_beside_linear(np.random.default_rng(2), net, X, y, X_test, **{**settings, **changes})

    def test_every_image_is_used_once_before_any_twice(self):
        # With one linear step a batch, batches that repeat an image would give another sum.
        X, y, X_test, _ = data(n=6)
        trace = train_beside_linear(
            np.random.default_rng(2), {}, X, y, X_test, rate=1e-6, batch=2, steps=(0, 3, 6)
        )
        first, second = trace.linear[1], trace.linear[2] - trace.linear[1]
        torch.testing.assert_close(first, second, rtol=1e-4, atol=0)


class TestSummaries:
    def test_parts_of_the_loss_are_those_of_least_squares(self):
        X, y = images(30, (1, 2, 4)), torch.sign(images(30, (1, 1, 1), seed=5).flatten())
        outputs = images(2, (30, 1, 1)).flatten(1)
        inside, outside = split_loss(outputs, y, X)
        for k in range(2):
            r = outputs[k] - y
            fit = X.flatten(1) @ torch.linalg.lstsq(X.flatten(1), r[:, None]).solution
            assert float(inside[k]) == pytest.approx(float(fit.square().sum()) / 60)
            assert float(outside[k]) == pytest.approx(float((r[:, None] - fit).square().sum()) / 60)

    def test_no_complement_where_inputs_span_everything(self):
        X, y = images(8, (1, 4, 4)), torch.ones(8).double()
        inside, outside = split_loss(torch.zeros(1, 8).double(), y, X)
        assert float(inside) == pytest.approx(0.5)
        assert float(outside) == pytest.approx(0.0, abs=1e-12)

    def test_repeated_inputs_span_less(self):
        X = images(8, (1, 2, 2))
        X[:, 0, 0, 1] = X[:, 0, 0, 0]
        y = torch.ones(8).double()
        inside, outside = split_loss(torch.zeros(1, 8).double(), y, X)
        fit = X.flatten(1)[:, [0, 2, 3]]
        fit = fit @ torch.linalg.lstsq(fit, y[:, None]).solution
        assert float(inside) == pytest.approx(float(fit.square().sum()) / 16)
        assert float(inside + outside) == pytest.approx(0.5)

    def test_relative_gap(self):
        a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]])
        assert float(relative_gap(a, b)) == 0.5
        with pytest.raises(InputError, match="not all zero at a step"):
            relative_gap(a, 0 * b)
