r"""The tangent kernel of the first layer stays close to the linear kernel, whatever the weights in a ball.

Setting   X: n x d, rows from D (Assumption 3.1); J_1(W, v) as in (15); W(0), v by the symmetric
          initialisation (3); Theta^lin1 as in (20); R = sqrt(d log d);
          n = 2 d^(1 + alpha), m = d^(1 + alpha).
Claim     With high probability, for all W, W~ with ||W - W(0)||_F <= R and ||W~ - W(0)||_F <= R at once,
          ||J_1(W, v) J_1(W~, v)^T - Theta^lin1|| <~ n / d^(1 + alpha/7).
Measured  The supremum over pairs by projected gradient ascent of u^T (J_1 J~_1^T - Theta^lin1) w in W, W~,
          u and w; for piecewise linear phi with a sigmoid for the step phi' and the step itself as
          judge; and the largest value over pairs of weights along training. The proof drops
          sqrt(log d) (smooth phi) and (log d)^(1/6) (piecewise linear phi).
"""

from __future__ import annotations

import math

from whp.claims import Design, Path, Twin, claim, experiment, forall, geometric, rate, symbols

from ._setting import PHI_ASSUMPTION, RATES, W_ASSUMPTION, X_ASSUMPTION
from ._shapes import PAIR, SHAPE, distances, looks
from ._weights import SIZES, TRAINING, linear_training, setting, smooth_training
from ._worst import worst_pair

d, n, alpha = symbols("d n alpha")
RATE = n / d ** (1 + alpha / 7)


@experiment(
    quick=Design(Path(d=geometric(8, 26, 4), **SIZES), {"alpha": [0.2], "activation": ["erf"]}, (8, 18)),
    standard=Design(
        Path(d=geometric(8, 80, 5), **SIZES), {"alpha": [0.2], "activation": ["erf", "relu"]}, (8, 18)
    ),
    dtype="float32",
    failure_probability=2e-10,
)
def pairs(p, rng, device):
    return worst_pair(setting(p, rng, device), math.sqrt(p.d * math.log(p.d)), rng)


def training(name, measured):
    """The same along training."""
    return rate(
        name=name,
        experiment=measured,
        statistic="pairs",
        quantity=r"\sup_{s, t \le T} \|J_1(W(s)) J_1(W(t))^\top - \Theta^{\mathrm{lin}1}\|",
        bound=RATE,
        rounding=1e-4,
        twins={"exponent": Twin("better by d", bound=RATE / d)},
    )


lemma = claim(
    "hu2020.lemma_d_6",
    forall(
        name="worst",
        experiment=pairs,
        statistic="worst",
        quantity=r"\sup_{W, \tilde W} \|J_1(W, v) J_1(\tilde W, v)^\top - \Theta^{\mathrm{lin}1}\|",
        bound=RATE,
        twins={
            "exponent": Twin("better by d^(3/2)", bound=RATE / d**1.5),
            "data": Twin("without n, as for a mean over the data", bound=RATE / n),
        },
    ),
    training("training, smooth", smooth_training),
    training("training, piecewise linear", linear_training),
    title="The first-layer kernel is near the linear one at all weights within sqrt(d log d)",
    locus="Lemma D.6",
    assumptions=[
        X_ASSUMPTION,
        PHI_ASSUMPTION,
        W_ASSUMPTION,
        RATES,
        TRAINING,
        r"$W$, $\tilde W$: all with Frobenius distance at most $R = \sqrt{d \log d}$ from $W(0)$.",
    ],
    plots=[
        distances(pairs),
        looks(pairs, "worst weights (erf)", SHAPE | PAIR, activation="erf"),
    ],
)
