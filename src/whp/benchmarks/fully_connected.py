"""Tangent kernels of infinitely wide fully-connected networks, against neural-tangents and plain torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from whp.benchmarks.harness import AtLeast, Context, Measurement, Work, alternate, times_faster
from whp.kernels import activation, fc_ntk

CASES = {("relu", 3): 10, ("relu", 10): 30, ("erf", 3): 5, ("erf", 10): 5}  # ratio wanted
TORCH = {("relu", 3): 5, ("relu", 10): 10, ("erf", 3): 4}
N, D = 2000, 192
CALLS = 3  # timed calls a round: one takes some ten milliseconds


def inputs(n: int, d: int) -> torch.Tensor:
    """Normal inputs of norm one, shape (n, d), the same as the peer's."""
    X = np.random.default_rng(0).standard_normal((n, d)).astype("f")
    return torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True))


def case(name: str, layers: int, context: Context) -> Measurement:
    """Whole kernels in float32, in turn, and the errors of ours against float64."""
    n, d = (60, 8) if context.small else (N, D)
    X, phi = inputs(n, d), activation(name)
    routes: dict[str, Callable[[], object]] = {
        "whp": lambda: fc_ntk(X, phi, layers),
        "torch": lambda: fc_ntk(X, phi, layers, method="plain"),
    }
    kernel, exact = fc_ntk(X, phi, layers), fc_ntk(X.double(), phi, layers)
    off = (kernel.double() / exact - 1).abs()
    facts = {"diagonal": float(off.diagonal().max()), "off diagonal": float(off.fill_diagonal_(0).max())}
    if peer := context.peer:

        def theirs() -> dict[str, Any]:
            return peer.call("fully_connected", "ntk", activation=name, layers=layers, n=n, d=d)

        routes["neural-tangents"] = theirs
        corner = torch.tensor(theirs()["corner"])
        facts["largest difference to neural-tangents"] = float((corner - kernel[:4, :4]).abs().max())
    seconds = alternate(routes, CALLS * context.rounds)
    figures = {f"times {other}": times_faster(seconds, other) for other in routes if other != "whp"}
    return Measurement(figures, seconds, {"n": n, "d": d}, facts)


def run(context: Context) -> Measurement:
    """Every case."""
    found = {f"{name}, L = {layers}": case(name, layers, context) for name, layers in CASES}
    return Measurement(
        {f"{key}: {name}": value for key, one in found.items() for name, value in one.figures.items()},
        {f"{key}: {side}": times for key, one in found.items() for side, times in one.seconds.items()},
        next(iter(found.values())).sizes,
        {"relative errors in float32": {key: one.facts for key, one in found.items()}},
    )


WORK = (
    Work(
        "fully_connected",
        f"tangent kernel of L wide layers, n = {N}, d = {D}, float32",
        {
            **{
                f"{name}, L = {layers}: times neural-tangents": AtLeast(w)
                for (name, layers), w in CASES.items()
            },
            **{f"{name}, L = {layers}: times torch": AtLeast(w) for (name, layers), w in TORCH.items()},
        },
        run,
    ),
)
