r"""A sufficient condition for global convergence of gradient flow, smooth activation.

Setting   Assumptions 2.1 to 2.3; delta in (0, 1), c_{m,j} > 0, gamma > 0;
          m >= max(8 n log(2n/delta) / (d kappa_n), (n M^2 delta^2 / (8 d^2 kappa_n)) S,
          (4 n^2 M^2 delta^2 / (d^3 kappa_n^2)) S), S = sum_j c_{m,j}^2;
          R'_{m,j} = (n lambda_{m,j} / d)^(1/2) ||y - u_0|| 4 / (gamma kappa_n), R_{m,j} = delta c_{m,j} / 8.
Claim     If R' < R for all j with probability at least 1 - delta/2, then on an event of probability at least
          1 - delta: R' < R for all j, and for all t > 0
          (a) eig_min(Theta(W_t)) >= gamma kappa_n / 4;  (b) L(W_t) <= exp(-gamma kappa_n t / 2) L(W_0);
          (c) ||w_tj - w_0j|| <= R'_{m,j} for all j;
          (d) ||Theta(W_t) - Theta(W_0)|| <= (n M^2 delta^2 / (64 d^2)) sum_j lambda_{m,j} c_{m,j}^2
                         + (n M delta / (2^(3/2) d^(3/2))) (sum_j lambda_{m,j} c_{m,j}^2)^(1/2).
Measured  All hypotheses hold with their constants: the assumptions are checked by computation, c_{m,j} is
          the largest multiple of sqrt(lambda_{m,j}) that m admits, and R' < R is decided on its own, with
          delta/2, on more weights than are trained. The joint event, and each of (a) to (d) alone, for all
          t > 0: gradient flow is looked at until the loss is 1e-4 of the first, and what it may do between
          these times and after them is bounded (`throughout` in `_convergence`); delta = 0.1. The twins
          have to be refuted by what is seen at these times.
Widths    are eight times smaller than Theorem 4.1 asks for: it takes the constants of Markov's inequality
          where here ||y - u_0||^2 <= 10 E||y - u_0||^2 is enough, and twice the R that it needs.
"""

from __future__ import annotations

import functools
import math

from whp.claims import Design, Path, Twin, bound, claim, experiment
from whp.errors import require
from whp.kernels import activation
from whp.kernels.assumptions import check_assumptions
from whp.models.node_flow import node_flow

from . import _sufficient
from ._convergence import seen, throughout
from ._sufficient import STOP, TIMES, draw, quotients, reach

DELTA, C = 0.1, 0.05
# inputs: (n, d, cosine between inputs, shortest norm, gamma, activation)
CASES = {
    "one": (1, 50, 0.0, 1.0, 1.0, "centred_softplus"),
    "orthonormal": (2, 200, 0.0, 1.0, 1.0, "tanh"),
    "asymmetrical": (2, 200, 0.0, 1.0, 0.5, "tanh"),
    "oblique": (2, 500, 0.5, 1.0, 1.0, "tanh"),
    "short": (2, 500, 0.2, 0.7, 0.75, "tanh"),
    "line": (1, 1, 0.0, 1.0, 1.0, "tanh"),
}


@functools.cache
def setting(case):
    """Data, checked assumptions, and m and c_{m,j} / sqrt(lambda_{m,j}) at which the hypotheses hold."""
    n, d, cosine, shortest, gamma, name = CASES[case]
    of = _sufficient.data(n, d, cosine, shortest, C, name)
    known = check_assumptions(of.X, of.y, activation(name))
    k, M = known.kappa.low, known.M
    # sum_j lambda_j = 1, so S is the square of the factor.
    shares = (8 * d**2 * k / (n * M**2 * DELTA**2), d**3 * k**2 / (4 * n**2 * M**2 * DELTA**2))
    room = 32 * math.sqrt(n / d) / (gamma * k * DELTA)  # R' < R is room ||y - u_0|| < factor
    largest = 10 * n * (known.C**2 + known.C_1)
    m = math.ceil(max(8 * n * math.log(2 * n / DELTA) / (d * k), room**2 * largest / min(shares)))
    factor = math.sqrt(m * min(shares))
    return of, known, m, factor


def admitted(case, m):
    """Check that the width meets the printed condition."""
    of, known, _, factor = setting(case)
    n, d, k, M, S = len(of.y), of.d, of.kappa, known.M, factor**2
    least = max(
        8 * n * math.log(2 * n / DELTA) / (d * k),
        n * M**2 * DELTA**2 / (8 * d**2 * k) * S,
        4 * n**2 * M**2 * DELTA**2 / (d**3 * k**2) * S,
    )
    require(m >= least * (1 - 1e-9), "m", f"at least {least:.6g}", m)


