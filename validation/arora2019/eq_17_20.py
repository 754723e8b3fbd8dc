r"""Closed forms of the Gaussian expectations of ReLU and of its derivative.

Setting   sigma(z) = max(0, z), sigma'(z) = 1[z >= 0] (as in the proof of Lemma B.8);
          Lambda = [[1, lambda], [lambda, 1]] with |lambda| <= 1, D = diag(c_1, c_2).
Claim     (17) E[sigma(u) sigma(v)] = (lambda (pi - arccos lambda) + sqrt(1 - lambda^2)) / (2 pi) and
          (18) E[sigma'(u) sigma'(v)] = (pi - arccos lambda) / (2 pi) for (u, v) ~ N(0, Lambda);
          for N(0, D Lambda D) with c_1, c_2 >= 0 (19) the first times c_1 c_2, and (20) the second as it is.
Measured  The difference of the sides, (19) in units of c_1 c_2, the expectations by quadrature over u of the
          conditional mean given u, which needs no arccos. lambda = -1, 0, 1 and values close to them; c = 0
          and from 1e-100 to 1e100.
          (20) breaks at c_1 = 0: there u = 0 and the law does not know lambda, but the right side does.
          For c_1, c_2 > 0 it holds, which is the corrected sibling.
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


def half_line(f, width: float) -> float:
    """The integral over u > 0 of f(u) times the normal density; f changes within ``width`` of 0."""
    cuts = [0.0, *sorted(min(x, END) for x in (width, 3 * width, 9 * width, 40 * width, 1, 2.5, 5, END))]
    total = 0.0
    for low, high in itertools.pairwise(cuts):
        u = low + (high - low) * (NODES + 1) / 2
        density = np.exp(-0.5 * u**2) / math.sqrt(2 * math.pi)
        total += (high - low) / 2 * float(WEIGHTS @ (density * f(u)))
    return total


def mean_relu(lam: float, c1: float = 1.0, c2: float = 1.0) -> float:
    """E[sigma(u) sigma(v)] / (c1 c2) under N(0, D Lambda D); given u, v is normal."""
    if c1 * c2 == 0:
        return 0.0
    spread = math.sqrt((1 - lam) * (1 + lam))

    def inner(u):
        centre, tau = c2 * lam * u, c2 * spread
        if tau == 0:
            return np.maximum(centre, 0)
        z = centre / tau
        return tau * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) + centre * ndtr(z)

    return half_line(lambda u: (c1 * u / c1) * (inner(u) / c2), spread)


def mean_step(lam: float, c1: float = 1.0, c2: float = 1.0) -> float:
    """E[sigma'(u) sigma'(v)] under N(0, D Lambda D), where a variance of zero puts all mass at 0."""
    if c1 == 0 or c2 == 0:
        return (1.0 if c1 == 0 else 0.5) * (1.0 if c2 == 0 else 0.5)
    spread = math.sqrt((1 - lam) * (1 + lam))
    if spread == 0:
        return 0.5 if lam > 0 else 0.0
    return half_line(lambda u: ndtr(lam * u / spread), spread)


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


def values_19(lam, c1, c2):
    return abs(mean_relu(lam, c1, c2) - (relu_part(lam) if c1 * c2 > 0 else 0.0))


def values_19_root(lam, c1, c2):
    return abs(mean_relu(lam, c1, c2) * c1 * c2 - relu_part(lam) * math.sqrt(c1 * c2)) / (1 + c1 * c2)


def values_19_unscaled(lam, c1, c2):
    return abs(mean_relu(lam, c1, c2) * c1 * c2 - relu_part(lam)) / (1 + c1 * c2)


def values_20(lam, c1, c2):
    return abs(mean_step(lam, c1, c2) - angle_part(lam))


def values_20_doubled(lam, c1, c2):
    return abs(mean_step(lam, c1, c2) - 2 * angle_part(lam))


def values_20_scaled(lam, c1, c2):
    return abs(mean_step(lam, c1, c2) - angle_part(lam) * min(c1 * c2, 1.0))


ONE = {"lam": LAMBDA}
ANY = {"lam": LAMBDA, "c1": SCALE, "c2": SCALE}
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


def positive_20(lam, c1, c2):
    return values_20(lam, c1, c2)


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
        unscaled=("without c_1 c_2", values_19_unscaled),
    ),
    difference("(20)", values_20, ANY, STEP + r" \quad (c_1, c_2 \ge 0)", **TWINS_20),
    title="Gaussian expectations of ReLU and of its derivative",
    locus="(17)-(20)",
    regime="met",
    assumptions=(r"$|\lambda| \le 1$, $c_1, c_2 \ge 0$, $\dot\sigma(z) = 1[z \ge 0]$.",),
)

corrected = claim(
    "arora2019.eq_17_20_corrected",
    difference("(20)", positive_20, ABOVE, STEP + r" \quad (c_1, c_2 > 0)", **TWINS_20),
    title="The expectation of ReLU's derivative, both variances positive",
    locus="(20)",
    regime="met",
    assumptions=(r"$|\lambda| \le 1$, $c_1, c_2 > 0$.",),
    printed=False,
    corrects="arora2019.eq_17_20",
)
