"""Finite convolutional networks: outputs by loops over places, kernels by autograd on the outputs."""

import itertools
import math

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation
from whp.models import Convolutional, finite_cnn

RELU, ERF = activation("relu"), activation("erf")


def images(n=3, channels=2, size=(4, 3), seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, channels, *size))).to(dtype)


def network(channels=(2, 5, 4), image=(4, 3), act=ERF, dtype=torch.float64, **options):
    rng = np.random.default_rng(1)
    options.setdefault("c_sigma", 1.7)
    return Convolutional.draw(rng, channels, image, activation=act, dtype=dtype, **options)


def convolved(W, x, padding):
    """[sum_alpha W * x_alpha]_{ij} by (14), for one image x (C, P, Q) and W (C', C, q, q), with loops."""
    _, P, Q = x.shape
    q = W.shape[-1]
    out = np.zeros((len(W), P, Q))
    for i, j, a, b in itertools.product(range(P), range(Q), range(q), range(q)):
        k, m = i + a - q // 2, j + b - q // 2
        if padding == "circular":
            k, m = k % P, m % Q
        if 0 <= k < P and 0 <= m < Q:
            out[:, i, j] += W[:, :, a, b] @ x[:, k, m]
    return out


ARCHITECTURES = [
    (padding, pooling, q)
    for padding in ("zero", "circular")
    for pooling in ("none", "average")
    for q in (1, 3, 5)
    if not (padding == "circular" and q == 5)
]


class TestOutputs:
    @pytest.mark.parametrize(("padding", "pooling", "q"), ARCHITECTURES)
    def test_are_the_definition_with_loops(self, padding, pooling, q):
        net = network(padding=padding, pooling=pooling, filter_size=q)
        X = images()
        expected = []
        for x in X.numpy():
            for W in net.filters:
                x = convolved(W.numpy(), x, padding)
                x = torch.erf(torch.from_numpy(x)).numpy() * math.sqrt(1.7 / (len(W) * q * q))
            w = net.readout.numpy()
            expected.append((w * x).sum() if pooling == "none" else w @ x.mean((1, 2)))
        torch.testing.assert_close(net.outputs(X), torch.tensor(expected, dtype=torch.float64))
        assert (net.layers, net.filter_size) == (2, q)

    def test_padding_and_pooling_make_a_difference(self):
        X = images()
        one = network(padding="zero").outputs(X)
        assert not torch.allclose(one, network(padding="circular").outputs(X))
        assert not torch.allclose(one, network(pooling="average").outputs(X))


class TestKernels:
    @pytest.mark.parametrize(("padding", "pooling", "q"), ARCHITECTURES)
    @pytest.mark.parametrize("act", [RELU, ERF], ids=lambda a: a.name)
    def test_are_those_of_autograd(self, padding, pooling, q, act):
        net = network(act=act, padding=padding, pooling=pooling, filter_size=q)
        X, Z = images(), images(2, seed=4)
        layers, by_autograd = net.layer_ntks(X, Z), net.layer_ntks_by_autograd(X, Z)
        assert len(layers) == 3
        for one, two in zip(layers, by_autograd, strict=True):
            torch.testing.assert_close(one, two)
        torch.testing.assert_close(net.ntk(X, Z), sum(by_autograd))
        torch.testing.assert_close(net.ntk(X, Z, train="middle"), by_autograd[1])
        torch.testing.assert_close(net.ntk(X), net.ntk(X, X))

    def test_blocks_change_nothing(self, monkeypatch):
        net, X, Z = network(), images(5), images(3, seed=4)
        whole = net.layer_ntks(X, Z)
        monkeypatch.setattr(finite_cnn, "BLOCK", 1)
        monkeypatch.setattr(finite_cnn, "ROWS", 2)
        for one, two in zip(whole, net.layer_ntks(X, Z), strict=True):
            torch.testing.assert_close(one, two)

    def test_a_wrong_padding_is_seen_by_autograd(self):
        """The comparison above can fail."""
        X = images()
        kernel = network(padding="circular").ntk(X)
        assert not torch.allclose(kernel, sum(network(padding="zero").layer_ntks_by_autograd(X)), rtol=0.05)

    def test_with_one_convolution_nothing_lies_in_the_middle(self):
        assert float(network((2, 5)).ntk(images(), train="middle").abs().max()) == 0.0

    def test_with_one_pixel_it_is_the_fully_connected_network(self):
        """On a 1 x 1 image only the middle of a filter is used: (6) but for the factor q^2."""
        from whp.models import FullyConnected

        net, X = network((2, 5, 4), (1, 1)), images(size=(1, 1))
        middle = tuple(W[:, :, 1, 1] / 3 for W in net.filters)
        first = net.filters[0][:, :, 1, 1]
        twin = FullyConnected((first, middle[1], net.readout[:, 0, 0][None] / 3), ERF, 1.7)
        torch.testing.assert_close(net.outputs(X), twin.outputs(X[:, :, 0, 0]))

    def test_single_precision_stays_single(self):
        assert network(dtype=torch.float32).ntk(images(dtype=torch.float32)).dtype == torch.float32


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"channels": (2,)}, "channels must be positive integers"),
            ({"channels": (2, 0)}, "channels must be positive integers"),
            ({"image": (4, 0)}, "image must be positive integers"),
            ({"filter_size": 2}, "filter_size must be odd"),
            ({"filter_size": 5, "padding": "circular"}, "filter_size must be at most 3"),
            ({"padding": "mirror"}, "padding must be one of zero, circular"),
            ({"pooling": "max"}, "pooling must be none or average"),
            ({"c_sigma": 0.0}, "c_sigma must be a positive number"),
        ],
    )
    def test_of_draw(self, options, message):
        with pytest.raises(InputError, match=message):
            network(**options)

    @pytest.mark.parametrize("X", [images(channels=3), images(size=(3, 4)), images()[0]])
    def test_images(self, X):
        with pytest.raises(InputError, match=r"X must be images of shape \(n, 2, 4, 3\)"):
            network().outputs(X)

    def test_layers_and_training(self):
        with pytest.raises(InputError, match="layer must be from 1 to 3"):
            network().layer_ntk(images(), 4)
        with pytest.raises(InputError, match="train must be all or middle"):
            network().ntk(images(), train="first")
