r"""The Jacobians of both layers move little when the weights do, whatever the weights.

Setting   X: n x d, rows from D (Assumption 3.1); J_1(W, v), J_2(W) as in (15), (16); W(0), v(0) by the
          symmetric initialisation (3). Sizes: n = 2 d^(1 + alpha), m = d^(1 + alpha).
Claim     With high probability, for all W, W~ and v at once:
          (42), smooth phi:            ||J_1(W, v) - J_1(W(0), v(0))||
             <~ sqrt(n/(m d)) ||W - W(0)||_F + sqrt(n/m) ||v - v(0)||;
          (43), piecewise linear phi:  ||J_1(W, v) - J_1(W(0), v(0))||
             <~ sqrt(n/d) (||W - W(0)||^(1/3) / m^(1/6) + (log n / m)^(1/4)) + sqrt(n/(m d)) ||v - v(0)||;
          (44), both:                  ||J_2(W) - J_2(W~)|| <~ sqrt(n/(m d)) ||W - W~||_F.
Measured  The supremum of the quotient of the two sides by search, and its largest value along
          training both layers. (42): as the square of the left side is a sum over neurons, for a given
          u, and the right side is at least its root mean square, one neuron is worst to within sqrt(2): the
          search moves one neuron of W(0), by ascent over its displacement and u, from the
          neurons and data points at which |phi''| |x_i|^2 is largest, at several distances, with v_r
          moved or not. (43): as for (27), with v moved too: ascent in balls of radius R = sqrt(d log d)
          for both, and one v_r far away. (44): one neuron is worst, exactly;
          ascent over the pair (w, w~).
Worst     (44) is attained, near zero along the top singular vector of X: the printed rate is exact. So
          is (43) in v, by one v_r far away. (42) is loose: in v the data support sqrt(n/(m d)), as in
          (43), and in W they support 1 / sqrt(m), as in (26).
"""

from __future__ import annotations

import torch

from whp.claims import Design, Path, Plot, Twin, claim, experiment, forall, geometric, rate, symbols
from whp.models import Ball, UnitSphere, ascend
from whp.models.jacobians import perturbation_norm, preactivations

from ._setting import PHI_ASSUMPTION, RATES, W_ASSUMPTION, X_ASSUMPTION
from ._shapes import along_d
from ._weights import SIZES, TRAINING_BOTH, both_training, setting
from .lemma_d_5_pwl import linear_worst

d, n, m, alpha = symbols("d n m alpha")
HALF = (0.003, 0.1, 1.0)  # half of |w - w~| in (44), in units of sqrt(d)
# Displacements of w_r and of v_r, in units of sqrt(d) and one.
MOVES = ((0.01, 0.0), (0.3, 0.0), (1.0, 0.0), (3.0, 0.0), (0.3, 1.0), (1.0, 1.0), (0.01, 1.0), (3.0, 30.0))


# --- (42)


@experiment(
    quick=Design(Path(d=geometric(16, 128, 4), **SIZES), {"alpha": [0.1], "activation": ["erf"]}, (8, 18)),
    standard=Design(
        Path(d=geometric(24, 240, 5), **SIZES), {"alpha": [0.1], "activation": ["erf", "softplus"]}, (12, 27)
    ),
)
def smooth_worst(p, rng, device):
    s = setting(p, rng, device)
    X, W0 = s.X, s.init.W
    lengths = X.norm(dim=1)
    bends = s.phi.ddphi(preactivations(X, W0)).abs() * lengths.square()[:, None]  # (n, m)
    top = bends.flatten().topk(len(MOVES)).indices
    points, neurons = top // p.m, top % p.m
    w0, v0 = W0[neurons], s.init.v[neurons, None]  # (S, d), (S, 1)
    z0 = w0 @ X.T / p.d**0.5  # (S, n)
    far, aside = (torch.tensor(column).to(X)[:, None] for column in zip(*MOVES, strict=True))
    shift = far * p.d**0.5
    room = (p.n**0.5 * (shift + p.d**0.5 * aside))[:, 0].square()  # the right side, times sqrt(m d)

    def squared_quotient(direction, u):
        slopes = s.phi.dphi(z0 + shift * (direction @ X.T) / p.d**0.5) * (v0 + aside)
        return ((u * (slopes - s.phi.dphi(z0) * v0)) @ X).square().sum(dim=1) / room

    u = X.new_full((len(MOVES), p.n), 1e-3).scatter_(1, points[:, None], 1.0)
    starts = X[points] / lengths[points, None]
    found = ascend(squared_quotient, (starts, u), (UnitSphere(), UnitSphere()), steps=15)
    alone = [perturbation_norm(X, s.phi.dphi(z0[i])[:, None], rng) for i in range(3)]
    return {"worst": found.value**0.5, "v alone": max(alone) / p.m**0.5}


