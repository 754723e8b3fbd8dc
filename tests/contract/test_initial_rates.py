"""How the claims on expected changes measure: rates by automatic differentiation, and the laws of draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.errors import InputError

rates = load_file(validation_root() / "caron2023" / "_rates.py")


@pytest.mark.parametrize("name", ["tanh", "reduced_swish", "sin"])
def test_rates_are_those_of_the_gradient_flow(name):
    """Both rates of each single draw, by differentiating (2), (3) and (4)."""
    rng = np.random.default_rng(1)
    sigma, m, d = rates.known(name), 3, 2
    X, at, y = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((4, d), (2, d), 4))
    W, lam = torch.from_numpy(rng.standard_normal((5, m, d))), torch.tensor([0.5, 0.3, 0.2]).double()
    signs = rates.draw_signs(rng, m)  # (8, 3)
    found = rates.initial_rates(W, signs, lam, X, y, sigma, at)
    for weights, moved, turned in zip(W, found.weights, found.kernel, strict=True):
        each = []
        for a in signs:
            w = weights.clone().requires_grad_()
            loss = 0.5 * ((y - sigma.phi(X @ w.T / math.sqrt(d)) @ (lam.sqrt() * a)) ** 2).sum()
            each.append(-torch.autograd.grad(loss, w)[0])
        velocity = torch.stack(each).mean(0)
        torch.testing.assert_close(moved, velocity, rtol=1e-12, atol=1e-14)

        def kernel(w):
            slopes = sigma.dphi(at @ w.T / math.sqrt(d))
            return (at @ at.T) / d * ((slopes * lam) @ slopes.T)

        step = 1e-5
        change = (kernel(weights + step * velocity) - kernel(weights - step * velocity)) / (2 * step)
        torch.testing.assert_close(turned, change, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(("m", "d", "even"), [(4, 3, True), (4, 1, True), (2, 3, False)])
def test_each_draw_has_its_law(m, d, even):
    """The first draw of many batches: Kolmogorov-Smirnov rejects with probability 1e-7 each."""
    first = [rates.draw_weights(np.random.default_rng(s), 1, m, d, even)[0] for s in range(400)]
    values = torch.stack(first).flatten().numpy()
    assert kstest(values, "norm").pvalue > 1e-7
    assert kstest(0.9 * values + 0.3, "norm").pvalue < 1e-7  # it can fail
    W = rates.draw_weights(np.random.default_rng(1), 2, m, d, even)
    assert bool(torch.isfinite(W).all())
    assert W.shape[1:] == (m, d)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7])
def test_products_of_two_signs_average_to_zero(m):
    signs = rates.draw_signs(np.random.default_rng(1), m)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(signs.T @ signs / len(signs), torch.eye(m, dtype=torch.float64))
    assert not signs.sum(0).any()


def test_only_admitted_activations_are_admitted():
    assert rates.admitted("reduced_swish").name == "swish_over_1.1"
    with pytest.raises(InputError, match=r"Assumption 2\.2"):
        rates.admitted("swish")


def test_scales_sum_to_one():
    for gamma in (0.0, 0.5, 1.0):
        assert float(rates.scales_for(4, gamma).sum()) == pytest.approx(1)
    assert rates.scales_for(4, 0.0).tolist() == [0.5, 0.5, 0, 0]
