r"""Back-propagated vectors: from (9) to the product of the Sigma-dot, each displayed step.

Setting   A fully connected network (6) with L hidden layers, weights N(0, 1), two inputs x, x';
          b^(h) and D^(h) as in (9), (10).
Claim     df/dW^(h) = b^(h) (g^(h-1))^T, h = 1, ..., L + 1; the inner product of these at x and x' is
          <g^(h-1), g^(h-1)'> <b^(h), b^(h)'>; and for h = 1, ..., L
          <b^(h), b^(h)'> = c_sigma^(L-h) / (d_(h+1) ... d_L) <B W^T b^(h+1), B' W^T b^(h+1)'>,          (11)
          B = sqrt(c_sigma / d_h) D^(h)(x), W = W^(h+1). As the widths grow, <B W^T b, B' W^T b'> stays
          near the same with fresh weights in place of W, this tends to
          (c_sigma / d_h) tr(D^(h) D^(h)') <b^(h+1), b^(h+1)'>, this to Sigma-dot^(h) <b^(h+1), b^(h+1)'>, and
          <b^(h), b^(h)'> to the product of Sigma-dot^(h'), h' = h, ..., L, with Sigma-dot as in (12).
Measured  The identities for nets of all small widths, gradients by automatic differentiation; the limits as
          the largest distance over h and the three pairs of two inputs, L = 3, all widths m,
          averaged over four networks; two inputs of norm one (relu), or 1/2 and 2.
Erratum   The factor c_sigma^(L-h) / (d_(h+1) ... d_L) of (11) stands already in b^(h+1), by (9): printed
          once more, it makes (11) false for every h < L, by that factor. What follows does not use it.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Design, Path, Twin, always, claim, experiment, geometric, limit, search
from whp.kernels import activation, c_sigma
from whp.kernels.fully_connected import fc_layers
from whp.models import FullyConnected

L = 3
NETWORKS = 4
TOLERANCE = 1e-9
COUNTS = (25, 200, 2000)


def relative(left, right):
    """|left - right| over the larger norm; zero if both are."""
    size = max(float(left.norm()), float(right.norm()))
    return float((left - right).norm()) / size if size else 0.0


def setting(seed, widths, name):
    """A network of any widths, and two inputs."""
    rng = np.random.default_rng(seed)
    sigma = activation(name)
    net = FullyConnected.draw(rng, widths, sigma, c_sigma=c_sigma(sigma))
    return net, torch.from_numpy(rng.standard_normal((2, widths[0])))


def back_step(net, seen, h, W):
    """sqrt(c_sigma / d_h) D^(h) W^T b^(h+1) at both inputs, shape (2, d_h)."""
    f = seen.f[h - 1]
    return math.sqrt(net.c_sigma / f.shape[1]) * net.activation.dphi(f) * (seen.b[h] @ W)


def fresh_step(net, seen, h, rng):
    """The same with fresh weights for W, in law: the columns of b^(h+1) W are independent N(0, b b^T)."""
    f, b = seen.f[h - 1], seen.b[h]
    values, vectors = torch.linalg.eigh(b @ b.mT)
    root = vectors * values.clamp_min(0.0).sqrt()  # singular where the vectors are parallel
    both = root @ torch.from_numpy(rng.standard_normal((2, f.shape[1])))
    return math.sqrt(net.c_sigma / f.shape[1]) * net.activation.dphi(f) * both


# --- Identities


def gradient(swap=False, **where):
    """How far df/dW^(h) is from b^(h) (g^(h-1))^T, or from another product of two such vectors."""
    net, X = setting(**where)
    seen = net.pass_(X[:1])
    weights = [W.clone().requires_grad_() for W in net.weights]
    gradients = torch.autograd.grad(
        FullyConnected(tuple(weights), net.activation, net.c_sigma).outputs(X[:1]), weights
    )
    worst = 0.0
    for h, G in enumerate(gradients, start=1):
        g = seen.f[h - 2] if swap and h > 1 else seen.g[h - 1]
        worst = max(worst, relative(G, seen.b[h - 1].mT @ g))
    return worst


def gradient_of_preactivations(**where):
    return gradient(swap=True, **where)


def layer_product(shift=0, **where):
    """How far the layers' tangent kernels are from <g^(h-1), g^(h-1)'> <b^(h), b^(h)'>."""
    net, X = setting(**where)
    seen = net.pass_(X)
    by_autograd = net.layer_ntks_by_autograd(X)
    pairs = (
        zip(by_autograd, seen.g, seen.b, strict=True)
        if shift == 0
        else zip(by_autograd, seen.g[shift:], seen.b, strict=False)
    )
    return max(relative(kernel, (g @ g.mT) * (b @ b.mT)) for kernel, g, b in pairs)


