r"""The convolutional kernel as a sum over layers.

Setting   The network of Section 4.1 with H convolutions, ReLU, zero padding; K^(h), K-dot^(h), Sigma^(h) and
          Theta^(h) of Section 4.1; L(M) = (c_sigma / q^2) tr([M]_D), (34).
Claim     Theta^(H) = tr(K-dot^(H) o Theta^(H-1) + K^(H))
          = tr(K^(H)) + tr(K-dot^(H) o L(K^(H-1))) + tr(K-dot^(H) o L(K-dot^(H-1) o Theta^(H-2))) = ...
          = sum over h = 0, ..., H of tr(K-dot^(H) o L(K-dot^(H-1) o L(... K-dot^(h+1) o L(K^(h)) ...)));
          each term is the kernel of one layer: E<df/dW^(h), df'/dW^(h)> is about the term with K^(h-1).
Measured  The identities on drawn images. The expectations as the mean of the kernel of each layer (first,
          middle and last convolution, and the readout) over its term; 3 or 5 % are let pass, C = 32 channels
          (96 at q = 1) being off by up to 2 % for one layer.
Erratum   (1) The kernel of the network is c_sigma / q^2 times the first line, since x^(H) has this factor.
          (2) The term of h = 0 is L(K^(0)) in the expansion but Sigma^(0) = tr([K^(0)]_D) in Theta^(0), which
          has no such factor. For the first layer the two cancel; for all others a term is q^2 / c_sigma
          times the kernel of its layer. Corrected: the kernel of layer h is
          (c_sigma / q^2) tr(K-dot^(H) o L(... K-dot^(h) o Sigma^(h-1))), of the readout
          (c_sigma / q^2) tr(K^(H)). The derivation of E.2 is in `cntk_expansion_steps`.
"""

from __future__ import annotations

import torch

from whp.claims import Twin, always, claim, mean

from ._cntk import ASSUMPTIONS, STATISTIC, chain, inputs_of_layer, last_step, trace, vanilla
from ._cntk_search import TERM, over, relative, tensors, wrong

# --- E.1: sums of tensors


def terms(t, first):
    """The sum over h of the terms with K^(h); ``first`` replaces L(K^(0)) in that of h = 0."""
    inner = [first, *(t.convolve(K) for K in t.K[1:-1])]  # L(K^(h)), h = 0, ..., H - 1
    return trace(t.K[-1]) + sum(chain(t, h, M) for h, M in enumerate(inner, start=1))


def expansion(**where):
    t = tensors(**where)
    return relative(trace(last_step(t)), terms(t, t.convolve(t.K[0])))


def expansion_corrected(**where):
    t = tensors(**where)
    return relative(trace(last_step(t)), terms(t, inputs_of_layer(t, 1)))


def expansion_without_first(**where):
    t = tensors(**where)
    return relative(trace(last_step(t)), terms(t, torch.zeros_like(t.K[0])))


def expansion_without_patches(**where):
    t = tensors(**where)
    return relative(trace(last_step(t)), terms(t, t.K[0]))


def second_line(convolve=True, **where):
    """The second line, for H of two and more."""
    t = tensors(**where)
    inner = t.K[-2] + t.K_dot[-2] * t.theta()[-2] if t.layers > 1 else t.K[0]
    if t.layers == 1:
        return 0.0
    right = trace(t.K[-1]) + trace(t.K_dot[-1] * (t.convolve(inner) if convolve else inner))
    return relative(trace(last_step(t)), right)


def second_line_without_patches(**where):
    return second_line(convolve=False, **where)


# --- Claims

