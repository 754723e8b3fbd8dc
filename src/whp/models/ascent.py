"""Projected gradient ascent: the worst weights in a ball, as far as a search finds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from whp.errors import MeasurementError, require

Objective = Callable[..., Tensor]


def _lengths(x: Tensor) -> Tensor:
    """Euclidean norm of each start, shaped to scale it."""
    lengths: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
    return lengths.reshape(-1, *[1] * (x.ndim - 1))


def _units(x: Tensor) -> Tensor:
    """Each start scaled to length one; zero stays zero."""
    length = _lengths(x)
    return x / torch.where(length > 0, length, 1.0)


class Domain(Protocol):
    """Where a variable may lie, and how it goes uphill there."""

    def project(self, x: Tensor, /) -> Tensor:
        """Return the nearest point of the domain, for each start."""
        ...

    def move(self, x: Tensor, gradient: Tensor, share: float, /) -> Tensor:
        """Return where to go from ``x``; ``share`` is the length of the step against the domain."""
        ...


@dataclass(frozen=True)
class Ball:
    """``|x - centre| <= radius`` in the Euclidean (for a matrix: Frobenius) norm.

    A step has length ``share * radius`` whatever the size of the gradient, and is projected.

    Attributes
    ----------
    centre : Tensor, shape (...)
        Of the shape of one start.
    radius : float or Tensor, shape (S, 1, ...)
        One for all starts, or one for each. Zero holds the variable at the centre.
    """

    centre: Tensor
    radius: float | Tensor

    def project(self, x: Tensor) -> Tensor:
        """Shrink what is outside towards the centre."""
        shift = x - self.centre
        length = _lengths(shift)
        outside = length > self.radius
        return self.centre + shift * torch.where(
            outside, self.radius / torch.where(outside, length, 1.0), 1.0
        )

    def move(self, x: Tensor, gradient: Tensor, share: float) -> Tensor:
        """Go ``share * radius`` along the gradient, then project."""
        return self.project(x + share * self.radius * _units(gradient))


@dataclass(frozen=True)
class UnitSphere:
    """``|x| = 1``, for the vectors ``u`` of ``|A| = max u^T A w``.

    The step goes to the gradient's direction. For a form that is bilinear or quadratic and positive
    semidefinite in ``x`` that is one step of the power iteration, and never goes down.
    """

    def project(self, x: Tensor) -> Tensor:
        """Scale to length one."""
        return _units(x)

    def move(self, x: Tensor, gradient: Tensor, share: float) -> Tensor:
        """Take the direction of the gradient; stay where it vanishes."""
        return torch.where(_lengths(gradient) > 0, _units(gradient), x)


@dataclass(frozen=True)
class Ascent:
    """The best points of an ascent from several starts.

    Attributes
    ----------
    values : Tensor, shape (S,)
        The largest value on the way from each start: a lower bound of the supremum.
    points : tuple of Tensor, shapes (S, ...)
        Where it was found.
    gains : Tensor, shape (S,)
        ``values`` less the values at the starts.
    """

    values: Tensor
    points: tuple[Tensor, ...]
    gains: Tensor

    @property
    def best(self) -> int:
        """Index of the start that led highest."""
        return int(self.values.argmax())

    @property
    def value(self) -> float:
        """The largest value found."""
        return float(self.values.max())

    @property
    def point(self) -> tuple[Tensor, ...]:
        """Where it was found, one tensor a variable."""
        return tuple(x[self.best] for x in self.points)


def ascend(
    objective: Objective,
    starts: Sequence[Tensor],
    domains: Sequence[Domain],
    *,
    steps: int = 50,
    shares: tuple[float, float] = (0.5, 0.02),
    judge: Objective | None = None,
) -> Ascent:
    """Climb from all starts at once, and keep the best point on each way.

    Parameters
    ----------
    objective : callable
        Takes the variables, each of shape (S, ...), and returns S values, differentiable by
        autograd; the value of a start must depend on that start alone.
    starts : sequence of Tensor, shapes (S, ...)
        The starts of each variable. They are projected first.
    domains : sequence of Domain
        One for each variable.
    steps : int
        Number of steps.
    shares : (float, float)
        Length of the first and the last step against the domain; in between it falls
        geometrically.
    judge : callable, optional
        Where ``objective`` is a smooth substitute: what is really to be maximised, in the same
        form but without a derivative. Every point on the way is judged by it, starts included,
        so that a substitute that leads astray does no harm.

    Returns
    -------
    Ascent

    Raises
    ------
    InputError
        If the arguments do not fit together.
    MeasurementError
        If a value is NaN or infinite.

    Notes
    -----
    The result is a lower bound of the supremum: a search refutes, it does not prove.
    """
    require(len(starts) == len(domains) > 0, "domains", f"one for each of {len(starts)}", len(domains))
    counts = [x.shape[0] for x in starts]
    require(min(counts) == max(counts) > 0, "starts", "equally many for each variable", counts)
    require(steps >= 0, "steps", "not negative", steps)
    require(0 < shares[1] <= shares[0], "shares", "positive and not increasing", shares)
    points = [domain.project(x.detach()) for x, domain in zip(starts, domains, strict=True)]
    best = [x.clone() for x in points]
    values = first = points[0].new_empty(0)
    for step in range(steps + 1):
        variables = [x.requires_grad_() for x in points]
        heights = objective(*variables)
        shape = tuple(heights.shape)
        require(shape == (counts[0],), "objective", f"of shape ({counts[0]},)", shape)
        gradients = torch.autograd.grad(heights.sum(), variables) if step < steps else ()
        points = [x.detach() for x in variables]
        if judge is not None:
            heights = judge(*points)
        heights = heights.detach()
        finite = bool(torch.isfinite(heights).all())
        require(finite, f"objective at step {step}", "finite", heights.tolist(), MeasurementError)
        if step == 0:
            values = first = heights
        better = heights > values
        values = torch.where(better, heights, values)
        for kept, x in zip(best, points, strict=True):
            kept[better] = x[better]
        if step < steps:
            share = shares[0] * (shares[1] / shares[0]) ** (step / max(1, steps - 1))
            points = [
                domain.move(x, gradient, share)
                for domain, x, gradient in zip(domains, points, gradients, strict=True)
            ]
    return Ascent(values, tuple(best), values - first)
