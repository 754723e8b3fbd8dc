"""The ledger keeps every trial exactly, and never harms a file that is not its own."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from pathlib import Path

import pytest

from whp.claims import Status, TrialResult
from whp.engine import ledger as module
from whp.engine.ledger import APPLICATION_ID, Ledger, Stream
from whp.errors import LedgerError

STREAM = Stream("f" * 64, "toy.value", 2**70, "float64", "cpu")
POINT = '{"d":4}'


def rows(count: int, stream: Stream = STREAM, start: int = 0):
    return [
        (stream, POINT, trial, TrialResult(Status.OK, {"value": math.sqrt(trial)}, 0.1))
        for trial in range(start, start + count)
    ]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "made" / "ledger.sqlite"


def test_a_trial_comes_back_exactly(path):
    hard = TrialResult(
        Status.OK, {"a": 0.1 + 0.2, "b": 5e-324, "c": -1.7976931348623157e308}, 1 / 3, "", {"n": "é"}
    )
    failed = TrialResult(Status.TIMEOUT, {}, 2.0, "stopped at its time limit of 2 s")
    with Ledger(path) as ledger:
        ledger.put_many([(STREAM, POINT, 0, hard), (STREAM, POINT, 7, failed)])
    with Ledger(path) as ledger:
        assert ledger.load(STREAM) == {(POINT, 0): hard, (POINT, 7): failed}
        assert ledger.get(STREAM, POINT, 7) == failed
        assert ledger.get(STREAM, POINT, 1) is None
        assert ledger.counts() == {"toy.value": {"ok": 1, "timeout": 1}}


@pytest.mark.parametrize(
    "change",
    [{"fingerprint": "0"}, {"experiment": "x"}, {"seed": 1}, {"dtype": "float32"}, {"device": "cuda"}],
)
def test_every_part_of_the_key_counts(path, change):
    with Ledger(path) as ledger:
        ledger.put_many(rows(1))
        assert ledger.load(dataclasses.replace(STREAM, **change)) == {}
        assert len(ledger.load(STREAM)) == 1


def test_the_first_measurement_stays(path):
    with Ledger(path) as ledger:
        ledger.put_many(rows(1))
        ledger.put_many([(STREAM, POINT, 0, TrialResult(Status.OK, {"value": 99.0}))])
        assert ledger.load(STREAM)[POINT, 0].statistics == {"value": 0.0}


def test_rows_are_committed_in_batches(path, monkeypatch):
    monkeypatch.setattr(module, "INTERVAL", 1e9)
    with Ledger(path) as ledger, Ledger(path) as other:
        ledger.put_many(rows(3))
        assert other.load(STREAM) == {}
        ledger.put_many(rows(module.BATCH, start=3))
        assert len(other.load(STREAM)) == module.BATCH + 3
        ledger.put_many(rows(1, start=9999))
        monkeypatch.setattr(module, "INTERVAL", 0.0)
        ledger.tick()
        assert len(other.load(STREAM)) == module.BATCH + 4


def test_merge_unites_by_key_and_leaves_the_other_as_it_is(path, tmp_path):
    other = tmp_path / "other.sqlite"
    elsewhere = Stream("0" * 64, "toy.value", 1, "float64", "cpu")
    with Ledger(other) as ledger:
        ledger.put_many(rows(6) + rows(2, elsewhere))
    before = other.read_bytes()
    with Ledger(path) as ledger:
        ledger.put_many(rows(4, start=3))
        assert ledger.merge(other) == 5  # trials 0, 1, 2 and two of the other stream
        assert ledger.merge(other) == 0
        assert len(ledger.load(STREAM)) == 7
        assert ledger.timings(STREAM.fingerprint, "cpu") == {POINT: pytest.approx(0.1)}
        with pytest.raises(LedgerError, match="must be an existing file"):
            ledger.merge(tmp_path / "none")
    assert other.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "other.sqlite"]


def text_file(path: Path) -> None:
    path.write_text("these are my notes, not a database\n" * 50)


def truncated(path: Path) -> None:
    sound(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrambled(path: Path) -> None:
    sound(path)
    data = bytearray(path.read_bytes())
    data[4096 : 4096 + 3000] = b"\xff" * 3000
    path.write_bytes(bytes(data))


def newer(path: Path) -> None:
    sound(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photographs (id)")
    connection.close()


def tableless(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 5")
    connection.close()


def gutted(path: Path) -> None:
    sound(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE trials")
    connection.close()


def sound(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.put_many(rows(400))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (text_file, "must be an SQLite database made by whp"),
        (truncated, "must be intact"),
        (scrambled, "must be intact"),
        (newer, "schema must be at most 1 .* got 99"),
        (foreign, "another program's database"),
        (tableless, "another program's database"),
    ],
)
def test_a_wrong_file_is_refused_and_left_untouched(tmp_path, make, sentence):
    file = tmp_path / "ledger.sqlite"
    make(file)
    before, beside = file.read_bytes(), sorted(tmp_path.iterdir())
    stamp = file.stat().st_mtime_ns
    with pytest.raises(LedgerError, match=sentence) as caught:
        Ledger(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == before
    assert file.stat().st_mtime_ns == stamp
    assert sorted(tmp_path.iterdir()) == beside


def test_missing_tables_are_corruption_not_a_full_disk(tmp_path):
    file = tmp_path / "ledger.sqlite"
    gutted(file)
    with Ledger(file) as ledger, pytest.raises(LedgerError, match="must be intact"):
        ledger.load(STREAM)


def test_unreadable_statistics_are_corruption(path):
    with Ledger(path) as ledger:
        ledger.put_many(rows(1))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE trials SET statistics = '{'")
    connection.close()
    with Ledger(path) as ledger, pytest.raises(LedgerError, match="must be intact"):
        ledger.load(STREAM)


def test_an_empty_file_becomes_a_ledger(tmp_path):
    file = tmp_path / "ledger.sqlite"
    file.touch()
    sound(file)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()


def test_unwritable_places_are_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "ledger.sqlite", tmp_path, Path("/proc/ledger.sqlite")):
        with pytest.raises(LedgerError, match="ledger must be") as caught:
            Ledger(place)
        assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_sentence_and_loses_nothing_committed(path):
    with Ledger(path) as ledger:
        ledger.put_many(rows(10))
        ledger.flush()
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        ledger.put_many(rows(400, start=10))
        with pytest.raises(LedgerError, match="with space left"):
            ledger.flush()
        ledger._connection.execute("PRAGMA max_page_count = 1000000")  # space was made
        ledger.flush()
        assert len(ledger.load(STREAM)) == 410


def test_a_ledger_in_use_is_said_to_be(path):
    sound(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Ledger(path) as ledger:
        ledger._connection.execute("PRAGMA busy_timeout = 50")
        ledger.put_many(rows(1, start=900))
        with pytest.raises(LedgerError, match="must be free"):
            ledger.flush()
        holder.execute("ROLLBACK")
        holder.close()


def test_commits_of_a_killed_run_are_in_the_log_and_are_read(tmp_path):
    """The -wal file of a killed coordinator belongs to the ledger; a check alone leaves both as they are."""
    live = tmp_path / "live.sqlite"
    with Ledger(live) as ledger:
        ledger.put_many(rows(5))
        ledger.flush()
        killed = tmp_path / "killed.sqlite"
        for suffix in ("", "-wal"):
            source = live.with_name(live.name + suffix)
            killed.with_name(killed.name + suffix).write_bytes(source.read_bytes())
    log = killed.with_name("killed.sqlite-wal")
    assert log.stat().st_size > 0
    before = killed.read_bytes(), log.read_bytes()
    module.check_file(killed)
    assert (killed.read_bytes(), log.read_bytes()) == before
    with Ledger(killed) as ledger:
        assert len(ledger.load(STREAM)) == 5


def test_an_older_schema_is_migrated_and_a_failed_step_changes_nothing(path, monkeypatch):
    sound(path)

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE trials ADD COLUMN host TEXT NOT NULL DEFAULT ''")

    def fail(connection: sqlite3.Connection) -> None:
        add_column(connection)
        raise sqlite3.OperationalError("stop")

    monkeypatch.setattr(module, "MIGRATIONS", [*module.MIGRATIONS, fail])
    with pytest.raises(LedgerError):
        Ledger(path)
    monkeypatch.setattr(module, "MIGRATIONS", [module.MIGRATIONS[0], add_column])
    with Ledger(path) as ledger:
        assert ledger._connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert ledger._connection.execute("SELECT count(host) FROM trials").fetchone() == (400,)
        assert len(ledger.load(STREAM)) == 400
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="too old"):
        Ledger(path)


def test_timings_leave_out_the_slowest_of_several(path):
    with Ledger(path) as ledger:
        for trial, seconds in enumerate([5.0, 1.0, 2.0]):
            ledger.put_many([(STREAM, POINT, trial, TrialResult(Status.OK, {"value": 1.0}, seconds))])
        ledger.put_many([(STREAM, "{}", 0, TrialResult(Status.OK, {"value": 1.0}, 4.0))])
        ledger.flush()
        assert ledger.timings(STREAM.fingerprint, "cpu") == {POINT: 1.5, "{}": 4.0}
        assert ledger.timings("0", "cpu") == {}
