r"""The share of neurons that are active at both inputs, given the layer before.

Setting   relu; x, x' fixed; D = D^(h)(x) D^(h)(x'), D^(h) the diagonal of sigma'(f^(h)); G^(h) the Gram
          matrix of g^(h)(x), g^(h)(x'); t the function c E[sigma'(u) sigma'(v)], c = 2, of a Gram matrix.
Claim     For any 0 <= h <= L - 1 and any fixed W^(1), ..., W^(h), with probability 1 - delta over W^(h+1),
          |2 tr(D) / d_h - t(G^(h))| < sqrt(2 log(2 / delta) / d_h).
Measured  the delta at which the inequality is left, in networks of three layers; and, for the corrected
          statement, by exact law: tr(D) is binomial given the layer before, to probabilities of 1e-12.
Errors    D^(h) is fixed by W^(1), ..., W^(h), and has probability law t(G^(h-1)); at h = 0 there is no D.
          With D^(h+1) and d_(h+1) the statement is Hoeffding's inequality, and that is what Lemma B.5 uses.
"""

from __future__ import annotations

import math

from hypothesis import strategies as st
from scipy.stats import binom

from whp.claims import Twin, always, bound, claim, search

from ._tails import LEVELS, even

LAW = {
    "width": st.one_of(st.integers(1, 50), st.integers(1, 10**6)),
    "share": st.one_of(st.floats(0.0, 0.5), st.sampled_from([0.0, 0.25, 0.5])),
    "digits": st.floats(0.0, 12.0),
}


def left(width, share, distance):
    """P(|2 T / d - 2 p| >= s), T binomial with d trials and probability p."""
    low, high = (width * (share + sign * distance / 2) for sign in (-1, 1))
    return float(binom.cdf(math.floor(low), width, share) + binom.sf(math.ceil(high) - 1, width, share))


def over(width, share, digits, factor=1.0, count=2):
    """log of the exact probability over delta = 10^-digits at ``factor`` times the printed distance."""
    distance = factor * math.sqrt(2 * (math.log(count) + digits * math.log(10)) / width)
    found = left(width, share, distance)
    return math.log(found) + digits * math.log(10) if found > 0 else -1e3


def law(width, share, digits):
    return over(width, share, digits)


def law_half(width, share, digits):
    return over(width, share, digits, factor=0.5)


def law_one_sided(width, share, digits):
    return over(width, share, digits, factor=2**-0.5, count=1)


def measured(index, name):
    """The check in drawn networks at layer h or h + 1."""
    return bound(
        name=name,
        experiment=even,
        statistic=index,
        quantity=QUANTITY.replace("INDEX", index.removeprefix("at ").replace(" ", "")),
        delta=LEVELS,
        tail_of=True,
        twins={
            "half": Twin("half of the distance", statistic=f"{index}, half"),
            "square": Twin("d^(3/4) in place of the root of d", statistic=f"{index}, square"),
        },
    )


QUANTITY = (
    r"\Pr\left[\left|\frac{2 \operatorname{tr} D^{(INDEX)}}{d_{INDEX}} - t_{\dot\sigma}(G^{(h)})\right| \ge"
    r" \sqrt{\frac{2 \log(2/\delta)}{d_{INDEX}}}\right] \le \delta"
)
ASSUMPTIONS = [
    r"$\sigma(z) = \max(0, z)$; $x, x'$ fixed; weights $N(0, 1)$.",
    r"Three hidden layers of $d$ neurons; $h = 1$; the pair $(x, x')$.",
]

lemma = claim(
    "arora2019.lemma_b_9",
    measured("at h", "networks"),
    title="The share of neurons that are active at both inputs, given the layer before",
    locus="Lemma B.9",
    regime="met",
    assumptions=ASSUMPTIONS,
)

corrected = claim(
    "arora2019.lemma_b_9_corrected",
    measured("at h + 1", "networks"),
    always(
        name="exact law",
        experiment=search(law, given=LAW),
        statement=r"\Pr\left[|2 T / d - 2 p| \ge \sqrt{2 \log(2/\delta) / d}\right] \le \delta,\; T \sim"
        r" \mathrm{Bin}(d, p)",
        twins={
            "half": Twin("half of the distance", experiment=search(law_half, given=LAW, shrink=False)),
            "one sided": Twin(
                "sqrt(log(1 / delta) / d)", experiment=search(law_one_sided, given=LAW, shrink=False)
            ),
        },
    ),
    title="The share of neurons of layer h + 1 that are active at both inputs, given layer h",
    locus="Lemma B.9",
    regime="met",
    assumptions=ASSUMPTIONS,
    printed=False,
    corrects="arora2019.lemma_b_9",
)
