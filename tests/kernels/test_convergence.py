"""Widths that the theorems of caron2023 ask for, from data."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from whp.errors import InputError
from whp.kernels import activation
from whp.kernels.convergence import global_convergence, narrowest, relu_global_convergence

TANH, SOFTPLUS, RELU = activation("tanh"), activation("softplus"), activation("relu")


def mean(f) -> float:
    """E f(z), z standard normal, by adaptive quadrature."""
    return integrate.quad(lambda z: f(z) * stats.norm.pdf(z), -12, 12, epsabs=1e-13, limit=200)[0]


class TestTheorem:
    def test_orthonormal_inputs_by_adaptive_quadrature(self) -> None:
        """n = d = 2: kappa, C_1 and M of tanh, and the width of a few million that they give."""
        X, y = torch.eye(2, dtype=torch.float64), torch.tensor([0.1, -0.1], dtype=torch.float64)
        found = global_convergence(X, y, TANH, gamma=1.0, delta=0.5)
        kappa = mean(lambda z: math.cosh(z / math.sqrt(2)) ** -4) / 2
        C_1 = mean(lambda z: math.tanh(z / math.sqrt(2)) ** 2)
        sup = 4 / math.sqrt(27)
        assert (found.kappa, found.C_1, found.M) == pytest.approx((kappa, C_1, sup), rel=1e-6)
        # The rounding is on the safe side: none of the three makes the threshold smaller.
        assert kappa * (1 - 1e-9) < found.kappa <= kappa * (1 + 1e-15)
        assert min(found.C_1 - C_1, found.M - sup) >= 0
        assert 1.4e6 < found.width < 1.5e6

    def test_relu(self) -> None:
        X, y = torch.eye(2, 3, dtype=torch.float64), torch.tensor([0.1, 0.3], dtype=torch.float64)
        found = relu_global_convergence(X, y, RELU, gamma=0.5, delta=0.5)
        assert found.kappa == pytest.approx(1 / 6, rel=1e-9)
        assert found.C == 0.3

    def test_assumptions_are_checked(self) -> None:
        y = torch.tensor([0.1, 0.1], dtype=torch.float64)
        parallel = torch.tensor([[1.0, 0.0], [-0.5, 0.0]], dtype=torch.float64)
        for X, sigma, message in [
            (parallel, TANH, "Assumption 2.1 b"),
            (2 * torch.eye(2, dtype=torch.float64), TANH, "Assumption 2.1 a"),
            (torch.eye(2, dtype=torch.float64), activation("swish"), "Assumption 2.2"),
        ]:
            with pytest.raises(InputError, match=message):
                global_convergence(X, y, sigma, gamma=1.0, delta=0.5)
        with pytest.raises(InputError, match=r"Assumption 2\.1 b"):
            relu_global_convergence(parallel, y, RELU, gamma=1.0, delta=0.5)
        with pytest.raises(InputError, match=r"activation must be relu"):
            relu_global_convergence(torch.eye(2, dtype=torch.float64), y, TANH, gamma=1.0, delta=0.5)


class TestSearch:
    def test_the_least_of_all_settings(self) -> None:
        """The winner is the largest d, the smallest n and C, gamma = 1, the largest delta, tanh."""
        sigma, best = narrowest(
            [SOFTPLUS, TANH], n=(2, 3), d=(2, 50), C=(0.1, 0.01), gamma=(0.5, 1.0), delta=(0.1, 0.5)
        )
        assert sigma is TANH
        assert (best.n, best.d, best.C, best.gamma, best.delta) == (2, 50, 0.01, 1.0, 0.5)
        for change in ({"C": 0.1}, {"gamma": 0.5}, {"delta": 0.1}):
            assert replace(best, **change).width > best.width

    @pytest.mark.parametrize("sigma", [TANH, SOFTPLUS])
    def test_no_other_inputs_are_better(self, sigma) -> None:
        """Random inputs in the ball need more; the seed does not matter, as this is a theorem."""
        rng = np.random.default_rng(0)
        y = torch.tensor([0.1, 0.1, 0.1], dtype=torch.float64)
        _, best = narrowest([sigma], n=(3,), d=(4,))
        for _ in range(50):
            X = torch.from_numpy(rng.standard_normal((3, 4)))
            X *= torch.from_numpy(rng.uniform(0.3, 1, (3, 1))) / X.norm(dim=1, keepdim=True)
            assert global_convergence(X, y, sigma, gamma=1.0, delta=0.5).width > best.width
        # What that rests on: the diagonal entry for an input of norm c is largest at c = 1.
        entries = [c**2 * mean(lambda z, c=c: slope(sigma, c * z / 2) ** 2) for c in np.linspace(0.05, 1, 20)]
        assert (np.diff(entries) > 0).all()

    def test_nothing_to_search(self) -> None:
        with pytest.raises(InputError, match="n <= d"):
            narrowest([TANH], n=(3,), d=(2,))
        with pytest.raises(InputError, match="activations must be given at least one"):
            narrowest([], n=(2,), d=(2,))


def slope(sigma, z: float) -> float:
    """The derivative of tanh or softplus."""
    return math.cosh(z) ** -2 if sigma is TANH else 1 / (1 + math.exp(-z))


def test_the_table_of_the_page() -> None:
    """docs/global_convergence.md shows widths and memory as computed."""
    page = Path(__file__).resolve().parents[2] / "docs" / "global_convergence.md"
    rows = re.findall(
        r"^\| (\w+) \| (\d+) \| (\d+) \| ([\d,]+) \| ([\d.]+) \|$", page.read_text("utf-8"), re.M
    )
    assert len(rows) == 10
    for name, n, d, width, memory in rows:
        _, found = narrowest([activation(name)], n=[int(n)], d=[int(d)])
        assert f"{found.width:,}" == width
        assert f"{found.memory(int(n)) / 1e9:.3g}" == memory
