r"""What the claims of Appendix B on back-propagated vectors have in common: relu networks at two inputs.

The vectors of all layers at two inputs x, x' can be drawn without the matrices of weights. Forward, the
rows of f^(h) given g^(h-1) are independent N(0, <g^(h-1), g^(h-1)>). Backward, given all of the forward
pass, W^(h+1) is the least-squares solution of f^(h+1) = W^(h+1) g^(h) plus a fresh Gaussian matrix on the
orthogonal complement of G = [g^(h)(x), g^(h)(x')]. That is their exact law at any widths, at the cost of
the widths and not of their products. :func:`by_weights` draws the matrices; tests compare the two.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from whp.kernels import activation, fc_layers

PAIRS = ((0, 0), (0, 1), (1, 1))  # (x, x), (x, x'), (x', x')


@dataclass(frozen=True)
class TwoInputs:
    """One network at two inputs; every array has the two inputs as its rows.

    ``f[h - 1]`` for h = 1..L+1, ``g[h]`` for h = 0..L, ``b[h - 1]`` for h = 1..L+1, each (2, d_h); and the
    parts of (W^(h+1))^T b^(h+1) in the span of G, ``along[h - 1]``, and across it, ``across[h - 1]``, for
    h = 1..L.
    """

    f: list[np.ndarray]
    g: list[np.ndarray]
    b: list[np.ndarray]
    along: list[np.ndarray]
    across: list[np.ndarray]

    @property
    def depth(self) -> int:
        return len(self.along)

    def features(self) -> np.ndarray:
        """<g^(h), g^(h)> for the three pairs, shape (L + 1, 3), h = 0..L."""
        return np.array([products(g) for g in self.g])

    def backward(self) -> np.ndarray:
        """<b^(h), b^(h)> for the three pairs, shape (L + 1, 3), h = 1..L+1."""
        return np.array([products(b) for b in self.b])

    def kernel(self) -> np.ndarray:
        """The tangent kernel of all weights for the three pairs, shape (3,)."""
        return (self.features() * self.backward()).sum(axis=0)

    def trace(self, h: int) -> np.ndarray:
        """2 tr(D^(h)(x1) D^(h)(x2)) / d_h for the three pairs, shape (3,)."""
        return 2 * products((self.f[h - 1] > 0).astype(float)) / self.f[h - 1].shape[1]


@dataclass(frozen=True)
class Limits:
    """The same at infinite width: Sigma^(h), h = 0..L; Sigma-dot^(h), h = 1..L, each row the three pairs."""

    sigma: np.ndarray
    sigma_dot: np.ndarray
    theta: np.ndarray

    def product(self, h: int) -> np.ndarray:
        """The product of Sigma-dot^(h') over h' = h..L, shape (3,); one for h = L + 1."""
        return self.sigma_dot[h - 1 :].prod(axis=0)


@functools.lru_cache(maxsize=256)
def limits(rho: float, depth: int, norm: float = 1.0) -> Limits:
    """For the two vectors of :func:`inputs`."""
    gram = torch.from_numpy(inputs(rho, norm) @ inputs(rho, norm).T)
    (i, j), squares = torch.tensor(PAIRS).T, gram.diagonal()
    layers = fc_layers(squares[i], squares[j], gram[i, j], activation("relu"), depth)
    return Limits(
        np.stack([np.asarray(s) for s in layers.sigma]),
        np.stack([np.asarray(s) for s in layers.sigma_dot]),
        np.asarray(layers.theta),
    )


def products(u: np.ndarray) -> np.ndarray:
    """Inner products of the two rows, for the three pairs."""
    return np.array([u[i] @ u[j] for i, j in PAIRS])


def inputs(rho: float, norm: float = 1.0) -> np.ndarray:
    """Two vectors of the plane with norms 1 and ``norm`` and the cosine rho, as rows."""
    return np.array([[1.0, 0.0], [norm * rho, norm * math.sqrt(1 - rho**2)]])


def by_law(rng: np.random.Generator, rho: float, widths: Sequence[int], norm: float = 1.0) -> TwoInputs:
    """Draw from the joint law at the two inputs, hidden widths d_1..d_L; exact at any widths."""
    f, g = [], [inputs(rho, norm)]
    for d in (*widths, 1):
        f.append(root(g[-1] @ g[-1].T) @ rng.standard_normal((2, d)))
        g.append(relu(f[-1]))
    b, along, across = [np.ones((2, 1))], [], []
    for h in range(len(widths), 0, -1):
        G, up = g[h], b[0]  # (2, d_h), (2, d_{h+1})
        fresh = root(up @ up.T) @ rng.standard_normal(G.shape)
        span = pinv(G @ G.T)
        along.insert(0, up @ f[h].T @ span @ G)
        across.insert(0, fresh - fresh @ G.T @ span @ G)
        b.insert(0, back(f[h - 1], along[0] + across[0]))
    return TwoInputs(f, g[:-1], b, along, across)


def by_weights(rng: np.random.Generator, rho: float, widths: Sequence[int]) -> TwoInputs:
    """Draw all matrices of weights and multiply; for widths whose products fit in memory."""
    f, g, weights = [], [inputs(rho)], []
    for d in (*widths, 1):
        weights.append(rng.standard_normal((d, g[-1].shape[1])))
        f.append(g[-1] @ weights[-1].T)
        g.append(relu(f[-1]))
    b, along, across = [np.ones((2, 1))], [], []
    for h in range(len(widths), 0, -1):
        G, both = g[h], b[0] @ weights[h]  # (2, d_h) each
        along.insert(0, both @ G.T @ pinv(G @ G.T) @ G)
        across.insert(0, both - along[0])
        b.insert(0, back(f[h - 1], both))
    return TwoInputs(f, g[:-1], b, along, across)


def relu(f: np.ndarray) -> np.ndarray:
    """g^(h) of f^(h), eq. (6) with c_sigma = 2."""
    return math.sqrt(2 / f.shape[1]) * np.maximum(f, 0)


def back(f: np.ndarray, both: np.ndarray) -> np.ndarray:
    """b^(h) of f^(h) and (W^(h+1))^T b^(h+1), eq. (9) with c_sigma = 2."""
    return math.sqrt(2 / f.shape[1]) * (f > 0) * both


def root(gram: np.ndarray) -> np.ndarray:
    """A square root R R^T of a positive semidefinite 2 x 2 matrix, singular ones too."""
    values, vectors = np.linalg.eigh(gram)
    return vectors * np.sqrt(np.maximum(values, 0))


def pinv(gram: np.ndarray) -> np.ndarray:
    """Pseudo-inverse of the 2 x 2 Gram matrix: directions that are rounding do not count."""
    return np.linalg.pinv(gram, rcond=1e-12, hermitian=True)
