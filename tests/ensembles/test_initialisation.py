"""Symmetric initialisation, hu2020 eq. (3)."""

import math

import pytest
import torch

from whp.ensembles import symmetric_init
from whp.errors import InputError
from whp.seeding import generator


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_second_half_mirrors_the_first(dtype):
    init = symmetric_init(generator(0, "init"), 10, 3, dtype)
    assert init.W.shape == (10, 3)
    assert init.v.shape == (10,)
    assert init.W.dtype == init.v.dtype == dtype
    assert torch.equal(init.W[5:], init.W[:5])
    assert torch.equal(init.W[:5], init.W_half)
    assert torch.equal(init.v[5:], -init.v[:5])
    assert set(init.v.tolist()) == {-1.0, 1.0}


def test_the_network_is_zero_at_the_start():
    init = symmetric_init(generator(0, "zero"), 64, 5)
    x = torch.linspace(-1, 2, 5, dtype=torch.float64)
    assert abs(float(init.v @ torch.tanh(init.W @ x))) < 1e-12


def test_weights_are_standard_normal_and_signs_are_fair():
    # 2e5 Gaussians, 4e4 signs; three z-tests at 7 standard errors: false alarm about 1e-11.
    init = symmetric_init(generator(0, "moments"), 80_000, 5)
    count = init.W_half.numel()
    assert abs(float(init.W_half.mean())) < 7 / math.sqrt(count)
    assert abs(float((init.W_half**2).mean()) - 1) < 7 * math.sqrt(2 / count)
    assert abs(float(init.v_half.mean())) < 7 / math.sqrt(len(init.v_half))


@pytest.mark.parametrize(("m", "d"), [(7, 3), (0, 3), (-2, 3), (4.0, 3), (4, 0)])
def test_sizes_are_checked(m, d):
    with pytest.raises(InputError, match="positive"):
        symmetric_init(generator(0), m, d)
