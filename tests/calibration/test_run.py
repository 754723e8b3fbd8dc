"""A run: batches kept in the ledger, the same numbers in any order, well-formed outputs, the exit code."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from whp.calibration import study
from whp.calibration.outputs import write_calibration
from whp.calibration.run import calibrate
from whp.calibration.study import Standing, StudyCell, select_cells
from whp.calibration.table import calibration_record, render_table
from whp.cli import main
from whp.engine.fingerprint import module_digest
from whp.errors import LedgerError, UsageError
from whp.options import Exit
from whp.stats import sequences


def cell(name="coin", p=0.02, nominal=0.05, guarantee="exact", study="sequences", **changes):
    def simulate(rng: np.random.Generator, count: int) -> dict[str, float]:
        return {"event": float(np.sum(rng.random(count) < p)), "size": float(rng.random(count).sum())}

    fields = {"count": 1000, "quick_count": 500, "batch": 100, "facts": {"group": "coins", "noise": name}}
    return StudyCell(study, name, simulate, {"event": nominal}, guarantee, **{**fields, **changes})


CELLS = [
    cell(),
    cell("loaded", p=0.3, guarantee="asymptotic"),
    cell("broken", p=0.5, guarantee="none", facts={"group": "others", "n": 2.5}),
]


def record_of(calibration):
    made = calibration_record(calibration, command="whp calibrate", started="now", environment={"cpu": "a_b"})
    return {
        **made,
        "seconds": 0.0,
        "batches": {"measured": 1, "reused": 0},
        "cells": [{**c, "seconds": 0.0} for c in made["cells"]],
    }


class TestResumption:
    def test_a_killed_run_resumes_to_the_same_table(self, tmp_path):
        whole = calibrate(CELLS, ledger_path=tmp_path / "whole.sqlite")
        assert (whole.measured, whole.reused) == (15, 0)

        def kill(done, total):
            if done == 7:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            calibrate(CELLS, ledger_path=tmp_path / "killed.sqlite", on_batch=kill)
        resumed = calibrate(CELLS, ledger_path=tmp_path / "killed.sqlite")
        assert (resumed.measured, resumed.reused) == (8, 7)
        assert record_of(resumed) == record_of(whole)
        assert render_table(record_of(resumed)) == render_table(record_of(whole))

    def test_a_rerun_simulates_nothing_and_full_goes_on_from_quick(self, tmp_path):
        path = tmp_path / "ledger.sqlite"
        calibrate(CELLS[:1], ledger_path=path)
        again = calibrate(CELLS[:1], ledger_path=path)
        assert (again.measured, again.reused) == (0, 5)
        full = calibrate(CELLS[:1], profile="full", ledger_path=path)
        assert (full.measured, full.reused) == (5, 5)
        other = calibrate(CELLS[:1], seed=1, ledger_path=path)
        assert other.measured == 5
        assert other.results[0].means != again.results[0].means

    def test_an_error_names_no_result(self, tmp_path):
        def simulate(rng, count):
            raise LedgerError("out of paper")

        broken = StudyCell("sequences", "broken", simulate, {}, "none", 10, 10, 10)
        with pytest.raises(LedgerError, match="out of paper"):
            calibrate([broken], ledger_path=tmp_path / "ledger.sqlite")

    @pytest.mark.parametrize("options", [{"profile": "standard"}, {"jobs": 0}, {"seed": -1}, {"cells": []}])
    def test_options(self, tmp_path, options):
        with pytest.raises(UsageError, match="must be"):
            calibrate(**{"cells": CELLS, "ledger_path": tmp_path / "ledger.sqlite", **options})


class TestStanding:
    """Coins with a fair margin: any other standing has a probability below 1e-9."""

    @pytest.mark.parametrize(
        ("cells", "standing"),
        [
            ([cell(p=0.01)], Standing.HOLDS),
            ([cell(p=0.01), cell("loaded", p=0.3, guarantee="asymptotic")], Standing.HOLDS),
            ([cell(p=0.01), cell("loaded", p=0.3)], Standing.EXCEEDS),
            ([cell(p=0.01), cell("few", p=0.0, batch=10, quick_count=10)], Standing.OPEN),
            ([cell("few", p=0.0, batch=10, quick_count=10), cell("loaded", p=0.3)], Standing.EXCEEDS),
        ],
    )
    def test_standing(self, tmp_path, cells, standing):
        made = calibrate(cells, ledger_path=tmp_path / "ledger.sqlite")
        assert made.standing is standing

    def test_worst(self, tmp_path):
        cells = [cell("low", p=0.1), cell("high", p=0.5), cell("other", p=0.9, guarantee="none")]
        made = calibrate(cells, ledger_path=tmp_path / "ledger.sqlite")
        worst, rate = made.worst("exact")
        assert worst.name == "high"
        assert rate.ratio == pytest.approx(10, rel=0.5)
        assert made.worst("asymptotic") is None


class TestOutputs:
    @pytest.fixture
    def files(self, tmp_path):
        record = record_of(calibrate(CELLS, ledger_path=tmp_path / "ledger.sqlite"))
        return write_calibration(tmp_path / "out", record)

    def test_json(self, files):
        record = json.loads(files.record.read_text())
        assert [c["name"] for c in record["cells"]] == ["coin", "loaded", "broken"]
        assert record["worst"]["asymptotic"]["name"] == "loaded"
        (rate,) = record["cells"][0]["rates"]
        assert rate["low"] <= rate["rate"] == rate["hits"] / rate["count"] <= rate["high"]

    def test_table(self, files):
        text = files.table.read_text()
        assert "Every one of the 1 rates that are claimed to be exact holds" in text
        assert "Worst of the cells whose rule claims its rate asymptotically: loaded (sequences)" in text
        assert "a\\_b" in text
        for block in text.split("\n\n"):
            lines = [line for line in block.splitlines() if line.startswith("|")]
            assert len({line.count("|") for line in lines}) <= 1
        assert text.count("**") == 6  # in the key, and the two rates that are exceeded

    def test_figure(self, files):
        root = ElementTree.fromstring(files.figure.read_text())
        assert root.tag.endswith("svg")
        assert "3 measured error rates" in root.attrib["aria-label"]
        assert "rules that claim an exact rate" in files.figure.read_text()


def test_workers_make_the_same_numbers(tmp_path):
    few = [cell for cell in select_cells(["sequences"]) if cell.quick_count and "betting" in cell.name]
    made = [calibrate(few, jobs=jobs, ledger_path=tmp_path / f"{jobs}.sqlite") for jobs in (1, 2)]
    assert made[0].results[0].rates == made[1].results[0].rates


class TestCommand:
    def run(self, tmp_path, *more):
        ledger, out = tmp_path / "ledger.sqlite", tmp_path / "out"
        code = main(["calibrate", "--jobs", "1", "--ledger", str(ledger), "--out", str(out), *more])
        return code, json.loads((out / "calibration.json").read_text())

    @pytest.mark.parametrize(
        ("cells", "code"),
        [
            ([cell(p=0.01)], Exit.PASS),
            ([cell(p=0.3)], Exit.FAIL),
            ([cell(p=0.0, batch=10, quick_count=10)], Exit.INCONCLUSIVE),
        ],
    )
    def test_exit_codes(self, tmp_path, monkeypatch, capsys, cells, code):
        monkeypatch.setattr(study, "select_cells", lambda studies: cells)
        given, record = self.run(tmp_path)
        assert given == code
        assert record["command"].startswith("whp calibrate --jobs 1")
        assert "Worst of the cells whose rule claims an exact rate: coin" in capsys.readouterr().out

    def test_a_wrong_rule_fails_the_command(self, tmp_path, monkeypatch, capsys):
        """Half of the half width: the t-sequence then misses in far more than 5 % of 2,000 claims."""
        few = [c for c in select_cells(["sequences"]) if c.name.startswith("t-sequence; normal")]
        monkeypatch.setattr(study, "select_cells", lambda studies: few)
        whole = sequences.t_half_width_factor
        monkeypatch.setattr(sequences, "t_half_width_factor", lambda n, a, c: whole(n, a, c) / 2)
        code, record = self.run(tmp_path, "--study", "sequences")
        assert code == Exit.FAIL
        assert record["standing"] == "exceeds"
        assert "EXCEEDED" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "options", [("--study", "divination"), ("--profile", "standard"), ("--jobs", "0"), ("--seed", "-1")]
    )
    def test_mistakes(self, tmp_path, options, capsys):
        arguments = ["calibrate", "--out", str(tmp_path), "--ledger", str(tmp_path / "l.sqlite"), *options]
        assert main(arguments) == Exit.USAGE
        assert "must be" in capsys.readouterr().err


def test_module_digest_covers_what_is_imported(tmp_path):
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("from .b import x\n")
    b.write_text("x = 1\n")
    before = module_digest(a)
    b.write_text('"""A docstring."""\nx = 1  # a comment\n')
    assert module_digest(a) == before
    b.write_text("x = 2\n")
    assert module_digest(a) != before
