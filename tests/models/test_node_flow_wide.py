"""Gradient flow at the widths that the theorems ask for: memory, and the limit of infinite width."""

import numpy as np
import pytest
import torch

from whp.benchmarks.harness import fresh_process
from whp.kernels import activation
from whp.models.node_flow import node_flow
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales


@pytest.mark.slow
def test_twenty_million_neurons_take_less_than_two_gigabytes():
    record = fresh_process("whp.benchmarks.node_scaling:wide", m=20_000_000)
    assert record["peak_memory_gb"] < 2
    assert record["loss_ratio"] <= 1e-6


def test_a_wide_network_follows_its_first_kernel():
    # At gamma = 1 the outputs stay near those of the linear flow: 6.6e-6 at most over 20 seeds.
    X, y = torch.eye(2, dtype=torch.float64), torch.tensor([0.1, -0.1], dtype=torch.float64)
    net = NodeScaled.draw(
        np.random.default_rng(0), X, 2, node_scales(100_000, 1.0), activation("tanh"), torch.float32
    )
    flow = node_flow(net, X, y, times=[1.0, 5.0, 20.0])
    K, u = flow.ntg[0], flow.outputs[0]
    linear = torch.stack([y + torch.matrix_exp(-t * K) @ (u - y) for t in flow.times])
    apart = float((flow.outputs - linear).abs().max())
    assert 0 < apart < 1e-3
