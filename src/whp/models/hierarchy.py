r"""The next kernel of the neural tangent hierarchy: how the tangent kernel moves under gradient flow.

Source: caron2023, eq. (34) and Appendix I.2; the hierarchy is that of Huang and Yau (2020).
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from whp.errors import fail, require
from whp.models.activation import Activation
from whp.models.node_network import NodeScaled, gram


@runtime_checkable
class SmoothActivation(Activation, Protocol):
    """An activation that knows its second derivative too."""

    def ddphi(self, z: Tensor, /) -> Tensor:
        """Return ``phi''(z)``."""
        ...


def nth_kernel(network: NodeScaled, B: Tensor) -> Tensor:
    r"""Return :math:`\Theta^{(3)}_m(x_k, x_l, x_i) = \langle \nabla_W \Theta_m(x_k, x_l), \nabla_W f_m(x_i)
    \rangle`.

    Under gradient flow of (3), :math:`d\Theta_m(x_k, x_l)/dt = \sum_i (y_i - f_m(x_i))\,
    \Theta^{(3)}_m(x_k, x_l, x_i)`.

    Parameters
    ----------
    network : NodeScaled
        With one output, and an activation with ``ddphi``. A piecewise-linear one has the second derivative
        zero, and this is zero: the derivative almost everywhere.
    B : Tensor, shape (n, r)
        Inputs, or their span coordinates.

    Returns
    -------
    Tensor, shape (n, n, n), float64
        Indices k, l, i; symmetric in k and l.

    Raises
    ------
    InputError
        If the network has several outputs or its activation has no ``ddphi``.

    Notes
    -----
    The product of the derivatives of (2) and (4) is

    .. math:: \sum_j a_j \lambda_{m,j}^{3/2} \frac{x_k^\top x_l}{d^2} \sigma'(z_i) \left(x_k^\top x_i
        \sigma''(z_k) \sigma'(z_l) + x_l^\top x_i \sigma''(z_l) \sigma'(z_k)\right)

    where the paper prints :math:`d^{3/2}` for :math:`d^2` (Appendix I.2).

    Source: caron2023, eq. (34).
    """
    require(network.signs.ndim == 1, "network", "of one output", tuple(network.signs.shape))
    activation = network.activation
    if not isinstance(activation, SmoothActivation):
        fail("activation", "one with a second derivative ddphi", activation)
    n = len(B)
    total = torch.zeros(n, n, n, dtype=torch.float64, device=network.weights.device)
    scaled = B.to(network.weights) / math.sqrt(network.dimension)
    for s in network.cuts(n):
        z = scaled @ network.weights[s].T  # (n, block)
        slopes = activation.dphi(z).double()
        curvatures = activation.ddphi(z).double()
        share = network.scales.block(s.start, s.stop).pow_(1.5).to(total.device) * network.signs[s].double()
        for i in range(n):
            total[:, :, i] += (curvatures * (share * slopes[i])) @ slopes.T
    G = gram(B, network.dimension).to(total.device)
    one = G[:, None, :] * total  # (x_k . x_i / d) times the sum with sigma'' at k
    return G[:, :, None] * (one + one.transpose(0, 1))
