"""What the search of arora2019 for the worst perturbed weights rests on: matrices behind its vectors.

Inputs are random, outcomes are not.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from whp.engine.discovery import discover
from whp.kernels import activation
from whp.models.finite import FullyConnected

(CLAIM,) = (claim for claim in discover(None).claims if claim.id == "arora2019.lemma_d_3")
HELPER = CLAIM.checks[0].experiment.measure.__globals__
M, L = 12, 3


def start(omega=0.3, seed=0, m=M, layers=L):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.standard_normal((1, 5)))
    net = FullyConnected.draw(rng, [5, *[m] * layers], activation("relu"), c_sigma=2.0)
    return HELPER["Start"](net, net.pass_(x / x.norm()), omega), rng


def matrix(g, p, b, q, radius):
    """A matrix of norm <= radius that maps g to p and its transpose b to q: Parrott's theorem, solved."""
    from_, to = (
        torch.linalg.qr(torch.cat([v[:, None], torch.eye(len(v)).double()], dim=1))[0] for v in (g, b)
    )
    from_, to = (basis * torch.sign(basis[:, 0] @ v) for basis, v in ((from_, g), (to, b)))
    column, row = to.T @ p / g.norm(), from_.T @ q / b.norm()  # in these bases: first column, first row
    assert float(column[0]) == pytest.approx(float(row[0]), abs=1e-10)  # they have one entry in common
    A = torch.zeros(len(b), len(g), dtype=torch.float64)
    A[:, 0], A[0] = column, row
    room = max(radius**2 - float(row[0]) ** 2, 1e-12)
    A[1:, 1:] = -float(row[0]) * torch.outer(column[1:], row[1:]) / room
    return to @ A @ from_.T


def test_every_pair_of_vectors_is_that_of_matrices_within_the_ball():
    s, rng = start()
    a = [torch.from_numpy(rng.standard_normal((1, M))) for _ in range(L)]
    c = [torch.from_numpy(rng.standard_normal((1, M))) for _ in range(L)]
    a, c = ([v / v.norm() for v in vs] for vs in (a, c))
    near = s.perturbed(a, c, s.step)
    radius = math.sqrt(M) * s.omega
    weights = []
    for h, W in enumerate(s.net.weights, start=1):
        g, b = near.g[h - 1][0], near.b[h - 1][0]
        scale = radius * g.norm()
        if h == 1:
            change = torch.outer(scale * a[0][0], g) / (g @ g)
        elif h == L + 1:
            change = radius * c[L - 1]
        else:
            p = scale * a[h - 1][0]
            push, to = c[h - 2][0], g / g.norm()
            along = (b / b.norm()) @ a[h - 1][0]
            across = push - (push @ to) * to
            q = radius * b.norm() * (along * to + math.sqrt(1 - float(along) ** 2) * across)
            change = matrix(g, p, b, q, radius)
        assert float(torch.linalg.matrix_norm(change, 2)) <= radius * (1 + 1e-9)
        weights.append(W + change)
    found = FullyConnected(tuple(weights), s.net.activation, 2.0).pass_(s.here.g[0])
    for mine, its in ((near.g, found.g), (near.b, found.b)):
        for one, two in zip(mine, its, strict=True):
            torch.testing.assert_close(one, two)
    gradients = s.gradients(near)
    for h in range(L + 1):
        change = torch.outer(found.b[h][0], found.g[h][0]) - torch.outer(s.here.b[h][0], s.here.g[h][0])
        assert float(gradients[h]) == pytest.approx(float(change.norm()))
    kernels = [
        sum(((p.b[h] @ p.b[h].T) * (p.g[h] @ p.g[h].T)).item() for h in range(L + 1)) for p in (found, s.here)
    ]
    assert float(s.kernel(near)) == pytest.approx(abs(kernels[0] - kernels[1]))


def test_random_matrices_of_the_ball_are_not_worse_than_what_the_search_finds():
    point = SimpleNamespace(m=32, layers=2, k=10, dtype="float64")
    values = HELPER["worst"](point, np.random.default_rng(3), torch.device("cpu"))
    rng = np.random.default_rng(3)
    x = HELPER["sphere"](rng, 1)
    net = FullyConnected.draw(rng, [x.shape[1], 32, 32], activation("relu"), c_sigma=2.0)
    here, radius = net.pass_(x), math.sqrt(32) / 10
    rng = np.random.default_rng(4)
    for _ in range(200):
        weights = []
        for W in net.weights:
            change = torch.from_numpy(rng.standard_normal(W.shape))
            weights.append(W + radius * change / torch.linalg.matrix_norm(change, 2))
        there = FullyConnected(tuple(weights), net.activation, 2.0).pass_(x)
        features = max(float((g - g0).norm()) for g, g0 in zip(there.g, here.g, strict=True))
        backward = max(float((b - b0).norm()) for b, b0 in zip(there.b, here.b, strict=True))
        assert features <= values["features"]
        assert backward <= values["backward"]


def test_without_room_nothing_changes():
    s, rng = start(omega=1e-12)
    near = s.perturbed(*s.starts(rng), s.step)
    for measure in (s.features, s.backward):
        assert float(measure(near).max()) < 1e-9
