r"""When the upper bounds of Theorem 4.1 vanish as the width grows.

Setting   The right sides of (c), sqrt(lambda_{m,j}) times a number without m, and of (d), a function of
          sum_j lambda_{m,j}^2, and those of Theorem A.1; lambda_{m,j} by (1) for any fixed sequence lambda~
          that decreases and sums to one, gamma in (0, 1].
Claim     "The upper bound in (c) vanishes in the limit if and only if gamma = 1 (NTK regime)" can be read in
          two ways. feature_learning_bound_c: the bound for all j at once, that is the largest of them.
          feature_learning_bound_c_each: the bound of every single j, as Appendix A.1 has it, there with the
          condition "when lambda~_j > 0" that the sentence below Theorem 4.1 lacks;
          feature_learning_bound_c_each_corrected: with it. feature_learning_bound_d: "similarly, the upper
          bound in (d) vanishes if and only if gamma = 1", and the same of Theorem A.1.
Measured  The bound at m = 10^6 over that at 10^4: a tenth where it vanishes (it then falls as m^(-1/2)), near
          one where it does not, so below 1/2 if and only if gamma = 1; the excess is the distance from 1/2 on
          the wrong side. Zipf weights, geometric ones, and K equal ones, which Section 2 names as the finite
          network; gamma = 1 and from 0.05 to 0.75; j up to 5.
Fails     (c) for every single j, for K equal weights and j > K: lambda_{m,j} = gamma / m, and the bound
          vanishes for gamma < 1 too. For all j at once the sentence is right, since lambda~_1 > 0.
"""

from __future__ import annotations

import functools

import numpy as np
from hypothesis import strategies as st

from whp.bounds import GlobalConvergence, ReluGlobalConvergence
from whp.claims import Twin, always, claim, search
from whp.models.node_scales import node_scales

WIDTHS = (10_000, 1_000_000)
SHARED = {"n": 3, "d": 5, "kappa": 0.05, "delta": 0.1, "C": 1.0}
TOLERANCE = 1e-9


@functools.lru_cache(maxsize=64)
def scales(m, gamma, kind, size):
    """The node scales of a family of sequences; ``size`` is alpha, the ratio, or K."""
    if gamma == 1:
        return node_scales(m, 1.0)
    if kind == "zipf":
        return node_scales(m, gamma, size)
    if kind == "geometric":
        tilde = size ** np.arange(400.0)
        return node_scales(m, gamma, tilde=tilde / tilde.sum())
    return node_scales(m, gamma, tilde=np.full(int(size), 1.0 / size))


def excess(ratio, vanishing):
    """How far a ratio of bounds is on the wrong side of 1/2."""
    return ratio - 0.5 if vanishing else 0.5 - ratio


def ratio_c(sequence, gamma, j):
    """The bound of (c) for node j at the larger width over that at the smaller.

    The scales do not increase, so the bound of node 1 is the largest of all nodes.
    """
    law = GlobalConvergence(gamma=gamma, C_1=1.0, M=0.5, **SHARED)
    small, large = (law.movement(float(scales(m, gamma, *sequence).block(j - 1, j))) for m in WIDTHS)
    return large / small


def ratio_d(sequence, gamma, relu):
    """The same of (d), in Theorem 4.1 or A.1."""
    smooth = GlobalConvergence(gamma=gamma, C_1=1.0, M=0.5, **SHARED)
    law = ReluGlobalConvergence(gamma=gamma, **SHARED) if relu else smooth
    small, large = (law.ntg_change(scales(m, gamma, *sequence).power_sum(1.5 if relu else 2)) for m in WIDTHS)
    return large / small


def largest_c(sequence, gamma, *, least=1.0):
    return excess(ratio_c(sequence, gamma, 1), gamma >= least)


def largest_c_wider(sequence, gamma):
    return largest_c(sequence, gamma, least=0.75)


def largest_c_always(sequence, gamma):
    return largest_c(sequence, gamma, least=0.0)


def each_c(sequence, gamma, j, *, least=1.0):
    return excess(ratio_c(sequence, gamma, j), gamma >= least)


