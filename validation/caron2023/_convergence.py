r"""What the claims about global convergence share: settings in which the printed width is reached.

A setting is a fixed data set, an activation, a node scaling, C and delta. The assumptions are checked and
kappa_n, C_1 and M computed by `whp.kernels.global_convergence`; the width is the printed threshold. The
probability is over the initialisation alone, so a trial is one network, trained to a millionth of its first
loss; what it does between the times it is looked at, and later, is bounded (:func:`throughout`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from whp.bounds import GlobalConvergence, ReluGlobalConvergence
from whp.claims import Design, Path
from whp.devices import as_dtype
from whp.errors import MeasurementError, require
from whp.kernels import Activation, activation, global_convergence
from whp.models.node_flow import NodeFlow, node_flow
from whp.models.node_network import NodeScaled, span_coordinates
from whp.models.node_scales import NodeScales, node_scales

PARTS = ("a", "b", "c", "d")
STOP = 1e-6
"""Trained to this share of the first loss."""

TANH = activation("tanh")
CENTRED_SOFTPLUS = activation("centred_softplus")
SOFTPLUS = activation("softplus")
RELU = activation("relu")


def flat(z: Tensor) -> Tensor:
    return 4 * torch.tanh(z / 4)


def flat_d(z: Tensor) -> Tensor:
    return 1 - torch.tanh(z / 4) ** 2


def flat_dd(z: Tensor) -> Tensor:
    t = torch.tanh(z / 4)
    return -0.5 * (t * (1 - t**2))


FLAT_TANH = Activation("4 tanh(z/4)", r"4 \tanh(z/4)", flat, flat_d, flat_dd, smooth=True, sup_dphi=1.0)
"""Nearly linear where a network starts: M is a quarter of that of tanh."""

SINE = Activation("sin", r"\sin", torch.sin, torch.cos, lambda z: -torch.sin(z), smooth=True, sup_dphi=1.0)

TIMES = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
"""Where a flow is looked at, in units of 1/kappa_n; a network at the printed width needs fewer steps."""

TOLERANCE = 1e-3
"""Of the integrator, for networks far below the printed width."""

NAMES = ("n", "sigma", "gamma", "alpha", "inputs")
ACTIVATIONS = {sigma.name: sigma for sigma in (TANH, CENTRED_SOFTPLUS, SOFTPLUS, FLAT_TANH, SINE, RELU)}


@dataclass(frozen=True)
class Setting:
    """One cell, by names and numbers."""

    activation: str
    n: int
    d: int
    gamma: float
    alpha: float
    inputs: str
    C: float
    delta: float

    @classmethod
    def at(cls, p, C: float, delta: float) -> Setting:
        """The setting at a point."""
        return cls(p.sigma, p.n, p.d, p.gamma, p.alpha, p.inputs, C, delta)

    def data(self) -> tuple[Tensor, Tensor]:
        """Inputs (n, d) and targets (n,), float64.

        Orthonormal inputs; tilted ones, with cosines of 0.2 and norms 1 and 0.95 by turns; or uniform ones
        on the sphere, drawn once. The targets are C and -C by turns, for the last kind uniform in [-C, C].
        """
        n, d, wide = self.n, self.d, torch.float64
        turns = 1 - 2 * (torch.arange(n) % 2).to(wide)
        if self.inputs == "sphere":
            rng = np.random.default_rng(0)
            X = torch.from_numpy(rng.standard_normal((n, d)))
            return X / X.norm(dim=1, keepdim=True), torch.from_numpy(rng.uniform(-self.C, self.C, n))
        X = torch.eye(n, d, dtype=wide)
        if self.inputs == "tilted":
            cosines = torch.full((n, n), 0.2, dtype=wide).fill_diagonal_(1.0)
            X[:, :n] = torch.linalg.cholesky(cosines) * (0.975 + 0.025 * turns)[:, None]
        return X, self.C * turns


@dataclass(frozen=True)
class Cell:
    """A setting with all that does not vary between trials."""

    theorem: GlobalConvergence | ReluGlobalConvergence
    B: Tensor
    y: Tensor
    scales: NodeScales
    sigma: Activation

    def draw(self, rng, p, device) -> NodeScaled:
        """A network at initialisation."""
        kind = as_dtype(p.dtype)
        return NodeScaled.draw(rng, self.B, self.theorem.d, self.scales, self.sigma, kind, device=device)


@lru_cache
def met(setting: Setting) -> Cell:
    """Check the assumptions by computation, and take the printed width."""
    return made(setting, None)


@lru_cache
def narrow(setting: Setting, width: int) -> Cell:
    """The same with another width, for which the theorem says nothing."""
    return made(setting, width)


def made(setting: Setting, width: int | None) -> Cell:
    X, y = setting.data()
    B, sigma = span_coordinates(X), ACTIVATIONS[setting.activation]
    theorem = global_convergence(X, y, sigma, gamma=setting.gamma, delta=setting.delta, C=setting.C)
    m = theorem.held_width(B.shape[1]) if width is None else width
    return Cell(theorem, B, y, zipf(m, setting.gamma, setting.alpha), sigma)


def zipf(m: int, gamma: float, alpha: float) -> NodeScales:
    """Zipf's scales; for alpha = 0 their limit lambda~ = (1, 0, 0, ...), the extreme that is admitted."""
    return node_scales(m, gamma, tilde=[1.0]) if alpha == 0 else node_scales(m, gamma, alpha)


