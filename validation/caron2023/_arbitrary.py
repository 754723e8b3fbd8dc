"""Networks, inputs and targets of any kind that the assumptions admit, for searches."""

from __future__ import annotations

import functools

import numpy as np
import torch
from hypothesis import strategies as st

from whp.kernels import activation
from whp.kernels.assumptions import check_activation, check_inputs
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

SMOOTH = ("tanh", "softplus", "sigmoid")

GIVEN = {
    "seed": st.integers(0, 2**32 - 1),
    "n": st.integers(1, 6),
    "d": st.sampled_from([2, 4, 1, 30]),
    "m": st.integers(1, 12),
    "gamma": st.sampled_from([1.0, 0.5, 0.0, 0.9]),
    "apart": st.sampled_from([1.0, 0.1, 1e-3]),
    "scale": st.sampled_from([1.0, 0.1, 10.0, 0.0]),
    "equal": st.booleans(),
}
"""Inputs lie ``apart`` from a common direction; weights are normal, times ``scale`` sqrt d."""


@functools.cache
def smooth(name):
    """An activation, after Assumption 2.2 has been checked, and M."""
    found = activation(name)
    return found, check_activation(found).ddphi.high


def inputs(rng, n, d, apart):
    """Inputs after Assumption 2.1 has been checked, (n, d): a part of norm one, the others shorter."""
    n = n if d > 1 else 1
    X = rng.standard_normal(d) + apart * rng.standard_normal((n, d))
    lengths = np.where(rng.random(n) < 0.7, 1.0, rng.uniform(0.05, 1, n))
    X = torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True) * lengths[:, None])
    check_inputs(X)
    return X


def network(rng, phi, X, m, gamma, scale):
    """A network with signs as in Section 2 and weights of any size."""
    d = X.shape[1]
    net = NodeScaled.draw(rng, X, d, node_scales(m, gamma, 0.5), phi)
    return net.moved_to(net.weights * (scale * d**0.5))


def residual(rng, n, equal, size):
    """What the targets differ by from the outputs, (n,)."""
    r = np.ones(n) if equal else rng.standard_normal(n)
    return torch.from_numpy(size * r)
