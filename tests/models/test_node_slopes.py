"""Shortcuts to a value and its slope at once against the activation's own formulas."""

import pytest
import torch

from whp.kernels import activation, activation_names
from whp.models.node_slopes import value_and_slope


@pytest.mark.parametrize("name", activation_names())
def test_values_and_slopes_are_those_of_the_activation(name):
    a = activation(name)
    z = torch.cat([torch.linspace(-8, 8, 401), torch.tensor([0.0, 40.0, -40.0, 300.0, -300.0])]).double()
    slopes = torch.empty(2, len(z), dtype=z.dtype)[:, ::1]
    value = value_and_slope(a)(z.clone().expand(2, -1).clone(), slopes)
    torch.testing.assert_close(value[1], a.phi(z), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(slopes[0], a.dphi(z), rtol=1e-12, atol=1e-14)


def test_a_wrong_slope_is_noticed():
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    slopes = torch.empty_like(z)
    value_and_slope(activation("tanh"))(z.clone(), slopes)
    with pytest.raises(AssertionError, match="not close"):
        torch.testing.assert_close(slopes, activation("swish").dphi(z))
