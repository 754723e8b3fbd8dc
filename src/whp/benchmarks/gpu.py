"""What a GPU does: ``whp bench --device cuda`` runs these whole, and keeps them apart by the device's name.

Float32 with TF32 off, as everywhere. The limit is the rate of square products that torch reaches on the
device, measured in the same rounds; each work compares a result with the CPU before it is timed.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from whp.benchmarks.cntk import FLOPS, normal_images
from whp.benchmarks.executors import chosen, fixed
from whp.benchmarks.finite_kernels import RATES, inputs, operations
from whp.benchmarks.harness import (
    AtLeast,
    AtMost,
    BenchmarkError,
    Context,
    Measurement,
    Work,
    alternate,
    copy_rate,
    times_faster,
)
from whp.claims.budget import Budget
from whp.engine.choice import make_executor
from whp.engine.lasting import Lasting
from whp.engine.runner import run
from whp.ensembles import symmetric_init
from whp.kernels import activation, cntk, combined_features, combined_ntk, feature_difference
from whp.kernels.cntk_reference import Pooling
from whp.kernels.matrix_free import LinearOperator, TangentOperator
from whp.linalg import NormBounds, SymmetricOperator, product, spectral_norm

NTK = {"n": 20_000, "d": 100, "m": 40_000}
SMALL_NTK = {"n": 90, "d": 5, "m": 60}
PRODUCT_SIDE = 16_384
CNTK: dict[str, tuple[int, int, Pooling]] = {
    "pooled, 8 x 8": (8, 3, "average"),
    "pooled, 32 x 32": (32, 10, "average"),
    "vanilla, 32 x 32": (32, 5, "none"),
}
IMAGES = {8: (512, 512), 32: (16, 32)}
VANILLA_IMAGES = (2000, 2000)
OPERATOR = {"n": 1_000_000, "d": 50, "m": 10_000}
CHECKED = {"n": 10_000, "d": 50, "m": 10_000}
SMALL_OPERATOR = {"n": 700, "d": 6, "m": 80}
PROCESSES, TRIALS = (1, 2, 4), 18
AGREEMENT = 1e-4  # of an entry, with the CPU
DENSE = "difference to the dense norm, of it"
SHARE = "share of the product rate"
CUDA = ("cuda",)


def ntk(context: Context, layers: str) -> Measurement:
    """A kernel of mirrored neurons and the product in turn; the share counts the operations still done."""
    sizes = SMALL_NTK if context.small else NTK
    phi, rates, device = activation("erf"), RATES[layers], context.device
    on_cpu = inputs(**sizes)
    X, W = (A.to(device) for A in on_cpu)
    out = torch.empty(len(X), len(X), device=device)
    corner = combined_ntk(on_cpu[0][:64], on_cpu[1], phi, rates)
    difference = float((combined_ntk(X, W, phi, rates, out=out)[:64, :64].cpu() - corner).abs().max())
    _agree("kernels of both devices", difference / float(corner.abs().max()), AGREEMENT)
    side = 64 if context.small else PRODUCT_SIDE
    A = torch.from_numpy(np.random.default_rng(1).standard_normal((side, side), "f")).to(device)
    B, room = A.flip(0), torch.empty_like(A)
    routes: dict[str, Callable[[], object]] = {
        "whp": lambda: combined_ntk(X, W, phi, rates, out=out),
        "product": lambda: product(A, B, room),
    }
    seconds = alternate(routes, context.rounds)
    rate = 2.0 * side**3 / min(seconds["product"])
    done = operations(sizes["n"], sizes["d"], sizes["m"] // 2, 1 if layers == "first" else 2)
    figures = {SHARE: done / statistics.median(seconds["whp"]) / rate}
    facts = {"product rate, GFLOP/s": rate / 1e9, "largest difference to the CPU": difference}
    return Measurement(figures, seconds, sizes, facts | memory(device))


def pairs_a_second(context: Context) -> Measurement:
    """Convolutional kernels by whole tensors: pairs a second, and the share of the float32 product rate."""
    figures, seconds, facts = {}, {}, memory(context.device)
    side = 64 if context.small else PRODUCT_SIDE
    A = torch.ones(side, side, device=context.device)
    room = torch.empty_like(A)
    (products,) = alternate({"product": lambda: product(A, A, room)}, context.rounds).values()
    rate = 2.0 * side**3 / min(products)
    for name, (width, depth, pooling) in CNTK.items():
        size, layers = (4, 2) if context.small else (width, depth)
        n, m = (2, 3) if context.small else VANILLA_IMAGES if pooling == "none" else IMAGES[width]
        X, Z = (normal_images(count, size, seed).to(context.device) for seed, count in enumerate((n, m)))

        kernel = partial(cntk, layers=layers, pooling=pooling, method="torch")
        exact = float(kernel(X[:1].cpu().double(), Z[:1].cpu().double()))
        _agree(f"a pair of {name}", abs(float(kernel(X[:1], Z[:1])) / exact - 1), AGREEMENT)
        (seconds[name],) = alternate({name: partial(kernel, X, Z)}, context.rounds).values()
        speed = n * m / statistics.median(seconds[name])
        entries = size**4 if pooling == "average" else size**2
        figures[f"pairs a second, {name}"] = speed
        figures[f"share of the product rate, {name}"] = FLOPS * entries * layers * speed / rate
    facts |= {"product rate, GFLOP/s": rate / 1e9, "copy rate, GB/s": copy_rate(context.device) / 1e9}
    sizes = {name: {"side": case[0], "layers": case[1], "pooling": case[2]} for name, case in CNTK.items()}
    return Measurement(figures, seconds | {"product": products}, sizes, facts)


def norm_of_difference(sizes: dict[str, int], device: str, *, dense: bool = False) -> NormBounds:
    """The certified norm of Theta_1 - Theta^lin1, by products or by the matrix."""
    rng, phi = np.random.default_rng(0), activation("erf")
    X = torch.from_numpy(rng.standard_normal((sizes["n"], sizes["d"]), "f")).to(device)
    W = symmetric_init(rng, sizes["m"], sizes["d"], torch.float32, device).W_half
    A: torch.Tensor | SymmetricOperator = TangentOperator(X, W, phi) - LinearOperator(X, phi, 1.0)
    if dense:
        A = feature_difference(X, W, phi, combined_features(X, phi, 1.0, (1.0, 0.0))).matrix
    return spectral_norm(A, np.random.default_rng(1), rtol=1e-3)


def matrix_free(context: Context) -> Measurement:
    """The norm for more points than any matrix has room for; and where it has room, against the matrix."""
    sizes, checked = (SMALL_OPERATOR, SMALL_OPERATOR) if context.small else (OPERATOR, CHECKED)
    free, whole = (norm_of_difference(checked, context.device, dense=dense) for dense in (False, True))
    middle = (whole.low + whole.high) / 2
    difference = abs((free.low + free.high) / 2 / middle - 1)
    found: list[NormBounds] = []
    # Some minutes each: once is enough, as nothing is compared with it.
    once = partial(norm_of_difference, sizes, context.device)
    seconds = alternate({"whp": lambda: found.append(once())}, 1, warm=False)
    flops = 4.0 * sizes["n"] * sizes["m"] / 2 * sizes["d"] * found[0].matvecs
    facts = {
        "norm": [found[0].low, found[0].high],
        "failure probability": found[0].failure_probability,
        "products with a vector": found[0].matvecs,
        "flops a second, 4 n (m / 2) d a product": flops / seconds["whp"][0],
        "width of the dense interval": whole.relative_width,
        **memory(context.device),
    }
    figures = {DENSE: difference, "relative width": found[0].relative_width}
    return Measurement(figures, seconds, sizes | {"compared at": checked}, facts)


def trials(context: Context) -> Measurement:
    """Several trials in flight: the same runs by one, two and four processes that share the device."""
    claims = [fixed(claim, 2 if context.small else TRIALS) for claim in chosen(context.small)]
    counts = (1,) if context.small else PROCESSES
    measured: dict[str, int] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def route(count: int) -> Callable[[], None]:
            rounds = iter(range(10_000))
            kind, jobs = ("serial", None) if context.small else ("processes", count)
            workers = Lasting(partial(make_executor, kind, jobs, context.device))
            stack.callback(workers.close)

            def once() -> None:
                index = next(rounds)
                path = folder / f"{count} {index}.sqlite"
                result = run(
                    claims,
                    profile="quick",
                    seed=index,
                    device=context.device,
                    ledger_path=path,
                    budget=Budget(len(claims)),
                    executor=workers,
                )
                measured[str(count)] = result.measured

            return once

        seconds = alternate({str(count): route(count) for count in counts}, context.rounds)
    figures = {f"times one process, {count}": times_faster(seconds, "1", str(count)) for count in counts}
    return Measurement(figures, seconds, {"trials": measured}, memory(context.device))


def memory(device: str) -> dict[str, Any]:
    """The most that torch has held on the device so far, and what the device has."""
    if not device.startswith("cuda"):
        return {}
    peak = torch.cuda.max_memory_allocated(device)
    total = torch.cuda.get_device_properties(device).total_memory
    return {"peak memory of torch, GB": peak / 1e9, "memory of the device, GB": total / 1e9}


def _agree(what: str, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:
        raise BenchmarkError(f"{what} must agree to {tolerance:g}, got {difference:g}")


WORK = (
    Work(
        "gpu_ntk",
        "first-layer NTK on a GPU, n = 20,000, d = 100, m = 40,000",
        {SHARE: AtLeast(0.6)},
        partial(ntk, layers="first"),
        CUDA,
    ),
    Work(
        "gpu_ntk_both",
        "NTK of both layers on a GPU, n = 20,000, d = 100, m = 40,000",
        {SHARE: AtLeast(0.6)},
        partial(ntk, layers="both"),
        CUDA,
    ),
    Work("gpu_cntk", "convolutional kernels on a GPU, pairs a second", {}, pairs_a_second, CUDA),
    Work(
        "gpu_matrix_free",
        "certified norm of Theta_1 - Theta^lin1 on a GPU, n = 10^6, d = 50, m = 10^4",
        {DENSE: AtMost(1e-4)},
        matrix_free,
        CUDA,
    ),
    Work("gpu_trials", "trials of claims on a GPU: several processes against one", {}, trials, CUDA),
)