def layer_product_shifted(**where):
    return layer_product(shift=1, **where)


def eq_11(prefactor=True, power=0, **where):
    """How far <b^(h), b^(h)'> is from the right side of (11), with or without its factor."""
    net, X = setting(**where)
    seen = net.pass_(X)
    widths = [len(W) for W in net.weights[:-1]]
    worst = 0.0
    for h in range(1, net.layers + 1):
        right = back_step(net, seen, h, net.weights[h])
        factor = math.prod(net.c_sigma / d for d in widths[h:]) if prefactor else net.c_sigma**power
        worst = max(worst, relative(seen.b[h - 1] @ seen.b[h - 1].mT, factor * (right @ right.mT)))
    return worst


def eq_11_without_factor(**where):
    return eq_11(prefactor=False, **where)


def eq_11_once_more(**where):
    return eq_11(prefactor=False, power=1, **where)


def eq_11_inverse(**where):
    return eq_11(prefactor=False, power=-1, **where)


INPUTS = {
    "seed": st.integers(0, 2**32 - 1),
    "widths": st.lists(st.integers(1, 6), min_size=2, max_size=5),
    "name": st.sampled_from(["relu", "erf", "tanh", "softplus"]),
}


def over(excess, **options):
    """A search over networks."""
    return search(excess, given=INPUTS, examples=COUNTS, tolerance=TOLERANCE, **options)


def wrong(why, excess):
    """A false twin of a search."""
    return Twin(why, experiment=over(excess, shrink=False))


# --- Limits


PAIRS = {
    "unit": torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64),
    "unequal": torch.tensor([[0.5, 0.0], [-1.2, 1.6]], dtype=torch.float64),
}


@cache
def limits(name, pair):
    """Sigma-dot^(1), ..., Sigma-dot^(L) at the two inputs, each (2, 2)."""
    inner = PAIRS[pair] @ PAIRS[pair].mT
    square = inner.diagonal()
    return fc_layers(square[:, None], square[None, :], inner, activation(name), L).sigma_dot


def distances(p, rng):
    """For one network the largest distance over h and the three pairs of two inputs, at each step."""
    sigma = activation(p.activation)
    net = FullyConnected.draw(rng, (2, *[p.m] * L), sigma, c_sigma=c_sigma(sigma))
    seen = net.pass_(PAIRS[p.pair])
    product, worst = torch.ones(2, 2, dtype=torch.float64), {}

    def note(name, left, right):
        worst[name] = max(worst.get(name, 0.0), float((left - right).abs().max()))

    for h, slope in zip(range(L, 0, -1), reversed(limits(p.activation, p.pair)), strict=True):
        fresh, other = (fresh_step(net, seen, h, rng) for _ in range(2))
        D = sigma.dphi(seen.f[h - 1])
        above, here = (b @ b.mT for b in (seen.b[h], seen.b[h - 1]))
        traces = net.c_sigma / p.m * (D @ D.mT)
        product = product * slope
        note("fresh weights", here, fresh @ fresh.mT)
        mixed = torch.stack([fresh[0], other[1]])
        note("two fresh weights", here, mixed @ mixed.mT)
        note("trace", fresh @ fresh.mT, traces * above)
        note("product of traces", fresh @ fresh.mT, net.c_sigma * torch.outer(D.mean(1), D.mean(1)) * above)
        note("Sigma-dot", traces * above, slope * above)
        note("product", here, product)
        note("product, c_sigma twice", here, product * net.c_sigma ** (L - h + 1))
        note("c_sigma twice", traces * above, slope * above * net.c_sigma)
    return worst


