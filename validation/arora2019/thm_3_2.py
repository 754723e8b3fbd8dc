r"""A fully trained wide network predicts what kernel regression with the NTK predicts.

Setting   f_nn = kappa f, f a ReLU network (6) with L hidden layers of width m, weights N(0, 1); n points on
          the unit sphere, squared loss; f_nn(x_te) its prediction after gradient flow of infinite time.
Claim     With 1/kappa = poly(1/epsilon, log(n/delta)) and m >= poly(1/kappa, L, 1/lambda_0, n, log(1/delta)):
          |f_nn(x_te) - f_ntk(x_te)| <= epsilon with probability at least 1 - delta, for any unit x_te.
Measured  The root mean square of the difference over 24 test points, along m with kappa = m^(-1/3): it must
          tend to zero. The network is trained by an integrator that controls its error; f_ntk has the
          kernel (13) in closed form.
"""

from __future__ import annotations

from whp.claims import Twin, claim, limit

from ._flow import KAPPA, SETTING, deep, kappa_one, shallow

QUANTITY = r"\left(\mathbb{E}_{x_{te}} (f_{nn}(x_{te}) - f_{ntk}(x_{te}))^2\right)^{1/2}"
WITHOUT = Twin("f in place of f_nn = kappa f", statistic="distance without kappa")


def regression(name, experiment, **twins):
    return limit(
        name=name,
        experiment=experiment,
        statistic="distance",
        quantity=QUANTITY,
        order=1 / 3,  # of kappa
        rounding=1e-3,
        twins={"without kappa": WITHOUT, **twins},
    )


theorem = claim(
    "arora2019.thm_3_2",
    regression(
        "one hidden layer",
        shallow,
        kappa=Twin("kappa = 1", experiment=kappa_one),
        ridge=Twin("the diagonal of H* doubled", statistic="distance to ridge"),
    ),
    regression("deeper", deep),
    title="A fully trained wide network is kernel regression with the NTK",
    locus="Theorem 3.2",
    assumptions=(SETTING, KAPPA, r"$m$ to 8192 for $L = 1$, to 2048 for $L = 2$."),
)
