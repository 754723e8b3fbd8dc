"""Norms of kernel differences that are never formed: n = 10^5, where the matrix would take 40 GB.

The peer cannot do this: it is compared with the norm of the matrix where that fits, and with the rate of
products on the flops that are counted in :mod:`whp.kernels.matrix_free`.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import Any

import torch

from whp.benchmarks.harness import AtMost, Context, Measurement, Work, alternate, fresh_process
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import (
    Activation,
    ExpectedOperator,
    LinearOperator,
    TangentOperator,
    activation,
    first_layer_ntk,
    linear_kernel,
)
from whp.linalg import NormBounds, SymmetricOperator, extreme_eigenvalues, product_rate, spectral_norm
from whp.seeding import generator

LARGE = {"n": 100_000, "m": 10_000, "d": 50}
DENSE = {"n": 10_000, "m": 10_000, "d": 50}
TINY = {"n": 600, "m": 40, "d": 8}
# Products of tens of seconds each.
SLOW = ("Theta_1, features made again", "Theta_1^*", "Theta^*")
VECTORS = 4  # those of the four starts of Lanczos
ACTIVATION = "erf"


def drawn(sizes: dict[str, int], device: str) -> tuple[torch.Tensor, torch.Tensor, Activation]:
    """Gaussian data, the independent half of a symmetric initialisation, and erf."""
    rng = generator(0, "whp.benchmarks.matrix_free", sizes["n"])
    X = data_distribution("gaussian").sample(rng, sizes["n"], sizes["d"], torch.float32, device)
    W = symmetric_init(rng, sizes["m"], sizes["d"], torch.float32, device).W_half
    return X, W, activation(ACTIVATION)


def first_layer(sizes: dict[str, int], device: str) -> SymmetricOperator:
    """Theta_1 - Theta^lin1."""
    X, W, act = drawn(sizes, device)
    return TangentOperator(X, W, act) - LinearOperator(X, act, 1.0)


def flops(sizes: dict[str, int], products: float, vectors: int, *, kept: bool) -> float:
    """Flops of products of Theta_1 with so many vectors each; X W^T once or in every product."""
    one = sizes["n"] * (sizes["m"] // 2) * sizes["d"]
    return one * (products * 4 * vectors + 2 * (1 if kept else products))


def certify(sizes: dict[str, int], threads: int, device: str) -> dict[str, Any]:
    """Certify both ends of the spectrum of Theta_1 - Theta^lin1; run in a process of its own."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    operator = first_layer(sizes, device)
    ends = extreme_eigenvalues(operator, generator(0, "whp.benchmarks.matrix_free", "starts"))
    seconds = time.perf_counter() - start
    low = max(ends.largest.low, -ends.smallest.high)
    high = max(ends.largest.high, -ends.smallest.low)
    return {
        "seconds": seconds,
        "matvecs": ends.matvecs,
        "norm": [low, high],
        "smallest": [ends.smallest.low, ends.smallest.high],
        "largest": [ends.largest.low, ends.largest.high],
        "failure probability": ends.failure_probability,
    }


def run_large(context: Context) -> Measurement:
    """The whole certificate at n = 10^5."""
    sizes = TINY if context.small else LARGE
    found = fresh_process(
        "whp.benchmarks.matrix_free:certify", sizes=sizes, threads=context.threads, device=context.device
    )
    rate = product_rate(threads=context.threads, device=context.device, size=64 if context.small else 4096)
    seconds, matvecs, (low, high) = found["seconds"], found["matvecs"], found["norm"]
    share = flops(sizes, matvecs / VECTORS, VECTORS, kept=True) / seconds / rate
    figures = {
        "peak memory": found["peak_memory_gb"],
        "width of the interval": (high - low) / low,
        "share of the product rate": share,
        "seconds": seconds,
        "seconds of a step": seconds / (matvecs / VECTORS),
    }
    facts = {
        **{key: found[key] for key in ("norm", "smallest", "largest", "matvecs", "failure probability")},
        "product rate": rate,
        "matrix_gb": 4e-9 * sizes["n"] ** 2,
        "bound": (
            "4 n m d flops a vector in products with 200 columns, which alone run at about 85 % of the rate;"
            " the rest is reading the features twice, and orthogonalising the basis in float64"
        ),
    }
    return Measurement(figures, {"whp": [seconds]}, sizes, facts)


