"""Pruning against alpha on CIFAR-10 in caron2023 by plain torch: autograd, torch's loss, sorted nodes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.ensembles.datasets import ImageSet, store
from whp.kernels import activation
from whp.models import NodeScaled, node_scales


class Point:
    n, n_test, m, filters, pool, steps = 130, 20, 40, 3, 4, 25
    activation, dtype = "swish", "float64"


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 32, 32, 3), dtype=np.uint8)
    store("cifar10", ImageSet(pixels, np.arange(200, dtype=np.uint8) % 10, 150), "a test")


def test_pruning_with_both_alphas_is_that_of_plain_torch(photographs):
    """The compared accuracies from the same draws: autograd through both layers, torch's loss, sorting."""
    module = load_file(validation_root() / "caron2023" / "fig_11_12.py")
    found = module.two_alphas.measure(Point, np.random.default_rng(5), "cpu")
    rng = np.random.default_rng(5)
    (X, labels), (X_test, labels_test) = module.sample(rng, Point, torch.float64, "cpu")
    batches = [torch.from_numpy(rng.choice(len(X), 64, replace=False)) for _ in range(Point.steps)]
    d = X.shape[1]
    start = NodeScaled.draw(
        rng, d, d, node_scales(Point.m, 1.0), activation("swish"), torch.float64, outputs=10
    )
    risks, accuracies = [], []
    for alpha in (0.7, 0.5):
        falling = torch.arange(1, Point.m + 1, dtype=torch.float64) ** (-1 / alpha)
        root = (0.5 / Point.m + 0.5 * falling / falling.sum()).sqrt()
        W, A = start.weights.clone().requires_grad_(), start.signs.clone().requires_grad_()

        def outputs(x, W, A, nodes, root=root):
            z = x @ W[nodes].T / math.sqrt(d)
            return (z * torch.sigmoid(z) * root[nodes]) @ A[nodes]

        optimiser, every = torch.optim.SGD([W, A], lr=5.0), torch.arange(Point.m)
        for batch in batches:
            optimiser.zero_grad()
            cross_entropy(outputs(X[batch], W, A, every), labels[batch]).backward()
            optimiser.step()
        with torch.no_grad():
            best = torch.argsort(root**2 * W.square().sum(dim=1), descending=True)
            kept = [outputs(X_test, W, A, best[: max(1, round(s * Point.m))]) for s in (0.1, 0.05, 0.02)]
            risks.append(np.mean([math.log(cross_entropy(f, labels_test)) for f in kept]))
            accuracies.append(
                np.mean([float((f.argmax(dim=1) == labels_test).double().mean()) for f in kept])
            )
    step = "(0.5, 0.7) to (0.5, 0.5)"
    assert abs(risks[0] - risks[1]) > 1e-4  # far above what the comparison allows
    assert found[f"pruned risk {step}"] == pytest.approx(risks[0] - risks[1], abs=1e-8)
    assert found[f"pruned accuracy {step}"] == pytest.approx(accuracies[1] - accuracies[0], abs=1e-12)
    assert found["pruned accuracy, other way"] == pytest.approx(accuracies[0] - accuracies[1], abs=1e-12)
