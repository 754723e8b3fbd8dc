"""Every work of ``whp bench``: tiny in the tests, whole with ``pytest -m benchmark_only``.

The whole ones compare with neural-tangents where ``make peer`` has installed it.
"""

import math
from pathlib import Path

import pytest
import torch

from whp.benchmarks.harness import AtMost, Context, Measurement
from whp.benchmarks.peers import Peer
from whp.benchmarks.run import fails, measure, shortfalls, works
from whp.engine.environment import available_cores

PEER = Path(__file__).parents[2] / ".venv-peer" / "bin" / "python"
WORKS = works()


@pytest.mark.parametrize("name", WORKS)
def test_a_work_runs_at_a_tiny_size(name):
    work, threads = WORKS[name], torch.get_num_threads()
    found = work.run(Context(rounds=1, small=True))
    assert isinstance(found, Measurement)
    assert torch.get_num_threads() == threads
    assert all(math.isfinite(figure) for figure in found.figures.values())
    assert all(times and min(times) >= 0 for times in found.seconds.values())
    # What is wanted is measured, unless it needs the peer or it is said why not.
    peers = {figure for figure in work.wanted if "neural-tangents" in figure}
    assert not peers & set(found.figures)
    if "cpu" in work.devices and "not measured" not in found.facts:
        assert set(work.wanted) - set(found.figures) <= peers
    # An error is as small at any size; a speed is not.
    for figure, rule in work.wanted.items():
        if isinstance(rule, AtMost) and not rule.unit and figure in found.figures:
            assert rule.met(found.figures[figure]), figure


@pytest.mark.benchmark_only
@pytest.mark.parametrize("name", [name for name, work in WORKS.items() if "cpu" in work.devices])
def test_a_work_reaches_what_is_wanted(name, benchmark):
    threads = available_cores()
    peer = Peer(PEER, threads) if PEER.exists() else None
    try:
        how = Context(threads, 5, peer)
        record = benchmark.pedantic(lambda: measure(WORKS[name], how), rounds=1)
    finally:
        if peer:
            peer.close()
    benchmark.extra_info.update(figures=record["figures"], wanted=record["wanted"])
    assert not fails(record), shortfalls(record)
