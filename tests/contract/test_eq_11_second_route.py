"""The FAIL of arora2019.eq_11 by a second route: central differences of a network written in numpy.

b^(h) is the derivative of the output by f^(h); here it is taken by differences, for a smooth activation and
widths so small that the factor of (11) is nowhere near one. No code of the package is used.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

WIDTHS = (3, 4, 5, 6)  # d, d_1, d_2, d_3
L = len(WIDTHS) - 1
C_SIGMA = 2.5  # about 1 / E[tanh(z)^2]; the identity holds for any
STEP = 1e-5


def draw(rng):
    return [rng.standard_normal((out, into)) for into, out in zip(WIDTHS, [*WIDTHS[1:], 1], strict=True)]


def from_layer(weights, h, f):
    """The output as a function of f^(h)."""
    for k in range(h, L + 1):
        f = weights[k] @ (math.sqrt(C_SIGMA / len(f)) * np.tanh(f))
    return float(f[0])


def preactivations(weights, x):
    f = [weights[0] @ x]
    for k in range(1, L):
        f.append(weights[k] @ (math.sqrt(C_SIGMA / len(f[-1])) * np.tanh(f[-1])))
    return f


def back(weights, h, f):
    """b^(h) by central differences; one for h = L + 1."""
    if h > L:
        return np.ones(1)
    steps = STEP * np.eye(len(f[h - 1]))
    ends = [[from_layer(weights, h, f[h - 1] + sign * e) for sign in (1, -1)] for e in steps]
    return np.array([(up - down) / (2 * STEP) for up, down in ends])


@pytest.mark.parametrize("h", range(1, L + 1))
def test_the_factor_is_in_the_vectors_already(h):
    rng = np.random.default_rng(7)
    weights = draw(rng)
    sides = []
    for x in rng.standard_normal((2, WIDTHS[0])):
        f = preactivations(weights, x)
        slopes = 1 - np.tanh(f[h - 1]) ** 2
        step = math.sqrt(C_SIGMA / WIDTHS[h]) * slopes * (weights[h].T @ back(weights, h + 1, f))
        sides.append((back(weights, h, f), step))
    (b, s), (b_, s_) = sides
    assert b @ b_ == pytest.approx(s @ s_, rel=1e-6)  # (11) without its factor
    factor = C_SIGMA ** (L - h) / math.prod(WIDTHS[h + 1 :])
    if h == L:
        assert factor == 1.0
    else:
        assert factor < 0.6  # and as printed the right side is smaller by this
