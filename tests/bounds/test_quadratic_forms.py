"""The exact law of a Gaussian quadratic form against laws in closed form, quadrature and simulation."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from whp.bounds import QuadraticForm, chaos_tail, gaussian_chaos
from whp.bounds import quadratic_forms as module
from whp.errors import InputError
from whp.seeding import generator


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 1000])
@pytest.mark.parametrize("t", [-0.5, 0.0, 0.1, 1.0, 10.0, 40.0, 200.0, 1000.0])
def test_equal_eigenvalues_are_chi_square(n: int, t: float) -> None:
    form = QuadraticForm(np.full(n, 3.0))
    expected = stats.chi2.sf(n + t, n)
    if expected > 1e-300:
        assert form.upper_tail(3.0 * t) == pytest.approx(expected, rel=1e-11)
    if 0 < t < n:
        assert form.lower_tail(3.0 * t) == pytest.approx(stats.chi2.cdf(n - t, n), rel=1e-11)


@pytest.mark.parametrize("t", [0.0, 1e-9, 1.0, 10.0, 100.0, 1000.0])
def test_two_of_either_sign_are_laplace(t: float) -> None:
    # chi^2_2 - chi^2_2 has tail exp(-t/2) / 2; with t = 0 the line of integration has no exponential decay.
    form = QuadraticForm([1.0, -1.0, 0.0, 1.0, -1.0])
    assert form.upper_tail(t) == pytest.approx(0.5 * np.exp(-t / 2), rel=1e-12)
    assert form.tail(t) == pytest.approx(np.exp(-t / 2), rel=1e-12)


def test_different_eigenvalues_against_a_convolution() -> None:
    # P(a x^2 + b y^2 > r) by conditioning on y, in 30 digits, at a probability of 1e-13.
    a, b, r = mpmath.mpf(1), mpmath.mpf("0.25"), mpmath.mpf(56)
    with mpmath.workdps(30):

        def given_y(y: mpmath.mpf) -> mpmath.mpf:
            rest = (r - b * y**2) / a
            tail = mpmath.erfc(mpmath.sqrt(rest / 2)) if rest > 0 else mpmath.mpf(1)
            return tail * 2 * mpmath.npdf(y)

        edge = mpmath.sqrt(r / b)
        exact = mpmath.quad(given_y, [0, 1, 2, 4, 8, edge, 2 * edge, mpmath.inf])
    found = QuadraticForm([1.0, 0.25]).upper_tail(float(r) - 1.25)
    assert float(exact) < 1e-12
    assert found == pytest.approx(float(exact), rel=1e-11)


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=12).filter(lambda w: max(map(abs, w)) > 0.01),
    st.floats(0.1, 20.0),
)
@settings(max_examples=60, deadline=None)
def test_the_contour_does_not_matter(values: list[float], deviations: float) -> None:
    form = QuadraticForm(values)
    t = deviations * form.frobenius
    one = form.upper_tail(t)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLOPE", 0.3)
        patch.setattr(module, "STEP", 0.03)
        other = form.upper_tail(t)
    assert one == pytest.approx(other, rel=1e-9, abs=1e-290)
    assert 0.0 <= one <= 1.0


def test_a_form_that_cannot_reach_the_level() -> None:
    form = QuadraticForm([-1.0, -0.1])
    assert form.upper_tail(1.1) == 0.0 < form.upper_tail(1.0999) < 1e-3
    assert form.lower_tail(-1.1) == 1.0
    assert QuadraticForm([1.0, 2.0]).tail(1e30) == 0.0
    assert (QuadraticForm([0.0]).tail(0.5), QuadraticForm([0.0]).upper_tail(-1.0)) == (0.0, 1.0)
    assert form.sampled_tail(1.2, generator(0, "unreachable"), 100).value == pytest.approx(
        form.lower_tail(1.2), rel=1.0
    )


@pytest.mark.parametrize("tiny", [2.0**-52, 1e-9, -1e-9, 1e-300])
@pytest.mark.parametrize("t", [0.03, 0.99, 30.0])
def test_a_tiny_eigenvalue_changes_nothing(tiny: float, t: float) -> None:
    one, two = QuadraticForm([-1.0]), QuadraticForm([tiny, -1.0])
    assert two.lower_tail(t) == pytest.approx(one.lower_tail(t), rel=1e-7)
    assert two.upper_tail(t) == pytest.approx(one.upper_tail(t), rel=1e-6)


def test_scale_and_order_do_not_matter() -> None:
    values = generator(1, "forms").standard_normal(20)
    one, two = QuadraticForm(values), QuadraticForm(1e8 * values[::-1])
    assert two.tail(1e8 * 12.0) == pytest.approx(one.tail(12.0), rel=1e-11)
    assert two.frobenius == pytest.approx(1e8 * one.frobenius)
    assert two.spectral == pytest.approx(1e8 * one.spectral)


@pytest.mark.parametrize("t", [3.0, 40.0, 120.0])
def test_importance_sampling_agrees(t: float) -> None:
    # Six standard errors of nearly Gaussian means: false alarm below 1e-8.
    rng = generator(2, f"importance {t}")
    form = QuadraticForm(rng.standard_normal(15))
    found = form.sampled_tail(t, rng, 20_000)
    assert abs(found.value - form.tail(t)) < 6 * found.standard_error
    assert found.standard_error < 0.1 * form.tail(t)


@pytest.mark.parametrize("rank", [1, 2, 5, 40])
def test_printed_bounds_against_the_exact_tail(rank: int) -> None:
    """Boucheron's two forms hold at every level; with 1 in place of 4 the second fails far out."""
    form = QuadraticForm(np.ones(rank))
    first = gaussian_chaos(torch.eye(rank, dtype=torch.float64), sides=2)
    levels = np.geomspace(0.1, 60.0, 60) * form.frobenius
    exact = np.array([form.tail(t) for t in levels])
    second, printed = (
        np.array([chaos_tail(t, form.frobenius, form.spectral, linear=linear) for t in levels])
        for linear in (4.0, 1.0)
    )
    assert np.all(exact <= first.tail(levels))
    assert np.all(first.tail(levels) <= second * (1 + 1e-12))
    assert np.any(exact > 1.5 * printed)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: QuadraticForm([]), "eigenvalues"),
        (lambda: QuadraticForm([1.0, np.nan]), "eigenvalues"),
        (lambda: QuadraticForm(np.eye(2)), "eigenvalues"),
        (lambda: QuadraticForm([1.0]).upper_tail(np.inf), "t must be finite"),
        (lambda: QuadraticForm([1.0]).tail(-1.0), "t must be finite and not negative"),
        (lambda: QuadraticForm([1.0]).sampled_tail(0.0, generator(0, "x"), 10), "t must be"),
        (lambda: QuadraticForm([1.0]).sampled_tail(1.0, generator(0, "x"), 1), "samples"),
        (lambda: chaos_tail(1.0, 0.0, 0.0), "frobenius"),
        (lambda: chaos_tail(1.0, 1.0, 2.0), "spectral"),
        (lambda: chaos_tail(1.0, 1.0, 1.0, linear=0.0), "linear"),
        (lambda: chaos_tail(-1.0, 1.0, 1.0), "t must be"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]
