r"""The traces of all four kernels are O(n).

Setting   X: n x d, rows from D (Assumption 3.1); weights by the symmetric initialisation (3);
          n = d^(1 + alpha), m as the theorem of each case asks.
Claim     With high probability Tr Theta_1(W(0), v), Tr Theta^lin1, Tr Theta_2(W) and Tr Theta^lin2 are all
          <~ n (Appendices D.3.3 and D.5.3). In the proof for Theta_2: for all i at once
          [Theta_2]_ii <~ (1 / m) sum_r (phi(0)^2 + (x_i . w_r)^2 / d) <~ 1, by "the standard tail bound for
          chi-square random variables and a union bound over i".
Measured  the rates of the traces, of the largest diagonal entry and of the largest (x_i . w_r)^2 / d averaged
          over r, along the paths of Proposition D.8. At tiny sizes the steps with their constants:
          Tr Theta_1 <= sup |phi'|^2 sum_i |x_i|^2 / d, since phi' is bounded; phi(z)^2 <= 2 phi(0)^2 +
          2 (sup |phi'| z)^2, since phi is Lipschitz; and for the m / 2 independent neurons, given X,
          except with probability delta, with L = log(n / delta), for all i
          (2 / m) sum_r (x_i . w_r)^2 <= |x_i|^2 (1 + 2 sqrt(2 L / m) + 4 L / m)
          (Laurent and Massart 2000, Lemma 1).
          For the last sum the paper prints d m + log n where this gives d (m + log n): log n alone is too
          small a term, but below m all the same, so that nothing depends on it. A false twin adds it alone.
Sure      The bounds with constants that follow by algebra hold for every draw: they check the
          implementation, and their interval says no more than that no draw broke them.
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, bound, claim, rate, symbols

from ._second_layer import TWO_CASES, narrow, small, wide
from ._setting import PHI_ASSUMPTION, W_ASSUMPTION, X_ASSUMPTION

d, n, m, alpha = symbols("d n m alpha")
DELTA = 0.01
L = sympy.log(n / DELTA)

RATES = {
    "trace first": (r"\mathrm{Tr}\,\Theta_1(W(0), v)", n),
    "trace lin1": (r"\mathrm{Tr}\,\Theta^{\mathrm{lin}1}", n),
    "trace second": (r"\mathrm{Tr}\,\Theta_2(W)", n),
    "trace lin2": (r"\mathrm{Tr}\,\Theta^{\mathrm{lin}2}", n),
    "largest diagonal": (r"\max_i [\Theta_2(W)]_{ii}", sympy.Integer(1)),
    "chi-square": (r"\max_i \frac{1}{dm} \sum_r (x_i^\top w_r)^2", sympy.Integer(1)),
}
CASES = {"vartheta_0 = 0": narrow, "vartheta_0 not 0": wide}

rates = [
    rate(
        name=f"{name}, {case}",
        experiment=experiment,
        statistic=name,
        quantity=quantity,
        bound=expression,
        rounding=1e-5,
        twins={"exponent": Twin("better by d^(3/4)", bound=expression / d**0.75)},
    )
    for case, experiment in CASES.items()
    for name, (quantity, expression) in RATES.items()
]


def step(name, quantity, twin, why, limit=1):
    """A step of the proof with its constants."""
    return bound(
        name=name,
        experiment=small,
        statistic=name,
        quantity=quantity,
        bound=limit,
        delta=DELTA,
        twins={"constant": Twin(why, bound=twin)},
    )


traces = claim(
    "hu2020.traces",
    *rates,
    step(
        "slopes",
        r"\mathrm{Tr}\,\Theta_1 \,/\, \sup |\phi'|^2 \sum_i \|x_i\|^2 / d",
        0.1,
        "a tenth of it",
    ),
    step(
        "values",
        r"\max_i [\Theta_2]_{ii} \,/\, (2 \phi(0)^2 + 2 \sup |\phi'|^2 \tfrac1m \sum_r (x_i^\top w_r)^2 / d)",
        0.1,
        "a tenth of it",
    ),
    step(
        "chi-square",
        r"\max_i \tfrac1m \sum_r (x_i^\top w_r)^2 / \|x_i\|^2",
        1 + sympy.log(n) / (d * m),
        "d m + log(n) for the sum, as printed, with constant one",
        1 + 2 * sympy.sqrt(2 * L / m) + 4 * L / m,
    ),
    title="The traces of all four kernels are of order n",
    locus="Appendices D.3.3 and D.5.3",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, TWO_CASES],
)
