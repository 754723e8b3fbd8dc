"""Real data: what is in the user's cache folder, and two-class samples of images as regression data.

Tables are in the same cache; ``whp.ensembles.tables`` reads, stores and splits them.

Nothing here touches the network: `whp data fetch` puts data into the cache (`whp.ensembles.fetching`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from whp.errors import InputError, OutputError, fail, require
from whp.machine import user_cache_folder

Bytes = npt.NDArray[np.uint8]

SHAPES = {"cifar10": (32, 32, 3), "mnist": (28, 28, 1)}
"""Height, width and colours of an image of each data set that is known by name."""

CLASSES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "mnist": tuple("0123456789"),
}
"""What the labels 0 to 9 stand for."""

TABLES = {"concrete": (1030, 9), "energy": (768, 9), "airfoil": (1503, 6), "plant": (9568, 5)}
"""Rows and columns, the last one the target, of each table that is known by name."""

NAMES = (*SHAPES, *TABLES)
"""All data sets that are known by name."""

FOLDER_VARIABLE = "WHP_DATA"


class MissingDataError(InputError):
    """A data set is asked for that is not in the cache folder."""


@dataclass(frozen=True)
class ImageSet:
    """Labelled images; the first ``train`` of them are the training part.

    Attributes
    ----------
    images : array of uint8, shape (N, height, width, colours)
    labels : array of uint8, shape (N,)
        From 0 to 9; `CLASSES` has their names.
    train : int
        The others are the test part.
    """

    images: Bytes
    labels: Bytes
    train: int

    def __post_init__(self) -> None:
        for name, array in (("images", self.images), ("labels", self.labels)):
            require(array.dtype == np.uint8, name, "of uint8", array.dtype)
        require(self.images.ndim == 4, "images", "of shape (N, height, width, colours)", self.images.shape)
        shape = (len(self.images),)
        require(self.labels.shape == shape, "labels", f"of shape {shape}", self.labels.shape)
        require(0 < self.train < len(self.labels), "train", "between 1 and N - 1", self.train)
        require(int(self.labels.max()) <= 9, "labels", "from 0 to 9", int(self.labels.max()))

    def digest(self) -> str:
        """Return the SHA-256 of shape, split, labels and pixels, 64 hexadecimal digits."""
        found = hashlib.sha256(f"{self.images.shape} {self.train}\n".encode())
        found.update(np.ascontiguousarray(self.labels).data)
        found.update(np.ascontiguousarray(self.images).data)
        return found.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What is known of a data set in the cache without reading it."""

    name: str
    folder: Path
    source: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class InstalledImages(Installed):
    """Images, the first ``train`` of them for training."""

    images: int
    train: int

    @property
    def contents(self) -> str:
        """How much there is, in words."""
        return f"{self.images} images"


@dataclass(frozen=True, kw_only=True)
class InstalledTable(Installed):
    """Rows of numbers, the last of each the target."""

    rows: int
    columns: int

    @property
    def contents(self) -> str:
        """How much there is, in words."""
        return f"{self.rows} rows of {self.columns} numbers"


def cache_folder() -> Path:
    """The folder of all data sets: ``$WHP_DATA``, else ``whp`` in the user's cache folder of the system."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen)
    return user_cache_folder()


def require_known(name: str) -> None:
    """Require the name of a data set.

    Raises
    ------
    InputError
        If there is none of that name; the message lists the names.
    """
    require(name in NAMES, "data set", f"one of {', '.join(NAMES)}", name)


def missing(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some data sets that are not in the cache."""
    return tuple(name for name in names if installed(name) is None)


def missing_text(names: Iterable[str]) -> str:
    """Say that data sets are missing, and how to get them; nothing if none is."""
    absent = missing(names)
    if not absent:
        return ""
    listed, rest = " and ".join(absent), "is missing" if len(absent) == 1 else "are missing"
    what = "it" if len(absent) == 1 else "them"
    return (
        f"data set {listed} {rest}; `whp data fetch {' '.join(absent)}` gets {what},"
        " with --data-dir from files that you have"
    )


