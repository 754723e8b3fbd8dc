r"""The activation patterns are close to their limit where features are.

Setting   relu; |x|, |x'| <= 1; A^h(e): all inner products of g^(h)(x), g^(h)(x') within e of Sigma^(h);
          D^h(e): |2 tr(D) / d_h - Sigma-dot^(h)| < e for the three pairs of inputs, D = D^(h)(x) D^(h)(x').
Claim     P(A^(h+1)(e_1^2 / 2) => D^h(e_1 + sqrt(2 log(6 / delta) / d_h))) >= 1 - delta for all e_1 in [0,
          1], delta in (0, 1); the implication read as material, see lemma_b_2.
Measured  the delta at which D^h is left, for h = 2 of three hidden layers: of one width (e_1 = 0.9); with
          widths 16, d, 50 (e_1 = 0.9); and at inputs of norm 0.03, with widths 6, d, 50 (e_1 = 0.1). For the
          corrected statement also h = 1, where e_1 = 0 will do as A^0 is sure, and the exact law: given
          g^(h-1) the traces are binomial, with any Gram matrix that A^(h-1) allows, to probabilities of
          1e-12.
Errors    D^h is a function of g^(h-1), of which A^(h+1) knows little; for h = L there is no A^(h+1).
          Moreover Sigma-dot depends on the angle alone, and the events A are absolute: for |x|^2 of the
          order of e_1^2 they say nothing about the angle, and a narrow layer before layer h leaves it to
          chance (proof: Lemma B.8, "easy to verify", has norm one in mind). That is what refutes the printed
          lemma; with the index alone wrong, at norm one, four in 10^8 networks with two to ten neurons
          beside a very wide layer h were violations: it takes delta < 1e-7 and d_h > 10^6 to see it.
Corrected A^(h-1) in place of A^(h+1), and |x| = |x'| = 1.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.stats import binom

from whp.claims import Twin, always, bound, claim, search

from ._tails import LEVELS, even, rough, short, slope_law

entry = st.one_of(st.floats(-1.0, 1.0), st.sampled_from([-1.0, 0.0, 1.0]))
worst = (1.0, (1.0, -1.0, 1.0))  # one input twice, its features turned as far apart as may be
LAW = {
    "width": st.one_of(st.integers(1, 50), st.integers(1, 10**6), st.just(10**8)),
    # The cosine of Sigma^(h-1), and the distance of the features from it in units of e_1^2 / 2.
    "gram": st.one_of(st.just(worst), st.tuples(st.floats(-1.0, 1.0), st.tuples(entry, entry, entry))),
    "epsilon": st.one_of(st.sampled_from([0.1, 0.3, 1.0]), st.floats(0.0, 1.0)),
    "digits": st.floats(0.0, 12.0),
}


def outside(width, share, limit, distance):
    """P(|2 T / d - limit| >= distance), T binomial with d trials and probability share."""
    low, high = (width * (limit + sign * distance) / 2 for sign in (-1, 1))
    return float(binom.cdf(math.floor(low), width, share) + binom.sf(math.ceil(high) - 1, width, share))


def over(width, gram, epsilon, digits, *, norm=1.0, power=1, factor=1.0, join=sum):
    """log of the probability that a trace is too far away, given g^(h-1), over delta = 10^-digits.

    The probabilities at the three pairs are added, as an upper limit of that of their union; a twin takes
    the largest, as a lower one.
    """
    cosine, off = gram
    limit = norm**2 * np.array([1.0, cosine, 1.0])
    moved = limit + epsilon**2 / 2 * np.array(off)
    if min(moved[0], moved[2]) <= 0 or moved[1] ** 2 > moved[0] * moved[2]:
        return -1e3  # no features have these inner products, or they vanish
    distance = epsilon**power + factor * math.sqrt(2 * (math.log(6) + digits * math.log(10)) / width)
    pairs = zip(slope_law(moved), slope_law(limit), strict=True)
    found = join(outside(width, drawn / 2, meant, distance) for drawn, meant in pairs)
    return math.log(found) + digits * math.log(10) if found > 0 else -1e3


def law(**inputs):
    return over(**inputs)


def law_short(**inputs):
    return over(**inputs, norm=0.3, join=max)


def law_square(**inputs):
    return over(**inputs, power=2, join=max)


def law_half_root(**inputs):
    return over(**inputs, factor=0.5, join=max)


def networks(name, measured, statistic, event, **twins):
    """A check in drawn networks."""
    return bound(
        name=name,
        experiment=measured,
        statistic=statistic,
        quantity=QUANTITY.replace("EVENT", event),
        delta=LEVELS,
        tail_of=True,
        twins={key: Twin(why, statistic=f"{statistic}, {key}") for key, why in twins.items()},
    )


QUANTITY = (
    r"\Pr\left[EVENT\left|\frac{2 \operatorname{tr} D}{d_h} - \dot\Sigma^{(h)}\right| \ge \epsilon_1 +"
    r" \sqrt{2 \log(6/\delta) / d_h}\right] \le \delta"
)
AFTER, BEFORE = (
    rf"\bar{{\mathcal{{A}}}}^{{h {sign} 1}}(\epsilon_1^2/2) \wedge \max\," for sign in ("+", "-")
)
HALF = "half of the root, without e_1"
SQUARE = "d^(3/4) in place of the root of d, without e_1"
EXACT = "without e_1, as for features at their limit"
SECOND = "e_1^2 / 2 in place of e_1"
RELU = r"$\sigma(z) = \max(0, z)$; weights $N(0, 1)$; three hidden layers, $h = 2$."

lemma = claim(
    "arora2019.lemma_b_5",
    networks("one width", even, "after", AFTER, half=HALF, square=SQUARE),
    networks("narrow before and after", rough, "after", AFTER, **{"exact features": EXACT}),
    networks("short inputs", short, "after", AFTER, **{"exact features": EXACT, "square": SECOND}),
    title="The activation patterns are close to their limit where the features after them are",
    locus="Lemma B.5",
    regime="met",
    assumptions=[RELU, r"$\|x\|, \|x'\| \le 1$, as in Theorem B.2, for which the lemma is used."],
)

corrected = claim(
    "arora2019.lemma_b_5_corrected",
    networks("one width", even, "before", BEFORE, half=HALF),
    networks("first layer", even, "first", "", half="half of the root"),
    networks("narrow before and after", rough, "before", BEFORE, **{"exact features": EXACT}),
    always(
        name="exact law",
        experiment=search(law, given=LAW),
        statement=QUANTITY.replace("EVENT", r"\max\,").replace(r"\right] \le", r" \mid g^{(h-1)}\right] \le")
        + r"\ \text{on}\ \bar{\mathcal{A}}^{h-1}(\epsilon_1^2 / 2)",
        twins={
            "short": Twin("|x| = 0.3", experiment=search(law_short, given=LAW, shrink=False)),
            "square": Twin("e_1^2 in place of e_1", experiment=search(law_square, given=LAW, shrink=False)),
            "half of the root": Twin(
                "half of the root", experiment=search(law_half_root, given=LAW, shrink=False)
            ),
        },
    ),
    title="The activation patterns are close to their limit where the features before them are",
    locus="Lemma B.5",
    regime="met",
    assumptions=[RELU, r"$\|x\| = \|x'\| = 1$."],
    printed=False,
    corrects="arora2019.lemma_b_5",
)
