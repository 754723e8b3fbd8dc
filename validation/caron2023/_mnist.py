"""What Figure 10 measures: networks of all settings trained on MNIST, pruned, and transferred from."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from whp.devices import as_dtype
from whp.ensembles.datasets import averaged, load, part_range
from whp.kernels import activation
from whp.models import classification_accuracy
from whp.models.node_classifier import movement
from whp.models.node_flow import node_descent
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales
from whp.models.transfer import standardised, train_external

from ._classification import (
    ALPHA_STEP,
    CLASSES,
    FEW,
    GAMMA_STEPS,
    SETTINGS,
    Statistic,
    one_hot,
    pruning,
    ranked,
    step_name,
)

FEATURES = (5, 10, 20)

HIDDEN = 128
MARKS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Shares of the training that are recorded."""
FIRST, LAST = GAMMA_STEPS
ENDS = ("1", "0, 0.4")

MOVEMENT = Statistic(
    "movement",
    r"\overline{\log \max_j \|w_{tj} - w_{0j}\|} \text{, second} - \text{first}",
    {FIRST: math.log(6), ALPHA_STEP: math.log(1.3), LAST: math.log(1.75), ENDS: math.log(15)},
    ratio=True,
    most={ALPHA_STEP: math.log(1.15), LAST: math.log(1.5)},
    instead={"median movement": "the median node, too, moves more"},
)
CHANGE = Statistic(
    "NTG change",
    r"\overline{\log \|\Theta_t - \Theta_0\|_F} \text{, second} - \text{first}",
    {FIRST: math.log(30), ALPHA_STEP: math.log(3), LAST: math.log(8), ENDS: math.log(300)},
    ratio=True,
)
EIGENVALUE = Statistic(
    "eigenvalue",
    r"\overline{\log \mathrm{eig}_{\min}(\Theta_t)} \text{, first} - \text{second}",
    {FIRST: math.log(1.4), LAST: math.log(20), ENDS: math.log(2000)},
    ratio=True,
)
TRAINING = Statistic(
    "training",
    r"\overline{\log \mathrm{risk}_t} \text{, second} - \text{first}",
    {FIRST: math.log(1.06), LAST: math.log(1.7), ENDS: math.log(2.5)},
    ratio=True,
    most={LAST: math.log(1.45)},
)
PRUNING = Statistic(
    "pruning",
    r"\overline{\text{test accuracy with 10, 5, 2 \% of the nodes}} \text{, second} - \text{first}",
    {FIRST: 0.35, ALPHA_STEP: 0.05, LAST: 0.3, ENDS: 0.45},
)
PRUNED_RISK = Statistic(
    "pruned risk",
    r"\overline{\log \text{test risk with 10, 5, 2 \% of the nodes}} \text{, first} - \text{second}",
    {ALPHA_STEP: math.log(1.05)},
    ratio=True,
)
TRANSFER = Statistic(
    "transfer",
    r"\overline{\text{test accuracy with 5, 10, 20 features}} \text{, second} - \text{first}",
    {FIRST: 0.15, LAST: 0.1, ENDS: 0.2},
)


def images(rng, counts, part, pool, dtype, device):
    """Disjoint samples of MNIST, pixels from 0 to 1; pairs of X, shape (n, d), and labels."""
    data = load("mnist")
    chosen = rng.choice(range(*part_range(data, part)), sum(counts), replace=False)
    X = torch.from_numpy(averaged(data.images[chosen], pool) / 255).flatten(1).to(device, dtype)
    labels = torch.from_numpy(data.labels[chosen].astype("int64")).to(device)
    return list(zip(X.split(counts), labels.split(counts), strict=True))


def mean_squared(outputs, labels):
    """The mean over images and classes."""
    return float((outputs - one_hot(labels, outputs.dtype)).square().mean())


def measure(p, rng, device, names):
    """Train networks of some settings, prune them and transfer from them."""
    dtype = as_dtype(p.dtype)
    train, other = images(rng, [p.n, p.n], "train", p.pool, dtype, device)
    (test,) = images(rng, [p.n_test], "test", p.pool, dtype, device)
    found, trained = {}, {}
    for name, start in drawn(rng, p, names, train[0].shape[1], device).items():
        trained[name], own = train_one(start, train, test, p)
        own |= pruning(trained[name], *train, mean_squared, "training")
        own |= pruning(trained[name], *test, mean_squared)
        found |= {f"{name}: {what}": value for what, value in own.items()}
    found |= transfer(rng, trained, other, test, p.external)
    return found | compared(found, names)


def drawn(rng, p, names, d, device):
    """Networks of some settings, all with the same weights and signs."""
    phi, dtype = activation(p.activation), as_dtype(p.dtype)
    scales = {name: node_scales(p.m, *SETTINGS[name]) for name in names}
    first = NodeScaled.draw(rng, d, d, scales[names[0]], phi, dtype, outputs=CLASSES, device=device)
    return {name: replace(first, scales=own) for name, own in scales.items()}