def start(p, rng):
    """The data, what is known of them, a random network of the least width, and the factor of c_{m,j}."""
    of, known, m, factor = setting(p.case)
    admitted(p.case, m)
    gamma, name = CASES[p.case][-2:]
    return of, known, draw(rng, of, m, gamma, name), factor


@experiment(
    quick=Design(Path(network=(1,)), {"case": ["orthonormal"]}, trials=(210, 400)),
    standard=Design(Path(network=(1,)), {"case": list(CASES)}, trials=(280, 400)),
)
def hypothesis(p, rng, device):
    """R' / R at the start."""
    of, _, network, factor = start(p, rng)
    return reach(of, network.outputs(of.B), network.scales.gamma) / (DELTA * factor / 8)


@experiment(
    quick=Design(Path(network=(1,)), {"case": ["orthonormal"]}, trials=(102, 300)),
    standard=Design(Path(network=(1,)), {"case": list(CASES)}, trials=(130, 300)),
)
def trained(p, rng, device):
    """The quotients of (a) to (d) for all times and as seen, and the largest of them and of R' / R."""
    of, known, network, factor = start(p, rng)
    n, d, M, scales = len(of.y), of.d, known.M, network.scales
    S = scales.power_sum(2) * factor**2  # sum_j lambda_j c_j^2
    limit = n * M**2 * DELTA**2 / (64 * d**2) * S + n * M * DELTA / (2**1.5 * d**1.5) * math.sqrt(S)
    flow = node_flow(network, of.B, of.y, stop=STOP, times=[t / of.kappa for t in TIMES])
    first, gamma = flow.outputs[0], scales.gamma
    inside = reach(of, first, gamma) / (DELTA * factor / 8)
    found = {}
    for words, worst in (("", throughout(flow, known, scales)), (", seen", seen(flow))):
        parts = quotients(of, worst, first, gamma, limit)
        parts["joint"] = max(inside, *parts.values())
        found |= {part + words: value for part, value in parts.items()}
    return found | {f"{part}, slack": 1 / found[f"{part}, seen"] for part in (*NAMES, "joint")}


NAMES = {
    "a": (r"\frac{\gamma\kappa_n / 4}{\inf_t \mathrm{eig}_{\min} \hat\Theta(W_t)}", 0.24, "gamma kappa_n"),
    "b": (r"\frac{\gamma\kappa_n / 2}{\inf_t t^{-1} \log(L(W_0) / L(W_t))}", 0.24, "2 gamma kappa_n"),
    "c": (r"\sup_t \max_j \|w_{tj} - w_{0j}\| / R'_{m,j}", 0.15, "a seventh of R'"),
    "d": (r"\sup_t \|\hat\Theta(W_t) - \hat\Theta(W_0)\|_2 / B", 1e-5, "a hundred thousandth of it"),
}


def alone(key):
    """One of (a) to (d) on its own: how loose it is."""
    quantity, inside, words = NAMES[key]
    return bound(
        name=f"({key})",
        experiment=trained,
        statistic=key,
        slack_statistic=f"{key}, slack",
        quantity=quantity,
        bound=1,
        delta=DELTA,
        twins={
            "inside": Twin(f"a little more than {words}", statistic=f"{key}, seen", bound=inside),
        },
    )


lemma = claim(
    "caron2023.lemma_e_5",
    bound(
        name="hypothesis",
        experiment=hypothesis,
        quantity=r"\max_j R'_{m,j} / R_{m,j}",
        bound=1,
        delta=DELTA / 2,
        twins={"delta": Twin("a quarter of R", bound=0.25)},
    ),
    bound(
        name="joint",
        experiment=trained,
        statistic="joint",
        slack_statistic="joint, slack",
        quantity=r"\max\{R'/R,\, (a),\, (b),\, (c),\, (d)\}",
        bound=1,
        delta=DELTA,
        twins={"fifth": Twin("a fifth of all bounds", statistic="joint, seen", bound=0.2)},
    ),
    *(alone(key) for key in NAMES),
    title="Enough width for the radii: gradient flow of a smooth network converges, and stays in the balls",
    locus="Lemma E.5",
    regime="met",
    assumptions=(
        r"Assumptions 2.1 and 2.2 and the printed width, checked by computation; $c_{m,j} \propto"
        r" \sqrt{\lambda_{m,j}}$; $\delta = 0.1$, $C = 0.05$, $\alpha = 1/2$.",
        "(n, d, cosine between inputs, shortest norm, gamma): "
        + "; ".join(f"{case} {values[:5]} with {values[5]}" for case, values in CASES.items()),
    ),
)
