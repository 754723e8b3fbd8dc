r"""The formula of Section 4.1 for the tangent kernel of a convolutional network without pooling.

Setting   L convolutions with q x q filters and C channels each, zero padding, and a fully connected readout;
          ReLU; images P x Q of three colours.
Claim     The tangent kernel at initialisation is, with many channels, tr(Theta^(L)(x, x')), where
          Theta^(0) = Sigma^(0) and for h = 1, ..., L
          [Theta^(h)]_(ij,i'j') = (c_sigma / q^2) tr([K-dot^(h) o Theta^(h-1) + K^(h)]_(D_(ij,i'j'))).
Measured  The mean of the kernel of drawn networks over the formula, images 4 x 4 to 8 x 8, L = 1, 2, 3,
          q = 1, 3, 5. With C = 32 channels (96 at q = 1) the networks' mean is itself off by up to 1 %
          (exact for L = 1), and 3 % are let pass.
Erratum   The last layer is fully connected: it sees every place once, not a patch around it. The kernel of
          the network as defined is (c_sigma / q^2) tr(K-dot^(L) o Theta^(L-1) + K^(L)); the patch trace that
          the formula takes at h = L as well makes it too large by about q^2 (less near the border). Both
          agree at q = 1. Appendix E has no such trace at h = L.
"""

from __future__ import annotations

from whp.claims import Twin, claim, mean

from ._cntk import ASSUMPTIONS, STATISTIC, vanilla

TOLERANCE = 0.03
RATIO = r"\Theta_{\mathrm{network}}(x, x') \,/\, "
INNER = r"\dot K^{(L)} \odot \Theta^{(L-1)} + K^{(L)}"

printed = claim(
    "arora2019.cntk_vanilla",
    mean(
        experiment=vanilla,
        statistic="4.1",
        quantity=RATIO + r"\mathrm{tr}(\Theta^{(L)}(x, x'))",
        target=1,
        tolerance=TOLERANCE,
        twins={
            "first layer": Twin("Theta^(0) = 0: the first layer fixed", statistic="4.1, first layer fixed"),
            "last layer": Twin("K^(L) left out: the last layer fixed", statistic="4.1, last layer fixed"),
        },
    ),
    title="The tangent kernel of a convolutional network without pooling",
    locus="Section 4.1",
    assumptions=(*ASSUMPTIONS, STATISTIC),
)

corrected = claim(
    "arora2019.cntk_vanilla_corrected",
    mean(
        experiment=vanilla,
        statistic="corrected",
        quantity=RATIO + rf"\frac{{c_\sigma}}{{q^2}} \mathrm{{tr}}({INNER})",
        target=1,
        tolerance=TOLERANCE,
        twins={
            "first layer": Twin(
                "Theta^(0) = 0: the first layer fixed", statistic="corrected, first layer fixed"
            ),
            "last layer": Twin(
                "K^(L) left out: the last layer fixed", statistic="corrected, last layer fixed"
            ),
            "border": Twin("patches wrap around the border", statistic="corrected, circular"),
        },
    ),
    title="The tangent kernel of a network without pooling has no patch trace at its last layer",
    locus="Section 4.1, step 2 at h = L",
    assumptions=(*ASSUMPTIONS, STATISTIC),
    printed=False,
    corrects="arora2019.cntk_vanilla",
)
