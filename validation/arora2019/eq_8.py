r"""The covariance of a layer's pre-activations, given the layer before, tends to Sigma^(h).

Setting   A fully connected network (6) with L hidden layers of m units, weights N(0, 1); two inputs.
Claim     Given f^(h), the coordinates of f^(h+1) are independent centred Gaussians, of covariance
          <g^(h)(x), g^(h)(x')> = (c_sigma / d_h) sum_j sigma([f^(h)(x)]_j) sigma([f^(h)(x')]_j)     (8)
          between two inputs, which tends to Sigma^(h)(x, x') of (7) as the widths grow.
Measured  The largest distance from Sigma^(h) over h = 1, ..., L and the three pairs of two inputs, L = 3, all
          widths m at once (the paper takes h in turn), averaged over four networks. The identity (8) for
          given f^(h): products of coordinates under fresh weights W^(h+1), over the inner product; four
          activations.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from whp.claims import Design, Path, Twin, claim, experiment, geometric, limit, mean
from whp.kernels import activation, c_sigma
from whp.kernels.fully_connected import fc_layers
from whp.models import FullyConnected

L = 3
NETWORKS = 4
FRESH = 2000
"""Coordinates of the next layer drawn for one f^(h): their mean product is less skewed than one product."""

X = torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64)


def network(p, rng: np.random.Generator) -> FullyConnected:
    """L hidden layers of p.m units."""
    sigma = activation(p.activation)
    return FullyConnected.draw(rng, (2, *[p.m] * L), sigma, c_sigma=c_sigma(sigma))


@cache
def limits(name: str) -> list[torch.Tensor]:
    """Sigma^(0), ..., Sigma^(L) at the two inputs, each (2, 2)."""
    return fc_layers(torch.ones(2, 1), torch.ones(1, 2), X @ X.mT, activation(name), L).sigma


def largest(left, right) -> float:
    """The largest distance between entries, over the layers."""
    return max(float((a - b).abs().max()) for a, b in zip(left, right, strict=True))


@experiment(
    quick=Design(Path(m=geometric(16, 256, 4)), {"activation": ["relu"]}, trials=(50, 400)),
    standard=Design(
        Path(m=geometric(32, 512, 5)), {"activation": ["relu", "erf", "tanh", "softplus"]}, trials=(50, 400)
    ),
)
def covariance(p, rng, device):
    """The largest distance of the inner products of features from their limits, averaged over networks."""
    sigma = limits(p.activation)
    without = [s / c_sigma(activation(p.activation)) for s in sigma[1:]]
    alike = [s.diagonal()[:, None].expand(2, 2) for s in sigma[1:]]
    rows = []
    for _ in range(NETWORKS):
        seen = [g @ g.mT for g in network(p, rng).pass_(X).g[1:]]
        rows.append([largest(seen, sigma[1:]), largest(seen, alike), largest(seen, without)])
    return dict(zip(("distance", "alike", "without c_sigma"), np.mean(rows, axis=0), strict=True))


@experiment(
    quick=Design(Path(m=(16,)), {"activation": ["relu"]}, trials=(60, 300)),
    standard=Design(Path(m=(4, 64)), {"activation": ["relu", "erf", "tanh", "softplus"]}, trials=(60, 300)),
)
def given(p, rng, device):
    """The mean of [f^(h+1)(x)]_i [f^(h+1)(x')]_i over fresh weights, over <g^(h)(x), g^(h)(x')>, at h = L."""
    g = network(p, rng).pass_(X).g[-1]  # (2, m)
    f = g @ torch.from_numpy(rng.standard_normal((FRESH, p.m))).mT  # (2, FRESH)
    one, two = (g @ g.mT).diagonal().tolist()
    product, inner = float((f[0] * f[1]).mean()), float(g[0] @ g[1])
    size = math.sqrt(one * two) or 1.0  # zero where all units are off; <g, g'> itself may be near zero
    return {
        "excess": (product - inner) / size,
        "half": (product - inner / 2) / size,
        "norm": (product - one) / size,
    }


CLAIM = claim(
    "arora2019.eq_8",
    limit(
        name="limit",
        experiment=covariance,
        statistic="distance",
        quantity=r"\max_{h \le L} |\langle g^{(h)}(x), g^{(h)}(x') \rangle - \Sigma^{(h)}(x, x')|",
        twins={
            "alike": Twin("Sigma^(h)(x, x) in place of Sigma^(h)(x, x')", statistic="alike"),
            "c_sigma": Twin("without c_sigma in the last step", statistic="without c_sigma"),
        },
    ),
    mean(
        name="given f^(h)",
        experiment=given,
        statistic="excess",
        quantity=r"([f^{(h+1)}(x)]_i [f^{(h+1)}(x')]_i - \langle g^{(h)}(x), g^{(h)}(x') \rangle)"
        r" \,/\, \|g^{(h)}(x)\| \|g^{(h)}(x')\|",
        target=0,
        tolerance=0.02,
        twins={
            "half": Twin("half of the inner product", statistic="half"),
            "norm": Twin("the squared norm at x in place of the inner product", statistic="norm"),
        },
    ),
    title="The covariance of a layer's pre-activations tends to Sigma^(h)",
    locus="(6)-(8)",
    regime="met",
    assumptions=(
        r"$d_1 = \dots = d_L = m$, $L = 3$, all weights $\mathcal{N}(0, 1)$,"
        r" $c_\sigma = 1 / \mathbb{E}[\sigma(z)^2]$; inputs of norm one"
        r" with $\langle x, x' \rangle = 1/2$ (the law depends on nothing else).",
        "relu, erf, tanh and softplus: the paper leaves the activation open here.",
    ),
)
