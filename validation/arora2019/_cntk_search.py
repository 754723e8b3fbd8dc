"""Searches over pairs of images, for identities between the tensors of Section 4.1."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Twin, search
from whp.kernels.cntk_reference import cntk_tensors

TERM = r"\mathrm{tr}(\dot K^{(H)} \odot \mathcal{L}(\cdots \dot K^{(h)} \odot \mathcal{L}(K^{(h-1)}) \cdots))"
"""The term of a layer in E.1."""

TOLERANCE = 1e-9
COUNTS = (20, 100, 1000)


def relative(left, right):
    """|left - right| over the larger of both."""
    return abs(left - right) / (max(abs(left), abs(right)) or 1.0)


def tensors(seed, image, H, q):
    """The tensors of a pair of drawn images."""
    X = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 2, *image)))
    return cntk_tensors(X[0], X[1], layers=H, filter_size=q)


PAIRS = {
    "seed": st.integers(0, 2**32 - 1),
    "image": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "H": st.integers(1, 4),
    "q": st.sampled_from([1, 3, 5]),
}


def over(excess, given=PAIRS, **options):
    """A search over images, or over networks."""
    return search(excess, given=given, examples=COUNTS, tolerance=TOLERANCE, **options)


def wrong(why, excess, given=PAIRS):
    """A false twin of a search."""
    return Twin(why, experiment=over(excess, given, shrink=False))
