r"""One step of back-propagation adds an error of order 1/sqrt(d_h).

Setting   A relu network at two inputs; B^h(e): |<b^(h), b^(h)> - prod_{h' >= h} Sigma-dot^(h')| < e for the
          three pairs; D^h(e): |2 tr(D)/d_h - Sigma-dot^(h)| < e; C(e): |f| <= e.
Claim     B.7: there are constants C, C' such that for all epsilon_2, epsilon_3, epsilon_4 in [0, 1], with
          probability at least 1 - delta_2, A^L(epsilon_1^2/2), B^{h+1}(epsilon_2), C(epsilon_3) and
          D^h(epsilon_4) together imply
          B^h(epsilon_2 + C' epsilon_3/sqrt(d_h) + 2 epsilon_4 + C sqrt(log(1/delta_2)/d_h)).
Measured  With C = C' = 2, a choice, epsilon_3 = 1, epsilon_4 = 1/(2 sqrt(d_h)) and
          epsilon_2 = (L - h + 1/10)/sqrt(d_h), so small that the two last terms are what counts: how often
          the implication fails, at h = 1. And how |<b^(h), b^(h)> - (2 tr(D)/d_h) <b^(h+1), b^(h+1)>|, the
          error that the step itself makes, falls with d_h. Rarer events are those of Claims B.2 and B.3,
          whose exact laws are checked to delta_2 = 1e-12 there (`claim_b_2_corrected`, `claim_b_3`).
Proof     of Theorem B.2 applies the lemma with epsilon_3 = 3 sqrt(log(16/delta)) > 1, outside [0, 1], and
          starts from B^{L+1}(0), which is empty, as B is defined with a strict inequality; any epsilon_2 > 0
          does. As epsilon_3 <= 1, |f| <= epsilon_3 has probability below 0.69 or so, and delta_2 near 1,
          where log(1/delta_2) vanishes, is harmless. (32) has 36 epsilon_3 where its own terms give
          36 epsilon_3/sqrt(d_h).
"""

from __future__ import annotations

import numpy as np
from sympy import Rational, log, sqrt

from whp.claims import Design, Path, Twin, bound, claim, experiment, rate, symbols

from ._backward import by_law, limits
from ._one_layer import ASSUMPTIONS, E, attained, measured

d = symbols("d")
C = C_PRIME = 2
DELTA_2 = Rational(1, 20)
NEW = C_PRIME + C * sqrt(log(1 / DELTA_2))


def both(values):
    """L and h as (1, 1) and (2, 1)."""
    return values["depth"] == 1 or values["rho"] == 1.0


@experiment(
    quick=Design(Path(d=(64, 1024)), {"depth": [1], "rho": [1.0]}, trials=(300, 1200)),
    standard=Design(
        Path(d=(64, 512, 4096, 32768)), {"depth": [1, 2], "rho": [1.0, 0.0]}, trials=(300, 1600), only=both
    ),
)
def first_layer(p, rng, device):
    """sqrt(d_1) times what B^1 needs beyond epsilon_2 + 2 epsilon_4; minus one off the event."""
    net, limit = by_law(rng, p.rho, [p.d] * p.depth), limits(p.rho, p.depth)
    A, B, f, D = attained(net, limit, 1)
    root = p.d**0.5
    epsilon_2, epsilon_4 = (p.depth - 1 + 0.1) / root, 0.5 / root
    event = A <= 0.5 and f <= 1 and max(B / epsilon_2, D / epsilon_4) < 1
    error = float(np.abs(net.backward()[0] - limit.product(1)).max())
    return root * (error - epsilon_2 - 2 * epsilon_4) if event else -1.0


lemma = claim(
    "arora2019.lemma_b_7",
    bound(
        name="constants",
        experiment=first_layer,
        quantity=E + r"\sqrt{d_h}\left(\left|\langle b^{(h)}, b^{(h)} \rangle"
        r" - \prod_{h' \ge h} \dot\Sigma^{(h')}\right| - \epsilon_2 - 2\epsilon_4\right)",
        bound=NEW,
        delta=float(DELTA_2),
        twins={
            "terms": Twin("without the terms in C and C'", bound=0),
            "width": Twin("1/d_h in place of 1/sqrt(d_h)", bound=NEW / sqrt(d)),
        },
    ),
    rate(
        name="order",
        experiment=measured,
        statistic="new",
        quantity=r"\left|\langle b^{(h)}, b^{(h)} \rangle"
        r" - \tfrac{2 \mathrm{tr}(D)}{d_h} \langle b^{(h+1)}, b^{(h+1)} \rangle\right|",
        bound=1 / sqrt(d),
        twins={"exponent": Twin("d^(-3/4) in place of d^(-1/2)", bound=d**-0.75)},
    ),
    title="One step of back-propagation adds an error of order 1/sqrt(d_h)",
    locus="Lemma B.7",
    assumptions=[*ASSUMPTIONS, r"$C = C' = 2$, where the paper leaves them open."],
)
