r"""Features and back-propagated vectors of a wide network have the inner products of the limit.

Setting   A relu network (6) with L hidden layers of width d at two inputs x, x' of norm one; for all layers
          and the pairs (x, x), (x, x'), (x', x') the errors of <g^(h), g^(h)> against Sigma^(h), and of
          <b^(h), b^(h)> against the product of Sigma-dot^(h') over h' >= h.
Claim     B.2: there are c_1, c_2 such that if min d_h >= c_1 L^2 log(L/delta)/epsilon^4 and
          epsilon <= c_2/L, then with probability 1 - delta the first are at most epsilon^2/2 and the second
          below 3 L epsilon. In other words, if min d_h >= c_1 L^2 log(L/delta)/epsilon_1^2 and
          epsilon_1 <= c_2/L, then P[A(epsilon^2/8) and B(3 L epsilon)] >= 1 - delta.
          The proof, before (25), sets epsilon_1 = epsilon^2/8, the argument of A, and so are the words read.
Measured  Width, in networks with all weights drawn, to d = 4096 (in quadratic mean over 16 pairs of
          inputs), and depth, along d = 4 L^6: the errors against epsilon^2 and L epsilon at the epsilon of
          that width. With c_1 = 80 and c_2 = 2, a choice: the delta for which the width is as asked, at the
          errors measured, is below a level with at most that probability, at levels up to 1/2.
Words     are the theorem with other constants (c_1 = 20, c_2 = 2 are tested). With epsilon_1 = epsilon they
          would be false: epsilon^2 would be of order 1/d, and the error of the features falls like
          d^(-1/2) only, as it does here.
Edges     b^(0) is not defined: 0 <= h <= L is 1 <= h <= L for the second bound. At L = 1, log(L/delta)
          vanishes as delta tends to one, where both are false like the words of Theorem B.1 (see
          `thm_b_1_words_any_delta`, the same corner: a width of one is as asked). Levels here are at most
          1/2, as the titles say.
"""

from __future__ import annotations

import math

from sympy import Rational, log, sqrt

from whp.claims import Design, Path, Twin, bound, claim, experiment, rate

from ._initialisation import ASSUMPTIONS, L, d, depths, law_errors, widths

FEATURES = r"\max_h |\langle g^{(h)}, g^{(h)} \rangle - \Sigma^{(h)}|"
BACKWARD = r"\max_h |\langle b^{(h)}, b^{(h)} \rangle - \prod_{h' \ge h} \dot\Sigma^{(h')}|"
QUARTER = Rational(1, 4)
EPSILON_4 = L**2 * log(L / Rational(1, 10)) / d  # epsilon^4 at delta = 0.1, up to c_1
sixth = depths("sixth power", 4 * L**6, (1, 2, 3, 4), (1, 2, 3, 4, 5))


def cells(values):
    """Norms of one at rho = 0; a second input of norm 1/2 at rho = -0.9."""
    return (values["norm"] < 1) == (values["rho"] < 0)


@experiment(
    quick=Design(Path(L=(2,), d=30 * L**6), {"rho": [0.0], "norm": [1.0]}, trials=(530, 2000)),
    standard=Design(
        Path(L=(1, 2, 3), d=30 * L**6),
        {"rho": [0.0, -0.9], "norm": [1.0, 0.5]},
        trials=(660, 2700),
        only=cells,
    ),
)
def certainty(p, rng, device):
    """The delta for which the width is as asked at the errors measured; epsilon counts up to c_2/L."""
    error = law_errors(rng, p.rho, [p.d] * p.L, p.norm)

    def delta(share):
        """For the least epsilon for which both bounds hold, that of the features being share epsilon^2."""
        epsilon = max((error["features"] / share) ** 0.5, error["backward"] / (3 * p.L))
        return p.L * math.exp(-p.d * min(epsilon, 2 / p.L) ** 4 / (80 * p.L**2))

    def in_words(power, c_1):
        """For the least epsilon_1, epsilon being the root of 8 epsilon_1."""
        epsilon_1 = max(error["features"], (error["backward"] / (3 * p.L)) ** 2 / 8)
        return p.L * math.exp(-p.d * min(epsilon_1, 2 / p.L) ** power / (c_1 * p.L**2))

    return {
        "printed": delta(1 / 2),
        "share": delta(1 / 16),
        "words": in_words(2, 20),
        "words, c_1 = 1": in_words(2, 1),
        "words, first power": in_words(1, 20),
    }


