"""Figures 10 to 12 of caron2023: what is measured, by plain torch, and that the comparisons can fail.

The images are random; nothing here needs a data set.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss, one_hot

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.ensembles.datasets import ImageSet, store

SETTING = "0.5, 0.5"


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
    n, n_test, m, pool, rate, steps, external = 20, 10, 24, 4, 30, 20, 5
    activation, dtype = "swish", "float64"


def start_of(module, setting, seed=1):
    rng = np.random.default_rng(seed)
    return module.drawn(rng, Point, [setting], 49, "cpu")[setting]


def test_samples_of_images_share_none(digits):
    module = load("_mnist")
    parts = module.images(np.random.default_rng(2), [25, 35], "train", 4, torch.float64, "cpu")
    X = torch.cat([X for X, _ in parts])
    assert [len(X) for X, _ in parts] == [25, 35]
    assert len(torch.unique(X, dim=0)) == 60
    assert 0 <= float(X.min()) < 0.5 < float(X.max()) <= 1
    squares = digits.images[:60, :4, :4, 0].mean(axis=(1, 2)) / 255  # the first entry of each image
    assert sorted(X[:, 0].tolist()) == pytest.approx(sorted(squares))


def test_training_is_that_of_the_printed_loss(digits):
    """The mean over images and classes of the squared error, by torch's own loss and optimiser."""
    module = load("_mnist")
    (train,) = module.images(np.random.default_rng(2), [Point.n], "train", 4, torch.float64, "cpu")
    start = start_of(module, SETTING)
    trained, found = module.train_one(start, train, None, Point)
    X, Y = train[0], one_hot(train[1], 10).double()
    W = start.weights.clone().requires_grad_()
    root = start.scales.values.sqrt()

    def outputs():
        return (start.activation.phi(X @ W.T / 7) * root) @ start.signs

    first = start.weights.clone()
    optimiser = torch.optim.SGD([W], lr=Point.rate)
    for _ in range(Point.steps):
        optimiser.zero_grad()
        mse_loss(outputs(), Y).backward()
        optimiser.step()
    torch.testing.assert_close(trained.weights, W.detach(), rtol=1e-9, atol=1e-10)
    with torch.no_grad():
        assert found["risk @1"] == pytest.approx(float(mse_loss(outputs(), Y)), rel=1e-9)
    moved = (W.detach() - first).norm(dim=1)
    assert found["movement @1"] == pytest.approx(float(moved.max()), rel=1e-8)
    assert found["median movement"] == pytest.approx(float(moved.median()), rel=1e-8)
    assert float(moved.max()) > 0.01  # far above what the comparison allows


def test_the_kernel_is_that_of_the_first_output(digits):
    module = load("_mnist")
    (train,) = module.images(np.random.default_rng(2), [Point.n], "train", 4, torch.float64, "cpu")
    start = start_of(module, SETTING)
    trained, found = module.train_one(start, train, None, Point)

    def kernel(network):
        W = network.weights.clone().requires_grad_()
        f = (network.activation.phi(train[0] @ W.T / 7) * network.scales.values.sqrt()) @ network.signs[:, 0]
        rows = [torch.autograd.grad(value, W, retain_graph=True)[0].flatten() for value in f]
        J = torch.stack(rows)
        return J @ J.T

    before, after = kernel(start), kernel(trained)
    assert found["NTG change @1"] == pytest.approx(float((after - before).norm()), rel=1e-6)
    assert found["eigenvalue @1"] == pytest.approx(float(torch.linalg.eigvalsh(after)[0]), rel=1e-5)


def test_an_eigenvalue_that_is_lost_in_rounding_is_not_negative():
    K = torch.ones(5, 5, dtype=torch.float64) - 1e-17 * torch.eye(5)
    assert load("_mnist").smallest_eigenvalue(K) >= 5 * torch.finfo(torch.float64).eps * 5 * 0.99
    assert load("_mnist").smallest_eigenvalue(torch.diag(torch.tensor([3.0, 2.0]))) == 2.0


