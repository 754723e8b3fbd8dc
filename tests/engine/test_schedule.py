"""The next task, its length, and what is done with lost ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from whp.claims import Point, Status, TrialResult
from whp.engine.environment import environment
from whp.engine.ledger import Stream
from whp.engine.schedule import Cell, Lane, Schedule


def ok(seconds: float) -> TrialResult:
    return TrialResult(Status.OK, {"value": 1.0}, seconds)


def lane(*seconds: float, wanted: int = 1000) -> Lane:
    made = Lane(Point({"d": 1}))
    for trial, time in enumerate(seconds):
        made.add(trial, ok(time))
    made.want(wanted)
    return made


def test_a_task_is_about_half_a_second_long():
    assert lane().take() == (0,)  # the first, to time the others
    assert lane(0.002).take() == tuple(range(1, 251))
    assert lane(3.0).take() == (1,)
    assert len(lane(1e-9).take()) == 999


def test_lost_trials_go_alone_and_are_given_up_at_last():
    taken = lane(0.01, wanted=5)
    trials = taken.take()
    assert trials == (1, 2, 3, 4)
    assert taken.lost(trials) == []
    assert [taken.take() for _ in range(4)] == [(1,), (2,), (3,), (4,)]
    assert taken.lost([2]) == []
    assert taken.lost([2]) == [2]


@pytest.fixture
def cells(toy):
    toy.growth(trials=(4, 30))
    (claim,) = toy.claims()
    experiment = claim.checks[0].experiment
    stream = Stream("f", experiment.name, 7, "float64", "cpu")
    found = [Cell(experiment, "quick", v, Path("x"), stream) for v in experiment.design("quick").cells()]
    for cell in found:
        cell.open()
    return found


def test_untimed_points_go_first_the_largest_before_the_others_then_the_longest(cells):
    schedule = Schedule(cells)
    order = []
    for _ in range(6):
        cell, chosen = schedule.next()
        order.append((cell.values["side"], chosen.point.d))
        (trial,) = chosen.take()
        chosen.in_flight -= 1
        chosen.add(trial, ok(chosen.point.d * (1.0 if cell.values["side"] == "left" else 1.5)))
    assert order == [(side, d) for side in ("left", "right") for d in (16, 8, 4)]
    cell, chosen = schedule.next()
    assert (cell.values["side"], chosen.point.d) == ("right", 16)
    done, planned, spent, total, timed = schedule.progress()
    assert (done, planned, timed) == (6, 24, True)
    assert (spent, total) == (70.0, 280.0)


def test_tasks_become_short_towards_the_end(cells):
    schedule = Schedule(cells)
    for cell in cells:
        for each in cell.lanes:
            each.add(0, ok(0.6))
            each.want(11)  # 6 lanes of 10 trials, 36 s of work
    assert schedule.slice(2, 60.0) == pytest.approx(9.0)  # half of what each of two workers would get
    assert schedule.slice(2, 0.5) == 0.5
    assert cells[0].lanes[0].take(schedule.slice(2, 2.0)) == (1, 2, 3)
    for cell in cells:
        for each in cell.lanes:
            each.want(1)
    assert schedule.slice(2, 60.0) == 0.1


def test_a_cell_wants_what_its_next_look_needs_and_nothing_when_closed(cells):
    cell = cells[0]
    assert (cell.wanted, cell.complete, cell.most) == (4, False, 30)
    for each in cell.lanes:
        for trial in range(4):
            each.add(trial, ok(0.1))
        each.waiting.clear()
    assert cell.complete
    sample = cell.sample()
    assert (len(sample.trials), len(sample.trials[0])) == (4, 3)
    cell.advance(decided=False)
    assert cell.wanted == 6
    assert [list(each.waiting) for each in cell.lanes] == [[4, 5]] * 3
    cell.advance(decided=True)
    assert cell.closed
    assert cell.wanted == cell.looked == 6
    assert Schedule([cell]).next() is None


def test_the_environment_names_no_person_and_no_place(monkeypatch):
    import getpass
    import platform

    found = environment("cpu")
    assert set(found) == {
        "whp",
        "python",
        "numpy",
        "scipy",
        "torch",
        "platform",
        "cpu",
        "cores",
        "device",
        "product",
    }
    assert all(isinstance(value, str) and value for value in found.values())
    text = " ".join(found.values())
    assert platform.node() not in text
    assert getpass.getuser() not in text.split()
    assert str(Path.home()) not in text
