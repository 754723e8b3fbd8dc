"""Certified suprema: known ones, enclosures that hold every value, and what cannot be enclosed."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from whp.errors import InputError, MeasurementError
from whp.kernels import activation, supremum
from whp.kernels.enclosure import Enclosure

# Largest |phi''|, from the critical points by hand.
SECOND = {
    "tanh": 4 / (3 * math.sqrt(3)),
    "sigmoid": 1 / (6 * math.sqrt(3)),
    "softplus": 0.25,
    "centred_softplus": 0.25,
    "swish": 0.5,
    "erf": 2 * math.sqrt(2 / math.pi) * math.exp(-0.5),
    "gelu": 2 / math.sqrt(2 * math.pi),
}


@pytest.mark.parametrize("name", SECOND)
def test_suprema_of_the_registry(name):
    phi = activation(name)
    for f, known in ((phi.dphi, phi.sup_dphi), (phi.ddphi, SECOND[name])):
        found = supremum(f)
        assert found.low <= known * (1 + 1e-14)
        assert known <= found.high <= found.low * (1 + 1.1e-8)


def test_others_and_a_coarser_width():
    assert supremum(torch.cos).contains(1.0)
    assert supremum(lambda z: -torch.sin(z)).contains(1.0)
    found = supremum(lambda z: z * torch.exp(-(z**2)), tolerance=1e-3)
    assert found.contains(math.exp(-0.5) / math.sqrt(2))
    assert 1e-6 < found.width < 2e-3
    assert supremum(torch.zeros_like).high < 1e-300


@pytest.mark.parametrize("name", ["swish", "softplus"])
def test_what_has_no_finite_supremum(name):
    with pytest.raises(MeasurementError, match="it may be unbounded"):
        supremum(activation(name).phi)


def test_what_cannot_be_enclosed_so_closely():
    """Far out sin and cos are known to be in [-1, 1], and not how they go together."""
    with pytest.raises(MeasurementError, match=r"enclosed to 0\.001"):
        supremum(lambda z: torch.sin(z) - torch.sin(z) * torch.cos(z), tolerance=1e-3)


def test_what_has_no_known_range():
    with pytest.raises(InputError, match=r"functions with a known range .*got 'lgamma'"):
        supremum(torch.lgamma)
    with pytest.raises(InputError, match="power must be 2"):
        supremum(lambda z: z**3)


FUNCTIONS = {
    "exp": (torch.exp, mpmath.exp),
    "tanh": (torch.tanh, mpmath.tanh),
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "erf": (torch.erf, mpmath.erf),
    "erfc": (torch.erfc, mpmath.erfc),
    "sin": (torch.sin, mpmath.sin),
    "cos": (torch.cos, mpmath.cos),
    "square": (lambda z: z * z, lambda x: x * x),
    "cubic": (lambda z: 2 - z * (z**2) / 3 - 1, lambda x: 1 - x**3 / 3),
    "softplus": (activation("softplus").phi, lambda x: mpmath.log1p(mpmath.exp(x))),
    "addcmul": (lambda z: torch.addcmul(z, z, z, value=-0.5), lambda x: x - x**2 / 2),
}


@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    low=st.floats(-30, 30),
    width=st.sampled_from([0.0, 1e-8, 0.1, 1.0, 7.0]),
    where=st.floats(0, 1),
)
def test_an_enclosure_holds_every_value(name, low, width, where):
    f, exact = FUNCTIONS[name]
    ends = [torch.tensor([x], dtype=torch.float64) for x in (low, low + width)]
    found = f(Enclosure(*ends))
    inside = min(max(low + where * (float(ends[1]) - low), low), float(ends[1]))
    with mpmath.workdps(40):
        value = exact(mpmath.mpf(inside))
        assert mpmath.mpf(float(found.low)) <= value <= mpmath.mpf(float(found.high))


def test_a_narrower_interval_would_not_hold_them():
    """The test above can fail: the ends are attained to a few units of rounding."""
    found = torch.tanh(Enclosure(*torch.tensor([[0.3], [0.5]], dtype=torch.float64)))
    assert float(found.high) - math.tanh(0.5) < 1e-15
    assert math.tanh(0.3) - float(found.low) < 1e-15
    wide = torch.sin(Enclosure(*torch.tensor([[-1e7], [1e7]], dtype=torch.float64)))
    np.testing.assert_array_equal([float(wide.low), float(wide.high)], [-1.0, 1.0])
