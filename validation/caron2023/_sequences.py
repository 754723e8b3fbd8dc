"""Sequences lambda~ that equation (1) admits, and widths and gamma to go with them, the ends included."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from whp.models import node_scales

LENGTH = 400
"""Where a geometric sequence is cut and normalised again: longer than any width below."""


def share(*more):
    """Numbers in [0, 1], the ends often."""
    return st.one_of(st.sampled_from([0.0, 1.0, 0.5, *more]), st.floats(0.0, 1.0))


EXAMPLES = (40, 400, 5000)
"""Inputs a trial of a search, in quick, standard and paper."""

KINDS = ("zipf", "equal", "geometric", "drawn")
SCALES = {
    "m": st.one_of(st.sampled_from([1, 2, 10_000]), st.integers(1, 300)),
    "gamma": share(1e-9, 1 - 1e-9),
    "kind": st.sampled_from(KINDS),
    "shape": share(1e-3, 0.999),
    "length": st.one_of(st.sampled_from([1, 2]), st.integers(1, 350)),
    "seed": st.integers(0, 2**32 - 1),
}


def sequence(kind, shape, length, seed):
    """Return alpha of a Zipf sequence, or the start of another; ``shape`` is in [0, 1]."""
    if kind == "zipf":
        return {"alpha": min(max(shape, 1e-6), 1 - 1e-9)}
    if kind == "equal":
        return {"tilde": np.full(length, 1.0 / length)}
    if kind == "geometric":
        weights = shape ** np.arange(LENGTH)
    else:
        weights = np.sort(np.random.default_rng(seed).exponential(size=length))[::-1].copy()
    return {"tilde": weights / weights.sum()}


def scales(m, gamma, kind, shape, length, seed):
    """The node scales of a drawn case."""
    return node_scales(m, gamma, **sequence(kind, shape, length, seed))


def parts(m, gamma, kind, shape, length, seed):
    """The two terms of (1) before gamma weighs them: 1/m, and lambda~ over its sum to m; shapes (), (m,)."""
    return 1.0 / m, scales(m, 0.0, kind, shape, length, seed).values
