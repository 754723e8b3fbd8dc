r"""Along the features, the back-propagated vectors are of order one, whatever the width.

Setting   A relu network at two inputs x, x'; Pi_G the projection on the span of g^(h)(x), g^(h)(x').
Claim     B.3: with probability at least 1 - delta_2/2, if the events of Lemma B.7 hold,
          |Pi_G W^(h+1)^T b^(h+1)(x)| <= 2 sqrt(log(8/delta_2)) + sqrt(2) epsilon_3, and the same at x'.
Measured  The larger of the two norms, widths to 2 x 10^5, L = 1 and 3, at delta_2 = 0.1; and by exact law
          given the forward pass (the part along g^(h) is then fixed, that across it is normal), for
          |g^(h)|^2 >= 1/2 and delta_2 from 1 to 1e-12.
Proof     asks |g^(h)|^2 >= 1/2 of an event on g^(L) and of inputs of norm one. Where h < L that is not
          given, but |f| / |g^(h)| is about a standard normal variable whatever |g^(h)| is, and no violation
          is known: at h = L the norm squared is chi-square of two degrees, with a tail of (delta_2/8)^2. That
          the second term is at most sqrt(2 log(8/delta_2)) takes |b^(h+1)| <= 1, where the event has the
          root of two; the next, larger expression is right. The last line of (32) loses
          1/sqrt(d_h) at epsilon_3; Lemma B.7 has it.
"""

from __future__ import annotations

import math

from sympy import log, sqrt

from whp.claims import Twin, always, bound, claim, search, symbols

from ._conditional import ALONG, claim_b_3, level
from ._one_layer import ASSUMPTIONS, DELTA_2, EVENT, E, measured

d = symbols("d")
FIRST = 2 * sqrt(log(8 / DELTA_2))


def excess(rarity, constant, **forward):
    return claim_b_3(**forward, t=level(math.inf, rarity, 8), constant=constant)


def law(rarity, **forward):
    return excess(rarity, 2.0, **forward)


def law_step(rarity, **forward):
    return excess(rarity, math.sqrt(2), **forward)


def law_near(rarity, **forward):
    return excess(rarity, 1.6, **forward)


along = claim(
    "arora2019.claim_b_3",
    bound(
        experiment=measured,
        statistic="B.3",
        quantity=E + r"\max_{x, x'} \|\Pi_G W^{(h+1)\top} b^{(h+1)}\|",
        bound=FIRST + sqrt(2),
        delta=float(DELTA_2 / 2),
        twins={
            "width": Twin(
                "divided by sqrt(d_h), as its contribution to b^(h) is", bound=(FIRST + sqrt(2)) / sqrt(d)
            ),
            "terms": Twin("half of the second term alone", bound=sqrt(2) / 2),
        },
    ),
    always(
        name="exact law",
        experiment=search(law, given=ALONG),
        statement=r"\Pr\left[\max_{x, x'} \|\Pi_G W^{(h+1)\top} b^{(h+1)}\| > 2 \sqrt{\log(8/\delta_2)}"
        r" + \sqrt 2\, \epsilon_3 \mid f^{(1)}, \dots, f^{(L+1)}\right] \le \delta_2/2",
        twins={
            "step": Twin(
                "sqrt(2 log(8/delta_2)), as in the proof",
                experiment=search(law_step, given=ALONG, shrink=False),
            ),
            "fifth": Twin("a fifth less", experiment=search(law_near, given=ALONG, shrink=False)),
        },
    ),
    title="Along the features, back-propagated vectors are of order one",
    locus="Claim B.3",
    regime="met",
    assumptions=[*ASSUMPTIONS, EVENT],
)
