r"""How many neurons change sign at a data point when the weights move.

Setting   X: n x d, rows from D (Assumption 3.1); W(0): m x d by the symmetric initialisation (3);
          N_i = {r : |w_r(0) . x_i| <= lambda |x_i|}, M_i = {r : sign(w_r . x_i) != sign(w_r(0) . x_i)}.
Claim     (31) with high probability |N_i| <~ lambda m + sqrt(m log n) for all i; the proof gives constants:
          |N_i| <= sqrt(2/pi) lambda m + sqrt(m log(n/delta)) with probability 1 - delta, by Hoeffding's
          inequality for m/2 independent pairs. (32) |M_i \ N_i| <= ||W - W(0)||^2 / lambda^2, always.
          (33) with high probability |M_i| <~ m^(2/3) ||W - W(0)||^(2/3) + sqrt(m log n) for all i and W;
          with lambda = (||W - W(0)||^2 / m)^(1/3) the constants of (31) and (32) give
          |M_i| <= (sqrt(2/pi) + 1) m^(2/3) ||W - W(0)||^(2/3) + sqrt(m log(n/delta)).
Measured  (31): the tail at lambda = 1/2 at 20 levels, n = 4 d, m = 2 d; its rate, at its largest over
          lambda. (32): a search. (33): for one data point the worst W of a given norm is known (the
          cheapest neurons are moved across its boundary, by a matrix of rank one), so its supremum over W
          is exact: with constants at ||W - W(0)||^2 = m/100, the rate at its largest over all norms,
          and along training.
"""

from __future__ import annotations

import math

import numpy as np
import sympy
from hypothesis import strategies as st

from whp.claims import (
    Design,
    Path,
    Twin,
    always,
    bound,
    claim,
    experiment,
    forall,
    geometric,
    rate,
    search,
    symbols,
)
from whp.models.jacobians import flip_budget
from whp.strategies import matrices, vectors

from ._setting import PHI_ASSUMPTION, RATES, W_ASSUMPTION, X_ASSUMPTION
from ._weights import SIZES, TRAINING, linear_training, setting

d, n, m, alpha = symbols("d n m alpha")
LEVELS = tuple(float(x) for x in np.geomspace(0.01, 0.5, 20))
LAMBDA = 0.5
MEAN = math.sqrt(2 / math.pi)
SHARE = 0.01  # ||W - W(0)||^2 / m, for (33) with constants
DELTA = 0.01
PRINTED = (MEAN + 1) * SHARE ** (1 / 3) * m + sympy.sqrt(m * sympy.log(n / DELTA))  # the right side of (33)


# --- (31) and (33) with their constants


@experiment(
    quick=Design(Path(d=(12,), n=4 * d, m=2 * d), {"activation": ["relu"]}, trials=(1020, 2700)),
    standard=Design(Path(d=(12, 24), n=4 * d, m=2 * d), {"activation": ["relu"]}, trials=(1300, 4050)),
)
def counts(p, rng, device):
    s = setting(p, rng, device)
    near = (s.X @ s.init.W.T).abs() <= LAMBDA * s.X.norm(dim=1, keepdim=True)  # (n, m)
    excess = max(float(near.sum(dim=1).max()) - MEAN * LAMBDA * p.m, 0.0)
    tail = math.exp(-(excess**2) / p.m)
    return {
        "tail": p.n * tail,
        "one point": tail,
        "no pairs": p.n * tail**2,
        "slack": math.sqrt(p.m * math.log(p.n / DELTA)) / max(excess, 1e-9),
        "least margin": (s.X @ s.init.W.T).abs().min(),  # tells trials apart where the counts agree
    }


@experiment(
    quick=Design(Path(d=(4,), n=6 * d, m=100), {"activation": ["relu"]}, trials=(1020, 2700)),
    standard=Design(Path(d=(6, 12), n=6 * d, m=200), {"activation": ["relu"]}, trials=(1300, 4050)),
)
def most_flips(p, rng, device):
    s = setting(p, rng, device)
    budget = flip_budget(s.X, s.init.W).cpu()  # (m, n)
    return {"flips": (budget <= SHARE * p.m).sum(dim=0).max().item(), "least": budget.min()}


# --- (31) and (33) along the path


@experiment(
    quick=Design(Path(d=geometric(16, 128, 4), **SIZES), {"alpha": [0.1], "activation": ["relu"]}, (12, 40)),
    standard=Design(
        Path(d=geometric(32, 320, 5), **SIZES), {"alpha": [0.1], "activation": ["relu"]}, (12, 40)
    ),
)
def suprema(p, rng, device):
    """(31) at its largest over lambda, and (33) over ||W - W(0)||, relative to their right sides."""
    s = setting(p, rng, device)
    budget = flip_budget(s.X, s.init.W).cpu()  # (m, n)
    flips = np.arange(1, p.m + 1)[:, None]
    margins = budget.diff(dim=0, prepend=0 * budget[:1]).clamp_min(0).sqrt().numpy()
    radii, room = budget.sqrt().numpy(), math.sqrt(p.m * math.log(p.n))
    return {
        "N": (flips / (margins * p.m + room)).max(),
        "M": (flips / ((p.m * radii) ** (2 / 3) + room)).max(),
    }


