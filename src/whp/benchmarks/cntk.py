"""Convolutional tangent kernels against neural-tangents and whole tensors in torch; rounding and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch

from whp.benchmarks.harness import (
    AtLeast,
    AtMost,
    Context,
    Measurement,
    Wanted,
    Work,
    alternate,
    fresh_process,
    times_faster,
)
from whp.ensembles.datasets import MissingDataError
from whp.ensembles.labelled import labelled_images
from whp.kernels import cntk
from whp.linalg.products import product_rate

# Operations of the fused kernels for an entry (pair of positions) and layer, most of them for ReLU.
FLOPS = 50


@dataclass(frozen=True)
class Case:
    """A network and how many images each side gets: of pairs a second, a few tell as well as many."""

    side: int
    layers: int
    pooling: Literal["none", "average"]
    images: tuple[int, int]
    peer_images: int
    wanted: float
    whole: tuple[int, int] | None = None  # images for whole tensors in torch, where that is compared
    times_whole: float | None = None


CASES = {
    "cntk_pooled_8": Case(8, 3, "average", (64, 128), 16, 50, (16, 64), 6),
    "cntk_pooled_32": Case(32, 10, "average", (4, 32), 1, 200),
    "cntk_vanilla_32": Case(32, 5, "none", (128, 128), 32, 15, (32, 128), 5),
}
ROUNDING_LAYERS, ROUNDING_IMAGES = 10, 3
MEMORY = {"images": 2000, "side": 8, "layers": 3}


def normal_images(n: int, side: int, seed: int) -> torch.Tensor:
    """Normal pixels, shape (n, 3, side, side), the same as the peer's."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, side, side)).astype("f"))


def speed(case: Case, context: Context) -> Measurement:
    """Pairs a second of every side, and one entry against float64."""
    few = context.small
    side, layers = (4, 2) if few else (case.side, case.layers)
    (n, m), peer_images = ((2, 3), 2) if few else (case.images, case.peer_images)
    X, Z = normal_images(n, side, 0), normal_images(m, side, 1)
    pairs: dict[str, int] = {"whp": n * m}
    routes: dict[str, Any] = {"whp": lambda: cntk(X, Z, layers=layers, pooling=case.pooling)}
    if case.whole:
        a, b = (1, 2) if few else case.whole
        pairs["torch"] = a * b
        routes["torch"] = lambda: cntk(X[:a], Z[:b], layers=layers, pooling=case.pooling, method="torch")
    facts: dict[str, Any] = {}
    if peer := context.peer:
        pairs["neural-tangents"] = peer_images**2

        def theirs() -> dict[str, Any]:
            return peer.call(
                "cntk", "kernel", layers=layers, pooling=case.pooling, side=side, images=peer_images
            )

        routes["neural-tangents"] = theirs
    seconds = alternate(routes, context.rounds)
    figures = {
        f"times {other}": times_faster(seconds, other) * pairs["whp"] / pairs[other]
        for other in routes
        if other != "whp"
    }
    own = float(np.median(seconds["whp"]))
    entries = side**4 if case.pooling == "average" else side**2
    facts["pairs a second"] = pairs["whp"] / own
    rate = product_rate(threads=context.threads, size=256 if few else 4096)
    figures["share of product rate"] = FLOPS * entries * layers * pairs["whp"] / own / rate
    exact = float(cntk(X[:1].double(), Z[:1].double(), layers=layers, pooling=case.pooling))
    first = float(cntk(X[:1], Z[:1], layers=layers, pooling=case.pooling))
    facts["relative error of one entry"] = {"whp": abs(first / exact - 1)}
    if peer:
        facts["relative error of one entry"]["neural-tangents"] = abs(theirs()["first"] / exact - 1)
    sizes = {"side": side, "layers": layers, "pooling": case.pooling, "pairs": pairs}
    return Measurement(figures, seconds, sizes, facts)


def rounding(context: Context) -> Measurement:
    """Largest relative error in float32, at many layers with pooling, off the diagonal and on it."""
    side, layers = (4, 2) if context.small else (32, ROUNDING_LAYERS)
    figures: dict[str, float] = {}
    sets = {"normal": normal_images(ROUNDING_IMAGES, side, 2)}
    facts = {}
    if not context.small:
        try:
            rng = np.random.default_rng(0)
            sets["cifar10"] = labelled_images(rng, "cifar10", ROUNDING_IMAGES, part="train").X
        except MissingDataError as error:
            facts["not measured"] = str(error)
    for name, X in sets.items():
        kernel, exact = (
            cntk(images, layers=layers, pooling="average", train="middle") for images in (X, X.double())
        )
        errors = (kernel.double() / exact - 1).abs()
        figures[f"{name}: largest error on the diagonal"] = float(errors.diagonal().max())
        figures[f"{name}: largest error"] = float(errors.max())
    return Measurement(figures, {}, {"images": ROUNDING_IMAGES, "side": side, "layers": layers}, facts)


def many(images: int, side: int, layers: int) -> dict[str, float]:
    """Compute the pooled kernel of many images, in a process of its own."""
    X = normal_images(images, side, 0)
    start = time.perf_counter()
    cntk(X, layers=layers, pooling="average")
    return {"seconds": time.perf_counter() - start}


def memory(context: Context) -> Measurement:
    """Largest resident size of a process that computes a kernel of many images."""
    sizes = {"images": 8, "side": 4, "layers": 2} if context.small else MEMORY
    found = fresh_process(f"{__name__}:many", **sizes)
    return Measurement({"peak memory": found["peak_memory_gb"]}, {"whp": [found["seconds"]]}, sizes)


BOUND = (
    "elementwise work in the cache, not products or memory: 50 operations an entry and layer (arc cosine,"
    " square root, sums over a filter), done at the rate that the file gives"
)


def work(name: str) -> Work:
    """One case of speed."""
    case = CASES[name]
    wanted: dict[str, Wanted] = {"times neural-tangents": AtLeast(case.wanted)}
    if case.times_whole:
        wanted["times torch"] = AtLeast(case.times_whole)
    kind = "pooled" if case.pooling == "average" else "vanilla"
    title = f"convolutional tangent kernel, {kind}, {case.side} x {case.side} x 3, L = {case.layers}"
    return Work(name, title, wanted, partial(speed, case), bounded_by=BOUND)


WORK = (
    *(work(name) for name in CASES),
    Work(
        "cntk_rounding",
        f"pooled convolutional kernel in float32, 32 x 32 x 3, L = {ROUNDING_LAYERS}, against float64",
        {"normal: largest error": AtMost(1e-6)},
        rounding,
    ),
    Work(
        "cntk_memory",
        "pooled convolutional kernel of 2000 images of 8 x 8 x 3, L = 3, whole process",
        {"peak memory": AtMost(1, "GB")},
        memory,
    ),
)
