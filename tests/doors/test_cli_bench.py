"""`whp bench`: what it says, what it keeps, and how it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from whp.benchmarks import run
from whp.benchmarks.harness import AtLeast, AtMost, BenchmarkError, Measurement, Work


def broken(context):
    raise BenchmarkError("memory must suffice, got too little")


def known(**figures):
    """Works with one figure each that is to be 2 at least; None is not measured."""
    return {
        name: Work(
            name,
            f"the work {name}",
            {"ratio": AtLeast(2)},
            lambda context, figure=figure: Measurement({} if figure is None else {"ratio": figure}),
        )
        for name, figure in figures.items()
    }


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def offer(monkeypatch, works):
    monkeypatch.setattr(run, "works", lambda: works)


def test_measures_and_keeps(whp, monkeypatch):
    offer(monkeypatch, known(fast=3.0))
    said = whp("bench", "--threads", "1", "--rounds", "7")
    assert (said.code, said.err) == (0, "")
    assert "fast: ratio 3 (reports/benchmarks/fast.json)" in said.out
    record = json.loads(Path("reports/benchmarks/fast.json").read_text())
    assert record["command"] == "whp bench --threads 1 --rounds 7"
    assert (record["figures"], record["threads"], record["rounds"]) == ({"ratio": 3.0}, 1, 7)


@pytest.mark.parametrize(
    ("figures", "code", "sentence"),
    [
        ({"a": 3.0, "b": 1.0, "c": None}, 1, "whp: b: ratio must be at least 2, got 1\n"),
        ({"a": 3.0, "c": None}, 7, "whp: c: ratio was not measured (there is no --peer)\n"),
    ],
)
def test_the_exit_code_tells(whp, monkeypatch, figures, code, sentence):
    offer(monkeypatch, known(**figures))
    said = whp("bench", "--threads", "1")
    assert said.code == code
    assert sentence in said.err
    assert "c: nothing measured (reports/benchmarks/c.json)\n" in said.out


def test_seconds_are_recorded_and_fail_nothing(whp, monkeypatch):
    slow = Work("slow", "slow", {"time": AtMost(90, "s")}, lambda context: Measurement({"time": 900.0}))
    offer(monkeypatch, {"slow": slow})
    said = whp("bench", "--threads", "1")
    assert (said.code, said.err) == (0, "whp: slow: time must be at most 90 s, got 900\n")


def test_one_that_breaks_does_not_stop_the_others(whp, monkeypatch):
    offer(monkeypatch, {"bad": Work("bad", "bad", {}, broken), **known(good=2.0)})
    said = whp("bench", "--threads", "1")
    assert (said.code, said.err) == (7, "whp: bad: memory must suffice, got too little\n")
    assert [file.name for file in Path("reports/benchmarks").iterdir()] == ["good.json"]


def test_an_interrupt_keeps_what_was_measured(whp, monkeypatch):
    def interrupted(context):
        raise KeyboardInterrupt

    late = {"late": Work("late", "late", {}, interrupted)}
    offer(monkeypatch, {**known(early=3.0), **late, **known(later=3.0)})
    said = whp("bench", "--threads", "1")
    assert (said.code, said.err) == (
        130,
        "whp: interrupted in late; the works before it are in reports/benchmarks\n",
    )
    assert [file.name for file in Path("reports/benchmarks").iterdir()] == ["early.json"]


def test_small_says_nothing_of_speed(whp, monkeypatch):
    offer(monkeypatch, known(a=1.0, b=None))
    said = whp("bench", "--small", "--threads", "1")
    assert (said.code, said.err) == (0, "")
    assert json.loads(Path("reports/run-benchmarks/a.json").read_text())["small"]
    assert not Path("reports/benchmarks").exists()


@pytest.mark.parametrize("device", ["cpu", "cuda"])  # there need be none
def test_list(whp, monkeypatch, device):
    gpu = Work("big", "the work big", {}, broken, devices=("cpu", "cuda"))
    offer(monkeypatch, {**known(a=1.0), "big": gpu})
    said = whp("bench", "--list", "--device", device)
    assert said.code == 0
    assert ["big", "cpu,", "cuda", "the", "work", "big"] in [line.split() for line in said.out.splitlines()]
    assert "the work a" in said.out
    assert "ratio at least 2" in said.out
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothing",), "NAME must be one of a, got 'nothing'"),
        (("--threads", "0"), "--threads must be at least 1, got 0"),
        (("--small", "--threads", "1000000"), "--threads must be at most "),
        (("--rounds", "0"), "--rounds must be at least 1, got 0"),
        (("--device", "abacus"), "device must be auto, cpu, cuda or cuda:K, got 'abacus'"),
        (("--peer", "/no/python"), "--peer must be a Python that can be run, got '/no/python'"),
        (("--peer", sys.executable), "without neural-tangents, jax, jaxlib (make peer installs one)"),
        (("--out", "file"), "file"),
    ],
)
def test_mistakes_are_usage_errors_before_anything_is_measured(whp, monkeypatch, words, sentence):
    Path("file").touch()
    offer(monkeypatch, {"a": Work("a", "a", {}, lambda context: pytest.fail("measured"))})
    said = whp("bench", *words)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert sentence in said.err
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_the_variables_are_set_before_the_libraries_read_them():
    # numpy's BLAS takes its number of threads once, when it is imported.
    code = "import sys, whp.cli, whp.benchmarks; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
