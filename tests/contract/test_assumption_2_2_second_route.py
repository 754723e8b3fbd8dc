"""The FAIL of caron2023.assumption_2_2 by a second route: differences of swish itself, with 50 digits."""

import mpmath
import pytest


def swish(z):
    return z / (1 + mpmath.exp(-z))


def test_swish_is_steeper_than_one_and_swish_over_1_1_is_not():
    with mpmath.workdps(50):
        z, h = mpmath.mpf("2.39935728"), mpmath.mpf(10) ** -15
        slope = (swish(z + h) - swish(z - h)) / (2 * h)
        assert slope > 1.0998
        assert slope / mpmath.mpf("1.1") < 1
        assert slope / mpmath.mpf("1.09") > 1
        # The slope is stationary there, and where it is stationary, z tanh(z / 2) = 2: once for z > 0.
        curvature = (swish(z + h) - 2 * swish(z) + swish(z - h)) / h**2
        assert abs(curvature) < 1e-8
        root = mpmath.findroot(lambda t: t * mpmath.tanh(t / 2) - 2, 2.4)
        assert float(root) == pytest.approx(2.39935728, abs=1e-8)


def test_its_second_derivative_is_largest_at_zero():
    with mpmath.workdps(30):
        values = [abs(mpmath.diff(swish, mpmath.mpf(k) / 10, 2)) for k in range(-100, 101)]
    assert max(values) == values[100]
    assert float(values[100]) == pytest.approx(0.5, rel=1e-12)
