r"""The activation patterns of all layers are close to their limits where all features are.

Setting   as in lemma_b_5; L hidden layers.
Claim     P(A(e_1^2 / 2) => D(e_1 + sqrt(2 log(6 L / delta) / min_h d_h))) >= 1 - delta for all e_1 in [0,
          1], delta in (0, 1), A and D over all layers; the implication read as material, see lemma_b_2.
Measured  the delta at which it is left, with A and D read as intersections over the layers, which is meant:
          three layers of d neurons, at inputs of norm 1 and 0.01, e_1 as small as leaves A frequent (0.76 |x|
          at d = 300; at norm 1 that is many times the fluctuations, and only norm 0.01 could show a
          violation). And read as unions, which is printed: L = 1, where they say most, with e_1 = 0, as A^0
          is sure; more layers only weaken a union. Printed D goes to h = L + 1, where there is no D^(h). By
          exact law at |x| = |x'| = 1, one to four layers of any widths: given g^(h-1), any that A^(h-1)
          allows, the traces of layer h are binomial; their probabilities to be outside are added over layers
          and pairs, to delta = 1e-12.
Proof     "Apply union bound on Lemma B.5", which is false for short inputs behind a narrow layer. As that
          layer enters min_h d_h here, the conclusion is then empty, and no violation was found.
Undecided short inputs in deep networks at tiny delta. For |x| -> 0 the event A is sure at any e_1, and d
          Var(2 tr D^(h) / d), in networks of one width, is 1.1 to 1.2 from the seventh layer on (simulated,
          the angle's fluctuations included), where Hoeffding's inequality has 1. A Gaussian tail of that
          variance exceeds delta by a power of 1 / delta, and for ten to a hundred layers would refute the
          lemma from log(1 / delta) of 18 to 54 on. That is an extrapolation: nothing here reaches such
          probabilities without fixing g^(h-1), and PASS does not speak of this corner.
"""

from __future__ import annotations

import math

from hypothesis import strategies as st

from whp.claims import Twin, always, bound, claim, search

from ._tails import LEVELS, even
from .lemma_b_5 import LAW, outside, separate

LAYERED = {
    "layers": st.lists(st.tuples(LAW["width"], LAW["gram"]), min_size=1, max_size=4),
    **{name: LAW[name] for name in ("epsilon", "digits")},
}


def over(layers, epsilon, digits, *, count=6, share=1.0, factor=1.0, join=sum):
    """log of the sum of the layers' probabilities to be outside, over delta = 10^-digits.

    A twin takes the largest in place of the sum.
    """
    least = min(width for width, _ in layers)
    allowed = math.log(count * len(layers)) + digits * math.log(10)
    distance = share * epsilon + factor * math.sqrt(2 * allowed / least)
    found = join(
        [
            outside(width, drawn / 2, meant, distance)
            for width, gram in layers
            for drawn, meant in separate(gram, 1.0, epsilon)
        ]
        or [0.0]
    )
    return math.log(found) + digits * math.log(10) if found > 0 else -1e3


def law(**inputs):
    return over(**inputs)


def law_root(**inputs):
    return over(**inputs, factor=0.85, join=max)


def law_share(**inputs):
    return over(**inputs, share=0.4, join=max)


def reading(name, statistic, bar, **twins):
    """The check with the bars read as intersections or unions."""
    features, patterns = (rf"\textstyle\{bar}_h \bar{{\mathcal{{{event}}}}}^h" for event in "AD")
    return bound(
        name=name,
        experiment=even,
        statistic=statistic,
        quantity=rf"\Pr\left[{features}(\epsilon_1^2/2) \Rightarrow {patterns}\left(\epsilon_1 +"
        r" \sqrt{2 \log(6L/\delta) / \min_h d_h}\right)\right] \ge 1 - \delta",
        delta=LEVELS,
        tail_of=True,
        twins={key: Twin(why, statistic=f"{statistic}, {key}") for key, why in twins.items()},
    )


lemma = claim(
    "arora2019.lemma_b_6",
    reading(
        "intersections",
        "all",
        "bigcap",
        **{"three fifths": "three fifths of the root", "one event": "four fifths of the root, without 6 L"},
    ),
    reading(
        "unions",
        "first",
        "bigcup",
        **{"three fifths": "three fifths of the root", "power": "d^(5/8) in place of the root of d"},
    ),
    always(
        name="exact law",
        experiment=search(law, given=LAYERED),
        statement=r"\sum_h \Pr\left[\neg \bar{\mathcal{D}}^h\left(\epsilon_1 + \sqrt{2 \log(6L/\delta) /"
        r" \min_h d_h}\right) \mid g^{(h-1)}\right] \le \delta\ \text{on}\ \textstyle\bigcap_h"
        r" \bar{\mathcal{A}}^h(\epsilon_1^2/2),\ \|x\| = \|x'\| = 1",
        twins={
            "root": Twin("0.85 of the root", experiment=search(law_root, given=LAYERED, shrink=False)),
            "two fifths": Twin(
                "two fifths of e_1",
                experiment=search(law_share, given=LAYERED, examples=(200, 500, 5000), shrink=False),
            ),
        },
    ),
    title="The activation patterns of all layers are close to their limits where all features are",
    locus="Lemma B.6",
    regime="met",
    assumptions=[
        r"$\sigma(z) = \max(0, z)$; $\|x\|, \|x'\| \le 1$; weights $N(0, 1)$.",
        r"Not decided: short inputs, seven layers or more, and $\delta$ below about $10^{-8}$.",
    ],
)
