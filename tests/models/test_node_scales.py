"""The node scales of caron2023, (1) and (35): values, limits, and every refusal."""

import sys

import mpmath
import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.models import node_scales, zipf_power_sum, zipf_weights
from whp.models.node_scales import BLOCK


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.95])
def test_scales_are_equation_1(gamma, alpha):
    m = 37
    tilde = [float(mpmath.mpf(j) ** (-1 / alpha) / mpmath.zeta(1 / alpha)) for j in range(1, m + 1)]
    expected = [gamma / m + (1 - gamma) * t / sum(tilde) for t in tilde]
    scales = node_scales(m, gamma, alpha)
    np.testing.assert_allclose(zipf_weights(m, alpha), tilde, rtol=1e-12)
    np.testing.assert_allclose(scales.values, expected, rtol=1e-12)
    np.testing.assert_allclose(scales.second + scales.first, expected, rtol=1e-12)
    assert scales.first == pytest.approx(gamma / m)
    np.testing.assert_array_equal(scales.block(5, 9), scales.values[5:9])
    for r in (0.5, 1.0, 1.5, 2.0):
        assert scales.power_sum(r) == pytest.approx(sum(x**r for x in expected), rel=1e-12)


def test_scales_of_more_than_one_block_sum_to_one():
    m = 2 * BLOCK + 3
    scales = node_scales(m, 0.25, 0.9)
    assert scales.power_sum(1.0) == pytest.approx(1.0, abs=1e-12)
    assert float(scales.block(m - 1, m)) == pytest.approx(float(scales.values[-1]))


def test_power_sums_of_zipf_are_zetas():
    for alpha in (0.05, 0.5, 0.7, 0.99):
        for r, above in ((1.0, 0), (1.0, 1000), (1.5, 3), (2.0, 0), (2.0, 10**7)):
            exact = mpmath.zeta(r / alpha, above + 1) / mpmath.zeta(1 / alpha) ** r
            assert zipf_power_sum(alpha, r, above) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


def test_limits_of_alpha():
    assert zipf_power_sum(1e-320, 2.0) == 1.0  # one node
    assert zipf_power_sum(1e-320, 1.0, above=1) == 0.0
    assert node_scales(4, 0.0, 1e-320).values.tolist() == [1, 0, 0, 0]
    assert zipf_power_sum(1 - 1e-12, 2.0) < 1e-20  # spread over all
    assert zipf_weights(3, 1 - 1e-12)[0] == pytest.approx(1e-12, rel=1e-3)


def test_a_sequence_of_ones_own():
    assert node_scales(6, 0.0, tilde=[0.25] * 4).values.tolist() == [0.25] * 4 + [0, 0]  # a net of width 4
    truncated = node_scales(2, 0.5, tilde=torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64))
    np.testing.assert_allclose(truncated.values, [0.25 + 0.5 * 0.625, 0.25 + 0.5 * 0.375], rtol=1e-15)
    assert node_scales(2, 0.5, tilde=torch.tensor([0.9, 0.1])).m == 2  # single precision sums to one
    assert node_scales(1, 0.7, 0.5).values.tolist() == [1.0]


def test_the_symmetrical_case_needs_no_sequence():
    scales = node_scales(8, 1)
    assert scales.values.tolist() == [0.125] * 8
    assert not scales.second.any()


def test_the_sequence_is_copied():
    mine = torch.tensor([0.5, 0.5], dtype=torch.float64)
    scales = node_scales(2, 0.0, tilde=mine)
    mine[0] = 7.0
    assert scales.values.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"m": 0, "gamma": 1}, r"^m must be a positive integer, got 0$"),
        ({"m": 2.5, "gamma": 1}, r"^m must be a positive integer, got 2.5$"),
        ({"m": True, "gamma": 1}, r"^m must be a positive integer, got True$"),
        ({"m": 3, "gamma": -1e-9, "alpha": 0.5}, r"^gamma must be in \[0, 1\], got -1e-09$"),
        ({"m": 3, "gamma": 1.5}, r"^gamma must be in \[0, 1\], got 1.5$"),
        ({"m": 3, "gamma": float("nan"), "alpha": 0.5}, r"^gamma must be in \[0, 1\], got nan$"),
        ({"m": 3, "gamma": "1"}, r"^gamma must be in \[0, 1\], got '1'$"),
        ({"m": 3, "gamma": 0.5, "alpha": 0.0}, r"^alpha must be in \(0, 1\), got 0.0$"),
        ({"m": 3, "gamma": 0.5, "alpha": 1}, r"^alpha must be in \(0, 1\), got 1$"),
        ({"m": 3, "gamma": 1.0, "alpha": 2.0}, r"^alpha must be in \(0, 1\), got 2.0$"),
        ({"m": 3, "gamma": 0.5, "alpha": float("nan")}, r"^alpha must be in \(0, 1\), got nan$"),
        ({"m": 3, "gamma": 0.5}, r"^alpha must be given \(or tilde\) where gamma is below 1, got None$"),
        (
            {"m": 3, "gamma": 0.5, "alpha": 0.5, "tilde": [1.0]},
            r"^alpha must be left out where tilde is given",
        ),
        (
            {"m": 3, "gamma": 0.5, "tilde": [0.5, 0.1, 0.4]},
            r"^tilde must be decreasing .*, got '0.1 at j = 2",
        ),
        ({"m": 3, "gamma": 0.5, "tilde": [0.5, 0.3]}, r"^sum of tilde must be 1, got 0.8$"),
        ({"m": 3, "gamma": 0.5, "tilde": [1.5, -0.5]}, r"^tilde must be not negative, got -0.5$"),
        ({"m": 3, "gamma": 0.5, "tilde": [float("inf"), 0.1]}, r"^tilde must be finite in every entry"),
        ({"m": 3, "gamma": 0.5, "tilde": []}, r"^tilde must be a sequence of at least one number"),
        ({"m": 3, "gamma": 0.5, "tilde": [[1.0]]}, r"^tilde must be a sequence of at least one number"),
    ],
)
def test_what_equation_1_does_not_admit_is_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        node_scales(**arguments)


def test_other_refusals():
    with pytest.raises(InputError, match=r"^alpha must be in \(0, 1\)"):
        zipf_weights(3, 1.0)
    with pytest.raises(InputError, match=r"^m must be a positive integer"):
        zipf_weights(0, 0.5)
    with pytest.raises(InputError, match=r"^r must be finite and above alpha = 0.5 "):
        zipf_power_sum(0.5, 0.5)
    with pytest.raises(InputError, match=r"^above must be an integer, at least 0, got -1"):
        zipf_power_sum(0.5, 1.0, above=-1)
    with pytest.raises(InputError, match=r"^start, stop must be ordered within 0\.\.3"):
        node_scales(3, 1.0).block(2, 4)
    with pytest.raises(InputError, match=r"^r must be positive and finite, got 0"):
        node_scales(3, 1.0).power_sum(0)


@pytest.mark.parametrize("alpha", [0.3, 0.7, 0.95])
def test_a_long_sum_is_the_same_by_zeta(monkeypatch, alpha):
    one_by_one = node_scales(5000, 0.2, alpha)
    monkeypatch.setattr(sys.modules["whp.models.node_scales"], "LONGEST_SUM", 10)  # a function has that name
    np.testing.assert_allclose(node_scales(5000, 0.2, alpha).values, one_by_one.values, rtol=1e-12)


def test_a_width_that_no_memory_holds_still_has_its_first_scales():
    assert node_scales(10**12, 0.5, 0.5).block(0, 1)[0] == pytest.approx(0.5 * 6 / np.pi**2, rel=1e-9)
