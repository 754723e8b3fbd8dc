"""``whp twins`` and ``whp repeat``."""

import json
import re
import shlex
from pathlib import Path

import pytest


@pytest.mark.parametrize(("file", "outcome", "code"), [("good", "refuted", 0), ("blunt", "PASSED", 1)])
def test_twins(inside, whp, file, outcome, code):
    said = whp("twins", f"demo/{file}.py", "--out", f"twins-{file}", "--jobs", 1)
    assert said.code == code
    assert re.search(rf"demo\.{file} +\w+ +{outcome} ", said.out)
    record = json.loads(Path(f"twins-{file}/twins-quick.json").read_text())
    assert [row["outcome"] for row in record["twins"]] == [outcome]
    assert record["command"].startswith(f"whp twins demo/{file}.py")
    page = Path(f"twins-{file}/twins-quick.md").read_text()
    assert f"| `demo.{file}` |" in page
    assert ("Not refuted" in page) == (outcome != "refuted")


def test_an_undecided_twin(inside, whp):
    said = whp("twins", "demo/open.py", "--out", "twins-open", "--jobs", 1)
    assert said.code == 7
    assert "Refuted: 0 of 1" in said.out
    assert "Not refuted" in Path("twins-open/twins-quick.md").read_text()


def test_repeat(inside, whp):
    words = ("repeat", "demo/good.py", "demo/bad.py", "--runs", 2, "--seed", 3, "--out", "aa", "--jobs", 1)
    said = whp(*words)
    assert said.code == 0
    assert "[seed 3] 1 PASS, demo.bad FAIL" in said.out
    assert "[seed 4]" in said.out
    record = json.loads(Path("aa/aa.json").read_text())
    assert record["seeds"] == [3, 4]
    assert record["flipped"] == []
    assert record["false_fail"]["count"] == 2  # demo.bad has no corrected sibling
    assert Path(".whp/repeat.sqlite").exists()
    assert "all from the ledger" in whp(*words).out


def test_repeat_says_when_a_twin_passes(inside, whp):
    said = whp("repeat", "demo/blunt.py", "--runs", 2, "--out", "aa-blunt", "--jobs", 1)
    assert said.code == 1


def test_a_fresh_run_is_replayed_by_its_seed(inside, whp):
    """New seeds each night; the line that is printed with a FAIL makes the same verdict again."""
    said = whp("run", "demo/bad.py", "--fresh", "--ledger", "night.sqlite", "--out", "night")
    assert said.code == 1
    (line,) = re.findall(r"to see it again: whp (.*)", said.out)
    seed = re.search(r"--seed (\d+)", line).group(1)
    assert int(seed) > 10**6  # drawn from 63 bits: smaller with probability 1e-13
    again = whp(*shlex.split(line), "--ledger", "day.sqlite", "--out", "day")
    records = [json.loads(Path(f"{out}/verdicts/demo.bad.json").read_text()) for out in ("night", "day")]
    assert again.code == 1
    assert records[0]["estimate"] == records[1]["estimate"]
    assert records[0]["seed"] == records[1]["seed"] == int(seed)
