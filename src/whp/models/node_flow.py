r"""Gradient flow and gradient descent of node-scaled networks, streamed over their neurons.

The flow of (3) is nearly linear in the weights of a wide network: its exponential is applied exactly, so that
a step is as long as the change of the tangent kernel allows, and all that a step needs besides three passes
over the neurons is made of n x n matrices.

Source: caron2023, Section 2 (gradient flow) and Appendix H (gradient descent).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torchdiffeq
from torch import Tensor

from whp.errors import MeasurementError, require
from whp.models.gradient_flow import phi_function
from whp.models.node_network import NodeScaled
from whp.models.node_state import NodeState, View

# A network wide enough would take one step to the end; the course between is wanted too.
_GROWTH = 2.0
_SAFETY = 0.8


@dataclass(frozen=True)
class NodeFlow:
    r"""A network along gradient flow, at the times of the steps or at those asked for.

    Attributes
    ----------
    times : Tensor, shape (k,)
        From zero, for the loss (3), :math:`\frac12 \sum_i (y_i - f(x_i))^2`.
    outputs : Tensor, shape (k, n)
    losses : Tensor, shape (k,)
        (3) at these times.
    ntg : Tensor, shape (k, n, n)
        :math:`\hat\Theta_m(X; W_t)`.
    movement_ratio : Tensor, shape (k,)
        :math:`\max_j \|w_{tj} - w_{0j}\| / \sqrt{\lambda_{m,j}}` over neurons with a scale above zero.
    movement : Tensor, shape (k,)
        :math:`\max_j \|w_{tj} - w_{0j}\|`.
    network : NodeScaled
        At the last time.
    rejected : int
        Steps that were made again, shorter (exponential method).

    Notes
    -----
    All but the network in float64, on the CPU.
    """

    times: Tensor
    outputs: Tensor
    losses: Tensor
    ntg: Tensor
    movement_ratio: Tensor
    movement: Tensor
    network: NodeScaled
    rejected: int


@dataclass(frozen=True)
class NodeDescent:
    r"""A network along gradient descent, at the steps that were recorded.

    Attributes
    ----------
    steps : Tensor, shape (k,), int64
    outputs : Tensor, shape (k, n) or (k, n, K)
    losses : Tensor, shape (k,)
        (3), summed over the outputs.
    every_loss : Tensor, shape (steps + 1,)
        (3) at every step from 0 on.
    ntg : Tensor, shape (k, n, n), or (0, n, n) where it was not asked for
    movement_ratio, movement : Tensor, shape (k,)
        As in `NodeFlow`.
    network : NodeScaled
        After the last step.
    """

    steps: Tensor
    outputs: Tensor
    losses: Tensor
    every_loss: Tensor
    ntg: Tensor
    movement_ratio: Tensor
    movement: Tensor
    network: NodeScaled


def node_flow(
    network: NodeScaled,
    B: Tensor,
    y: Tensor,
    *,
    stop: float | None = 1e-6,
    tolerance: float = 1e-2,
    method: Literal["exponential", "dopri5"] = "exponential",
    times: Sequence[float] | Tensor | None = None,
    all_steps: bool = False,
    most_steps: int = 2000,
) -> NodeFlow:
    r"""Follow gradient flow of the loss (3), :math:`\dot W = -\nabla L_m(W)`.

    Parameters
    ----------
    network : NodeScaled
        At time zero, with one output; it is left as it is.
    B : Tensor, shape (n, r)
        Inputs, in the coordinates of the network.
    y : Tensor, shape (n,)
    stop : float, optional
        Ends once the loss is at most this times the first one.
    tolerance : float
        What a step may err by in any training output, by the length of its gradient, against the root mean
        square of the first residual. The exponential method holds a step of first order to it, and takes
        one of second; dopri5 a step of fourth order, and takes one of fifth.
    method : {"exponential", "dopri5"}
        ETD2RK (Cox and Matthews, J. Comput. Phys. 176, 2002) with the tangent kernel at each step as its
        linear part, for networks of any width; or Dormand and Prince's as in ``torchdiffeq``, an independent
        explicit one, for networks of which some twenty copies of all pre-activations fit into memory.
    times : sequence of float, optional
        Where to report, increasing, above zero; time zero is reported before them. The run ends at the last.
        Without it, the steps of the method are reported.
    all_steps : bool
        Whether to report the steps between ``times`` too (exponential method).
    most_steps : int
        Steps, rejected ones included (exponential method), or reports without ``times`` (dopri5).

    Returns
    -------
    NodeFlow

    Raises
    ------
    InputError
        If an argument is wrong.
    MeasurementError
        If something is not finite, or it takes more steps.
    """
    require(network.signs.ndim == 1, "network", "of one output", tuple(network.signs.shape))
    _check(network, B, y)
    require(method in ("exponential", "dopri5"), "method", "exponential or dopri5", method)
    require(stop is None or 0 < stop < 1, "stop", "in (0, 1)", stop)
    require(stop is not None or times is not None, "stop", "given where times are not", stop)
    require(0 < tolerance < math.inf, "tolerance", "a positive number", tolerance)
    require(most_steps >= 1, "most_steps", "a positive integer", most_steps)
    wanted = None if times is None else [float(t) for t in times]
    if wanted is not None:
        rising = bool(wanted) and all(a < b for a, b in zip([0.0, *wanted], wanted, strict=False))
        require(rising and wanted[-1] < math.inf, "times", "increasing, above zero and finite", wanted)
    course = _Course(NodeState(network, B), y, stop, wanted, tolerance, all_steps)
    rejected = 0
    if method == "exponential":
        rejected = _exponential(course, most_steps)
    else:
        _dopri5(course, most_steps)
    return NodeFlow(**course.record.tensors(), network=course.state.network_now(), rejected=rejected)


class _Record:
    """What was seen, as plain numbers and tensors on the CPU."""

    def __init__(self, y: Tensor) -> None:
        self._y = y
        self._rows: list[tuple[float, Tensor, float, Tensor, float, float]] = []

    def add(self, time: float, view: View, movement: tuple[float, float]) -> float:
        """Keep a view; return its loss."""
        loss = 0.5 * float((view.outputs - self._y).square().sum())
        self._rows.append((time, view.outputs.cpu(), loss, view.ntg.cpu(), *movement))
        return loss

    def tensors(self) -> dict[str, Any]:
        """The fields of the result."""
        times, outputs, losses, ntg, ratios, moves = zip(*self._rows, strict=True)
        wide = torch.float64
        return {
            "times": torch.tensor(times, dtype=wide),
            "outputs": torch.stack(outputs),
            "losses": torch.tensor(losses, dtype=wide),
            "ntg": torch.stack(ntg),
            "movement_ratio": torch.tensor(ratios, dtype=wide),
            "movement": torch.tensor(moves, dtype=wide),
        }


class _Course:
    """Where a flow is, and when it is to be reported and to end."""

    def __init__(
        self,
        state: NodeState,
        y: Tensor,
        stop: float | None,
        wanted: list[float] | None,
        tolerance: float,
        all_steps: bool,
    ) -> None:
        self.state, self.time = state, 0.0
        self._all = all_steps or wanted is None
        self.y = y.to(state.gram)
        self._wanted = wanted
        self.record = _Record(self.y)
        self.move_to(0.0, state.view())
        self._goal = -1.0 if stop is None else stop * self.loss
        # An error of the weights, in length: times the gradient of an output, it is one of that output.
        self.scale = max(tolerance * math.sqrt(2 * self.loss / len(y)), 1e-300)

    def move_to(self, time: float, view: View) -> None:
        """Be there, and report it where no times were asked for, or this one was."""
        finite = bool(torch.isfinite(view.outputs).all() and torch.isfinite(view.ntg).all())
        require(finite, f"network at time {time:g}", "finite", "NaN or infinity", MeasurementError)
        self.time, self.view = time, view
        self.residual = view.outputs - self.y
        self.loss = 0.5 * float(self.residual.square().sum())
        if self._all or time in (0.0, *(self._wanted or ())) or self.loss <= self._goal:
            self.record.add(time, view, self.state.movement())

    @property
    def ended(self) -> bool:
        """Whether the loss is low enough, or the last time has been reached."""
        return self.loss <= self._goal or (self._wanted is not None and self.time >= self._wanted[-1])

    def until(self) -> float:
        """The next time to report at; infinity where none was asked for."""
        return math.inf if self._wanted is None else next(t for t in self._wanted if t > self.time)


def _exponential(course: _Course, most_steps: int) -> int:
    """Take steps of ETD2RK; return how many were rejected."""
    step, rejected = math.inf, 0
    for _ in range(most_steps):
        if course.ended:
            return rejected
        K, r = course.view.ntg, course.residual
        values, Q = torch.linalg.eigh(K)
        if math.isinf(step):
            step = 0.5 / max(float(values[-1]), 1e-300)
        until = course.until()
        length = min(step, until - course.time)

        def phi(order: int, values: Tensor = values, Q: Tensor = Q, length: float = length) -> Tensor:
            return (Q * phi_function(order, -length * values)) @ Q.T

        alpha = -length * (phi(1) @ r)
        ahead = course.state.ahead(alpha)
        # What the flow there has that the linear one has not: J^T c + J_a^T c_a, and J applied to it.
        c, c_a = r + K @ alpha, course.y - ahead.outputs
        beta = length * (0.5 * c - length * (phi(3) @ (K @ c + ahead.cross @ c_a)))
        gamma = 0.5 * length * c_a
        squared = beta @ K @ beta + 2 * (beta @ ahead.cross @ gamma) + gamma @ ahead.ntg @ gamma
        reach = float(K.diagonal().max()) * float(squared.clamp_min(0))
        error = math.sqrt(reach) / course.scale
        # A step that ends in NaN or infinity is taken again, shorter.
        error = error if math.isfinite(error) else math.inf
        factor = min(_GROWTH, max(1 / _GROWTH, _SAFETY / math.sqrt(max(error, 1e-12))))
        if error > 1:
            rejected, step = rejected + 1, length * min(factor, _SAFETY)
            continue
        clipped = length < step
        step = max(step, length * factor) if clipped else length * factor
        time = until if clipped else course.time + length
        course.move_to(time, course.state.advance(alpha + beta, alpha, gamma))
    require(course.ended, "steps", f"enough in {most_steps}", f"time {course.time:g}", MeasurementError)
    return rejected


def _dopri5(course: _Course, most_reports: int) -> None:
    """Integrate the displacements from report to report."""
    state = course.state
    weights = state.factor.square()
    reach = math.sqrt(float(course.view.ntg.diagonal().max())) / course.scale

    def size(change: Tensor) -> Tensor:
        """By how much a change of the displacements can change an output, over what is tolerated."""
        return (change.square().sum(0) @ weights).sqrt() * reach

    horizon = 0.5 / max(float(torch.linalg.eigvalsh(course.view.ntg)[-1]), 1e-300)
    for _ in range(most_reports):
        if course.ended:
            return
        until = course.until()
        until = until if until < math.inf else course.time + horizon
        span = torch.tensor([course.time, until], dtype=torch.float64)
        state.moved = torchdiffeq.odeint(
            lambda _, moved: state.velocity(moved, course.y),
            state.moved,
            span,
            rtol=0.0,
            atol=1.0,
            method="dopri5",
            options={"norm": size},
        )[-1]
        horizon *= _GROWTH
        course.move_to(until, state.view())
    require(course.ended, "reports", f"enough in {most_reports}", f"time {course.time:g}", MeasurementError)


def node_descent(
    network: NodeScaled,
    B: Tensor,
    y: Tensor,
    *,
    rate: float,
    steps: int,
    record: Sequence[int] | None = None,
    ntg: bool = True,
    observe: Callable[[int, NodeScaled], None] | None = None,
) -> NodeDescent:
    r"""Take steps of gradient descent on the loss (3), :math:`W_{s+1} = W_s - \eta \nabla L_m(W_s)`.

    Parameters
    ----------
    network : NodeScaled
        At step 0, with one output or several; it is left as it is.
    B : Tensor, shape (n, r)
        Inputs, in the coordinates of the network.
    y : Tensor, shape (n,) or (n, K)
    rate : float
        :math:`\eta`, positive; for the mean over n in place of the sum in (3) give ``rate / n``.
    steps : int
        How many, at least 1.
    record : sequence of int, optional
        Steps in 0..steps to report, increasing; the first and the last by default.
    ntg : bool
        Whether to report tangent Gram matrices.
    observe : callable, optional
        Called as ``observe(step, network)`` with a copy of the network at each step reported.

    Returns
    -------
    NodeDescent

    Raises
    ------
    InputError
        If an argument is wrong.
    MeasurementError
        If an output is not finite; the message names the step.

    Notes
    -----
    Source: caron2023, Appendix H.
    """
    _check(network, B, y)
    require(0 < rate < math.inf, "rate", "a positive number", rate)
    require(steps >= 1, "steps", "a positive integer", steps)
    wanted = [0, steps] if record is None else [int(s) for s in record]
    rising = bool(wanted) and all(a < b for a, b in itertools.pairwise([-1, *wanted, steps + 1]))
    require(rising, "record", f"increasing within 0..{steps}", wanted)
    state, target = NodeState(network, B), y.to(device=network.weights.device, dtype=torch.float64)
    seen, losses = _Record(target), []
    for step in range(steps + 1):
        if step in wanted:
            seen.add(step, state.view(ntg=ntg), state.movement())
            if observe is not None:
                observe(step, state.network_now())
        outputs = state.descend(target, rate if step < steps else 0.0)
        losses.append(0.5 * float((outputs - target).square().sum()))
        require(math.isfinite(losses[-1]), f"loss at step {step}", "finite", losses[-1], MeasurementError)
    fields = seen.tensors()
    return NodeDescent(
        steps=fields.pop("times").to(torch.int64),
        every_loss=torch.tensor(losses, dtype=torch.float64),
        network=state.network_now(),
        **fields,
    )


def _check(network: NodeScaled, B: Tensor, y: Tensor) -> None:
    r, K = network.weights.shape[1], network.signs.shape[1:]
    right = B.ndim == 2 and len(B) > 0 and B.shape[1] == r
    require(right, "B", f"of shape (n, {r}) with n >= 1", tuple(B.shape))
    require(bool(torch.isfinite(B).all()), "B", "finite", "NaN or infinity")
    require(y.shape == (len(B), *K), "y", f"of shape {(len(B), *K)}", tuple(y.shape))
    require(bool(torch.isfinite(y).all()), "y", "finite", "NaN or infinity")
