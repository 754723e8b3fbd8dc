"""What Figures 10 to 12 share: the settings (gamma, alpha), pruning, orders between settings, curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from whp.claims import Line, Twin, order
from whp.models import classification_accuracy
from whp.models.node_classifier import pruned
from whp.models.transfer import importance, most_important

from . import _settings

SETTINGS = {
    f"{one.gamma:g}" + ("" if one.alpha is None else f", {one.alpha:g}"): (one.gamma, one.alpha)
    for one in _settings.SETTINGS
}
"""The four pairs (gamma, alpha) of Appendix J, from the symmetrical network on."""

GAMMA_STEPS = (("1", "0.5, 0.7"), ("0.5, 0.5", "0, 0.4"))
"""Neighbours of which the second has the smaller gamma."""

ALPHA_STEP = ("0.5, 0.7", "0.5, 0.5")
"""The one pair of settings that differ in alpha alone."""

CLASSES = 10
KEPT = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
"""Shares of the nodes that are kept."""

FEW = KEPT[-3:]
"""Those where pruning is decided."""

REGIME = {"quick": "beyond", "standard": "beyond", "paper": "met"}


def ranked(network):
    """The nodes by lambda_j ||w_j||^2, the most important first."""
    return most_important(importance(network.scales.values, network.weights), network.scales.m)


def pruning(network, X, labels, risk, word="test"):
    """Accuracy and risk of what is left of a network, at every share of nodes that is kept."""
    nodes, found = ranked(network), {}
    counts = [max(1, round(share * len(nodes))) for share in KEPT]
    # All pruned networks in one pass over the nodes: each is a set of outputs of one network.
    columns = [pruned(network, nodes[:count]).signs for count in counts]
    outputs = replace(network, signs=torch.cat(columns, dim=1)).outputs(X)
    for share, own in zip(KEPT, outputs.split(CLASSES, dim=1), strict=True):
        found[f"{word} accuracy, kept {share}"] = classification_accuracy(own, labels).share
        found[f"{word} risk, kept {share}"] = risk(own, labels)
    return found


def one_hot(labels, dtype):
    """Targets of the squared loss, shape (n, 10)."""
    return torch.nn.functional.one_hot(labels, CLASSES).to(dtype)


def step_name(step):
    """How a check calls a pair of neighbours."""
    return " to ".join(f"({setting})" for setting in step)


@dataclass(frozen=True)
class Statistic:
    """A paired difference between neighbouring settings, positive where the printed order holds.

    Attributes
    ----------
    name : str
    quantity : str
        LaTeX.
    excess : mapping of (str, str) to float or None
        For each pair of neighbours that is decided: what a false twin says the difference exceeds. None
        where what is left is too skewed for few trials to refute, and ``instead`` has the twin.
    ratio : bool
        The difference is one of logarithms.
    most : mapping of (str, str) to float
        Where a few large differences would carry the mean, a difference counts up to this and no more; so
        does what a false twin leaves of it.
    instead : mapping of str to str
        Twins of neighbours that differ in gamma, which put another statistic in its place: its name, and
        what is wrong, in words.
    """

    name: str
    quantity: str
    excess: Mapping[tuple[str, str], float | None]
    ratio: bool = False
    most: Mapping[tuple[str, str], float] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)

    def of(self, step, value):
        """The statistics of a trial: the difference, and what is left of it above the false excess."""
        most = self.most.get(step, math.inf)
        found = {f"{self.name} {step_name(step)}": min(value, most)}
        if self.excess.get(step) is not None:
            # From the whole difference: what is cut off first could not reach the excess in any trial.
            found[f"{self.name}, beyond {step_name(step)}"] = min(value - self.excess[step], most)
        return found

    def checks(self, experiment, prefix=""):
        """A check for each pair of neighbours that is decided."""
        return [self._check(experiment, step, excess, prefix) for step, excess in self.excess.items()]

    def _check(self, experiment, step, excess, prefix):
        between, twins = step_name(step), {}
        arrow = between.replace(" to ", r" \to ")
        if excess is not None:
            size = f"a factor of {math.exp(excess):.3g}" if self.ratio else f"{100 * excess:.3g} points"
            twins["excess"] = Twin(f"by more than {size}", statistic=f"{self.name}, beyond {between}")
        if step != ALPHA_STEP:
            for other, why in self.instead.items():
                twins[other] = Twin(why, statistic=f"{other} {between}")
        return order(
            name=f"{prefix}{self.name} {between}",
            experiment=experiment,
            statistic=f"{self.name} {between}",
            quantity=rf"{self.quantity}, \quad (\gamma, \alpha): {arrow}",
            twins=twins,
        )


def curves(experiment, settings, statistic, xs, *, dashed=False, suffix=""):
    """A line a setting: the statistic ``"{setting}: {statistic} {label}"`` against x, for x: label in xs."""
    return [
        Line(
            f"({setting}){suffix}",
            experiment=experiment,
            statistics={x: f"{setting}: {statistic}{label}" for x, label in xs.items()},
            dashed=dashed,
            colour=colour,
        )
        for colour, setting in enumerate(settings)
    ]


def over_time(marks):
    """x of the recorded times, in per cent of the training."""
    return {100 * share: f" @{share:g}" for share in marks}


def over_kept():
    """x of the pruned networks, in per cent of the nodes."""
    return {100 * share: f", kept {share}" for share in KEPT}
