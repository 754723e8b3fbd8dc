"""The terms of the expansions of Theta_1^* and Theta_2^* (hu2020, proofs of Propositions D.4 and D.9)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from whp.kernels.activations import Activation, nu
from whp.kernels.expectations import phi_gradient
from whp.kernels.ntk import expected_first_layer_ntk, linear_features, norm_ratios
from whp.kernels.second_layer import combined_features, expected_second_layer_ntk, subtract_gram_
from whp.kernels.tiles import strip_of

TERMS = ("row norms", "column norms", "F", "remainder", "diagonal", "linear diagonal")
SECOND_LAYER_TERMS = ("norms", "F", "remainder", "diagonal")


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
    strip = strip_of(X, None)
    for start in range(0, len(X), strip):  # without n x n temporaries
        part = slice(start, start + strip)
        row_factor = moments.zeta**2 + gradient.c1 * epsilon[part, None]
        remainder[part] -= off[part] * (row_factor + gradient.c2 * epsilon + gradient.c3 * off[part])
    del off
    remainder.fill_diagonal_(0)
    yield "remainder", remainder
    del remainder
    yield "diagonal", torch.diag(diagonal - moments.gamma)
    features = linear_features(X, moments.zeta, nu(activation, sigma_moment))
    yield "linear diagonal", torch.diag(features.square().sum(dim=1) - moments.zeta**2)


def second_layer_taylor_terms(
    X: torch.Tensor, activation: Activation, sigma_moment: float
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the pieces of Theta_2^* - Theta^lin2 (hu2020, proof of Proposition D.9), each an (n, n) matrix.

    With s_ij = x_i . x_j / d, e_i = |x_i| / sqrt d - 1 and gamma = zeta E[(g^2 - 1) phi'(g)],
    the (1, 3)-th entry of the Hessian of Gamma at (1, 1, 0) in standard deviations:

    =============  =====================================================================
    ``norms``      gamma (s_ij (e_i + e_j))_off
    ``F``          vartheta_1^2 / 2 (s_ij^2 - Tr[Sigma^2] / d^2)_off
    ``remainder``  what is left off the diagonal: of third order in e_i, e_j and s_ij
    ``diagonal``   (Theta_2^* - Theta^lin2)_diag
    =============  =====================================================================

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data; float64, as the remainder is a small difference.
    activation : Activation
        Supplies Gamma and its moments.
    sigma_moment : float
        Tr[Sigma^2] / d of the data distribution.
    """
    d = X.shape[1]
    moments = activation.moments
    e = norm_ratios(X).sqrt() - 1  # (n,)
    s = X @ (X.T / d)  # (n, n)
    norms = (e[:, None] + e).mul_(s).mul_(moments.zeta * moments.he2_dphi).fill_diagonal_(0)
    yield "norms", norms
    F = s.square_().sub_(sigma_moment / d).mul_(moments.vartheta_1**2 / 2).fill_diagonal_(0)
    yield "F", F
    psi_2 = combined_features(X, activation, sigma_moment, (0.0, 1.0))  # (n, d + 2)
    rest = subtract_gram_(expected_second_layer_ntk(X, activation), psi_2)
    diagonal = torch.diag(rest.diagonal())
    yield "remainder", rest.sub_(norms).sub_(F).fill_diagonal_(0)
    yield "diagonal", diagonal
