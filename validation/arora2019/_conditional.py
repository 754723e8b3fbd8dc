r"""Claims B.2 and B.3 given the forward pass: exact laws, to any probability.

Given f^(1), ..., f^(L) and the later weights, the vectors W^(h+1)^T b^(h+1)(x) across the features are
Gaussian with the covariances <b^(h+1), b^(h+1)> (Lemma B.3). So the quadratic form of Claim B.2 is a
Gaussian chaos, and the second term of Claim B.3 is normal. What is conditioned on has a positive density, so
that a search may take any f^(h) and, for h < L, any Gram matrix of b^(h+1) that the events admit: A^L and C
are then events of later layers.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.stats import norm

from whp.bounds import QuadraticForm

from ._backward import PAIRS, limits, products, relu, root

DIGITS = 12.0
"""delta_2 is from 1 to 10^-12."""

squares = st.one_of(
    st.floats(0.01, 1.99), st.sampled_from([1.0, 1.99])
)  # of |b^(h+1)|: B^{h+1}(1) has it below two
rarities = st.one_of(st.floats(0, 1), st.just(1.0))
FORWARD = {
    "width": st.one_of(st.integers(2, 40), st.integers(2, 120)),
    "depth": st.integers(1, 4),
    "layer": st.integers(1, 2),
    "rho": st.floats(-1, 1),
    "shift": st.floats(-0.5, 3),
    "seed": st.integers(0, 2**32 - 1),
    "square": squares,
    "other": squares,
    "position": st.floats(0, 1),
    "rarity": rarities,
}


def level(width, rarity, first):
    """log(first/delta_2), between delta_2 = 1 and 10^-12, at most the width as the proofs assume."""
    most = min(float(width), math.log(first) + DIGITS * math.log(10))
    return math.log(first) + rarity * max(0.0, most - math.log(first))


def conditioned(width, depth, layer, rho, shift, seed, square, other, position):
    """f^(h) and <b^(h+1), b^(h+1)> for the three pairs; none where the events exclude them."""
    h = min(layer, depth)
    limit = limits(rho, depth)
    f = root(np.array([[1.0, rho], [rho, 1.0]])) @ np.random.default_rng(seed).standard_normal((2, width))
    most, centre = math.sqrt(square * other), limit.product(h + 1)[1]
    low, high = max(-most, centre - 0.999), min(most, centre + 0.999)
    inner = np.array([square, low + position * (high - low), other])
    possible = True
    if h == depth:
        inner = np.ones(3)
        possible = bool(np.abs(products(relu(f)) - limit.sigma[-1]).max() <= 0.5)
    else:
        f += shift
    trace = 2 * products((f > 0).astype(float)) / width
    possible &= bool(np.abs(trace - limit.sigma_dot[h - 1]).max() < 1)
    possible &= bool(np.abs(inner - limit.product(h + 1)).max() < 1)
    return (f, inner) if possible else None


def quadratic_forms(f, inner):
    """(2/d) b^T W Pi D Pi W^T b for the three pairs, each as its Gaussian chaos and its mean."""
    d = f.shape[1]
    _, size, basis = np.linalg.svd(relu(f), full_matrices=False)
    basis = basis[size > 1e-12 * max(size[0], 1e-300)]
    found = []
    for (i, j), b in zip(PAIRS, inner, strict=True):
        both = (f[i] > 0) & (f[j] > 0)
        # D Pi D, of the same spectrum as Pi D Pi, is I - Q^T Q on the neurons active at both inputs
        removed = np.linalg.svd(basis[:, both], compute_uv=False) ** 2 if both.any() else np.zeros(0)
        kept = np.concatenate([np.ones(int(both.sum()) - removed.size), np.maximum(1 - removed, 0), [0.0]])
        halves = [b] if i == j else (b + np.array([1, -1]) * math.sqrt(inner[0] * inner[2])) / 2
        form = QuadraticForm(np.outer(halves, 2 / d * kept).ravel())
        found.append((form, 2 / d * b * float(kept.sum())))
    return found


def in_digits(probability, delta):
    """log of a probability over delta."""
    return math.log(probability / delta) if probability > 0 else -1e3


def claim_b_2(f, inner, t, constant):
    """log of P(some pair is off by more than constant sqrt(t/d)), by a union, over delta_2/2 = 3 exp(-t)."""
    d = f.shape[1]
    trace = 2 * products((f > 0).astype(float)) / d
    distance, total = constant * math.sqrt(t / d), 0.0
    for (form, mean), centre in zip(quadratic_forms(f, inner), trace * inner, strict=True):
        off = mean - centre
        total += form.upper_tail(distance - off) + form.lower_tail(distance + off)
    return in_digits(total, 3 * math.exp(-t))


def by_product(f, inner, t, constant, slope):
    """The same for sqrt(2/d) |b^T W Pi D| beyond constant + slope sqrt(t/d) at one of the inputs."""
    right = (constant + slope * math.sqrt(t / f.shape[1])) ** 2
    forms = quadratic_forms(f, inner)
    total = sum(form.upper_tail(right - mean) for form, mean in (forms[0], forms[2]))
    return in_digits(total, 3 * math.exp(-t))


outputs = st.one_of(st.just(0.0), st.floats(-1, 1))
ALONG = {
    "squares": st.tuples(squares, squares),
    "features": st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5)),
    "outputs": st.tuples(outputs, outputs),
    "rarity": rarities,
}


def claim_b_3(squares, features, outputs, t, constant):
    """log of P(|Pi_G W^T b| > constant sqrt(t) + sqrt(2) epsilon_3 at x or x'), over delta_2/2 = 4 exp(-t).

    The part along g is |f|/|g|, and that across it in the plane of both is N(0, |b|^2); epsilon_3 is the
    larger |f|, the least that C admits. ``squares`` and ``features`` are |b|^2 and |g|^2 at the two inputs.
    """
    right = constant * math.sqrt(t) + math.sqrt(2) * max(map(abs, outputs))
    beyond = [
        2 * norm.sf(math.sqrt(max(right**2 - f**2 / g, 0.0) / b))
        for b, g, f in zip(squares, features, outputs, strict=True)
    ]
    return in_digits(float(sum(beyond)), 4 * math.exp(-t))
