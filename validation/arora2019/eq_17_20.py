r"""Closed forms of the Gaussian expectations of ReLU and of its derivative.

Setting   sigma(z) = max(0, z), sigma'(z) = 1[z >= 0] (as in the proof of Lemma B.8);
          Lambda = [[1, lambda], [lambda, 1]] with |lambda| <= 1, D = diag(c_1, c_2).
Claim     (17) E[sigma(u) sigma(v)] = (lambda (pi - arccos lambda) + sqrt(1 - lambda^2)) / (2 pi) and
          (18) E[sigma'(u) sigma'(v)] = (pi - arccos lambda) / (2 pi) for (u, v) ~ N(0, Lambda);
          for N(0, D Lambda D) with c_1, c_2 >= 0 (19) the first times c_1 c_2, and (20) the second as it is.
Measured  The difference of the sides, (19) in units of c_1 c_2, the expectations by quadrature over
          u ~ N(0, c_1^2) of the conditional mean given u, which needs no arccos. lambda = -1, 0, 1 and values
          close to them; c_1, c_2 from 1e-100 to 1e100, in (19) also 0.
          (20) holds for c_1, c_2 > 0, and breaks where one of them is 0, which is a claim of its own: with
          c_1 = 0, u = 0 and the law does not know lambda, but the right side does. What is true there is
          1/2, and 1 with c_1 = c_2 = 0 (with sigma'(0) = 1/2 it would be 1/4: no function of lambda either).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtr

from whp.claims import Experiment, Twin, always, claim, search

TOLERANCE = 1e-9
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
END = 12.0
"""Where the line is cut: the density is below 1e-31 there."""

# (lambda, its complement to 1 in modulus): angles near 0 and pi as well as right ones.
GAPS = st.one_of(st.sampled_from([0.0, 1.0, 1e-3, 1e-8, 1e-15]), st.floats(0.0, 1.0))
LAMBDA = st.tuples(GAPS, st.sampled_from([1.0, -1.0])).map(lambda pair: pair[1] * (1 - pair[0]))
POSITIVE = st.one_of(st.sampled_from([1.0, 1e-100, 1e100]), st.floats(-30.0, 30.0).map(math.exp))
SCALE = st.one_of(st.just(0.0), POSITIVE)


def half_line(f, c: float, spread: float) -> float:
    """The integral over u >= 0 of f(u) against N(0, c^2); f changes within ``spread`` c of 0."""
    if c == 0:
        return float(f(np.zeros(1))[0])  # all mass at 0
    cuts = [0.0, *sorted(min(x, END) for x in (spread, 3 * spread, 9 * spread, 40 * spread, 1, 2.5, 5, END))]
    total = 0.0
    for low, high in itertools.pairwise(c * cut for cut in cuts):
        u = low + (high - low) * (NODES + 1) / 2
        density = np.exp(-0.5 * (u / c) ** 2) / (c * math.sqrt(2 * math.pi))
        total += (high - low) / 2 * float(WEIGHTS @ (density * f(u)))
    return total


def given_u(lam: float, c1: float, c2: float):
    """Mean (of u, a function) and deviation of v given u under N(0, D Lambda D)."""
    if c1 == 0:
        return np.zeros_like, c2
    return lambda u: c2 * (lam * (u / c1)), c2 * math.sqrt((1 - lam) * (1 + lam))


def mean_relu(lam: float, c1: float = 1.0, c2: float = 1.0) -> float:
    """E[sigma(u) sigma(v)] under N(0, D Lambda D)."""
    centre, tau = given_u(lam, c1, c2)

    def inner(u):
        if tau == 0:
            return np.maximum(centre(u), 0)
        z = centre(u) / tau
        return tau * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) + centre(u) * ndtr(z)

    return half_line(lambda u: u * inner(u), c1, math.sqrt((1 - lam) * (1 + lam)))


def mean_step(lam: float, c1: float = 1.0, c2: float = 1.0) -> float:
    """E[sigma'(u) sigma'(v)] under N(0, D Lambda D)."""
    centre, tau = given_u(lam, c1, c2)

    def inner(u):
        return ndtr(centre(u) / tau) if tau > 0 else (centre(u) >= 0).astype(float)

    return half_line(inner, c1, math.sqrt((1 - lam) * (1 + lam)))


def angle_part(lam: float) -> float:
    """The right side of (18) and (20)."""
    return (math.pi - math.acos(lam)) / (2 * math.pi)


def relu_part(lam: float) -> float:
    """The right side of (17)."""
    return (lam * (math.pi - math.acos(lam)) + math.sqrt(1 - lam**2)) / (2 * math.pi)


def values_17(lam):
    return abs(mean_relu(lam) - relu_part(lam))


def values_17_no_root(lam):
    return abs(mean_relu(lam) - lam * angle_part(lam))


def values_17_arccos(lam):
    return abs(mean_relu(lam) - (lam * math.acos(lam) + math.sqrt(1 - lam**2)) / (2 * math.pi))


def values_18(lam):
    return abs(mean_step(lam) - angle_part(lam))


def values_18_doubled(lam):
    return abs(mean_step(lam) - 2 * angle_part(lam))


def values_18_linear(lam):
    return abs(mean_step(lam) - (1 + lam) / 4)


def values_19(lam, c1, c2, *, exponent=1.0):
    """The difference of the sides in units of c_1 c_2."""
    unit = c1 * c2 or 1.0
    return abs(mean_relu(lam, c1, c2) / unit - relu_part(lam) * (c1 * c2) ** exponent / unit)


def values_19_root(lam, c1, c2):
    return values_19(lam, c1, c2, exponent=0.5)


def values_19_near(lam, c1, c2):
    return values_19(lam, c1, c2, exponent=0.99)


def values_20(lam, c1, c2):
    return abs(mean_step(lam, c1, c2) - angle_part(lam))


def values_20_doubled(lam, c1, c2):
    return abs(mean_step(lam, c1, c2) - 2 * angle_part(lam))


def values_20_scaled(lam, c1, c2):
    return abs(mean_step(lam, c1, c2) - angle_part(lam) * min(c1 * c2, 1.0))


ONE = {"lam": LAMBDA}
ANY = {"lam": LAMBDA, "c1": SCALE, "c2": SCALE}
ZERO = {
    "lam": LAMBDA,
    "c": st.one_of(st.tuples(st.just(0.0), SCALE), st.tuples(SCALE, st.just(0.0))),
}
ABOVE = {"lam": LAMBDA, "c1": POSITIVE, "c2": POSITIVE}


def false(check, given):
    """The search of a twin."""
    return search(check, given=given, shrink=False)


def difference(name, check, given, statement, **twins):
    """The check that the sides of one equation agree, and its twins (words, check or search)."""
    return always(
        name=name,
        experiment=search(check, given=given),
        statement=statement,
        tolerance=TOLERANCE,
        twins={
            key: Twin(words, experiment=twin if isinstance(twin, Experiment) else false(twin, given))
            for key, (words, twin) in twins.items()
        },
    )


def zero_20(lam, c):
    return abs(mean_step(lam, *c) - angle_part(lam))


def zero_20_doubled(lam, c):
    return abs(mean_step(lam, *c) - 2 * angle_part(lam))


def zero_law(lam, c):
    return abs(mean_step(lam, *c) - (1.0 if max(c) == 0 else 0.5))


def zero_law_half(lam, c):
    return abs(mean_step(lam, *c) - 0.5)


def zero_law_quarter(lam, c):
    return abs(mean_step(lam, *c) - 0.25)


STEP = r"\mathbb{E}_{N(0, D \Lambda D)}[\dot\sigma(u) \dot\sigma(v)] = \frac{\pi - \arccos\lambda}{2\pi}"
TWINS_20 = {
    "doubled": ("over pi in place of 2 pi", false(values_20_doubled, ABOVE)),
    "scaled": ("times c_1 c_2 where that is below 1", false(values_20_scaled, ABOVE)),
}

printed = claim(
    "arora2019.eq_17_20",
    difference(
        "(17)",
        values_17,
        ONE,
        r"\mathbb{E}[\sigma(u) \sigma(v)]"
        r" = \frac{\lambda (\pi - \arccos\lambda) + \sqrt{1 - \lambda^2}}{2\pi}",
        root=("without the root", values_17_no_root),
        arccos=("arccos in place of pi - arccos", values_17_arccos),
    ),
    difference(
        "(18)",
        values_18,
        ONE,
        r"\mathbb{E}[\dot\sigma(u) \dot\sigma(v)] = \frac{\pi - \arccos\lambda}{2\pi}",
        doubled=("over pi in place of 2 pi", values_18_doubled),
        linear=("linear in lambda, right at -1, 0 and 1", values_18_linear),
    ),
    difference(
        "(19)",
        values_19,
        ANY,
        r"\mathbb{E}_{N(0, D \Lambda D)}[\sigma(u) \sigma(v)]"
        r" = \frac{\lambda (\pi - \arccos\lambda) + \sqrt{1 - \lambda^2}}{2\pi}\, c_1 c_2",
        root=("times the root of c_1 c_2", values_19_root),
        near=("times (c_1 c_2)^0.99", values_19_near),
    ),
    difference("(20)", values_20, ABOVE, STEP + r" \quad (c_1, c_2 > 0)", **TWINS_20),
    title="Gaussian expectations of ReLU and of its derivative",
    locus="(17)-(19), (20) for c_1, c_2 > 0",
    regime="met",
    assumptions=(
        r"$|\lambda| \le 1$, $\dot\sigma(z) = 1[z \ge 0]$; $c_1, c_2 \ge 0$ in (19), and $> 0$ in (20):"
        " a variance of zero is the claim `eq_17_20_zero`.",
    ),
)

ASSUMPTIONS = (r"$|\lambda| \le 1$, $c_1, c_2 \ge 0$, $c_1 c_2 = 0$, $\dot\sigma(z) = 1[z \ge 0]$.",)

QUARTER = ("1/4, as for independent signs", false(zero_law_quarter, ZERO))

zero = claim(
    "arora2019.eq_17_20_zero",
    difference(
        "(20)",
        zero_20,
        ZERO,
        STEP + r" \quad (c_1, c_2 \ge 0,\ c_1 c_2 = 0)",
        doubled=("over pi in place of 2 pi", zero_20_doubled),
        quarter=QUARTER,
    ),
    title="The expectation of ReLU's derivative where a variance is zero",
    locus="(20) where c_1 or c_2 is zero",
    regime="met",
    assumptions=ASSUMPTIONS,
)

corrected = claim(
    "arora2019.eq_17_20_zero_corrected",
    difference(
        "(20)",
        zero_law,
        ZERO,
        r"\mathbb{E}_{N(0, D \Lambda D)}[\dot\sigma(u) \dot\sigma(v)]"
        r" = \tfrac12 \text{ for one variance zero, } 1 \text{ for both}",
        half=("1/2 also where both are zero", zero_law_half),
        quarter=QUARTER,
    ),
    title="The expectation of ReLU's derivative where a variance is zero does not depend on lambda",
    locus="(20) where c_1 or c_2 is zero",
    regime="met",
    assumptions=ASSUMPTIONS,
    printed=False,
    corrects="arora2019.eq_17_20_zero",
)