@experiment(
    quick=Design(Path(m=geometric(12, 128, 4)), {"activation": ["relu"], "pair": ["unit"]}, trials=(50, 400)),
    standard=Design(
        Path(m=geometric(32, 512, 5)),
        {"activation": ["relu", "erf", "tanh"], "pair": ["unit", "unequal"]},
        trials=(50, 400),
        only=lambda cell: (cell["activation"] == "relu") == (cell["pair"] == "unit"),
    ),
)
def steps(p, rng, device):
    """The distances averaged over networks."""
    rows = [distances(p, rng) for _ in range(NETWORKS)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def step(name, left, right, **twins):
    """One displayed step in the limit."""
    return limit(
        name=name,
        experiment=steps,
        statistic=name,
        quantity=rf"\max_h |{left} - {right}|",
        twins=twins,
    )


INNER = r"\langle b^{(h)}, b'^{(h)} \rangle"
FRESH = r"\langle B \widetilde{W}^\top b^{(h+1)}, B' \widetilde{W}^\top b'^{(h+1)} \rangle"
ABOVE = r"\langle b^{(h+1)}, b'^{(h+1)} \rangle"
TRACE = r"\frac{c_\sigma}{d_h} \mathrm{tr}(D^{(h)} D'^{(h)})\, " + ABOVE
RIGHT = r"\langle B {W^{(h+1)}}^\top b^{(h+1)}, B' {W^{(h+1)}}^\top b'^{(h+1)} \rangle"

FACTORISED = [
    always(
        name="(9)",
        experiment=over(gradient),
        statement=r"\partial f / \partial W^{(h)} = b^{(h)} {g^{(h-1)}}^\top",
        twins={"f": wrong("f^(h-1) in place of g^(h-1)", gradient_of_preactivations)},
    ),
    always(
        name="layer",
        experiment=over(layer_product),
        statement=r"\langle \partial f / \partial W^{(h)}, \partial f' / \partial W^{(h)} \rangle ="
        r" \langle g^{(h-1)}, g'^{(h-1)} \rangle \langle b^{(h)}, b'^{(h)} \rangle",
        twins={"index": wrong("g^(h) in place of g^(h-1)", layer_product_shifted)},
    ),
]
LIMITS = [
    step(
        "fresh weights",
        INNER,
        FRESH,
        two=Twin("fresh weights at x, and others at x'", statistic="two fresh weights"),
    ),
    step(
        "trace",
        FRESH,
        TRACE,
        product=Twin("tr(D) tr(D') / d_h in place of tr(D D')", statistic="product of traces"),
    ),
    step(
        "Sigma-dot",
        TRACE,
        r"\dot\Sigma^{(h)} " + ABOVE,
        c_sigma=Twin("Sigma-dot with c_sigma squared", statistic="c_sigma twice"),
    ),
    step(
        "product",
        INNER,
        r"\prod_{h'=h}^L \dot\Sigma^{(h')}",
        c_sigma=Twin("each Sigma-dot with c_sigma squared", statistic="product, c_sigma twice"),
    ),
]
ASSUMPTIONS = (
    r"All weights $\mathcal{N}(0, 1)$, $c_\sigma = 1 / \mathbb{E}[\sigma(z)^2]$.",
    r"Limits: $L = 3$, $d_1 = \dots = d_L = m$; two inputs of norm one with cosine $1/2$ for relu, of"
    r" norms $1/2$ and $2$ with cosine $-0.6$ for erf and tanh.",
    "relu, erf, tanh (identities also softplus): the paper leaves the activation open here.",
)

FACTORS = {
    "c_sigma": wrong("c_sigma in place of the factor", eq_11_once_more),
    "inverse": wrong("1 / c_sigma in place of the factor", eq_11_inverse),
}

printed = claim(
    "arora2019.eq_11",
    *FACTORISED,
    always(
        name="(11)",
        experiment=over(eq_11),
        statement=INNER + r" = \frac{c_\sigma^{L-h}}{d_{h+1} \cdots d_L} " + RIGHT,
        twins=FACTORS,
    ),
    *LIMITS,
    title="The inner products of back-propagated vectors tend to products of Sigma-dot",
    locus="(9)-(12)",
    regime="met",
    assumptions=ASSUMPTIONS,
)

corrected = claim(
    "arora2019.eq_11_corrected",
    *FACTORISED,
    always(
        name="(11)",
        experiment=over(eq_11_without_factor),
        statement=INNER + " = " + RIGHT,
        twins=FACTORS,
    ),
    *LIMITS,
    title="The inner products of back-propagated vectors, without a factor in (11) that they hold already",
    locus="(9)-(12)",
    regime="met",
    assumptions=ASSUMPTIONS,
    printed=False,
    corrects="arora2019.eq_11",
)
