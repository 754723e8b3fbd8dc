r"""The activation patterns of all layers are close to their limits where all features are.

Setting   as in lemma_b_5; L = 3 hidden layers of d neurons.
Claim     P(A(e_1^2 / 2) => D(e_1 + sqrt(2 log(6 L / delta) / min_h d_h))) >= 1 - delta for all e_1 in [0,
          1], delta in (0, 1), A and D over all layers; the implication read as material, see lemma_b_2.
Measured  the delta at which it is left, at e_1 = 0.9, with A and D read as intersections over the layers,
          which is meant, and as unions, which is printed. Printed D goes to h = L + 1, where there is no
          D^(h). |x| = 1 and |x| = 0.1.
Proof     "Apply union bound on Lemma B.5", which is false for short inputs behind a narrow layer. As that
          layer enters min_h d_h here, the conclusion is then empty, and no violation was found.
"""

from __future__ import annotations

from whp.claims import Twin, bound, claim

from ._tails import LEVELS, even


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
        **{
            "half": "half of the root, without e_1",
            "one event": "half of the root, without e_1 and without 6 L",
        },
    ),
    reading("unions", "any", "bigcup", fifth="a fifth of the root, without e_1"),
    title="The activation patterns of all layers are close to their limits where all features are",
    locus="Lemma B.6",
    regime="met",
    assumptions=[
        r"$\sigma(z) = \max(0, z)$; $\|x\|, \|x'\| \le 1$; weights $N(0, 1)$.",
        r"Three hidden layers of $d$ neurons; $\epsilon_1 = 0.9$.",
    ],
)
