"""Every mistake of a user is one clear sentence on stderr, and nothing has been touched."""

import sqlite3
from pathlib import Path

import pytest

from whp import cli
from whp.errors import OutputError

MISTAKES = {
    "no selection": ("run", "Missing argument"),
    "unknown command": ("rum hu2020", "No such command 'rum'"),
    "unknown option": ("run demo/good.py --sed 1", "No such option"),
    "no number": ("run demo/good.py --seed one", "Invalid value for '--seed'"),
    "unknown claim": ("run hu2020.prop_3_5", "did you mean hu2020.prop_3_4"),
    "unknown paper": ("run hu2021", "selection must be a paper, a claim id, a glob over ids or a path"),
    "unknown path": (
        "run nowhere/thm_1.py",
        "path must be an existing claim file or folder, got 'nowhere/thm_1.py'",
    ),
    "empty folder": ("run empty/", "folder with claim files"),
    "unknown profile": (
        "run demo/good.py --profile fast",
        "--profile must be one of quick, standard, paper, got 'fast'",
    ),
    "unknown device": (
        "run demo/good.py --device tpu",
        "device must be auto, cpu, cuda or cuda:K, got 'tpu'",
    ),
    "absent device": (
        "run demo/good.py --device cuda",
        "device must be cpu or auto where no CUDA device is present",
    ),
    "no jobs": ("run demo/good.py --jobs 0", "--jobs must be at least 1, got 0"),
    "negative seed": ("run demo/good.py --seed -1", "--seed must be a non-negative integer, got -1"),
    "no rate": ("run demo/good.py --alpha 0", "--alpha must be in (0, 0.5), got 0.0"),
    "fresh and seed": ("run demo/good.py --fresh --seed 1", "--seed must be left out with --fresh"),
    "ledger is text": ("run demo/good.py --ledger notes.txt", "ledger"),
    "ledger is a folder": ("run demo/good.py --ledger demo", "ledger"),
    "ledger is another database": ("run demo/good.py --ledger other.sqlite", "ledger"),
    "out is a file": ("run demo/good.py --out notes.txt", "output place must be writable, got notes.txt"),
    "out below a file": ("run demo/good.py --out notes.txt/out", "output place must be writable"),
    "check nothing": ("check nowhere", "path must be an existing claim file or folder, got 'nowhere'"),
    "check no claims": ("check empty", "folder with claim files"),
    "show nothing": ("show hu2020.prop_9_9", "selection must be"),
    "list nothing": ("list hu2020.nothing_*", "selection must be"),
    "plan nothing": ("plan hu2020.prop_9_9", "selection must be"),
    "plan profile": ("plan demo/good.py --profile fast", "--profile must be one of"),
    "report nowhere": ("report nowhere", "DIR must be the folder of a report, got 'nowhere'"),
    "report of nothing": (
        "report empty",
        "report folder must be one that holds verdicts/*.json, got 'empty'",
    ),
    "report of rubbish": ("report rubbish", "must be readable JSON"),
}


@pytest.fixture
def desk(inside, tmp_path, monkeypatch):
    """An own folder beside the shared claims, with things that are not what they are taken for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "demo").symlink_to(inside / "demo", target_is_directory=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("Buy milk.\n" * 500)
    (tmp_path / "rubbish" / "verdicts").mkdir(parents=True)
    (tmp_path / "rubbish" / "verdicts" / "x.json").write_text("{")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE shopping (item TEXT)")
    other.close()
    return tmp_path


def contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence(desk, whp, case):
    words, sentence = MISTAKES[case]
    before = contents(desk)
    said = whp(*words.split())
    assert said.code == 2
    assert sentence in said.err
    assert said.err.startswith("whp: ")
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    assert said.out == ""
    assert contents(desk) == before  # ledger and others untouched, and nothing was measured


@pytest.mark.parametrize(
    "words",
    [
        "run demo/good.py",
        "plan demo/good.py",
        "twins demo/good.py",
        "repeat demo/good.py",
        "calibrate",
        "bench",
    ],
)
def test_an_unknown_route_of_products_is_refused_before_anything_starts(desk, whp, monkeypatch, words):
    monkeypatch.setenv("WHP_PRODUCT", "bogus")
    before = contents(desk)
    said = whp(*words.split())
    assert (said.code, said.out, contents(desk)) == (2, "", before)
    assert said.err == "whp: WHP_PRODUCT must be one of torch, onednn, numpy, got 'bogus'\n"


def test_a_mistake_is_told_from_a_success(desk, whp):
    # The checks above can fail: the same call without the mistake says nothing on stderr.
    said = whp("list", "demo")
    assert (said.code, said.err) == (0, "")


def test_an_internal_error_is_one_sentence_too(desk, whp, monkeypatch):
    def break_down(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("whp.engine.discovery.resolve", break_down)
    monkeypatch.delenv("WHP_TRACEBACK", raising=False)
    said = whp("run", "demo/good.py")
    assert said.code == 3
    assert said.err == (
        "whp: internal error: ZeroDivisionError: division by zero (WHP_TRACEBACK=1 shows where)\n"
    )
    monkeypatch.setenv("WHP_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        whp("run", "demo/good.py")


def test_a_report_that_cannot_be_written_loses_no_verdict(desk, whp, monkeypatch):
    def full(*_, **__):
        raise OutputError("output place must be writable, got out: No space left on device")

    monkeypatch.setattr("whp.report.writer.write_report", full)
    said = whp("run", "demo/good.py", "--jobs", "1")
    assert said.code == 2
    assert "No space left on device" in said.err
    assert "demo.good" in said.out  # the table comes first
    assert Path(".whp/ledger.sqlite").exists()


def test_interrupted_anywhere_exits_with_130(desk, whp, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("whp.engine.discovery.resolve", interrupt)
    said = whp("list")
    assert said.code == cli.Exit.INTERRUPTED
    assert "Traceback" not in said.err
