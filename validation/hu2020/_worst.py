"""The weights in a ball at which a Jacobian or a tangent kernel is farthest from where it was, by ascent."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from whp.linalg import spectral_norm
from whp.models import Ascent, Ball, UnitSphere, ascend
from whp.models.jacobians import first_layer_gram, preactivations, pull_back, soft_slope, structure

from ._weights import Setting

Elementwise = Callable[[torch.Tensor], torch.Tensor]
STEPS = 12


# --- J_1 against J_1 at the start


def replaced(s: Setting, count: int, point: int = 0) -> torch.Tensor:
    """W with the first ``count`` neurons replaced by one and the same, along a data point."""
    W = s.init.W.clone()
    W[:count] = 1e-3 * s.X[point]  # only its direction counts for the steps; the nearer the cheaper
    return W


def flipped(s: Setting, points: int, radius: float) -> torch.Tensor:
    """W in which the neurons nearest to the boundary of each of ``points`` are moved across it."""
    W0 = s.init.W
    shift = torch.zeros_like(W0)
    for x in s.X[:points]:
        margins = W0 @ x / x.norm()  # (m,)
        order = margins.abs().argsort()
        cheap = order[margins[order].square().cumsum(0) <= radius**2 / points]
        shift[cheap] -= 1.01 * margins[cheap, None] * x / x.norm()
    return W0 + shift * min(1.0, radius / max(float(shift.norm()), 1e-300))


def climb_jacobian(
    s: Setting, radius: float, rng: np.random.Generator
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """(W, v) where J_1 is farthest from J_1(W(0), v(0)), in balls of three kinds, for piecewise linear phi.

    ``radius`` for W, with v held; a quarter of it, with v held; ``radius`` for both. From moves of the
    neurons nearest to the boundary of one data point and of d of them across it, and at random.
    """
    X, W0, v0 = s.X, s.init.W, s.init.v
    start = s.phi.dphi(preactivations(X, W0)) * v0  # (n, m)

    def height(slope: Elementwise) -> Callable[..., torch.Tensor]:
        def squared_norm(W: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
            D = slope(preactivations(X, W)) * v[:, None] - start
            return pull_back(X, D, u).square().sum(dim=(1, 2))

        return squared_norm

    kinds = {"ascent": (1.0, 0.0), "ascent nearer": (0.25, 0.0), "ascent in both": (1.0, 1.0)}
    radii, starts = [], []
    for share, aside in kinds.values():
        size = share * radius
        radii += [(size, aside * radius)] * 3
        random = torch.from_numpy(rng.standard_normal(W0.shape)).to(X)
        starts += [flipped(s, 1, size), flipped(s, X.shape[1], size), W0 + size * random / random.norm()]
    room = torch.tensor(radii).to(X)  # (9, 2)
    u = torch.from_numpy(rng.standard_normal((len(radii), len(X)))).to(X)
    u[::3] = 0.01
    u[::3, 0] = 1.0
    found = ascend(
        height(soft_slope(s.phi, 0.2)),
        (torch.stack(starts), v0.repeat(len(radii), 1), u),
        (Ball(W0, room[:, :1, None]), Ball(v0, room[:, 1:]), UnitSphere()),
        steps=8,
        judge=height(s.phi.dphi),
    )
    best = {kind: 3 * k + int(found.values[3 * k : 3 * k + 3].argmax()) for k, kind in enumerate(kinds)}
    return {kind: (found.points[0][k], found.points[1][k]) for kind, k in best.items()}


# --- J J~^T against the linear kernel


def form(s: Setting, slope: Elementwise, both: bool) -> Callable[..., torch.Tensor]:
    """u^T (J(W, v) J(W~, v~)^T - Theta^lin) w, for any number of starts; J is J_1 unless ``both``."""

    def pulled(W: torch.Tensor, v: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        z = preactivations(s.X, W)  # (S, n, m)
        second = (u[:, None] @ s.phi.phi(z))[:, 0] / math.sqrt(W.shape[-2]) if both else None
        return pull_back(s.X, slope(z) * v[:, None], u), second

    def value(W, W_, v, v_, u, w):  # type: ignore[no-untyped-def]
        first, second = pulled(W, v, u)
        first_, second_ = pulled(W_, v_, w)
        total = (first * first_).sum(dim=(1, 2)) - ((u @ s.Psi) * (w @ s.Psi)).sum(dim=1)
        return total if second is None else total + (second * second_).sum(dim=1)

    return value


def difference(s: Setting, W: torch.Tensor, W_: torch.Tensor, v: torch.Tensor, v_: torch.Tensor, both: bool):
    """J(W, v) J(W~, v~)^T - Theta^lin, shape (n, n)."""
    z, z_ = preactivations(s.X, W), preactivations(s.X, W_)
    D = first_layer_gram(s.X, s.phi.dphi(z) * v, s.phi.dphi(z_) * v_) - s.Psi @ s.Psi.T
    return D.addmm_(s.phi.phi(z), s.phi.phi(z_).T, alpha=1 / len(W)) if both else D


def climb(s: Setting, radius: float, both: bool, rng: np.random.Generator) -> Ascent:
    """Ascent over both weights in the ball of a radius (each layer has its own), and over u and w.

    It starts from a step to the sphere along the gradient, at u = w the top eigenvector of the
    difference at W(0), a data point, and at random, the last with W~ and w apart from W and u.
    """
    W0, v0, n = s.init.W, s.init.v, len(s.X)
    slope = s.phi.dphi if s.phi.smooth else soft_slope(s.phi, 0.2)
    vectors = torch.linalg.eigh(difference(s, W0, W0, v0, v0, both))[1]
    point = torch.eye(1, n).to(s.X)[0]
    random = torch.from_numpy(rng.standard_normal(n)).to(s.X)
    u = torch.stack((vectors[:, -1], point, random / random.norm()))  # (3, n)
    here = [x.expand(len(u), *x.shape).clone().requires_grad_() for x in (W0, v0)]
    height = form(s, slope, both)(here[0], here[0], here[1], here[1], u, u)
    g = torch.autograd.grad(height.sum(), here[0])[0]
    W = (W0 + radius * g / torch.linalg.vector_norm(g, dim=(1, 2), keepdim=True)).detach()
    v, W_, w = here[1].detach(), W.clone(), u.clone()
    # The last start has weights and vectors apart.
    W_[-1] = 2 * W0 - W[-1]
    w[-1] = torch.from_numpy(rng.standard_normal(n)).to(s.X)
    # The second layer moves only in training both: a ball of radius zero holds it otherwise.
    balls = (Ball(W0, radius), Ball(W0, radius), *[Ball(v0, radius if both else 0.0)] * 2)
    return ascend(
        form(s, slope, both),
        (W, W_, v, v, u, w),
        (*balls, UnitSphere(), UnitSphere()),
        steps=STEPS,
        judge=None if s.phi.smooth else form(s, s.phi.dphi, both),
    )


def worst_pair(s: Setting, radius: float, rng: np.random.Generator, both: bool = False) -> dict[str, float]:
    """The norm of the difference at W(0) and at the worst pair found, and what the pair looks like."""
    found = climb(s, radius, both, rng)
    W, W_, v, v_, u, _ = found.point
    W0, v0 = s.init.W, s.init.v

    def norm(D: torch.Tensor) -> float:
        return spectral_norm(D, rng, failure_probability=1e-10).high

    shift, shift_ = W - W0, W_ - W0
    shape = structure(shift, s.X)
    return {
        "worst": norm(difference(s, W, W_, v, v_, both)),
        "start": norm(difference(s, W0, W0, v0, v0, both)),
        "rank one": shape.rank_one,
        "neurons": shape.neurons,
        "data direction": shape.data_direction,
        "data point": shape.data_point,
        "alike": float((shift * shift_).sum() / (shift.norm() * shift_.norm()).clamp_min(1e-30)),
        "points": 1 / float(len(u) * u.pow(4).sum()),
    }
