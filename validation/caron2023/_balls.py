"""Inputs and radii on which Lemmas E.2 and E.4 are tried, and the right sides that they print."""

from __future__ import annotations

import math

import numpy as np
import torch

from whp.models.node_network import span_coordinates
from whp.models.node_scales import NodeScales, node_scales

INPUTS = ("cluster", "sphere", "short", "orthonormal", "single")
RADII = ("equal", "root", "uneven")


def inputs(rng: np.random.Generator, kind: str, n: int, d: int) -> torch.Tensor:
    """Draw n inputs as Assumption 2.1 admits them, in coordinates of their span: (n, r).

    ``sphere``: of norm one; ``short``: of norms between 1/20 and one; ``cluster``: of norm one, and near to
    each other; ``orthonormal``; ``single``: one, of norm one.
    """
    X = rng.standard_normal((1 if kind == "single" else n, d))
    if kind == "orthonormal":
        X = np.linalg.qr(X.T)[0].T
    if kind == "cluster":
        X = X[:1] / np.linalg.norm(X[0]) + 0.1 * X / math.sqrt(d)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    if kind == "short":
        X *= rng.uniform(0.05, 1.0, (len(X), 1))
    return span_coordinates(torch.from_numpy(X * (1 - 1e-12)))  # norms at most one after rounding too


def scales(m: int, gamma: float) -> NodeScales:
    """Those of (1) with Zipf weights of alpha = 1/2."""
    return node_scales(m, gamma, None if gamma == 1 else 0.5)


def radii(rng: np.random.Generator, kind: str, of: NodeScales, size: float) -> torch.Tensor:
    """Draw ``c_{m,j} > 0`` for every node, (m,).

    ``equal``: all ``size``; ``root``: in proportion to the root of the node's scale, as the proofs of the
    theorems choose them, of mean square ``size^2``; ``uneven``: over six orders of magnitude.
    """
    c = torch.ones(of.m, dtype=torch.float64)
    if kind == "root":
        c = of.values.sqrt() * math.sqrt(of.m)
    elif kind == "uneven":
        c = torch.from_numpy(10.0 ** rng.uniform(-6, 0, of.m))
    return size * c


def parts(of: NodeScales) -> dict[int, torch.Tensor]:
    """``lambda^(1)`` and ``lambda^(2)``, (m,) each."""
    return {1: torch.full((of.m,), of.first, dtype=torch.float64), 2: of.second}
