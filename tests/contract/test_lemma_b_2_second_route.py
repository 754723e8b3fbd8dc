"""The FAIL of arora2019.lemma_b_2 by hand, and what its definitions make of the lemmas that use them."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file

LAWS = [law for law in product(range(4), repeat=4) if law[0] + law[1] > 0]  # A and B, A only, B only, none


@pytest.fixture(scope="module")
def tails():
    return load_file(validation_root() / "arora2019" / "_tails.py")


def probabilities(both, only_a, only_b, none):
    """P(not A, and B), P(not A, or B) and P(B | A), exactly."""
    total = both + only_a + only_b + none
    return Fraction(only_b, total), Fraction(total - only_a, total), Fraction(both, both + only_a)


def test_two_sure_events_refute_the_lemma():
    assert probabilities(1, 0, 0, 0) == (0, 1, 1)


def test_the_material_implication_satisfies_it_for_every_law_on_a_grid():
    assert all(probabilities(*law)[1] >= probabilities(*law)[2] for law in LAWS)
    # By the printed definition it fails for every law under which A has probability one, and for most others.
    assert not any(
        probabilities(*law)[0] >= probabilities(*law)[2] for law in LAWS if law[0] and not any(law[2:])
    )
    assert sum(probabilities(*law)[0] < probabilities(*law)[2] for law in LAWS) > len(LAWS) / 2


def test_by_the_printed_definition_lemma_b_4_fails_in_wide_networks(tails):
    """A^L(1/2) is likely at width 400, so that "not A, and C" has nothing like probability 1 - delta.

    About 57 of 60 are expected; 40 exclude a probability below 0.3 (P < 1e-6), and with 0.95 fewer than
    40 have probability below 1e-10.
    """
    rng = np.random.default_rng(2)
    drawn = [tails.draw(rng, (400, 400, 400), 0.5, 1.0) for _ in range(60)]
    assert sum(net.off_features[3] <= 0.5 for net in drawn) >= 40


def test_the_printed_bars_are_sure_events(tails):
    """A^0(0) always holds, so that a union over h that begins at 0 says nothing."""
    net = tails.draw(np.random.default_rng(3), (2, 2), 0.5, 1.0)
    assert net.off_features[0] < 1e-15
    assert net.off_features[1:].min() > 1e-3