class Smooth(Protocol):
    """What the bounds between and after the reported times need: a theorem has it, as have `Assumptions`."""

    n: int
    d: int
    M: float


@dataclass(frozen=True)
class Extremes:
    r"""What a flow does at worst.

    Attributes
    ----------
    least : float
        The smallest eigenvalue of the NTG matrix.
    rate : float
        The least of log(L_0 / L_t) / t over t > 0.
    moved : float
        The largest of ||w_tj - w_0j|| / sqrt(lambda_j), over nodes too.
    changed : float
        The largest change of the NTG matrix since the start, in spectral norm.
    """

    least: float
    rate: float
    moved: float
    changed: float


def seen(flow: NodeFlow) -> Extremes:
    """Return the extremes over the reported times alone."""
    return Extremes(
        least=float(torch.linalg.eigvalsh(flow.ntg)[:, 0].min()),
        rate=float((torch.log(flow.losses[0] / flow.losses[1:]) / flow.times[1:]).min()),
        moved=float(flow.movement_ratio.max()),
        changed=float(torch.linalg.matrix_norm(flow.ntg - flow.ntg[0], 2).max()),
    )


def throughout(flow: NodeFlow, at: Smooth, scales: NodeScales) -> Extremes:
    r"""Bound the extremes over all t >= 0, from below (least, rate) or above (moved, changed).

    Parameters
    ----------
    flow : NodeFlow
        At its reported times t_0 = 0 < ... < t_K.
    at : Smooth
        n, d and the bound M of the second derivative; that of the first is one.
    scales : NodeScales

    Raises
    ------
    MeasurementError
        If the last reported time is too early to bound what comes later (:func:`change_ahead`).

    Notes
    -----
    The residual does not rise along the flow, so that by Lemma H.2 a node moves between t_k and t_{k+1} by at
    most sqrt(n lambda_j / d) |r_k| (t_{k+1} - t_k) / 2 from where it is at the nearer of the two, and the
    NTG matrix and its eigenvalues change by :func:`ntg_change` of that. With e_k the least eigenvalue in
    between, L_t <= L_k exp(-2 e_k (t - t_k)) there, and so log(L_0 / L_t) / t is at least the lesser of
    2 e_k and its value at t_k; and also at least log(L_0 / L_k) / t_{k+1}. For later times see :func:`after`.
    """
    at_times, eigenvalues = seen(flow), torch.linalg.eigvalsh(flow.ntg)[:, 0]
    lengths = flow.times[1:] - flow.times[:-1]
    moved = math.sqrt(at.n / at.d) * (2 * flow.losses[:-1]).sqrt() * lengths / 2
    changed = moved * ntg_change(at, scales, 1.0)
    between = torch.minimum(eigenvalues[:-1], eigenvalues[1:]) - changed
    gained = torch.log(flow.losses[0] / flow.losses[:-1])
    own = torch.cat((torch.full((1,), torch.inf), gained[1:] / flow.times[1:-1]))  # at t_k; none at zero
    rates = torch.maximum(torch.minimum(own, 2 * between), gained / flow.times[1:])
    moved_later, changed_later = after(flow, at, scales)
    least_later = float(eigenvalues[-1]) - changed_later
    changes = torch.linalg.matrix_norm(flow.ntg - flow.ntg[0], 2)
    ratios = flow.movement_ratio
    return Extremes(
        least=min(float(between.min()), least_later),
        rate=min(at_times.rate, float(rates.min()), 2 * least_later),
        moved=max(
            float((torch.maximum(ratios[:-1], ratios[1:]) + moved).max()), float(ratios[-1]) + moved_later
        ),
        changed=max(
            float((torch.maximum(changes[:-1], changes[1:]) + changed).max()),
            float(changes[-1]) + changed_later,
        ),
    )


