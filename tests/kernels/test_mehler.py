"""Mehler's expansion: coefficients, and the truncation bound that it claims."""

import math

import pytest
import torch

from whp.errors import InputError
from whp.kernels import Phi, activation
from whp.kernels.mehler import MAX_ORDER, hermite_table, mehler_tile

A = torch.tensor([0.25, 0.8, 1.0, 1.3, 3.0], dtype=torch.float64)
NAMES = ["erf", "tanh", "sigmoid", "softplus", "swish", "gelu"]


@pytest.mark.parametrize("name", NAMES)
def test_first_coefficients_are_the_moments(name):
    act = activation(name)
    table = hermite_table(act, torch.ones(1, dtype=torch.float64))
    moments = act.moments
    expected = torch.tensor(
        [moments.zeta, moments.g_dphi, moments.he2_dphi / math.sqrt(2)], dtype=torch.float64
    )
    torch.testing.assert_close(table.h[0, :3], expected, rtol=0, atol=1e-14)
    assert float(table.second) == pytest.approx(moments.gamma, abs=1e-14)


def test_erf_coefficients_in_closed_form():
    # (2/sqrt pi) E[exp(-a g^2) He_k(g)] / sqrt(k!) for even k, from the generating function of He_k:
    # (2/sqrt pi) s (s^2 - 1)^(k/2) sqrt(k!) / (2^(k/2) (k/2)!) with s^2 = 1/(1 + 2a).
    table = hermite_table(activation("erf"), A)
    square = 1 / (1 + 2 * A)
    for k in (0, 2, 6, 20, 60, MAX_ORDER):
        log_factor = 0.5 * math.lgamma(k + 1) - 0.5 * k * math.log(2) - math.lgamma(k / 2 + 1)
        exact = 2 / math.sqrt(math.pi) * square.sqrt() * (square - 1) ** (k // 2) * math.exp(log_factor)
        torch.testing.assert_close(table.h[:, k], exact, rtol=0, atol=2e-13)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tolerance", [1e-3, 1e-7, 1e-12])
@pytest.mark.parametrize("rho", [0.05, 0.5, -0.8])
def test_truncation_error_is_within_the_bound(name, tolerance, rho):
    act = activation(name)
    table = hermite_table(act, A)
    c = rho * torch.sqrt(A[:, None] * A)
    value = mehler_tile(act, table, slice(0, 5), slice(0, 5), A, c, tolerance)
    exact = Phi(act, A[:, None], A, c).value
    off = ~torch.eye(5, dtype=torch.bool)
    K, bound = table.order(abs(rho), tolerance)
    assert bound <= tolerance * table.scale or K == MAX_ORDER
    assert float((value - exact).abs()[off].max()) <= tolerance * table.scale + 1e-14
    if K > 0:
        smaller = abs(rho) ** K * float(table.residual[K - 1])
        assert smaller > tolerance * table.scale  # no smaller order would do


def test_too_short_a_series_would_be_caught():
    act = activation("tanh")
    table = hermite_table(act, A)
    K, _ = table.order(0.8, 1e-12)
    powers = 0.8 ** torch.arange(K - 16, dtype=torch.float64)
    short = (table.h[4, : K - 16] ** 2 * powers).sum()  # sixteen terms too few, at the largest variance
    exact = Phi(act, A[4], A[4], 0.8 * A[4]).value
    assert abs(float(short - exact)) > 1e-12 * table.scale


def test_near_parallel_pairs_go_to_quadrature():
    act = activation("tanh")
    a = torch.tensor([3.0, 3.0], dtype=torch.float64)
    table = hermite_table(act, a)
    assert table.order(1.0, 1e-12)[1] > 1e-12  # the series alone does not reach it
    c = 3 * (1 - 1e-6) * torch.ones(2, 2, dtype=torch.float64)
    value = mehler_tile(act, table, slice(0, 2), slice(0, 2), a, c, 1e-12)
    assert float(value[0, 1]) == pytest.approx(float(Phi(act, 3.0, 3.0, 3 * (1 - 1e-6)).value), abs=1e-14)


def test_kinks_are_refused():
    with pytest.raises(InputError, match="must be of order one"):
        hermite_table(activation("relu"), A)
