"""Matrix products by the fastest library on the machine, found by measuring.

torch.mm (Intel's MKL), oneDNN through torch, and numpy's BLAS differ by up to a factor of two in float32,
in either order, from processor to processor. `choose_product` measures them once for a machine; `product` is
a product by the route that the environment variable ``WHP_PRODUCT`` names, torch where it names none. So the
numbers of a trial depend on the route that a run states, never on what was measured while it ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

import numpy as np
import torch

from whp.errors import MeasurementError, UsageError, require
from whp.machine import cpu_model, user_cache_folder

VARIABLE = "WHP_PRODUCT"
# Another route than torch must be this much faster: a choice that measuring again would confirm.
ADVANTAGE = 1.2
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Shape (n, k) of the factor in A A^T by which routes are compared, and how often.
COMPARED, ROUNDS = (1024, 2048), 5

Route = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, bool], None]


def by_torch(A: torch.Tensor, B: torch.Tensor, out: torch.Tensor, accumulate: bool) -> None:
    """Write A B to ``out``, or add it, by torch.mm: the only route on a GPU."""
    if accumulate:
        out.addmm_(A, B)
    else:
        torch.mm(A, B, out=out)


def by_onednn(A: torch.Tensor, B: torch.Tensor, out: torch.Tensor, accumulate: bool) -> None:
    """Write A B to ``out``, or add it, by oneDNN, which is for float32; it gives a new matrix each time."""
    if A.dtype != torch.float32:
        by_torch(A, B, out, accumulate)
        return
    result = torch.ops.mkldnn._linear_pointwise(A, B.T, None, "none", [], "")
    if accumulate:
        out.add_(result)
    else:
        out.copy_(result)


def by_numpy(A: torch.Tensor, B: torch.Tensor, out: torch.Tensor, accumulate: bool) -> None:
    """Write A B to ``out``, or add it, by numpy's BLAS; the number of threads is that of the environment."""
    left, right, into = A.numpy(), B.numpy(), out.numpy()
    if accumulate:
        into += left @ right
    else:
        np.matmul(left, right, out=into)


ROUTES: Mapping[str, Route] = {"torch": by_torch, "onednn": by_onednn, "numpy": by_numpy}


@cache
def available_routes() -> tuple[str, ...]:
    """Return the names of the routes that this build of torch has."""
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return tuple(name for name in ROUTES if name != "onednn" or has_onednn)


def current_route() -> str:
    """Return the route that ``WHP_PRODUCT`` names, ``torch`` where it is not set.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    name = os.environ.get(VARIABLE) or "torch"
    require(name in available_routes(), VARIABLE, f"one of {', '.join(available_routes())}", name, UsageError)
    return name


def product(A: torch.Tensor, B: torch.Tensor, out: torch.Tensor, accumulate: bool = False) -> torch.Tensor:
    """Write ``A @ B`` to ``out``, or add it to ``out``, by the route of this process, and return ``out``.

    Parameters
    ----------
    A : Tensor, shape (p, k)
    B : Tensor, shape (k, q)
    out : Tensor, shape (p, q)
        May be part of a larger matrix. CUDA tensors are multiplied by torch whatever the route.
    accumulate : bool
        Whether to add to what ``out`` holds.
    """
    fits = A.ndim == B.ndim == 2 and A.shape[1] == B.shape[0] and out.shape == (A.shape[0], B.shape[1])
    require(fits, "product", "of shapes that fit", (tuple(A.shape), tuple(B.shape), tuple(out.shape)))
    name = "torch" if A.is_cuda else current_route()
    ROUTES[name](A, B, out, accumulate)
    return out


def choose_product(threads: int | None = None) -> str:
    """Return the name of the fastest route on this machine; measured once, and kept in the user's cache.

    The routes take turns in a process of their own with that many threads; the fastest of a few calls
    counts. torch wins unless another is faster by ``ADVANTAGE``.

    Parameters
    ----------
    threads : int, optional
        By default as many as torch uses here.

    Raises
    ------
    MeasurementError
        If that process fails.
    """
    threads = torch.get_num_threads() if threads is None else threads
    require(threads >= 1, "threads", "positive", threads)
    core = os.environ.get("OPENBLAS_CORETYPE", "")  # numpy's BLAS can be told to use older instructions
    key = f"{cpu_model()} | torch {torch.__version__} | numpy {np.__version__} {core} | threads {threads}"
    kept = _kept()
    if kept.get(key) in available_routes():
        return kept[key]
    limits = dict.fromkeys(THREAD_VARIABLES, str(threads))
    command = [sys.executable, "-c", "from whp.linalg.products import print_rates; print_rates()"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **limits, VARIABLE: "torch"}
    )
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    rule = f"measured in a process of its own (or named by {VARIABLE})"
    require(done.returncode == 0, "rates of matrix products", rule, last, MeasurementError)
    best = fastest(json.loads(done.stdout))
    with suppress(OSError):  # a cache that cannot be written costs a second measurement
        user_cache_folder().mkdir(parents=True, exist_ok=True)
        fresh = user_cache_folder() / f"products.json.{os.getpid()}"
        fresh.write_text(json.dumps({**_kept(), key: best}, indent=1))
        fresh.replace(user_cache_folder() / "products.json")
    return best


def fastest(rates: Mapping[str, float]) -> str:
    """Return the route to choose by the rates of the routes: torch unless another is faster by far."""
    best = max(rates, key=lambda name: rates[name])
    return best if rates[best] >= ADVANTAGE * rates["torch"] else "torch"


def route_rates(shape: tuple[int, int] = COMPARED, rounds: int = ROUNDS) -> dict[str, float]:
    """Return FLOP/s of each route in float32 for A A^T, taking turns; the fastest of some calls counts."""
    A = torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    B, out = A.flip(0).T, torch.empty(shape[0], shape[0])
    seconds = dict.fromkeys(available_routes(), float("inf"))
    for _ in range(rounds + 1):  # the first call of a route may be slow, and does not win
        for name in seconds:
            start = time.perf_counter()
            ROUTES[name](A, B, out, False)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return {name: 2.0 * shape[0] ** 2 * shape[1] / s for name, s in seconds.items()}


def print_rates() -> None:
    """Print the rates of all routes as JSON: what `choose_product` runs in a process of its own."""
    print(json.dumps(route_rates()))


def product_rate(
    dtype: torch.dtype = torch.float32,
    threads: int | None = None,
    device: torch.device | str = "cpu",
    *,
    size: int = 4096,
    rounds: int = 3,
) -> float:
    """Return FLOP/s of the route of this process for square products: the roofline of the benchmarks.

    Parameters
    ----------
    dtype : torch.dtype
    threads : int, optional
        For torch, while measuring; by default as many as it uses here.
    device : device
    size, rounds : int
        Side of the matrices, and of how many calls the fastest counts.
    """
    device, before = torch.device(device), torch.get_num_threads()
    A = torch.from_numpy(np.random.default_rng(0).standard_normal((size, size))).to(device, dtype)
    B, out = A.flip(0), torch.empty_like(A)
    best = float("inf")
    torch.set_num_threads(threads or before)
    try:
        for _ in range(rounds + 1):
            start = time.perf_counter()
            product(A, B, out)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return 2.0 * size**3 / best


def _kept() -> dict[str, str]:
    try:
        found = json.loads((user_cache_folder() / "products.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
