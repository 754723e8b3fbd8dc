r"""Asymmetrical scaling on CIFAR-10: pruning improves as gamma becomes smaller.

Setting   CIFAR-10, every image a vector of dimension 512; f_k(x) = sum_j sqrt(lambda_{m,j}) a_{jk}
          sigma(w_j^T x / sqrt d), m = 2000, swish. Both layers are trained by stochastic gradient descent,
          batches of 64, on the cross-entropy, at rate 5. (gamma, alpha) is (1, -), (0.5, 0.7), (0.5, 0.5)
          or (0, 0.4) in Figure 11; gamma alone varies in Figure 12.
Claim     fig_11_12: weights move more where gamma and alpha are smaller; models with smaller gamma are
          more robust with respect to pruning; "pruning performance is improved as gamma becomes smaller".
          fig_11_12_alpha: so are models with smaller alpha ("models with smaller gamma and/or alpha values
          are likely more robust with respect to pruning, as long as gamma < 1");
          fig_11_12_alpha_corrected, not printed: at gamma = 0.5 it is the other way round in accuracies.
Measured  In each trial all networks, from the same weights and signs, on the same images and batches.
          Pruning keeps the nodes with the largest lambda_j ||w_tj||^2. It is decided where few nodes are
          kept, a tenth, a twentieth and a fiftieth: by the mean of the test accuracies, and by that of the
          logarithms of the test risks (cross-entropy). Movement from (0.5, 0.5) to (0, 0.4) is skewed: a
          ratio counts there up to 1.3, so that few trials do not carry the mean. The paper does not print
          alpha in Figure 12; here 0.5, and none at gamma = 1. alpha alone, from 0.7 to 0.5 at gamma = 0.5,
          has trials of its own, shorter ones: it changes little.
Features  The paper takes the last hidden layer of a ResNet-18 pretrained on ImageNet. No pretrained network
          comes with this program: features are those of one fixed random convolution with 5 x 5 filters,
          averaged over the four quarters of the image (`whp.ensembles.convolved`), each brought to
          mean 0 and variance 1 over the training images. They are less informative, so accuracies are lower
          than in print.
Sizes     Off the paper profile images are fewer and averaged over squares of 2 x 2, features fewer, networks
          narrower and steps fewer. The paper prints no number of steps; the authors' program has 100 epochs.
          A trial draws 45,000 of the 50,000 images in paper, so that trials differ.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import torch

from whp.claims import Design, Path, Plot, Twin, claim, experiment, order
from whp.devices import as_dtype
from whp.ensembles.convolved import random_convolution
from whp.ensembles.labelled import labelled_images
from whp.kernels import activation
from whp.models import classification_accuracy
from whp.models.node_classifier import movement, train_classifier
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales
from whp.models.transfer import standardised

from ._classification import (
    ALPHA_STEP,
    CLASSES,
    FEW,
    GAMMA_STEPS,
    REGIME,
    SETTINGS,
    Statistic,
    curves,
    over_kept,
    over_time,
    pruning,
    step_name,
)

BATCH = 64
RATE = 5.0
CELLS = 2
GAMMAS = {f"{gamma:g}, 0.5": (gamma, 0.5) for gamma in (0.75, 0.25, 0.0)}
SWEEP = ("1", "0.75, 0.5", "0.5, 0.5", "0.25, 0.5", "0, 0.5")
"""Figure 12; at gamma = 1 there is no alpha."""
ALL = SETTINGS | GAMMAS
MARKS = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Shares of the training that are recorded."""
FIRST, LAST = GAMMA_STEPS
SWEEP_STEPS = tuple(itertools.pairwise(SWEEP))


MOVEMENT = Statistic(
    "movement",
    r"\overline{\log \max_j \|w_{tj} - w_{0j}\|} \text{, second} - \text{first}",
    {FIRST: math.log(8), ALPHA_STEP: math.log(1.4), LAST: None},
    ratio=True,
    most={LAST: math.log(1.3)},
    instead={"median movement": "the median node, too, moves more"},
)
RISK = Statistic(
    "pruned risk",
    r"\overline{\log \text{test risk with 10, 5, 2 \% of the nodes}} \text{, first} - \text{second}",
    {FIRST: math.log(1.35), ALPHA_STEP: math.log(1.05), LAST: math.log(1.3)}
    | {step: math.log(1.2) for step in SWEEP_STEPS},
    ratio=True,
)
ACCURACY = Statistic(
    "pruned accuracy",
    r"\overline{\text{test accuracy with 10, 5, 2 \% of the nodes}} \text{, second} - \text{first}",
    {FIRST: 0.2, ALPHA_STEP: 0.05, LAST: 0.2},
)


