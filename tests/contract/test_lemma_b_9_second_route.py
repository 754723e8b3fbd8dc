"""The FAIL of arora2019.lemma_b_9 by a second route: quadrature in the limit, and one wide layer by autograd.

Printed, D^(h) is compared with the law of the features that come out of layer h; it follows that of the
features that go in. In the limit the two differ by a constant, and the printed distance shrinks.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file

COSINE = -0.9


def active_at_both(cosine):
    """P(u, v >= 0) of standard normals with this correlation, by quadrature."""
    rest = math.sqrt(1 - cosine**2)
    return integrate.quad(lambda u: stats.norm.pdf(u) * stats.norm.cdf(cosine * u / rest), 0, math.inf)[0]


def after_relu(cosine):
    """2 E[u+ v+], by quadrature: given u, v is N(cosine u, rest^2)."""
    rest = math.sqrt(1 - cosine**2)

    def inner(u):
        z = cosine * u / rest
        return u * stats.norm.pdf(u) * rest * (z * stats.norm.cdf(z) + stats.norm.pdf(z))

    return 2 * integrate.quad(inner, 0, math.inf)[0]


def test_the_printed_difference_tends_to_a_constant():
    before, after = 2 * active_at_both(COSINE), 2 * active_at_both(after_relu(COSINE))
    assert abs(before - after) > 0.3
    assert math.sqrt(2 * math.log(2 / 0.01) / 300) < 0.2


def test_one_wide_layer_by_autograd():
    """At width 20,000 the printed distance at delta = 1e-6 is 0.04; the difference is 0.36 +- 0.006."""
    d = 20_000
    W = torch.from_numpy(np.random.default_rng(9).standard_normal((d, 2)))
    inputs = torch.tensor([[1.0, 0.0], [COSINE, math.sqrt(1 - COSINE**2)]], dtype=torch.float64)
    f = (inputs @ W.T).requires_grad_()  # (2, d)
    features = torch.relu(f)
    (slopes,) = torch.autograd.grad(features.sum(), f)
    share = float(2 * (slopes[0] * slopes[1]).sum() / d)
    gram = (2 / d * features @ features.T).detach()
    cosine = float(gram[0, 1] / (gram[0, 0] * gram[1, 1]).sqrt())
    assert abs(share - 2 * active_at_both(cosine)) > 0.3 > math.sqrt(2 * math.log(2e6) / d)
    assert abs(share - 2 * active_at_both(COSINE)) < math.sqrt(2 * math.log(2e6) / d)


def test_exact_binomial_tails_of_the_corrected_lemma():
    lemma = load_file(validation_root() / "arora2019" / "lemma_b_9.py")
    outcomes = np.arange(41)
    for share, distance in ((0.5, 0.3), (0.2, 0.44), (0.0, 0.1)):
        expected = stats.binom.pmf(outcomes, 40, share)[np.abs(outcomes / 20 - 2 * share) >= distance].sum()
        assert lemma.left(40, share, distance) == pytest.approx(expected, rel=1e-9)
