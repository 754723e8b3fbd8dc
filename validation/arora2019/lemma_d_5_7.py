r"""During training the weights move little and the residual falls at a linear rate.

Setting   As in Theorem 3.2, gradient flow on l = (1/2) sum_i (f_nn(x_i) - y_i)^2 (Section 3);
          lambda_0 = lambda_min(H*), u = u_nn.
Claim     For omega <= poly(1/n, lambda_0, 1/L, 1/log m, epsilon, 1/log(1/delta), kappa), m >= poly(1/omega),
          with probability at least 1 - delta, for all t >= 0 and all h:
          ||u(t) - y|| <= exp(-kappa^2 lambda_0 t / 2) ||u(0) - y||              (Lemmas D.6, D.7),
          ||W^(h)(t) - W^(h)(0)||_F = O(sqrt n / lambda_0) <= omega sqrt m       (Lemmas D.5, D.7).
          Two ids more for what is printed and fails: lemma_d_5_7_movement has O(sqrt n / lambda_0), and
          lemma_d_5_7_mean_loss the first display for the loss of the appendices.
Measured  The largest quotient of the two sides of the first over the flow, and lambda_0 / 2 over the
          smallest eigenvalue that H(t) takes, on which the rate rests, delta = 0.05; the largest movement
          over h and t, against sqrt m along m with kappa = m^(-1/3). And against sqrt n / lambda_0: along m
          so; at kappa = 1/2 along n. Nothing varies lambda_0. Suprema over t (quotient, eigenvalue, movement)
          are maxima over the steps of the integrator, so lower bounds: a PASS is one of these maxima.
Movement  The proof of D.5 has 1/kappa^2 from the integral of exp(-kappa^2 lambda_0 t), of which a kappa in
          front of the gradient of f_nn = kappa f cancels one, and it drops both. Near the linear model the
          weights move by (y^T H^(-1) y)^(1/2) / kappa in all, so the movement grows as kappa falls. At
          fixed kappa the printed order holds in n.
Mended    If lambda_min(H(t)) >= lambda_0 / 2 for all t, all weights move by at most
          sqrt 2 ||u(0) - y|| / (kappa sqrt lambda_0): with r = u - y, q = kappa^2 ||grad f^T r||^2 and
          a = kappa^2 lambda_0 / 2 one has (||r||^2)' = -2 q and q >= a ||r||^2, so that
          (e^(at) ||r||^2)' <= -e^(at) q and the integral of e^(at) q is at most ||r(0)||^2; then
          Cauchy-Schwarz with e^(-at). That is O(sqrt n / (kappa sqrt lambda_0)); lambda_0 <= L + 1. The
          power of lambda_0 rests on this, those of n and kappa are measured.
Mean loss Appendices C and D integrate the flow of (1/2n) sum_i (f_nn(x_i) - y_i)^2 instead: their displays
          have the factor 1/n. It takes n times as long, and exp(-kappa^2 lambda_0 t / 2) fails for it.
"""

from __future__ import annotations

from dataclasses import replace

import sympy

from whp.claims import Twin, bound, claim, decay, rate, symbols

from ._flow import KAPPA, SETTING, deep, many, points, shallow

m, n = symbols("m n")
THIRD, QUARTER = sympy.Rational(1, 3), sympy.Rational(1, 4)
DELTA = r"$\delta = 0.05$; $m = 2048$ and $8192$, $L = 1$."
RESIDUAL = r"\sup_{t} \frac{\|u(t) - y\|}{\exp(-%s) \|u(0) - y\|}"
MOVED = r"\max_h \sup_t \|W^{(h)}(t) - W^{(h)}(0)\|_F"


def residual(statistic, rate_, **twins):
    """The linear rate as a bound."""
    return bound(
        name="linear rate",
        experiment=many,
        statistic=statistic,
        quantity=RESIDUAL % rate_,
        bound=1,
        delta=0.05,
        twins=twins,
    )


