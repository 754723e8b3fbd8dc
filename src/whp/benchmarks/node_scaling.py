"""Node-scaled networks: flows at the widths of Theorem 4.1, and steps of training against autograd."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch

from whp.benchmarks.harness import (
    AtLeast,
    AtMost,
    Context,
    Measurement,
    Work,
    alternate,
    fresh_process,
    times_faster,
    use_threads,
)
from whp.kernels import activation
from whp.models.node_flow import node_descent, node_flow
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

WIDTH = 20_000_000
N, D, M, STEPS = 100, 50, 2000, 200
BY_HAND = {
    "swish": lambda z: z * torch.sigmoid(z),
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": torch.nn.functional.softplus,
}


def wide(m: int) -> dict[str, float]:
    """One initialisation, n = d = 2, orthonormal inputs, |y| <= 0.1, to a loss of 1e-6 of its start."""
    B, y = torch.eye(2, dtype=torch.float64), torch.tensor([0.1, -0.1], dtype=torch.float64)
    start = time.perf_counter()
    network = NodeScaled.draw(
        np.random.default_rng(0), B, 2, node_scales(m, 0.9, 0.5), activation("tanh"), torch.float32
    )
    flow = node_flow(network, B, y, stop=1e-6)
    return {
        "seconds": time.perf_counter() - start,
        "loss_ratio": float(flow.losses[-1] / flow.losses[0]),
        "steps": len(flow.times) - 1,
    }


def flow(context: Context) -> Measurement:
    """A flow at a great width in a process of its own, and the errors of its outputs at its tolerances."""
    m = 1000 if context.small else WIDTH
    found = fresh_process(f"{__name__}:wide", m=m)
    figures = {"peak memory": found["peak_memory_gb"], "loss, of its start": found["loss_ratio"]}
    facts = {"steps": found["steps"], "errors of outputs": errors(context.small)}
    return Measurement(figures, {"whp": [found["seconds"]]}, {"m": m, "n": 2, "d": 2}, facts)


def errors(small: bool) -> dict[str, float]:
    """Errors of the outputs at m = 2000, n = d = 4, at each tolerance, against dopri5 at 1e-8."""
    rng = np.random.default_rng(0)
    X = torch.from_numpy(rng.standard_normal((4, 4)))
    X = X / X.norm(dim=1, keepdim=True)
    y = torch.from_numpy(rng.uniform(-1, 1, 4))
    times, found = [0.1] if small else [1.0, 5.0, 25.0, 100.0], {}
    for name in ("tanh",) if small else ("tanh", "swish"):
        network = NodeScaled.draw(rng, X, 4, node_scales(50 if small else 2000, 0.5, 0.5), activation(name))
        exact = node_flow(network, X, y, times=times, tolerance=1e-8, method="dopri5").outputs
        for tolerance in (1e-1, 1e-2, 1e-3):
            outputs = node_flow(network, X, y, times=times, tolerance=tolerance).outputs
            found[f"{name}, tolerance {tolerance:g}"] = float((outputs - exact).abs().max())
    return found


def by_autograd(
    network: NodeScaled,
    X: torch.Tensor,
    y: torch.Tensor,
    phi: Callable[[torch.Tensor], torch.Tensor],
    rate: float,
    steps: int,
) -> torch.Tensor:
    """The loop that one would write: loss, backward, step."""
    W = network.weights.clone(memory_format=torch.contiguous_format).requires_grad_()
    readout = network.scales.values.sqrt().to(W.dtype) * network.signs
    optimiser = torch.optim.SGD([W], lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        f = phi(X @ W.T / math.sqrt(X.shape[1])) @ readout
        (0.5 * (y - f).square().sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return W.detach()


def trainings(name: str, context: Context) -> Measurement:
    """Whole trainings in turn, on one thread as in a worker, and how far apart the weights end."""
    n, d, m, steps = (5, 3, 20, 4) if context.small else (N, D, M, STEPS)
    rng, rate = np.random.default_rng(0), 0.5 / n
    X = torch.from_numpy(rng.standard_normal((n, d), dtype="f"))
    X = X / X.norm(dim=1, keepdim=True)
    y = torch.from_numpy(rng.uniform(-1, 1, n).astype("f"))
    network = NodeScaled.draw(rng, X, d, node_scales(m, 0.5, 0.5), activation(name), torch.float32)
    ends: dict[str, torch.Tensor] = {}

    def autograd() -> None:
        ends["autograd"] = by_autograd(network, X, y, BY_HAND[name], rate, steps)

    def whp() -> None:
        ends["whp"] = node_descent(network, X, y, rate=rate, steps=steps, ntg=False).network.weights

    with use_threads(1):
        seconds = alternate({"whp": whp, "autograd": autograd}, context.rounds)
    figures = {
        "times autograd": times_faster(seconds, "autograd"),
        "largest difference of weights": float((ends["whp"] - ends["autograd"]).abs().max()),
    }
    return Measurement(figures, seconds, {"n": n, "d": d, "m": m, "steps": steps, "threads": 1})


def descent(context: Context) -> Measurement:
    """Every activation."""
    found = {name: trainings(name, context) for name in BY_HAND}
    return Measurement(
        {f"{key}: {name}": value for key, one in found.items() for name, value in one.figures.items()},
        {f"{key}: {side}": times for key, one in found.items() for side, times in one.seconds.items()},
        found["swish"].sizes,
    )


WORK = (
    Work(
        "node_flow",
        f"gradient flow of a node-scaled network, m = {WIDTH}, n = d = 2, whole process",
        {"peak memory": AtMost(2, "GB"), "loss, of its start": AtMost(1e-6)},
        flow,
    ),
    Work(
        "node_descent",
        f"steps of node-scaled networks, n = {N}, d = {D}, m = {M}, float32, one thread",
        {"swish: times autograd": AtLeast(2), "swish: largest difference of weights": AtMost(1e-3)},
        descent,
    ),
)
