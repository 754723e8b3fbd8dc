"""What the claims about training share: data and labels, the learning rate, the horizon, the text of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy
import torch

from whp.claims import symbols
from whp.devices import as_dtype
from whp.ensembles import DataDistribution, SymmetricInit, data_distribution, symmetric_init
from whp.kernels import Activation, activation

d, n = symbols("d n")
TEACHER_WIDTH = 5
HIDDEN = sympy.log(d) ** 2
RADIUS = sympy.sqrt(d * sympy.log(d))
# In T = c d log(d) / eta; the paper says that there is such a constant. With 2 the linear model has
# nearly converged by T, and the sup over t no longer grows with the horizon alone.
HORIZON = 2
CENTRED = ("erf", "tanh", "centred_softplus")
LABELS = r"Labels: the signs of a random two-layer erf network of width 5, so $|y_i| \le 1$."


@dataclass(frozen=True)
class Task:
    """One draw: data (n training rows, then test rows), labels of the training rows, first weights."""

    X: torch.Tensor
    y: torch.Tensor
    init: SymmetricInit
    law: DataDistribution
    phi: Activation


def draw(p, rng, device, test_points):
    """Draw a task at a point of a path with sizes d, n, m and cells activation and data."""
    law, phi, dtype = data_distribution(p.data), activation(p.activation), as_dtype(p.dtype)
    X = law.sample(rng, p.n + test_points, p.d, dtype, device)  # (n + test, d)
    y = teacher(rng, X[: p.n])
    return Task(X, y, symmetric_init(rng, p.m, p.d, dtype, device), law, phi)


def teacher(rng, X):
    """Return the signs of a random two-layer erf network of width 5, shape (n,)."""
    W = torch.from_numpy(rng.standard_normal((TEACHER_WIDTH, X.shape[1]))).to(X)
    v = torch.from_numpy(rng.standard_normal(TEACHER_WIDTH)).to(X)
    return torch.sign(torch.erf(X @ W.T / X.shape[1] ** 0.5) @ v)


def learning_rate(p):
    """eta << d / log n where E phi(g) = 0, else eta << 1."""
    return p.d / (4 * math.log(p.n)) if p.activation in CENTRED else 0.2


def horizon(p):
    """The number of steps T = c d log(d) / eta."""
    return math.ceil(HORIZON * p.d * math.log(p.d) / learning_rate(p))
