"""Balls around the weights of every node: the bound over all of them, and the search in them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation
from whp.models.node_balls import NodeBalls, farthest, relu_change_limit, relu_movable

RELU, TANH = activation("relu"), activation("tanh")


def setting(n=3, r=2, m=40, size=0.3, seed=0, d=5):
    rng = np.random.default_rng(seed)
    B = torch.from_numpy(rng.standard_normal((n, r)))
    B /= torch.linalg.vector_norm(B, dim=1, keepdim=True)
    W = torch.from_numpy(rng.standard_normal((m, r)))
    radii = torch.from_numpy(size * rng.uniform(0, 1, m))
    return NodeBalls(B, W, radii, d), torch.from_numpy(rng.dirichlet(np.ones(m)))


def theta(balls, W, scales, slope):
    """Equation (5), one node after another."""
    B, d = balls.inputs, balls.d
    total = torch.zeros(len(B), len(B), dtype=torch.float64)
    for w, lam in zip(W, scales, strict=True):
        D = torch.diag(slope(B @ w / math.sqrt(d)))
        total += lam * D @ B @ B.T @ D / d
    return total


def somewhere(balls, rng, edge=True):
    """Weights in the balls, drawn: on their surface, or anywhere."""
    shift = torch.from_numpy(rng.standard_normal(tuple(balls.weights.shape)))
    shift /= torch.linalg.vector_norm(shift, dim=1, keepdim=True)
    share = 1.0 if edge else torch.from_numpy(rng.uniform(0, 1, (len(shift), 1)))
    return balls.weights + share * balls.radii[:, None] * shift


def step(z):
    return (z > 0).to(z)


def test_no_weights_in_the_balls_go_beyond_the_bound():
    balls, scales = setting()
    limit = relu_change_limit(balls, scales)
    start = theta(balls, balls.weights, scales, step)
    rng = np.random.default_rng(1)
    largest = torch.zeros_like(limit)
    for k in range(200):
        change = theta(balls, somewhere(balls, rng, edge=k % 2 == 0), scales, step) - start
        largest = torch.maximum(largest, change.abs())
        assert float(torch.linalg.matrix_norm(change, 2)) <= float(torch.linalg.eigvalsh(limit)[-1]) + 1e-14
    assert bool((largest <= limit + 1e-14).all())
    # Two thirds of it are no bound: every entry is nearly reached by the draws, diagonal entries best.
    assert bool((largest.diagonal() > 0.6 * limit.diagonal()).all())


def test_for_one_input_the_bound_is_the_supremum_and_the_search_finds_it():
    balls, scales = setting(n=1, r=3, m=200)
    z, length = (balls.inputs @ balls.weights.T)[0], float(torch.linalg.vector_norm(balls.inputs))
    near = z.abs() <= balls.radii * length
    rise, fall = (float(scales[near & side].sum()) for side in (z <= 0, z > 0))
    supremum = max(rise, fall) * length**2 / balls.d
    assert float(relu_change_limit(balls, scales)) == pytest.approx(supremum)
    assert farthest(balls, scales, RELU).change == pytest.approx(supremum)
    lowest = float(theta(balls, balls.weights, scales, step)) - fall * length**2 / balls.d
    assert farthest(balls, scales, RELU).least == pytest.approx(lowest)


@pytest.mark.parametrize("phi", [RELU, TANH], ids=lambda phi: phi.name)
def test_the_search_finds_more_than_draws_and_no_more_than_there_is(phi):
    balls, scales = setting(n=4, r=3, m=30, size=0.5, seed=3)
    slope = step if phi is RELU else phi.dphi
    start = theta(balls, balls.weights, scales, slope)
    found = farthest(balls, scales, phi)
    rng = np.random.default_rng(4)
    for _ in range(100):
        moved = theta(balls, somewhere(balls, rng), scales, slope)
        assert float(torch.linalg.matrix_norm(moved - start, 2)) < found.change
        assert float(torch.linalg.eigvalsh(moved)[0]) > found.least
    if phi is RELU:
        assert found.change <= float(torch.linalg.eigvalsh(relu_change_limit(balls, scales))[-1]) + 1e-14
    else:  # Lipschitz: |sigma''| <= 0.77, as in Lemma E.4 with c / 2 for the radius
        n, d, S = 4, balls.d, float(scales @ (2 * balls.radii).square())
        assert found.change <= n * 0.77**2 / (4 * d**2) * S + n * 0.77 / d**1.5 * math.sqrt(S)


def test_nodes_that_cannot_move_may_be_left_out():
    balls, scales = setting(m=60, size=0.1, seed=5)
    movable = relu_movable(balls)
    assert 0 < int(movable.sum()) < 60
    near = balls.restricted(movable)
    limits = relu_change_limit(balls, scales), relu_change_limit(near, scales[movable])
    assert torch.allclose(*limits, rtol=0, atol=1e-14)
    rest = theta(balls.restricted(~movable), balls.weights[~movable], scales[~movable], step)
    assert farthest(near, scales[movable], RELU, rest=rest).least == pytest.approx(
        farthest(balls, scales, RELU).least, rel=1e-9, abs=1e-14
    )


def test_without_nodes_nothing_changes():
    balls, scales = setting()
    none = torch.zeros(40, dtype=torch.bool)
    found = farthest(balls.restricted(none), scales[none], RELU, rest=torch.eye(3, dtype=torch.float64))
    assert found == type(found)(0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.ones(3, 4)}, "inputs must be of shape"),
        ({"radii": torch.ones(3)}, "radii must be of shape"),
        ({"radii": -torch.ones(40)}, "radii must be finite and not negative"),
        ({"radii": torch.full((40,), math.nan)}, "radii must be finite and not negative"),
        ({"d": 0}, "d must be at least 1"),
    ],
)
def test_wrong_balls_are_refused(change, message):
    balls, _ = setting()
    given = {"inputs": balls.inputs, "weights": balls.weights, "radii": balls.radii, "d": 5}
    with pytest.raises(InputError, match=message):
        NodeBalls(**{**given, **change})