def after(flow: NodeFlow, at: Smooth, scales: NodeScales) -> tuple[float, float]:
    r"""Bound what is still to come at the last time, for all later ones.

    Returns
    -------
    (float, float)
        The movement over sqrt(lambda_j), and the change of the NTG matrix in spectral norm.

    Notes
    -----
    While the smallest eigenvalue is at least half of the last one, e/2, the residual r falls at least like
    exp(-et/2), and a node moves by at most sqrt(n lambda_j / d) |r| 2/e more.
    """
    e = float(torch.linalg.eigvalsh(flow.ntg[-1])[0])
    left = math.sqrt(2 * float(flow.losses[-1]))
    require(e > 0, "last eigenvalue", "above zero", e, MeasurementError)
    moved = math.sqrt(at.n / at.d) * left * 2 / e
    return moved, change_ahead(at, scales, moved, e)


def change_ahead(at: Smooth, scales: NodeScales, moved: float, e: float) -> float:
    r"""Bound the change of the NTG matrix while nodes move by at most `moved` times sqrt(lambda_j).

    Where this is at most e/2, e the smallest eigenvalue at time T, that stays above e/2, for ever.
    """
    changed = ntg_change(at, scales, moved)
    require(changed <= e / 2, "change of the NTG after training", "at most half of its least eigenvalue",
            [changed, e], MeasurementError)  # fmt: skip
    return changed


def ntg_change(at: Smooth, scales: NodeScales, moved: float) -> float:
    r"""Bound the spectral norm of a change of the NTG matrix, nodes moving by `moved` times sqrt(lambda_j).

    An entry changes by at most 2 M / d^(3/2) sum_j lambda_j |w_j - w'_j|, the norm by n times that.
    """
    return 2 * at.n * at.M / at.d**1.5 * moved * scales.power_sum(1.5)


def sides(
    worst: Extremes,
    at: GlobalConvergence | ReluGlobalConvergence,
    scales: NodeScales,
    power: float = 2,
) -> dict[str, float]:
    """Left over right side of (a) to (d), and of their false twins; `power` is that of the scales in (d)."""
    least, rate = worst.least, worst.rate
    largest = float(scales.block(0, 1))  # the scales do not increase
    share = worst.moved / float(at.movement(1.0))
    found = {
        "a": over(at.eigenvalue, least),
        "b": over(at.gamma * at.kappa / 2, rate),
        "c": share,
        "d": worst.changed / at.ntg_change(scales.power_sum(power)),
    }
    return {
        "width": float(scales.m),
        **found,
        "joint": max(found.values()),
        "a, whole": over(1.1 * at.kappa, least),
        "a, root": over(at.gamma * math.sqrt(at.kappa) / 4, least),
        "b, whole": over(2.2 * at.kappa, rate),
        "b, root": over(at.gamma * math.sqrt(at.kappa) / 2, rate),
        "c, power": share / largest,  # at least this for the node that the maximum is at
        "d, power": worst.changed / at.ntg_change(scales.power_sum(3 * power)),
    }


def observed(flow: NodeFlow, where: Cell, power: float = 2) -> dict[str, float]:
    """Left over right side at the reported times alone, which false twins must be refuted by."""
    found = sides(seen(flow), where.theorem, where.scales, power)
    return {
        **found,
        **{f"{part}, seen": found[part] for part in PARTS},
        **{f"{part}, slack": 1 / found[part] for part in PARTS},
        "joint, whole": max(found["a, whole"], *(found[part] for part in "bcd")),
        "joint, seen": found["joint"],
        "joint, slack": 1 / found["joint"],
    }


def train(p, rng, device, where: Cell) -> dict[str, float]:
    """Train a network at the printed width; all times count in (a) to (d), the reported ones in twins."""
    times = [t / where.theorem.kappa for t in TIMES]
    flow = node_flow(where.draw(rng, p, device), where.B, where.y, stop=STOP, times=times)
    always = sides(throughout(flow, where.theorem, where.scales), where.theorem, where.scales)
    return observed(flow, where) | {part: always[part] for part in (*PARTS, "joint")}


def design(path: Path, trials: tuple[int, int], *rows: tuple) -> Design:
    """A design with these cells, each (n, sigma, gamma, alpha, inputs)."""
    columns = zip(*rows, strict=True)
    variables = {name: list(dict.fromkeys(column)) for name, column in zip(NAMES, columns, strict=True)}
    return Design(path, variables, trials, only=lambda values: tuple(values[name] for name in NAMES) in rows)


def over(bound: float, value: float) -> float:
    """A lower bound over what must be above it; very large where that is not above zero."""
    return bound / max(value, 1e-12 * bound)
