r"""The activation patterns are close to their limit where features are.

Setting   relu; |x|, |x'| <= 1; A^h(e): all inner products of g^(h)(x), g^(h)(x') within e of Sigma^(h);
          D^h(e): |2 tr(D) / d_h - Sigma-dot^(h)| < e for the three pairs of inputs, D = D^(h)(x) D^(h)(x').
Claim     P(A^(h+1)(e_1^2 / 2) => D^h(e_1 + sqrt(2 log(6 / delta) / d_h))) >= 1 - delta for all e_1 in [0,
          1], delta in (0, 1); the implication read as material, see lemma_b_2.
Measured  the delta at which D^h is left, for h = 2 of three hidden layers: of one width, at inputs of norm 1
          and 0.01, e_1 as small as leaves A^3 frequent (0.76 |x| at d = 300); and at inputs of norm 0.03,
          with widths 6, d, 50 (e_1 = 0.1). At norm 1 and one width e_1 is many times the fluctuations of the
          traces and nothing could be violated: what decides there is the exact law. For the corrected
          statement: behind a layer of 2 10^4 neurons a layer of ten (norm 1, e_1 = 0.19); h = 1, where
          e_1 = 0 will do as A^0 is sure; and the exact law: given g^(h-1) the traces are binomial, with
          any Gram matrix that A^(h-1) allows, to probabilities of 1e-12.
Errors    D^h is a function of g^(h-1), of which A^(h+1) knows little; for h = L there is no A^(h+1).
          Moreover Sigma-dot depends on the angle alone, and the events A are absolute: for |x|^2 of the
          order of e_1^2 they say nothing about the angle, and a narrow layer before layer h leaves it to
          chance (proof: Lemma B.8, "easy to verify", has norm one in mind). That is what refutes the printed
          lemma, and only for such short inputs; with the index alone wrong, at norm one, four in 10^8
          networks with two to ten neurons beside a very wide layer h were violations: it takes delta < 1e-7
          and d_h > 10^6 to see it.
Corrected A^(h-1)(min(|x|^2, |x'|^2) e_1^2 / 2) in place of A^(h+1)(e_1^2 / 2), for x, x' other than zero.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.stats import binom

from whp.claims import Twin, always, bound, claim, search

from ._tails import LEVELS, even, narrow, short, slope_law

entry = st.one_of(st.floats(-1.0, 1.0), st.sampled_from([-1.0, 0.0, 1.0]))
worst = (1.0, (1.0, -1.0, 1.0))  # one input twice, its features turned as far apart as may be
LAW = {
    "width": st.one_of(st.integers(1, 50), st.integers(1, 10**6), st.just(10**8)),
    # The cosine of Sigma^(h-1), and the distance of the features from it in units of e_1^2 / 2.
    "gram": st.one_of(st.just(worst), st.tuples(st.floats(-1.0, 1.0), st.tuples(entry, entry, entry))),
    "ratio": st.one_of(st.just(1.0), st.floats(1.0, 10.0)),  # |x'| / |x|
    "epsilon": st.one_of(st.sampled_from([0.0, 0.1, 0.3, 1.0]), st.floats(0.0, 1.0)),
    "digits": st.one_of(st.just(12.0), st.floats(0.0, 12.0)),
}


def outside(width, share, limit, distance):
    """P(|2 T / d - limit| >= distance), T binomial with d trials and probability share."""
    low, high = (width * (limit + sign * distance) / 2 for sign in (-1, 1))
    return float(binom.cdf(math.floor(low), width, share) + binom.sf(math.ceil(high) - 1, width, share))


def separate(gram, ratio, epsilon, norm=1.0):
    """Laws of the three traces given g^(h-1), and their limits; nothing if no features are like that.

    The statement is homogeneous: |x| = 1 <= |x'| = ``ratio``. A twin has the event for |x| = 1 at |x| =
    ``norm``.
    """
    cosine, off = gram
    limit = norm**2 * np.array([1.0, cosine * ratio, ratio**2])
    moved = limit + epsilon**2 / 2 * np.array(off)
    if min(moved[0], moved[2]) <= 0 or moved[1] ** 2 > moved[0] * moved[2]:
        return []
    return list(zip(slope_law(moved), slope_law(limit), strict=True))


def over(width, gram, ratio, epsilon, digits, *, norm=1.0, share=1.0, power=1, factor=1.0, join=sum):
    """log of the probability that a trace is too far away, given g^(h-1), over delta = 10^-digits.

    The probabilities at the three pairs are added, as an upper limit of that of their union; a twin takes
    the largest, as a lower one.
    """
    root = math.sqrt(2 * (math.log(6) + digits * math.log(10)) / width)
    distance = share * epsilon**power + factor * root
    pairs = separate(gram, ratio, epsilon, norm)
    found = join([outside(width, drawn / 2, meant, distance) for drawn, meant in pairs] or [0.0])
    return math.log(found) + digits * math.log(10) if found > 0 else -1e3


def law(**inputs):
    return over(**inputs)


def law_short(**inputs):
    return over(**inputs, norm=0.3, join=max)


def law_square(**inputs):
    return over(**inputs, power=2, join=max)


def law_share(**inputs):
    return over(**inputs, share=0.4, join=max)


def law_root(**inputs):
    return over(**inputs, factor=0.9, join=max)


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
AFTER = r"\bar{\mathcal{A}}^{h + 1}(\epsilon_1^2/2) \wedge \max\,"
NEAREST = r"\bar{\mathcal{A}}^{h - 1}(\min(\|x\|, \|x'\|)^2 \epsilon_1^2/2)"
FIFTHS = "three fifths of the root"
POWER = "d^(5/8) in place of the root of d"
RELU = r"$\sigma(z) = \max(0, z)$; weights $N(0, 1)$; $h = 2$ of two or three hidden layers."

lemma = claim(
    "arora2019.lemma_b_5",
    networks("one width", even, "after", AFTER, half="half of the root", power=POWER),
    networks(
        "short inputs",
        short,
        "after",
        AFTER,
        **{"exact features": "without e_1", "square": "e_1^2 / 2 in place of e_1"},
    ),
    title="The activation patterns are close to their limit where the features after them are, for inputs"
    " of norm up to one",
    locus="Lemma B.5",
    regime="met",
    assumptions=[RELU, r"$\|x\|, \|x'\| \le 1$, as in Theorem B.2, for which the lemma is used."],
)

corrected = claim(
    "arora2019.lemma_b_5_corrected",
    networks(
        "narrow behind wide", narrow, "before", NEAREST + r" \wedge \max\,", third="a third of the root"
    ),
    networks("first layer", even, "first", r"\max\,", **{"three fifths": FIFTHS, "power": POWER}),
    always(
        name="exact law",
        experiment=search(law, given=LAW),
        statement=QUANTITY.replace("EVENT", r"\max\,").replace(r"\right] \le", r" \mid g^{(h-1)}\right] \le")
        + rf"\ \text{{on}}\ {NEAREST}",
        twins={
            "short": Twin(
                "without the norms, at |x| = 0.3", experiment=search(law_short, given=LAW, shrink=False)
            ),
            "square": Twin("e_1^2 in place of e_1", experiment=search(law_square, given=LAW, shrink=False)),
            "two fifths": Twin(
                "two fifths of e_1; 0.45 would do for small e_1",
                experiment=search(law_share, given=LAW, examples=(200, 500, 5000), shrink=False),
            ),
            "nine tenths": Twin(
                "nine tenths of the root", experiment=search(law_root, given=LAW, shrink=False)
            ),
        },
    ),
    title="The activation patterns are close to their limit where the features before them are, by the norms",
    locus="Lemma B.5",
    regime="met",
    assumptions=[RELU, r"$x, x' \ne 0$."],
    printed=False,
    corrects="arora2019.lemma_b_5",
)
