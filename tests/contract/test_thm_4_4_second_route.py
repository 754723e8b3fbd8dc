"""The FAIL of caron2023.thm_4_4 by a second route: the mean by quadrature and automatic derivatives.

A network of few nodes is small enough for the mean over its weights to be a Gauss-Hermite sum, and that over
its signs a sum over all of them. The rate of the kernel is the directional derivative of (4) along minus the
gradient of (3), both by automatic differentiation of the definitions. No formula of the paper and no code of
the package is used, but for g_2, which is also summed here.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

NODES, WEIGHTS = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(24))
WEIGHTS = WEIGHTS / math.sqrt(2 * math.pi)
SIGMA = {"tanh": torch.tanh, "softplus": torch.nn.functional.softplus}
Y = torch.tensor([0.7, -1.2], dtype=torch.float64)


def derivatives(name):
    """sigma, sigma' and sigma'' of a scalar, by automatic differentiation."""
    sigma = SIGMA[name]
    first = torch.func.grad(sigma)
    return sigma, first, torch.func.grad(first)


def points(d):
    """Two inputs, x_k and x_l, with entries of both signs, and norms on both sides of one."""
    rng = np.random.default_rng(d)
    return torch.from_numpy(rng.standard_normal((2, d)) * 0.6), torch.from_numpy(rng.standard_normal((2, d)))


def grid(size):
    """Nodes (N, size) and weights (N,) of the product rule."""
    nodes = torch.cartesian_prod(*[NODES] * size).reshape(-1, size)
    weights = torch.cartesian_prod(*[WEIGHTS] * size).reshape(-1, size).prod(1)
    return nodes, weights


def mean_rate(name, lam, X, at):
    """E[d Theta_m(x_k, x_l) / dt] at t = 0 for lambda of shape (m,)."""
    sigma, first, _ = derivatives(name)
    m, d = len(lam), X.shape[1]
    slope = torch.func.vmap(torch.func.vmap(first))

    def outputs(W, a):
        return sigma(X @ W.T / math.sqrt(d)) @ (lam.sqrt() * a)

    def loss(W, a):
        return 0.5 * ((Y - outputs(W, a)) ** 2).sum()

    def kernel(W):
        z = slope(at @ W.T / math.sqrt(d))  # (2, m)
        return (at[0] @ at[1]) / d * (lam * z[0] * z[1]).sum()

    def rate(flat, a):
        W = flat.reshape(m, d)
        return -(torch.func.grad(kernel)(W) * torch.func.grad(loss)(W, a)).sum()

    nodes, weights = grid(m * d)
    signs = [torch.tensor(s, dtype=torch.float64) for s in itertools.product([-1.0, 1.0], repeat=m)]
    rates = [torch.func.vmap(rate, (0, None))(nodes, a) @ weights for a in signs]
    return float(sum(rates)) / len(signs)


def bracket(name, X, at):
    """sum_i of the g_2 terms of Theorem 4.4, by a sum over weights."""
    d = X.shape[1]
    sigma, first, second = (torch.func.vmap(f) for f in derivatives(name))
    nodes, weights = grid(d)

    def g_2(one, two, three):
        z = [nodes @ x / math.sqrt(d) for x in (one, two, three)]
        return (second(z[0]) * first(z[1]) * first(z[2]) * sigma(z[2])) @ weights

    k, other = at
    return float(sum(g_2(k, other, x) * (k @ x) + g_2(other, k, x) * (other @ x) for x in X))


@pytest.mark.parametrize("name", SIGMA)
@pytest.mark.parametrize(("d", "lam"), [(1, [1.0]), (1, [0.7, 0.3]), (2, [1.0]), (3, [1.0])])
def test_the_power_of_d_is_two(name, d, lam):
    lam = torch.tensor(lam, dtype=torch.float64)
    X, at = points(d)
    rest = bracket(name, X, at) * float(at[0] @ at[1]) * float((lam**2).sum())
    assert abs(rest) > 1e-3
    found = mean_rate(name, lam, X, at)
    assert found == pytest.approx(-rest / d**2, rel=1e-4)
    printed = -rest / d**1.5
    assert (found == pytest.approx(printed, rel=1e-2)) is (d == 1)
    assert found / printed == pytest.approx(d**-0.5, rel=1e-4)
