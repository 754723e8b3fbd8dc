"""Gaussian means by the trapezoidal rule.

For an integrand that is analytic in a strip around the real axis and falls off
like a Gaussian, the trapezoidal rule on the whole line converges like
exp(-2 pi w / h) in its step h, w the half-width of the strip (Trefethen and
Weideman, *The exponentially convergent trapezoidal rule*, 2014): halving the
step squares the error. So the difference between two steps is a cautious
estimate of the error at the finer one, and no table of nodes is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Function = Callable[[torch.Tensor], torch.Tensor]

FIRST_STEP = 0.5
LEVELS_1D = 9  # finest step 2^-9; 10,241 nodes
LEVELS_2D = 6  # finest step 2^-6; 1,281 nodes an axis
CUT = 10.0  # the Gaussian weight is exp(-50) there
EPS = torch.finfo(torch.float64).eps
CHUNK = 1 << 21  # elements evaluated at once


def trapezoid(level: int, cut: float = CUT) -> tuple[torch.Tensor, torch.Tensor]:
    """Return nodes and N(0, 1) weights of the trapezoidal rule with step 0.5 / 2^level, shapes (N,)."""
    step = FIRST_STEP / 2**level
    half = round(cut / step)
    nodes = torch.arange(-half, half + 1, dtype=torch.float64) * step
    return nodes, torch.exp(-0.5 * nodes**2) * (step / math.sqrt(2 * math.pi))


def gaussian_mean(f: Function, cut: float = CUT) -> tuple[torch.Tensor, float]:
    """Return E[f(g)] for g ~ N(0, 1), and an error estimate.

    Parameters
    ----------
    f : callable
        Takes the nodes, float64 of shape (N,), and returns values of shape (..., N).
    cut : float
        Where the line is cut; ``f(u) exp(-u^2/2)`` must be negligible beyond.

    Returns
    -------
    value : Tensor, shape (...)
    error : float
        The largest difference between the last two steps, plus rounding. The
        step is halved until the difference is at rounding level or 2^-9 is
        reached; then the error says how far the value is from converged.
    """
    before: torch.Tensor | None = None
    difference = math.inf
    rounding = 0.0
    for level in range(LEVELS_1D):
        nodes, weights = trapezoid(level, cut)
        values = f(nodes)
        value = values @ weights
        rounding = 16 * EPS * float((values.detach().abs() @ weights).max())
        if before is not None:
            difference = float((value - before).detach().abs().max())
        if difference <= rounding:
            break
        before = value
    return value, difference + rounding


def gaussian_mean_pair(
    f: Function, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return E[f(z1) f(z2)] for (z1, z2) ~ N(0, [[a, c], [c, b]]), and error estimates.

    With t = arccos(c / sqrt(ab)) / 2 and independent u, v ~ N(0, 1),
    z1 = sqrt(a) (u cos t + v sin t) and z2 = sqrt(b) (u cos t - v sin t): no
    division by a standard deviation, so the edges c = +-sqrt(ab) and a or
    b = 0 are points like any other.

    Parameters
    ----------
    a, b, c : Tensor, shape (M,), float64
        Variances and covariance; ``|c| <= sqrt(ab)``.

    Returns
    -------
    value, error : Tensor, shape (M,)
    """
    scale = torch.sqrt(a * b)
    cosine = torch.where(scale > 0, c / scale.clamp_min(torch.finfo(torch.float64).tiny), 0.0).clamp(-1, 1)
    angle = torch.arccos(cosine) / 2
    axes = torch.stack((torch.cos(angle), torch.sin(angle)), dim=1)  # (M, 2)
    spread = torch.sqrt(torch.maximum(a, b)).clamp_min(1.0)
    # A larger variance narrows the strip of analyticity, so it starts at a finer step.
    first = torch.log2(spread).ceil().clamp_max(LEVELS_2D - 2)
    value = torch.full_like(a, math.nan)
    error = torch.full_like(a, math.inf)
    done = torch.zeros_like(a, dtype=torch.bool)
    for level in range(LEVELS_2D):
        active = torch.nonzero(~done & (first <= level)).squeeze(1)
        nodes, weights = trapezoid(level)
        for part in torch.split(active, max(1, CHUNK // len(nodes) ** 2)):
            along = axes[part, 0, None, None] * nodes[:, None]  # (P, N, 1)
            across = axes[part, 1, None, None] * nodes[None, :]  # (P, 1, N)
            values = f(torch.sqrt(a[part])[:, None, None] * (along + across))  # (P, N, N)
            values = values * f(torch.sqrt(b[part])[:, None, None] * (along - across))
            new = values @ weights @ weights
            rounding = 16 * EPS * (values.abs() @ weights @ weights)
            difference = (new - value[part]).abs().nan_to_num(nan=math.inf)
            value[part] = new
            error[part] = difference + rounding
            done[part] = difference <= rounding
    return value, error
