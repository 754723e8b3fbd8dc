r"""Along the features, the back-propagated vectors are of order one, whatever the width.

Setting   A relu network at two inputs x, x'; Pi_G the projection on the span of g^(h)(x), g^(h)(x').
Claim     B.3: with probability at least 1 - delta_2/2, if the events of Lemma B.7 hold,
          |Pi_G W^(h+1)^T b^(h+1)(x)| <= 2 sqrt(log(8/delta_2)) + sqrt(2) epsilon_3, and the same at x'.
Measured  The larger of the two norms, widths to 2 x 10^5, L = 1 and 3.
Proof     asks |g^(h)|^2 >= 1/2 of an event on g^(L) and of inputs of norm one. Where h < L that is not
          given, but |f| / |g^(h)| is about a standard normal variable whatever |g^(h)| is, and no violation
          is known. The last line of (32) loses 1/sqrt(d_h) at epsilon_3; Lemma B.7 has it.
"""

from __future__ import annotations

from sympy import log, sqrt

from whp.claims import Twin, bound, claim, symbols

from ._one_layer import ASSUMPTIONS, DELTA_2, EVENT, E, measured

d = symbols("d")
FIRST = 2 * sqrt(log(8 / DELTA_2))

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
    title="Along the features, back-propagated vectors are of order one",
    locus="Claim B.3",
    regime="met",
    assumptions=[*ASSUMPTIONS, EVENT],
)