FIRST_LINE = r"\mathrm{tr}(\dot K^{(H)} \odot \Theta^{(H-1)} + K^{(H)})"
TERM_CORRECTED = (
    r"\frac{c_\sigma}{q^2} \mathrm{tr}(\dot K^{(H)} \odot \mathcal{L}(\cdots \dot K^{(h)} \odot"
    r" \Sigma^{(h-1)} \cdots))"
)
PATCHES = wrong("tr([K^(0)]_D) without its patch trace", expansion_without_patches)
NO_FIRST = wrong("without the term of the first layer", expansion_without_first)
SECOND_LINE = always(
    name="second line",
    experiment=over(second_line),
    statement=FIRST_LINE + r" = \mathrm{tr}(K^{(H)}) + \mathrm{tr}(\dot K^{(H)} \odot \mathcal{L}(K^{(H-1)}))"
    r" + \mathrm{tr}(\dot K^{(H)} \odot \mathcal{L}(\dot K^{(H-1)} \odot \Theta^{(H-2)}))",
    twins={"patches": wrong("without L", second_line_without_patches)},
)


def ratio(name, what, formula, statistic, tolerance=0.05, **twins):
    """The mean of a kernel over its formula."""
    return mean(
        name=name,
        experiment=vanilla,
        statistic=statistic,
        quantity=rf"{what} \,/\, {formula}",
        target=1,
        tolerance=tolerance,
        twins={key: Twin("patches wrap around the border", statistic=value) for key, value in twins.items()},
    )


def single_layers(term, readout, suffix=""):
    """The checks of single layers; the first one's twin serves for all."""
    kernel = r"\langle \partial f / \partial W^{(h)}, \partial f' / \partial W^{(h)} \rangle"
    named = {"h = 1": "first", "h in the middle": "middle", "h = H": "last"}
    for name, layer in named.items():
        twins = {"border": "first circular"} if layer == "first" else {}
        yield ratio(name, kernel, term, layer + suffix, **twins)
    yield ratio("readout", kernel, readout, "readout" + suffix)


sums = claim(
    "arora2019.cntk_expansion",
    always(
        name="expansion",
        experiment=over(expansion),
        statement=FIRST_LINE + r" = \sum_{h=0}^H \mathrm{tr}(\dot K^{(H)} \odot \mathcal{L}(\cdots"
        r" \dot K^{(h+1)} \odot \mathcal{L}(K^{(h)}) \cdots))",
        twins={"first layer": NO_FIRST, "patches": PATCHES},
    ),
    SECOND_LINE,
    ratio("kernel", r"\Theta_{\mathrm{network}}", FIRST_LINE, "E.1", 0.03, border="E.1, circular"),
    *single_layers(TERM, r"\mathrm{tr}(K^{(H)})"),
    title="The convolutional kernel is a sum over layers, a term for the kernel of each",
    locus="Appendix E.1, (34)",
    assumptions=(*ASSUMPTIONS, STATISTIC),
)

sums_corrected = claim(
    "arora2019.cntk_expansion_corrected",
    always(
        name="expansion",
        experiment=over(expansion_corrected),
        statement=FIRST_LINE + r" = \mathrm{tr}(K^{(H)}) + \sum_{h=1}^H \mathrm{tr}(\dot K^{(H)} \odot"
        r" \mathcal{L}(\cdots \dot K^{(h)} \odot \Sigma^{(h-1)} \cdots))",
        twins={"first layer": NO_FIRST, "patches": PATCHES},
    ),
    SECOND_LINE,
    ratio(
        "kernel",
        r"\Theta_{\mathrm{network}}",
        r"\frac{c_\sigma}{q^2} " + FIRST_LINE,
        "corrected",
        0.03,
        border="corrected, circular",
    ),
    *single_layers(TERM_CORRECTED, r"\frac{c_\sigma}{q^2} \mathrm{tr}(K^{(H)})", " corrected"),
    title="The convolutional kernel is a sum over layers, c_sigma / q^2 times a term for each",
    locus="Appendix E.1, (34)",
    assumptions=(*ASSUMPTIONS, STATISTIC),
    printed=False,
    corrects="arora2019.cntk_expansion",
)
