r"""Features of a wide network have the inner products of the limit, in all layers at once.

Setting   A relu network (6) with L hidden layers of width d at two inputs x, x' of norm one.
Claim     B.1: there are c_1, c_2 such that if c_1 L^2 log(8 L/delta)/epsilon^2 <= min d_h and
          epsilon <= min(c_2, 1/L), then with probability at least 1 - delta, for all 0 <= h <= L and the
          pairs (x, x), (x, x'), (x', x'), |<g^(h), g^(h)> - Sigma^(h)| <= epsilon. In other words, if
          min d_h >= c_1 L^2 log(1/delta_1)/epsilon_1^2 and epsilon_1 <= min(c_2, 1/L), then
          P[A(epsilon_1)] >= 1 - delta_1.
Measured  The largest error over layers and pairs. Width: it falls like d^(-1/2), in networks with all
          weights drawn, to d = 4096, in quadratic mean over 16 pairs of inputs. Depth: it is at most of the
          order of epsilon = 1/L along d = 8 L^4. With c_1 = 10 and c_2 = 1, a choice: the delta for which the
          width is as asked, at the error measured, is below a level with at most that probability.
          All levels tested are at most 1/2.
Words     have lost the factor 8 L in the logarithm. For delta_1 <= 1/2 they hold, with another c_1 (20 is
          tested). But log(1/delta_1) vanishes as delta_1 tends to one, so that a width of one is as asked
          whatever c_1 is, if delta_1 is near one; and in a network of width one, orthogonal inputs with
          <g, g> and <g', g'> within 1/4 of one have <g, g'> >= 3/4, and Sigma^(1) is 1/pi: the event is
          impossible, where it should have a probability. That corner, delta_1 = 0.95 at c_1 = 10, has a
          claim of its own, `thm_b_1_words_any_delta`. A is defined as a union over h; an intersection is
          meant.
"""

from __future__ import annotations

import math

from sympy import Rational, log, sqrt

from whp.claims import Design, Path, Twin, bound, claim, experiment, rate

from ._initialisation import ASSUMPTIONS, L, d, depths, from_the_law, law_errors, widths

ERROR = r"\max_h |\langle g^{(h)}, g^{(h)} \rangle - \Sigma^{(h)}|"
DELTA = Rational(1, 10)
fourth = depths("fourth power", 8 * L**4, (1, 2, 3, 4), (1, 2, 4, 6, 8))


def cells(values):
    """Norms of one at rho = 0 and 0.9; a second input of norm 1/2 at rho = -0.9."""
    return (values["norm"] < 1) == (values["rho"] < 0)


@experiment(
    quick=Design(Path(L=(2,), d=100 * L**4), {"rho": [0.0], "norm": [1.0]}, trials=(530, 2000)),
    standard=Design(
        Path(L=(1, 2, 3), d=100 * L**4),
        {"rho": [0.0, 0.9, -0.9], "norm": [1.0, 0.5]},
        trials=(660, 2700),
        only=cells,
    ),
)
def certainty(p, rng, device):
    """The delta for which the width is as asked at the error measured, which counts up to 1/L."""
    error = min(law_errors(rng, p.rho, [p.d] * p.L, p.norm)["features"], 1 / p.L)
    share = p.d * error**2 / 10
    return {
        "printed": 8 * p.L * math.exp(-share / p.L**2),
        "words": math.exp(-share / 2 / p.L**2),
        "without depth": 8 * p.L * math.exp(-share),
        "first power": 8 * p.L * math.exp(-share / error / p.L**2),
        "c_1 = 1": math.exp(-10 * share / p.L**2),
        "words, first power": math.exp(-share / 2 / error / p.L**2),
    }


def certain(statistic, width, twins):
    """The printed constants as chosen, at the levels up to 1/2."""
    return bound(
        name="certainty",
        experiment=certainty,
        statistic=statistic,
        quantity=rf"\Pr\left[{ERROR} > \epsilon\right] \le \delta \quad \text{{at}} \quad d = {width}",
        delta=(0.02, 0.05, 0.2, 0.5),
        tail_of=True,
        twins=twins,
    )


