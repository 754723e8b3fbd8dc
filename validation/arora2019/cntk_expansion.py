r"""The convolutional kernel as a sum over layers, and its derivation.

Setting   The network of Section 4.1 with H convolutions, ReLU, zero padding; K^(h), K-dot^(h), Sigma^(h) and
          Theta^(h) of Section 4.1; L(M) = (c_sigma / q^2) tr([M]_D), (34).
Claim     (E.1) Theta^(H) = tr(K-dot^(H) o Theta^(H-1) + K^(H))
          = tr(K^(H)) + tr(K-dot^(H) o L(K^(H-1))) + tr(K-dot^(H) o L(K-dot^(H-1) o Theta^(H-2))) = ...
          = sum over h = 0, ..., H of tr(K-dot^(H) o L(K-dot^(H-1) o L(... K-dot^(h+1) o L(K^(h)) ...)));
          each term is the kernel of one layer: E<df/dW^(h), df'/dW^(h)> is about the term with K^(h-1).
          (E.2) the kernel of layer h is the sum (35) over channels, places and patches; the derivative of
          x^(h+1) by x^(h) has weights [W^(h+1)]_(i-k+q-1, j-l+q-1); tr(G^(h),(H)) is the term with K^(h-1).
Measured  The identities on drawn images and networks, derivatives by automatic differentiation. The
          expectations as the mean of the kernel of each layer (first, middle and last convolution, and the
          readout) over its term; 3 or 5 % are let pass, C = 32 channels (96 at q = 1) being off by up to 2 %
          for one layer.
Erratum   (1) The kernel of the network is c_sigma / q^2 times the first line, since x^(H) has this factor.
          (2) The term of h = 0 is L(K^(0)) in the expansion but Sigma^(0) = tr([K^(0)]_D) in Theta^(0), which
          has no such factor. For the first layer the two cancel; for all others a term is q^2 / c_sigma
          times the kernel of its layer. (3) G^(h),(h) has tr([K^(h-1)]_D) where the term has L(K^(h-1)).
          (4) The index is i - k + (q+1)/2; the printed one is right for q = 3 alone. Corrected: the kernel of
          layer h is (c_sigma / q^2) tr(K-dot^(H) o L(... K-dot^(h) o Sigma^(h-1))), of the readout
          (c_sigma / q^2) tr(K^(H)).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, mean, search
from whp.kernels import activation
from whp.kernels.cntk_reference import cntk_tensors, patch_trace
from whp.models import Convolutional

from ._cntk import ASSUMPTIONS, STATISTIC, chain, inputs_of_layer, last_step, trace, vanilla

TOLERANCE = 1e-9
COUNTS = (20, 100, 1000)


def relative(left, right):
    """|left - right| over the larger of both."""
    return abs(left - right) / (max(abs(left), abs(right)) or 1.0)


# --- E.1: sums of tensors


def tensors(seed, image, H, q):
    """The tensors of a pair of drawn images."""
    X = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 2, *image)))
    return cntk_tensors(X[0], X[1], layers=H, filter_size=q)


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


def last_equality(printed=True, factor=1.0, **where):
    """tr(G^(h),(H)) against the term with K^(h-1), all h."""
    t = tensors(**where)
    worst = 0.0
    for h in range(1, t.layers + 1):
        start = patch_trace(t.K[h - 1], t.filter_size, t.padding)
        G = t.K_dot[h - 1] * (start if printed else t.convolve(t.K[h - 1]) * factor)  # G^(h),(h)
        for K_dot in t.K_dot[h:]:
            G = K_dot * t.convolve(G)
        worst = max(worst, relative(trace(G), chain(t, h, t.convolve(t.K[h - 1]))))
    return worst


def last_equality_corrected(**where):
    return last_equality(printed=False, **where)


def last_equality_twice(**where):
    return last_equality(printed=False, factor=2.0, **where)


PAIRS = {
    "seed": st.integers(0, 2**32 - 1),
    "image": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "H": st.integers(1, 4),
    "q": st.sampled_from([1, 3, 5]),
}


# --- E.2: derivatives of a network


def network(seed, image, H, q, channels):
    """A network and a pair of images."""
    rng = np.random.default_rng(seed)
    widths = (2, *[channels] * H)
    net = Convolutional.draw(rng, widths, image, activation=activation("relu"), c_sigma=2.0, filter_size=q)
    return net, torch.from_numpy(rng.standard_normal((2, 2, *image)))


def layers(net, X):
    """x~^(h) and x^(h) for h = 1, ..., H as a chain that can be differentiated; X (n, C, P, Q)."""
    x, seen = X, []
    for W in net.filters:
        scale = math.sqrt(net.c_sigma / (len(W) * net.filter_size**2))
        z = torch.nn.functional.conv2d(x, W, padding=net.filter_size // 2)
        x = (scale * torch.relu(z)).requires_grad_()
        seen.append((z, x))
    return seen


def patches(x, q):
    """phi_ij(x_(alpha)) for every place, shape (n, C q^2, P Q)."""
    return torch.nn.functional.unfold(x, q, padding=q // 2)


def eq_35(power=1, slopes=True, **where):
    """How far (35) is from the kernel of each layer by automatic differentiation."""
    net, X = network(**where)
    X.requires_grad_()
    seen = layers(net, X)
    total = (seen[-1][1].flatten(1) @ net.readout.flatten()).sum()
    kernels = net.layer_ntks_by_autograd(X.detach())
    worst = 0.0
    for h, (z, x) in enumerate(seen, start=1):
        (back,) = torch.autograd.grad(total, x, retain_graph=True)  # (2, C, P, Q)
        D = (z > 0).to(z.dtype) if slopes else torch.ones_like(z)
        factor = (net.c_sigma / (len(net.filters[h - 1]) * net.filter_size**2)) ** power
        one, two = (back * D).flatten(2)
        inner = patches(X if h == 1 else seen[h - 2][1], net.filter_size)
        right = factor * ((one.mT @ two) * (inner[0].mT @ inner[1])).sum()
        worst = max(worst, relative(float(kernels[h - 1][0, 1]), right.item()))
    return worst


def eq_35_root(**where):
    return eq_35(power=0.5, **where)


def eq_35_without_slopes(**where):
    return eq_35(slopes=False, **where)


def derivative(offset, **where):
    """How far d x^(h+1)_(kl) / d x^(h)_(ij) is from the display, indices from one; 1 where there is none."""
    net, X = network(**{**where, "H": 1})
    q, (P, Q) = net.filter_size, net.image
    W = net.filters[0]
    x = X[:1].requires_grad_()
    ((z, out),) = layers(net, x)
    scale = math.sqrt(net.c_sigma / (len(W) * q * q))
    worst = 0.0
    for k in range(P):
        for m in range(Q):
            (found,) = torch.autograd.grad(out[0, 0, k, m], x, retain_graph=True)
            expected = torch.zeros_like(x)
            for i in range(max(0, k - q // 2), min(P, k + q // 2 + 1)):
                for j in range(max(0, m - q // 2), min(Q, m + q // 2 + 1)):
                    a, b = i - k + offset(q), j - m + offset(q)
                    if not (1 <= a <= q and 1 <= b <= q):
                        return 1.0
                    expected[0, :, i, j] = scale * float(z[0, 0, k, m] > 0) * W[0, :, a - 1, b - 1]
            size = float(expected.norm() + found.norm())
            worst = max(worst, float((expected - found).norm()) / size if size else 0.0)
    return worst


def derivative_printed(**where):
    return derivative(lambda q: q - 1, **where)


def derivative_corrected(**where):
    return derivative(lambda q: (q + 1) // 2, **where)


def derivative_before(**where):
    return derivative(lambda q: (q - 1) // 2, **where)


NETWORKS = {**PAIRS, "H": st.integers(1, 3), "channels": st.integers(1, 4)}


def over(excess, given=PAIRS, **options):
    """A search over images, or over networks."""
    return search(excess, given=given, examples=COUNTS, tolerance=TOLERANCE, **options)


def wrong(why, excess, given=PAIRS):
    """A false twin of a search."""
    return Twin(why, experiment=over(excess, given, shrink=False))


# --- Claims

FIRST_LINE = r"\mathrm{tr}(\dot K^{(H)} \odot \Theta^{(H-1)} + K^{(H)})"
TERM = r"\mathrm{tr}(\dot K^{(H)} \odot \mathcal{L}(\cdots \dot K^{(h)} \odot \mathcal{L}(K^{(h-1)}) \cdots))"
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

EQ_35 = always(
    name="(35)",
    experiment=over(eq_35, NETWORKS),
    statement=r"\sum_{\alpha,\beta} \langle \partial f / \partial W^{(h)}_{(\alpha),(\beta)},"
    r" \partial f' / \partial W^{(h)}_{(\alpha),(\beta)} \rangle = \sum_\beta \sum_{i,j,i',j'}"
    r" \frac{c_\sigma}{C^{(h)} q^2} \frac{\partial f}{\partial [x^{(h)}_{(\beta)}]_{ij}}"
    r" \frac{\partial f'}{\partial [x'^{(h)}_{(\beta)}]_{i'j'}} \sigma' \sigma' \sum_\alpha"
    r" \langle \phi_{ij}(x^{(h-1)}_{(\alpha)}), \phi_{i'j'}(x'^{(h-1)}_{(\alpha)}) \rangle",
    twins={
        "root": wrong("the root of c_sigma / (C q^2)", eq_35_root, NETWORKS),
        "slopes": wrong("without sigma' sigma'", eq_35_without_slopes, NETWORKS),
    },
)
BEFORE = wrong("the index i - k + (q-1)/2", derivative_before, NETWORKS)
TWICE = wrong("twice the term", last_equality_twice)
DERIVATIVE = (
    r"\frac{\partial [x^{(h+1)}_{(\gamma)}]_{kl}}{\partial [x^{(h)}_{(\beta)}]_{ij}} ="
    r" \sqrt{\frac{c_\sigma}{C^{(h+1)} q^2}}\, \sigma'\, [W^{(h+1)}_{(\beta),(\gamma)}]"
)
LAST = r"\mathrm{tr}(G^{(h),(H)}) = " + TERM

steps = claim(
    "arora2019.cntk_expansion_steps",
    EQ_35,
    always(
        name="derivative",
        experiment=over(derivative_printed, NETWORKS),
        statement=DERIVATIVE + r"_{i-k+q-1,\, j-l+q-1}",
        twins={"index": BEFORE},
    ),
    always(name="last equality", experiment=over(last_equality), statement=LAST, twins={"twice": TWICE}),
    title="Derivatives of a convolutional network, and the chain of its kernel",
    locus="Appendix E.2, (35)-(38)",
    regime="met",
    assumptions=(
        ASSUMPTIONS[0],
        ASSUMPTIONS[2],
        "An index of the filter outside of 1, ..., q counts as a violation.",
        r"$\phi_{ij}$ is the patch of $q \times q$ (printed: of $q + 2$ by $q + 2$).",
    ),
)

steps_corrected = claim(
    "arora2019.cntk_expansion_steps_corrected",
    EQ_35,
    always(
        name="derivative",
        experiment=over(derivative_corrected, NETWORKS),
        statement=DERIVATIVE + r"_{i-k+(q+1)/2,\, j-l+(q+1)/2}",
        twins={"index": BEFORE},
    ),
    always(
        name="last equality",
        experiment=over(last_equality_corrected),
        statement=LAST + r" \quad (G^{(h),(h)} = \mathcal{L}(K^{(h-1)}) \odot \dot K^{(h)})",
        twins={"twice": TWICE},
    ),
    title="Derivatives of a convolutional network with the filter's index at its middle, and the chain",
    locus="Appendix E.2, (35)-(38)",
    regime="met",
    assumptions=(
        ASSUMPTIONS[0],
        ASSUMPTIONS[2],
        r"$\phi_{ij}$ is the patch of $q \times q$ (printed: of $q + 2$ by $q + 2$).",
    ),
    printed=False,
    corrects="arora2019.cntk_expansion_steps",
)
