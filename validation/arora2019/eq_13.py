r"""The tangent kernel of a finite network tends to Theta^(L).

Setting   A fully connected network (6) with L hidden layers of m units, weights N(0, 1), every layer in
          training; two inputs of norm one with cosine 1/2, or of norms 1/2 and 2 with cosine -0.6.
Claim     <df(x)/dtheta, df(x')/dtheta> tends to Theta^(L)(x, x') = sum over h of Sigma^(h-1) prod over
          h' >= h of Sigma'^(h')  (13) as the widths grow.
Measured  The largest distance over the three pairs of the two inputs, relative to the mean of the geometric
          means of the two kernels' diagonals (so that it is bounded, by 2: kernels of deep narrow networks
          have long tails), averaged over networks;
          L from 1 to 10, all widths m at once (the paper takes them in turn).
          The kernel of the network is computed from its gradients, the limit by the recursion.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from whp.claims import Design, Path, Twin, claim, experiment, geometric, limit
from whp.kernels import activation, c_sigma, fc_layers
from whp.models import FullyConnected

NETWORKS = 8
"""Networks of a trial: their mean distance is less skewed than one."""

PAIRS = {
    "unit": torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]]),
    "unequal": torch.tensor([[0.5, 0.0], [-1.2, 1.6]]),
}


@cache
def limits(name: str, layers: int, pair: str) -> dict[str, np.ndarray]:
    """Theta^(L) at the two inputs, (2, 2), and wrong versions of it."""
    X = PAIRS[pair].double()
    square = (X * X).sum(1)
    inner = (X @ X.T).diagonal_scatter(square)
    of = fc_layers(square[:, None], square[None, :], inner, activation(name), layers)
    steeper = of.sigma[0]
    for sigma, slopes in zip(of.sigma[1:], of.sigma_dot, strict=True):
        steeper = sigma + steeper * slopes * c_sigma(activation(name))
    return {
        "distance": of.theta.numpy(),
        "without the last layer": (of.theta - of.sigma[-1]).numpy(),
        "c_sigma twice": steeper.numpy(),
    }


def chosen(cell):
    """ReLU, which is homogeneous, at norms of one; the others at unequal norms and three layers only."""
    if cell["activation"] == "relu":
        return cell["pair"] == "unit"
    return cell["pair"] == "unequal" and cell["layers"] == 3


def roots(kernel: np.ndarray) -> np.ndarray:
    """The geometric means of the diagonal of a kernel, (2, 2)."""
    size = np.sqrt(kernel.diagonal())
    return size[:, None] * size


@experiment(
    quick=Design(
        Path(m=geometric(24, 192, 4)),
        {"activation": ["relu"], "layers": [1, 3], "pair": ["unit"]},
        trials=(50, 120),
    ),
    standard=Design(
        Path(m=geometric(32, 384, 5)),
        {
            "activation": ["relu", "erf", "tanh", "softplus"],
            "layers": [1, 2, 3, 4, 6, 8, 10],
            "pair": ["unit", "unequal"],
        },
        trials=(50, 200),
        only=chosen,
    ),
)
def kernel(p, rng, device):
    """The largest relative distance of the kernel of a network from Theta^(L), and from wrong versions."""
    sigma = activation(p.activation)
    widths = (2, *[p.m] * p.layers)
    target = limits(p.activation, p.layers, p.pair)
    rows = []
    for _ in range(NETWORKS):
        network = FullyConnected.draw(rng, widths, sigma, c_sigma=c_sigma(sigma), dtype=torch.float32)
        seen = network.ntk(PAIRS[p.pair]).double().numpy()  # (2, 2)
        scale = (roots(seen) + roots(target["distance"])) / 2
        rows.append([(np.abs(seen - t) / scale).max() for t in target.values()])
    return dict(zip(target, np.mean(rows, axis=0), strict=True))


CLAIM = claim(
    "arora2019.eq_13",
    limit(
        experiment=kernel,
        statistic="distance",
        quantity=r"\max \frac{|H(x, x') - \Theta^{(L)}(x, x')|}{(\sqrt{H(x, x) H(x', x')}"
        r" + \sqrt{\Theta^{(L)}(x, x) \Theta^{(L)}(x', x')}) / 2},"
        r"\ H = \langle \partial_\theta f(x), \partial_\theta f(x') \rangle",
        twins={
            "last": Twin("without the last layer's Sigma^(L)", statistic="without the last layer"),
            "twice": Twin("Sigma' with c_sigma squared", statistic="c_sigma twice"),
        },
    ),
    title="The tangent kernel of a fully connected network at initialisation tends to Theta^(L)",
    locus="(9)-(13)",
    regime="met",
    assumptions=(
        r"$d_1 = \dots = d_L = m$, all weights $\mathcal{N}(0, 1)$,"
        r" $c_\sigma = 1 / \mathbb{E}[\sigma(z)^2]$; norms one with cosine $1/2$"
        r" for relu, norms $1/2$ and $2$ with cosine $-0.6$ for the others.",
        r"$L = 1, 2, 3, 4, 6, 8, 10$ for relu; $L = 3$ for erf, tanh and softplus:"
        " the paper leaves the activation open here.",
    ),
)
