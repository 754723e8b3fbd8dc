r"""A small change of the weights is a small change of the gradient.

Setting   As in Lemmas D.2 and D.3; the gradient by W^(h) is b^(h) (g^(h-1))^T.
Claim     With probability at least 1 - delta: if ||Delta W^(h)||_2 <= sqrt(m) omega for h = 1, ..., L + 1,
          then ||b~^(h) (g~^(h-1))^T - b^(h) (g^(h-1))^T||_F = O(omega^(1/3) L^(5/2) sqrt(log m)) for all h.
Measured  The largest such norm over h, at the worst weights found for Lemmas D.2 and D.3 and at the starts of
          those searches. Against the printed rate in omega, in m, in L.
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, claim, symbols

from ._perturbed import CHOICES, SETTING, lemma

k, m, layers = symbols("k m layers")
BOUND = layers ** sympy.Rational(5, 2) * sympy.sqrt(sympy.log(m)) / k ** sympy.Rational(1, 3)

CLAIM = claim(
    "arora2019.lemma_d_4",
    *lemma(
        BOUND,
        "gradient",
        r"\max_h \sup_{\|\Delta W\| \le \omega \sqrt m}"
        r" \|\tilde b^{(h)} (\tilde g^{(h-1)})^\top - b^{(h)} (g^{(h-1)})^\top\|_F",
        (
            {"power": Twin("omega^(7/12)", bound=BOUND / k ** sympy.Rational(1, 4))},
            {"width": Twin("better by m^(3/8)", bound=BOUND / m ** sympy.Rational(3, 8))},
            {"depth": Twin("sqrt(L) in place of L^(5/2)", bound=BOUND / layers**2)},
        ),
    ),
    title="A small change of the weights is a small change of the gradient",
    locus="Lemma D.4",
    assumptions=(SETTING, CHOICES, r"$\omega = 1/k$."),
)
