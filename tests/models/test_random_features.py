"""Random-feature kernels of drawn networks: against gradients taken one by one."""

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation
from whp.models.finite_cnn import Convolutional
from whp.models.random_features import random_features

RELU = activation("relu")


def images(n, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, 4, 4)))


def drawn(n=6, n_test=4, channels=5, layers=3, **settings):
    options = {"activation": RELU, "c_sigma": 2.0, "channels": channels, "layers": layers, **settings}
    return random_features(np.random.default_rng(7), images(n), images(n_test, 1), **options)


@pytest.mark.parametrize(("pooling", "train"), [("none", "all"), ("average", "middle"), ("average", "all")])
def test_is_the_kernel_of_the_gradients_of_one_network(pooling, train):
    found = drawn(pooling=pooling, train=train)
    network = Convolutional.draw(
        np.random.default_rng(7), (3, 5, 5, 5), (4, 4), activation=RELU, c_sigma=2.0, pooling=pooling
    )
    for W in network.weights:
        W.requires_grad_()
    trained = network.weights if train == "all" else network.weights[1:-1]
    rows = []
    for x in torch.cat((images(6), images(4, 1))):
        gradients = torch.autograd.grad(network.outputs(x[None])[0], trained)
        rows.append(torch.cat([g.flatten() for g in gradients]))
    J = torch.stack(rows)
    assert found.features == J.shape[1]
    torch.testing.assert_close(found.train, J[:6] @ J[:6].T)
    torch.testing.assert_close(found.cross, J[6:] @ J[:6].T)
    assert torch.equal(found.train, found.train.T)
    alone = random_features(
        np.random.default_rng(7),
        images(6),
        layers=3,
        channels=5,
        activation=RELU,
        c_sigma=2.0,
        pooling=pooling,
        train=train,
    )
    torch.testing.assert_close(alone.train, found.train)
    assert alone.cross.shape == (0, 6)
    # And the comparison can fail: without the last of the layers it does not hold.
    assert not torch.allclose(found.train, J[:6, :-75] @ J[:6, :-75].T)


def test_few_features_make_a_kernel_of_low_rank():
    found = drawn(n=20, channels=1, layers=2, pooling="average", train="middle")
    assert found.features == 9
    assert int(torch.linalg.matrix_rank(found.train)) <= 9


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n": 0}, "X must be images"),
        ({"n_test": 0}, "X_test must be images"),
        ({"layers": 0}, "layers must be a positive integer"),
        ({"layers": 1, "train": "middle"}, "layers must be two or more"),
        ({"train": "none"}, "train must be all or middle"),
        ({"channels": 0}, "channels must be positive integers"),
        ({"filter_size": 2}, "filter_size must be odd"),
    ],
)
def test_wrong_arguments_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        drawn(**settings)
