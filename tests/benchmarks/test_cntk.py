"""The fused convolutional kernels against whole tensors in torch, in the same run.

Against another program: tools/benchmarks/cntk.py. Run by ``make bench``.
"""

from __future__ import annotations

import time

import pytest
import torch

from whp.kernels import cntk


def seconds(*arguments: torch.Tensor, **options) -> float:
    """The fastest of three calls."""
    found = []
    for _ in range(3):
        start = time.perf_counter()
        cntk(*arguments, **options)
        found.append(time.perf_counter() - start)
    return min(found)


@pytest.mark.benchmark_only
@pytest.mark.parametrize(
    ("side", "layers", "pooling", "images", "times"),
    [(8, 3, "average", 64, 6), (32, 5, "none", 128, 5)],
)
def test_fused_beats_whole_tensors(benchmark, side, layers, pooling, images, times):
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    X, Z = (torch.randn(images, 3, side, side, generator=generator) for _ in range(2))
    options = {"layers": layers, "pooling": pooling}
    cntk(X[:1], Z[:1], **options)  # compiles
    benchmark.pedantic(lambda: cntk(X, Z, **options), rounds=1)
    few = X[: images // 4]  # a quarter of the rows is enough of the slow one
    ratio = 4 * seconds(few, Z, method="torch", **options) / seconds(X, Z, **options)
    benchmark.extra_info["ratio"] = ratio
    assert ratio >= times