def test_pruning_keeps_the_most_important_nodes(digits):
    """By hand: sort by lambda_j ||w_j||^2, drop the others from the sum."""
    module, helper = load("_mnist"), load("_classification")
    (X, labels) = module.images(np.random.default_rng(2), [Point.n], "train", 4, torch.float64, "cpu")[0]
    network = start_of(module, SETTING)
    found = helper.pruning(network, X, labels, module.mean_squared)
    weights, root = network.weights, network.scales.values.sqrt()
    nodes = sorted(range(Point.m), key=lambda j: -float(root[j] ** 2 * weights[j] @ weights[j]))
    for share in helper.KEPT:
        few = nodes[: max(1, round(share * Point.m))]
        outputs = sum(
            torch.outer(root[j] * network.activation.phi(X @ weights[j] / 7), network.signs[j]) for j in few
        )
        right = (outputs.argmax(dim=1) == labels).double().mean()
        assert found[f"test accuracy, kept {share}"] == pytest.approx(float(right))
        loss = mse_loss(outputs, one_hot(labels, 10).double())
        assert found[f"test risk, kept {share}"] == pytest.approx(float(loss))


def test_transfer_takes_the_most_important_features(digits):
    """One of the networks side by side against one that is trained alone on its own features."""
    module = load("_mnist")
    rng = np.random.default_rng(2)
    other, test = module.images(rng, [30, 20], "train", 4, torch.float64, "cpu")
    networks = {name: start_of(module, name) for name in ("1", SETTING)}
    found = module.transfer(np.random.default_rng(5), networks, other, test, 6)
    network, k = networks[SETTING], module.FEATURES[1]
    score = network.scales.values * network.weights.square().sum(dim=1)
    best = torch.argsort(score, descending=True)[:k]
    a, b = (network.activation.phi(x @ network.weights[best].T / 7) for x in (other[0], test[0]))
    a, b = ((f - a.mean(dim=0)) / a.std(dim=0, correction=0) for f in (a, b))
    rng = np.random.default_rng(5)
    # Drawn for the widest network; one with fewer features has the first rows.
    U = torch.from_numpy(rng.standard_normal((module.FEATURES[-1], module.HIDDEN)))[:k].requires_grad_()
    v = torch.from_numpy(rng.standard_normal((module.HIDDEN, 10))).requires_grad_()
    c = torch.zeros(module.HIDDEN, dtype=torch.float64, requires_grad=True)

    def output(x):
        return torch.relu(x @ U / math.sqrt(k) + c) @ v / math.sqrt(module.HIDDEN)

    optimiser = torch.optim.SGD([U, v, c], lr=1.0)
    for _ in range(6):
        optimiser.zero_grad()
        ((output(a) - one_hot(other[1], 10)).square().sum() / (2 * len(a))).backward()
        optimiser.step()
    with torch.no_grad():
        risk = float(mse_loss(output(b), one_hot(test[1], 10).double()))
    assert found[f"{SETTING}: transfer test risk {k}"] == pytest.approx(risk, rel=1e-7)


def test_comparisons_are_positive_where_the_order_holds_and_negative_where_not():
    """The same numbers, with the settings in the printed order and in the other one."""
    module = load("_mnist")
    names = list(module.SETTINGS)

    def numbers(order):
        found = {}
        for rank, name in enumerate(order):
            for share in module.MARKS:
                for what in ("movement", "NTG change", "risk"):
                    found[f"{name}: {what} @{share:g}"] = 2.0**rank
                found[f"{name}: eigenvalue @{share:g}"] = 2.0**-rank
            found[f"{name}: median movement"] = 2.0**rank
            for share in module.FEW:
                found[f"{name}: test accuracy, kept {share}"] = 0.1 * rank
                found[f"{name}: test risk, kept {share}"] = 2.0**-rank
            for k in module.FEATURES:
                found[f"{name}: transfer test accuracy {k}"] = 0.2 * rank
        return found

    right = module.compared(numbers(names), names)
    wrong = module.compared(numbers(names[::-1]), names)
    decided = [key for key in right if "beyond" not in key]
    assert len(decided) == 3 * 8
    assert all(right[key] > 0 > wrong[key] for key in decided)
    assert right["movement (1) to (0.5, 0.7)"] == pytest.approx(math.log(2))
    assert right["movement (0.5, 0.5) to (0, 0.4)"] == pytest.approx(math.log(1.5))  # the most that counts
    assert right["transfer (1) to (0, 0.4)"] == pytest.approx(0.6)
    assert right["pruning, beyond (1) to (0.5, 0.7)"] == pytest.approx(0.1 - 0.35)


