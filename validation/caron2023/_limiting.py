"""Fixed inputs, and the limiting NTG matrix of Proposition 3.1 drawn in the coordinates of their span."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

from whp.kernels import activation, c_0, mean_ntg
from whp.kernels.quadrature import gaussian_mean
from whp.models import zipf_weights
from whp.models.node_network import gram, span_coordinates


class Inputs:
    """n inputs of R^d of norms from 1/2 to 1, and what is known of the NTG matrix there.

    Symmetric matrices are held by their upper triangle, (pairs,), whose off-diagonal entries count twice.
    """

    def __init__(self, n, d, name):
        rng = np.random.default_rng([n, d, 2023])  # the same inputs in every trial
        X = rng.standard_normal((n, d)) + math.sqrt(2)  # correlated: no entry of the matrices is near zero
        X *= np.linspace(1.0, 0.5, n)[:, None] / np.linalg.norm(X, axis=1, keepdims=True)
        self.X = torch.from_numpy(X)
        self.d, self.activation = d, activation(name)
        self.B = span_coordinates(self.X)
        self.pairs = torch.triu_indices(n, n)
        self.gram = self.upper(gram(self.X, d))
        self.mean = self.upper(mean_ntg(self.X, self.activation))
        self.twice = torch.where(self.pairs[0] == self.pairs[1], 1.0, 2.0).double()

    def upper(self, K):
        """The upper triangle of (n, n)."""
        return K[self.pairs[0], self.pairs[1]]

    def frobenius(self, upper):
        """The norm of symmetric matrices by their upper triangles, (pairs, ...) to (...)."""
        return torch.sqrt(torch.tensordot(self.twice, upper**2, dims=1))

    def terms(self, rng, *count):
        """The matrices A_j / d of independent nodes, upper triangles, (pairs, *count)."""
        w = torch.from_numpy(rng.standard_normal((self.B.shape[1], math.prod(count))))
        slopes = self.activation.dphi(self.B @ w / math.sqrt(self.d))
        products = slopes[self.pairs[0]] * slopes[self.pairs[1]]
        return products.mul_(self.gram[:, None]).reshape(-1, *count)

    @functools.cached_property
    def c_0(self):
        """C_0(X) by quadrature."""
        return c_0(self.X, self.activation)

    @functools.cached_property
    def c_0_diagonal(self):
        """C_0 of the inputs one by one: without the pairs i != i'."""
        return sum(c_0(x[None], self.activation) for x in self.X)

    @functools.cached_property
    def uncorrelated(self):
        """The mean as if the slopes at two inputs, and at the same one twice, were independent."""
        scale = self.X.norm(dim=1) / math.sqrt(self.d)
        if self.activation.smooth:
            first, _ = gaussian_mean(lambda u: self.activation.dphi(scale[:, None] * u))
        else:
            first = torch.full_like(scale, 0.5)  # relu
        return self.gram * self.upper(torch.outer(first, first))


@functools.cache
def inputs(n, d, name):
    """The same object for the same sizes."""
    return Inputs(n, d, name)


def sequence(tilde, length):
    """The start of lambda~, (length,): Zipf weights for alpha below 1, equal weights for an integer K."""
    if tilde < 1:
        return zipf_weights(length, tilde)
    weights = torch.zeros(length, dtype=torch.float64)
    weights[: int(tilde)] = 1.0 / tilde
    return weights
