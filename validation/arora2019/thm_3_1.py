r"""The tangent kernel of a wide network at initialisation is near its limit.

Setting   A relu network (6) with L hidden layers of width d at two inputs x, x' of norm one;
          H(x, x') = <df(x)/dtheta, df(x')/dtheta> over all weights, Theta^(L) its limit (13).
Claim     3.1: if min d_h >= poly(L, 1/epsilon) log(L/delta), then |H(x, x') - Theta^(L)(x, x')| <= epsilon
          with probability at least 1 - delta.
Measured  poly is left open; the proof by Theorem B.2 gives the order L^10/epsilon^4. What is tested is less:
          12 L^3 (1 + 1/epsilon^2). Width: the error falls like d^(-1/2), in networks with all weights drawn,
          to d = 4096, in quadratic mean over 16 pairs of inputs. Depth: it stays bounded along d = 8 L^3,
          to L = 16. Certainty: the delta for which the width is as asked, at the error measured, is below
          a level with at most that probability, at levels from 0.02 to 0.5; one of the cells has widths
          (d, 4 d, d), as min d_h asks for (Remark 3.1), and a second input of norm 1/2.
Proof     (in B.2) has 1 - epsilon for 1 - delta, and 0 <= h <= L for 1 <= h <= L + 1. At L = 1 log(L/delta)
          vanishes as delta tends to one, and any width is as asked; the theorem survives with a poly
          that grows at least like 1/epsilon, as H has a density at its limit.
"""

from __future__ import annotations

import math

from sympy import sqrt

from whp.claims import Design, Path, Twin, bound, claim, experiment, rate

from ._initialisation import ASSUMPTIONS, L, d, depths, law_errors, widths

ERROR = r"\left|\langle \partial_\theta f(x), \partial_\theta f(x') \rangle - \Theta^{(L)}(x, x')\right|"
POLY = r"d = 12 L^3 (1 + \epsilon^{-2}) \log(L/\delta)"
wide = depths("cubed", 8 * L**3, (1, 2, 4, 6), (1, 2, 4, 8, 16))
narrow = depths("proportional", 32 * L, (1, 2, 4, 6), (1, 2, 4, 8, 16))


def cells(values):
    """Equal widths and norms at rho = 0.3 and 0.95; (d, 4 d, d) and norm 1/2 at rho = -0.9."""
    return (values["norm"] < 1) == (values["middle"] > 1) == (values["rho"] < 0)


@experiment(
    quick=Design(Path(d=(256,), L=3), {"rho": [0.3], "middle": [1], "norm": [1.0]}, trials=(530, 2000)),
    standard=Design(
        Path(d=(256, 2048, 8192), L=3),
        {"rho": [0.3, 0.95, -0.9], "middle": [1, 4], "norm": [1.0, 0.5]},
        trials=(660, 2700),
        only=cells,
    ),
)
def certainty(p, rng, device):
    """The delta for which the width is as asked, at the error measured, for several poly."""
    error = law_errors(rng, p.rho, [p.d, p.middle * p.d, p.d], p.norm)
    same, other = error["kernel (x, x)"], error["kernel (x, x')"]

    def delta(poly):
        return p.L * math.exp(-p.d / poly)

    return {
        "(x, x)": delta(12 * p.L**3 * (1 + same**-2)),
        "(x, x')": delta(12 * p.L**3 * (1 + other**-2)),
        "without depth": delta(12 * (1 + same**-2)),
        "constant": delta(p.L**3 * (1 + same**-2)),
    }


def certain(pair, twins):
    """Theorem 3.1 for one pair of inputs."""
    return bound(
        name=f"certainty {pair}",
        experiment=certainty,
        statistic=pair,
        quantity=rf"\Pr[{ERROR} \ge \epsilon] \le \delta \quad \text{{at}} \quad {POLY}",
        delta=(0.02, 0.1, 0.5),
        tail_of=True,
        twins=twins,
    )


theorem = claim(
    "arora2019.thm_3_1",
    rate(
        name="width",
        experiment=widths,
        statistic="kernel",
        quantity=ERROR,
        bound=1 / sqrt(d),
        rounding=1e-4,
        twins={
            "exponent": Twin("1/d in place of 1/sqrt(d)", bound=1 / d),
            "layer": Twin("without the last layer's weights", statistic="without the last layer"),
        },
    ),
    rate(
        name="depth",
        experiment=wide,
        statistic="kernel",
        quantity=ERROR,
        bound=1,
        twins={
            "width": Twin("along d = 32 L", experiment=narrow),
            "exponent": Twin("falling like 1/sqrt(L)", bound=L**-0.5),
        },
    ),
    certain(
        "(x, x)",
        {
            "depth": Twin("poly without L^3", statistic="without depth"),
            "constant": Twin("one in place of 12", statistic="constant"),
        },
    ),
    certain("(x, x')", {}),
    title="The tangent kernel of a wide network at initialisation is near its limit",
    locus="Theorem 3.1",
    assumptions=[
        *ASSUMPTIONS,
        r"poly$(L, 1/\epsilon) = 12 L^3 (1 + 1/\epsilon^2)$, where the paper leaves it open;"
        r" levels $\delta \le 1/2$.",
    ],
)
