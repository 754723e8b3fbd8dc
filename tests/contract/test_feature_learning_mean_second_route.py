"""The FAILs of caron2023.feature_learning_*_mean by a second route: exact means of small whole networks.

The mean over weights is a Gauss-Hermite sum and that over signs a sum over all of them, so that zero is zero
to rounding. The move of weights and kernels is that of gradient descent, from the loss (3) by automatic
differentiation; for orthogonal points it is that of a whole step.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

NODES, WEIGHTS = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(40))
WEIGHTS = WEIGHTS / math.sqrt(2 * math.pi)
SOFTPLUS = torch.nn.functional.softplus


def plane():
    """Nodes (N, 2) and weights (N,) of the product rule."""
    return torch.cartesian_prod(NODES, NODES), torch.cartesian_prod(WEIGHTS, WEIGHTS).prod(1)


def fan(angles, norm=0.8):
    turns = torch.deg2rad(torch.tensor(angles, dtype=torch.float64))
    return norm * torch.stack((torch.cos(turns), torch.sin(turns)), dim=1)


def mean_velocity(sigma, X, y):
    """E[dw/dt] of a network of one node (lambda = 1, gamma = 0), shape (2,)."""

    def loss(w, a):
        return 0.5 * ((y - a * sigma(X @ w / math.sqrt(2))) ** 2).sum()

    nodes, weights = plane()
    one = torch.func.vmap(torch.func.grad(loss), (0, None))
    return -sum(weights @ one(nodes, a) for a in (-1.0, 1.0)) / 2


@pytest.mark.parametrize(
    ("sigma", "angles"),
    [(torch.tanh, [10.0, 50.0, 170.0]), (torch.sin, [0.0]), (SOFTPLUS, [0.0, 120.0, 240.0])],
)
def test_no_weight_moves_on_average(sigma, angles):
    X, y = fan(angles), torch.linspace(-1, 2, len(angles), dtype=torch.float64)
    assert float(mean_velocity(sigma, X, y).norm()) < 1e-12


@pytest.mark.parametrize("angles", [[0.0], [0.0, 120.0], [0.0, 100.0, 240.0]])
def test_other_inputs_move_them(angles):
    X, y = fan(angles), torch.zeros(len(angles), dtype=torch.float64)
    assert float(mean_velocity(SOFTPLUS, X, y).norm()) > 0.01


def test_the_kernel_of_orthogonal_points_never_moves():
    """Exactly zero before and after a step of any rate, and so is its change."""
    rng = np.random.default_rng(1)
    X = torch.eye(2, dtype=torch.float64)
    W, a = torch.from_numpy(rng.standard_normal((5, 2))), torch.tensor([1.0, -1, 1, 1, -1]).double()
    lam = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1], dtype=torch.float64)

    def loss(W):
        return 0.5 * ((1 - SOFTPLUS(X @ W.T / math.sqrt(2)) @ (lam.sqrt() * a)) ** 2).sum()

    def kernel(W):
        slopes = torch.sigmoid(X @ W.T / math.sqrt(2))
        return float(X[0] @ X[1]) / 2 * (lam * slopes[0] * slopes[1]).sum()

    after = W - 0.3 * torch.func.grad(loss)(W)
    assert float((after - W).norm()) > 0.01
    assert float(kernel(W)) == float(kernel(after)) == 0.0


def test_a_constant_off_softplus_stops_the_kernel_at_a_point():
    """d = m = n = 1, x = x_k = x_l = 1: the mean rate is zero for one constant, and not for others."""
    slope, curvature = torch.sigmoid(NODES), torch.sigmoid(NODES) * torch.sigmoid(-NODES)
    weight = WEIGHTS * curvature * slope**2
    constant = float((weight @ SOFTPLUS(NODES)) / weight.sum())

    def mean_rate(constant):
        def rate(w, a):
            def loss(w):
                return 0.5 * (0.4 - a * (SOFTPLUS(w) - constant)) ** 2

            return -2 * torch.sigmoid(w) ** 2 * torch.sigmoid(-w) * torch.func.grad(loss)(w)

        both = [torch.func.vmap(rate, (0, None))(NODES, a) @ WEIGHTS for a in (-1.0, 1.0)]
        return float(sum(both)) / 2

    assert abs(mean_rate(constant)) < 1e-15
    assert abs(mean_rate(0.0)) > 0.01
    assert abs(mean_rate(1.1 * constant)) > 0.001


@pytest.mark.parametrize("angle", [90.0, 60.0])
def test_the_same_constant_stops_the_whole_matrix_of_orthogonal_inputs(angle):
    """n = d = 2: the mean rate of every entry of the NTG matrix, by differentiating (3) and (4)."""
    X = fan([0.0, angle], norm=1.0)
    X[X.abs() < 1e-15] = 0
    nodes, weights = plane()

    z = nodes[:, 0] / math.sqrt(2)  # at an input of norm one
    slope = torch.sigmoid(z)
    weight = weights * slope * (1 - slope) * slope**2
    constant = float((weight @ SOFTPLUS(z)) / weight.sum())

    def sigma(z):
        return SOFTPLUS(z) - constant

    def kernel(w):
        slopes = torch.sigmoid(X @ w / math.sqrt(2))
        return (X @ X.T) / 2 * torch.outer(slopes, slopes)

    def rate(w, a):
        def loss(w):
            return 0.5 * ((0.4 - a * sigma(X @ w / math.sqrt(2))) ** 2).sum()

        return -torch.func.jacrev(kernel)(w) @ torch.func.grad(loss)(w)

    both = [torch.func.vmap(rate, (0, None))(nodes, a) for a in (-1.0, 1.0)]
    mean = torch.tensordot(weights, (both[0] + both[1]) / 2, dims=1)
    assert (float(mean.norm()) < 1e-14) == (angle == 90.0)
