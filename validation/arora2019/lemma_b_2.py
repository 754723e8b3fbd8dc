r"""The event calculus of Appendix B, as it is defined.

Setting   a finite probability space and events A, B, and A_0, ..., A_L in it; P(A) > 0. Here three events
          and any weights of the eight atoms that they make: every joint law of three events.
Claim     With "A => B" defined as "not A, and B":  P(A => B) >= P(B | A). Its proof: P(not A, and B) = 1 -
          P(A or not B) = 1 - P(not B | A) P(A) >= 1 - P(not B | A) = P(B | A). And the bars over A, B, D are
          defined as unions over the layers h; Theorem B.1 restates "for all h" by such a bar "in other
          words", so that the union must imply every A_h.
Measured  P(B | A) - P(A => B), and the probability that the union occurs and some A_h does not.
Errors    Both definitions are slips. With A = B = everything the left side of the lemma is 0 and the right
          side 1; the lemma's proof uses P(A or not B) = P(A and not B), and it and every use of it are those
          of the material implication "not A, or B". The bars are meant to be intersections: A^0 always holds
          (g^(0) = x), and so does B^(L+1), so that the printed unions are the sure event.
"""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, search

ATOMS = np.array(list(itertools.product([True, False], repeat=3))).T  # (3, 8): events, on the atoms they make
A, B = ATOMS[:2]
GIVEN = {"P": st.tuples(*8 * [st.integers(0, 4)]).filter(any).map(lambda w: np.array(w) / sum(w))}


def conditional(P, event):
    """P(event | A), or nothing where P(A) = 0."""
    return P[A & event].sum() / P[A].sum() if P[A].sum() > 0 else None


def lacking(P, implication):
    """P(B | A) less the probability of an implication; at most 0 where there is no condition."""
    right = conditional(P, B)
    return -1.0 if right is None else right - P[implication].sum()


# --- Lemma B.2


def printed(P):
    return lacking(P, ~A & B)


def printed_both(P):
    return lacking(P, A & B)


def printed_neither(P):
    return lacking(P, ~A)


def material(P):
    return lacking(P, ~A | B)


def converse(P):
    return lacking(P, A | ~B)


def conjunction(P):
    """As ``printed``; its own name, as a twin's search is one of its own."""
    return lacking(P, ~A & B)


# --- The proof: P(A => B) = 1 - P(not B | A) P(A)


def step(P, implication):
    right = conditional(P, ~B)
    return 0.0 if right is None else abs(P[implication].sum() - (1 - right * P[A].sum()))


def printed_step(P):
    return step(P, ~A & B)


def printed_step_both(P):
    return step(P, A & B)


def material_step(P):
    return step(P, ~A | B)


def material_step_converse(P):
    return step(P, A | ~B)


# --- The bars


def missing(P, bar):
    """P(the bar occurs, and some event does not)."""
    return P[bar & ~ATOMS.all(axis=0)].sum()


def union(P):
    return missing(P, ATOMS.any(axis=0))


def last(P):
    return missing(P, ATOMS[-1])


def intersection(P):
    return missing(P, ATOMS.all(axis=0))


def all_but_last(P):
    return missing(P, ATOMS[:-1].all(axis=0))


def some(P):
    """As ``union``; its own name, as a twin's search is one of its own."""
    return missing(P, ATOMS.any(axis=0))


def check(name, statement, excess, **twins):
    """A search with twins that differ in the event."""
    return always(
        name=name,
        experiment=search(excess, given=GIVEN),
        statement=statement,
        twins={
            key: Twin(why, experiment=search(other, given=GIVEN, shrink=False))
            for key, (why, other) in twins.items()
        },
    )


lemma = claim(
    "arora2019.lemma_b_2",
    check(
        "lemma",
        r"\Pr[\neg A \wedge B] \ge \Pr[B \mid A]",
        printed,
        both=("A and B", printed_both),
        neither=("not A", printed_neither),
    ),
    check(
        "step of the proof",
        r"\Pr[\neg A \wedge B] = 1 - \Pr[\neg B \mid A] \Pr[A]",
        printed_step,
        both=("A and B", printed_step_both),
    ),
    check(
        "bars",
        r"\bigcup_{h} A_h \subseteq A_{h'}\ \text{for all}\ h'",
        union,
        last=("the last event alone", last),
    ),
    title="The event calculus of Appendix B",
    locus="Lemma B.2 and the definitions before it",
    regime="met",
)

corrected = claim(
    "arora2019.lemma_b_2_corrected",
    check(
        "lemma",
        r"\Pr[\neg A \vee B] \ge \Pr[B \mid A]",
        material,
        printed=("not A, and B", conjunction),
        converse=("A, or not B", converse),
    ),
    check(
        "step of the proof",
        r"\Pr[\neg A \vee B] = 1 - \Pr[\neg B \mid A] \Pr[A]",
        material_step,
        converse=("A, or not B", material_step_converse),
    ),
    check(
        "bars",
        r"\bigcap_{h} A_h \subseteq A_{h'}\ \text{for all}\ h'",
        intersection,
        union=("the union, as printed", some),
        last=("all but the last event", all_but_last),
    ),
    title="The event calculus of Appendix B, with the material implication and with intersections",
    locus="Lemma B.2 and the definitions before it",
    regime="met",
    printed=False,
    corrects="arora2019.lemma_b_2",
)
