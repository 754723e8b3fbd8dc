"""``whp run``: what it says, what it leaves, and how it exits."""

import io
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from whp import cli_run
from whp.cli import main
from whp.options import Exit, most_telling, verdict_code


def test_run_prints_a_line_a_claim_and_a_table(workplace):
    _, said = workplace
    assert said.code == 1
    assert said.err == ""
    table = {line.split()[0]: line for line in said.out.splitlines() if re.match(r"demo\.\w+ +[A-Z]", line)}
    verdicts = {name: line.split()[1] for name, line in table.items()}
    assert verdicts == {
        "demo.good": "PASS",
        "demo.bad": "FAIL",
        "demo.open": "INCONCLUSIVE",
        "demo.nan": "INCONCLUSIVE",
        "demo.blunt": "PASS",
    }
    assert table["demo.good"].endswith("1/1")
    assert re.search(r"form +\S+ \[\S+, \S+\] +\d+ +1/1", table["demo.good"])
    assert "(1 PASSED)" in table["demo.blunt"]
    assert "its false twin 'mild' has passed" in said.out
    assert "40 invalid of 40 trials gave no number" in said.out
    assert len(re.findall(r"^\[\d/5\] ", said.out, re.M)) == 5
    assert "2 PASS, 1 FAIL, 2 INCONCLUSIVE" in said.out


def test_plain_output_has_no_colour_and_no_progress(workplace):
    _, said = workplace
    assert "\x1b" not in said.out
    assert "\r" not in said.out
    assert all(line == line.rstrip() for line in said.out.splitlines())


def test_run_leaves_verdicts_and_a_report(workplace):
    folder, said = workplace
    out = folder / "reports" / "run-quick"
    assert said.out.splitlines()[-1] == f"Report: {Path('reports/run-quick/report.html')}"
    assert (out / "report.html").stat().st_size > 1000
    assert {path.stem for path in (out / "verdicts").glob("*.json")} >= {"demo.good", "demo.bad"}
    record = json.loads((out / "verdicts" / "demo.bad.json").read_text())
    assert record["verdict"] == "FAIL"
    assert record["command"] == "whp run demo/bad.py --profile quick --seed 0"
    assert json.loads((out / "run.json").read_text())["run"]["command"] == "whp run demo/ --jobs 1"


def test_the_line_that_reproduces_a_fail_does(inside, workplace, whp):
    line = re.search(r"to see it again: whp (.*)", workplace[1].out).group(1)
    said = whp(*shlex.split(line), "--out", "again")
    assert said.code == 1
    assert "the ledger has" in said.out
    assert re.search(r"demo\.bad +FAIL", said.out)


@pytest.mark.parametrize(
    ("words", "code"), [("good", 0), ("bad", 1), ("open", 7), ("nan", 7), ("blunt", 7), ("good open bad", 1)]
)
def test_exit_code(inside, whp, words, code):
    files = [f"demo/{word}.py" for word in words.split()]
    assert whp("run", *files, "--out", f"out-{words.replace(' ', '-')}").code == code


def record(verdict, cells=1, **twins):
    return {"verdict": verdict, "cells": [{}] * cells, "twins": twins}


def test_exit_codes_of_verdicts():
    assert verdict_code([]) is Exit.NOTHING
    assert verdict_code([record("INCONCLUSIVE", cells=0)]) is Exit.NOTHING
    assert verdict_code([record("PASS", a="FAIL")]) is Exit.PASS
    assert verdict_code([record("PASS", a="FAIL"), record("PASS", b="PASS")]) is Exit.INCONCLUSIVE
    assert verdict_code([record("PASS"), record("INCONCLUSIVE")]) is Exit.INCONCLUSIVE
    assert verdict_code([record("FAIL"), record("INCONCLUSIVE")]) is Exit.FAIL


def test_of_several_exit_codes_the_most_telling():
    assert most_telling([0, 0]) == 0
    assert most_telling([7, 0, 2]) == 2
    assert most_telling([1, 2, 0]) == 1
    assert most_telling([7, 130]) == 130


def test_a_broken_file_is_named_and_the_others_run(inside, whp, tmp_path):
    broken = tmp_path / "torn" / "thm_1.py"
    broken.parent.mkdir()
    broken.write_text("import whp\n\nraise RuntimeError('torn page')\n")
    said = whp("run", "demo/good.py", broken, "--out", tmp_path / "out")
    assert said.code == 2
    assert f"{broken}, line 3: RuntimeError: torn page" in said.err
    assert re.search(r"demo\.good +PASS", said.out)
    assert "torn page" in (tmp_path / "out" / "report.html").read_text()
    said = whp("run", "demo/bad.py", broken, "--out", tmp_path / "out")
    assert said.code == 1  # a FAIL is the stronger news


