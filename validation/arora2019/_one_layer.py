r"""One layer of back-propagation at two inputs: what Claims B.1-B.3 and Lemma B.7 say of the same draws.

Layer h has width d, the others at most 1024. The networks are drawn from their exact law
(:mod:`_backward`), so that d reaches 2 x 10^5 at every layer.
"""

from __future__ import annotations

import math

import numpy as np
from sympy import Rational

from whp.claims import Design, Path, experiment

from ._backward import PAIRS, Limits, TwoInputs, by_law, limits, products

DELTA_2 = Rational(1, 10)
"""The failure probability at which Claims B.2 and B.3 are tested; each may fail with half of it."""

NARROW = 1024
ROUNDING = 1e-12

ASSUMPTIONS = (
    r"$\sigma(z) = \max(0, z)$, all weights $\mathcal{N}(0, 1)$, two inputs of norm one (Section 3.1).",
    r"'With probability $1 - \delta$, if $E$ then $F$' is read as $\Pr[E \wedge \neg F] \le \delta$,"
    r" the weakest reading.",
)
EVENT = (
    r"$\epsilon_1 = \epsilon_2 = \epsilon_3 = \epsilon_4 = 1$, the largest that Lemma B.7 admits;"
    r" $\delta_2 = 0.1$. Where the event does not hold the statistic counts as zero."
)
E = r"\mathbf{1}_{\bar{\mathcal{A}}^L \bar{\mathcal{B}}^{h+1} \bar{\mathcal{C}} \bar{\mathcal{D}}^h}\,"


def draw(p, rng) -> tuple[TwoInputs, Limits]:
    """The network of a point, and its limit."""
    widths = [p.d if h == p.layer else min(p.d, NARROW) for h in range(1, p.depth + 1)]
    return by_law(rng, p.rho, widths), limits(p.rho, p.depth)


def attained(net: TwoInputs, limit: Limits, h: int) -> tuple[float, float, float, float]:
    """The least epsilons (that of A^L as it stands in it) for which the four events hold."""
    return (
        float(np.abs(products(net.g[-1]) - limit.sigma[-1]).max()),
        float(np.abs(net.backward()[h] - limit.product(h + 1)).max()),
        float(np.abs(net.f[-1]).max()),
        float(np.abs(net.trace(h) - limit.sigma_dot[h - 1]).max()),
    )


def across_products(net: TwoInputs, h: int) -> np.ndarray:
    """(2/d_h) b^T W Pi D Pi W^T b for the three pairs, Pi the projection across G, D = D(x1) D(x2)."""
    on = net.f[h - 1] > 0
    u = net.across[h - 1]
    return np.array([2 / u.shape[1] * np.sum(u[i] * u[j] * (on[i] & on[j])) for i, j in PAIRS])


def one_layer(p, rng, device):
    """Both sides of Claims B.1 and B.2, with <b, b> of layer h as printed and of layer h + 1."""
    net, limit = draw(p, rng)
    h = p.layer
    A, B, C, D = attained(net, limit, h)
    event = A <= 0.5 and B < 1 and C <= 1 and D < 1
    trace, quadratic = net.trace(h), across_products(net, h)
    printed, corrected = trace * net.backward()[h - 1], trace * net.backward()[h]

    def beyond(side):  # Claim B.1 for the least epsilons, and so for all
        return event * float(np.abs(side - limit.product(h)).max()) / (B + 2 * D + ROUNDING)

    on = net.f[h - 1] > 0
    scale = math.sqrt(2 / net.f[h - 1].shape[1])
    return {
        "B.1, h": beyond(printed),
        "B.1, h + 1": beyond(corrected),
        "B.2, h": event * float(np.abs(quadratic - printed).max()),
        "B.2, h + 1": event * float(np.abs(quadratic - corrected).max()),
        "by-product": event * scale * float(np.linalg.norm(net.across[h - 1] * on, axis=1).max()),
        "B.3": event * float(np.linalg.norm(net.along[h - 1], axis=1).max()),
        "new": float(np.abs(net.backward()[h - 1] - corrected).max()),
    }


def cells(values):
    """L and h as the three cells (1, 1), (3, 1) and (3, 3), at rho = 0, -0.9 and 0.8."""
    return (values["depth"], values["layer"], values["rho"]) in ((1, 1, 0.0), (3, 1, -0.9), (3, 3, 0.8))


measured = experiment(
    name="arora2019.one_layer",
    quick=Design(Path(d=(64, 2048, 32768)), {"depth": [1], "layer": [1], "rho": [0.0]}, trials=(300, 700)),
    standard=Design(
        Path(d=(64, 512, 4096, 32768, 200_000)),
        {"depth": [1, 3], "layer": [1, 3], "rho": [0.0, -0.9, 0.8]},
        trials=(300, 1100),
        only=cells,
    ),
)(one_layer)
