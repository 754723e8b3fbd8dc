"""Files: whole or not there, the same each time, and one sentence where they cannot be."""

import errno
import json
import os

import jsonschema
import pytest

from whp.errors import OutputError, UsageError
from whp.report import (
    BrokenFile,
    check_writable,
    leftovers,
    load_run,
    load_verdict_records,
    verdict_schema,
    write_records,
    write_report,
)
from whp.report import writer as writer_module


def tree(folder):
    """Every file and its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def few(verdicts):
    return verdicts[1:3] + verdicts[7:9]


def test_files(tmp_path, few, run_info):
    files = write_report(tmp_path / "a" / "b", few, run=run_info, broken=[BrokenFile("x.py", "bad")])
    names = set(tree(files.folder))
    assert names == {
        "report.html", "summary.md", "junit.xml", "verdict.schema.json", "run.json",
        *(f"verdicts/{v.id}.json" for v in few),
    }  # fmt: skip
    for path in files.verdicts:
        jsonschema.validate(json.loads(path.read_text()), verdict_schema())
    assert json.loads(files.schema.read_text()) == verdict_schema()


def test_same_input_same_bytes_in_any_order(tmp_path, few, run_info):
    write_report(tmp_path / "a", few, run=run_info)
    write_report(tmp_path / "b", few[::-1], run=run_info)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_reports_are_made_again_from_the_verdict_files(tmp_path, few, run_info):
    papers = {"hu2020": {"title": "T"}}
    files = write_report(
        tmp_path / "a", few, run=run_info, papers=papers, broken=[BrokenFile("x.py", "bad", 3)]
    )
    records = load_verdict_records(files.folder)
    kept = load_run(files.folder, records, "whp report a")
    write_records(tmp_path / "b", records, run=kept.run, papers=kept.papers, broken=kept.broken)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_what_an_earlier_run_left_is_no_part_of_the_report(tmp_path, few, run_info):
    write_report(tmp_path, few, run=run_info)
    write_report(tmp_path, few[1:3], run=run_info)
    assert len(list((tmp_path / "verdicts").iterdir())) == 4  # nothing is deleted
    kept = sorted(verdict.id for verdict in few[1:3])
    assert sorted(record["id"] for record in load_verdict_records(tmp_path)) == kept
    assert leftovers(tmp_path) == sorted(verdict.id for verdict in (few[0], few[3]))
    # Without the list, or with that of an older version, all count.
    (tmp_path / "run.json").unlink()
    assert len(load_verdict_records(tmp_path)) == 4
    assert leftovers(tmp_path) == []


def test_a_verdict_that_is_listed_and_not_there_is_named(tmp_path, few, run_info):
    files = write_report(tmp_path, few, run=run_info)
    files.verdicts[0].unlink()
    with pytest.raises(UsageError, match=rf"run.json lists, got 'no {files.verdicts[0].stem}'"):
        load_verdict_records(tmp_path)


def test_the_plan_is_kept_with_the_run(tmp_path, few, run_info, planned):
    write_report(tmp_path / "a", few, run=run_info, planned=planned)
    records = load_verdict_records(tmp_path / "a")
    kept = load_run(tmp_path / "a", records, "whp report a")
    assert list(kept.planned) == planned
    write_records(tmp_path / "b", records, run=kept.run, planned=kept.planned)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert "Planned and made" in (tmp_path / "b" / "report.html").read_text()


def test_verdict_files_alone_are_enough(tmp_path, few, run_info):
    files = write_report(tmp_path, few, run=run_info)
    (tmp_path / "run.json").unlink()
    records = load_verdict_records(tmp_path / "verdicts")
    run = load_run(tmp_path, records, "whp report a").run
    assert (run.command, run.profile, run.seed) == ("whp report a", "standard", 7)
    assert run.false_fail == pytest.approx(1e-3 * len(few))
    write_records(tmp_path, records, run=run)
    assert "whp report a" in files.html.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be readable JSON"),
        ("[]", "must be a verdict file"),
        ('{"id": "a.b", "schema": 2}', "schema must be 1, got 2"),
        ('{"id": "a.b", "schema": 1}', "must be complete"),
    ],
)
def test_what_is_no_verdict_is_refused(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_verdict_records(tmp_path)


def test_an_unknown_word_is_refused(tmp_path, few, run_info):
    files = write_report(tmp_path, few, run=run_info)
    record = json.loads(files.verdicts[0].read_text())
    files.verdicts[0].write_text(json.dumps({**record, "verdict": "MAYBE"}))
    with pytest.raises(UsageError, match="verdict must be one of PASS, FAIL, INCONCLUSIVE, got 'MAYBE'"):
        load_verdict_records(tmp_path)


def test_an_empty_folder_and_a_broken_run_file_are_refused(tmp_path, records):
    with pytest.raises(UsageError, match=r"one that holds verdicts/\*\.json"):
        load_verdict_records(tmp_path / "none")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="the facts of a run"):
        load_run(tmp_path, records, "whp report")


def test_an_id_cannot_leave_the_folder(tmp_path, records, run_info):
    with pytest.raises(UsageError, match="claim id must be"):
        write_records(tmp_path / "out", [{**records[1], "id": "../../x"}], run=run_info)
    assert not (tmp_path / "x.json").exists()


def test_an_unwritable_place_is_one_sentence(tmp_path, few, run_info):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputError, match=r"output place must be writable, got .*file") as caught:
            check_writable(out)
        assert "\n" not in str(caught.value)
        with pytest.raises(OutputError):
            write_report(out, few, run=run_info)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_writable_place_is_left_clean(tmp_path):
    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_full_disk_is_found_before_the_run(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer_module.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        check_writable(tmp_path)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path, few, run_info, monkeypatch, error):
    write_report(tmp_path, few, run=run_info)
    before = tree(tmp_path)

    def broken(source, target):
        raise error

    monkeypatch.setattr(os, "replace", broken)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_report(tmp_path, few[:1], run=run_info)
    assert tree(tmp_path) == before
