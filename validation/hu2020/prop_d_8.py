r"""The second-layer NTK at initialisation is close to a linear kernel.

Setting   X: n x d, rows from D (Assumption 3.1); W by the symmetric initialisation (3);
          Theta_2 as in eq. (17), Theta^lin2 = (zeta^2 X X^T + nu^2 1 1^T / 2) / d + q q^T as in eq. (20);
          m >~ d^(1 + alpha) if vartheta_0 = 0, m >~ d^(2 + alpha) otherwise (Theorem 3.5).
Claim     With high probability ||Theta_2(W) - Theta^lin2|| <~ n / d^(1 + alpha / 3).
Measured  the norm, certified from above, along n = d^(1 + alpha) and m of the least order in each case.
          One false twin is the naive linear model of Section 3.4, without vartheta_1 and vartheta_2;
          another the width of the other case.
"""

from __future__ import annotations

from whp.claims import Twin, claim, rate, symbols

from ._second_layer import TWO_CASES, narrow, too_narrow, wide
from ._setting import PHI_ASSUMPTION, W_ASSUMPTION, X_ASSUMPTION

d, n, alpha = symbols("d n alpha")
NORM = r"\|\Theta_2(W) - \Theta^{\mathrm{lin}2}\|"
RATE = n / d ** (1 + alpha / 3)
BETTER = Twin("better by d^(3/4)", bound=RATE / d**0.75)

proposition = claim(
    "hu2020.prop_d_8",
    rate(
        name="vartheta_0 = 0",
        experiment=narrow,
        statistic="second",
        quantity=NORM,
        bound=RATE,
        rounding=1e-5,
        twins={"exponent": BETTER},
    ),
    rate(
        name="vartheta_0 not 0",
        experiment=wide,
        statistic="second",
        quantity=NORM,
        bound=RATE,
        rounding=1e-5,
        twins={
            "exponent": BETTER,
            "naive": Twin("Theta^lin2 without vartheta_1 and vartheta_2", statistic="second naive"),
            "width": Twin("m = d^(1 + alpha), the width of the other case", experiment=too_narrow),
        },
    ),
    title="The second-layer NTK at initialisation is close to a linear kernel",
    locus="Proposition D.8",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, TWO_CASES],
)
