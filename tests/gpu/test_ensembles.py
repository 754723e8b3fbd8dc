"""A draw is the same on every device, bit for bit but for products with a covariance."""

from __future__ import annotations

import pytest

from whp.ensembles import data_distribution, outside_distribution, outside_names, symmetric_init
from whp.ensembles.convolved import random_convolution

DATA = ("gaussian", "rademacher", "uniform", "gaussian_two_level")


@pytest.mark.parametrize("name", DATA)
def test_data(name, compare):
    compare(lambda i: data_distribution(name).sample(i.rng(), 20, 8, i.dtype, i.device))


def test_outside_of_the_assumptions(compare):
    compare(
        lambda i: {
            name: outside_distribution(name).sample(i.rng(), 20, 8, i.dtype, i.device)
            for name in outside_names()
        }
    )


def test_weights(compare):
    compare(lambda i: symmetric_init(i.rng(), 12, 8, i.dtype, i.device).W)
    compare(lambda i: symmetric_init(i.rng(), 12, 8, i.dtype, i.device).v)


def test_convolutions(compare):
    compare(lambda i: random_convolution(i.images, 4, size=3))
