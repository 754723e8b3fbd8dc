"""The flows that Lemma E.1 of caron2023 is searched along: none of the arguments goes without one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from whp.engine.discovery import discover
from whp.errors import MeasurementError
from whp.kernels import activation
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

LEMMA = next(claim for claim in discover(None).claims if claim.id == "caron2023.lemma_e_1")
E_1 = LEMMA.checks[-1].experiment.measure.__globals__

# Nearly parallel inputs, fewer nodes than inputs, saturated slopes, dead nodes, nodes at the kink.
HARD = [
    {"n": 6, "d": 4, "m": 1, "gamma": 0.0, "apart": 1e-3, "scale": 0.0, "name": "tanh"},
    {"n": 3, "d": 2, "m": 3, "gamma": 1.0, "apart": 1.0, "scale": 10.0, "name": "tanh"},
    {"n": 5, "d": 2, "m": 3, "gamma": 0.5, "apart": 1e-3, "scale": 10.0, "name": "sigmoid"},
    {"n": 2, "d": 1, "m": 1, "gamma": 0.9, "apart": 0.1, "scale": 1.0, "name": "relu"},
    {"n": 3, "d": 4, "m": 8, "gamma": 0.5, "apart": 1.0, "scale": 0.0, "name": "relu"},
]


@pytest.mark.parametrize("given", HARD, ids=str)
def test_hard_arguments_have_a_flow_with_zeta_above_zero(given):
    for seed in range(6):
        times, zeta, losses, moved, allowed = E_1["along"](seed=seed, equal=bool(seed % 2), **given)
        assert times[-1] > 0
        assert losses[-1] < losses[0]
        assert bool((zeta > 0).all())
        assert bool((zeta[1:] <= zeta[:-1]).all())
        assert moved[-1] > 0
        assert bool(torch.isfinite(allowed).all())


def test_a_flow_without_a_zeta_is_an_error_and_no_number():
    B = torch.eye(3, 2, dtype=torch.float64)
    B[2] = torch.tensor([0.6, 0.8])
    net = NodeScaled.draw(np.random.default_rng(0), B, 2, node_scales(1, 1.0), activation("tanh"))
    with pytest.raises(MeasurementError, match="least eigenvalue must be above"):
        E_1["flow_of"](net, B, torch.ones(3, dtype=torch.float64), 1e-3)


def test_a_flow_that_does_not_end_in_time_is_an_error(monkeypatch):
    monkeypatch.setitem(E_1, "MOST_STEPS", 1)
    B = torch.eye(2, dtype=torch.float64)
    net = NodeScaled.draw(np.random.default_rng(0), B, 2, node_scales(50, 1.0), activation("tanh"))
    with pytest.raises(MeasurementError, match="steps must be enough in 1"):
        E_1["flow_of"](net, B, torch.ones(2, dtype=torch.float64), 1e-3)
