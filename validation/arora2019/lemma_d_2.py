r"""A small change of the weights is a small change of the features.

Setting   ReLU network with L hidden layers of width m at one input, weights N(0, 1); g^(h) its features,
          Delta g^(h) their change when the weights change by Delta W.
Claim     For omega <= poly(1/n, lambda_0, 1/L, 1/log m, epsilon, 1/log(1/delta)), with probability at least
          1 - delta: if ||Delta W^(h)||_2 <= sqrt(m) omega for all h, the first layer included, then
          ||Delta g^(h)||_2 = O(omega L^(5/2) sqrt(log m)) for all h.
Measured  The largest ||Delta g^(h)|| over h and over the ball, by projected gradient ascent from four starts:
          the cheapest flips of signs, those that cost most further back, growth along the features, random.
          Against the printed rate in omega, in m, in L.
Sharper   At these sizes it is of order omega, does not grow with m, and grows about as L^(3/2).
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, claim, symbols

from ._perturbed import CHOICES, SETTING, lemma

k, m, layers = symbols("k m layers")
BOUND = layers ** sympy.Rational(5, 2) * sympy.sqrt(sympy.log(m)) / k

CLAIM = claim(
    "arora2019.lemma_d_2",
    *lemma(
        BOUND,
        "features",
        r"\max_h \sup_{\|\Delta W\| \le \omega \sqrt m} \|\Delta g^{(h)}\|",
        (
            {"power": Twin("omega^(5/4)", bound=BOUND / k ** sympy.Rational(1, 4))},
            {"width": Twin("better by m^(3/8)", bound=BOUND / m ** sympy.Rational(3, 8))},
            {"depth": Twin("L in place of L^(5/2)", bound=BOUND / layers ** sympy.Rational(3, 2))},
        ),
    ),
    title="A small change of the weights is a small change of the features",
    locus="Lemma D.2",
    assumptions=(SETTING, CHOICES, r"$\omega = 1/k$."),
)
