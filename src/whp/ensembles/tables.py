"""Tables of numbers as regression data: the user's own files, the cached sets, and how they are split."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from whp.ensembles.datasets import (
    TABLES,
    InstalledTable,
    MissingDataError,
    installed,
    missing_text,
    put,
)
from whp.ensembles.regression import Regression
from whp.errors import OutputError, fail, require

Array = npt.NDArray[np.float64]

LEAST_ROWS = 5
"""Fewest rows of a table: each of the parts 40 %, 20 % and 40 % then has one."""

PARTS = (0.4, 0.2, 0.4)
"""Shares of the training, test and validation parts (caron2023, Appendix J)."""


@dataclass(frozen=True)
class Table:
    """Inputs and a target, row by row.

    Attributes
    ----------
    X : ndarray of float64, shape (N, d)
    y : ndarray of float64, shape (N,)
    """

    X: Array
    y: Array

    def __post_init__(self) -> None:
        require(self.X.ndim == 2 and self.X.shape[1] >= 1, "X", "of shape (N, d), d >= 1", self.X.shape)
        require(self.y.shape == self.X.shape[:1], "y", f"of shape {self.X.shape[:1]}", self.y.shape)

    def digest(self) -> str:
        """Return the SHA-256 of shape and numbers, 64 hexadecimal digits."""
        values = np.column_stack([self.X, self.y]).astype("<f8")
        return hashlib.sha256(f"{values.shape}\n".encode() + values.tobytes()).hexdigest()


@dataclass(frozen=True)
class Split:
    """Parts of a table for training, testing, and validation (transfer learning)."""

    train: Regression
    test: Regression
    validation: Regression


def read_table(file: Path | str) -> Table:
    """Read a table: text, a row a line, the last column the target.

    Numbers are separated by white space, commas or semicolons. Empty lines and what follows a ``#`` are
    passed over, and so is a first line that does not begin with a number (names of columns). A file that
    ends in ``.gz`` is unpacked.

    Raises
    ------
    InputError
        If there is no such file or it is not text; if a row is not of numbers, is shorter or longer than the
        first, or has a NaN or an infinity (the line is named); or if there are fewer than five rows or
        two columns.
    """
    path = Path(file)
    require(path.is_file(), "table", "a file", str(path))
    rows: list[list[float]] = []
    for number, words in _lines(path):
        try:
            values = [float(word) for word in words]
        except ValueError:
            if not rows and not _is_number(words[0]):
                continue  # names of the columns
            wrong = next(word for word in words if not _is_number(word))
            fail(f"{path.name}, line {number}", "made of numbers", wrong)
        width = len(rows[0]) if rows else len(values)
        where = f"{path.name}, line {number}"
        require(len(values) == width, where, f"of {width} numbers as the first row", len(values))
        bad = next((value for value in values if not np.isfinite(value)), None)
        require(bad is None, where, "made of finite numbers", bad)
        rows.append(values)
    require(len(rows) >= LEAST_ROWS, path.name, f"a table of at least {LEAST_ROWS} rows", len(rows))
    require(len(rows[0]) >= 2, path.name, "a table of at least two columns", len(rows[0]))
    values_of = np.array(rows)  # (N, d + 1)
    return Table(values_of[:, :-1].copy(), values_of[:, -1].copy())


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and words of every line that has any."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        fail(f"{path.name}", "a readable file of text, packed if it ends in .gz", str(error))
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].strip()
        if not content:
            continue
        separator = next((sign for sign in ",;" if sign in content), None)
        # An empty field between two commas is a missing number: it is kept, and refused as no number.
        yield number, [word.strip() for word in content.split(separator)]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def store_table(name: str, table: Table, source: str) -> InstalledTable:
    """Put a table into the cache under the name of a known set, in place of one of that name.

    Raises
    ------
    InputError
        If the name is unknown, or the numbers of rows and columns are not those of that set.
    OutputError
        If the cache folder cannot be written.
    """
    require(name in TABLES, "table", f"one of {', '.join(TABLES)}", name)
    shape = (len(table.y), table.X.shape[1] + 1)
    rule = "a table of {} rows and {} columns".format(*TABLES[name])
    require(shape == TABLES[name], name, rule, "{} rows and {} columns".format(*shape))
    facts = {"rows": shape[0], "columns": shape[1], "source": source, "digest": table.digest()}
    put(name, {"X": table.X, "y": table.y}, facts)
    found = installed(name)
    if not isinstance(found, InstalledTable):
        fail(f"data set {name}", "readable after it was written", found, OutputError)
    return found


def load_table(name: str) -> Table:
    """Open a table of the cache.

    Raises
    ------
    MissingDataError
        If it is not there; the message says how to get it.
    InputError
        If the name is not that of a table.
    """
    require(name in TABLES, "table", f"one of {', '.join(TABLES)}", name)
    found = installed(name)
    if not isinstance(found, InstalledTable):
        fail(f"data set {name}", "fetched before it is used", missing_text([name]), MissingDataError)
    return _open(found)


@lru_cache(maxsize=4)
def _open(found: InstalledTable) -> Table:
    return Table(np.load(found.folder / "X.npy"), np.load(found.folder / "y.npy"))


def split(rng: np.random.Generator, table: Table) -> Split:
    """Split a table at random into 40 % for training, 20 % for tests and 40 % for validation.

    Columns and target are brought to mean 0 and variance 1, and rows are then divided by the largest norm;
    means, variances and that norm are those of the training part, and a row outside it that is longer is
    shortened to norm one. So all norms are at most 1, as Assumption 2.1 (a) asks. A column that is constant
    in the training part becomes zero.

    Parameters
    ----------
    rng : Generator
    table : Table
        The rows of each part come in random order: the first of them are a random choice.

    Raises
    ------
    InputError
        If there are fewer than five rows, or the target or all inputs are constant in the training part.

    Notes
    -----
    Source: caron2023, Appendix J, "Regression" for the shares; the scaling is a choice that the paper
    leaves open.
    """
    count = len(table.y)
    require(count >= LEAST_ROWS, "table", f"of at least {LEAST_ROWS} rows", count)
    order = rng.permutation(count)
    first = round(PARTS[0] * count)
    second = first + max(round(PARTS[1] * count), 1)
    places = order[:first], order[first:second], order[second:]
    X, y = (_standard(values, places[0]) for values in (table.X, table.y))
    require(bool(np.any(y[places[0]])), "target", "different in some training rows", float(table.y[order[0]]))
    norms = np.linalg.norm(X, axis=1)  # (N,)
    largest = norms[places[0]].max()
    require(bool(largest > 0), "inputs", "different in some training rows", "equal rows")
    X /= np.maximum(norms, largest)[:, None]
    train, test, validation = (Regression(torch.from_numpy(X[p]), torch.from_numpy(y[p])) for p in places)
    return Split(train, test, validation)


def _standard(values: Array, train: npt.NDArray[np.int64]) -> Array:
    """Mean 0 and variance 1 over the training rows; zero where they are constant."""
    own = values[train]
    spread = own.std(axis=0)
    flat = own.max(axis=0) == own.min(axis=0)
    scaled: Array = np.where(flat, 0.0, (values - own.mean(axis=0)) / np.where(flat, 1.0, spread))
    return scaled
