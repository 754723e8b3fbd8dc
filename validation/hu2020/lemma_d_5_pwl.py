r"""The Jacobian of the first layer moves little when the weights do, for piecewise linear activations.

Setting   X: n x d, rows from D (Assumption 3.1); J_1(W, v) as in (15), v_r = +-1; W(0) by the symmetric
          initialisation (3). Sizes: n = 2 d^(1 + alpha), m = d^(1 + alpha).
Claim     With high probability over X and W(0), for all W in R^(m x d) at once (27)
          ||J_1(W, v) - J_1(W(0), v)|| <~ sqrt(n/d) (||W - W(0)||^(1/3) / m^(1/6) + (log n / m)^(1/4)),
          with the spectral norm on the right, as in (32).
Measured  The supremum of the quotient of the two sides by search, over ||W - W(0)||_F <= R = sqrt(d log d)
          and over all W; and its largest value along training. The search: ascent in the balls of
          radius R and R/4, with a sigmoid for the step phi' and the step itself as judge; the
          cheapest flips towards the data point at which R flips most signs, and towards d points;
          and k neurons replaced by one and the same, for k up to m.
Proof     fixes lambda, and then lets it depend on W. Uniform convergence of empirical measures (DKW) in
          place of Hoeffding's inequality for one lambda mends it.
Worst     All neurons replaced by one and the same: the quotient tends to a constant near 1/2 for relu, so
          over all W the printed rate is exact. Within R the worst found are flips towards one data
          point, nearly of rank one.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from whp.claims import Design, Path, Plot, Twin, claim, experiment, forall, geometric, rate, symbols
from whp.models.jacobians import flip_budget, perturbation_norm, preactivations, structure

from ._setting import PHI_ASSUMPTION, RATES, W_ASSUMPTION, X_ASSUMPTION
from ._shapes import SHAPE, along_d, looks
from ._weights import SIZES, TRAINING, linear_training, right_side_both, setting
from ._worst import climb_jacobian, flipped, replaced

d, n, m, alpha = symbols("d n m alpha")


@experiment(
    quick=Design(Path(d=geometric(8, 32, 4), **SIZES), {"alpha": [0.2], "activation": ["relu"]}, (12, 27)),
    standard=Design(
        Path(d=geometric(11, 110, 5), **SIZES),
        {"alpha": [0.2], "activation": ["relu", "leaky_relu"]},
        (8, 27),
    ),
    dtype="float32",
    failure_probability=2e-9,
)
def linear_worst(p, rng, device):
    """The quotient of the two sides of (27), and of (43), at the worst weights found of each kind."""
    s = setting(p, rng, device)
    W0, v0 = s.init.W, s.init.v
    radius = math.sqrt(p.d * math.log(p.d))
    # The data points at which R flips most signs come first: the searches start from the first ones.
    flips = (flip_budget(s.X, W0) <= radius**2).sum(dim=0)
    s = replace(s, X=s.X[flips.argsort(descending=True)])
    starting = s.phi.dphi(preactivations(s.X, W0)) * v0

    def ratio(W, v=v0):
        moved = perturbation_norm(s.X, s.phi.dphi(preactivations(s.X, W)) * v - starting, rng)
        return moved / right_side_both(s, W - W0, float((v - v0).norm()))

    climbed = climb_jacobian(s, radius, rng)
    both = ratio(*climbed.pop("ascent in both"))
    within = {
        **{kind: ratio(W) for kind, (W, _) in climbed.items()},
        "one point": ratio(flipped(s, 1, radius)),
        "many points": ratio(flipped(s, p.d, radius)),
        "few replaced": ratio(replaced(s, round(math.log(p.d)))),
    }
    beyond = [
        ratio(replaced(s, round(share * p.m), i)) for share, i in ((0.3, 0), (1.0, 0), (1.0, 1), (1.0, 2))
    ]
    # One v_r so far away that the last term of (43) is all that counts, for the neuron with most slope.
    far = torch.zeros_like(v0)
    far[(starting.square().T @ s.X.square().sum(dim=1)).argmax()] = 1e3 * p.m
    alone = ratio(W0, v0 + far)
    anywhere = max(*within.values(), *beyond)
    shape = structure(climbed["ascent"][0] - W0, s.X)
    return {
        "within": max(within.values()),
        "anywhere": anywhere,
        **within,
        "both layers": max(anywhere, both, alone),
        "ascent in both": both,
        "v alone": alone,
        "rank one": shape.rank_one,
        "neurons": shape.neurons,
        "data direction": shape.data_direction,
        "data point": shape.data_point,
    }


def quotient(over):
    """The quotient of the two sides of (27) in LaTeX, at its largest ``over`` some weights."""
    right = r"\sqrt{n/d}\,(\|W - W(0)\|^{1/3} m^{-1/6} + (\log n / m)^{1/4})"
    return rf"\sup_{{{over}}} \frac{{\|J_1(W) - J_1(W(0))\|}}{{{right}}}"


lemma = claim(
    "hu2020.lemma_d_5_pwl",
    forall(
        name="anywhere",
        experiment=linear_worst,
        statistic="anywhere",
        quantity=quotient("W"),
        bound=1,
        twins={
            "exponent": Twin("better by sqrt(d)", bound=d**-0.5),
            "data": Twin("without sqrt(n), as for one data point", bound=n**-0.5),
        },
    ),
    forall(
        name="within R",
        experiment=linear_worst,
        statistic="within",
        quantity=quotient(r"\|W - W(0)\|_F \le R"),
        bound=1,
        twins={"exponent": Twin("better by d^(3/4)", bound=d**-0.75)},
    ),
    rate(
        name="training",
        experiment=linear_training,
        statistic="ratio",
        quantity=quotient(r"W = W(t),\, t \le T"),
        bound=1,
        rounding=1e-4,
        twins={"exponent": Twin("better by d", bound=1 / d)},
    ),
    title="The Jacobian of the first layer moves little with the weights (piecewise linear activations)",
    locus="Lemma D.5 (27)",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, RATES, TRAINING],
    plots=[
        Plot(
            title="Which displacement comes nearest to (27)",
            x="d",
            y="quotient of the two sides",
            lines=along_d(
                linear_worst,
                {
                    "ascent": "ascent, radius R",
                    "ascent nearer": "ascent, radius R/4",
                    "one point": "flips towards one data point",
                    "many points": "flips towards d data points",
                    "few replaced": "log d neurons replaced",
                    "anywhere": "any W",
                },
            ),
        ),
        looks(linear_worst, "weights found by ascent", SHAPE),
    ],
)
