"""An activation and its derivative from one pass over pre-activations, for those where one gives the other.

A step of gradient descent needs both everywhere, and they take more time than its matrix products. These are
shortcuts to the formulas of the activation itself, which the tests compare.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from whp.models.activation import Activation

ValueAndSlope = Callable[[Tensor, Tensor], Tensor]
"""Takes z and a tensor for the slopes, writes to both, and returns the values, maybe in z."""


def value_and_slope(activation: Activation) -> ValueAndSlope:
    """Return the shortcut of an activation that has one, by its ``name``; else its two functions in turn."""

    def both(z: Tensor, slopes: Tensor) -> Tensor:
        slopes.copy_(activation.dphi(z))
        return activation.phi(z)

    shortcuts = {"tanh": _tanh, "swish": _swish, "relu": _relu, "softplus": _softplus}
    return shortcuts.get(getattr(activation, "name", ""), both)


def _tanh(z: Tensor, slopes: Tensor) -> Tensor:
    z.tanh_()
    torch.addcmul(z.new_ones(()), z, z, value=-1, out=slopes)
    return z


def _swish(z: Tensor, slopes: Tensor) -> Tensor:
    # With s the sigmoid and v = z s the value, the slope s (1 + z (1 - s)) is s - s v + v.
    torch.sigmoid(z, out=slopes)
    z.mul_(slopes)
    slopes.addcmul_(slopes, z, value=-1).add_(z)
    return z


def _relu(z: Tensor, slopes: Tensor) -> Tensor:
    torch.ge(z, 0, out=slopes)
    return z.clamp_(min=0)


def _softplus(z: Tensor, slopes: Tensor) -> Tensor:
    torch.sigmoid(z, out=slopes)
    # log(1 + e^z) = z - log sigmoid(z) = max(z, 0) - log sigmoid(|z|)
    return z.sub_(torch.nn.functional.logsigmoid(z))
