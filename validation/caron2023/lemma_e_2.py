r"""The NTG matrix of a ReLU network changes little while every node stays in a ball.

Setting   ReLU with sigma'(0) = 0; Assumptions 2.1 and 2.3; delta in (0, 1), c_{m,j} > 0; the weights W that
          satisfy ||w_0j - w_j|| <= delta^2 c_{m,j} / 4 for all j.
Claim     With probability at least 1 - delta, for all these W at once and k = 1, 2,
          ||Theta^(k)(W) - Theta^(k)(W_0)|| <= (n/d) S_k + (2n/d) sqrt(S_k), where
          S_k = sum_j lambda^(k)_{m,j} c_{m,j}, and
          (16) eig_min(Theta(W)) >= eig_min(Theta^(1)(W_0)) - (n gamma / (d m)) sum_j c_{m,j}
                                    - (2 n gamma / (d sqrt m)) (sum_j c_{m,j})^(1/2).
          The left side is printed with the index s in place of k.
Measured  The supremum of the quotient of the two sides over all these W, at delta = 0.1 and 0.5, for the
          worse of k = 1, 2, and for (16) with the least eigenvalue of Theta^(1)(W) in place of that of
          Theta(W), which is no smaller. It is bounded from above: a slope can change only where the boundary
          of an input passes through the ball, and the entries of the matrix that this allows to change bound
          the norm. This bound, for all W at once, decides. From below by a search in which every node
          chooses its best move for the leading vector (`whp.models.node_balls`): on this rest the twins,
          and the growth along m.
          Inputs on the sphere, of norms down to 1/20, nearly parallel, orthonormal, and one alone; gamma = 1
          and 1/2; all c equal, in proportion to sqrt(lambda), and over six orders of magnitude; of size
          4 and 1/10.
Loose     since Markov's inequality, for a sum that hardly varies, costs 1 / delta, the radius has a delta^2
          of which the bound keeps one, and of the slopes near a boundary only those on one side of it change
          the matrix the same way. For small c and gamma = 1/2, S is mostly that of the first node, which
          seldom changes its slope; where it does, the quotient is much larger.
"""

from __future__ import annotations

import math

import torch

from whp.claims import Design, Path, Twin, bound, claim, experiment, forall, geometric, symbols
from whp.kernels import activation
from whp.kernels.assumptions import check_inputs
from whp.models.node_balls import NodeBalls, farthest, relu_change_limit, relu_movable

from ._balls import INPUTS, RADII, inputs, parts, radii, scales

m = symbols("m")
RELU = activation("relu")
DELTAS = (0.1, 0.5)


def right_side(n: int, d: int, weights: torch.Tensor, c: torch.Tensor) -> float:
    """(n/d) S + (2n/d) sqrt(S)."""
    S = float(weights @ c)
    return n / d * (S + 2 * math.sqrt(S))


def right_side_16(n: int, d: int, gamma: float, c: torch.Tensor) -> float:
    """What (16) takes away from the least eigenvalue."""
    total, width = float(c.sum()), len(c)
    return n * gamma / d * (total / width + 2 * math.sqrt(total / width))


def limits(B, W, d, of, c, delta):
    """The quotient of the two sides, and that of (16), bounded from above over all W in the balls."""
    balls = NodeBalls(B, W, delta**2 * c / 4, d)
    movable = relu_movable(balls)
    near = balls.restricted(movable)
    change = {
        k: float(torch.linalg.eigvalsh(relu_change_limit(near, part[movable]))[-1])
        for k, part in parts(of).items()
    }
    quotients = [change[k] / right_side(len(B), d, part, c) for k, part in parts(of).items() if part.any()]
    return {"limit": max(quotients), "limit (16)": change[1] / right_side_16(len(B), d, of.gamma, c)}


def found(B, W, d, of, c, delta):
    """The same quotients at the best W that the search finds: no larger."""
    balls = NodeBalls(B, W, delta**2 * c / 4, d)
    movable = relu_movable(balls)
    near = balls.restricted(movable)
    slopes = (B @ W.T > 0).to(c)
    rest = balls.gram(slopes * ~movable, of.values)
    best = {
        k: farthest(near, part[movable], RELU, least_of=of.values[movable], rest=rest)
        for k, part in parts(of).items()
        if part.any()
    }
    quotients = [
        best[k].change / right_side(len(B), d, part, c) for k, part in parts(of).items() if k in best
    ]
    start = float(torch.linalg.eigvalsh(balls.gram(slopes, parts(of)[1]))[0])
    lost = start - best[1].least
    return {"found": max(quotients), "found (16)": lost / right_side_16(len(B), d, of.gamma, c)}


def draw(p, rng, n, d, size):
    """Inputs, weights, scales and c."""
    B = inputs(rng, p.inputs, n, d)
    check_inputs(B)
    of = scales(p.m, p.gamma)
    return B, torch.from_numpy(rng.standard_normal((p.m, B.shape[1]))), d, of, radii(rng, p.radii, of, size)