def in_width(twins):
    """The order in the width."""
    return rate(
        name="width",
        experiment=widths,
        statistic="features",
        quantity=ERROR,
        bound=1 / sqrt(d),
        rounding=1e-4,
        twins=twins,
    )


theorem = claim(
    "arora2019.thm_b_1",
    in_width({"exponent": Twin("1/d in place of 1/sqrt(d)", bound=1 / d)}),
    rate(
        name="depth",
        experiment=fourth,
        statistic="features",
        quantity=ERROR,
        bound=L * sqrt(log(8 * L / DELTA) / d),
        twins={"exponent": Twin("1/L^2 of it", bound=sqrt(log(8 * L / DELTA) / d) / L)},
    ),
    certain(
        "printed",
        r"10 L^2 \log(8L/\delta)/\epsilon^2",
        {
            "depth": Twin("the width without L^2", statistic="without depth"),
            "power": Twin("1/epsilon in place of 1/epsilon^2", statistic="first power"),
        },
    ),
    title="Features of a wide network have the inner products of the limit",
    locus="Theorem B.1",
    assumptions=[
        *ASSUMPTIONS,
        r"$c_1 = 10$, $c_2 = 1$, where the paper leaves them open; levels $\delta \le 1/2$.",
    ],
)

CORNER = Design(Path(d=(1,), L=1), {"rho": [0.0]}, trials=(450, 4000))


@experiment(quick=CORNER, standard=CORNER)
def width_one(p, rng, device):
    """The delta_1 for which a width of one is as asked at the error measured, for c_1 = 10."""
    found = from_the_law(p, rng, device)["features"]
    error = min(found, 1.0)
    return {
        "error": found,
        "words": math.exp(-(error**2) / 10),
        "c_1 = 5": math.exp(-(error**2) / 5),
        "first power": math.exp(-error / 10),
    }


IN_WORDS = certain(
    "words",
    r"20 L^2 \log(1/\delta_1)/\epsilon_1^2",
    {
        "constant": Twin("c_1 = 1", statistic="c_1 = 1"),
        "power": Twin("1/epsilon_1 in place of 1/epsilon_1^2", statistic="words, first power"),
    },
)
words = claim(
    "arora2019.thm_b_1_words",
    in_width({"exponent": Twin("d^(-3/4) in place of d^(-1/2)", bound=d**-0.75)}),
    IN_WORDS,
    title="Features of a wide network have the inner products of the limit: in other words, delta_1 <= 1/2",
    locus="Theorem B.1, 'In other words', for delta_1 at most 1/2",
    assumptions=[
        *ASSUMPTIONS,
        r"$\delta_1 \le 1/2$; $c_1 = 20$, $c_2 = 1$, where the paper leaves them open.",
    ],
)

corner = claim(
    "arora2019.thm_b_1_words_any_delta",
    bound(
        name="width one",
        experiment=width_one,
        statistic="words",
        quantity=rf"\Pr\left[{ERROR} > \epsilon_1\right] \le \delta_1 \quad \text{{at}} \quad"
        r" d = 1 = 10 \log(1/\delta_1)/\epsilon_1^2",
        delta=0.95,
        tail_of=True,
        twins={
            "constant": Twin("c_1 = 5", statistic="c_1 = 5"),
            "power": Twin("1/epsilon_1 in place of 1/epsilon_1^2", statistic="first power"),
        },
    ),
    title="Features have the inner products of the limit, in other words, for every delta_1 < 1: width one",
    locus="Theorem B.1, 'In other words', for delta_1 near one",
    assumptions=[
        *ASSUMPTIONS,
        r"$\delta_1 = 0.95$; $c_1 = 10$, $c_2 = 1$, where the paper leaves them open.",
    ],
)

corner_corrected = claim(
    "arora2019.thm_b_1_words_any_delta_corrected",
    IN_WORDS,
    title="Features have the inner products of the limit, in other words, for every delta_1 <= 1/2",
    locus="Theorem B.1, 'In other words'",
    assumptions=[*ASSUMPTIONS, r"$\delta_1 \le 1/2$; $c_1 = 20$, $c_2 = 1$."],
    printed=False,
    corrects="arora2019.thm_b_1_words_any_delta",
)
