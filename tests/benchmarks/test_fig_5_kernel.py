"""The kernel of Figure 5 at its printed size, against one full product of the same shape in the same run.

Run by ``make bench``. With WHP_BENCHMARK_RECORD=FILE the measurement is written there as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from whp.engine.environment import environment
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import activation, first_layer_ntk, subtract_linear_kernel_
from whp.linalg import frobenius_norm, spectral_norm

N, M, D = 10_000, 20_000, 512


def peak_memory_gb() -> float:
    """Largest resident size of this process so far (Linux reports kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@pytest.mark.benchmark_only
def test_kernel_and_norms_take_half_of_a_full_product(benchmark):
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    cpu, phi = torch.device("cpu"), activation("erf")
    X = data_distribution("gaussian").sample(rng, N, D, torch.float32, cpu)  # (N, D)
    W = symmetric_init(rng, M, D, torch.float32, cpu).W_half  # (M/2, D)

    def kernel_and_norms():
        deviation = subtract_linear_kernel_(first_layer_ntk(X, W, phi), X, phi.moments.zeta, 0.0)
        return spectral_norm(deviation, rng, symmetric=True), frobenius_norm(deviation)

    ours, full, memory = [], [], 0.0
    for round_ in range(3):
        start = time.perf_counter()
        bounds, _ = kernel_and_norms() if round_ else benchmark.pedantic(kernel_and_norms, rounds=1)
        ours.append(time.perf_counter() - start)
        if round_ == 0:
            memory = peak_memory_gb()
        left, right = torch.randn(N, M), torch.randn(M, N)
        start = time.perf_counter()
        left @ right
        full.append(time.perf_counter() - start)
        del left, right
    ratio = statistics.median(a / b for a, b in zip(ours, full, strict=True))
    record = {
        "command": "make bench",
        "what": f"first-layer NTK minus linear kernel, spectral and Frobenius norm; n={N}, m={M}, d={D},"
        " float32, one thread; against one full float32 product (n, m) x (m, n)",
        "ratio": ratio,
        "ours_seconds": ours,
        "full_product_seconds": full,
        "peak_memory_gb": memory,
        "matvecs": bounds.matvecs,
        "environment": environment(),
    }
    benchmark.extra_info.update(record)
    if path := os.environ.get("WHP_BENCHMARK_RECORD"):
        Path(path).write_text(json.dumps(record, indent=2) + "\n")
    assert bounds.relative_width < 0.02
    assert ratio <= 0.5
    assert memory <= 2.5