@experiment(
    quick=Design(
        Path(m=(200,)),
        {"inputs": ["cluster"], "radii": ["root"], "gamma": [0.5], "c": [4.0]},
        trials=(102, 400),
    ),
    standard=Design(
        Path(m=(20, 1000)),
        {"inputs": list(INPUTS), "radii": list(RADII), "gamma": [1.0, 0.5], "c": [4.0, 0.1]},
        trials=(150, 400),
        only=lambda cell: (
            (cell["c"] == 4.0 and cell["inputs"] == "cluster")
            or (cell["radii"], cell["gamma"], cell["c"])
            in (("root", 0.5, 4.0), ("equal", 1.0, 4.0), ("root", 0.5, 0.1))
        ),
    ),
)
def bounded(p, rng, device):
    """n = 20 (or one), d = 30."""
    of = draw(p, rng, 20, 30, p.c)
    return {f"{k} {delta:g}": v for delta in DELTAS for k, v in limits(*of, delta).items()}


@experiment(
    quick=Design(
        Path(m=(4000,)), {"inputs": ["single"], "radii": ["equal"], "gamma": [1.0]}, trials=(40, 400)
    ),
    standard=Design(
        Path(m=(4000,)), {"inputs": ["single"], "radii": ["equal"], "gamma": [1.0]}, trials=(40, 400)
    ),
)
def searched(p, rng, device):
    """One input, d = 3000; multiplied as the twins have it."""
    d = 3000
    of = draw(p, rng, 1, d, 4.0)
    values = {f"{k} {delta:g}": v for delta in DELTAS for k, v in found(*of, delta).items()}
    return values | {f"{name}, times d": d * value for name, value in values.items()}


@experiment(
    quick=Design(
        Path(m=geometric(64, 1024, 4)), {"inputs": ["cluster"], "radii": ["equal"], "gamma": [1.0]}, (8, 27)
    ),
    standard=Design(
        Path(m=geometric(64, 2048, 5)),
        {"inputs": ["cluster", "sphere"], "radii": ["equal"], "gamma": [1.0]},
        (8, 40),
    ),
)
def growth(p, rng, device):
    """The searched quotients along m, at delta = 0.5: n = 5, d = 10."""
    return found(*draw(p, rng, 5, 10, 4.0), 0.5)


SUP = r"\sup_W \frac{\|\hat\Theta^{(k)}(W) - \hat\Theta^{(k)}(W_0)\|_2}{\frac nd S_k + \frac{2n}d \sqrt{S_k}}"
LOSS = (
    r"\sup_W \frac{\mathrm{eig}_{\min} \hat\Theta^{(1)}(W_0) - \mathrm{eig}_{\min} \hat\Theta(W)}"
    r"{\frac{n\gamma}{dm} \sum_j c_{m,j} + \frac{2n\gamma}{d \sqrt m} (\sum_j c_{m,j})^{1/2}}"
)


def check(delta, nearest, *, of_16):
    """The bound at one delta, by the upper bound of the supremum; ``nearest`` is the factor of a twin."""
    tag = " (16)" if of_16 else ""
    seen = f"found{tag} {delta:g}"
    return bound(
        name=f"{'(16)' if of_16 else 'change'}, {delta:g}",
        experiment=bounded,
        statistic=f"limit{tag} {delta:g}",
        quantity=LOSS if of_16 else r"\max_k " + SUP,
        bound=1,
        delta=delta,
        twins={
            "constant": Twin(
                f"{nearest:g} of the right side, a little inside of what it is loose by",
                experiment=searched,
                statistic=seen,
                bound=nearest,
            ),
            "dimension": Twin(
                "1/d^2 in place of 1/d", experiment=searched, statistic=f"{seen}, times d", bound=1
            ),
        },
    )


lemma = claim(
    "caron2023.lemma_e_2",
    check(0.1, 5e-4, of_16=False),
    check(0.5, 0.01, of_16=False),
    check(0.1, 2e-4, of_16=True),
    check(0.5, 0.01, of_16=True),
    forall(
        name="along m",
        experiment=growth,
        statistic="found",
        quantity=r"\max_k " + SUP,
        bound=1,
        twins={"width": Twin("better by m^(1/2)", bound=m**-0.5)},
    ),
    title="In small balls around the initial weights the NTG matrix of a ReLU network changes little",
    locus="Lemma E.2, (16)",
    regime="met",
    assumptions=(
        r"Assumptions 2.1 and 2.3; ReLU; $c_{m,j}$ equal, $\propto \sqrt{\lambda_{m,j}}$, and spread;"
        r" of size $4$ and $1/10$.",
        r"$m = 20$ and $1000$, $n = 20$ and $1$, $d = 30$; the twins $m = 4000$, $n = 1$, $d = 3000$.",
    ),
)
