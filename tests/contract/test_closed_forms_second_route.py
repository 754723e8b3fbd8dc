"""What FAILs of arora2019's closed forms, by a second route: exact numbers, mpmath and drawn pairs."""

import math

import mpmath
import numpy as np
import pytest

from whp.seeding import generator


def printed_20(lam):
    """The right side of (20)."""
    return (math.pi - math.acos(lam)) / (2 * math.pi)


def test_equation_20_gives_two_values_to_one_law():
    # With c_1 = 0 the covariance D Lambda D is diag(0, c_2^2) for every lambda.
    laws = [np.diag([0.0, 2.0]) @ [[1, lam], [lam, 1]] @ np.diag([0.0, 2.0]) for lam in (-0.5, 0.5)]
    assert np.array_equal(*laws)
    assert printed_20(-0.5) == pytest.approx(1 / 6)
    assert printed_20(0.5) == pytest.approx(1 / 3)
    # u = 0 and v ~ N(0, 4): E[1[u >= 0] 1[v >= 0]] = 1/2; counted, false alarm below 1e-6 (Hoeffding).
    v = 2 * generator(0, "second route", "eq 20").standard_normal(100_000)
    assert np.mean(v >= 0) == pytest.approx(0.5, abs=math.sqrt(math.log(2e6) / (2 * len(v))))


@pytest.mark.parametrize("lam", [-0.9, 0.0, 0.4])
def test_equation_20_holds_where_both_variances_are_positive(lam):
    lam = mpmath.mpf(lam)
    s = mpmath.sqrt(1 - lam**2)
    exact = mpmath.quad(lambda u: mpmath.npdf(u) * mpmath.ncdf(lam * u / s), [0, 1, 4, 12])
    assert float(exact) == pytest.approx(printed_20(float(lam)), abs=1e-12)


def test_the_sentence_before_fact_b_1_counts_c_twice():
    # sigma(z) = z: c = 1 cannot tell; sigma(z) = 2z has c = 1/4, t(M) = M_12 and that(rho) = rho.
    c, first, second, inner = 0.25, 4.0, 9.0, 3.0
    t = c * 4 * inner
    dual = c * 4 * inner / math.sqrt(first * second)
    assert t == pytest.approx(math.sqrt(first * second) * dual)
    assert t != pytest.approx(c * math.sqrt(first * second) * dual)


def test_lemma_b_8_breaks_for_short_inputs():
    # x = -x' of norm 0.2: Lambda_12 = -0.04 and t = 0. A network whose features of x and x' are
    # orthogonal has G_12 = 0 and t = 1/2, and G is within 0.04 of Lambda: eps = sqrt(0.08) < 1/2.
    x, eps = np.array([0.2, 0.0]), math.sqrt(0.08)
    W = generator(0, "second route", "lemma b 8").standard_normal((1_000_000, 2))
    features = [np.sqrt(2 / len(W)) * np.maximum(W @ s, 0) for s in (x, -x)]
    G = np.array([[a @ b for b in features] for a in features])
    Lambda = np.array([[x @ x, -x @ x], [-x @ x, x @ x]])
    # Variances of G's entries are 5 |x|^4 / 10^6, and 6 deviations are 0.0006: false alarm below 1e-6.
    assert np.abs(G - Lambda).max() <= eps**2 / 2 + 6e-4
    assert G[0, 1] == 0
    # t by its definition: the share of pairs u, v ~ N(0, G), and N(0, Lambda), both positive, times 2.
    g = generator(0, "second route", "pairs").standard_normal((2, 100_000))
    independent = 2 * np.mean((g[0] >= 0) & (g[1] >= 0))
    opposite = 2 * np.mean((g[0] >= 0) & (-g[0] >= 0))
    # Hoeffding: 2 times a mean of 10^5 indicators is within 0.018 of 1/2, but for 1e-6.
    assert opposite == 0
    assert independent > 0.48 > eps