convergence = claim(
    "arora2019.lemma_d_5_7",
    residual(
        "residual",
        r"\tfrac12 \kappa^2 \lambda_0 t",
        faster=Twin("3/2 in place of 1/2", statistic="residual, 3/2"),
        mean=Twin("n/2 in place of 1/2", statistic="residual, mean loss"),
    ),
    bound(
        name="smallest eigenvalue",
        experiment=many,
        statistic="eigenvalue",
        quantity=r"\sup_t \frac{\lambda_0 / 2}{\lambda_{\min}(H(t))}",
        bound=1,
        delta=0.05,
        twins={"half": Twin("lambda_0 in place of lambda_0 / 2", statistic="eigenvalue, without 1/2")},
    ),
    decay(
        name="movement",
        experiment=shallow,
        statistic="movement over root m",
        quantity=MOVED + r" / \sqrt m",
        power=r"\Omega(1)",
        rounding=1e-3,
        twins={"power": Twin("m^(1/4) in place of sqrt m", statistic="movement over m^(1/4)")},
    ),
    title="In training the weights stay within o(sqrt m) and the residual falls at a linear rate, for half"
    " the sum of the squares",
    locus="Lemmas D.5, D.6, D.7 (the order of the movement: lemma_d_5_7_movement)",
    assumptions=(SETTING, KAPPA, DELTA),
)


VARIED = (
    r"In $n$: $\kappa = 1/2$, $L = 1$, $m = 1024$, $n$ orthonormal points with labels $1, -1, 1, -1, ...$."
    r" $\lambda_0$ is not varied."
)


def movement(name, experiment, expression, **twins):
    return rate(
        name=name,
        experiment=experiment,
        statistic="movement",
        quantity=MOVED + r" \cdot \lambda_0 / \sqrt n",
        bound=expression,
        rounding=1e-3,
        twins=twins,
    )


printed_movement = claim(
    "arora2019.lemma_d_5_7_movement",
    movement(
        "one hidden layer",
        shallow,
        1,
        power=Twin("m^(1/8)", bound=m ** sympy.Rational(1, 8)),
        falling=Twin("kappa in place of 1", bound=m**-THIRD),
    ),
    movement("deeper", deep, 1, falling=Twin("kappa in place of 1", bound=m**-THIRD)),
    movement("in n", points, 1, power=Twin("n^(1/4) in place of n^(1/2)", bound=n**-QUARTER)),
    title="The weights move by O(sqrt n / lambda_0)",
    locus="Lemma D.5",
    assumptions=(SETTING, KAPPA, VARIED),
)


def sharper(name, experiment, expression, **twins):
    return replace(
        movement(name, experiment, expression, **twins),
        statistic="movement, root",
        quantity=MOVED + r" \cdot \sqrt{\lambda_0 / n}",
    )


corrected_movement = claim(
    "arora2019.lemma_d_5_7_movement_corrected",
    sharper(
        "one hidden layer",
        shallow,
        m**THIRD,
        printed=Twin("without 1/kappa, as printed", bound=1),
        root=Twin("1 / sqrt kappa", bound=m ** (THIRD / 2)),
    ),
    sharper("deeper", deep, m**THIRD, printed=Twin("without 1/kappa, as printed", bound=1)),
    sharper("in n", points, 1, power=Twin("n^(1/4) in place of n^(1/2)", bound=n**-QUARTER)),
    title="The weights move by O(sqrt n / (kappa sqrt lambda_0))",
    locus="Lemma D.5",
    printed=False,
    corrects="arora2019.lemma_d_5_7_movement",
    assumptions=(SETTING, KAPPA, VARIED),
)

MEAN = r"The loss has the factor $1/n$, as in the displays of Appendices C and D."

mean_loss = claim(
    "arora2019.lemma_d_5_7_mean_loss",
    residual(
        "residual, mean loss",
        r"\tfrac12 \kappa^2 \lambda_0 t",
        tenth=Twin("9/10 of the bound", bound=sympy.Rational(9, 10)),
        half=Twin("half of the bound", bound=sympy.Rational(1, 2)),
    ),
    title="The residual falls at a linear rate, for the mean of the squares",
    locus="Lemmas D.5, D.6, D.7 with the loss of Appendices C and D",
    assumptions=(SETTING, KAPPA, DELTA, MEAN),
)

mean_loss_corrected = claim(
    "arora2019.lemma_d_5_7_mean_loss_corrected",
    residual(
        "residual",
        r"\tfrac{1}{2n} \kappa^2 \lambda_0 t",
        printed=Twin("without 1/n, as printed", statistic="residual, mean loss"),
        faster=Twin("3/2 in place of 1/2", statistic="residual, 3/2"),
    ),
    title="The residual falls at a linear rate that has the factor 1/n, for the mean of the squares",
    locus="Lemmas D.5, D.6, D.7 with the loss of Appendices C and D",
    printed=False,
    corrects="arora2019.lemma_d_5_7_mean_loss",
    assumptions=(SETTING, KAPPA, DELTA, MEAN),
)
