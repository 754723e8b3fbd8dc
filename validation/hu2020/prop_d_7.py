r"""The weights stay within sqrt(d log d) of their initial values.

Setting   as in Theorem 3.2.
Claim     With high probability, for all t <= T = c d log(d) / eta_1 at once,
          ||W(t) - W(0)||_F <= sqrt(d log d) and ||beta(t)|| <= sqrt(d log d).
Measured  the largest value over t = 0..T of each norm, divided by sqrt(d log d); the failure
          probability at small sizes, the growth exponent along the path of Theorem 3.2.
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, bound, claim, rate, symbols

from ._setting import WHP
from .thm_3_2 import ASSUMPTIONS, small, training

d = symbols("d")
RADIUS = sympy.sqrt(d * sympy.log(d))


QUANTITIES = {
    "displacement": r"\sup_{t \le T} \|W(t) - W(0)\|_F",
    "beta": r"\sup_{t \le T} \|\beta(t)\|",
}

claims = [
    check
    for name, quantity in QUANTITIES.items()
    for check in (
        bound(
            name=f"{name}, bound",
            experiment=small,
            statistic=name,
            quantity=quantity,
            bound=RADIUS,
            delta=0.01,
            twins={
                "constant": Twin("radius 1/10 of the printed one", bound=RADIUS / 10),
                "factor": Twin("without sqrt(d)", bound=sympy.sqrt(sympy.log(d)) / 2),
            },
        ),
        rate(
            name=f"{name}, rate",
            experiment=training,
            statistic=name,
            quantity=quantity,
            bound=RADIUS,
            rounding=1e-4,
            twins={"exponent": Twin("better by d^(3/4)", bound=RADIUS / d**0.75)},
        ),
    )
]

proposition = claim(
    "hu2020.prop_d_7_movement",
    *claims,
    title="The weights stay within sqrt(d log d) of their initial values",
    locus="Proposition D.7, second part",
    assumptions=[*ASSUMPTIONS, WHP],
)
