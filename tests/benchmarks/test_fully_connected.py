"""Fused fully-connected kernels against the same recursion layer by layer in torch, in the same run.

Against another program: tools/benchmarks/fully_connected.py. Run by ``make bench``.
"""

from __future__ import annotations

import time

import pytest
import torch

from whp.kernels import activation, fc_ntk

N, D = 1000, 192


def seconds(X, name, layers, method) -> float:
    """The fastest of three calls."""
    found = []
    for _ in range(3):
        start = time.perf_counter()
        fc_ntk(X, activation(name), layers, method=method)
        found.append(time.perf_counter() - start)
    return min(found)


@pytest.mark.benchmark_only
@pytest.mark.parametrize(("name", "layers", "times"), [("relu", 3, 5), ("relu", 10, 10), ("erf", 3, 4)])
def test_fused_beats_layer_by_layer(benchmark, name, layers, times):
    torch.set_num_threads(1)
    X = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
    fc_ntk(X[:10], activation(name), layers)  # compiles
    benchmark.pedantic(lambda: fc_ntk(X, activation(name), layers), rounds=1)
    ratio = seconds(X, name, layers, "plain") / seconds(X, name, layers, "fused")
    benchmark.extra_info["ratio"] = ratio
    assert ratio >= times
