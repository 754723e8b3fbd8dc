r"""A small change of the weights is a small change of what is passed back.

Setting   As in Lemma D.2; b^(h) the derivative of the output by the pre-activations of layer h.
Claim     With probability at least 1 - delta: if ||Delta W^(h)||_2 <= sqrt(m) omega for h = 1, ..., L + 1,
          then ||b~^(h) - b^(h)||_2 = O(omega^(1/3) L^2 sqrt(log m)) for all h.
Measured  The largest ||b~^(h) - b^(h)|| over h and over the ball, by projected gradient ascent, with a
          sigmoid for the step of ReLU and the step itself as judge; from the starts of Lemma D.2. Against the
          printed rate in omega, in m, in L.
Worst     Signs flipped where pre-activations are near zero: a change omega flips a share omega^(2/3) of the
          neurons, and what they pass back has the norm omega^(1/3).
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, claim, symbols

from ._perturbed import CHOICES, SETTING, lemma

k, m, layers = symbols("k m layers")
BOUND = layers**2 * sympy.sqrt(sympy.log(m)) / k ** sympy.Rational(1, 3)

CLAIM = claim(
    "arora2019.lemma_d_3",
    *lemma(
        BOUND,
        "backward",
        r"\max_h \sup_{\|\Delta W\| \le \omega \sqrt m} \|\tilde b^{(h)} - b^{(h)}\|",
        (
            {"power": Twin("omega^(7/12)", bound=BOUND / k ** sympy.Rational(1, 4))},
            {"width": Twin("better by m^(3/8)", bound=BOUND / m ** sympy.Rational(3, 8))},
            {"depth": Twin("sqrt(L) in place of L^2", bound=BOUND / layers ** sympy.Rational(3, 2))},
        ),
    ),
    title="A small change of the weights is a small change of what is passed back",
    locus="Lemma D.3",
    assumptions=(SETTING, CHOICES, r"$\omega = 1/k$."),
)