# --- (44)


@experiment(
    quick=Design(Path(d=geometric(16, 128, 4), **SIZES), {"alpha": [0.1], "activation": ["erf"]}, (8, 18)),
    standard=Design(
        Path(d=geometric(24, 240, 5), **SIZES), {"alpha": [0.1], "activation": ["erf", "relu"]}, (8, 18)
    ),
)
def second_worst(p, rng, device):
    s = setting(p, rng, device)
    X = s.X
    top = torch.linalg.eigh(X.T @ X)[1][:, -1].expand(len(HALF), p.d)
    random = torch.from_numpy(rng.standard_normal((len(HALF), p.d))).to(X)
    half = p.d**0.5 * torch.tensor(HALF).to(X).repeat(2)[:, None]

    def squared_quotient(centre, direction):
        z, dz = (x @ X.T / p.d**0.5 for x in (centre, half * direction))  # (6, n)
        return (s.phi.phi(z + dz) - s.phi.phi(z - dz)).square().sum(dim=1) / (2 * half[:, 0]).square()

    found = ascend(
        squared_quotient,
        (torch.cat((0.05 * random, random)), torch.cat((top, random))),
        (Ball(X.new_zeros(p.d), 2 * p.d**0.5), UnitSphere()),
        steps=20,
    )
    return (found.value / p.m) ** 0.5


SMOOTH = r"(\sqrt{n/(md)}\,\|W - W(0)\|_F + \sqrt{n/m}\,\|v - v(0)\|)"
LINEAR = r"(\sqrt{n/d}\,(\|W - W(0)\|^{1/3} m^{-1/6} + (\log n / m)^{1/4}) + \sqrt{n/(md)}\,\|v - v(0)\|)"
FIRST = r"\|J_1(W, v) - J_1(W(0), v(0))\|"

lemma = claim(
    "hu2020.lemma_d_12",
    forall(
        name="(42)",
        experiment=smooth_worst,
        statistic="worst",
        quantity=rf"\sup_{{W, v}} {FIRST} / {SMOOTH}",
        bound=1,
        twins={
            "exponent": Twin("better by d", bound=1 / d),
            "data": Twin("without sqrt(n), as for one data point", bound=n**-0.5),
        },
    ),
    forall(
        name="(42), v alone",
        experiment=smooth_worst,
        statistic="v alone",
        quantity=rf"\sup_v {FIRST} / \|v - v(0)\|",
        bound=(n / m) ** 0.5,
        twins={"exponent": Twin("better by d", bound=(n / m) ** 0.5 / d)},
    ),
    forall(
        name="(43)",
        experiment=linear_worst,
        statistic="both layers",
        quantity=rf"\sup_{{W, v}} {FIRST} / {LINEAR}",
        bound=1,
        twins={
            "exponent": Twin("better by sqrt(d)", bound=d**-0.5),
            "data": Twin("without sqrt(n), as for one data point", bound=n**-0.5),
        },
    ),
    forall(
        name="(44)",
        experiment=second_worst,
        quantity=r"\sup_{W, \tilde W} \|J_2(W) - J_2(\tilde W)\| / \|W - \tilde W\|_F",
        bound=(n / (m * d)) ** 0.5,
        twins={"exponent": Twin("better by sqrt(d)", bound=(n / (m * d)) ** 0.5 / d**0.5)},
    ),
    rate(
        name="(42), (43), training",
        experiment=both_training,
        statistic="first",
        quantity=rf"\sup_{{t \le T}} {FIRST} / \text{{the right side of (42) or (43)}}",
        bound=1,
        rounding=1e-4,
        twins={"exponent": Twin("better by d", bound=1 / d)},
    ),
    rate(
        name="(44), training",
        experiment=both_training,
        statistic="second",
        quantity=r"\sup_{t \le T} \|J_2(W(t)) - J_2(W(0))\| / \|W(t) - W(0)\|_F",
        bound=(n / (m * d)) ** 0.5,
        rounding=1e-4,
        twins={"exponent": Twin("better by d", bound=(n / (m * d)) ** 0.5 / d)},
    ),
    title="The Jacobians of both layers move little when the weights do",
    locus="Lemma D.12 (42)-(44)",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, RATES, TRAINING_BOTH],
    plots=[
        Plot(
            title="Which displacement comes nearest to (43)",
            x="d",
            y="quotient of the two sides",
            lines=along_d(
                linear_worst,
                {
                    "ascent in both": "ascent in both layers, radius R",
                    "anywhere": "W alone, any",
                    "v alone": "one v_r far away",
                },
            ),
        )
    ],
)
