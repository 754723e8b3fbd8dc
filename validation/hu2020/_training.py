"""What the claims about training share: data and labels, the learning rate and the horizon, the checks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy
import torch

from whp.claims import Twin, bound, decay, rate, symbols
from whp.devices import as_dtype
from whp.ensembles import DataDistribution, SymmetricInit, data_distribution, symmetric_init
from whp.kernels import Activation, activation

d, n = symbols("d n")
TEACHER_WIDTH = 5
HIDDEN = sympy.log(d) ** 2
RADIUS = sympy.sqrt(d * sympy.log(d))
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


def horizon(p, c):
    """The number of steps T = c d log(d) / eta; the paper says that there is such a constant c."""
    return math.ceil(c * p.d * math.log(p.d) / learning_rate(p))


def decays(experiments, statistic, quantity):
    """The statement of a theorem: d^(-Omega(alpha)), for each of the experiments by name."""
    return [
        decay(
            name=f"decay, {name}",
            experiment=measured,
            statistic=statistic,
            quantity=quantity,
            rounding=1e-4,
            soft=HIDDEN,
            twins={"sum": Twin("the mean multiplied by n^2", statistic=f"{statistic} times n^2", soft=1)},
        )
        for name, measured in experiments.items()
    ]


def rates(experiments, statistic, quantity, bounds):
    """The exponent that a proof has, for each of the experiments by name."""
    return [
        rate(
            name=f"explicit rate, {name}",
            experiment=measured,
            statistic=statistic,
            quantity=quantity,
            bound=bounds[name],
            rounding=1e-4,
            soft=HIDDEN,
            twins={
                "exponent": Twin(
                    "better by d^(5/2), no logarithms hidden", bound=bounds[name] / d**2.5, soft=1
                )
            },
        )
        for name, measured in experiments.items()
    ]


def constant_one(experiment, statistic, quantity, printed, part):
    """An inequality that a proof prints with constant one; the false twin is `part` of it."""
    return bound(
        name=f"constant one, {statistic}",
        experiment=experiment,
        statistic=statistic,
        quantity=quantity,
        bound=printed,
        delta=0.01,
        twins={"constant": Twin(f"{part} of the printed bound", bound=sympy.Rational(part) * printed)},
    )
