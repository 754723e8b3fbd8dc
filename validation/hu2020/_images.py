"""What Figures 3 and 4 share: two networks on two classes of real images beside one linear model."""

from __future__ import annotations

import math

import numpy as np
import torch

from whp.claims import Line, Plot, Twin, order
from whp.devices import as_dtype
from whp.ensembles.datasets import two_classes
from whp.kernels import activation
from whp.models.deep import convolutional, fully_connected, relative_gap, split_loss, train_beside_linear

PRINTED_RATE = 0.01
DEPTH = 4
PHASE = 1000  # printed steps of the early phase
EARLY = (200, 500, PHASE)  # where it is looked at
HASTY = 100
MARKS = (HASTY, *EARLY, 2000, 5000, 10_000)
NETWORKS = ("FC", "CNN")
SHOWN = 3  # test images whose outputs are drawn; always the same


def marks(p):
    """The printed steps that are looked at."""
    return [t for t in MARKS if t <= p.horizon]


def train(p, rng, device, name, classes, judged=NETWORKS):
    """Train both networks and the linear model; return every statistic that is decided or drawn.

    What is decided is the worst of the networks in ``judged``.
    """
    phi, dtype = activation("erf"), as_dtype(p.dtype)
    own = {"pool": p.pool, "dtype": dtype, "device": device}
    data = two_classes(rng, name, classes, p.n, part="train", **own)
    test = two_classes(rng, name, classes, p.n_test, part="test", **own)
    shown = two_classes(np.random.default_rng(0), name, classes, SHOWN + 1, part="test", **own)
    networks = {
        "FC": fully_connected(rng, data.X, p.width, DEPTH, phi),
        "CNN": convolutional(rng, data.X, p.channels, DEPTH, phi),
    }
    times = [0, *marks(p)]
    # At a larger rate fewer steps go as far: t steps at the printed rate are these.
    steps = [round(t * PRINTED_RATE / p.rate) for t in times]
    trace = train_beside_linear(
        rng,
        networks,
        data.X,
        data.y,
        torch.cat((shown.X[:SHOWN], test.X)),
        rate=p.rate,
        batch=p.batch,
        steps=steps,
    )
    found = {}
    outputs = {**trace.networks, "linear": trace.linear}  # each (times, SHOWN + n_test)
    parts = {}
    for model, f in outputs.items():
        parts[model] = split_loss(f[:, SHOWN:], test.y, test.X)
        for k, t in enumerate(times):
            found[f"{model} inside @{t}"], found[f"{model} outside @{t}"] = (
                float(x[k]) for x in parts[model]
            )
            found |= {f"{model} output {i} @{t}": float(f[k, i]) for i in range(SHOWN)}
    for model in NETWORKS:
        gaps = relative_gap(outputs[model][1:, SHOWN:], trace.linear[1:, SHOWN:])
        found |= {f"{model} gap @{t}": float(gap) for t, gap in zip(times[1:], gaps, strict=True)}
    found["rate of CNN over FC"] = trace.slopes["FC"] / trace.slopes["CNN"]
    return found | decided(times, {m: f[:, SHOWN:] for m, f in outputs.items()}, parts, judged, p)


def decided(times, outputs, parts, judged, p):
    """The statistics that checks decide: each is positive where the paper's sentence holds of all judged."""
    at = {t: k for k, t in enumerate(times)}
    early, phase, hasty = [at[t] for t in EARLY], at[PHASE], at[HASTY]
    linear, loss = outputs["linear"], {model: inside + outside for model, (inside, outside) in parts.items()}
    learned = float(loss["linear"][0] - loss["linear"][phase])
    rows = []
    for model in judged:
        f = outputs[model]
        gap = float((f - linear)[early].square().sum() / linear[early].square().sum())
        late = float((f - linear)[-1].square().sum() / linear[-1].square().sum())
        wrong = float((f[phase] - linear[hasty]).square().sum() / linear[phase].square().sum())
        apart = float((loss[model] - loss["linear"])[early].abs().max()) / learned
        apart_wrong = float((loss[model][phase] - loss["linear"][hasty]).abs()) / learned
        inside, outside = (gains(x, phase) for x in parts[model])
        rows.append(
            {
                "agreement": math.log(p.small / gap),
                "agreement, hasty": math.log(p.small / wrong),
                "losses": math.log(p.almost / apart),
                "losses, hasty": math.log(p.almost / apart_wrong),
                "growth": math.log(late / gap),
                "growth, reversed": math.log(gap / late),
                "complement": outside,
                "complement, inside": inside,
            }
        )
    return {name: min(row[name] for row in rows) for name in rows[0]}


def gains(part, phase):
    """How much further a part of the loss falls after the early phase than in it."""
    return float((part[phase] - part[phase + 1 :].min()) - (part[0] - part[phase]))


def checks(experiment, label=""):
    """What both figures say of the early phase."""
    prefix = f"{label} " if label else ""
    return [
        order(
            name=f"{prefix}outputs",
            experiment=experiment,
            statistic="agreement",
            quantity=r"\log\left(\mathtt{small} \cdot \sum_t \mathbb{E}_x (f_t^{\mathrm{lin}})^2"
            r" / \sum_t \mathbb{E}_x (f_t - f_t^{\mathrm{lin}})^2\right), \quad t = 200, 500, 1000",
            twins={
                "hasty": Twin("the linear model after a tenth of the steps", statistic="agreement, hasty")
            },
        ),
        order(
            name=f"{prefix}losses",
            experiment=experiment,
            statistic="losses",
            quantity=r"\log\left(\mathtt{almost} \cdot (L_0 - L_{1000}^{\mathrm{lin}})"
            r" / \max_t |L_t - L_t^{\mathrm{lin}}|\right), \quad t = 200, 500, 1000",
            twins={"hasty": Twin("the linear model after a tenth of the steps", statistic="losses, hasty")},
        ),
    ]


def lines(experiment, models, statistic, times, **look):
    """Curves of some models along training."""
    colours = {"FC": 0, "CNN": 1, "linear": 2}
    return [
        Line(
            f"{model}{look.get('suffix', '')}",
            experiment=experiment,
            statistics={t: f"{model} {statistic} @{t}" for t in times},
            dashed=look.get("dashed", False),
            colour=colours[model],
        )
        for model in models
    ]


def plots(experiment, times, *, caption, title="", split=True):
    """The three panels of a figure; in one line a model where there is no split of the loss to show."""
    everything = (*NETWORKS, "linear")
    losses = lines(experiment, everything, "inside", times, suffix=", span of the inputs" if split else "")
    if split:
        losses += lines(experiment, everything, "outside", times, suffix=", complement", dashed=True)
    outputs = [
        line
        for i in range(SHOWN)
        for line in lines(
            experiment, everything, f"output {i}", times, suffix=f", image {i + 1}", dashed=i == 1
        )
    ]
    axis = {"x": "step t at the printed rate", "log_x": True}
    return [
        Plot(title=f"(a) {title}Test losses", y="loss", lines=losses, caption=caption, **axis),
        Plot(
            title=f"(b) {title}Outputs on three test images",
            y="output",
            lines=outputs,
            caption=caption,
            **axis,
        ),
        Plot(
            title=f"(c) {title}Relative MSE of the discrepancy",
            y="relative MSE",
            lines=lines(experiment, NETWORKS, "gap", times),
            caption=caption,
            **axis,
        ),
    ]