@pytest.mark.parametrize("name", ["_mnist", "fig_11_12"])
def test_every_false_excess_could_be_reached_by_the_data(name):
    """Positive for a difference above it, negative for one below: no limit comes in between."""
    module = load(name)
    statistics = [one for one in vars(module).values() if type(one).__name__ == "Statistic"]
    assert len(statistics) == {"_mnist": 7, "fig_11_12": 3}[name]
    for one in statistics:
        assert set(one.most) <= set(one.excess)
        for step, excess in one.excess.items():
            if excess is None:
                assert one.instead
                continue
            key = f"{one.name}, beyond {module.step_name(step)}"
            assert one.of(step, 1.1 * excess)[key] > 0 > one.of(step, 0.9 * excess)[key]


def test_settings_are_those_of_regression():
    module = load("_mnist")
    four = {"1": (1.0, None), "0.5, 0.7": (0.5, 0.7), "0.5, 0.5": (0.5, 0.5), "0, 0.4": (0.0, 0.4)}
    assert four == module.SETTINGS
    assert list(four) == list(module.SETTINGS)  # from the symmetrical network on


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    monkeypatch.setenv("WHP_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 32, 32, 3), dtype=np.uint8)
    store("cifar10", ImageSet(pixels, np.arange(200, dtype=np.uint8) % 10, 150), "a test")


def test_cifar_networks_share_weights_batches_and_images(photographs):
    """gamma = 0.5, alpha = 0.5 is in Figure 11 and in Figure 12; it is trained once, and pairs are paired."""
    module = load("fig_11_12")

    class Small:
        n, n_test, m, filters, pool, steps = 130, 20, 30, 3, 4, 6
        activation, dtype = "swish", "float64"

    found = module.training.measure(Small, np.random.default_rng(3), "cpu")
    again = module.training.measure(Small, np.random.default_rng(3), "cpu")
    assert found == again
    assert set(module.ALL) == {key.partition(":")[0] for key in found if ":" in key}
    for name in module.ALL:
        assert found[f"{name}: movement @0"] == 0
        assert found[f"{name}: movement @1"] > 0
    step = "(0.5, 0.5) to (0, 0.4)"
    ratio = math.log(found["0, 0.4: movement @1"] / found["0.5, 0.5: movement @1"])
    later = [f"@{share:g}" for share in module.MARKS[1:]]
    ratios = [math.log(found[f"0, 0.4: movement {at}"] / found[f"0.5, 0.5: movement {at}"]) for at in later]
    assert ratios[-1] == ratio
    cap = module.MOVEMENT.most[("0.5, 0.5", "0, 0.4")]
    assert found[f"movement {step}"] == pytest.approx(min(np.mean(ratios), cap))
    ratios = [math.log(found[f"0.5, 0.7: movement {at}"] / found[f"1: movement {at}"]) for at in later]
    assert found["movement (1) to (0.5, 0.7)"] == pytest.approx(np.mean(ratios))
    risks = [
        math.log(found[f"0.5, 0.5: test risk, kept {s}"] / found[f"0, 0.4: test risk, kept {s}"])
        for s in module.FEW
    ]
    assert found[f"pruned risk {step}"] == pytest.approx(np.mean(risks))
