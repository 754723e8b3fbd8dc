"""Training of many two-layer networks, against a jitted loop in jax, autograd, and other ways to batch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whp.benchmarks.harness import AtLeast, AtMost, Context, Measurement, Work, alternate, times_faster
from whp.ensembles import symmetric_init
from whp.kernels import Activation, activation, linear_features, nu
from whp.linalg.products import product_rate
from whp.models import TwoLayer, compare_with_linear, sweep, train_two_layer
from whp.seeding import generator

TRIALS, N, D, M, STEPS, ETA = 8, 2000, 50, 256, 40, 1.0
TORCH = {"erf": 2.0, "relu": 1.5}
WAYS = ("vmap", "threads", "loop")
# All sides agree to this after all steps, entry by entry of the first layer, whose entries are of order 1.
TOLERANCE = 2e-4

Trial = tuple[Tensor, Tensor, Tensor, Tensor]


def draw(trial: int, n: int, d: int, m: int) -> Trial:
    """Normal inputs (n, d), signs of their first coordinate, and symmetric weights (m, d) and (m,)."""
    rng = generator(0, "benchmark", trial)
    X = torch.from_numpy(rng.standard_normal((n, d), dtype="float32"))
    init = symmetric_init(rng, m, d, torch.float32)
    return X, torch.sign(X[:, 0]), init.W, init.v


def by_autograd(trial: Trial, phi: Activation, steps: int) -> tuple[Tensor, Tensor]:
    """The loop that one would write: loss, backward, step."""
    X, y, W, v = trial
    W, v = W.clone().requires_grad_(), v.clone().requires_grad_()
    optimiser = torch.optim.SGD([W, v], lr=ETA)
    for _ in range(steps):
        optimiser.zero_grad()
        f = phi.phi(X @ W.T / X.shape[1] ** 0.5) @ v / len(v) ** 0.5
        (0.5 * (f - y).square().mean()).backward()
        optimiser.step()
    return W.detach(), v.detach()


def batched(trials: list[Trial], phi: Activation, steps: int) -> Tensor:
    """All trials in one batched product; the first layers (s, m, d) after it."""
    X, y, W, v = (torch.stack(part) for part in zip(*trials, strict=True))
    (_, n, d), m = X.shape, v.shape[1]
    X, W = X / d**0.5, W.transpose(1, 2).contiguous()  # (s, n, d), (s, d, m)
    for _ in range(steps):
        z = torch.bmm(X, W)  # (s, n, m)
        features = phi.phi(z)
        error = torch.bmm(features, v[:, :, None])[:, :, 0] / m**0.5 - y  # (s, n)
        by_W = torch.bmm((X * error[:, :, None]).transpose(1, 2), phi.dphi(z)) * (v[:, None] / (n * m**0.5))
        v = v - ETA / (n * m**0.5) * torch.bmm(features.transpose(1, 2), error[:, :, None])[:, :, 0]
        W = W - ETA * by_W
    return W.transpose(1, 2)


def case(name: str, context: Context, rate: float) -> Measurement:
    """Both layers of all networks, in float32."""
    sizes = (2, 40, 6, 16, 3) if context.small else (TRIALS, N, D, M, STEPS)
    count, n, d, m, steps = sizes
    trials, phi = [draw(trial, n, d, m) for trial in range(count)], activation(name)

    def train(trial: Trial) -> TwoLayer:
        return train_two_layer(*trial, phi, ETA, ETA, steps)

    def compare(trial: Trial) -> object:
        X, y, W, v = trial
        Psi = linear_features(X, phi.moments.zeta, nu(phi, 1.0))
        return compare_with_linear(X, y, W, v, phi, ETA, steps, Psi, rates=(ETA, ETA))

    routes: dict[str, Callable[[], Any]] = {
        "whp": lambda: sweep(train, trials, context.threads),
        "whp, one after another": lambda: [train(trial) for trial in trials],
        "whp, discrepancies too": lambda: sweep(compare, trials, context.threads),
        "torch": lambda: [by_autograd(trial, phi, steps) for trial in trials],
        "torch, batched": lambda: batched(trials, phi, steps),
    }
    facts: dict[str, object] = {}
    ours = routes["whp"]()
    W = torch.stack([network.W for network in ours])
    others = {"torch": routes["torch"]()[0][0], "torch, batched": routes["torch, batched"]()}
    facts["largest difference to"] = differences = {
        "torch": float((W[0] - others["torch"]).abs().max()),
        "torch, batched": float((W - others["torch, batched"]).abs().max()),
    }
    with tempfile.TemporaryDirectory() as folder:
        if peer := context.peer:
            path = Path(folder, "trials.npz")
            X, y, W_0, v = (torch.stack(part).numpy() for part in zip(*trials, strict=True))
            np.savez(path, X=X, y=y, W=W_0, v=v)

            def theirs(way: str) -> dict[str, Any]:
                how = {"activation": name, "way": way, "steps": steps, "eta": ETA, "path": str(path)}
                return peer.call("training", "descent", **how)

            for way in WAYS:
                differences[f"jax, {way}"] = float(
                    (torch.tensor(theirs(way)["W"]) - W[0, :4, :4]).abs().max()
                )
                routes[f"jax, {way}"] = partial(theirs, way)
        seconds = alternate(routes, context.rounds)
    ratios = {side: times_faster(seconds, side) for side in routes if side != "whp"}
    taken = sorted(seconds["whp"])[len(seconds["whp"]) // 2]
    figures = {
        "times autograd": ratios["torch"],
        "times batched": ratios["torch, batched"],
        "times one after another": ratios["whp, one after another"],
        "discrepancies too, times as long": ratios["whp, discrepancies too"],
        "share of product rate": 4.0 * count * steps * n * d * m / taken / rate,
        "largest difference": max(differences.values()),
    }
    if context.peer:
        figures["times jax of neural-tangents"] = min(ratios[f"jax, {way}"] for way in WAYS)
    return Measurement(
        figures, seconds, dict(zip(("trials", "n", "d", "m", "steps"), sizes, strict=True)), facts
    )


def run(context: Context) -> Measurement:
    """Both activations."""
    rate = product_rate(threads=context.threads, size=64 if context.small else 4096)
    found = {name: case(name, context, rate) for name in TORCH}
    return Measurement(
        {f"{name}: {key}": value for name, one in found.items() for key, value in one.figures.items()},
        {f"{name}: {side}": times for name, one in found.items() for side, times in one.seconds.items()},
        found["erf"].sizes,
        {"product rate": rate, **{name: one.facts for name, one in found.items()}},
    )


WORK = (
    Work(
        "training",
        f"descent of {TRIALS} networks, both layers, n = {N}, d = {D}, m = {M}, {STEPS} steps, float32",
        {
            **{f"{name}: times jax of neural-tangents": AtLeast(1.5) for name in TORCH},
            **{f"{name}: times autograd": AtLeast(wanted) for name, wanted in TORCH.items()},
            **{f"{name}: times batched": AtLeast(1.0) for name in TORCH},
            **{f"{name}: largest difference": AtMost(TOLERANCE) for name in TORCH},
        },
        run,
    ),
)
