"""Figures are the same whoever draws them, and none is lost with a worker."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor

import pytest

from whp.report import drawing
from whp.report.drawing import SHARE, Drawing, draw, draw_all


class Faulty(Executor):
    """Runs every task but the second, which is lost."""

    def __init__(self):
        self.tasks = 0

    def submit(self, fn, /, *args, **kwargs):
        self.tasks += 1
        future = Future()
        if self.tasks == 2:
            future.set_exception(BrokenExecutor())
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def drawings(monkeypatch):
    monkeypatch.setattr(drawing, "panel_svg", lambda record, prefix: f"panel {record['n']} {prefix}")
    monkeypatch.setattr(drawing, "plot_svg", lambda record, prefix: f"plot {record['n']} {prefix}")
    return [Drawing({"n": n}, f"c{n}", panel=n % 3 > 0) for n in range(2 * SHARE + 3)]


def test_workers_draw_the_same_in_the_same_order(drawings):
    here = draw(drawings)
    assert here[:2] == ["plot 0 c0", "panel 1 c1"]
    with ThreadPoolExecutor(2) as workers:
        assert draw_all(drawings, workers) == here
    assert draw_all(drawings) == here


def test_what_a_worker_loses_is_drawn_here(drawings):
    workers = Faulty()
    assert draw_all(drawings, workers) == draw(drawings)
    assert workers.tasks == 3


def test_a_few_are_not_worth_sending(drawings):
    workers = Faulty()
    assert draw_all(drawings[:SHARE], workers) == draw(drawings[:SHARE])
    assert workers.tasks == 0


def test_a_mistake_in_a_record_is_not_hidden(drawings):
    with ThreadPoolExecutor(1) as workers, pytest.raises(KeyError):
        draw_all([*drawings, Drawing({}, "x")], workers)
