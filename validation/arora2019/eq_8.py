r"""The covariance of a layer's pre-activations, given the layer before, tends to Sigma^(h).

Setting   A fully connected network (6) with L hidden layers of m units, weights N(0, 1); two inputs.
Claim     Given f^(h), the coordinates of f^(h+1) are independent centred Gaussians, of covariance
          <g^(h)(x), g^(h)(x')> = (c_sigma / d_h) sum_j sigma([f^(h)(x)]_j) sigma([f^(h)(x')]_j)     (8)
          between two inputs, which tends to Sigma^(h)(x, x') of (7) as the widths grow.
Measured  The largest distance from Sigma^(h) over h = 1, ..., L and the three pairs of two inputs, in units
          of (Sigma^(h)(x, x) Sigma^(h)(x', x'))^(1/2), L = 3, all widths m at once (the paper takes h in
          turn), averaged over four networks; two inputs of norm one for relu, and of norms 1/2 and 2 for
          activations that are not homogeneous, which see these variances. The identity (8) for given f^(h):
          products of coordinates under fresh weights W^(h+1), over the inner product; four activations.
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

PAIRS = {
    "unit": torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64),
    "unequal": torch.tensor([[0.5, 0.0], [-1.2, 1.6]], dtype=torch.float64),
}


def network(p, rng: np.random.Generator) -> FullyConnected:
    """L hidden layers of p.m units."""
    sigma = activation(p.activation)
    return FullyConnected.draw(rng, (2, *[p.m] * L), sigma, c_sigma=c_sigma(sigma))


@cache
def limits(name: str, pair: str) -> list[torch.Tensor]:
    """Sigma^(0), ..., Sigma^(L) at the two inputs, each (2, 2)."""
    inner = PAIRS[pair] @ PAIRS[pair].mT
    square = inner.diagonal()
    return fc_layers(square[:, None], square[None, :], inner, activation(name), L).sigma


@cache
def homogeneous(name: str, pair: str) -> list[torch.Tensor]:
    """Sigma^(1), ..., Sigma^(L) for inputs of norm one, times the norms: as for ReLU."""
    norms = PAIRS[pair].norm(dim=1)
    X = PAIRS[pair] / norms[:, None]
    unit = fc_layers(torch.ones(2, 1), torch.ones(1, 2), X @ X.mT, activation(name), L).sigma[1:]
    return [norms[:, None] * norms * s for s in unit]


def largest(left, right, sigma) -> float:
    """The largest distance between entries over the layers, in units of the norms' product in ``sigma``."""
    distances = []
    for a, b, s in zip(left, right, sigma, strict=True):
        root = s.diagonal().sqrt()
        distances.append(float(((a - b).abs() / (root[:, None] * root)).max()))
    return max(distances)


ALL = {"activation": ["relu", "erf", "tanh", "softplus"], "pair": ["unit", "unequal"]}


def chosen(cell):
    """ReLU, which is homogeneous, at norms of one; the others at unequal norms."""
    return (cell["activation"] == "relu") == (cell["pair"] == "unit")


@experiment(
    quick=Design(
        Path(m=geometric(16, 256, 4)), {"activation": ["erf"], "pair": ["unequal"]}, trials=(50, 400)
    ),
    standard=Design(Path(m=geometric(32, 512, 5)), ALL, trials=(50, 400), only=chosen),
)
def covariance(p, rng, device):
    """The largest distance of the inner products of features from their limits, averaged over networks."""
    sigma = limits(p.activation, p.pair)[1:]
    wrong = {
        "distance": sigma,
        "alike": [s.diagonal()[:, None].expand(2, 2) for s in sigma],
        "without c_sigma": [s / c_sigma(activation(p.activation)) for s in sigma],
        "homogeneous": homogeneous(p.activation, p.pair),
    }
    rows = []
    for _ in range(NETWORKS):
        seen = [g @ g.mT for g in network(p, rng).pass_(PAIRS[p.pair]).g[1:]]
        rows.append([largest(seen, limit, sigma) for limit in wrong.values()])
    return dict(zip(wrong, np.mean(rows, axis=0), strict=True))


@experiment(
    quick=Design(Path(m=(16,)), {"activation": ["relu"], "pair": ["unequal"]}, trials=(60, 300)),
    standard=Design(Path(m=(4, 64)), {**ALL, "pair": ["unequal"]}, trials=(60, 300)),
)
def given(p, rng, device):
    """The mean of [f^(h+1)(x)]_i [f^(h+1)(x')]_i over fresh weights, over <g^(h)(x), g^(h)(x')>, at h = L."""
    g = network(p, rng).pass_(PAIRS[p.pair]).g[-1]  # (2, m)
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
        quantity=r"\max_{h \le L} |\langle g^{(h)}(x), g^{(h)}(x') \rangle - \Sigma^{(h)}(x, x')|"
        r" \,/\, \sqrt{\Sigma^{(h)}(x, x) \Sigma^{(h)}(x', x')}",
        twins={
            "alike": Twin("Sigma^(h)(x, x) in place of Sigma^(h)(x, x')", statistic="alike"),
            "c_sigma": Twin("without c_sigma in the last step", statistic="without c_sigma"),
            "homogeneous": Twin("the norms taken out, as for ReLU", statistic="homogeneous"),
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
        r" $c_\sigma = 1 / \mathbb{E}[\sigma(z)^2]$; two inputs of norm one"
        r" with cosine $1/2$ for relu (limit), of norms $1/2$ and $2$ with cosine $-0.6$ for the others.",
        "relu, erf, tanh and softplus: the paper leaves the activation open here.",
    ),
)