def installed(name: str) -> InstalledImages | InstalledTable | None:
    """Look a data set up in the cache; None if it is not there."""
    require_known(name)
    folder = cache_folder() / name
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        common = {"name": name, "folder": folder, "source": facts["source"], "digest": facts["digest"]}
        if name in TABLES:
            return InstalledTable(**common, rows=facts["rows"], columns=facts["columns"])
        return InstalledImages(**common, images=facts["images"], train=facts["train"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store(name: str, data: ImageSet, source: str) -> InstalledImages:
    """Put images into the cache, in place of one of that name; all of it or nothing.

    Parameters
    ----------
    source : str
        Where it is from, in words.

    Raises
    ------
    OutputError
        If the cache folder cannot be written.
    InputError
        If images are not of the shape of that data set.
    """
    require(name in SHAPES, "images", f"those of one of {', '.join(SHAPES)}", name)
    require(data.images.shape[1:] == SHAPES[name], f"images of {name}", f"{SHAPES[name]}", data.images.shape)
    facts = {"images": len(data.labels), "train": data.train, "source": source, "digest": data.digest()}
    put(name, {"images": data.images, "labels": data.labels}, facts)
    found = installed(name)
    if not isinstance(found, InstalledImages):
        fail(f"data set {name}", "readable after it was written", found, OutputError)
    return found


def put(name: str, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write arrays and facts of a data set into the cache; all of it or nothing.

    Raises
    ------
    OutputError
        If the cache folder cannot be written.
    """
    home = cache_folder()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=f"{name}-") as scratch:
            fresh = Path(scratch) / name
            fresh.mkdir()
            for own, array in arrays.items():
                np.save(fresh / f"{own}.npy", array)
            (fresh / "facts.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
            if (home / name).exists():
                shutil.rmtree(home / name)
            fresh.rename(home / name)
    except OSError as error:
        raise OutputError(f"cache folder must be writable, got {home}: {error}") from None


def load(name: str) -> ImageSet:
    """Open a data set of the cache; the images stay on disk until they are used.

    Raises
    ------
    MissingDataError
        If it is not in the cache; the message says how to get it.
    """
    require(name not in TABLES, "images", f"those of one of {', '.join(SHAPES)}", name)
    found = installed(name)
    if not isinstance(found, InstalledImages):
        fail(f"data set {name}", "fetched before it is used", missing_text([name]), MissingDataError)
    return _open(found)


@lru_cache(maxsize=4)
def _open(found: InstalledImages) -> ImageSet:
    images = np.load(found.folder / "images.npy", mmap_mode="r")
    return ImageSet(images, np.load(found.folder / "labels.npy"), found.train)


@dataclass(frozen=True)
class Sample:
    """Two classes as a regression problem.

    Attributes
    ----------
    X : Tensor, shape (n, colours, height, width)
        Every image has mean 0 and variance 1 over its entries, so ``|x|^2 = d``.
    y : Tensor, shape (n,)
        Labels: +1 for the first class, -1 for the second.
    """

    X: torch.Tensor
    y: torch.Tensor


def two_classes(
    rng: np.random.Generator,
    name: str,
    classes: tuple[int, int],
    n: int,
    *,
    part: str,
    pool: int = 1,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Sample:
    """Draw ``n`` images of two classes without replacement, half of each, in random order.

    Parameters
    ----------
    rng : Generator
    name : str
        A data set of the cache.
    classes : (int, int)
        Labels of the two classes.
    n : int
        Number of images, even.
    part : {"train", "test"}
        From which part of the data set.
    pool : int
        Side of the squares of pixels that are averaged; divides height and width.
    dtype, device
        Of the result; computed in float64 and then rounded.

    Raises
    ------
    MissingDataError
        If the data set is not in the cache.
    InputError
        If an argument is wrong, or there are not as many images.

    Notes
    -----
    Source: hu2020, Section 4.2 (average pooling) and Appendix A (normalisation, labels).
    """
    data = load(name)
    first, last = part_range(data, part)
    require(n > 0 and n % 2 == 0, "n", "a positive even integer", n)
    rows = []
    for label in classes:
        there = first + np.flatnonzero(data.labels[first:last] == label)
        what = f"images of class {CLASSES[name][label]} in the {part} part of {name}"
        require(len(there) >= n // 2, what, f"at least {n // 2}", len(there))
        rows.append(rng.choice(there, n // 2, replace=False))
    order = rng.permutation(n)
    chosen = np.concatenate(rows)[order]  # (n,)
    y = np.repeat([1.0, -1.0], n // 2)[order]
    X = averaged(data.images[chosen], pool)
    X = X - X.mean(axis=(1, 2, 3), keepdims=True)
    spread = X.std(axis=(1, 2, 3), keepdims=True)
    require(bool((spread > 0).all()), "images", "of more than one colour", "a constant image")
    return Sample(
        torch.from_numpy(np.ascontiguousarray(X / spread)).to(device, dtype),
        torch.from_numpy(y).to(device, dtype),
    )


def part_range(data: ImageSet, part: str) -> tuple[int, int]:
    """Return where "train" or "test" begins and ends."""
    require(part in ("train", "test"), "part", "train or test", part)
    return (0, data.train) if part == "train" else (data.train, len(data.labels))


def averaged(images: np.ndarray, pool: int) -> np.ndarray:
    """Average pixels over squares of side ``pool``.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, colours)
    pool : int
        Divides height and width.

    Returns
    -------
    ndarray of float64, shape (n, colours, height / pool, width / pool)
    """
    n, height, width, colours = images.shape
    fits = pool >= 1 and height % pool == 0 and width % pool == 0
    require(fits, "pool", f"a divisor of {height} and {width}", pool)
    # Whole numbers, first down whole rows of pixels: a sixth of the time of a mean of float64, and exact.
    rows = images.reshape(n, height // pool, pool, width * colours).sum(axis=2, dtype=np.uint32)
    squares = rows.reshape(n, height // pool, width // pool, pool, colours).sum(axis=3)
    return np.moveaxis(squares / float(pool**2), 3, 1)
