"""What Lemmas E.3 and E.5 of caron2023 are decided on, by NumPy alone and by the proof of Theorem 4.1."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from whp.bounds import GlobalConvergence
from whp.claims import Point
from whp.engine.discovery import discover
from whp.errors import InputError, MeasurementError

CLAIMS = {claim.name: claim for claim in discover(None).claims if claim.paper == "caron2023"}


def module(name):
    """The names of a claim file."""
    return CLAIMS[name].checks[-1].experiment.measure.__globals__


def test_the_quotients_of_a_trial_are_those_of_short_steps_of_descent():
    e_5 = module("lemma_e_5")
    of, known, m, factor = e_5["setting"]("orthonormal")
    M = known.M
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
    # Steps of descent lose a hundredth of the rate; the last time of the flow is further on.
    assert measured["a, seen"] == pytest.approx(of.kappa / 4 / least, rel=1e-3)
    assert measured["b, seen"] == pytest.approx(of.kappa / 2 / slowest, rel=0.03)
    assert measured["c, seen"] == pytest.approx(moved / reach, rel=0.03)
    # The change is not largest at the end, but between two of the times.
    assert 0.8 * change / limit < measured["d, seen"] < 1.01 * change / limit
    # What is bounded for all times is no better than what descent sees, and hardly worse, but for (d).
    assert of.kappa / 4 / least < measured["a"] < 1.02 * of.kappa / 4 / least
    assert 0.98 * of.kappa / 2 / slowest < measured["b"] < 1.05 * of.kappa / 2 / slowest
    assert moved / reach < measured["c"] < 1.1 * moved / reach
    assert change / limit < measured["d"] < 0.02


@pytest.mark.parametrize("case", ["asymmetrical", "oblique"])
def test_relu_descent_in_short_steps_stays_within_what_is_bounded_for_all_times(case):
    e_3 = module("lemma_e_3")
    of, _ = e_3["setting"](case)
    *_, gamma, m = e_3["CASES"][case]
    network = e_3["draw"](np.random.default_rng(5), of, m, gamma, "relu")
    seen, always = e_3["followed"](of, network)
    a, lam, B, y, d = network.signs.numpy(), network.scales.values.numpy(), of.B.numpy(), of.y.numpy(), of.d
    W, t, rate = network.weights.numpy().copy(), 0.0, 0.02 / of.kappa
    W0, rows = W.copy(), []
    while True:
        z = W @ B.T / math.sqrt(d)
        slopes, r = z > 0, y - (np.sqrt(lam) * a) @ np.maximum(z, 0)
        theta = (slopes * lam[:, None]).T @ slopes * (B @ B.T) / d
        if t == 0:
            theta0, r0 = theta, np.linalg.norm(r)
        gone = 2 * math.log(r0 / np.linalg.norm(r))
        moved = (np.linalg.norm(W - W0, axis=1) / np.sqrt(lam)).max()
        rows.append((np.linalg.eigvalsh(theta)[0], gone / t if t else math.inf, moved,
                     np.linalg.norm(theta - theta0, 2)))  # fmt: skip
        if gone > -math.log(e_3["STOP"]):
            break
        W += rate * np.sqrt(lam / d)[:, None] * a[:, None] * ((slopes * r) @ B)
        t += rate
    least, slowest, far, change = (
        pick(column) for pick, column in zip((min, min, max, max), zip(*rows, strict=True), strict=True)
    )
    # Descent is faster than the flow, by half a step's decay, and the flow's tolerance is 0.02.
    assert always.least <= least <= 1.02 * seen.least
    assert always.rate <= slowest <= 1.1 * seen.rate
    assert 0.95 * seen.moved <= far <= always.moved
    assert 0.8 * seen.changed <= change <= always.changed


def test_relu_flow_that_may_lose_its_eigenvalue_after_the_last_time_is_refused(monkeypatch):
    e_3 = module("lemma_e_3")
    monkeypatch.setitem(e_3, "TIMES", (0.01,))
    of, _ = e_3["setting"]("orthonormal")
    network = e_3["draw"](np.random.default_rng(5), of, 100, 1.0, "relu")
    with pytest.raises(MeasurementError, match="change of the NTG after training"):
        e_3["followed"](of, network)


@pytest.mark.parametrize("case", ["orthonormal", "asymmetrical", "line"])
def test_the_width_is_an_eighth_of_that_of_the_theorem(case):
    """R' < R at 10 E in place of 2 E / delta = 20 E, and half of the R of its proof: 2 times 4."""
    e_5 = module("lemma_e_5")
    _, known, m, _ = e_5["setting"](case)
    n, d, *_, gamma, _ = e_5["CASES"][case]
    law = GlobalConvergence(
        n=n, d=d, kappa=known.kappa.low, gamma=gamma, delta=0.1, C=known.C, C_1=known.C_1, M=known.M
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