def run_agreement(context: Context, sizes: dict[str, int] = DENSE) -> Measurement:
    """The certified norm of Theta_1 - Theta^lin1 by its products and as a matrix, from the same starts.

    Each interval has its own allowance for rounding. That their midpoints agree says nothing unless they
    are as narrow, so widths are figures, too.
    """
    sizes = TINY if context.small else sizes
    X, W, act = drawn(sizes, context.device)
    norms: dict[str, NormBounds] = {}
    seconds = {}
    for name in ("by products", "of the matrix"):
        start = time.perf_counter()
        if name == "by products":
            A: Any = TangentOperator(X, W, act) - LinearOperator(X, act, 1.0)
        else:
            A = first_layer_ntk(X, W, act).sub_(linear_kernel(X, act, 1.0))
        rng = generator(0, "whp.benchmarks.matrix_free", "starts")
        norms[name] = spectral_norm(A, rng, rtol=1e-5, exact_below=0)
        seconds[name] = [time.perf_counter() - start]
        del A
    one, other = norms["by products"], norms["of the matrix"]
    figures = {
        "relative difference": abs((one.low + one.high) / (other.low + other.high) - 1),
        "gap between the intervals": max(0.0, one.low - other.high, other.low - one.high),
        "width by products": one.relative_width,
        "width of the matrix": other.relative_width,
    }
    intervals = {name: [bounds.low, bounds.high] for name, bounds in norms.items()}
    return Measurement(figures, seconds, sizes, {"norms": intervals})


def run_products(context: Context) -> Measurement:
    """One product with four vectors, of each operator."""
    sizes = TINY if context.small else LARGE
    X, W, act = drawn(sizes, context.device)
    V = torch.ones(sizes["n"], VECTORS, device=X.device)
    operators = {
        "Theta_1": TangentOperator(X, W, act),
        "Theta_1, features made again": TangentOperator(X, W, act, keep=0),
        "Theta^lin": LinearOperator(X, act, 1.0, (1.0, 1.0)),
        "Theta_1^*": ExpectedOperator(X, act),
        "Theta^*": ExpectedOperator(X, act, (1.0, 1.0)),
    }
    seconds: dict[str, list[float]] = {}
    for name in list(operators):
        operator = operators.pop(name)  # kept features of one at a time
        operator.matmat(V)
        seconds |= alternate(
            {name: partial(operator.matmat, V)}, min(context.rounds, 2 if name in SLOW else 5), warm=False
        )
    rate = product_rate(threads=context.threads, device=context.device, size=64 if context.small else 4096)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    pairs = sizes["n"] ** 2 / 2
    figures = {f"seconds of {name}": value for name, value in medians.items()} | {
        "share of the product rate, Theta_1": flops(sizes, 1, VECTORS, kept=True) / medians["Theta_1"] / rate,
        "share of the product rate, features made again": (
            flops(sizes, 1, VECTORS, kept=False) / medians["Theta_1, features made again"] / rate
        ),
        "share of the product rate, Theta_1^*": (
            pairs * (2 * sizes["d"] + 4 * VECTORS) / medians["Theta_1^*"] / rate
        ),
        "nanoseconds a pair and thread, Theta_1^*": 1e9 * medians["Theta_1^*"] * context.threads / pairs,
    }
    return Measurement(figures, seconds, sizes, {"product rate": rate, "vectors": VECTORS})


WORK = (
    Work(
        "matrix_free",
        "certified norm of Theta_1 - Theta^lin1 without the matrix, n = 10^5, m = 10^4, d = 50",
        {"peak memory": AtMost(4.0, "GB")},
        run_large,
    ),
    Work(
        "matrix_free_agreement",
        "certified norms of Theta_1 - Theta^lin1, by products and of the matrix in float32: do the intervals"
        " overlap, and their midpoints agree? n = m = 10^4, d = 50",
        {"relative difference": AtMost(1e-4), "gap between the intervals": AtMost(0.0)},
        run_agreement,
    ),
    Work(
        "matrix_free_products",
        "one product of each operator with four vectors, n = 10^5, m = 10^4, d = 50",
        {},
        run_products,
    ),
)
