"""Tables: what is read, what is refused and in which words, the cache, and the splits."""

import gzip
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import statsmodels.datasets

from whp.ensembles import datasets, fetching
from whp.ensembles.datasets import TABLES, ImageSet, MissingDataError, installed, missing
from whp.ensembles.tables import Table, load_table, read_table, split, store_table
from whp.errors import InputError, OutputError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of its own."""
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def written(tmp_path, text, name="t.txt"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def made(name, seed=0):
    """Numbers in the shape of a known set."""
    rows, columns = TABLES[name]
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return Table(values[:, :-1], values[:, -1])


def shipped():
    """A small real data set of statsmodels, as a file and as its own loader gives it."""
    module = statsmodels.datasets.stackloss
    folder = Path(module.__file__).parent
    return folder / "stackloss.csv", module.load().data.to_numpy(float)  # target first


class TestReading:
    def test_a_real_table_that_a_package_ships(self):
        file, values = shipped()
        table = read_table(file)
        order = [values[:, 0], *values[:, 1:].T]
        np.testing.assert_array_equal(np.column_stack([table.X, table.y]), np.column_stack(order))

    @pytest.mark.parametrize("separator", [" ", "\t", ",", ";", "  ,\t"])
    def test_separators_comments_and_names(self, tmp_path, separator):
        rows = [separator.join(f"{10 * i + j}" for j in range(3)) for i in range(5)]
        text = "\n".join(
            ["# made by hand", separator.join("abc"), "", *rows[:2], rows[2] + " # odd", *rows[3:]]
        )
        table = read_table(written(tmp_path, text))
        np.testing.assert_array_equal(table.X, [[10 * i, 10 * i + 1] for i in range(5)])
        np.testing.assert_array_equal(table.y, [10 * i + 2 for i in range(5)])

    def test_a_packed_file_is_the_same(self, tmp_path):
        file, _ = shipped()
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
        assert read_table(tmp_path / "t.csv.gz").digest() == read_table(file).digest()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("1 2\n3 4 5\n", "t.txt, line 2 must be of 2 numbers as the first row, got 3"),
            ("1 2\n" * 4 + "3\n", "t.txt, line 5 must be of 2 numbers as the first row, got 1"),
            ("1,2\n1,,2\n", "t.txt, line 2 must be made of numbers, got ''"),
            ("1 2\n1 nan\n", "t.txt, line 2 must be made of finite numbers, got nan"),
            ("1 2\n-inf 2\n", "t.txt, line 2 must be made of finite numbers, got -inf"),
            ("a b\nc d\n", "t.txt must be a table of at least 5 rows, got 0"),
            ("1 2\n1 x\n", "t.txt, line 2 must be made of numbers, got 'x'"),
            ("1 2\nx 2\n", "t.txt, line 2 must be made of numbers, got 'x'"),
            ("1 x\n", "t.txt, line 1 must be made of numbers, got 'x'"),
            ("1 2\n" * 4, "t.txt must be a table of at least 5 rows, got 4"),
            ("", "t.txt must be a table of at least 5 rows, got 0"),
            ("1\n" * 6, "t.txt must be a table of at least two columns, got 1"),
        ],
    )
    def test_what_is_wrong_is_said_in_one_sentence(self, tmp_path, text, said):
        with pytest.raises(InputError) as caught:
            read_table(written(tmp_path, text))
        assert str(caught.value) == said

    def test_files_that_are_not_there_or_not_text(self, tmp_path):
        with pytest.raises(InputError, match="table must be a file, got"):
            read_table(tmp_path / "none.txt")
        (tmp_path / "t.gz").write_bytes(b"1 2\n" * 9)
        with pytest.raises(InputError, match=r"t\.gz must be a readable file of text"):
            read_table(tmp_path / "t.gz")
        (tmp_path / "t.txt").write_bytes(b"\xff\xfe1 2\n")
        with pytest.raises(InputError, match=r"t\.txt must be a readable file of text"):
            read_table(tmp_path / "t.txt")


class TestCache:
    def test_a_stored_table_is_found_and_the_same(self):
        table = made("energy")
        assert missing(["energy", "plant"]) == ("energy", "plant")
        found = store_table("energy", table, "a test")
        assert found == installed("energy")
        assert (found.contents, found.source) == ("768 rows of 9 numbers", "a test")
        assert missing(["energy", "plant"]) == ("plant",)
        assert load_table("energy").digest() == found.digest == table.digest()
        other = store_table("energy", made("energy", seed=1), "another")
        assert other.digest != found.digest
        assert load_table("energy").digest() == other.digest

    def test_the_digest_sees_shape_and_numbers(self):
        X = np.arange(12.0).reshape(6, 2)
        y = np.arange(6.0)
        changed = X.copy()
        changed[3, 1] = np.nextafter(changed[3, 1], np.inf)
        swapped = X[::-1].copy()
        wide = Table(np.arange(15.0).reshape(3, 5), y[:3])
        digests = {t.digest() for t in (Table(X, y), Table(changed, y), Table(swapped, y), wide)}
        assert len(digests) == 4

    def test_images_and_tables_are_not_mixed_up(self):
        with pytest.raises(InputError, match="images must be those of one of cifar10, mnist, got 'energy'"):
            datasets.load("energy")
        digits = ImageSet(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.uint8), 2)
        with pytest.raises(InputError, match="images must be those of one of"):
            datasets.store("energy", digits, "a test")
        with pytest.raises(InputError, match="table must be one of concrete, energy, airfoil, plant"):
            load_table("mnist")
        with pytest.raises(InputError, match="table must be one of"):
            store_table("mnist", made("energy"), "a test")

    def test_what_is_missing_or_of_another_size_is_said(self):
        with pytest.raises(MissingDataError, match="`whp data fetch plant` gets it"):
            load_table("plant")
        rule = "plant must be a table of 9568 rows and 5 columns, got '768 rows and 9 columns'"
        with pytest.raises(InputError, match=rule):
            store_table("plant", made("energy"), "a test")
        with pytest.raises(InputError, match="y must be of shape"):
            Table(np.zeros((6, 2)), np.zeros(5))

    def test_a_cache_that_cannot_be_written_is_an_output_error(self, tmp_path, monkeypatch):
        monkeypatch.setenv("WHP_DATA", str(written(tmp_path, "")))
        with pytest.raises(OutputError, match="cache folder must be writable"):
            store_table("energy", made("energy"), "a test")


def text_of(table, separator=","):
    return "\n".join(
        separator.join(map(repr, map(float, row))) for row in np.column_stack([table.X, table.y])
    )


class TestFetching:
    @pytest.mark.parametrize("end", [".txt", ".csv", ".csv.gz", ".data"])
    def test_files_of_the_user(self, tmp_path, end):
        table = made("energy")
        raw = text_of(table, " " if end == ".txt" else ",").encode()
        (tmp_path / "below").mkdir()
        (tmp_path / "below" / f"energy{end}").write_bytes(gzip.compress(raw) if end.endswith("gz") else raw)
        found = fetching.adopt("energy", tmp_path)
        assert found.digest == table.digest()
        with pytest.raises(UsageError, match=r"--data-dir must be a folder with plant\.txt or plant\.csv"):
            fetching.adopt("plant", tmp_path)

    @pytest.fixture
    def archive(self, tmp_path, monkeypatch):
        """The archive's answer comes from a file that is here."""
        asked, real = [], fetching.urllib.request.urlopen

        def answer(url, timeout):
            asked.append(url)
            return real((tmp_path / "answer.csv").as_uri())

        monkeypatch.setattr("urllib.request.urlopen", answer)
        return asked

    def test_the_archive_has_names_and_for_energy_a_second_target(self, tmp_path, archive):
        for name in ("plant", "energy"):
            table = made(name)
            lines = text_of(table).splitlines()
            if name == "energy":
                lines = [f"{line},7" for line in lines]
            names = ",".join(f"X{j}" for j in range(len(lines[0].split(","))))
            written(tmp_path, "\n".join([names, *lines]), "answer.csv")
            assert fetching.fetch(name).digest == table.digest()
        assert archive == [
            f"https://archive.ics.uci.edu/static/public/{number}/data.csv" for number in (294, 242)
        ]

    def test_another_table_is_refused_and_nothing_is_stored(self, tmp_path, archive):
        written(tmp_path, text_of(made("plant")), "answer.csv")
        with pytest.raises(InputError, match="airfoil must be a table of 1503 rows and 6 columns"):
            fetching.fetch("airfoil")
        assert installed("airfoil") is None

    def test_without_a_network_the_other_way_is_named(self, monkeypatch):
        def refuse(url, timeout):
            raise urllib.error.URLError("no route")

        monkeypatch.setattr("urllib.request.urlopen", refuse)
        with pytest.raises(UsageError, match=r"download of https.*--data-dir.*no route"):
            fetching.fetch("concrete")