def each_c_wider(sequence, gamma, j):
    return each_c(sequence, gamma, j, least=0.75)


def each_c_always(sequence, gamma, j):
    return each_c(sequence, gamma, j, least=0.0)


def positive_c(sequence, gamma, j):
    return each_c(sequence, gamma, j)


def positive_c_wider(sequence, gamma, j):
    return each_c(sequence, gamma, j, least=0.75)


def positive_c_never(sequence, gamma, j):
    return each_c(sequence, gamma, j, least=2.0)


def bound_d(sequence, gamma, relu, *, least=1.0):
    return excess(ratio_d(sequence, gamma, relu), gamma >= least)


def bound_d_wider(sequence, gamma, relu):
    return bound_d(sequence, gamma, relu, least=0.75)


def bound_d_never(sequence, gamma, relu):
    return bound_d(sequence, gamma, relu, least=2.0)


GAMMA = st.sampled_from([1.0, 0.5, 0.75, 0.25, 0.05])
POSITIVE = [("zipf", 0.5), ("zipf", 0.4), ("zipf", 0.7), ("geometric", 0.5), ("geometric", 0.9), ("equal", 6)]
EVERY = [*POSITIVE, ("equal", 1), ("equal", 3)]
NODE = st.integers(1, 5)


def searched(check, sequences, **others):
    return search(
        check,
        given={"sequence": st.sampled_from(sequences), "gamma": GAMMA, **others},
        examples=(25, 200, 1000),
        tolerance=TOLERANCE,
        shrink=check is each_c,
    )


SENTENCE = r"\lim_{m \to \infty} B_m = 0 \iff \gamma = 1"
TWINS = {
    "wider": "if and only if gamma >= 3/4",
    "always": "for every gamma",
    "never": "for no gamma",
}


def sentence(name, check, twins, sequences, **others):
    return always(
        name=name,
        experiment=searched(check, sequences, **others),
        statement=SENTENCE,
        tolerance=TOLERANCE,
        twins={
            key: Twin(TWINS[key], experiment=searched(twin, sequences, **others))
            for key, twin in twins.items()
        },
    )


MET = r"$\tilde\lambda$ decreases and sums to one, $0 < \gamma \le 1$."

at_once = claim(
    "caron2023.feature_learning_bound_c",
    sentence("(c)", largest_c, {"wider": largest_c_wider, "always": largest_c_always}, EVERY),
    title="The upper bound in (c), for all nodes at once, vanishes in the limit if and only if gamma = 1",
    locus="below Theorem 4.1",
    regime="met",
    assumptions=(MET, "Read for all j at once: the largest of the bounds."),
)

each = claim(
    "caron2023.feature_learning_bound_c_each",
    sentence("(c)", each_c, {"wider": each_c_wider, "always": each_c_always}, EVERY, j=NODE),
    title="The upper bound in (c), for every single node, vanishes in the limit if and only if gamma = 1",
    locus="below Theorem 4.1",
    regime="met",
    assumptions=(
        MET,
        r"Read for every single j, as Appendix A.1 does, which has the condition $\tilde\lambda_j > 0$ that"
        r" the sentence below Theorem 4.1 lacks.",
    ),
)

corrected = claim(
    "caron2023.feature_learning_bound_c_each_corrected",
    sentence("(c)", positive_c, {"wider": positive_c_wider, "never": positive_c_never}, POSITIVE, j=NODE),
    title="The upper bound in (c) vanishes, for nodes with lambda~_j > 0, if and only if gamma = 1",
    locus="below Theorem 4.1; Appendix A.1, which has the condition",
    regime="met",
    assumptions=(MET, r"$\tilde\lambda_j > 0$."),
    printed=False,
    corrects="caron2023.feature_learning_bound_c_each",
)

ntg = claim(
    "caron2023.feature_learning_bound_d",
    sentence("(d)", bound_d, {"wider": bound_d_wider, "never": bound_d_never}, EVERY, relu=st.booleans()),
    title="The upper bound in (d) vanishes in the limit if and only if gamma = 1",
    locus="below Theorem 4.1; below Theorem A.1",
    regime="met",
    assumptions=(MET,),
)
