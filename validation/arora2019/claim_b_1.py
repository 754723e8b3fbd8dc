r"""What the events of Lemma B.7 leave of one step of back-propagation.

Setting   A relu network at two inputs x, x'; D = D^(h)(x1) D^(h)(x2). The events bound by epsilon_2 how far
          <b^(h+1), b^(h+1)> is from its limit, and by epsilon_4 how far 2 tr(D)/d_h is, for the pairs
          (x, x), (x, x') and (x', x').
Claim     B.1: then |(2 tr(D)/d_h) <b^(h)(x2), b^(h)(x1)> - prod_{h' >= h} Sigma-dot^(h')|
          <= epsilon_2 + 2 epsilon_4.
Measured  The left side against epsilon_2 + 2 epsilon_4 for the least epsilons that the network admits (the
          statement is for all of them, up to one): by a search over small networks, and in wide ones,
          where it is an event of probability one. Only networks for which all four events hold with
          epsilons up to one count: A^L with 1/2, and |f| <= 1 at both inputs, too.
Printed   <b^(h), b^(h)> is about the product from h, not from h + 1: times 2 tr(D)/d_h it has one factor
          too many, and is off by prod (1 - Sigma-dot^(h)) however wide the network. With
          <b^(h+1), b^(h+1)>, as in (24), the proof is right.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from whp.claims import Twin, always, bound, claim, search

from ._backward import by_law, limits, products
from ._one_layer import ASSUMPTIONS, measured

NETWORKS = {
    "widths": st.lists(st.integers(1, 24), min_size=1, max_size=3),
    "layer": st.integers(1, 2),
    "rho": st.floats(-1, 1),
    "scale": st.floats(0.5, 2),
    "seed": st.integers(0, 2**32 - 1),
}

DRAWS = 5


def sides(widths, layer, rho, scale, seed):
    """At layer h of a network: b-products of h and h + 1, 2 tr(D)/d_h, their limits, and the epsilons.

    Networks are drawn until the events hold with epsilons up to one; no epsilons where none of them does.
    """
    depth, rng = len(widths), np.random.default_rng(seed)
    h, limit = min(layer, depth), limits(rho, depth)
    for _ in range(DRAWS):
        net = by_law(rng, rho, widths)
        # W^(L+1) is that of the draw times the root of ``scale``; b^(L+1) is one.
        b, up = (net.backward()[k] * (scale if k < depth else 1.0) for k in (h - 1, h))
        trace = net.trace(h)
        epsilons = np.abs(up - limit.product(h + 1)).max(), np.abs(trace - limit.sigma_dot[h - 1]).max()
        A = np.abs(products(net.g[-1]) - limit.sigma[-1]).max()
        if A <= 0.5 and math.sqrt(scale) * np.abs(net.f[-1]).max() <= 1 and max(epsilons) < 1:
            return b, up, trace, limit.product(h), epsilons
    return b, up, trace, limit.product(h), None


def excess(trace, inner, limit, epsilons, first=1.0, second=2.0):
    """By how much the claim is violated; minus one where no epsilons up to one have the events."""
    if epsilons is None:
        return -1.0
    return float(np.abs(trace * inner - limit).max() - first * epsilons[0] - second * epsilons[1])


def printed(widths, layer, rho, scale, seed):
    b, _, trace, limit, epsilons = sides(widths, layer, rho, scale, seed)
    return excess(trace, b, limit, epsilons)


def printed_half(widths, layer, rho, scale, seed):
    b, _, trace, limit, epsilons = sides(widths, layer, rho, scale, seed)
    return excess(trace, b, limit, epsilons, second=1.0)


def corrected(widths, layer, rho, scale, seed):
    _, up, trace, limit, epsilons = sides(widths, layer, rho, scale, seed)
    return excess(trace, up, limit, epsilons)


def half(widths, layer, rho, scale, seed):
    _, up, trace, limit, epsilons = sides(widths, layer, rho, scale, seed)
    return excess(trace, up, limit, epsilons, second=1.0)


def without_first(widths, layer, rho, scale, seed):
    _, up, trace, limit, epsilons = sides(widths, layer, rho, scale, seed)
    return excess(trace, up, limit, epsilons, first=0.0)


def statement(index):
    """The left side in LaTeX."""
    return (
        rf"\left|\tfrac{{2 \mathrm{{tr}}(D)}}{{d_h}} \langle b^{{({index})}}(x_2), b^{{({index})}}(x_1)"
        r" \rangle - \prod_{h'=h}^L \dot\Sigma^{(h')}(x_1, x_2)\right|"
    )


def checks(index, any_weights, statistic, twins, wide):
    """The search, and wide random networks, for <b^(index), b^(index)>."""
    return (
        always(
            name="any weights",
            experiment=search(any_weights, given=NETWORKS, examples=(100, 1000, 5000)),
            statement=statement(index) + r" \le \epsilon_2 + 2\epsilon_4",
            twins={
                name: Twin(
                    why, experiment=search(check, given=NETWORKS, examples=(300, 1000, 5000), shrink=False)
                )
                for name, (why, check) in twins.items()
            },
        ),
        bound(
            name="wide",
            experiment=measured,
            statistic=statistic,
            quantity=statement(index) + r" / (\epsilon_2 + 2\epsilon_4)",
            bound=1,
            delta=0.05,
            twins=wide,
        ),
    )


HALF = r"$\epsilon_4$ in place of $2 \epsilon_4$"
first = claim(
    "arora2019.claim_b_1",
    *checks(
        "h",
        printed,
        "B.1, h",
        {"half": (HALF, printed_half)},
        {"smaller": Twin("half of the right side", bound=0.5)},
    ),
    title="One step of back-propagation adds at most 2 epsilon_4 to the error",
    locus="Claim B.1",
    regime="met",
    assumptions=ASSUMPTIONS[:1],
)

mended = claim(
    "arora2019.claim_b_1_corrected",
    *checks(
        "h+1",
        corrected,
        "B.1, h + 1",
        {"half": (HALF, half), "first": (r"without $\epsilon_2$", without_first)},
        {"printed": Twin("with b^(h) in place of b^(h+1)", statistic="B.1, h")},
    ),
    title="One step of back-propagation adds at most 2 epsilon_4 to the error: with b^(h+1)",
    locus="Claim B.1",
    regime="met",
    assumptions=ASSUMPTIONS[:1],
    printed=False,
    corrects="arora2019.claim_b_1",
)
