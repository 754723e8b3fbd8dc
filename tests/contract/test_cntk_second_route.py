"""The FAILs of arora2019's convolutional kernels by a second route: modules of torch.nn, and by hand.

The networks are torch.nn modules with scales between them, their kernels whole gradients by autograd; for one
layer the mean kernel is an integral over one angle. Of the package only the tensors K, K-dot, Sigma of the
formulas are used, which have tests of their own.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.signal import correlate2d
from torch import nn

from whp.kernels.cntk_reference import cntk_tensors

COLOURS, CHANNELS, SIDE, Q = 3, 24, 4, 3
SCALE = 2 / Q**2


class Rectify(nn.Module):
    """sqrt(2 / (C q^2)) max(0, z)."""

    def forward(self, z):
        return math.sqrt(SCALE / z.shape[1]) * torch.relu(z)


def network(layers, pooling):
    """A drawn network of Section 4.1 or 4.2."""
    parts = []
    for k in range(layers):
        parts += [
            nn.Conv2d(COLOURS if k == 0 else CHANNELS, CHANNELS, Q, padding="same", bias=False),
            Rectify(),
        ]
    if pooling:
        parts.append(nn.AdaptiveAvgPool2d(1))
    parts += [nn.Flatten(), nn.Linear(CHANNELS * (1 if pooling else SIDE**2), 1, bias=False)]
    net = nn.Sequential(*parts).double()
    for W in net.parameters():
        nn.init.normal_(W)
    return net


def layer_kernels(net, X):
    """<df/dW, df'/dW> for each tensor of weights."""
    one, two = (torch.autograd.grad(net(x[None])[0, 0], list(net.parameters())) for x in X)
    return np.array([float((a * b).sum()) for a, b in zip(one, two, strict=True)])


def images(rng):
    X = rng.standard_normal((2, COLOURS, SIDE, SIDE))
    X[1] = 0.5 * X[0] + math.sqrt(0.75) * X[1]
    return torch.from_numpy(X)


def trace(T):
    return float(torch.einsum("ijij->", T))


@cache
def measured(pooling):
    """Kernels of the layers of 100 networks of two layers for a pair of images, and the formulas' tensors."""
    torch.manual_seed(0)
    X = images(np.random.default_rng(0))
    kernels = [layer_kernels(network(2, pooling), X) for _ in range(100)]
    return np.mean(kernels, axis=0), cntk_tensors(X[0], X[1], layers=2, filter_size=Q)


# The kernels of one network have a relative standard deviation of at most 0.5 (24 channels), their mean over
# 100 one of 0.05; tolerances are seven of these, and a false alarm is rarer than 1e-6.


@pytest.mark.parametrize("pooling", [False, True], ids=["vanilla", "pooled"])
def test_the_patch_trace_of_the_last_layer_is_one_too_many(pooling):
    layers, t = measured(pooling)
    if pooling:
        kernel, inner, whole = layers[1:-1].sum(), t.K_dot[-1] * t.theta("middle")[-1], torch.mean
    else:
        kernel, inner, whole = layers.sum(), t.K_dot[-1] * t.theta()[-1] + t.K[-1], trace
    assert kernel / float(whole(t.convolve(inner))) < 0.4  # as printed
    assert kernel / (SCALE * float(whole(inner))) == pytest.approx(1, abs=0.35)


def test_layers_above_the_first_need_another_factor():
    layers, t = measured(False)
    second = trace(t.K_dot[1] * t.convolve(t.K[1]))
    first = trace(t.K_dot[1] * t.convolve(t.K_dot[0] * t.convolve(t.K[0])))
    printed = layers / [first, second, trace(t.K[2])]
    assert printed[0] == pytest.approx(1, abs=0.35)
    assert printed[1:] == pytest.approx([SCALE, SCALE], rel=0.35)


