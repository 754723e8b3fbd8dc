r"""Features are learnt if and only if gamma < 1: weights and NTG move as the width grows, or do not.

Setting   Gradient flow of (2), (3) from random weights; lambda_{m,j} by (1) with Zipf weights (35) of
          alpha = 1/2; n = 4 inputs of norm one in d = 4 dimensions, any two at a cosine of 0.2, targets 2 and
          -2 in turn; times up to T = 8 / kappa_n, where hardly any loss is left for gamma > 0.
Claim     "Feature learning arises if and only if gamma < 1" (Section 1; below Theorems 4.1, 4.3, 4.4): for
          gamma = 1 the movement max_j ||w_tj - w_0j|| and the change ||Theta(W_t) - Theta(W_0)|| tend to zero
          with m, as fast as the bounds (c) and (d), m^(-1/2); for gamma < 1 they do not. And the larger
          (1 - gamma)^2 sum_j lambda~_j^2, the more features are learnt (below Proposition 3.1).
Measured  Exponents in m of movement and change, their largest values at T/16, T/4 and T, for gamma = 1 and
          for gamma = 0.75, 0.5, 0, the middle one of three networks (of one in quick); tanh, softplus, and
          swish, which the paper runs although sup|sigma'| is 1.0998 (Assumption 2.2 asks for 1). Orders at
          m = 1000 from the same first weights and signs, at the step with the least difference: gamma = 1,
          0.75, 0.5, 0 at alpha = 1/2, and alpha = 0.8, 0.5, 0.3 at gamma = 1/2.
Faster    than (d) allows: at gamma = 1 the NTG matrix changes as 1/m, as the hierarchy of kernels has it.
          Targets are larger than the first outputs, whose randomness is then a small part of what moves.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

from whp.claims import (
    Design,
    Line,
    Path,
    Plot,
    Twin,
    claim,
    experiment,
    geometric,
    limit,
    order,
    rate,
    symbols,
)
from whp.kernels import activation
from whp.kernels.mean_ntg import kappa
from whp.models.node_flow import node_flow
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

m = symbols("m")
N = 4
B = torch.linalg.cholesky(0.2 + 0.8 * torch.eye(N, dtype=torch.float64))  # (4, 4)
TARGETS = torch.tensor([2.0, -2.0, 2.0, -2.0], dtype=torch.float64)
ACTIVATIONS = ["tanh", "softplus", "swish"]
BELOW = [0.75, 0.5, 0.0]


@functools.cache
def times(name: str) -> tuple[float, ...]:
    end = 8 / kappa(B, activation(name)).value
    return end / 16, end / 4, end


def moved(rng, width, gamma, name, alpha=0.5):
    """Largest movement and largest change of the NTG matrix at three times, for one random network."""
    scales = node_scales(width, gamma, None if gamma == 1 else alpha)
    network = NodeScaled.draw(rng, B, N, scales, activation(name))
    flow = node_flow(network, B, TARGETS, stop=None, times=times(name))
    change = torch.linalg.matrix_norm(flow.ntg - flow.ntg[0], 2)  # (4,)
    return {"movement": flow.movement.max(), "change": change.max()}


def middle(rng, p):
    """The medians over as many networks as the point says: a few have hardly anything left to learn."""
    found = [moved(rng, p.m, p.gamma, p.activation) for _ in range(p.networks)]
    return {kind: torch.stack([each[kind] for each in found]).median() for kind in found[0]}


@experiment(
    quick=Design(
        Path(m=geometric(64, 1024, 4), networks=1), {"gamma": [1.0], "activation": ["tanh"]}, (8, 40)
    ),
    standard=Design(
        Path(m=geometric(64, 8192, 5), networks=3), {"gamma": [1.0], "activation": ACTIVATIONS}, (18, 40)
    ),
    paper=Design(
        Path(m=geometric(64, 65536, 6), networks=3), {"gamma": [1.0], "activation": ACTIVATIONS}, (8, 40)
    ),
)
def symmetrical(p, rng, device):
    return middle(rng, p)


@experiment(
    quick=Design(
        Path(m=geometric(64, 1024, 4), networks=1), {"gamma": [0.5], "activation": ["tanh"]}, (8, 40)
    ),
    standard=Design(
        Path(m=geometric(64, 8192, 5), networks=3),
        {"gamma": BELOW, "activation": ACTIVATIONS},
        (12, 40),
        only=lambda cell: cell["gamma"] != 0.5 or cell["activation"] == "tanh",
    ),
    paper=Design(
        Path(m=geometric(64, 65536, 6), networks=3), {"gamma": BELOW, "activation": ACTIVATIONS}, (8, 40)
    ),
)
def asymmetrical(p, rng, device):
    return middle(rng, p)


# (gamma, alpha), the later ones with more features learnt
GAMMAS = [(1.0, 0.5), (0.75, 0.5), (0.5, 0.5), (0.0, 0.5)]
ALPHAS = [(0.5, 0.8), (0.5, 0.5), (0.5, 0.3)]


@experiment(
    quick=Design(Path(m=(300,)), {"activation": ["tanh"]}, (20, 100)),
    standard=Design(Path(m=(1000,)), {"activation": ACTIVATIONS}, (45, 150)),
)
def paired(p, rng, device):
    """By how much more moves at the step with least, in logarithms; all from the same weights."""
    seed = int(rng.integers(2**63))
    values = {}
    for what, settings in (("gamma", GAMMAS), ("alpha", ALPHAS)):
        rows = [
            moved(np.random.default_rng(seed), p.m, gamma, p.activation, alpha) for gamma, alpha in settings
        ]
        for kind in ("movement", "change"):
            step = torch.stack([row[kind] for row in rows]).log().diff().min()
            less = step - math.log(TWIN[kind, what])
            values |= {f"{kind}, {what}": step.clamp(*ENDS), f"{kind}, {what}, twin": less.clamp(*ENDS)}
    return values


ENDS = (-0.1, 0.1)
"""Where a step is cut off: a single one that is very large decides nothing."""

TWIN = {
    ("movement", "gamma"): 1.5,
    ("movement", "alpha"): 1.5,
    ("change", "gamma"): 3.0,
    ("change", "alpha"): 2.0,
}
"""A little more than every step brings."""

MOVEMENT = r"\max_j \|w_{tj} - w_{0j}\|"
CHANGE = r"\|\hat\Theta(W_t) - \hat\Theta(W_0)\|_2"
AT = r"\max_{t = T/16,\, T/4,\, T} "
LARGEST = {"movement": AT + MOVEMENT, "change": AT + CHANGE}


def vanishes(kind, rate_order):
    """Towards zero at gamma = 1; not at gamma < 1."""
    return limit(
        name=f"{kind}, gamma = 1",
        experiment=symmetrical,
        statistic=kind,
        quantity=LARGEST[kind],
        order=rate_order,
        rounding=1e-4,
        twins={"gamma": Twin("for gamma < 1", experiment=asymmetrical)},
    )


def as_fast(kind, twin, words):
    """At least as fast as the printed bound."""
    return rate(
        name=f"{kind}, rate",
        experiment=symmetrical,
        statistic=kind,
        quantity=LARGEST[kind],
        bound=m**-0.5,
        rounding=1e-4,
        twins={"exponent": Twin(words, bound=twin)},
    )


def stays(kind):
    """Not towards zero at gamma < 1."""
    return rate(
        name=f"{kind}, gamma < 1",
        experiment=asymmetrical,
        statistic=kind,
        quantity=LARGEST[kind],
        bound=1,
        direction="lower",
        tolerance=0.2,
        rounding=1e-4,
        twins={
            "gamma": Twin("for gamma = 1", experiment=symmetrical),
            "growth": Twin("grows as sqrt m", bound=m**0.5),
        },
    )


def more(kind, what):
    """The order between settings."""
    grows = r"\gamma" if what == "gamma" else r"\alpha"
    return order(
        name=f"{kind}, {what}",
        experiment=paired,
        statistic=f"{kind}, {what}",
        support=ENDS,
        quantity=rf"\min_{{\mathrm{{steps\ down\ in\ }} {grows}}} \Delta \log {LARGEST[kind]}",
        twins={
            "factor": Twin(
                f"by a factor of {TWIN[kind, what]:g} at every step", statistic=f"{kind}, {what}, twin"
            )
        },
    )


def curves(kind):
    """Against m, for each gamma."""
    at = [(symmetrical, 1.0), *((asymmetrical, gamma) for gamma in BELOW)]
    return [
        Line(
            f"gamma = {gamma:g}",
            measured,
            statistic=kind,
            along="m",
            at={"gamma": gamma, "activation": "tanh"},
            colour=i,
        )
        for i, (measured, gamma) in enumerate(at)
    ]


feature_learning = claim(
    "caron2023.feature_learning",
    vanishes("movement", 0.5),
    vanishes("change", 1.0),
    as_fast("movement", m**-0.75, "m^(-3/4)"),
    as_fast("change", m**-1.25, "m^(-5/4)"),
    stays("movement"),
    stays("change"),
    *(more(kind, what) for kind, what in TWIN),
    title="As the width grows weights and NTG keep moving if and only if gamma < 1",
    locus="Section 1 (ii); below Proposition 3.1 and Theorems 4.1, 4.3, 4.4",
    regime="form",
    assumptions=(
        r"$n = d = 4$, cosines $0.2$, targets $\pm 2$, $\alpha = 1/2$, $t \le 8/\kappa_n$.",
        r"swish does not satisfy Assumption 2.2, and is what the paper's experiments use.",
    ),
    plots=(
        Plot(
            title="Movement of the weights",
            x="m",
            y="movement of the node that moves most",
            log_y=True,
            lines=curves("movement"),
            caption="tanh, the largest at three times; with gamma = 1 it falls as the root of m.",
        ),
        Plot(
            title="Change of the NTG matrix",
            x="m",
            y="norm of the change",
            log_y=True,
            lines=curves("change"),
            caption="tanh, the largest at three times; with gamma = 1 it falls as 1/m, where Theorem 4.1"
            " (d) has the root of m.",
        ),
    ),
)
