"""Whole networks at initialisation, many at a time, and how their weights and kernels start to move.

A draw is a network of eq. (2) with weights from Assumption 2.3 and random signs. Both are spread evenly, and
each draw alone keeps its law, so that means are unbiased:

- the weights are the points of scrambled Sobol nets taken to the normal law, and their negatives; a batch has
  several independent nets. For d = 1, and where a mean vanishes, they are independent: there a net is so even
  that its error, far below what matters, is now and then much larger, and has no normal law;
- each set of weights meets 2 m' vectors of signs, m' the next power of two: the columns of a Hadamard matrix
  and their negatives, times one random vector of signs. The products of two signs then average to zero over
  the batch as they do in the mean.

Outputs, velocities and rates are computed from the whole network, without use of any of this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import hadamard
from scipy.special import ndtri
from scipy.stats import qmc

from whp.kernels import Activation, activation, check_activation
from whp.models import node_scales

BITS = 30
POINTS = 512  # of a net
SINGLE = 4


def scales_for(m, gamma):
    """The lambda_{m,j}: Zipf with alpha = 1/2, at gamma = 0 the finite network lambda~ = (1/2, 1/2)."""
    values = node_scales(m, gamma, tilde=[0.5, 0.5]) if gamma == 0 else node_scales(m, gamma, 0.5)
    return values.values  # (m,)


def positive_inputs(rng, n, d):
    """n inputs with positive entries and norms between 0.3 and 1: no sum over them cancels."""
    X = torch.from_numpy(rng.uniform(0.2, 1.0, (n, d)))
    return scaled(X, torch.linspace(1.0, 0.3, n, dtype=torch.float64) if n > 1 else torch.tensor([0.7]))


def scaled(X, norms):
    """Rows of these norms."""
    return X / X.norm(dim=1, keepdim=True) * norms[:, None].double()


def admitted(name):
    """The activation of this name, after the check of Assumption 2.2."""
    found = known(name)
    check_activation(found)
    return found


def known(name):
    """The activation of this name, of the registry or of those below."""
    return OWN[name] if name in OWN else activation(name)


def reduced_swish(divisor):
    """swish / divisor."""
    swish = activation("swish")
    return Activation(
        f"swish_over_{divisor:g}",
        rf"\mathrm{{swish}} / {divisor:g}",
        lambda z: swish.phi(z) / divisor,
        lambda z: swish.dphi(z) / divisor,
        lambda z: swish.ddphi(z) / divisor,
        smooth=True,
        sup_dphi=swish.sup_dphi / divisor,
    )


# sin is odd as tanh is, and both of its derivatives are at most one; swish is too steep, and this one is not.
OWN = {
    "sin": Activation(
        "sin", r"\sin", torch.sin, torch.cos, lambda z: -torch.sin(z), smooth=True, sup_dphi=1.0
    ),
    "reduced_swish": reduced_swish(1.1),
}


def draw_weights(rng, nets, m, d, even):
    """Sets of weights, shape (N, m, d): POINTS for each net, and their negatives.

    Not ``even``, SINGLE times as many independent sets and no negatives; for d = 1 those and their negatives.
    """
    if even and d > 1:
        parts = [qmc.Sobol(m * d, bits=BITS, rng=rng).random(POINTS) for _ in range(nets)]
        W = torch.from_numpy(ndtri(np.concatenate(parts) + 0.5**BITS / 2)).reshape(-1, m, d)
    else:
        W = torch.from_numpy(rng.standard_normal((SINGLE * POINTS * nets, m, d)))
    return torch.cat((W, -W)) if even else W


def draw_signs(rng, m):
    """2 m' vectors of signs, shape (2 m', m)."""
    size = 1 << max(m - 1, 0).bit_length()
    H = torch.from_numpy(hadamard(size)[:, :m]).double()
    return torch.cat((H, -H)) * torch.from_numpy(rng.integers(0, 2, m) * 2.0 - 1)


@dataclass(frozen=True)
class Rates:
    """How a batch of networks starts to move, averaged over the vectors of signs of each.

    Attributes
    ----------
    weights : Tensor, shape (N, m, d)
        dw_j / dt.
    kernel : Tensor, shape (N, K, K)
        d Theta_m(z_k, z_l) / dt at the points at which it is asked for.
    """

    weights: torch.Tensor
    kernel: torch.Tensor


def initial_rates(W, signs, scales, X, y, sigma, points=None):
    """Rates of change under gradient flow of eq. (3), from the derivatives of (2) and of (4).

    W: (N, m, d) or (m, d); signs: (P, m), or (N, 1, m) for a vector of its own each; X: (n, d); y: (n,);
    points: (K, d), by default X.
    """
    d = X.shape[1]
    Z = W @ X.T / math.sqrt(d)  # (N, m, n)
    root = torch.sqrt(scales)
    outputs = (signs * root) @ sigma.phi(Z)  # (N, P, n)
    # The velocity is linear in sign times error, which is all that differs between the vectors of signs.
    error = signs.mT @ (y - outputs) / signs.shape[-2]  # (N, m, n)
    weights = root[:, None] / math.sqrt(d) * ((error * sigma.dphi(Z)) @ X)  # (N, m, d)
    at = X if points is None else points  # (K, d)
    Zp, turn = W @ at.T / math.sqrt(d), weights @ at.T / math.sqrt(d)  # (N, m, K): z_k and dz_k / dt
    slopes = sigma.dphi(Zp)
    half = (scales[:, None] * sigma.ddphi(Zp) * turn).mT @ slopes  # (N, K, K)
    return Rates(weights, (at @ at.T / d) * (half + half.mT))


def mean_rates(p, rng, X, y, sigma, points=None, even=True, nets=None):
    """Rates averaged over a batch of networks of p.m neurons, in p.nets nets or as many as given."""
    W = draw_weights(rng, p.nets if nets is None else nets, p.m, X.shape[1], even)
    scales = scales_for(p.m, p.gamma)
    signs = draw_signs(rng, p.m)
    found = initial_rates(W, signs, scales, X, y, sigma, points)
    return Rates(found.weights.mean(0), found.kernel.mean(0)), scales
