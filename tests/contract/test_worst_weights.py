"""What the searches of hu2020 for the worst weights rest on, by other routes at small sizes.

Inputs are random, outcomes are not: a supremum against values of what it is the supremum of.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from whp.claims import Point
from whp.engine.discovery import discover
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import activation
from whp.models import Ball, UnitSphere, ascend
from whp.models.jacobians import perturbation_norm, preactivations, pull_back

CLAIMS = {claim.name: claim for claim in discover(None).claims if claim.paper == "hu2020"}
SMALL = {"d": 6, "n": 14, "m": 8, "alpha": 0.1}


def measured(claim, check, activation_name):
    """The statistics of one trial at a small size, with its data and weights, which are drawn first."""
    (found,) = (c for c in CLAIMS[claim].checks if c.label == check)
    values = found.experiment.measure(
        Point({**SMALL, "activation": activation_name}), np.random.default_rng(0), torch.device("cpu")
    )
    rng = np.random.default_rng(0)
    X = data_distribution("gaussian").sample(rng, SMALL["n"], SMALL["d"])
    return values, X, symmetric_init(rng, SMALL["m"], SMALL["d"]), activation(activation_name)


@pytest.mark.parametrize("name", ["erf", "tanh", "softplus"])
def test_no_pair_of_matrices_is_worse_than_the_worst_neuron(name):
    """(26), with the search over whole matrices: many starts and steps."""
    values, X, _, phi = measured("lemma_d_5_smooth", "worst", name)
    rng = np.random.default_rng(1)

    def draw(scale, *shape):
        return torch.from_numpy(scale * rng.standard_normal(shape))

    def squared_quotient(W, V, u):
        D = phi.dphi(preactivations(X, W)) - phi.dphi(preactivations(X, V))
        return pull_back(X, D, u).square().sum(dim=(1, 2)) / (W - V).square().sum(dim=(1, 2))

    m, d = SMALL["m"], SMALL["d"]
    room = Ball(torch.zeros(m, d, dtype=torch.float64), 3 * math.sqrt(m * d))
    found = ascend(
        squared_quotient,
        (draw(1, 30, m, d), draw(1, 30, m, d), draw(1, 30, SMALL["n"])),
        (room, room, UnitSphere()),
        steps=300,
        shares=(0.2, 0.002),
    )
    assert found.value**0.5 <= values["quotient"] * (1 + 1e-6)
    assert found.value**0.5 >= 0.5 * values["quotient"]


def test_the_worst_neuron_of_erf_is_the_longest_data_point():
    """sup |phi''| max |x|^2 / (d sqrt m), where (26) is attained infinitesimally."""
    values, X, _, _ = measured("lemma_d_5_smooth", "worst", "erf")
    steepest = 4 / math.sqrt(math.pi) * math.sqrt(0.5) * math.exp(-0.5)  # |erf''| at 1/sqrt 2
    alone = steepest * float(X.square().sum(dim=1).max()) / (SMALL["d"] * math.sqrt(SMALL["m"]))
    assert values["quotient"] >= 0.999 * alone


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_random_weights_are_not_worse_than_the_worst_for_piecewise_linear_activations(name):
    """(27) at 300 random displacements from tiny to huge, spread over neurons and of rank one."""
    values, X, init, phi = measured("lemma_d_5_pwl", "anywhere", name)
    n, d, m = SMALL["n"], SMALL["d"], SMALL["m"]
    rng = np.random.default_rng(1)
    start = phi.dphi(preactivations(X, init.W))
    ratios = []
    for k in range(300):
        shift = torch.from_numpy(rng.standard_normal((m, d)))
        if k % 2:
            shift = torch.outer(shift[:, 0], shift[0])
        shift *= 10 ** rng.uniform(-2, 2)
        norm = float(torch.linalg.matrix_norm(shift, 2))
        right = math.sqrt(n / d) * (norm ** (1 / 3) / m ** (1 / 6) + (math.log(n) / m) ** 0.25)
        moved = phi.dphi(preactivations(X, init.W + shift)) - start
        ratios.append(perturbation_norm(X, moved, rng) / right)
    assert max(ratios) <= values["anywhere"]
    assert max(ratios) >= 0.3 * values["anywhere"]
