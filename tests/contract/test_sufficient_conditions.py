"""What Lemmas E.3 and E.5 of caron2023 are decided on, by NumPy alone and by the proof of Theorem 4.1."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from whp.bounds import GlobalConvergence
from whp.claims import Point
from whp.engine.discovery import discover
from whp.errors import InputError

CLAIMS = {claim.name: claim for claim in discover(None).claims if claim.paper == "caron2023"}


def module(name):
    """The names of a claim file."""
    return CLAIMS[name].checks[-1].experiment.measure.__globals__


def test_the_quotients_of_a_trial_are_those_of_short_steps_of_descent():
    e_5 = module("lemma_e_5")
    of, M, m, factor = e_5["setting"]("orthonormal")
    measured = e_5["trained"].measure(
        Point({"case": "orthonormal", "network": 1}), np.random.default_rng(3), None
    )
    network = e_5["draw"](np.random.default_rng(3), of, m, 1.0, "tanh")
    W, a = network.weights.numpy().copy(), network.signs.numpy()
    B, y, d, delta, n = of.B.numpy(), of.y.numpy(), of.d, 0.1, 2
    W0, lam, t, rate = W.copy(), 1 / m, 0.0, 0.02 / of.kappa
    least, slowest, change, moved = math.inf, math.inf, 0.0, 0.0
    while True:
        z = W @ B.T / math.sqrt(d)
        slopes, r = 1 - np.tanh(z) ** 2, y - math.sqrt(lam) * a @ np.tanh(z)
        theta = lam * slopes.T @ slopes * (B @ B.T) / d
        if t == 0:
            theta0, r0 = theta, np.linalg.norm(r)
        least = min(least, np.linalg.eigvalsh(theta)[0])
        change = max(change, np.linalg.norm(theta - theta0, 2))
        moved = max(moved, np.linalg.norm(W - W0, axis=1).max())
        if t > 0:
            slowest = min(slowest, 2 * math.log(r0 / np.linalg.norm(r)) / t)
        if np.linalg.norm(r) < 0.01 * r0:
            break
        W += rate * math.sqrt(lam / d) * a[:, None] * ((slopes * r) @ B)
        t += rate
    reach = math.sqrt(n * lam / d) * r0 * 4 / of.kappa
    S = factor**2 / m
    limit = n * M**2 * delta**2 / (64 * d**2) * S + n * M * delta / (2**1.5 * d**1.5) * math.sqrt(S)
    # Steps of descent lose a hundredth of the rate; the last of the flow ends further on.
    assert measured["a"] == pytest.approx(of.kappa / 4 / least, rel=1e-3)
    assert measured["b"] == pytest.approx(of.kappa / 2 / slowest, rel=0.03)
    assert measured["c"] == pytest.approx(moved / reach, rel=0.03)
    # The change is not largest at the end, but between two of the flow's few steps.
    assert 0.8 * change / limit < measured["d"] < 1.01 * change / limit


@pytest.mark.parametrize("case", ["orthonormal", "asymmetrical", "line"])
def test_the_width_is_an_eighth_of_that_of_the_theorem(case):
    """R' < R at 10 E in place of 2 E / delta = 20 E, and half of the R of its proof: 2 times 4."""
    e_5 = module("lemma_e_5")
    of, M, m, _ = e_5["setting"](case)
    n, d, *_, gamma, name = e_5["CASES"][case]
    known = e_5["check_assumptions"](of.X, of.y, e_5["activation"](name))
    law = GlobalConvergence(
        n=n, d=d, kappa=known.kappa.low, gamma=gamma, delta=0.1, C=known.C, C_1=known.C_1, M=M
    )
    assert m == pytest.approx(law.width / 8, rel=1e-3)


def test_a_smaller_width_is_refused():
    e_5 = module("lemma_e_5")
    *_, m, _ = e_5["setting"]("orthonormal")
    with pytest.raises(InputError, match="m must be at least"):
        e_5["admitted"]("orthonormal", m // 2)


def test_the_width_that_lemma_e_3_would_need():
    """From its display: sum_j c_{m,j} = D sum_j sqrt(lambda_j), which is D sqrt m for gamma = 1."""
    e_3 = module("lemma_e_3")
    of, factor = e_3["setting"]("orthonormal")
    n, d, delta = 4, 10, 0.5
    assert of.kappa == pytest.approx(1 / (2 * d))  # orthonormal inputs and ReLU
    mean = n * (0.3**2 + 1 / (2 * d))
    D = 64 / delta**2 * math.sqrt(n / d * 10 * mean) * 4 * 2 * d
    assert factor == pytest.approx(D)
    m = e_3["needed"]("orthonormal")
    for constant in (8 * n / (d * of.kappa), 256 * n**2 / (d * of.kappa) ** 2):
        assert m >= constant * D * math.sqrt(m) * (1 - 1e-12)
    assert m == pytest.approx((256 * 4 * n**2 * D) ** 2)


def test_inputs_are_as_stated():
    e_5 = module("lemma_e_5")
    of = e_5["setting"]("oblique")[0]
    gram = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    assert torch.allclose(of.X @ of.X.T, gram, atol=1e-12)
