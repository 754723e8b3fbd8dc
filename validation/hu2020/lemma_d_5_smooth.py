r"""The Jacobian of the first layer moves little when the weights do, for smooth activations.

Setting   X: n x d, rows from D (Assumption 3.1); J_1(W, v) as in (15), v_r = +-1; phi' and phi'' bounded.
          Sizes: n = 2 d^(1 + alpha), m = d^(1 + alpha).
Claim     With high probability over X, for all W, W~ in R^(m x d) at once (26)
          ||J_1(W, v) - J_1(W~, v)|| <~ sqrt(n / (m d)) ||W - W~||_F.
Measured  The supremum of ||J_1 - J~_1|| / ||W - W~||_F by search, and its largest value along training.
          For a given u both |(J_1 - J~_1)^T u|^2 and ||W - W~||_F^2 are sums over neurons, so no
          pair of matrices has a larger quotient than the pair (w, w~) of its best neuron: the search
          is over w, w~ and u, by projected gradient ascent from random starts and from w - w~
          along the longest data points and along the top singular vector of X, at distances of 0.02
          to 6 sqrt(d).
Worst     w - w~ along the longest data point, and u that point alone: the quotient is
          sup |phi''| max_i |x_i|^2 / (d sqrt(m)), of order 1 / sqrt(m). Where n is larger than d this
          is less than (26) allows, by sqrt(d / n): the data support a sharper rate than the printed one.
"""

from __future__ import annotations

import math

import torch

from whp.claims import Design, Line, Path, Plot, Twin, claim, experiment, forall, geometric, rate, symbols
from whp.models import Ball, UnitSphere, ascend

from ._setting import PHI_ASSUMPTION, RATES, X_ASSUMPTION
from ._weights import SIZES, TRAINING, setting, smooth_training

d, n, m, alpha = symbols("d n m alpha")
SCALES = (0.01, 0.3, 1.0, 3.0)  # half of |w - w~|, in units of sqrt(d)


def single_neurons(X, rng):
    """Starts of (w + w~)/2, of the direction of w - w~, and of u; and half of |w - w~|: (12, ...)."""
    width = X.shape[1]
    longest = X.norm(dim=1).topk(len(SCALES))
    points = X[longest.indices] / longest.values[:, None]  # (4, d)
    top = torch.linalg.eigh(X.T @ X)[1][:, -1].expand(len(SCALES), width)
    random = torch.from_numpy(rng.standard_normal((2 * len(SCALES), width))).to(X)
    directions = torch.cat((points, top, random[: len(SCALES)]))  # (12, d)
    centres = torch.cat((0.7 * points, random[len(SCALES) :], torch.zeros_like(points)))
    u = (directions @ X.T).square()  # (12, n)
    half = width**0.5 * torch.tensor(SCALES).to(X).repeat(3)[:, None]  # (12, 1)
    return centres, directions, u, half


@experiment(
    quick=Design(Path(d=geometric(16, 128, 4), **SIZES), {"alpha": [0.1], "activation": ["erf"]}, (8, 12)),
    standard=Design(
        Path(d=geometric(32, 320, 5), **SIZES),
        {"alpha": [0.1, 0.2], "activation": ["erf", "tanh", "softplus"]},
        (8, 18),
        only=lambda cell: cell["alpha"] == 0.1 or cell["activation"] == "erf",
    ),
)
def smooth_worst(p, rng, device):
    s = setting(p, rng, device)
    X = s.X
    centres, directions, u, half = single_neurons(X, rng)

    def squared_quotient(centre, direction, u):
        z, dz = (x @ X.T / p.d**0.5 for x in (centre, half * direction))  # (12, n)
        slopes = s.phi.dphi(z + dz) - s.phi.dphi(z - dz)
        return ((u * slopes) @ X).square().sum(dim=1) / (2 * half[:, 0]).square()

    found = ascend(
        squared_quotient,
        (centres, directions, u),
        (Ball(X.new_zeros(p.d), 2 * p.d**0.5), UnitSphere(), UnitSphere()),
        steps=25,
    )
    _, direction, u = found.point
    cosines = (X @ direction).abs() / X.norm(dim=1)
    return {
        "quotient": math.sqrt(found.value / (p.m * p.d)),
        "gain": float(found.gains[found.best] / found.value),
        "data point": float(cosines.max()),
        "points": 1 / float(p.n * u.pow(4).sum()),
    }


QUOTIENT = r"\frac{\|J_1(W) - J_1(\tilde W)\|}{\|W - \tilde W\|_F}"

lemma = claim(
    "hu2020.lemma_d_5_smooth",
    forall(
        name="worst",
        experiment=smooth_worst,
        statistic="quotient",
        quantity=r"\sup_{W, \tilde W} " + QUOTIENT,
        bound=(n / (m * d)) ** 0.5,
        twins={
            "exponent": Twin("better by sqrt(d)", bound=(n / m) ** 0.5 / d),
            "data": Twin("without sqrt(n), as for one data point", bound=(m * d) ** -0.5),
        },
    ),
    rate(
        name="training",
        experiment=smooth_training,
        statistic="quotient",
        quantity=r"\sup_{t \le T} \frac{\|J_1(W(t)) - J_1(W(0))\|}{\|W(t) - W(0)\|_F}",
        bound=(n / (m * d)) ** 0.5,
        rounding=1e-4,
        twins={"exponent": Twin("better by d", bound=(n / (m * d)) ** 0.5 / d)},
    ),
    title="The Jacobian of the first layer is Lipschitz in the weights (smooth activations)",
    locus="Lemma D.5 (26)",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, RATES, TRAINING],
    plots=[
        Plot(
            title="The worst pair of weights",
            x="d",
            y="share",
            lines=[
                Line("cosine of w - w~ and a data point", smooth_worst, statistic="data point", along="d"),
                Line(
                    "share of the data points in u",
                    smooth_worst,
                    statistic="points",
                    along="d",
                    colour=1,
                ),
            ],
            caption="The worst displacement is along one data point, and only that point's gradient changes.",
        )
    ],
)