def certain(statistic, formula, twins):
    """Both bounds at once, with chosen constants, at levels up to 1/2."""
    return bound(
        name="certainty",
        experiment=certainty,
        statistic=statistic,
        quantity=rf"\Pr\left[{FEATURES} > {formula} \text{{ or }} {BACKWARD} \ge 3 L \epsilon\right]"
        r" \le \delta",
        delta=(0.02, 0.05, 0.2, 0.5),
        tail_of=True,
        twins=twins,
    )


def in_width(name, quantity, right, twins):
    """An order in the width; rounding is that of single precision."""
    return rate(
        name=f"width, {name}",
        experiment=widths,
        statistic=name,
        quantity=quantity,
        bound=right,
        rounding=1e-4,
        twins=twins,
    )


theorem = claim(
    "arora2019.thm_b_2",
    in_width("features", FEATURES, 1 / sqrt(d), {"exponent": Twin("1/d in place of 1/sqrt(d)", bound=1 / d)}),
    in_width("backward", BACKWARD, d**-QUARTER, {"exponent": Twin("1/d for d^(-1/4)", bound=1 / d)}),
    rate(
        name="depth, features",
        experiment=sixth,
        statistic="features",
        quantity=FEATURES,
        bound=sqrt(EPSILON_4),
        twins={"exponent": Twin("epsilon^4 in place of epsilon^2", bound=EPSILON_4)},
    ),
    rate(
        name="depth, backward",
        experiment=sixth,
        statistic="backward",
        quantity=BACKWARD,
        bound=L * EPSILON_4**QUARTER,
        twins={"exponent": Twin("epsilon^4 in place of L epsilon", bound=EPSILON_4)},
    ),
    certain(
        "printed",
        r"\epsilon^2/2",
        {"share": Twin("epsilon^2/16 in place of epsilon^2/2", statistic="share")},
    ),
    title="Features and back-propagated vectors of a wide network have the products of the limit,"
    " delta at most 1/2",
    locus="Theorem B.2, for delta at most 1/2",
    assumptions=[*ASSUMPTIONS, r"$c_1 = 80$, $c_2 = 2$, where the paper leaves them open; $\delta \le 1/2$."],
)

words = claim(
    "arora2019.thm_b_2_words",
    in_width("features", FEATURES, 1 / sqrt(d), {"exponent": Twin("d^(-3/4) for d^(-1/2)", bound=d**-0.75)}),
    in_width("backward", BACKWARD, d**-QUARTER, {"exponent": Twin("1/d for d^(-1/4)", bound=1 / d)}),
    certain(
        "words",
        r"\epsilon^2/8",
        {
            "constant": Twin("c_1 = 1", statistic="words, c_1 = 1"),
            "power": Twin("1/epsilon_1 in place of 1/epsilon_1^2", statistic="words, first power"),
        },
    ),
    title="Features and back-propagated vectors of a wide network have the products of the limit:"
    " in other words, delta at most 1/2",
    locus="Theorem B.2, 'In other words', for delta at most 1/2",
    assumptions=[
        *ASSUMPTIONS,
        r"$\epsilon_1 = \epsilon^2/8$, as the proof sets it; $c_1 = 20$, $c_2 = 2$, where the paper leaves"
        r" them open; $\delta \le 1/2$.",
    ],
)
