r"""Gradient descent of a wide network with gamma > 0 converges, with the printed width and learning rate.

Setting   As in Theorem 4.1, trained by gradient descent on (3) with learning rate eta below the printed limit
          min(2 / (gamma kappa_n), gamma kappa_n d^2 / (8 n^2), gamma kappa_n d^2 delta^(1/2)
          / (2^(9/2) n^2 M (C^2 + C_1)^(1/2))); alpha = eta gamma kappa_n / 2, beta = (1 - alpha)^(1/2), and
          m at least the printed threshold, which has beta in it.
Claim     With probability at least 1 - delta, |y - u_s|^2 <= (1 - alpha)^s |y - u_0|^2 for all s.
Measured  Regime met: assumptions, kappa_n, C_1 and M as in `thm_4_1`; eta is 0.99 of the limit, m the printed
          threshold. The mean rate -log(|y - u_s|^2 / |y - u_0|^2) / s against -log(1 - alpha), at the worst
          s >= 1 (at s = 0 there is equality), until the loss is a millionth of the first one.
          All steps are seen; what comes after them is bounded by Lemma H.3 and counted (:func:`after`).
Looseness A step takes 2 eta kappa_n from the logarithm, not eta gamma kappa_n / 2. The limit of eta is of
          order n^(-2): at 30 times that it converges too, below.
Beyond    m = 2000, below the threshold, at the printed rate and at 30 times that, 500 steps.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from whp.bounds import DescentConvergence
from whp.claims import Path, Twin, bound, claim, experiment
from whp.errors import MeasurementError, require
from whp.models.node_flow import NodeDescent, node_descent

from ._convergence import STOP, Cell, Setting, change_ahead, design, met, narrow, over, zipf

SHARE = 0.99
LONGEST = 500
NTK = (2, "tanh", 1.0, 0.5, "orthonormal")
HALF = (2, "tanh", 0.5, 0.5, "orthonormal")
MOST = (2, "tanh", 0.75, 0.4, "orthonormal")
LOW = (2, "tanh", 0.3, 0.7, "orthonormal")
TILTED = (2, "tanh", 0.75, 0.4, "tilted")
THREE = (3, "tanh", 1.0, 0.5, "orthonormal")
EXTREME = (2, "tanh", 0.5, 0.0, "orthonormal")
SINE = (2, "sin", 0.75, 0.3, "orthonormal")
FLAT = (2, "4 tanh(z/4)", 1.0, 0.5, "orthonormal")


def descend(p, rng, device, where: Cell, width: int | None, times: float = 1.0) -> dict[str, float]:
    """Left over right side of (27) at the worst step, and of its false twins.

    The width is the printed threshold unless given; the learning rate so many times SHARE of the limit.
    """
    at = DescentConvergence.at_limit(where.theorem, SHARE)
    eta, alpha = times * at.eta, times * at.alpha
    m = at.held_width(where.B.shape[1]) if width is None else width
    where = replace(where, scales=zipf(m, p.gamma, p.alpha))
    steps = LONGEST if width else math.ceil(-math.log(STOP) / (2 * eta * at.kappa))
    run = node_descent(where.draw(rng, p, device), where.B, where.y, rate=eta, steps=steps)
    logs = torch.log(run.every_loss[0] / run.every_loss[1:])  # (steps,)
    measured = int((logs[:-1] < -math.log(STOP)).sum()) + 1  # beyond, rounding is not far
    s = torch.arange(1, measured + 1, dtype=torch.float64)
    rate = float((logs[:measured] / s).min())
    if width is None:
        rate = min(rate, after(run, at, where))
    return {
        "width": float(m),
        "eta": eta,
        "residual": over(-math.log1p(-alpha), rate),
        "residual, whole": over(2.2 * eta * at.kappa, rate),
        "residual, root": over(-math.log1p(-times * at.alpha / math.sqrt(at.kappa)), rate),
    }


def after(run: NodeDescent, at: DescentConvergence, where: Cell) -> float:
    r"""Return a rate for all steps after the last one, from Lemma H.3.

    While the smallest eigenvalue is at least half of the last one, e/2, a step takes the squared residual r^2
    to at most q r^2, q = 1 - eta e + 2 eta^2 M n^(3/2) r / d^2 + eta^2 n^2 / d^2. By Lemma H.2 a node moves
    by at most eta sqrt(n lambda_j / d) r / (1 - sqrt q) in all these steps, and the NTG matrix changes by
    at most e/2 (`_convergence.change_ahead`), so that the eigenvalue does stay above e/2.
    """
    n, d, eta = at.n, at.d, at.eta
    e = float(torch.linalg.eigvalsh(run.ntg[-1])[0])
    left = math.sqrt(2 * float(run.every_loss[-1]))
    more = 2 * eta**2 * at.M * n**1.5 * left / d**2 + (eta * n / d) ** 2
    q = 1 - eta * e + more
    require(0 <= q < 1, "factor of a step", "in [0, 1)", q, MeasurementError)
    moved = eta * math.sqrt(n / d) * left / (1 - math.sqrt(q))
    changed = change_ahead(at, where.scales, moved, e)
    return -math.log(1 - 2 * eta * (e - changed) + more)


@experiment(
    quick=design(Path(d=(400,)), (50, 90), NTK),
    standard=design(Path(d=(400,)), (60, 90), NTK, MOST),
    dtype="float32",
)
def fifth(p, rng, device):
    """delta = 1/5, C = 1/20."""
    return descend(p, rng, device, met(Setting.at(p, C=0.05, delta=0.2)), None)


@experiment(
    quick=design(Path(d=(400,)), (20, 40), NTK),
    standard=design(Path(d=(400,)), (24, 60), HALF, LOW, TILTED, THREE, EXTREME, SINE),
    dtype="float32",
)
def half(p, rng, device):
    """delta = 1/2, C = 1/20."""
    return descend(p, rng, device, met(Setting.at(p, C=0.05, delta=0.5)), None)


@experiment(
    quick=design(Path(d=(2,)), (20, 40), FLAT),
    standard=design(Path(d=(2,)), (24, 60), FLAT),
    paper=design(Path(d=(2,)), (24, 60), FLAT, NTK),
    dtype="float32",
)
def square(p, rng, device):
    """n = d = 2, delta = 1/2, C = 1/10."""
    return descend(p, rng, device, met(Setting.at(p, C=0.1, delta=0.5)), None)


def below_threshold(p, rng, device, times):
    """delta = 1/2, C = 1."""
    return descend(p, rng, device, narrow(Setting.at(p, C=1.0, delta=0.5), p.m), p.m, times)


FEW = design(Path(m=(2000,), d=50), (20, 40), (4, "tanh", 1.0, 0.5, "orthonormal"))
MANY = design(
    Path(m=(2000,), d=50),
    (24, 60),
    (4, "tanh", 1.0, 0.5, "orthonormal"),
    (10, "tanh", 0.5, 0.5, "sphere"),
    (10, "softplus", 0.5, 0.7, "sphere"),
)


@experiment(quick=FEW, standard=MANY)
def slow(p, rng, device):
    """At the printed learning rate."""
    return below_threshold(p, rng, device, 1.0)


@experiment(quick=FEW, standard=MANY)
def fast(p, rng, device):
    """At 30 times the printed learning rate."""
    return below_threshold(p, rng, device, 30.0)


WHOLE = Twin("1.1 kappa_n in place of gamma kappa_n / 4 in the exponent", statistic="residual, whole")
ROOT = Twin("the root of kappa_n in place of kappa_n", statistic="residual, root")


def check(name, measured, delta, **twins):
    """(27) in one experiment."""
    return bound(
        name=name,
        experiment=measured,
        statistic="residual",
        quantity=r"\sup_{s \ge 1} \frac{-\log(1 - \alpha)}"
        r"{-\log(\|y - u_s\|^2 / \|y - u_0\|^2) / s}",
        bound=1,
        delta=delta,
        twins=twins,
    )


THEOREM = claim(
    "caron2023.thm_h_1",
    check("delta = 1/5", fifth, 0.2, whole=WHOLE, root=ROOT),
    check("delta = 1/2", half, 0.5, whole=WHOLE),
    check("n = d = 2", square, 0.5, whole=WHOLE),
    title="Gradient descent converges at the rate eta gamma kappa_n / 2 a step",
    locus="Theorem H.1, (27)",
    regime="met",
    assumptions=(
        r"Assumptions 2.1 to 2.3, checked by computation; $\eta$ is 0.99 of the printed limit, $m$ the"
        r" printed threshold, rounded up.",
        r"$\sigma$: $\tanh$; $\sin$; $4 \tanh(z/4)$ at $n = d$. Zipf's $\alpha$ = 0.3 to 0.7 where"
        r" $\gamma < 1$; $\alpha = 0$ stands for the limit $\tilde\lambda = (1, 0, 0, \ldots)$.",
        r"$|y_i| = C$, attained, by turns positive and negative. Tilted inputs: cosines 0.2, norms 1 and 0.95"
        r" by turns.",
    ),
)

BEYOND = claim(
    "caron2023.thm_h_1_beyond",
    check("printed rate", slow, 0.5, whole=WHOLE, root=ROOT),
    check("30 times the rate", fast, 0.5, whole=WHOLE),
    title="Gradient descent converges at the rate eta gamma kappa_n / 2 a step, at m = 2000",
    locus="Theorem H.1, (27)",
    regime="beyond",
    assumptions=(
        r"$m = 2000$, $d = 50$, $C = 1$; $\eta$ is 0.99 of the printed limit, or 30 times that.",
        r"Points drawn once on the unit sphere have $y_i$ uniform in $[-1, 1]$.",
        r"$\sigma$: $\tanh$, and softplus at $\alpha = 0.7$.",
    ),
)
