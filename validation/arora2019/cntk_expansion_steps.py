r"""The derivation of the convolutional kernel of a layer, each displayed step.

Setting   The network of Section 4.1 with H convolutions, ReLU, zero padding; K^(h), K-dot^(h), Sigma^(h) of
          Section 4.1; L(M) = (c_sigma / q^2) tr([M]_D), (34); b^(h) = df/dx^(h); D^(h) = sigma'(x~^(h));
          G^(h),(h) = tr([K^(h-1)]_D) o K-dot^(h) and G^(h),(k) = K-dot^(k) o L(G^(h),(k-1)).
Claim     The kernel of layer h is the sum (35) over channels, places and patches. In it, with many channels,
          sum_alpha <phi_ij, phi_i'j'> of x^(h-1) is about tr([K^(h-1)]_D);
          (c_sigma / (C q^2)) sum_beta D^(h) D'^(h) about K-dot^(h); b b' of x^(h) at (ij, i'j'), for any
          channel beta, about the sum (36) of (c_sigma / (C q^2)) sum_gamma b b' D D' of x^(h+1) over
          (kl, k'l') with (i, j, i', j') in D_(kl,k'l') and i - k = i' - k', j - l = j' - l'; the kernel of
          layer h about the sum of b b' G^(h),(h), for any one channel of layer h (37), and about, for one of
          layer h + 1, that of b b' (c_sigma / (C q^2)) D D' times the patch trace of G^(h),(h), or of
          b b' G^(h),(h+1) (38).
          The derivative of x^(h+1) by x^(h) has weights [W^(h+1)]_(i-k+q-1, j-l+q-1); at the end
          tr(G^(h),(H)) is the term with K^(h-1) of E.1.
Measured  (35), the derivative and the last equality on drawn images and networks, derivatives by automatic
          differentiation. The approximations as one number each, its mean over drawn networks: traces of both
          sides over places for the first two; (36) summed against G^(1),(1); H = 2 convolutions of 64
          channels, of which sides for any one channel take the mean. h = 2 in the first two and (37), h = 1
          in (36) and (38).
Erratum   (1) The index is i - k + (q+1)/2; the printed one is right for q = 3 alone. (2) G^(h),(h) has
          tr([K^(h-1)]_D) where the term has L(K^(h-1)). (3) The sum of patches is about L(K^(h-1)) for
          h >= 2, tr([K^(0)]_D) being right for h = 1; (4) the mean of slopes is about (c_sigma / q^2) K-dot.
          (5) (37) and the last line of (38) need the factor c_sigma / q^2, and L(K^(h-1)) for h >= 2; the
          line before lacks a sum over gamma beside, a factor C. (36) is right.
          That the sum of b b' G^(h),(H) over places of the last layer is about tr(G^(h),(H)) is not measured:
          b^(H) is the readout, and the mean is exact.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, mean
from whp.kernels import activation
from whp.kernels.cntk_reference import patch_trace
from whp.models import Convolutional

from ._cntk import ASSUMPTIONS, chain, trace
from ._cntk_approximations import DRAWN, approximations
from ._cntk_search import PAIRS, TERM, over, relative, tensors, wrong


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


# --- Claims

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

MEASURED = (
    "Approximations: $H = 2$ convolutions of 64 channels (quick: 32); $h = 1$ in (36) and (38), else $h = 2$;"
    f" both sides are averaged over {DRAWN} networks, and sides for any one channel over channels."
)
PATCHES = r"\textstyle\sum_\alpha \langle \phi_{ij}(x^{(h-1)}), \phi_{ij}(x'^{(h-1)}) \rangle"
SLOPES = r"\frac{c_\sigma}{C q^2} \textstyle\sum_\beta \sigma' \sigma'"
LEFT_36 = (
    r"\frac{\partial f}{\partial [x^{(h)}_{(\beta)}]_{ij}}"
    r" \frac{\partial f'}{\partial [x'^{(h)}_{(\beta)}]_{i'j'}}"
)
KERNEL = r"\langle \partial f / \partial W^{(h)}, \partial f' / \partial W^{(h)} \rangle"
SCALE = r"\frac{c_\sigma}{q^2}"


def about(name, left, right, statistic, **twins):
    """One approximation: the mean of its left side over the right one."""
    return mean(
        name=name,
        experiment=approximations,
        statistic=statistic,
        quantity=rf"{left} \,/\, {right}",
        target=1,
        tolerance=0.03 if name in ("patches", "slopes") else 0.05,
        twins={key: Twin(why, statistic=value) for key, (why, value) in twins.items()},
    )


def back(h, G):
    """The sum of b b' G over places, for one channel of layer ``h``."""
    channel = r"x^{(h)}_{(\beta)}" if h == "h" else r"x^{(h+1)}_{(\gamma)}"
    return rf"\sum \frac{{\partial f}}{{\partial {channel}}} \frac{{\partial f'}}{{\partial {channel}}} {G}"


