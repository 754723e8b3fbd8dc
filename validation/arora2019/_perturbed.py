r"""The worst perturbation of the weights of a deep ReLU network at one input, for Lemmas D.1 to D.4.

All Delta W^(h) with ||Delta W^(h)||_2 <= sqrt(m) omega compete. At one input only Delta W^(h) g~^(h-1)
and (Delta W^(h))^T b~^(h) matter, so the search is over such pairs of vectors, and loses nothing: by
Parrott's theorem a matrix of norm R maps g to p and its transpose b to q if and only if ||p|| <= R ||g||,
||q|| <= R ||b|| and <b, p> = <q, g>.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from whp.claims import Design, Path, experiment, forall, geometric
from whp.devices import as_dtype
from whp.models import Ball, ascend
from whp.models.finite import FullyConnected, Pass

from ._flow import RELU, sphere

STEPS = 10
Step = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Nearby:
    """S perturbed networks at one input: features, back-propagated vectors, pre-activations."""

    g: list[torch.Tensor]  # (S, d_h), h = 0..L
    b: list[torch.Tensor]  # (S, d_h), h = 1..L + 1


@dataclass(frozen=True)
class Start:
    """A drawn network at one input, and how far its weights may go: omega."""

    net: FullyConnected
    here: Pass
    omega: float

    @property
    def layers(self) -> int:
        return self.net.layers

    def scaled(self, h: int) -> torch.Tensor:
        """sqrt(2/m) W^(h), for which the ball has the radius sqrt(2) omega."""
        return self.net.weights[h - 1] * math.sqrt(2 / len(self.net.weights[0]))

    def step(self, z: torch.Tensor) -> torch.Tensor:
        """The derivative of ReLU."""
        return (z > 0).to(z)

    def soft_step(self, z: torch.Tensor) -> torch.Tensor:
        """A smooth one, as wide as what the ball lets cheap neurons move: of order omega^(2/3)."""
        return torch.sigmoid(z / (0.3 * self.omega ** (2 / 3) * math.sqrt(2 / z.shape[-1])))

    def perturbed(self, a: list[torch.Tensor], c: list[torch.Tensor], step: Step) -> Nearby:
        """Go forward with Delta W g = R |g| a and back with Delta W^T b = R |b| c, |a|, |c| <= 1."""
        R, L = math.sqrt(2) * self.omega, self.layers
        g = [self.here.g[0].expand(len(a[0]), -1)]
        z = []
        for h in range(1, L + 1):
            size = torch.linalg.vector_norm(g[-1], dim=1, keepdim=True)
            z.append(g[-1] @ self.scaled(h).T + R * size * a[h - 1])
            g.append(torch.relu(z[-1]))
        b = [g[0].new_ones(len(a[0]), 1)]
        for h in range(L, 0, -1):  # from b^(h+1) to b^(h), through W^(h+1)
            size = torch.linalg.vector_norm(b[0], dim=1, keepdim=True)
            push = c[h - 1]
            if h < L:  # W^(h+1) is what went forward too
                to = torch.nn.functional.normalize(g[h], dim=1)
                along = ((b[0] / size.clamp_min(1e-30)) * a[h]).sum(dim=1, keepdim=True)
                across = push - (push * to).sum(dim=1, keepdim=True) * to
                push = along * to + (1 - along**2).clamp_min(0).sqrt() * across
            b.insert(0, step(z[h - 1]) * (b[0] @ self.scaled(h + 1) + R * size * push))
        return Nearby(g, b)

    def features(self, near: Nearby) -> torch.Tensor:
        """max over h of |Delta g^(h)|, shape (S,)."""
        pairs = zip(near.g[1:], self.here.g[1:], strict=True)
        return torch.stack([torch.linalg.vector_norm(x - y, dim=1) for x, y in pairs]).amax(0)

    def backward(self, near: Nearby) -> torch.Tensor:
        """max over h of |Delta b^(h)|, shape (S,)."""
        pairs = zip(near.b[:-1], self.here.b[:-1], strict=True)
        return torch.stack([torch.linalg.vector_norm(x - y, dim=1) for x, y in pairs]).amax(0)

    def gradients(self, near: Nearby) -> torch.Tensor:
        """|b~ g~^T - b g^T|_F for each layer, shape (L + 1, S)."""
        rows = []
        for b, g, b0, g0 in zip(near.b, near.g, self.here.b, self.here.g, strict=True):
            # b~ (g~ - g)^T + (b~ - b) g^T: no large terms that cancel.
            one, two = g - g0, b - b0
            squares = [x.square().sum(dim=1) for x in (b, one, two, g0)]
            mixed = (b * two).sum(dim=1) * (one * g0).sum(dim=1)
            rows.append((squares[0] * squares[1] + squares[2] * squares[3] + 2 * mixed).clamp_min(0).sqrt())
        return torch.stack(rows)

    def kernel(self, near: Nearby) -> torch.Tensor:
        """|ker~(x, x) - ker(x, x)|, shape (S,)."""
        terms = []
        for b, g, b0, g0 in zip(near.b, near.g, self.here.b, self.here.g, strict=True):
            new, old = ((u * u).sum(dim=1) * (v * v).sum(dim=1) for u, v in ((b, g), (b0, g0)))
            terms.append(new - old)
        return torch.stack(terms).sum(0).abs()

    def starts(self, rng: np.random.Generator) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Cheapest flips, cheapest for what they pass back, along the features, at random."""
        a, c = [], []
        for h in range(1, self.layers + 1):
            z = self.here.f[h - 1][0] * math.sqrt(2 / len(self.net.weights[0]))
            back = (self.here.b[h] @ self.scaled(h + 1))[0]
            room = math.sqrt(2) * self.omega * float(self.here.g[h - 1].norm())
            random = torch.from_numpy(rng.standard_normal(len(z))).to(z)
            kinds = [_flips(z, z.abs(), room), _flips(z, z.abs() / back.abs(), room), z, random]
            a.append(torch.stack([x / x.norm().clamp_min(1e-30) for x in kinds]))
            random = torch.from_numpy(rng.standard_normal(len(z))).to(z)
            kinds = [back, back, back, random]
            c.append(torch.stack([x / x.norm() for x in kinds]))
        return a, c


