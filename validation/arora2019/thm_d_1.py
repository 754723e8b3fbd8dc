r"""The kernel hardly moves during training.

Setting   As in Theorem 3.2, trained by gradient flow for all t >= 0; ker_t the tangent kernel of f, without
          kappa, on all pairs of training and test points.
Claim     For omega <= poly(1/L, 1/n, 1/log(1/delta), lambda_0), m >= poly(1/omega) and kappa <= 1: with
          probability at least 1 - delta, |ker_t(x, x') - ker_0(x, x')| <= omega for all t and all pairs.
          As printed it is for any kappa <= 1, with a width that does not depend on kappa; the id
          thm_d_1_small_kappa takes it at its word there, and fails.
Measured  The largest difference over pairs and over the steps of the integrator, a lower bound of the
          supremum over t, along m: it must tend to zero. kappa = 1 and kappa = m^(-1/3); in
          thm_d_1_small_kappa kappa = m^(-1/2).
Proof     Lemma D.7, on which it rests, does let omega depend on kappa. The weights move by
          (y^T H^(-1) y)^(1/2) / kappa, which at kappa = m^(-1/2) is sqrt(m): as far as they are from zero.
          Then the network learns features, and the kernel moves by O(1) at every width.
Mended    m >= poly(1/omega, 1/kappa): the change is <~ 1 / (kappa sqrt m), the movement over sqrt m.
"""

from __future__ import annotations

import sympy

from whp.claims import Twin, claim, limit, rate, symbols

from ._flow import SETTING, deep, kappa_one, shallow, small_kappa

m = symbols("m")
QUANTITY = r"\sup_{t \ge 0} \max_{x, x'} |\ker_t(x, x') - \ker_0(x, x')|"
DIVIDED = Twin("divided by kappa", statistic="drift over kappa")


def vanishing(name, experiment, order=0.5, **twins):
    return limit(
        name=name,
        experiment=experiment,
        statistic="drift",
        quantity=QUANTITY,
        order=order,
        rounding=1e-3,
        twins=twins,
    )


theorem = claim(
    "arora2019.thm_d_1",
    vanishing(
        "kappa = 1", kappa_one, root=Twin("with kappa = m^(-1/2) in place of 1", experiment=small_kappa)
    ),
    vanishing("one hidden layer", shallow, order=1 / 3, divided=DIVIDED),
    vanishing("deeper", deep, order=1 / 3, divided=DIVIDED),
    title="The kernel hardly moves during training",
    locus="Theorem D.1",
    assumptions=(
        SETTING,
        r"Only $\kappa = 1$, and $\kappa = m^{-1/3}$ in the others: any $\kappa \le 1$, as printed, is"
        r" thm_d_1_small_kappa.",
    ),
)

any_kappa = claim(
    "arora2019.thm_d_1_small_kappa",
    vanishing(
        "kappa = 1/sqrt m",
        small_kappa,
        divided=DIVIDED,
        movement=Twin("of the weights in place of the kernel, over sqrt m", statistic="movement over root m"),
    ),
    title="The kernel hardly moves during training, for any kappa <= 1",
    locus="Theorem D.1",
    assumptions=(SETTING, r"$\kappa = m^{-1/2} \le 1$."),
)


def of_order(name, experiment, power, rounding=1e-3):
    """The rate 1 / (kappa sqrt m) with kappa = m^(-power)."""
    printed = m ** (sympy.Rational(power) - sympy.Rational(1, 2))
    return rate(
        name=name,
        experiment=experiment,
        statistic="drift",
        quantity=QUANTITY,
        bound=printed,
        rounding=rounding,
        twins={"root": Twin("better by m^(1/2)", bound=printed / sympy.sqrt(m))},
    )


corrected = claim(
    "arora2019.thm_d_1_small_kappa_corrected",
    of_order("kappa = 1/sqrt m", small_kappa, "1/2"),
    of_order("kappa = m^(-1/3)", shallow, "1/3"),
    title="The kernel moves by at most the order of 1 / (kappa sqrt m) during training",
    locus="Theorem D.1",
    printed=False,
    corrects="arora2019.thm_d_1_small_kappa",
    assumptions=(
        SETTING,
        r"$m \ge \mathrm{poly}(1/\omega, 1/\kappa)$ in place of $\mathrm{poly}(1/\omega)$.",
    ),
)
