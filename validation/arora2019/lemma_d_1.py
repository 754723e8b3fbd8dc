r"""A small change of the gradients is a small change of the kernel.

Setting   ker_t(x, x') = <grad f(theta(t), x), grad f(theta(t), x')>, all weights together.
Claim     If ||grad f(theta(t), .) - grad f(theta(0), .)|| <= epsilon at x and at x', then
          |ker_t(x, x') - ker_0(x, x')| <= O(epsilon); the proof has ||grad f(theta(0), .)|| = O(1).
Measured  For any four vectors: with norms up to G at the start and changes up to epsilon <= 1 the change is
          at most (2 G + 1) epsilon (for epsilon unbounded there is no such constant). For ReLU networks: the
          change of ker(x, x) over epsilon, at the worst weights found within omega sqrt m of the first ones,
          and at others, as omega falls.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, forall, search, symbols
from whp.strategies import vectors

from ._perturbed import SETTING, along_omega

k = symbols("k")
TOLERANCE = 1e-9
INPUTS = {
    "four": st.integers(1, 5).flatmap(lambda n: st.tuples(*[vectors(n)] * 4)),
    "size": st.floats(0.01, 10.0),
    "epsilon": st.floats(1e-3, 1.0),
}


def excess(four, size, epsilon, constant):
    """The change of <a, b>, less constant times epsilon; ||a||, ||b|| <= size, changes <= epsilon."""
    a, b, da, db = (v / max(1.0, float(np.linalg.norm(v))) for v in four)
    a, b, da, db = size * a, size * b, epsilon * da, epsilon * db
    change = abs(float(a @ db + da @ b + da @ db))
    return (change - constant * epsilon) / (1 + size)


def gradients(four, size, epsilon):
    return excess(four, size, epsilon, 2 * size + 1)


def gradients_first_order(four, size, epsilon):
    return excess(four, size, epsilon, 2 * size)


def gradients_one_side(four, size, epsilon):
    return excess(four, size, epsilon, size + 1)


def wrong(check):
    return search(check, given=INPUTS, examples=(200, 500, 5000), tolerance=TOLERANCE, shrink=False)


lemma = claim(
    "arora2019.lemma_d_1",
    always(
        name="any gradients",
        experiment=search(gradients, given=INPUTS, tolerance=TOLERANCE),
        statement=r"|\langle a + \Delta a, b + \Delta b \rangle - \langle a, b \rangle| \le (2G + 1)\epsilon",
        tolerance=TOLERANCE,
        twins={
            "first order": Twin("2 G epsilon", experiment=wrong(gradients_first_order)),
            "one side": Twin("(G + 1) epsilon", experiment=wrong(gradients_one_side)),
        },
    ),
    forall(
        name="networks",
        experiment=along_omega,
        statistic="kernel",
        quantity=r"\sup_{\|\Delta W\| \le \omega \sqrt m} \frac{|\ker_t(x, x) - \ker_0(x, x)|}{\epsilon}",
        bound=1,
        rounding=1e-3,
        twins={"square": Twin("epsilon^2 in place of epsilon", statistic="kernel, squared")},
    ),
    title="A small change of the gradients is a small change of the kernel",
    locus="Lemma D.1",
    assumptions=(SETTING, r"$\epsilon \le 1$.", r"$\omega = 1/k$."),
)
