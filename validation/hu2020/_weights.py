"""Weights along real training of the first layer, at which the lemmas for all weights are tested too."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from whp.claims import Design, Experiment, Path, Point, experiment, geometric, symbols
from whp.devices import as_dtype
from whp.ensembles import SymmetricInit, data_distribution, symmetric_init
from whp.kernels import Activation, activation, combined_features
from whp.linalg import spectral_norm
from whp.models import train_first_layer, train_two_layer
from whp.models.jacobians import first_layer_gram, perturbation_norm, preactivations, structure

from ._training import learning_rate, teacher

d, alpha = symbols("d alpha")
SIZES = {"n": 2 * d ** (1 + alpha), "m": d ** (1 + alpha), "even": ["m"]}
WIDE = {"n": 2 * d ** (1 + alpha), "m": d ** (2 + alpha), "even": ["m"]}
TRAINING = (
    r"Along training: labels are signs of a random two-layer erf network of width 5, $\eta_1 = d/20$,"
    r" $T = 10 \log d$ steps; looked at after 1, T/8, T/3 and T steps."
)
TRAINING_BOTH = (
    r"Along training both layers: the same labels; $\eta = d/(4 \log n)$ for erf, 1/5 for relu,"
    r" $T = d \log(d) / (2 \eta)$ steps; looked at after 1, T/8, T/3 and T steps."
)


@dataclass(frozen=True)
class Setting:
    """Data, initialisation, activation and the features Psi of Theta^lin1 or Theta^lin = Psi Psi^T."""

    X: torch.Tensor  # (n, d)
    init: SymmetricInit
    phi: Activation
    Psi: torch.Tensor  # (n, d + 2)


def setting(p: Point, rng: np.random.Generator, device: object, both: bool = False) -> Setting:
    """Draw the data and the weights of a point; with ``both``, for training both layers."""
    data, phi, dtype = data_distribution("gaussian"), activation(p.activation), as_dtype(p.dtype)
    X = data.sample(rng, p.n, p.d, dtype, device)
    init = symmetric_init(rng, p.m, p.d, dtype, device)
    rates = (1.0, 1.0 if both else 0.0)
    return Setting(X, init, phi, combined_features(X, phi, data.sigma_moment(p.d), rates))


def looked_at(last: int) -> list[int]:
    """Steps of a training run at which the weights are looked at."""
    return sorted({1, last // 8, last // 3, last})


def training_weights(s: Setting, rng: np.random.Generator) -> list[torch.Tensor]:
    """W(t) at the steps looked at in training the first layer, shape (m, d) each."""
    width = s.X.shape[1]
    last = math.ceil(10 * math.log(width))
    steps, kept = looked_at(last), []

    def keep(t, state):  # type: ignore[no-untyped-def]
        if t in steps:
            kept.append(state.network.W.clone())

    train_first_layer(s.X, teacher(rng, s.X), s.init.W, s.init.v, s.phi, width / 20, last, keep)
    return kept


def both_weights(p: Point, s: Setting, rng: np.random.Generator) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(W(t), v(t)) at the steps looked at in training both layers, shapes (m, d) and (m,)."""
    rate = learning_rate(p)
    last = math.ceil(p.d * math.log(p.d) / (2 * rate))
    steps, kept = looked_at(last), []

    def keep(t, state):  # type: ignore[no-untyped-def]
        if t in steps:
            kept.append((state.network.W.clone(), state.network.v.clone()))

    train_two_layer(s.X, teacher(rng, s.X), s.init.W, s.init.v, s.phi, rate, rate, last, keep)
    return kept


def spectral(shift: torch.Tensor) -> float:
    """Spectral norm of a displacement, shape (m, d)."""
    return float(torch.linalg.eigvalsh(shift.T @ shift)[-1].clamp_min(0)) ** 0.5


def right_side(shift: torch.Tensor, n: int, width: int) -> float:
    """The right side of (27) at a displacement W - W(0), shape (m, d)."""
    m = len(shift)
    return math.sqrt(n / width) * (spectral(shift) ** (1 / 3) / m ** (1 / 6) + (math.log(n) / m) ** 0.25)


def flips_scale(shift: torch.Tensor, n: int) -> float:
    """The right side of (33) at a displacement W - W(0), shape (m, d)."""
    m = len(shift)
    return (m * spectral(shift)) ** (2 / 3) + math.sqrt(m * math.log(n))


