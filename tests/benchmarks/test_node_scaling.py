"""Gradient descent of node-scaled networks against a plain autograd loop, at the sizes of Appendix J.

More activations, and flows at great widths: tools/benchmarks/node_scaling.py. Run by ``make bench``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "benchmarks" / "node_scaling.py"


@pytest.mark.benchmark_only
def test_descent_beats_plain_autograd(benchmark):
    spec = importlib.util.spec_from_file_location("node_scaling", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    record = benchmark.pedantic(lambda: tool.loop("swish"), rounds=1)
    benchmark.extra_info.update(record)
    assert record["largest_difference_of_weights"] < 1e-3
    assert record["ratio"] >= 2.0
