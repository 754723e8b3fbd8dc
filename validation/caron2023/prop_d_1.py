r"""The least eigenvalue of the NTG matrix at initialisation.

Setting   Assumptions 2.1 and 2.3, gamma > 0, Assumption 2.2 or ReLU; Theta_m^(1) is the part of Theta_m with
          weights gamma / m; kappa_n the least eigenvalue of Theta* = E Theta_m.
Claim     If m >= 2^3 n log(n / delta) / (kappa_n d), then with probability at least 1 - delta
          eig_min(Theta_m) >= eig_min(Theta_m^(1)) > gamma kappa_n / 2 > 0.
Measured  At the printed width, rounded up (kappa_n at the lower end of its certified interval), for delta =
          0.5, 0.1 and 0.05 and gamma = 0.3 and 1: gamma kappa_n / 2 over eig_min(Theta^(1)) (in which
          gamma cancels); equality counts as a violation. Inputs:
          orthonormal (kappa_n at its largest), of random directions with norms from 1/2 to 1, and two at an
          angle of 0.2 (kappa_n d = 0.006 to 0.04). Every assumption is computed. Nearest to failing are one
          input and slopes that are nearly 0 or 1 and mostly 0, as those of softplus(8 (z - 2)) / 8, which
          Assumption 2.2 admits with M = 2: the sum is nearly Poisson, the proof's matrix Chernoff inequality
          loses little, and a tenth of the width is too little (a quarter fails in 6 % of all cases). At n
          orthonormal inputs the width is n times what the proof needs, which bounds eig_max(X X^T) = 1 by n.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

from whp.claims import Design, Path, Twin, bound, claim, experiment
from whp.kernels import Activation, activation, check_assumptions, kappa
from whp.kernels.assumptions import check_inputs
from whp.models import node_scales
from whp.models.node_network import NodeScaled, span_coordinates

STEEP, SHIFT = 8.0, 2.0
EQUAL = 1e-12  # the inequality is strict: equality violates it
ROUNDING = 1e-9  # of an eigenvalue


def steep(z):
    """softplus(8 (z - 2)) / 8."""
    return torch.nn.functional.softplus(STEEP * (z - SHIFT), threshold=40.0) / STEEP


def steep_d(z):
    return torch.sigmoid(STEEP * (z - SHIFT))


def steep_dd(z):
    return STEEP * torch.sigmoid(STEEP * (z - SHIFT)) * torch.sigmoid(STEEP * (SHIFT - z))


RARE = Activation(
    "rare", r"\mathrm{softplus}(8 (z - 2)) / 8", steep, steep_d, steep_dd, smooth=True, sup_dphi=1.0
)


def points(inputs, n):
    """Inputs of the setting, (n, d) with d = n, 2 for the close ones, and 2 n for the spread ones."""
    if inputs == "orthonormal":
        return torch.eye(n, dtype=torch.float64)
    if inputs == "close":
        angle = 0.2 * torch.arange(n, dtype=torch.float64)
        return torch.stack((torch.cos(angle), torch.sin(angle)), dim=1)
    rng = np.random.default_rng([n, 7])  # the same in every trial
    X = rng.standard_normal((n, 2 * n))
    return torch.from_numpy(X * np.linspace(1.0, 0.5, n)[:, None] / np.linalg.norm(X, axis=1, keepdims=True))


@functools.cache
def setting(name, inputs, n):
    """Coordinates of the inputs, the activation, kappa_n from below and d, all assumptions checked."""
    X = points(inputs, n)
    sigma = RARE if name == "rare" else activation(name)
    if name == "relu":
        check_inputs(X)
        least = kappa(X, sigma)
    else:
        least = check_assumptions(X, torch.ones(n), sigma).kappa
    return span_coordinates(X), sigma, least.low, X.shape[1]


def width(n, d, delta, least):
    """The printed width, rounded up."""
    return math.ceil(2**3 * n * math.log(n / delta) / (least * d))


def ratios(p, rng, delta):
    """gamma kappa_n / 2 over eig_min(Theta^(1)) at the printed width, and at a tenth of it."""
    B, sigma, least, d = setting(p.activation, p.inputs, p.n)
    printed = width(p.n, d, delta, least)
    found = {}
    for words, m in (("", printed), (", a tenth of m", math.ceil(printed / 10))):
        net = NodeScaled.draw(rng, B, d, node_scales(m, p.gamma, 0.5), sigma)
        first, whole = (float(torch.linalg.eigvalsh(net.ntg(B, part=part))[0]) for part in (1, None))
        # An eigenvalue of zero is a violation like any other; equality is one too.
        found[f"ratio{words}"] = min(1e6, p.gamma * least / 2 / max(first, 1e-300)) * (1 + EQUAL)
        found[f"part over whole{words}"] = first / max(whole, 1e-300) * (1 - ROUNDING)
    return {
        **found,
        "ratio, 0.95": 1.9 * found["ratio"],
        "ratio, without half": 2 * found["ratio"],
        "ratio, 1.15": 2.3 * found["ratio"],
        "part over whole, without gamma": found["part over whole"] / p.gamma,
    }


CELLS = {"inputs": ["orthonormal", "spread"], "activation": ["relu", "tanh"], "gamma": [0.3, 1.0]}
CLOSE = {"inputs": ["close"], "activation": ["relu", "tanh", "softplus"], "gamma": [0.3]}
NEAREST = {"inputs": ["orthonormal"], "activation": ["rare"], "gamma": [0.3]}


@experiment(
    quick=Design(
        Path(n=(1, 5)),
        {**CELLS, "inputs": ["spread"], "activation": ["relu"], "gamma": [0.3]},
        trials=(102, 400),
    ),
    standard=Design(
        Path(n=(1, 5, 20)),
        CELLS,
        trials=(150, 400),
        only=lambda cell: cell["gamma"] < 1 or (cell["inputs"], cell["activation"]) == ("spread", "relu"),
    ),
)
def sizes(p, rng, device):
    """delta = 0.1, n to 20."""
    return ratios(p, rng, 0.1)


@experiment(
    quick=Design(Path(n=(2,)), {**CLOSE, "activation": ["relu"]}, trials=(102, 400)),
    standard=Design(Path(n=(2,)), CLOSE, trials=(150, 400)),
)
def close(p, rng, device):
    """delta = 0.1, two inputs at an angle of 0.2."""
    return ratios(p, rng, 0.1)


SPREAD = {"inputs": ["spread"], "activation": ["relu"], "gamma": [1.0]}


@experiment(
    quick=Design(Path(n=(1, 5)), SPREAD, trials=(30, 400)),
    standard=Design(Path(n=(1, 5, 20)), {**SPREAD, "activation": ["relu", "tanh"]}, trials=(30, 400)),
)
def likely(p, rng, device):
    """delta = 0.5: the smallest widths."""
    return ratios(p, rng, 0.5)


@experiment(
    quick=Design(Path(n=(1,)), NEAREST, trials=(240, 1200)),
    standard=Design(Path(n=(1,)), NEAREST, trials=(400, 1200)),
)
def nearest(p, rng, device):
    """delta = 0.05, one input, slopes that are mostly 0."""
    return ratios(p, rng, 0.05)


HALF = Twin("gamma kappa_n without the half", statistic="ratio, without half")
TENTH = Twin("a tenth of the width", statistic="ratio, a tenth of m")


def checked(name, measured, delta, **twins):
    return bound(
        name=f"{name}, delta = {delta:g}",
        experiment=measured,
        statistic="ratio",
        quantity=r"\frac{\gamma \kappa_n}{2} / \mathrm{eig}_{\min}(\widehat\Theta^{(1)}_m)",
        bound=1,
        delta=delta,
        twins=twins,
    )


CLAIM = claim(
    "caron2023.prop_d_1",
    checked(
        "n = 1, 5, 20",
        sizes,
        0.1,
        half=HALF,
        share=Twin("0.95 in place of the half", statistic="ratio, 0.95"),
    ),
    checked("n = 1, 5, 20", likely, 0.5, more=Twin("1.15 in place of the half", statistic="ratio, 1.15")),
    checked("close inputs", close, 0.1, half=HALF),
    checked("rare slopes", nearest, 0.05, half=HALF, tenth=TENTH),
    bound(
        name="part below whole",
        experiment=sizes,
        statistic="part over whole",
        quantity=r"\mathrm{eig}_{\min}(\widehat\Theta^{(1)}_m) / \mathrm{eig}_{\min}(\widehat\Theta_m)",
        bound=1,
        delta=0.1,
        twins={
            "gamma": Twin("Theta^(1) / gamma in place of it", statistic="part over whole, without gamma"),
        },
    ),
    title="The least eigenvalue of the NTG matrix at initialisation, at the printed width",
    locus="Proposition D.1",
    regime="met",
    assumptions=(
        "Assumptions 2.1 and 2.2 are checked by computation (ReLU: 2.1 alone, as the proposition says).",
        r"$w_j \sim \mathcal{N}(0, I_d)$, drawn in coordinates of the span of the inputs: the same law.",
        r"$\gamma = 0.3, 1$; $\tilde\lambda$ of (35) with $\alpha = 0.5$ (they do not enter $\Theta^{(1)}$).",
    ),
)