BORDER = "patches wrap around the border"
BELOW = "K-dot of the layer below"
EQ_36 = about(
    "(36)",
    LEFT_36,
    r"\sum_{k,l,k',l'} \frac{c_\sigma}{C q^2} \sum_\gamma \cdots 1\{\cdots\}",
    "(36)",
    border=(BORDER, "(36) circular"),
)
LINE = r"\frac{c_\sigma}{C q^2} \sigma' \sigma' \sum 1\{\cdots\} G^{(h),(h)}"

steps = claim(
    "arora2019.cntk_expansion_steps",
    EQ_35,
    always(
        name="derivative",
        experiment=over(derivative_printed, NETWORKS),
        statement=DERIVATIVE + r"_{i-k+q-1,\, j-l+q-1}",
        twins={"index": BEFORE},
    ),
    about(
        "patches",
        PATCHES,
        r"\mathrm{tr}([K^{(h-1)}]_D)",
        "patches",
        border=(BORDER + ", times c_sigma / q^2", "patches circular"),
    ),
    about(
        "slopes",
        SLOPES,
        r"\dot K^{(h)}",
        "slopes",
        below=(BELOW + ", times c_sigma / q^2", "slopes below"),
    ),
    EQ_36,
    about("(37)", KERNEL, back("h", "G^{(h),(h)}"), "(37)", border=(BORDER + ", corrected", "(37) circular")),
    about(
        "(38), first line",
        KERNEL,
        back("h+1", LINE),
        "(38), a channel",
        border=(BORDER + ", corrected", "(38), first line circular"),
    ),
    about(
        "(38)", KERNEL, back("h+1", "G^{(h),(h+1)}"), "(38)", border=(BORDER + ", corrected", "(38) circular")
    ),
    always(name="last equality", experiment=over(last_equality), statement=LAST, twins={"twice": TWICE}),
    title="Derivatives of a convolutional network, and the chain of its kernel",
    locus="Appendix E.2, (35)-(38)",
    assumptions=(
        *ASSUMPTIONS,
        "An index of the filter outside of 1, ..., q counts as a violation.",
        r"$\phi_{ij}$ is the patch of $q \times q$ (printed: of $q + 2$ by $q + 2$).",
        MEASURED,
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
    about(
        "patches",
        PATCHES,
        r"\mathcal{L}(K^{(h-1)})",
        "patches corrected",
        border=(BORDER, "patches circular"),
    ),
    about("slopes", SLOPES, SCALE + r" \dot K^{(h)}", "slopes corrected", below=(BELOW, "slopes below")),
    EQ_36,
    about(
        "(37)",
        KERNEL,
        back("h", SCALE + r" \mathcal{L}(K^{(h-1)}) \odot \dot K^{(h)}"),
        "(37) corrected",
        border=(BORDER, "(37) circular"),
    ),
    about(
        "(38), first line",
        KERNEL,
        r"\sum_\gamma " + back("h+1", SCALE + LINE),
        "(38), all channels",
        border=(BORDER, "(38), first line circular"),
    ),
    about(
        "(38)",
        KERNEL,
        back("h+1", SCALE + " G^{(h),(h+1)}"),
        "(38) corrected",
        border=(BORDER, "(38) circular"),
    ),
    always(
        name="last equality",
        experiment=over(last_equality_corrected),
        statement=LAST + r" \quad (G^{(h),(h)} = \mathcal{L}(K^{(h-1)}) \odot \dot K^{(h)})",
        twins={"twice": TWICE},
    ),
    title="Derivatives of a convolutional network with the filter's index at its middle, and the chain",
    locus="Appendix E.2, (35)-(38)",
    assumptions=(
        *ASSUMPTIONS,
        r"$\phi_{ij}$ is the patch of $q \times q$ (printed: of $q + 2$ by $q + 2$).",
        MEASURED,
    ),
    printed=False,
    corrects="arora2019.cntk_expansion_steps",
)
