"""Features by a fixed random convolution: what they are, that they are fixed, and what is refused."""

import numpy as np
import pytest
import torch

from whp.ensembles.convolved import AT_ONCE, random_convolution
from whp.errors import InputError


def images(n=2, side=6, colours=3):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((n, colours, side, side)))


def test_a_part_with_one_place_is_the_filter_times_the_patch():
    # A filter of side 3 on images of 4 x 4 has four places, and each part of the image is one of them.
    X = images(side=4)
    found = random_convolution(X, 5, size=3, cells=2).reshape(2, 5, 2, 2)
    # The filters: what they give on unit images, by linearity where the ReLU lets it through.
    units = torch.eye(27, dtype=torch.float64).reshape(27, 3, 3, 3)
    both = [random_convolution(sign * units, 5, size=3, cells=1) for sign in (1, -1)]
    filters = (both[0] - both[1]).T.reshape(5, 3, 3, 3)
    for a in range(2):
        for b in range(2):
            patch = X[:, None, :, a : a + 3, b : b + 3]
            expected = (patch * filters).sum(dim=(2, 3, 4)).relu()
            torch.testing.assert_close(found[:, :, a, b], expected)
    torch.testing.assert_close(filters.sum(dim=(1, 2, 3)), torch.zeros(5).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(filters.flatten(1).norm(dim=1), torch.ones(5).double())
    assert len(torch.unique(filters[:, 0, 0, 0])) == 5


def test_features_are_means_over_parts_and_the_same_at_every_call():
    X = images(side=6)
    whole, parts = (random_convolution(X, 4, size=3, cells=c) for c in (1, 2))
    assert parts.shape == (2, 16)
    torch.testing.assert_close(parts.reshape(2, 4, 4).mean(dim=2), whole)
    assert torch.equal(random_convolution(X, 4, size=3, cells=2), parts)


def test_images_that_go_through_in_parts_are_not_mixed():
    X = images(n=AT_ONCE + 1, side=3)
    found = random_convolution(X, 2, size=3, cells=1)
    torch.testing.assert_close(found[-1:], random_convolution(X[-1:], 2, size=3, cells=1))
    assert found.shape == (AT_ONCE + 1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(2, 3, 6)}, r"images must be \(n, colours, height, width\)"),
        ({"images": torch.zeros(0, 3, 6, 6)}, r"images must be \(n, colours, height, width\)"),
        ({"filters": 0}, "filters must be at least 1"),
        ({"size": 7}, "size must be from 1 to 6, the side of an image"),
        ({"size": 5, "cells": 3}, "cells must be from 1 to 2"),
    ],
)
def test_mistakes_are_said(change, message):
    with pytest.raises(InputError, match=message):
        random_convolution(**{"images": images(), "filters": 2, **change})
