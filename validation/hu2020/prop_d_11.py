r"""The NTK of both layers at initialisation is close to a linear kernel.

Setting   X: n x d, rows from D (Assumption 3.1); (W(0), v(0)) by the symmetric initialisation (3);
          Theta = Theta_1 + Theta_2 as in eq. (17),
          Theta^lin = (2 zeta^2 X X^T + 3/2 nu^2 1 1^T) / d + q q^T as in eq. (20).
Claim     With high probability ||Theta(W(0), v(0)) - Theta^lin|| <~ n / d^(1 + alpha / 3).
Measured  the norm, certified from above, along n = d^(1 + alpha). Theorem D.1, for which the proposition
          is needed, asks for m >~ d^(2 + alpha) whatever vartheta_0; its proof here, "a direct corollary of
          Propositions D.2 and D.8", needs only d^(1 + alpha) if vartheta_0 = 0. So this width too is
          measured in that case.
"""

from __future__ import annotations

from whp.claims import Twin, claim, rate, symbols

from ._second_layer import narrow, too_narrow, wide, wide_centred
from ._setting import PHI_ASSUMPTION, W_ASSUMPTION, X_ASSUMPTION

d, n, alpha = symbols("d n alpha")
RATE = n / d ** (1 + alpha / 3)
BETTER = Twin("better by d^(3/4)", bound=RATE / d**0.75)


def both(name, experiment, **twins):
    """The rate on one kind of path."""
    return rate(
        name=name,
        experiment=experiment,
        statistic="both",
        quantity=r"\|\Theta(W(0), v(0)) - \Theta^{\mathrm{lin}}\|",
        bound=RATE,
        rounding=1e-5,
        twins={"exponent": BETTER, **twins},
    )


proposition = claim(
    "hu2020.prop_d_11",
    both(
        "vartheta_0 not 0",
        wide,
        naive=Twin("Theta^lin without vartheta_1 and vartheta_2", statistic="both naive"),
        width=Twin("m = d^(1 + alpha)", experiment=too_narrow),
    ),
    both("vartheta_0 = 0", wide_centred),
    both("vartheta_0 = 0, narrower", narrow),
    title="The NTK of both layers at initialisation is close to a linear kernel",
    locus="Proposition D.11",
    assumptions=[
        X_ASSUMPTION,
        PHI_ASSUMPTION,
        W_ASSUMPTION,
        r"$m = d^{2+\alpha}$ as in Theorem D.1, and $m = 8 d^{1+\alpha}$ (in the profile"
        r" quick $d^{1.4+\alpha}$) where $\vartheta_0 = 0$, as"
        r" Propositions D.2 and D.8 admit; $n = d^{1+\alpha}$. The paper leaves the constants open.",
    ],
)
