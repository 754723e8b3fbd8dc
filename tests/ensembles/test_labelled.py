"""Labelled images: which are drawn, how they are normalised, and what is refused. Uses no network."""

import numpy as np
import pytest
import torch

from whp.ensembles.datasets import ImageSet, MissingDataError, store
from whp.ensembles.labelled import labelled_images
from whp.errors import InputError

TRAIN, TEST = 60, 40


@pytest.fixture
def noise(tmp_path, monkeypatch):
    """A cache with images in which every pixel tells the image, its part and its class."""
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (TRAIN + TEST, 32, 32, 3), dtype=np.uint8)
    pixels[..., 1] //= 3  # colours differ in mean and spread
    data = ImageSet(pixels, np.arange(TRAIN + TEST, dtype=np.uint8) % 10, TRAIN)
    store("cifar10", data, "a test")
    return data


def draw(seed=0, n=10, **settings):
    return labelled_images(np.random.default_rng(seed), "cifar10", n, **{"part": "train", **settings})


def reference(data, pool):
    """Every image, normalised in one go."""
    train = data.images[: data.train].astype(float)
    X = (data.images.astype(float) - train.mean((0, 1, 2))) / train.std((0, 1, 2))
    side = 32 // pool
    X = X.reshape(-1, side, pool, side, pool, 3).mean((2, 4))
    return torch.from_numpy(np.moveaxis(X, 3, 1).copy())


@pytest.mark.parametrize(("part", "rows"), [("train", range(TRAIN)), ("test", range(TRAIN, TRAIN + TEST))])
@pytest.mark.parametrize("pool", [1, 4])
def test_all_of_a_part_is_that_part_in_another_order(noise, part, rows, pool):
    found = draw(n=len(rows), part=part, pool=pool, dtype=torch.float64)
    expected = reference(noise, pool)[list(rows)]
    matches = [torch.isclose(expected, x, atol=1e-9).flatten(1).all(1).nonzero().flatten() for x in found.X]
    assert [len(m) for m in matches] == [1] * len(rows)
    order = torch.cat(matches)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert order.tolist() != list(range(len(rows)))  # chance of 1 / 40! that it is not shuffled
    assert found.labels.tolist() == [int(noise.labels[rows[k]]) for k in order]


def test_some_classes_are_numbered_in_the_order_asked_for(noise):
    found = draw(n=12, classes=(7, 2), dtype=torch.float64)
    expected = reference(noise, 1)
    for x, label in zip(found.X, found.labels, strict=True):
        (row,) = torch.isclose(expected, x, atol=1e-9).flatten(1).all(1).nonzero().flatten()
        assert noise.labels[row] == (7, 2)[label]
    with pytest.raises(InputError, match="number of frog, bird in the test part of cifar10 to draw must be"):
        draw(n=9, classes=(6, 2), part="test")


def test_the_same_stream_gives_the_same_images(noise):
    a, b, c = draw(1), draw(1), draw(2)
    assert torch.equal(a.X, b.X)
    assert a.X.dtype == torch.float32
    assert not torch.equal(a.X, c.X)  # a chance of less than 1e-10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"part": "all"}, "part must be train or test"),
        ({"n": 0}, "must be from 1 to 60, got 0"),
        ({"n": 61}, "must be from 1 to 60, got 61"),
        ({"pool": 5}, "pool must be a divisor of 32"),
        ({"pool": 0}, "pool must be a divisor of 32"),
        ({"classes": (1,)}, "classes must be two or more"),
        ({"classes": (1, 1)}, "classes must be two or more"),
        ({"classes": (1, 10)}, "classes must be two or more"),
    ],
)
def test_wrong_arguments_are_refused(noise, settings, words):
    with pytest.raises(InputError, match=words):
        draw(**settings)


def test_absent_and_colourless_data_are_said(noise, tmp_path, monkeypatch):
    store("cifar10", ImageSet(noise.images * 0, noise.labels, TRAIN), "a test")
    with pytest.raises(InputError, match="colours of cifar10 must be not constant"):
        draw()
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "empty"))
    with pytest.raises(MissingDataError, match="cifar10"):
        draw()