def test_only_broken_files(inside, whp, tmp_path):
    broken = tmp_path / "torn" / "thm_1.py"
    broken.parent.mkdir()
    broken.write_text("x = = 1\n")
    said = whp("run", broken)
    assert said.code == 2
    assert f"{broken}, line 1: SyntaxError" in said.err


def test_fresh_draws_another_seed(inside, whp):
    said = whp(
        "run", "demo/good.py", "--fresh", "--out", "out-fresh", "--jobs", "1", "--ledger", "other.sqlite"
    )
    seed = int(re.search(r"seed (\d+)", said.out).group(1))
    assert said.code == 0
    assert seed > 1000  # 63 random bits; at most 1000 with probability 1e-16
    assert json.loads(Path("out-fresh/verdicts/demo.good.json").read_text())["seed"] == seed


def test_alpha_is_both_error_rates_and_part_of_the_reproducing_line(inside, whp):
    whp("run", "demo/bad.py", "--alpha", "0.02", "--out", "out-alpha")
    record = json.loads(Path("out-alpha/verdicts/demo.bad.json").read_text())
    assert record["false_fail"] == record["false_pass"] == 0.02
    assert record["command"].endswith("--alpha 0.02")


def test_report_renders_again(inside, whp, tmp_path):
    whp("run", "demo/bad.py", "--out", tmp_path)
    (tmp_path / "report.html").unlink()
    said = whp("report", tmp_path)
    assert said.code == 0
    assert re.search(r"demo\.bad +FAIL", said.out)
    assert "demo.bad" in (tmp_path / "report.html").read_text()


SLOW = """
import time

from whp.claims import Design, Path, Twin, claim, experiment, geometric, rate, symbols

d = symbols("d")


@experiment(standard=Design(Path(d=geometric(10, 160, 5)), trials=(40, 40)))
def measured(p, rng, device):
    time.sleep(0.03)
    return float(p.d)


CLAIM = claim(
    "slow.slow",
    rate(experiment=measured, quantity="Y", bound=d, twins={"half": Twin("square root", bound=d**0.5)}),
    title="Y is d",
    locus="Theorem 1",
)
"""


def trials_in(ledger):
    if not ledger.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM trials").fetchone()[0]
    except sqlite3.OperationalError:  # the tables are not made yet
        return 0


def test_interrupt_keeps_what_was_measured_and_the_same_command_resumes(tmp_path, monkeypatch, whp):
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "slow.py").write_text(SLOW)
    words = ["run", "slow/", "--jobs", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "whp", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CI": "true"},
    )
    ledger = tmp_path / ".whp" / "ledger.sqlite"
    deadline = time.monotonic() + 120
    while trials_in(ledger) == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Interrupted. What was measured is kept; to go on: whp run slow/ --jobs 1" in out
    assert re.search(r"slow\.slow +INCONCLUSIVE", out)
    made = trials_in(ledger)
    assert 0 < made < 200
    monkeypatch.chdir(tmp_path)
    said = whp(*words)
    assert said.code == 0
    assert f"the ledger has {made} trial" in said.out
    assert trials_in(ledger) == 200


def test_an_interrupt_outside_the_measurement_is_said_too(inside, whp, monkeypatch):
    def interrupted(*rest, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "plan_claims", interrupted)
    said = whp("run", "demo/good.py", "--out", "never")
    assert (said.code, said.out, said.err) == (130, "", "whp: interrupted; the same command resumes\n")
    assert not Path("never").exists()


def test_a_terminal_without_unicode_gets_question_marks(inside, whp, monkeypatch):
    whp("run", "demo/blunt.py", "--out", "out-ascii")  # its exponent is negative, with a true minus sign
    bytes_out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_out, encoding="ascii"))
    code = main(["report", "out-ascii"])
    sys.stdout.flush()
    assert code == 0
    assert b" ?0.9" in bytes_out.getvalue() or b" ?1" in bytes_out.getvalue()


def test_a_reader_that_has_seen_enough_is_no_error(inside):
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m whp list demo/ | head -n 1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr == ""
