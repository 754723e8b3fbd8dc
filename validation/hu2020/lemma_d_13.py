r"""The tangent kernel of both layers stays close to the linear kernel, whatever the weights in a ball.

Setting   X: n x d, rows from D (Assumption 3.1); J = (J_1, J_2) as in (15), (16); W(0), v(0) by the
          symmetric initialisation (3); Theta^lin as in (20); R = sqrt(d log d);
          n = 2 d^(1 + alpha), m = d^(2 + alpha).
Claim     With high probability, for all (W, v), (W~, v~) with W, W~ within R of W(0) in Frobenius norm
          and v, v~ within R of v(0) at once, ||J(W, v) J(W~, v~)^T - Theta^lin|| <~ n / d^(1 + alpha/3).
Measured  The supremum over pairs by projected gradient ascent of u^T (J J~^T - Theta^lin) w in W, W~, v,
          v~, u and w, as for Lemma D.6; and the largest value over pairs of weights along training both
          layers. The proof drops sqrt(log d) (smooth phi) and (log d)^(1/6) (piecewise linear phi).
"""

from __future__ import annotations

import math

from whp.claims import Design, Path, Twin, claim, experiment, forall, geometric, rate, symbols

from ._setting import PHI_ASSUMPTION, RATES, W_ASSUMPTION, X_ASSUMPTION
from ._shapes import PAIR, SHAPE, distances, looks
from ._weights import TRAINING_BOTH, WIDE, both_training, setting
from ._worst import worst_pair

d, n, alpha = symbols("d n alpha")
RATE = n / d ** (1 + alpha / 3)


@experiment(
    quick=Design(Path(d=geometric(5, 16, 4), **WIDE), {"alpha": [0.2], "activation": ["erf"]}, (8, 18)),
    standard=Design(
        Path(d=geometric(6, 28, 5), **WIDE), {"alpha": [0.2], "activation": ["erf", "relu"]}, (8, 18)
    ),
    dtype="float32",
    failure_probability=2e-10,
)
def pairs(p, rng, device):
    return worst_pair(setting(p, rng, device, both=True), math.sqrt(p.d * math.log(p.d)), rng, both=True)


lemma = claim(
    "hu2020.lemma_d_13",
    forall(
        name="worst",
        experiment=pairs,
        statistic="worst",
        quantity=(
            r"\sup_{W, v, \tilde W, \tilde v}"
            r" \|J(W, v) J(\tilde W, \tilde v)^\top - \Theta^{\mathrm{lin}}\|"
        ),
        bound=RATE,
        twins={
            "exponent": Twin("better by d^(3/2)", bound=RATE / d**1.5),
            "data": Twin("without n, as for a mean over the data", bound=RATE / n),
        },
    ),
    rate(
        name="training",
        experiment=both_training,
        statistic="pairs",
        quantity=r"\sup_{s, t \le T} \|J(W(s), v(s)) J(W(t), v(t))^\top - \Theta^{\mathrm{lin}}\|",
        bound=RATE,
        rounding=1e-4,
        twins={"exponent": Twin("better by d", bound=RATE / d)},
    ),
    title="The kernel of both layers is near the linear one at all weights within sqrt(d log d)",
    locus="Lemma D.13",
    assumptions=[
        X_ASSUMPTION,
        PHI_ASSUMPTION,
        W_ASSUMPTION,
        RATES,
        TRAINING_BOTH,
        r"Balls: radius $R = \sqrt{d \log d}$ about $W(0)$ (Frobenius norm) and about $v(0)$.",
    ],
    plots=[
        distances(pairs),
        looks(pairs, "worst weights (relu)", SHAPE | PAIR, activation="relu"),
    ],
)
