r"""The outputs at initialisation are bounded where the last features are close to their limit.

Setting   relu; |x|, |x'| <= 1; A^L(e): all inner products of g^(L)(x), g^(L)(x') within e of Sigma^(L);
          C(e): |f(x)| <= e and |f(x')| <= e.
Claim     P(A^L(e_1^2 / 2) => C(2 sqrt(log(4 / delta)))) >= 1 - delta for all e_1 in [0, 1], delta in (0, 1);
          the implication read as material, see lemma_b_2.
Measured  the delta at which C is left, in networks of three hidden layers at e_1 = 1, where the event A^L is
          largest; and by exact law: given g^(L) the outputs are bivariate Gaussian, with any Gram matrix
          that A^L allows, to probabilities of 1e-12.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtr

from whp.claims import Twin, always, bound, claim, search

from ._tails import LEVELS, even

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)

entry = st.one_of(st.floats(-1.0, 1.0), st.sampled_from([-1.0, 0.0, 1.0]))
LAW = {
    "norms": st.tuples(*2 * [st.one_of(st.just(1.0), st.floats(0.0, 1.0))]),  # Sigma^(L)(x, x) and at x'
    "cosine": st.floats(0.0, 1.0),  # of Sigma^(L)
    "epsilon": st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
    "off": st.tuples(entry, entry, entry),  # of g^(L), in units of e_1^2 / 2
    "digits": st.floats(0.0, 12.0),
}


def outside(first, second, inner, r):
    """P(|u| > r or |v| > r) for centred Gaussians of these variances; nothing in it is subtracted."""
    large, small = max(first, second), min(first, second)
    if large == 0.0:
        return 0.0
    sd, rest = math.sqrt(large), math.sqrt(max(small - inner**2 / large, 0.0))
    u = r * NODES
    mean = inner / large * u
    with np.errstate(divide="ignore", invalid="ignore"):
        tails = ndtr((mean - r) / rest) + ndtr((-mean - r) / rest) if rest > 0 else 1.0 * (np.abs(mean) > r)
    density = np.exp(-(u**2) / (2 * large)) / (sd * math.sqrt(2 * math.pi))
    return float(2 * ndtr(-r / sd) + r * np.sum(WEIGHTS * density * tails))


def over(level, norms, cosine, epsilon, off, digits):
    """log of the probability that C is left, given the features, over delta = 10^-digits."""
    limit = np.array([norms[0], cosine * math.sqrt(norms[0] * norms[1]), norms[1]])
    first, inner, second = limit + epsilon**2 / 2 * np.array(off)
    if first < 0 or second < 0 or inner**2 > first * second:
        return -1e3  # no features have these inner products
    found = outside(first, second, inner, level(digits * math.log(10)))
    return math.log(found) + digits * math.log(10) if found > 0 else -1e3


def law(**inputs):
    return over(lambda x: 2 * math.sqrt(math.log(4) + x), **inputs)


def law_exact_norm(**inputs):
    return over(lambda x: math.sqrt(2 * (math.log(4) + x)), **inputs)


def law_fourth_root(**inputs):
    return over(lambda x: 2 * (math.log(4) + x) ** 0.25, **inputs)


lemma = claim(
    "arora2019.lemma_b_4",
    bound(
        name="networks",
        experiment=even,
        statistic="outputs",
        quantity=r"\Pr\left[\bar{\mathcal{A}}^L(\tfrac12) \wedge \max(|f(x)|, |f(x')|) >"
        r" 2 \sqrt{\log(4/\delta)}\right] \le \delta",
        delta=LEVELS,
        tail_of=True,
        twins={
            "third": Twin("2/3 in place of 2", statistic="outputs, third"),
            "without 4": Twin("sqrt(log(1 / delta))", statistic="outputs, without 4"),
        },
    ),
    always(
        name="exact law",
        experiment=search(law, given=LAW),
        statement=r"\Pr\left[\max(|f(x)|, |f(x')|) > 2 \sqrt{\log(4/\delta)} \mid g^{(L)}\right] \le \delta"
        r"\ \text{on}\ \bar{\mathcal{A}}^L(\epsilon_1^2 / 2)",
        twins={
            "exact norm": Twin(
                "sqrt(2) in place of 2, as for features of norm one",
                experiment=search(law_exact_norm, given=LAW, shrink=False),
            ),
            "fourth root": Twin(
                "fourth root of the logarithm", experiment=search(law_fourth_root, given=LAW, shrink=False)
            ),
        },
    ),
    title="The outputs at initialisation are bounded where the last features are close to their limit",
    locus="Lemma B.4",
    regime="met",
    assumptions=[
        r"$\sigma(z) = \max(0, z)$; $\|x\|, \|x'\| \le 1$; weights $N(0, 1)$.",
        r"Three hidden layers of $d$ neurons.",
    ],
)
