"""Tangent kernels of two-layer networks of finite width, and certified norms, against the usual ways.

The share of the product rate counts only the operations that are still done: half of the matrix, for half of
the neurons where those are mirrored. What it lacks to one goes into diagonal blocks (computed whole), blocks
near the diagonal (too small for the full rate), the activation, and pages touched for the first time.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from whp.benchmarks.harness import (
    AtLeast,
    AtMost,
    BenchmarkError,
    Context,
    Measurement,
    Work,
    alternate,
    fresh_process,
    times_faster,
)
from whp.kernels import activation, combined_features, combined_ntk, feature_difference
from whp.linalg import product, spectral_norm

FIRST = {"n": 4000, "d": 100, "m": 8000}
BOTH = {"n": 10_000, "d": 100, "m": 20_000}
SMALL = {"n": 90, "d": 5, "m": 60}
PRODUCT_SIDE = 4096  # of the square product whose rate is the limit
TOLERANCE = 1e-4  # float32 of both sides, kernel entries of order one
RATES = {"first": (1.0, 0.0), "both": (1.0, 1.0)}
PEER = "neural-tangents"


def inputs(n: int, d: int, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Data (n, d) and the independent half of the weights (m/2, d), the same as the peer's."""
    rng = np.random.default_rng(0)
    X, W = (torch.from_numpy(rng.standard_normal(shape).astype("f")) for shape in ((n, d), (m // 2, d)))
    return X, W


def operations(n: int, d: int, neurons: int, layers: int) -> float:
    """Floating-point operations in products: half of each Gram matrix, features, and the Hadamard factor."""
    return layers * n * (n + 1) * neurons + 2.0 * n * d * neurons + n * (n + 1) * d


def plain(X: torch.Tensor, W: torch.Tensor, name: str, rates: tuple[float, float]) -> torch.Tensor:
    """The kernel as one would write it in torch: whole products, of all neurons."""
    phi = activation(name)
    Z = X @ W.T / X.shape[1] ** 0.5  # (n, m)
    kernel = torch.zeros(len(X), len(X))
    if rates[0]:
        F = phi.dphi(Z)
        kernel += rates[0] * (F @ F.T / len(W)) * (X @ X.T / X.shape[1])
    if rates[1]:
        F = phi.phi(Z)
        kernel += rates[1] * F @ F.T / len(W)
    return kernel


def once(n: int, d: int, m: int, name: str, layers: str) -> dict[str, Any]:
    """One kernel, for the memory of a process of its own; and a corner of it."""
    X, W = inputs(n, d, m)
    return {"corner": combined_ntk(X, W, activation(name), RATES[layers])[:4, :4].tolist()}


def kernel(context: Context, layers: str) -> Measurement:
    """Kernels of a network with mirrored neurons, the sides in turn, and the product in the same rounds."""
    sizes = SMALL if context.small else FIRST if layers == "first" else BOTH
    rates, name = RATES[layers], "erf"
    phi = activation(name)
    X, W = inputs(**sizes)
    routes: dict[str, Callable[[], object]] = {"whp": lambda: combined_ntk(X, W, phi, rates)}
    ours = combined_ntk(X, W, phi, rates)[:4, :4].clone()
    if layers == "first":
        all_neurons = torch.cat((W, W))
        routes["no neurons twice"] = lambda: combined_ntk(X, all_neurons, phi, rates)
        routes["torch"] = lambda: plain(X, all_neurons, name, rates)
    facts: dict[str, object] = {"activation": name}
    figures: dict[str, float] = {}
    if peer := context.peer:

        def theirs() -> dict[str, Any]:
            return peer.call("finite_kernels", "kernel", activation=name, layers=layers, **sizes)

        routes[PEER] = theirs
        answer = theirs()
        difference = float((torch.tensor(answer["corner"]) - ours).abs().max())
        if difference > TOLERANCE:
            raise BenchmarkError(f"kernels of both sides must agree to {TOLERANCE}, got {difference:g}")
        facts |= {f"largest difference to {PEER}": difference, "memory of the peer": answer["peak_memory_gb"]}
    side = 64 if context.small else PRODUCT_SIDE
    A, out = (
        torch.from_numpy(np.random.default_rng(1).standard_normal((side, side), "f")),
        torch.empty(side, side),
    )
    B = A.flip(0).T
    routes["product"] = lambda: product(A, B, out)
    # All have compiled, and a call of the largest takes a minute: nothing is called only to warm up.
    seconds = alternate(routes, context.rounds, warm=layers == "first")
    rate = 2.0 * side**3 / min(seconds["product"])
    done = operations(sizes["n"], sizes["d"], sizes["m"] // 2, 1 if layers == "first" else 2)
    own = statistics.median(seconds["whp"])
    figures["share of the product rate"] = done / own / rate
    for other in (PEER, "torch"):
        if other in seconds:
            figures[f"times {other}"] = times_faster(seconds, other)
    if layers == "first" and context.peer:
        figures[f"times {PEER}, no neurons twice"] = times_faster(seconds, PEER, "no neurons twice")
    facts |= {"product rate, GFLOP/s": rate / 1e9, "operations, GFLOP": done / 1e9}
    if layers == "both":
        alone = fresh_process("whp.benchmarks.finite_kernels:once", **sizes, name=name, layers=layers)
        figures["peak memory"] = alone["peak_memory_gb"]
    return Measurement(figures, seconds, sizes, facts)


def norm(context: Context) -> Measurement:
    """The certified norm of Theta_1 - Theta^lin1, against numpy's by all singular values."""
    sizes = SMALL | {"n": 600} if context.small else FIRST
    X, W = inputs(**sizes)
    phi = activation("erf")
    D = feature_difference(X, W, phi, combined_features(X, phi, 1.0, (1.0, 0.0))).matrix
    bounds = spectral_norm(D, np.random.default_rng(1))
    exact = float(np.linalg.norm(D.numpy(), 2))
    if not bounds.low <= exact * (1 + TOLERANCE) or not exact * (1 - TOLERANCE) <= bounds.high:
        raise BenchmarkError(f"certified norm must contain {exact}, got {bounds.low} to {bounds.high}")
    routes: dict[str, Callable[[], object]] = {
        "whp": lambda: spectral_norm(D, np.random.default_rng(1)),
        "numpy": lambda: np.linalg.norm(D.numpy(), 2),
    }
    seconds = alternate(routes, context.rounds, warm=False)  # both have run above
    # Every product with the four starts reads the matrix once.
    reads = bounds.matvecs / 4 * D.numel() * D.element_size() / statistics.median(seconds["whp"])
    facts = {
        "bounds": [bounds.low, bounds.high],
        "numpy": exact,
        "failure probability": bounds.failure_probability,
        "products with a vector": bounds.matvecs,
        "matrix read, GB/s": reads / 1e9,
    }
    return Measurement(
        {"times numpy.linalg.norm(A, 2)": times_faster(seconds, "numpy")}, seconds, sizes, facts
    )


WORK = (
    Work(
        "first_layer_kernel",
        "first-layer kernel at finite width, n = 4000, d = 100, m = 8000, float32",
        {
            f"times {PEER}": AtLeast(3.5),
            "share of the product rate": AtLeast(0.6),
            f"times {PEER}, no neurons twice": AtLeast(1.8),
        },
        partial(kernel, layers="first"),
    ),
    Work(
        "both_layers_kernel",
        "kernel of both layers at finite width, n = 10^4, d = 100, m = 2 x 10^4, float32",
        {
            f"times {PEER}": AtLeast(4),
            "share of the product rate": AtLeast(0.8),
            "peak memory": AtMost(2.5, "GB"),
        },
        partial(kernel, layers="both"),
    ),
    Work(
        "certified_norm",
        "certified spectral norm of a 4000 x 4000 difference of kernels, float32",
        {"times numpy.linalg.norm(A, 2)": AtLeast(10)},
        norm,
    ),
)
