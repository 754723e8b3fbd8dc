"""``whp run --by-paper``: a run of each paper, by the same workers."""

from __future__ import annotations

import json

import pytest
from tests.doors.conftest import CLAIMS, HEAD

from whp.engine import executors
from whp.engine.discovery import as_typed, resolve
from whp.options import Exit


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """Two folders with a claim each, of which the second FAILs."""
    monkeypatch.chdir(tmp_path)
    for folder, name in (("one", "good"), ("two", "bad")):
        (tmp_path / folder).mkdir()
        text = (HEAD.format(doc=name) + CLAIMS[name]).replace(f"demo.{name}", f"{folder}.{name}")
        (tmp_path / folder / f"{name}.py").write_text(text)
    return tmp_path


def verdict(folder, id):
    return json.loads((folder / "verdicts" / f"{id}.json").read_text())


def test_each_paper_has_its_budget_and_its_report_and_the_workers_are_shared(papers, whp, monkeypatch):
    started = []
    start = executors.LocalProcesses.__init__
    monkeypatch.setattr(
        executors.LocalProcesses, "__init__", lambda self, jobs: started.append(jobs) or start(self, jobs)
    )
    said = whp("run", "one/", "two/", "--by-paper", "--jobs", "1", "--out", "reports/all")
    assert said.code == Exit.FAIL
    assert started == [1]
    reports = papers / "reports"
    assert sorted(folder.name for folder in reports.iterdir()) == ["all-one", "all-two"]
    assert said.out.count("Report: ") == 2
    run = json.loads((reports / "all-two" / "run.json").read_text())
    assert run["claims"] == ["two.bad"]

    # What is in the ledger takes no workers, and the verdicts are those of runs of their own.
    alone = whp("run", "two/", "--jobs", "1", "--out", "reports/alone")
    together = whp("run", "one/", "two/", "--jobs", "1", "--out", "reports/together")
    assert (alone.code, together.code, started) == (Exit.FAIL, Exit.FAIL, [1])
    assert verdict(reports / "alone", "two.bad") == verdict(reports / "all-two", "two.bad")
    rates = [verdict(reports / name, "two.bad")["false_fail"] for name in ("all-two", "together")]
    assert rates[0] == pytest.approx(2 * rates[1])


def test_a_mistake_in_one_paper_does_not_keep_the_other_from_its_run(papers, whp):
    (papers / "one" / "worse.py").write_text("1 / 0\n")
    said = whp("run", "two/", "one/", "--by-paper", "--jobs", "1", "--out", "reports/all")
    assert said.code == Exit.FAIL
    assert "worse.py, line 1: ZeroDivisionError" in said.err
    reports = [line for line in said.out.splitlines() if line.startswith("Report: ")]
    assert reports == [f"Report: reports/all-{name}/report.html" for name in ("two", "one")]  # as typed


def test_papers_run_in_the_order_in_which_words_first_name_them():
    words = ["hu2020.thm_c_2", "arora2019", "hu2020.prop_*"]
    found, claims = resolve(words)
    typed = as_typed(found, claims, words)
    assert list(dict.fromkeys(claim.paper for claim in claims)) == ["arora2019", "hu2020"]
    assert list(dict.fromkeys(claim.paper for claim in typed)) == ["hu2020", "arora2019"]
    assert sorted(claim.id for claim in typed) == sorted(claim.id for claim in claims)
    assert as_typed(found, claims, []) == claims