@experiment(
    quick=Design(
        Path(n=(200,), n_test=100, m=200, filters=8, pool=2, steps=40),
        {"activation": ["swish"]},
        trials=(12, 12),
    ),
    standard=Design(
        Path(n=(2500,), n_test=1000, m=600, filters=32, pool=2, steps=1000),
        {"activation": ["swish"]},
        trials=(12, 27),
    ),
    paper=Design(
        Path(n=(45_000,), n_test=10_000, m=2000, filters=128, pool=1, steps=78_125),
        {"activation": ["swish"]},
        trials=(12, 18),
    ),
    dtype="float32",
    time_limit=86_400,
    memory_limit=16,
    needs=("cifar10",),
)
def training(p, rng, device):
    return measure(p, rng, device, ALL)


@experiment(
    quick=Design(
        Path(n=(100,), n_test=100, m=100, filters=8, pool=2, steps=20),
        {"activation": ["swish"]},
        trials=(8, 8),
    ),
    standard=Design(
        Path(n=(2500,), n_test=1000, m=600, filters=32, pool=2, steps=500),
        {"activation": ["swish"]},
        trials=(12, 60),
    ),
    paper=Design(
        Path(n=(45_000,), n_test=10_000, m=2000, filters=128, pool=1, steps=78_125),
        {"activation": ["swish"]},
        trials=(12, 60),
    ),
    dtype="float32",
    time_limit=86_400,
    memory_limit=16,
    needs=("cifar10",),
)
def two_alphas(p, rng, device):
    return measure(p, rng, device, ALPHA_STEP)


def measure(p, rng, device, names):
    """Train networks of some settings on the same images and batches, and prune them."""
    phi, dtype = activation(p.activation), as_dtype(p.dtype)
    (X, labels), test = sample(rng, p, dtype, device)
    batches = [torch.from_numpy(rng.choice(len(X), BATCH, replace=False)) for _ in range(p.steps)]
    d = X.shape[1]
    drawn = NodeScaled.draw(rng, d, d, node_scales(p.m, 1.0), phi, dtype, outputs=CLASSES, device=device)
    marks, found = [round(share * p.steps) for share in MARKS], {}
    for name in names:
        start = replace(drawn, scales=node_scales(p.m, *ALL[name]))
        networks = train_classifier(start, X, labels, rate=RATE, batches=batches, record=marks)
        own = pruning(networks[-1], *test, cross_entropy)
        for share, network in zip(MARKS, networks, strict=True):
            moved = movement(network, start)
            own[f"movement @{share:g}"] = float(moved.max())
            own[f"median movement @{share:g}"] = float(moved.median())
            own[f"test accuracy @{share:g}"] = classification_accuracy(
                network.outputs(test[0]), test[1]
            ).share
        found |= {f"{name}: {what}": value for what, value in own.items()}
    return found | compared(found, names)


def sample(rng, p, dtype, device):
    """Features and labels of training and test images."""
    own = {"pool": p.pool, "dtype": dtype, "device": device}
    train = labelled_images(rng, "cifar10", p.n, part="train", **own)
    test = labelled_images(rng, "cifar10", p.n_test, part="test", **own)
    features = (random_convolution(data.X, p.filters, cells=CELLS) for data in (train, test))
    X, X_test = standardised(*features)
    return (X, train.labels), (X_test, test.labels)


def cross_entropy(outputs, labels):
    """The risk: the mean over images of the cross-entropy."""
    return float(torch.nn.functional.cross_entropy(outputs, labels))


