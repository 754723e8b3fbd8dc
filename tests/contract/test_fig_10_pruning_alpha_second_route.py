"""Pruning against alpha in Figure 10 of caron2023 by plain torch: autograd, torch's loss, sorted nodes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss, one_hot

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.ensembles.datasets import ImageSet, store


def load(name):
    return load_file(validation_root() / "caron2023" / f"{name}.py")


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A cache with images of ten classes under the name of MNIST, every one different."""
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (90, 28, 28, 1), dtype=np.uint8)
    data = ImageSet(pixels, np.arange(90, dtype=np.uint8) % 10, 60)
    store("mnist", data, "a test")
    return data


class Point:
    n, n_test, m, pool, rate, steps = 20, 10, 24, 4, 30, 20
    activation, dtype = "swish", "float64"


def test_pruning_with_both_alphas_is_that_of_plain_torch(digits):
    """The compared risks and accuracies from the same draws: autograd, torch's loss, pruning by sorting."""
    module, files = load("fig_10"), load("_mnist")
    found = module.two_alphas.measure(Point, np.random.default_rng(7), "cpu")
    rng = np.random.default_rng(7)
    (X, labels) = files.images(rng, [Point.n], "train", Point.pool, torch.float64, "cpu")[0]
    (X_test, labels_test) = files.images(rng, [Point.n_test], "test", Point.pool, torch.float64, "cpu")[0]
    drawn = files.drawn(rng, Point, module.ALPHA_STEP, X.shape[1], "cpu")
    risks, accuracies = [], []
    for alpha, start in zip((0.7, 0.5), drawn.values(), strict=True):
        falling = torch.arange(1, Point.m + 1, dtype=torch.float64) ** (-1 / alpha)
        root = (0.5 / Point.m + 0.5 * falling / falling.sum()).sqrt()
        W = start.weights.clone().requires_grad_()

        def outputs(x, W, nodes, root=root, signs=start.signs):
            z = x @ W[nodes].T / math.sqrt(x.shape[1])
            return (z * torch.sigmoid(z) * root[nodes]) @ signs[nodes]

        optimiser, every = torch.optim.SGD([W], lr=Point.rate), torch.arange(Point.m)
        for _ in range(Point.steps):
            optimiser.zero_grad()
            mse_loss(outputs(X, W, every), one_hot(labels, 10).double()).backward()
            optimiser.step()
        with torch.no_grad():
            best = torch.argsort(root**2 * W.square().sum(dim=1), descending=True)
            kept = [outputs(X_test, W, best[: max(1, round(s * Point.m))]) for s in (0.1, 0.05, 0.02)]
            targets = one_hot(labels_test, 10).double()
            risks.append(np.mean([math.log(mse_loss(f, targets)) for f in kept]))
            accuracies.append(
                np.mean([float((f.argmax(dim=1) == labels_test).double().mean()) for f in kept])
            )
    step = "(0.5, 0.7) to (0.5, 0.5)"
    assert abs(risks[0] - risks[1]) > 1e-4  # far above what the comparison allows
    assert found["pruned risk, other way"] == pytest.approx(risks[1] - risks[0], abs=1e-8)
    assert found[f"pruned risk {step}"] == pytest.approx(risks[0] - risks[1], abs=1e-8)
    assert found[f"pruning {step}"] == pytest.approx(accuracies[1] - accuracies[0], abs=1e-12)
