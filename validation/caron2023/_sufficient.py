"""What Lemmas E.3 and E.5 share: fixed data, random weights, the quotients of (a) to (d)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch

from whp.kernels import activation
from whp.kernels.mean_ntg import kappa
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

from ._convergence import Extremes, over

STOP = 1e-4
"""Until the loss is this share of the first one a flow is looked at; later times are bounded."""

TIMES = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
"""When, in units of 1/kappa_n; times in between are bounded."""


@dataclass(frozen=True)
class Data:
    """n inputs in dimension d, targets of modulus C and alternating signs; what the activation makes of them.

    Attributes
    ----------
    B : Tensor, shape (n, n)
        Inputs in coordinates of their span.
    X : Tensor, shape (n, d)
    y : Tensor, shape (n,)
    kappa : float
        Of the mean NTG matrix.
    """

    B: torch.Tensor
    X: torch.Tensor
    y: torch.Tensor
    d: int
    kappa: float


@functools.cache
def data(n: int, d: int, cosine: float, shortest: float, C: float, name: str) -> Data:
    """Inputs with the same cosine between any two, of norms from one to `shortest`."""
    gram = cosine + (1 - cosine) * torch.eye(n, dtype=torch.float64)
    norms = (
        torch.linspace(shortest, 1, n, dtype=torch.float64) if n > 1 else torch.ones(1, dtype=torch.float64)
    )
    B = norms[:, None] * torch.linalg.cholesky(gram)
    X = torch.zeros(n, d, dtype=torch.float64)
    X[:, :n] = B
    y = C * torch.tensor([1.0, -1.0] * n, dtype=torch.float64)[:n]
    return Data(B, X, y, d, kappa(X, activation(name)).value)


@functools.lru_cache(maxsize=8)
def zipf_scales(m: int, gamma: float):
    return node_scales(m, gamma, None if gamma == 1 else 0.5)


def draw(rng: np.random.Generator, of: Data, m: int, gamma: float, name: str) -> NodeScaled:
    """A network at its random start (Assumption 2.3)."""
    return NodeScaled.draw(rng, of.B, of.d, zipf_scales(m, gamma), activation(name))


def reach(of: Data, start: torch.Tensor, gamma: float) -> float:
    """R'_{m,j} / sqrt(lambda_{m,j}), from the first outputs."""
    n = len(of.y)
    return math.sqrt(n / of.d) * float((of.y - start).norm()) * 4 / (gamma * of.kappa)


def quotients(
    of: Data, worst: Extremes, first: torch.Tensor, gamma: float, ntg_bound: float
) -> dict[str, float]:
    """Of (a) to (d): at most one where the printed inequality holds at all times that `worst` is over.

    (a) gamma kappa_n / 4 over the least eigenvalue at any time; (b) gamma kappa_n / 2 over the least
    of log(L_0 / L_t) / t; (c) and (d) left side over right side. `first` are the first outputs.
    """
    return {
        "a": over(gamma * of.kappa / 4, worst.least),
        "b": over(gamma * of.kappa / 2, worst.rate),
        "c": worst.moved / reach(of, first, gamma),
        "d": worst.changed / ntg_bound,
    }