def compared(found, names):
    """Every paired difference that is decided: positive where the printed order holds."""
    rows = {}
    for step in {*GAMMA_STEPS, ALPHA_STEP, *SWEEP_STEPS}:
        if not set(step) <= set(names):
            continue
        large, small = step  # the setting with the larger gamma or alpha, and the other

        def gain(what, large=large, small=small):
            return found[f"{small}: {what}"] - found[f"{large}: {what}"]

        def ratio(names, large=large, small=small):
            ratios = [math.log(found[f"{small}: {name}"] / found[f"{large}: {name}"]) for name in names]
            return sum(ratios) / len(ratios)

        later = [f"@{share:g}" for share in MARKS[1:]]
        kept = sum(gain(f"test accuracy, kept {share}") for share in FEW) / len(FEW)
        rows |= {
            **MOVEMENT.of(step, ratio([f"movement {at}" for at in later])),
            f"median movement {step_name(step)}": ratio([f"median movement {at}" for at in later]),
            **RISK.of(step, -ratio([f"test risk, kept {share}" for share in FEW])),
            **ACCURACY.of(step, kept),
        }
        if step == ALPHA_STEP:
            rows |= {
                "pruned accuracy, other way": -kept,
                "pruned accuracy, other way, beyond": -kept - 0.05,
                "pruned risk, other way, beyond": ratio([f"test risk, kept {share}" for share in FEW])
                - math.log(1.05),
            }
    return rows


ASSUMPTIONS = (
    "CIFAR-10, features by a fixed random convolution in place of a pretrained network.",
    r"$\lambda_{m,j}$ by (1) and (35), both layers trained; sizes and steps as the path says.",
)
CAPTION = (
    "Mean over trials, which differ in images, weights and batches, and the range. Differs from the paper's"
    " figure: other features, fewer images, narrower networks, fewer steps; see Features and Sizes."
)
NODES, TIME = "per cent of the nodes kept", "per cent of the training"
PANELS = (
    ("Test accuracies through training", "test accuracy", TIME, "accuracy", over_time(MARKS), False),
    ("Differences in weight norms", "movement", TIME, "norm", over_time(MARKS), False),
    ("Test risks of the pruned models", "test risk", NODES, "risk", over_kept(), True),
    ("Test accuracies of the pruned models", "test accuracy", NODES, "accuracy", over_kept(), True),
)


def panels(experiment, settings, word):
    """The panels of Figure 11 or 12."""
    return [
        Plot(
            title=f"{title} ({word})",
            x=x,
            y=y,
            lines=curves(experiment, settings, statistic, xs),
            log_x=log_x,
            caption=CAPTION,
        )
        for title, statistic, x, y, xs, log_x in PANELS
    ]


def checks(experiment, statistic, steps):
    """The checks of a statistic between some pairs of neighbours."""
    return replace(statistic, excess={s: statistic.excess[s] for s in steps}).checks(experiment)


COMMON = {"regime": {**REGIME, "paper": "form"}, "assumptions": ASSUMPTIONS}

figures = claim(
    "caron2023.fig_11_12",
    *checks(training, MOVEMENT, (FIRST, ALPHA_STEP, LAST)),
    *checks(training, RISK, (FIRST, LAST, *SWEEP_STEPS)),
    *checks(training, ACCURACY, (FIRST, LAST)),
    title="On CIFAR-10 pruning improves as gamma becomes smaller",
    locus="Figures 11 and 12, Appendix J.2",
    plots=panels(training, SETTINGS, "four settings") + panels(training, SWEEP, "gamma alone"),
    **COMMON,
)

alpha = claim(
    "caron2023.fig_11_12_alpha",
    *checks(two_alphas, RISK, (ALPHA_STEP,)),
    *checks(two_alphas, ACCURACY, (ALPHA_STEP,)),
    title="On CIFAR-10 pruning improves as alpha becomes smaller",
    locus="Classification and Figure 11, Appendix J",
    plots=panels(two_alphas, ALPHA_STEP, "alpha alone"),
    **COMMON,
)

alphas_corrected = claim(
    "caron2023.fig_11_12_alpha_corrected",
    order(
        experiment=two_alphas,
        statistic="pruned accuracy, other way",
        quantity=r"\overline{\text{test accuracy of the pruned}}, \quad"
        r" (\gamma, \alpha) = (0.5, 0.7) \text{ less } (0.5, 0.5)",
        twins={
            "excess": Twin("by more than 5 points", statistic="pruned accuracy, other way, beyond"),
            "risk": Twin("risks rise by a factor above 1.05", statistic="pruned risk, other way, beyond"),
        },
    ),
    title="On CIFAR-10 at gamma = 0.5, networks with alpha = 0.5 lose more by pruning than with 0.7",
    locus="Classification and Figure 11, Appendix J",
    printed=False,
    corrects="caron2023.fig_11_12_alpha",
    **COMMON,
)
