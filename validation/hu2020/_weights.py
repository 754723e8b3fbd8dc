"""Weights along real training of the first layer, at which the lemmas for all weights are tested too."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from whp.claims import Design, Experiment, Path, Point, experiment, geometric, symbols
from whp.devices import as_dtype
from whp.ensembles import SymmetricInit, data_distribution, symmetric_init
from whp.kernels import activation, linear_features, nu
from whp.kernels.activations import Activation
from whp.linalg import spectral_norm
from whp.models import train_first_layer
from whp.models.jacobians import first_layer_gram, perturbation_norm, preactivations, structure

d, alpha = symbols("d alpha")
SIZES = {"n": 2 * d ** (1 + alpha), "m": d ** (1 + alpha), "even": ["m"]}
TEACHER_WIDTH = 5
TRAINING = (
    r"Along training: labels are signs of a random two-layer erf network of width 5, $\eta_1 = d/20$,"
    r" $T = 10 \log d$ steps; looked at after 1, T/8, T/3 and T steps."
)


@dataclass(frozen=True)
class Setting:
    """Data, initialisation, activation and the features Psi of Theta^lin1 = Psi Psi^T."""

    X: torch.Tensor  # (n, d)
    init: SymmetricInit
    phi: Activation
    Psi: torch.Tensor  # (n, d + 1)


def setting(p: Point, rng: np.random.Generator, device: object) -> Setting:
    """Draw the data and the weights of a point."""
    data, phi, dtype = data_distribution("gaussian"), activation(p.activation), as_dtype(p.dtype)
    X = data.sample(rng, p.n, p.d, dtype, device)
    init = symmetric_init(rng, p.m, p.d, dtype, device)
    return Setting(X, init, phi, linear_features(X, phi.moments.zeta, nu(phi, data.sigma_moment(p.d))))


def teacher_labels(X: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Signs of a random two-layer erf network, shape (n,)."""
    first = torch.from_numpy(rng.standard_normal((TEACHER_WIDTH, X.shape[1]))).to(X)
    second = torch.from_numpy(rng.standard_normal(TEACHER_WIDTH)).to(X)
    return torch.sign(torch.erf(X @ first.T / X.shape[1] ** 0.5) @ second)


def looked_at(width: int) -> list[int]:
    """Steps of a training run at which the weights are looked at."""
    last = math.ceil(10 * math.log(width))
    return sorted({1, last // 8, last // 3, last})


def training_weights(s: Setting, rng: np.random.Generator) -> list[torch.Tensor]:
    """W(t) at the steps looked at, shape (m, d) each."""
    steps, kept = looked_at(s.X.shape[1]), []

    def keep(t, state):
        if t in steps:
            kept.append(state.network.W.clone())

    y = teacher_labels(s.X, rng)
    train_first_layer(s.X, y, s.init.W, s.init.v, s.phi, s.X.shape[1] / 20, steps[-1], keep)
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
            Path(d=geometric(16, 96, 4), **SIZES), {"alpha": [0.1], "activation": activations[:1]}, (8, 12)
        ),
        standard=Design(
            Path(d=geometric(16, 160, 5), **SIZES), {"alpha": [0.1], "activation": activations}, (8, 18)
        ),
        dtype="float32",
        failure_probability=2e-9,
    )(along_training)


smooth_training = training_of("smooth_training", ["erf", "softplus"])
linear_training = training_of("linear_training", ["relu", "leaky_relu"])
