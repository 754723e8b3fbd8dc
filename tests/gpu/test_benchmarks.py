"""The benchmarks of a GPU run on one: at tiny sizes on the imitated device."""

from __future__ import annotations

import math

import pytest

from whp.benchmarks.harness import Context, Measurement
from whp.benchmarks.run import works

WORKS = {name: work for name, work in works().items() if "cuda" in work.devices}


def test_there_are_some():
    assert {"gpu_ntk", "gpu_ntk_both", "gpu_cntk", "gpu_matrix_free", "gpu_trials", "limits"} <= set(WORKS)


@pytest.mark.parametrize("name", WORKS)
def test_a_work_runs_on_the_device(name, device):
    found = WORKS[name].run(Context(rounds=1, small=True, device=str(device)))
    assert isinstance(found, Measurement)
    assert set(WORKS[name].wanted) <= set(found.figures)
    assert all(math.isfinite(figure) for figure in found.figures.values())
