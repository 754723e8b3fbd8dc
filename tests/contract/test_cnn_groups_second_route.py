"""The FAIL of hu2020.prop_4_1_groups by a second route: exact sums and an enumeration instead of Monte Carlo.

For two independent points of the hypercube q rho_k is a sum of q independent signs, so E|rho|^3 is a finite
sum over one binomial variable; and for small d all 2^d products of two points can be listed. No random
numbers, no kernel code.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

NORMAL_CUBE = 2 * math.sqrt(2 / math.pi)  # E|g|^3


def mean_cube(q: int) -> float:
    """E|rho|^3, which is the mean of (1/d) sum_k |rho_k|^3 as well, whatever d is."""
    heads = np.arange(q + 1)
    return float(binom.pmf(heads, q, 0.5) @ np.abs((2 * heads - q) / q) ** 3)


def group_covariances(q: int, groups: int) -> np.ndarray:
    """Covariances of the sums of |rho_k|^3 over groups of q positions, over all 2^(q groups) sign vectors."""
    d = q * groups
    signs = np.array(list(itertools.product((-1, 1), repeat=d)))  # (2^d, d), products of two points
    windows = sum(np.roll(signs, -shift, axis=1) for shift in range(q))  # (2^d, d)
    sums = (np.abs(windows / q) ** 3).reshape(-1, groups, q).sum(axis=2)  # (2^d, groups)
    return np.cov(sums.T, bias=True)


@pytest.mark.parametrize("q", [100, 1000, 10_000])
def test_cubes_are_of_order_q_to_minus_three_halves(q):
    assert mean_cube(q) * q**1.5 == pytest.approx(NORMAL_CUBE, rel=0.6 / math.sqrt(q))


@pytest.mark.parametrize(("alpha", "digits"), [(0.01, 8), (0.1, 40), (0.2, 300)])
def test_the_mean_alone_outgrows_the_printed_order_times_any_power_of_log_n(alpha, digits):
    """E|rho|^3 q sqrt(d) = E|g|^3 sqrt(d/q) grows like d^(1/4 - alpha), and (log n)^2 does not."""

    def against(log_d: float, power: int) -> float:
        log_q, log_n = (0.5 + 2 * alpha) * log_d, (1 + alpha) * log_d
        return math.log(NORMAL_CUBE) + (log_d - log_q) / 2 - power * math.log(log_n)

    far = digits * math.log(10)
    assert against(2 * far, 2) > against(far, 2) + 0.1
    assert against(2000 * far, 6) > 0  # any other power, farther out


def test_neighbouring_groups_are_dependent_and_those_two_apart_are_not():
    for q, groups in ((3, 4), (3, 5), (4, 4)):  # at q = 2 |rho_k| says whether two signs agree: no dependence
        covariance = group_covariances(q, groups)
        ring = [min(g, groups - g) for g in range(groups)]  # distance of group g from group 0
        for g in range(1, groups):
            if ring[g] == 1:
                assert covariance[0, g] / covariance[0, 0] > 0.05
            else:
                assert covariance[0, g] == pytest.approx(0, abs=1e-12)


def test_signed_sums_do_cancel():
    """The variance of (1/d) sum_k rho_k^3 is below 15 / (d q^2): cubes of signs have mean zero."""
    for q, d in ((2, 12), (3, 12), (4, 16)):
        signs = np.array(list(itertools.product((-1, 1), repeat=d)))
        rho = sum(np.roll(signs, -shift, axis=1) for shift in range(q)) / q
        signed, absolute = (rho**3).mean(axis=1), (np.abs(rho) ** 3).mean(axis=1)
        assert signed.mean() == pytest.approx(0, abs=1e-12)
        assert float((signed**2).mean()) < 15 / (d * q**2)
        assert float(absolute.mean()) == pytest.approx(mean_cube(q), rel=1e-12)
