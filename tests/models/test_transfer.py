"""Transfer: which units are taken, and the external network against autograd."""

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError, MeasurementError
from whp.models.transfer import importance, most_important, standardised, train_external


def features(shape, seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    return standardised(torch.from_numpy(rng.standard_normal(shape)).to(dtype))[0]


class TestImportance:
    def test_is_scale_times_squared_norm(self):
        W = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
        found = importance(torch.tensor([0.1, 0.5, 0.4]), W)
        torch.testing.assert_close(found, torch.tensor([2.5, 0.5, 1.6], dtype=torch.float64))
        assert most_important(found, 2).tolist() == [0, 2]

    def test_equal_ones_keep_their_order(self):
        assert most_important(torch.tensor([1.0, 2.0, 1.0, 2.0]), 4).tolist() == [1, 3, 0, 2]

    def test_mistakes_are_said(self):
        with pytest.raises(InputError, match=r"scales must be of shape \(3,\)"):
            importance(torch.ones(2), torch.ones(3, 2))
        with pytest.raises(InputError, match="weights must be a non-empty matrix"):
            importance(torch.ones(3), torch.ones(3))
        for k in (0, 4):
            with pytest.raises(InputError, match="k must be from 1 to 3"):
                most_important(torch.ones(3), k)


def test_features_are_standardised_by_the_training_points():
    rng = np.random.default_rng(0)
    train = torch.from_numpy(3 + 2 * rng.standard_normal((2, 30, 4)))
    train[0, :, 1] = 0.1  # constant, and not representable
    other = torch.from_numpy(rng.standard_normal((2, 7, 4)))
    a, b = standardised(train, other)
    assert a.mean(dim=1).abs().max() < 1e-12
    assert not a[0, :, 1].any()
    assert not b[0, :, 1].any()
    torch.testing.assert_close(a.std(dim=1, correction=0)[1], torch.ones(4).double())
    expected = (other[1] - train[1].mean(dim=0)) / train[1].std(dim=0, correction=0)
    torch.testing.assert_close(b[1], expected)


def by_autograd(rng, X, y, hidden, steps, rate):
    """The same training of one network, written out with autograd."""
    k, K = X.shape[1], y.shape[1]
    U = torch.from_numpy(rng.standard_normal((k, hidden))).requires_grad_()
    v = torch.from_numpy(rng.standard_normal((hidden, K))).requires_grad_()
    c = torch.zeros(hidden, dtype=torch.float64, requires_grad=True)

    def output():
        return torch.relu(X @ U / math.sqrt(k) + c) @ v / math.sqrt(hidden)

    for _ in range(steps):
        loss = (output() - y).square().sum() / (2 * len(X))
        with torch.no_grad():
            for p, g in zip((U, v, c), torch.autograd.grad(loss, (U, v, c)), strict=True):
                p -= rate * g
    return output().detach()


class TestExternal:
    @pytest.mark.parametrize("outputs", [1, 3])
    def test_training_is_gradient_descent(self, outputs):
        X, y = features((2, 20, 5)), features((1, 20, outputs), seed=1)[0]
        net = train_external(np.random.default_rng(2), X, y, hidden=8, steps=50, rate=0.7)
        for one in range(2):
            expected = by_autograd(np.random.default_rng(2), X[one], y, 8, 50, 0.7)
            torch.testing.assert_close(net(X)[one], expected, rtol=1e-9, atol=1e-9)

    def test_networks_side_by_side_do_not_mix_and_padding_changes_nothing(self):
        X, y = features((1, 20, 3)), features((1, 20, 1), seed=1)[0]
        wide = torch.zeros(2, 20, 5, dtype=torch.float64)
        wide[0, :, :3], wide[1] = X[0], features((20, 5), seed=3)
        sizes = torch.tensor([3, 5])
        padded = train_external(np.random.default_rng(4), wide, y, sizes=sizes, hidden=8, steps=30)
        draw = np.random.default_rng(4)
        U = torch.from_numpy(draw.standard_normal((5, 8)))

        class Cut:
            """The part of that stream which a network of three features sees."""

            def __init__(self):
                self.left = [U[:3].numpy(), draw.standard_normal((8, 1))]

            def standard_normal(self, shape):
                return self.left.pop(0).reshape(shape)

        alone = train_external(Cut(), X, y, hidden=8, steps=30)
        torch.testing.assert_close(alone(X), padded(wide)[:1], rtol=1e-10, atol=1e-10)

    def test_it_learns_at_the_printed_rate_on_features_that_are_all_the_same(self):
        x = features((1, 100, 1))
        X = x.repeat(1, 1, 20)
        y = x[0].abs()
        net = train_external(np.random.default_rng(0), X, y, steps=2000)
        # A line fits |x| no better than its variance of 0.36. In 40 streams the logarithm of the error had
        # mean -15 and standard deviation 2: it is above log 0.01 with probability below 1e-6.
        assert (net(X)[0] - y).square().mean() < 0.01

    def test_a_rate_that_is_too_large_is_said(self):
        X, y = features((1, 20, 5)), features((1, 20, 1), seed=1)[0]
        with pytest.raises(MeasurementError, match="rate must be small enough"):
            train_external(np.random.default_rng(2), X, y, rate=1e3, steps=200)

    def test_mistakes_are_said(self):
        X, y = features((2, 20, 5)), features((1, 20, 1), seed=1)[0]
        rng = np.random.default_rng(0)
        with pytest.raises(InputError, match=r"features must be of shape \(B, n, k\)"):
            train_external(rng, X[0], y)
        with pytest.raises(InputError, match=r"targets must be of shape \(20, K\)"):
            train_external(rng, X, y[:-1])
        with pytest.raises(InputError, match="hidden, steps must be at least 1"):
            train_external(rng, X, y, steps=0)
        for wrong in ([3], [3, 6], [0, 5]):
            with pytest.raises(InputError, match="sizes must be 2 numbers from 1 to 5"):
                train_external(rng, X, y, sizes=torch.tensor(wrong))