def along_training(p: Point, rng: np.random.Generator, device: object) -> dict[str, float]:
    """What the lemmas for all weights say of, at its largest over the steps looked at."""
    s = setting(p, rng, device)
    W0 = s.init.W
    starting = s.phi.dphi(preactivations(s.X, W0))  # (n, m); v drops out of the Gram matrices, as v_r = +-1
    signs = s.X @ W0.T > 0  # (n, m)
    linear = s.Psi @ s.Psi.T  # Theta^lin1
    numbers: dict[str, list[float]] = {"quotient": [], "ratio": [], "pairs": [], "flips": []}

    def norm(A: torch.Tensor) -> float:
        return spectral_norm(A, rng, failure_probability=1e-10).high

    for W in training_weights(s, rng):
        shift, slopes = W - W0, s.phi.dphi(preactivations(s.X, W))
        moved = perturbation_norm(s.X, slopes - starting, rng)
        numbers["quotient"].append(moved / float(shift.norm()))
        numbers["ratio"].append(moved / right_side(shift, p.n, p.d))
        numbers["pairs"] += [
            norm(first_layer_gram(s.X, slopes, other) - linear) for other in (slopes, starting)
        ]
        flips = float((signs != (s.X @ W.T > 0)).sum(dim=1).max())
        numbers["flips"].append(flips / flips_scale(shift, p.n))
    shape = structure(shift, s.X)
    return {
        **{name: max(values) for name, values in numbers.items()},
        "rank one": shape.rank_one,
        "neurons": shape.neurons,
        "data direction": shape.data_direction,
        "data point": shape.data_point,
    }


def training_of(name: str, activations: list[str]) -> Experiment:
    """The experiment for one kind of activation."""
    return experiment(
        name=f"hu2020.lemma_d_5.{name}",
        quick=Design(
            Path(d=geometric(12, 60, 4), **SIZES), {"alpha": [0.1], "activation": activations[:1]}, (12, 27)
        ),
        standard=Design(
            Path(d=geometric(16, 160, 5), **SIZES), {"alpha": [0.1], "activation": activations}, (8, 18)
        ),
        dtype="float32",
        failure_probability=2e-9,
    )(along_training)


smooth_training = training_of("smooth_training", ["erf", "softplus"])
linear_training = training_of("linear_training", ["relu", "leaky_relu"])


def both_along_training(p: Point, rng: np.random.Generator, device: object) -> dict[str, float]:
    """As `along_training` for both layers: the sides of (42) or (43), of (44), and D.13."""
    s = setting(p, rng, device, both=True)
    W0, v0 = s.init.W, s.init.v
    z0 = preactivations(s.X, W0)  # (n, m)
    starting, linear = s.phi.dphi(z0) * v0, s.Psi @ s.Psi.T
    numbers: dict[str, list[float]] = {"first": [], "second": [], "pairs": []}

    def norm(A: torch.Tensor) -> float:
        return spectral_norm(A, rng, failure_probability=1e-10).high

    for W, v in both_weights(p, s, rng):
        z = preactivations(s.X, W)
        slopes = s.phi.dphi(z) * v
        moved = perturbation_norm(s.X, slopes - starting, rng)
        numbers["first"].append(moved / right_side_both(s, W - W0, float((v - v0).norm())))
        numbers["second"].append(norm(s.phi.phi(z) - s.phi.phi(z0)) / p.m**0.5 / float((W - W0).norm()))
        for other, slopes_ in ((z, slopes), (z0, starting)):
            gram = first_layer_gram(s.X, slopes, slopes_) - linear
            numbers["pairs"].append(norm(gram.addmm_(s.phi.phi(z), s.phi.phi(other).T, alpha=1 / p.m)))
    return {name: max(values) for name, values in numbers.items()}


def right_side_both(s: Setting, shift: torch.Tensor, moved: float) -> float:
    """The right side of (42), or of (43), where W moves by ``shift``, (m, d), and v by ``moved``."""
    (n, width), m = s.X.shape, len(shift)
    if s.phi.smooth:
        return math.sqrt(n / m) * (float(shift.norm()) / width**0.5 + moved)
    return right_side(shift, n, width) + math.sqrt(n / (m * width)) * moved


both_training = experiment(
    name="hu2020.lemma_d_13.both_training",
    quick=Design(Path(d=geometric(5, 20, 4), **WIDE), {"alpha": [0.2], "activation": ["erf"]}, (12, 60)),
    standard=Design(
        Path(d=geometric(6, 28, 5), **WIDE), {"alpha": [0.2], "activation": ["erf", "relu"]}, (12, 60)
    ),
    dtype="float32",
    failure_probability=2e-9,
)(both_along_training)
