r"""The second-layer NTK at initialisation concentrates around its expectation.

Setting   X: n x d, rows from D (Assumption 3.1); W by the symmetric initialisation (3);
          Theta_2^* = E_W Theta_2 as in eq. (18); m >~ d^(1 + alpha) if vartheta_0 = 0, m >~ d^(2 + alpha)
          otherwise (Theorem 3.5).
Claim     With high probability ||Theta_2(W) - Theta_2^*|| <~ n / d^(1 + alpha / 3). Its proof: for either
          half of the neurons the matrix Bernstein inequality for unbounded terms (Klochkov and
          Zhivotovskiy 2020, Proposition 4.1), and a bound of its variance parameter by truncation.
Measured  the norm, certified from above, along n = d^(1 + alpha) and m of the least order in each case.
          A false twin gives softplus, for which vartheta_0 is not zero, the width of the other case: then the
          rate is off by about d^(1/3), so that the distinction of the theorem is needed. For the tail:
          the parameters of the actual X in each trial, n = 2 d^(1 + alpha) and m twice the least, and
          P(U <= delta) <= delta at 20 levels for the tail bound U at the measured norm; how
          the parameters are had is said in `_bernstein.py`.
"""

from __future__ import annotations

from whp.claims import Twin, claim, rate, symbols

from ._bernstein import BERNSTEIN
from ._second_layer import TWO_CASES, narrow, too_narrow, wide
from ._setting import PHI_ASSUMPTION, W_ASSUMPTION, X_ASSUMPTION

d, n, alpha = symbols("d n alpha")
NORM = r"\|\Theta_2(W) - \Theta_2^*\|"
RATE = n / d ** (1 + alpha / 3)
BETTER = Twin("better by d^(3/4)", bound=RATE / d**0.75)

proposition = claim(
    "hu2020.prop_d_10",
    rate(
        name="vartheta_0 = 0",
        experiment=narrow,
        statistic="concentration",
        quantity=NORM,
        bound=RATE,
        rounding=1e-5,
        twins={
            "exponent": BETTER,
            "frobenius": Twin("the Frobenius norm in its place", statistic="concentration F"),
        },
    ),
    rate(
        name="vartheta_0 not 0",
        experiment=wide,
        statistic="concentration",
        quantity=NORM,
        bound=RATE,
        rounding=1e-5,
        twins={
            "exponent": BETTER,
            "width": Twin("m = d^(1 + alpha), the width of the other case", experiment=too_narrow),
        },
    ),
    *BERNSTEIN,
    title="The second-layer NTK at initialisation concentrates around its expectation",
    locus="Proposition D.10",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, TWO_CASES],
)