# --- (32)


def moves(W):
    """W(0), W - W(0) and x: any, and moves of every neuron to the boundary of x and beyond."""
    x = vectors(W.shape[1])
    anywhere = vectors(W.size).map(lambda v: v.reshape(W.shape))
    across = st.tuples(x, st.floats(1.0, 2.0)).map(
        lambda at: (-at[1] * np.outer(W @ at[0], at[0]) / max(at[0] @ at[0], 1e-300), at[0])
    )
    return st.one_of(st.tuples(anywhere, x), across).map(lambda found: (W, *found))


MOVES = {"move": matrices().flatmap(moves), "share": st.floats(1e-3, 1.0)}
EXAMPLES = (50, 300, 2000)


def crossings(move, share):
    """Margins at W(0) and the move of each, all over |x|; lambda; and the squared norm of W - W(0)."""
    W, shift, x = move
    length = np.linalg.norm(x)
    if length == 0:
        return None
    before, moved = W @ (x / length), shift @ (x / length)
    return before, moved, share * np.abs(before).max(), np.linalg.norm(shift, 2) ** 2


def flips_excess(move, share, everywhere=False, constant=1.0):
    """How far |M \\ N| lambda^2 is above constant ||W - W(0)||^2, relative to the latter."""
    found = crossings(move, share)
    if found is None:
        return 0.0
    before, moved, limit, room = found
    crossed = np.sign(before + moved) != np.sign(before)
    outside = np.abs(before) > limit
    count = np.sum(crossed & (outside | everywhere))
    if count == 0 or limit == 0:
        return 0.0
    return count * limit**2 / (constant * room) - 1 if room > 0 else np.inf


def flips_apart(move, share):
    return flips_excess(move, share)


def flips_tenth(move, share):
    return flips_excess(move, share, constant=0.1)


def flips_everywhere(move, share):
    return flips_excess(move, share, everywhere=True)


NORM = r"\|W - W(0)\|"

lemma = claim(
    "hu2020.sign_flips",
    bound(
        name="(31), constants",
        experiment=counts,
        statistic="tail",
        quantity=(r"\Pr\left[\max_i |N_i| \ge \sqrt{2/\pi}\, \lambda m + s\right] \le n \exp(-s^2 / m)"),
        delta=LEVELS,
        tail_of=True,
        slack_statistic="slack",
        twins={
            "one point": Twin("for one data point, not for all", statistic="one point"),
            "no pairs": Twin("for m independent neurons instead of m/2 pairs", statistic="no pairs"),
        },
    ),
    rate(
        name="(31)",
        experiment=suprema,
        statistic="N",
        quantity=r"\max_i \sup_\lambda |N_i| / (\lambda m + \sqrt{m \log n})",
        bound=1,
        twins={"exponent": Twin("better by d^(1/4)", bound=d**-0.25)},
    ),
    always(
        name="(32)",
        experiment=search(flips_apart, given=MOVES, examples=EXAMPLES),
        statement=r"|M_i \setminus N_i| \le " + NORM + r"^2 / \lambda^2",
        twins={
            "constant": Twin(
                "a tenth of the right side",
                experiment=search(flips_tenth, given=MOVES, examples=EXAMPLES, shrink=False),
            ),
            "all of M": Twin(
                "M_i instead of M_i without N_i",
                experiment=search(flips_everywhere, given=MOVES, examples=EXAMPLES, shrink=False),
            ),
        },
    ),
    bound(
        name="(33), constants",
        experiment=most_flips,
        statistic="flips",
        quantity=r"\max_i \sup_{" + NORM + r"^2 \le m/100} |M_i|",
        bound=PRINTED,
        delta=DELTA,
        twins={"half": Twin("half of the right side", bound=PRINTED / 2)},
    ),
    forall(
        name="(33)",
        experiment=suprema,
        statistic="M",
        quantity=r"\max_i \sup_W |M_i| / (m^{2/3} " + NORM + r"^{2/3} + \sqrt{m \log n})",
        bound=1,
        twins={"exponent": Twin("better by d^(1/4)", bound=d**-0.25)},
    ),
    rate(
        name="(33), training",
        experiment=linear_training,
        statistic="flips",
        quantity=r"\max_i \sup_{t \le T} |M_i| / (m^{2/3} \|W(t) - W(0)\|^{2/3} + \sqrt{m \log n})",
        bound=1,
        rounding=1e-4,
        twins={"exponent": Twin("better by d^(3/2)", bound=d**-1.5)},
    ),
    title="Few neurons change sign when the weights move",
    locus="proof of Lemma D.5, (31)-(33)",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, RATES, TRAINING],
)
