r"""What the claims of Appendix B on features and activation patterns have in common: relu nets at two inputs.

The events of Appendix B.1 (the printed x^(0) is x'), for the pairs (x, x), (x, x'), (x', x'):
A^h(e): |<g^(h), g^(h)> - Sigma^(h)| <= e, and D^h(e): |2 tr(D) / d_h - Sigma-dot^(h)| < e, where D =
D^(h)(x) D^(h)(x'), D^(h) the diagonal of sigma'(f^(h)) with sigma'(z) = 1[z >= 0]; a bar is all three pairs.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch

from whp.claims import Design, Path, experiment, symbols
from whp.devices import as_dtype
from whp.kernels import activation, fc_layers
from whp.models import FullyConnected

from ._backward import products

RELU = activation("relu")
LEVELS = tuple(float(x) for x in np.geomspace(0.02, 0.5, 10))

d = symbols("d")


@functools.cache
def limits(cosine, norm, layers):
    """Sigma^(h), h = 0..L, shape (L + 1, 3), and Sigma-dot^(h), h = 1..L, shape (L, 3), at the pairs."""
    inner = torch.tensor([1.0, cosine, 1.0], dtype=torch.float64) * norm**2
    found = fc_layers(norm**2, norm**2, inner, RELU, layers)
    return np.array([s.numpy() for s in found.sigma]), np.array([s.numpy() for s in found.sigma_dot])


@dataclass(frozen=True)
class Drawn:
    """One network at two inputs: products of features (L + 1, 3), 2 tr(D)/d_h (L, 3), outputs (2,), and the
    distances of the first two from their limits, largest over the pairs, (L + 1,) and (L,)."""

    features: np.ndarray
    traces: np.ndarray
    outputs: np.ndarray
    off_features: np.ndarray
    off_traces: np.ndarray


def draw(rng, widths, cosine, norm, dtype="float64"):
    """Draw a network with hidden widths ``widths``; the inputs lie in a plane, which loses no generality."""
    X = norm * torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]], dtype=as_dtype(dtype))
    net = FullyConnected.draw(rng, (2, *widths), RELU, c_sigma=2.0, dtype=as_dtype(dtype))
    passed = net.pass_(X)
    features = np.array([products(g.double().numpy()) for g in passed.g])
    traces = np.array([2 * products((f >= 0).double().numpy()) / f.shape[1] for f in passed.f])
    sigma, sigma_dot = limits(cosine, norm, len(widths))
    return Drawn(
        features,
        traces,
        passed.outputs.double().numpy(),
        np.abs(features - sigma).max(axis=1),
        np.abs(traces - sigma_dot).max(axis=1),
    )


def slope_law(products):
    """t of sigma' at Gram matrices given by their three entries, shape (..., 3), for the three pairs."""
    norms = np.sqrt(products[..., 0] * products[..., 2])
    cosine = np.clip(products[..., 1] / norms, -1.0, 1.0)
    one = np.ones_like(cosine)
    return np.stack([one, 0.5 + np.arcsin(cosine) / np.pi, one], axis=-1)


def implied(excess, width, count):
    """The delta at which ``excess = sqrt(2 log(count / delta) / width)``, at most 1."""
    return min(1.0, count * math.exp(-width * max(excess, 0.0) ** 2 / 2))


def nearness(width, norm, layers=3):
    """e_1 at which A^h(e_1^2 / 2) is not rare for h <= layers: 1.3 standard deviations of |g^(layers)|^2."""
    return norm * math.sqrt(2.6 * math.sqrt(5 * layers / width))


def given(event, level):
    """The level of an implication, read as material: nothing is violated where the event does not occur."""
    return level if event else 1.0