def _flips(z: torch.Tensor, price: torch.Tensor, room: float) -> torch.Tensor:
    """Move the cheapest neurons just across zero, as many as there is room for."""
    order = price.argsort()
    cheap = order[z[order].square().cumsum(0) <= room**2 / 1.03]
    return torch.zeros_like(z).index_copy_(0, cheap, -1.01 * z[cheap])


def worst(p, rng: np.random.Generator, device: torch.device) -> dict[str, float]:
    """The largest changes found for omega = 1/k, of p.layers layers of width p.m, at one input."""
    dtype = as_dtype(p.dtype)
    x = sphere(rng, 1).to(device, dtype)
    net = FullyConnected.draw(
        rng, [x.shape[1], *[p.m] * p.layers], RELU, c_sigma=2.0, dtype=dtype, device=device
    )
    s = Start(net, net.pass_(x), 1 / p.k)
    L = p.layers
    a, c = s.starts(rng)
    ball = Ball(torch.zeros_like(a[0][0]), 1.0)

    def features(*v: torch.Tensor) -> torch.Tensor:
        return s.features(s.perturbed(list(v), c, s.step))

    def backward(*v: torch.Tensor, step: Step = s.soft_step) -> torch.Tensor:
        return s.backward(s.perturbed(list(v[:L]), list(v[L:]), step))

    def judge(*v: torch.Tensor) -> torch.Tensor:
        return backward(*v, step=s.step)

    forth = ascend(features, a, [ball] * L, steps=STEPS).points
    back = ascend(backward, (*a, *c), [ball] * (2 * L), steps=STEPS, judge=judge).points
    pairs = ((list(forth), c), (list(back[:L]), list(back[L:])))
    found = [s.perturbed(*pair, s.step) for pair in (*pairs, (a, c))]
    gradients = [s.gradients(near) for near in found]
    epsilons = [g.square().sum(0).sqrt() for g in gradients]  # of all layers together
    kernels = [s.kernel(near) for near in found]
    return {
        "features": max(float(s.features(near).max()) for near in found),
        "backward": max(float(s.backward(near).max()) for near in found),
        "gradient": max(float(g.max()) for g in gradients),
        "kernel": max(float((k / e).max()) for k, e in zip(kernels, epsilons, strict=True)),
        "kernel, squared": max(float((k / e**2).max()) for k, e in zip(kernels, epsilons, strict=True)),
    }


@experiment(
    name="arora2019.perturbed.omega",
    quick=Design(Path(k=geometric(10, 1000, 5), m=4096, layers=1), trials=(8, 27)),
    standard=Design(Path(k=geometric(15, 600, 5), m=1024, layers=2), trials=(8, 61)),
    paper=Design(Path(k=geometric(50, 5000, 6), m=4096, layers=2), trials=(8, 27)),
    dtype="float32",
)
def along_omega(p, rng, device):
    return worst(p, rng, device)


@experiment(
    name="arora2019.perturbed.width",
    quick=Design(Path(m=geometric(128, 2048, 5), layers=1, k=30), trials=(8, 27)),
    standard=Design(Path(m=geometric(64, 1024, 5), layers=3, k=50), trials=(12, 41)),
    paper=Design(Path(m=geometric(64, 4096, 7), layers=3, k=50), trials=(8, 41)),
    dtype="float32",
)
def along_width(p, rng, device):
    return worst(p, rng, device)


@experiment(
    name="arora2019.perturbed.depth",
    quick=Design(Path(layers=(1, 2, 4, 8), m=128, k=60), trials=(8, 27)),
    standard=Design(Path(layers=(1, 2, 4, 8, 16), m=256, k=200), trials=(18, 41)),
    dtype="float32",
)
def along_depth(p, rng, device):
    return worst(p, rng, device)


SETTING = (
    r"ReLU; one input on the unit sphere in $\mathbb{R}^8$; all hidden layers of width $m$; the ball is"
    r" that of the spectral norm, for each matrix of weights."
)
CHOICES = (
    r"$\omega$ from $1/15$ to $1/600$ at $m = 1024$, $L = 2$; $m$ from 64 to 1024 at $\omega = 1/50$,"
    r" $L = 3$; $L$ from 1 to 16 at $\omega = 1/200$, $m = 256$. The paper asks for"
    r" $\omega \le \mathrm{poly}$."
)


def lemma(bound, statistic: str, quantity: str, twins) -> list:
    """A lemma's rate in omega, in the width and in the depth; the twins are in this order."""
    experiments = {"in omega": along_omega, "in the width": along_width, "in the depth": along_depth}
    return [
        forall(
            name=name,
            experiment=measured,
            statistic=statistic,
            quantity=quantity,
            bound=bound,
            rounding=1e-4,
            twins=mine,
        )
        for (name, measured), mine in zip(experiments.items(), twins, strict=True)
    ]
