r"""The Rademacher complexity of the linear classes that the proofs use.

Setting   X: n x d, rows from D (Assumption 3.1); rho_1(x) = grad_W f(x; W(0), v) and psi_1 as in eq. (5),
          F = {x -> a . (rho_1(x), psi_1(x)): ||a|| <= 2 sqrt(d log d)}; the same with the second layer, and
          with both (Appendices D.5.3 and D.6.3).
Claim     (37): (1 / n) E_eps sup_(h in F) sum_i eps_i h(x_i)
          <~ (sqrt(d log d) / n) sqrt(Tr Theta_1 + Tr Theta^lin1) <~ sqrt(d log d / n), eps_i = +-1; for
          the other classes with Tr Theta_2 + Tr Theta^lin2 and with all four traces.
Measured  the supremum is 2 sqrt(d log d) sqrt(eps^T K eps), K the sum of the kernels. At tiny sizes its mean
          over all sign vectors, exactly: the first inequality, whose constant is the 2 of the radius, as
          Jensen's inequality gives no other. Khintchine's inequality has 1 / sqrt 2 of it for a lower bound,
          so a smaller constant would be false. And the rate of the whole along the paths of Proposition D.8,
          by Monte Carlo over 64 sign vectors a trial.
Sure      The bounds with constants that follow by algebra hold for every draw: they check the
          implementation, and their interval says no more than that no draw broke them.
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, bound, claim, rate, symbols

from ._second_layer import TWO_CASES, narrow, small, wide
from ._setting import PHI_ASSUMPTION, W_ASSUMPTION, X_ASSUMPTION

d, n, alpha = symbols("d n alpha")
RATE = sympy.sqrt(d * sympy.log(d) / n)
COMPLEXITY = r"\frac1n \mathbb{E}_\varepsilon \sup_{h \in \mathcal{F}} \sum_i \varepsilon_i h(x_i)"
TRACES = {
    "first": r"\mathrm{Tr}\,\Theta_1 + \mathrm{Tr}\,\Theta^{\mathrm{lin}1}",
    "second": r"\mathrm{Tr}\,\Theta_2 + \mathrm{Tr}\,\Theta^{\mathrm{lin}2}",
    "both": r"\mathrm{Tr}\,\Theta + \mathrm{Tr}\,\Theta^{\mathrm{lin}}",
}

bounds = [
    bound(
        name=f"{layer}, traces",
        experiment=small,
        statistic=f"complexity {layer}",
        quantity=COMPLEXITY + rf" \,/\, \frac{{2 \sqrt{{d \log d}}}}{{n}} \sqrt{{{traces}}}",
        bound=1,
        delta=0.01,
        twins={
            "constant": Twin("0.7 of the radius: less than Khintchine's lower bound", bound=0.7),
            "trace": Twin(
                "without the trace of the linear kernel", statistic=f"complexity {layer}, one trace"
            ),
        },
    )
    for layer, traces in TRACES.items()
]
rates = [
    rate(
        name=f"{layer}, {case}",
        experiment=experiment,
        statistic=f"rademacher {layer}",
        quantity=COMPLEXITY,
        bound=RATE,
        rounding=1e-5,
        twins={"exponent": Twin("better by d^(3/4)", bound=RATE / d**0.75)},
    )
    for case, experiment in (("vartheta_0 = 0", narrow), ("vartheta_0 not 0", wide))
    for layer in TRACES
]

complexity = claim(
    "hu2020.rademacher_37",
    *bounds,
    *rates,
    title="The Rademacher complexity of the linear classes is at most of order sqrt(d log(d) / n)",
    locus="eq. (37); Appendices D.5.3 and D.6.3",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, TWO_CASES],
)