@experiment(
    name="arora2019.tails.even",
    quick=Design(Path(d=(100,)), {"cosine": [-0.9], "norm": [1.0, 0.01]}, trials=(700, 1600)),
    standard=Design(
        Path(d=(100, 300)),
        {"cosine": [-0.9, 0.5], "norm": [1.0, 0.01]},
        trials=(700, 3200),
        only=lambda cell: cell["norm"] == 1.0 or cell["cosine"] < 0,
    ),
    dtype="float32",
)
def even(p, rng, device):
    """Three hidden layers of one width: the delta that each lemma of Appendix B would need."""
    layers = (1, 2, 3)
    net = draw(rng, (p.d,) * 3, p.cosine, p.norm, p.dtype)
    largest = float(np.abs(net.outputs).max())
    near = nearness(p.d, p.norm)
    close = net.off_features <= near**2 / 2  # the events A^h(e_1^2 / 2)
    last = net.off_features[3] <= 1 / 2  # A^L at e_1 = 1

    def patterns(h, *, epsilon=near, factor=1.0, count=6):
        """delta at which D^h(epsilon + factor sqrt(2 log(count / delta) / d_h)) is left."""
        return implied((net.off_traces[h - 1] - epsilon) / factor, p.d, count)

    def least(**changes):
        return min(patterns(h, **{"count": 18, **changes}) for h in layers)

    slope = slope_law(net.features)[:, 1]  # at (x, x'), h = 0..L
    printed, corrected = abs(net.traces[0, 1] - slope[1]), abs(net.traces[1, 1] - slope[1])
    return {
        "outputs": given(last, min(1.0, 4 * math.exp(-(largest**2) / 4))),
        "outputs, third": given(last, min(1.0, 4 * math.exp(-9 * largest**2 / 4))),
        "outputs, without 4": given(last, min(1.0, math.exp(-(largest**2)))),
        "after": given(close[3], patterns(2)),
        "after, half": given(close[3], patterns(2, factor=0.5)),
        "after, power": given(close[3], patterns(2, factor=p.d**-0.125)),
        "first": patterns(1, epsilon=0.0),  # A^0 always holds, also with e_1 = 0
        "first, three fifths": patterns(1, epsilon=0.0, factor=0.6),
        "first, power": patterns(1, epsilon=0.0, factor=p.d**-0.125),
        "all": given(close.all(), least()),
        "all, three fifths": given(close.all(), least(factor=0.6)),
        "all, one event": given(close.all(), least(factor=0.8, count=1)),
        "at h": implied(printed, p.d, 2),
        "at h, half": implied(2 * printed, p.d, 2),
        "at h, square": implied(p.d**0.25 * printed, p.d, 2),
        "at h + 1": implied(corrected, p.d, 2),
        "at h + 1, half": implied(2 * corrected, p.d, 2),
        "at h + 1, square": implied(p.d**0.25 * corrected, p.d, 2),
    }


@experiment(
    name="arora2019.tails.narrow",
    quick=Design(Path(d=(4000,), last=10), trials=(530, 1600)),
    standard=Design(Path(d=(10_000, 20_000), last=10), trials=(700, 3200)),
    dtype="float32",
)
def narrow(p, rng, device):
    """D^2 in a narrow second layer behind a wide one: there e_1 need not be much more than 1 / sqrt(d_2)."""
    net = draw(rng, (p.d, p.last), 0.5, 1.0, p.dtype)
    near = nearness(p.d, 1.0, layers=1)
    close, excess = net.off_features[1] <= near**2 / 2, net.off_traces[1] - near
    return {
        "before": given(close, implied(excess, p.last, 6)),
        "before, third": given(close, implied(3 * excess, p.last, 6)),
    }


@experiment(
    name="arora2019.tails.short",
    quick=Design(Path(d=(500,), first=6, last=20), trials=(530, 1600)),
    standard=Design(Path(d=(2000,), first=6, last=50), trials=(700, 3200)),
    dtype="float32",
)
def short(p, rng, device):
    """D^2 behind a narrow first layer and in front of a narrow third one, at inputs of norm 0.03."""
    net = draw(rng, (p.first, p.d, p.last), 0.0, 0.03, p.dtype)
    close, off = net.off_features[3] <= 0.1**2 / 2, net.off_traces[1]
    return {
        "after": given(close, implied(off - 0.1, p.d, 6)),
        "after, exact features": given(close, implied(off, p.d, 6)),
        "after, square": given(close, implied(off - 0.1**2 / 2, p.d, 6)),
    }
