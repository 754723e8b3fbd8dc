r"""The formula of Section 4.2 for the tangent kernel of a convolutional network with global average pooling.

Setting   L convolutions with q x q filters and C channels each, zero padding, the average over all places of
          every channel, and a linear readout; ReLU; images P x Q of three colours. The first and the last
          layer are fixed.
Claim     The tangent kernel at initialisation is, with many channels, the mean over all i, j, i', j' of
          [Theta^(L)]_(ij,i'j'), where Theta^(0) = 0, Theta^(h) is as in Section 4.1 for h < L, and
          [Theta^(L)]_(ij,i'j') = (c_sigma / q^2) tr([K-dot^(L) o Theta^(L-1)]_(D_(ij,i'j'))).
Measured  The mean of the kernel of drawn networks over the formula, images 4 x 4 to 8 x 8, L = 2, 3,
          q = 1, 3, 5 (at L = 1 nothing is trained, and both are zero). With C = 32 channels (96 at q = 1)
          the networks' mean is itself off by up to 1 %, and 4 % are let pass.
Erratum   The average sees every place once, not a patch around it. The kernel of the network as defined is
          the mean of (c_sigma / q^2) K-dot^(L) o Theta^(L-1); the patch trace that the formula takes at
          h = L as well makes it too large by about q^2 (less near the border). Both agree at q = 1. Where
          the factor is exactly q^2, as with circular padding, kernel regression does not see it.
"""

from __future__ import annotations

from whp.claims import Twin, claim, mean

from ._cntk import ASSUMPTIONS, STATISTIC, gap

TOLERANCE = 0.04
RATIO = r"\Theta_{\mathrm{network}}(x, x') \,/\, \frac{1}{P^2 Q^2} \sum_{i,j,i',j'} "
FIXED = "The first and the last layer are not trained."

printed = claim(
    "arora2019.cntk_gap",
    mean(
        experiment=gap,
        statistic="4.2",
        quantity=RATIO + r"[\Theta^{(L)}(x, x')]_{ij,i'j'}",
        target=1,
        tolerance=TOLERANCE,
        twins={
            "first layer": Twin(
                "Theta^(0) = Sigma^(0): the first layer trained", statistic="4.2, first layer trained"
            ),
            "last layer": Twin("with K^(L): the last layer trained", statistic="4.2, last layer trained"),
        },
    ),
    title="The tangent kernel of a convolutional network with global average pooling",
    locus="Section 4.2",
    assumptions=(*ASSUMPTIONS, FIXED, STATISTIC),
)

corrected = claim(
    "arora2019.cntk_gap_corrected",
    mean(
        experiment=gap,
        statistic="corrected",
        quantity=RATIO + r"\frac{c_\sigma}{q^2} [\dot K^{(L)} \odot \Theta^{(L-1)}]_{ij,i'j'}",
        target=1,
        tolerance=TOLERANCE,
        twins={
            "first layer": Twin(
                "Theta^(0) = Sigma^(0): the first layer trained", statistic="corrected, first layer trained"
            ),
            "last layer": Twin(
                "with K^(L): the last layer trained", statistic="corrected, last layer trained"
            ),
            "border": Twin("patches wrap around the border", statistic="corrected, circular"),
        },
    ),
    title="The tangent kernel of a convolutional network with pooling has no patch trace at its last layer",
    locus="Section 4.2, step 3",
    assumptions=(*ASSUMPTIONS, FIXED, STATISTIC),
    printed=False,
    corrects="arora2019.cntk_gap",
)
