"""The store of all trials ever measured: one SQLite file.

A trial is kept under its key: fingerprint, experiment, root seed, dtype, device
class, point, trial index. Only the coordinator writes. Rows are committed in
batches, so ``kill -9`` at any moment loses only what was measured within the
last second.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from whp.claims.experiment import Status, TrialResult
from whp.errors import LedgerError

APPLICATION_ID = 0x77687031  # "whp1"
BATCH = 500
INTERVAL = 1.0  # seconds between commits


@dataclass(frozen=True)
class Stream:
    """What the trials of one experiment share: all of the key but point and trial."""

    fingerprint: str
    experiment: str
    seed: int
    dtype: str
    device: str


Row = tuple[Stream, str, int, TrialResult]
"""Stream, point key, trial index, outcome."""


def _create(connection: sqlite3.Connection) -> None:
    """Schema 1."""
    connection.execute(
        "CREATE TABLE streams (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, experiment TEXT NOT NULL,"
        " seed TEXT NOT NULL, dtype TEXT NOT NULL, device TEXT NOT NULL, point TEXT NOT NULL,"
        " UNIQUE (fingerprint, experiment, seed, dtype, device, point))"
    )
    connection.execute(
        "CREATE TABLE trials (stream INTEGER NOT NULL REFERENCES streams (id), trial INTEGER NOT NULL,"
        " status TEXT NOT NULL, statistics TEXT NOT NULL, notes TEXT NOT NULL, seconds REAL NOT NULL,"
        " message TEXT NOT NULL, PRIMARY KEY (stream, trial)) WITHOUT ROWID"
    )


# MIGRATIONS[v] brings a ledger from schema v to v + 1; the newest schema is their number.
MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [_create]


class Ledger:
    """An open ledger; a context manager.

    Parameters
    ----------
    path : Path
        Created, with its folder, if it is not there.

    Raises
    ------
    LedgerError
        If the file is no ledger, is another application's database, is from a
        newer schema, is corrupt, or cannot be written. In the first four cases
        it is left untouched, byte for byte.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_file(path)
        self._buffer: list[Row] = []
        self._flushed = time.monotonic()
        with _sentences(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        try:
            with _sentences(path):
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                migrate(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is waiting and close."""
        try:
            self.flush()
        finally:
            self._connection.close()

    def load(self, stream: Stream) -> dict[tuple[str, int], TrialResult]:
        """Return all trials of a stream, by point key and trial index."""
        query = (
            "SELECT point, trial, status, statistics, seconds, message, notes FROM streams JOIN trials"
            " ON stream = id"
            " WHERE fingerprint = ? AND experiment = ? AND seed = ? AND dtype = ? AND device = ?"
        )
        self.flush()
        with _sentences(self.path):
            rows = self._connection.execute(query, _columns(stream)).fetchall()
        return {(point, trial): self._result(*rest) for point, trial, *rest in rows}

    def seeds(self, stream: Stream) -> list[int]:
        """Return the root seeds under which the same experiment was measured, the most trials first."""
        query = (
            "SELECT seed FROM streams JOIN trials ON stream = id WHERE fingerprint = ? AND experiment = ?"
            " AND dtype = ? AND device = ? GROUP BY seed ORDER BY count(*) DESC, seed"
        )
        key = (stream.fingerprint, stream.experiment, stream.dtype, stream.device)
        with _sentences(self.path):
            return [int(seed) for (seed,) in self._connection.execute(query, key).fetchall()]

    def get(self, stream: Stream, point: str, trial: int) -> TrialResult | None:
        """Return one trial, or None."""
        return self.load(stream).get((point, trial))

    def put_many(self, rows: Iterable[Row]) -> None:
        """Add trials; one whose key is there already is left as it was first measured."""
        self._buffer.extend(rows)
        self.tick()

    def tick(self) -> None:
        """Commit if enough is waiting, or has waited long enough; call it now and then."""
        if len(self._buffer) >= BATCH or time.monotonic() - self._flushed >= INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Commit what is waiting."""
        self._flushed = time.monotonic()
        if not self._buffer:
            return
        with _sentences(self.path), _transaction(self._connection):
            _insert(self._connection, self._buffer)
        self._buffer.clear()

    def merge(self, other: Path) -> int:
        """Add the trials of another ledger, which stays as it is; return how many were new.

        A trial that both have is kept as it is here.
        """
        if not other.is_file():
            raise LedgerError(f"ledger must be an existing file, got {str(other)!r}")
        check_file(other)
        self.flush()
        memory = sqlite3.connect(":memory:", isolation_level=None)
        try:
            with _sentences(other):
                source = sqlite3.connect(_uri(other), uri=True)
                try:
                    source.backup(memory)
                finally:
                    source.close()
                migrate(memory)  # the copy, not the file
                rows = [
                    (Stream(fp, experiment, int(seed), dtype, device), point, trial, self._result(*rest))
                    for fp, experiment, seed, dtype, device, point, trial, *rest in memory.execute(
                        "SELECT fingerprint, experiment, seed, dtype, device, point, trial, status,"
                        " statistics, seconds, message, notes FROM streams JOIN trials ON stream = id"
                    )
                ]
        finally:
            memory.close()
        before = self._total()
        with _sentences(self.path), _transaction(self._connection):
            _insert(self._connection, rows)
        return self._total() - before

    def counts(self) -> dict[str, dict[str, int]]:
        """How many trials of each status every experiment has."""
        self.flush()
        query = "SELECT experiment, status, count(*) FROM streams JOIN trials ON stream = id GROUP BY 1, 2"
        found: dict[str, dict[str, int]] = {}
        with _sentences(self.path):
            for experiment, status, count in self._connection.execute(query + " ORDER BY 1, 2"):
                found.setdefault(experiment, {})[status] = count
        return found

    def timings(self, fingerprint: str, device: str) -> dict[str, float]:
        """Mean seconds of a trial at each point that was ever measured, over all seeds.

        Of several the slowest is left out: the first in a process imports and compiles.
        """
        query = (
            "SELECT point, CASE count(*) WHEN 1 THEN sum(seconds)"
            " ELSE (sum(seconds) - max(seconds)) / (count(*) - 1) END"
            " FROM streams JOIN trials ON stream = id WHERE fingerprint = ? AND device = ? GROUP BY point"
        )
        with _sentences(self.path):
            return dict(self._connection.execute(query, (fingerprint, device)).fetchall())

    def _total(self) -> int:
        with _sentences(self.path):
            return int(self._connection.execute("SELECT count(*) FROM trials").fetchone()[0])

    def _result(self, status: str, statistics: str, seconds: float, message: str, notes: str) -> TrialResult:
        try:
            return TrialResult(Status(status), json.loads(statistics), seconds, message, json.loads(notes))
        except ValueError as error:
            raise _corrupt(self.path, error) from error


def check_file(path: Path) -> None:
    """Require that a file, if there is one, is a sound ledger of this or an older schema.

    The file is opened for reading only, and nothing is left beside it.

    Raises
    ------
    LedgerError
        If it is not.
    """
    if path.is_dir():
        raise LedgerError(f"ledger must be a file, got the folder {str(path)!r}")
    with _sentences(path):
        if not path.exists() or path.stat().st_size == 0:
            return
        with path.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise LedgerError(f"ledger must be an SQLite database made by whp, got {str(path)!r}")
        connection = sqlite3.connect(_uri(path), uri=True, timeout=30.0)
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if application != APPLICATION_ID and (application or schema or tables):
                raise LedgerError(f"ledger must be made by whp, got another program's database {str(path)!r}")
            if schema > len(MIGRATIONS):
                raise LedgerError(
                    f"ledger schema must be at most {len(MIGRATIONS)} (this whp is too old for the file),"
                    f" got {schema} in {str(path)!r}"
                )
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if answer != "ok":
                raise _corrupt(path, answer)
        finally:
            connection.close()


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an empty or older database to the newest schema, in one transaction."""
    if connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),):
        return
    with _transaction(connection):
        (schema,) = connection.execute("PRAGMA user_version").fetchone()  # of two runs, one does the work
        for step in MIGRATIONS[schema:]:
            step(connection)
        if schema < len(MIGRATIONS):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _uri(path: Path) -> str:
    """Open for reading only.

    ``immutable`` keeps SQLite from making -wal and -shm files. Where a -wal
    file holds the last commits of a killed run, it must be read too; then they
    are there already.
    """
    wal = path.with_name(path.name + "-wal")
    live = wal.exists() and wal.stat().st_size > 0
    return f"file:{quote(str(path.resolve()))}?mode=ro" + ("" if live else "&immutable=1")


def _columns(stream: Stream) -> tuple[str, ...]:
    """The seed is text: SQLite's integers end at 64 bits, seeds do not."""
    return (stream.fingerprint, stream.experiment, str(stream.seed), stream.dtype, stream.device)


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    places = dict.fromkeys((*_columns(stream), point) for stream, point, _, _ in rows)
    connection.executemany(
        "INSERT OR IGNORE INTO streams (fingerprint, experiment, seed, dtype, device, point)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        list(places),
    )
    query = (
        "SELECT id FROM streams WHERE fingerprint = ? AND experiment = ? AND seed = ? AND dtype = ?"
        " AND device = ? AND point = ?"
    )
    ids = {place: connection.execute(query, place).fetchone()[0] for place in places}
    connection.executemany(
        "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                ids[(*_columns(stream), point)],
                trial,
                result.status.value,
                json.dumps(dict(result.statistics)),  # repr of a float: read back exactly
                json.dumps(dict(result.notes)),
                result.seconds,
                result.message,
            )
            for stream, point, trial, result in rows
        ],
    )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _corrupt(path: Path, reason: object) -> LedgerError:
    reason = " ".join(str(reason).split())
    return LedgerError(f"ledger must be intact, got the corrupt file {str(path)!r} ({reason})")


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into one sentence."""
    try:
        yield
    except OSError as error:
        raise LedgerError(f"ledger must be readable and writable, got {str(path)!r} ({error})") from error
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "").split("_")
        if "BUSY" in name or "LOCKED" in name:
            rule = "free (another run is writing to it)"
        elif {"FULL", "READONLY", "CANTOPEN", "IOERR", "PERM"} & set(name):
            rule = "readable and writable, on a disk with space left"
        else:
            raise _corrupt(path, error) from error
        raise LedgerError(f"ledger must be {rule}, got {str(path)!r} ({error})") from error