def train_one(start, train, test, p):
    """Train one network; return it, and its statistics at every recorded time."""
    (X, labels), marks = train, [round(share * p.steps) for share in MARKS]
    found = {}

    def observe(step, network):
        at = f"@{MARKS[marks.index(step)]:g}"
        found[f"test risk {at}"] = mean_squared(network.outputs(test[0]), test[1])

    # The mean over images and classes is 2 / (10 n) times the loss (3), which is half a sum.
    trace = node_descent(
        start,
        X,
        one_hot(labels, X.dtype),
        rate=2 * p.rate / (CLASSES * len(X)),
        steps=p.steps,
        record=marks,
        observe=None if test is None else observe,
    )
    for k, (share, step) in enumerate(zip(MARKS, marks, strict=True)):
        at = f"@{share:g}"
        found[f"risk {at}"] = 2 * float(trace.every_loss[step]) / (CLASSES * len(X))
        found[f"movement {at}"] = float(trace.movement[k])
        found[f"NTG change {at}"] = float((trace.ntg[k] - trace.ntg[0]).norm())
        found[f"eigenvalue {at}"] = smallest_eigenvalue(trace.ntg[k])
    found["median movement"] = float(movement(trace.network, start).median())
    return trace.network, found


def smallest_eigenvalue(K):
    """The smallest eigenvalue, or what rounding leaves of it."""
    values = torch.linalg.eigvalsh(K)
    return float(values[0].clamp_min(len(K) * torch.finfo(K.dtype).eps * values[-1]))


def transfer(rng, networks, other, test, steps):
    """Train an external network on the most important features of each network, all side by side."""
    (X, labels), widest = other, FEATURES[-1]
    rows = [(setting, k) for setting in networks for k in FEATURES]
    blocks = []
    for setting, k in rows:
        network = networks[setting]
        best = ranked(network)[:widest]
        hidden = [network.activation.phi(network.preactivations(x)[:, best]) for x in (X, test[0])]
        block = standardised(*hidden)
        for part in block:
            part[:, k:] = 0
        blocks.append(block)
    features, features_test = (torch.stack(part) for part in zip(*blocks, strict=True))
    sizes = torch.tensor([k for _, k in rows])
    net = train_external(rng, features, one_hot(labels, X.dtype), sizes=sizes, hidden=HIDDEN, steps=steps)
    found = {}
    for word, inputs, wanted in (("training", features, labels), ("test", features_test, test[1])):
        for (setting, k), outputs in zip(rows, net(inputs), strict=True):
            name = f"{setting}: transfer {word}"
            found[f"{name} accuracy {k}"] = classification_accuracy(outputs, wanted).share
            found[f"{name} risk {k}"] = mean_squared(outputs, wanted)
    return found


def mean_ratio(found, over, under, names):
    """The mean over some statistics of the logarithm of the ratio between two settings."""
    ratios = [math.log(found[f"{over}: {name}"] / found[f"{under}: {name}"]) for name in names]
    return sum(ratios) / len(ratios)


def mean_gain(found, over, under, names):
    """The mean over some statistics of the difference between two settings."""
    return sum(found[f"{over}: {name}"] - found[f"{under}: {name}"] for name in names) / len(names)


def moved(found, step):
    """By how much more the second setting of a pair moves."""
    large, small = step
    later = [f"@{share:g}" for share in MARKS[1:]]
    return {
        **MOVEMENT.of(step, mean_ratio(found, small, large, [f"movement {at}" for at in later])),
        **CHANGE.of(step, mean_ratio(found, small, large, [f"NTG change {at}" for at in later])),
        f"median movement {step_name(step)}": mean_ratio(found, small, large, ["median movement"]),
    }


def robust(found, step):
    """By how much better the second setting of a pair does when few nodes are kept."""
    large, small = step
    accuracies, risks = ([f"test {what}, kept {share}" for share in FEW] for what in ("accuracy", "risk"))
    return {
        **PRUNING.of(step, mean_gain(found, small, large, accuracies)),
        **PRUNED_RISK.of(step, mean_ratio(found, large, small, risks)),
    }


def compared(found, names):
    """Every paired difference that is decided: positive where the printed order holds."""
    rows = {}
    for step in (*GAMMA_STEPS, ENDS):
        if not set(step) <= set(names):
            continue
        large, small = step  # the setting with the larger gamma, and the other
        risks = [f"risk @{share:g}" for share in MARKS[1:]]
        eigenvalues = [f"eigenvalue @{share:g}" for share in MARKS]
        external = [f"transfer test accuracy {k}" for k in FEATURES]
        rows |= {
            **moved(found, step),
            **EIGENVALUE.of(step, mean_ratio(found, large, small, eigenvalues)),
            **TRAINING.of(step, mean_ratio(found, small, large, risks)),
            **robust(found, step),
            **TRANSFER.of(step, mean_gain(found, small, large, external)),
        }
    return rows