class TestSplit:
    def test_parts_are_disjoint_cover_and_have_the_shares(self):
        y = np.arange(100.0)
        table = Table(np.column_stack([y, np.ones(100), y**2]), y)
        parts = split(np.random.default_rng(0), table)
        sizes = [len(part.y) for part in (parts.train, parts.test, parts.validation)]
        assert sizes == [40, 20, 40]
        found = np.concatenate([part.y for part in (parts.train, parts.test, parts.validation)])
        assert len(np.unique(found.round(9))) == 100
        few = split(np.random.default_rng(0), Table(table.X[:5], y[:5]))
        assert [len(part.y) for part in (few.train, few.test, few.validation)] == [2, 1, 2]

    def test_scales_come_from_the_training_part(self):
        _, values = shipped()
        table = Table(values[:, 1:], values[:, 0])
        parts = split(np.random.default_rng(3), table)
        y = parts.train.y.numpy()
        assert abs(y.mean()) < 1e-12
        assert y.std() == pytest.approx(1)
        X = parts.train.X.numpy()
        np.testing.assert_allclose(X.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(X.std(0), X.std(0)[0])
        assert np.linalg.norm(X, axis=1).max() == pytest.approx(1)
        for part in (parts.test, parts.validation):
            assert np.linalg.norm(part.X.numpy(), axis=1).max() <= 1 + 1e-12

    def test_a_constant_column_becomes_zero_and_nothing_divides_by_zero(self):
        y = np.arange(10.0)
        parts = split(np.random.default_rng(0), Table(np.column_stack([y, np.full(10, 0.1)]), y))
        assert not parts.train.X[:, 1].any()
        with pytest.raises(InputError, match="target must be different in some training rows"):
            split(np.random.default_rng(0), Table(y[:, None], np.ones(10)))
        with pytest.raises(InputError, match="inputs must be different in some training rows"):
            split(np.random.default_rng(0), Table(np.ones((10, 2)), y))

    def test_too_few_rows_are_said(self):
        y = np.arange(4.0)
        with pytest.raises(InputError, match="table must be of at least 5 rows, got 4"):
            split(np.random.default_rng(0), Table(y[:, None], y))