def test_one_layer_by_an_integral_over_the_angle():
    """The kernel of one convolution and its readout without Gaussian formulas, exact for any width."""
    X = images(np.random.default_rng(1))
    padded = np.pad(X.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = 0.0
    for i in range(SIDE):
        for j in range(SIDE):
            p, p_ = (x[:, i : i + Q, j : j + Q].ravel() for x in padded)
            angle = math.acos(p @ p_ / (np.linalg.norm(p) * np.linalg.norm(p_)))
            low, high = angle - math.pi / 2, math.pi / 2  # where both are positive
            both = quad(lambda s, angle=angle: math.cos(s) * math.cos(s - angle), low, high)[0] / math.pi
            total += np.linalg.norm(p) * np.linalg.norm(p_) * both + (high - low) / (2 * math.pi) * (p @ p_)
    t = cntk_tensors(X[0], X[1], layers=1, filter_size=Q)
    inner = t.K_dot[0] * t.Sigma[0] + t.K[1]
    assert SCALE * total == pytest.approx(SCALE * trace(inner), rel=1e-10)
    assert trace(t.convolve(inner)) > 5 * SCALE * total


def test_the_expansion_and_the_last_equality_on_one_pixel():
    """x = x' = 1, q = 1, one layer: K^(0) = Sigma^(0) = 1, K^(1) = K-dot^(1) = 1/2 and L(M) = 2 M."""
    K_0, K_1, K_dot, c_sigma = 1.0, 0.5, 0.5, 2.0
    assert K_dot * K_0 + K_1 == 1.0  # tr(K-dot o Theta^(0) + K^(1))
    assert K_1 + K_dot * (c_sigma * K_0) == 1.5  # the sum over h = 0, 1
    assert K_0 * K_dot == 0.5  # tr(G^(1),(1))
    assert K_dot * (c_sigma * K_0) == 1.0  # tr(K-dot o L(K^(0)))


@pytest.mark.parametrize("q", [1, 3, 5])
def test_the_index_of_the_filter_by_a_unit_image(q):
    """[W * x]_(kl) for x = 1 at (i, j) alone is the entry of W that the derivative has, indices from one."""
    rng = np.random.default_rng(2)
    W, x = rng.standard_normal((q, q)), np.zeros((7, 7))
    i, j, k, m = 4, 3, 4 + (q > 1), 3 - (q > 1)
    x[i, j] = 1.0
    entry = correlate2d(x, W, mode="same")[k, m]
    middle = (i - k + (q + 1) // 2, j - m + (q + 1) // 2)
    printed = (i - k + q - 1, j - m + q - 1)
    assert entry == W[middle[0] - 1, middle[1] - 1]
    inside = all(1 <= index <= q for index in printed)
    assert (inside and entry == W[printed[0] - 1, printed[1] - 1]) == (q == 3)


def test_the_chain_of_the_derivation_needs_other_factors():
    """(37) at the last layer and (38) at the first, the readout's products replaced by their means."""
    layers, t = measured(False)
    patches = [t.convolve(K) / SCALE for K in t.K[:2]]  # tr([K^(h-1)]_D), h = 1, 2
    seventh = trace(patches[1] * t.K_dot[1])
    eighth = trace(t.K_dot[1] * t.convolve(patches[0] * t.K_dot[0]))
    one_channel = SCALE / CHANNELS * eighth / SCALE
    assert layers[1] / seventh == pytest.approx(SCALE**2, rel=0.35)
    assert layers[0] / eighth == pytest.approx(SCALE, rel=0.35)
    assert layers[0] / one_channel == pytest.approx(SCALE * CHANNELS, rel=0.35)


def test_sums_over_channels_on_one_pixel():
    """x = x' = 1, q = 1, where c_sigma / q^2 is 2: squares and slopes of 10^5 channels, by counting."""
    z = np.random.default_rng(3).standard_normal(100_000)
    x = math.sqrt(2 / len(z)) * np.maximum(z, 0)
    t = cntk_tensors(torch.ones(1, 1, 1), torch.ones(1, 1, 1), layers=2, filter_size=1)
    # Standard deviations are 0.007 and 0.003; ten of these, for squares of heavier tails than a normal's.
    assert x @ x == pytest.approx(2 * trace(t.K[1]), abs=0.07)
    assert 2 * np.mean(z > 0) == pytest.approx(2 * trace(t.K_dot[0]), abs=0.03)
    assert trace(t.K[1]) == pytest.approx(0.5)
    assert trace(t.K_dot[0]) == pytest.approx(0.5)
