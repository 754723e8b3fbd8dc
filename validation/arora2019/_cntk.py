"""What the claims about the convolutional kernel share: images, formulas, and networks to hold them to.

The tensors K, K-dot and Sigma of Section 4.1 come from the plain reference implementation; every printed
formula is composed of them here, in the paper's order. The networks are another code, which knows no limit.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import sympy
import torch

from whp.claims import Design, Path, experiment, symbols
from whp.devices import as_dtype
from whp.kernels import activation
from whp.kernels.cntk_reference import CntkTensors, cntk_tensors, patch_trace
from whp.models import Convolutional

fan, q = symbols("fan q")
COLOURS = 3
NETWORKS = 48
"""Networks drawn for one pair of images: the formula costs more than a network, and a mean is less skewed."""

ASSUMPTIONS = (
    r"$\sigma(z) = \max(0, z)$, $c_\sigma = 2$, all weights $\mathcal{N}(0, 1)$; zero padding, stride 1.",
    "Images with three colours, normal entries, and correlation 1/2 between the two of a pair.",
    r"$[T]_{\mathcal{D}_{ij,i'j'}}$ is taken as $q \times q \times q \times q$, zero beyond the image:"
    r" its trace is the sum of $T_{i+a,j+b,i'+a,j'+b}$ over the shifts with all four indices in the image.",
)
STATISTIC = (
    f"The statistic is the kernel averaged over {NETWORKS} networks, over the formula: its mean is one but"
    " for a correction of order 1/C, C the number of channels: 32, and 96 at q = 1."
)


def pair(rng: np.random.Generator, side: int, colours: int = COLOURS) -> torch.Tensor:
    """Two images with correlation 1/2, shape (2, colours, side, side)."""
    X = rng.standard_normal((2, colours, side, side))
    X[1] = 0.5 * X[0] + math.sqrt(0.75) * X[1]
    return torch.from_numpy(X)


def trace(T: torch.Tensor) -> float:
    """tr(T), the sum of T_(ij,ij)."""
    return float(torch.einsum("ijij->", T))


def average(T: torch.Tensor) -> float:
    """The mean over all i, j, i', j'."""
    return float(T.mean())


def last_step(t: CntkTensors, train: str = "all", readout: bool = True) -> torch.Tensor:
    """K-dot^(L) o Theta^(L-1) + K^(L); with ``readout=False`` without the latter."""
    inner = t.K_dot[-1] * t.theta(train)[-1]
    return inner + t.K[-1] if readout else inner


def scale(t: CntkTensors) -> float:
    """c_sigma / q^2."""
    return 2 / t.filter_size**2


def chain(t: CntkTensors, h: int, start: torch.Tensor) -> float:
    """tr(K-dot^(H) o L(K-dot^(H-1) o ... L(K-dot^(h) o start))), h = 1, ..., H."""
    M = start
    for K_dot in t.K_dot[h - 1 : -1]:
        M = t.convolve(K_dot * M)
    return trace(t.K_dot[-1] * M)


def inputs_of_layer(t: CntkTensors, h: int) -> torch.Tensor:
    """tr([K^(0)]_D) at h = 1, and L(K^(h-1)) above: inner products of patches of x^(h-1), in the limit."""
    return patch_trace(t.K[0], t.filter_size, t.padding) if h == 1 else t.convolve(t.K[h - 1])


def layer_kernels(rng: np.random.Generator, X: torch.Tensor, p, pooling: str) -> torch.Tensor:
    """The kernel of each layer for a pair of images, averaged over networks, shape (L + 1,)."""
    X = X.to(as_dtype(p.dtype))
    drawn = [
        Convolutional.draw(
            rng,
            (COLOURS, *[p.C] * p.L),
            (p.side, p.side),
            activation=activation("relu"),
            c_sigma=2.0,
            filter_size=p.q,
            pooling=pooling,
            dtype=X.dtype,
        )
        for _ in range(NETWORKS)
    ]

    def kernels(*weights: torch.Tensor) -> torch.Tensor:
        net = replace(drawn[0], filters=weights[:-1], readout=weights[-1])
        return torch.stack([kernel[0, 1] for kernel in net.layer_ntks(X)])

    stacked = [torch.stack(layer) for layer in zip(*(net.weights for net in drawn), strict=True)]
    return torch.func.vmap(kernels)(*stacked).to(torch.float64).mean(0)


VANILLA = {(4, 1, 3), (4, 2, 1), (4, 2, 3), (4, 3, 3), (6, 2, 5), (6, 3, 1), (8, 1, 5), (8, 2, 3), (8, 3, 3)}
GAP = {(4, 2, 3), (4, 3, 3), (6, 2, 1), (6, 2, 5), (8, 2, 3), (8, 3, 3)}


def designs(cells: set[tuple[int, int, int]]) -> dict[str, Design]:
    """The designs over image side, depth L and filter size q."""
    path = Path(fan=(96,), C=sympy.Max(fan / q, 32))
    over = {"side": [4, 6, 8], "L": [1, 2, 3], "q": [1, 3, 5]}
    return {
        "quick": Design(path, {"side": [4], "L": [2], "q": [3]}, trials=(50, 400)),
        "standard": Design(path, over, trials=(50, 400), only=lambda c: (c["side"], c["L"], c["q"]) in cells),
    }


@experiment(name="arora2019.cntk.vanilla", dtype="float32", **designs(VANILLA))
def vanilla(p, rng, device):
    """The kernel of networks without pooling, and of single layers of them, over each formula for it."""
    X = pair(rng, p.side)
    t, wrapped = (
        cntk_tensors(X[0], X[1], layers=p.L, filter_size=p.q, padding=padding)
        for padding in ("zero", "circular")
    )
    layers = layer_kernels(rng, X, p, "none")
    total = float(layers.sum())
    first, middle, last = 1, math.ceil((p.L + 1) / 2), p.L
    numbers = {
        "4.1": total / trace(t.convolve(last_step(t))),
        "4.1, first layer fixed": total / trace(t.convolve(last_step(t, "middle"))),
        "4.1, last layer fixed": total / trace(t.convolve(last_step(t, readout=False))),
        "corrected": total / (scale(t) * trace(last_step(t))),
        "corrected, first layer fixed": total / (scale(t) * trace(last_step(t, "middle"))),
        "corrected, last layer fixed": total / (scale(t) * trace(last_step(t, readout=False))),
        "corrected, circular": total / (scale(t) * trace(last_step(wrapped))),
        "E.1": total / trace(last_step(t)),
        "E.1, circular": total / trace(last_step(wrapped)),
        "readout": float(layers[-1]) / trace(t.K[-1]),
        "readout corrected": float(layers[-1]) / (scale(t) * trace(t.K[-1])),
        "readout circular": float(layers[-1]) / (scale(t) * trace(wrapped.K[-1])),
    }
    for name, h in (("first", first), ("middle", middle), ("last", last)):
        measured = float(layers[h - 1])
        numbers[name] = measured / chain(t, h, t.convolve(t.K[h - 1]))
        numbers[f"{name} corrected"] = measured / (scale(t) * chain(t, h, inputs_of_layer(t, h)))
        numbers[f"{name} circular"] = measured / (scale(t) * chain(wrapped, h, inputs_of_layer(wrapped, h)))
    return numbers


@experiment(name="arora2019.cntk.gap", dtype="float32", **designs(GAP))
def gap(p, rng, device):
    """The kernel of the layers between the first and the last of networks with pooling, over each formula."""
    X = pair(rng, p.side)
    t, wrapped = (
        cntk_tensors(X[0], X[1], layers=p.L, filter_size=p.q, padding=padding)
        for padding in ("zero", "circular")
    )
    total = float(layer_kernels(rng, X, p, "average")[1:-1].sum())
    inner = last_step(t, "middle", readout=False)
    return {
        "4.2": total / average(t.convolve(inner)),
        "4.2, last layer trained": total / average(t.convolve(last_step(t, "middle"))),
        "4.2, first layer trained": total / average(t.convolve(last_step(t, readout=False))),
        "corrected": total / (scale(t) * average(inner)),
        "corrected, last layer trained": total / (scale(t) * average(last_step(t, "middle"))),
        "corrected, first layer trained": total / (scale(t) * average(last_step(t, readout=False))),
        "corrected, circular": total / (scale(t) * average(last_step(wrapped, "middle", readout=False))),
    }
