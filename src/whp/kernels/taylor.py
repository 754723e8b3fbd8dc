"""The terms of the expansion of Theta_1^* around Theta^lin1 (hu2020, proof of Proposition D.4)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from whp.kernels.activations import Activation, nu
from whp.kernels.expectations import phi_gradient
from whp.kernels.ntk import expected_first_layer_ntk, linear_features, norm_ratios
from whp.kernels.tiles import STRIP

TERMS = ("row norms", "column norms", "F", "remainder", "diagonal", "linear diagonal")


def taylor_terms(
    X: torch.Tensor, activation: Activation, sigma_moment: float
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the pieces of hu2020, eqs (21)-(25), each an (n, n) matrix.

    With G = X X^T / d, eps_i = |x_i|^2 / d - 1 and (c1, c2, c3) = grad Phi(1, 1, 0):

    ==================  ==================================================================
    ``row norms``       c1 (diag(eps) G)_off
    ``column norms``    c2 (G diag(eps))_off
    ``F``               c3 F with F = (G o G - Tr[Sigma^2] / d^2 1 1^T)_off
    ``remainder``       E, which is defined by eq. (21)
    ``diagonal``        (Theta_1^*)_diag - gamma I
    ``linear diagonal`` (Theta^lin1)_diag - zeta^2 I
    ==================  ==================================================================

    The first four sum to (Theta_1^* - Theta^lin1)_off; the fifth less the sixth is its
    diagonal less (gamma - zeta^2) I. The line printed above eq. (21) expands in
    (x_i . x_j)^2 / d where the third argument of Phi is x_i . x_j / d; eq. (21) itself,
    which is followed here, is right.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data; float64, as the remainder is a small difference.
    activation : Activation
        Supplies Phi and its moments.
    sigma_moment : float
        Tr[Sigma^2] / d of the data distribution.
    """
    d = X.shape[1]
    moments = activation.moments
    gradient = phi_gradient(activation)
    epsilon = norm_ratios(X) - 1  # (n,)
    off = X @ (X.T / d)  # (n, n)
    off.fill_diagonal_(0)
    yield "row norms", gradient.c1 * epsilon[:, None] * off
    yield "column norms", gradient.c2 * epsilon * off
    F = off.square().sub_(sigma_moment / d).mul_(gradient.c3)
    F.fill_diagonal_(0)
    yield "F", F
    del F
    remainder = expected_first_layer_ntk(X, activation)
    diagonal = remainder.diagonal().clone()
    for start in range(0, len(X), STRIP):  # without n x n temporaries
        part = slice(start, start + STRIP)
        row_factor = moments.zeta**2 + gradient.c1 * epsilon[part, None]
        remainder[part] -= off[part] * (row_factor + gradient.c2 * epsilon + gradient.c3 * off[part])
    del off
    remainder.fill_diagonal_(0)
    yield "remainder", remainder
    del remainder
    yield "diagonal", torch.diag(diagonal - moments.gamma)
    features = linear_features(X, moments.zeta, nu(activation, sigma_moment))
    yield "linear diagonal", torch.diag(features.square().sum(dim=1) - moments.zeta**2)
