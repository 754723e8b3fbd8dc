r"""How far a drawn relu network is from its limit at two inputs: what Theorems B.1, B.2 and 3.1 bound.

Widths to 4096 by networks whose weights are all drawn (:mod:`whp.models`); depths, and probabilities of
one in a hundred, from the exact law of the same networks (:mod:`_backward`).
"""

from __future__ import annotations

import numpy as np
import torch

from whp.claims import Design, Path, experiment, geometric, symbols
from whp.devices import as_dtype
from whp.kernels import activation
from whp.models import FullyConnected

from ._backward import Limits, by_law, inputs, limits

L, d = symbols("L d")
ASSUMPTIONS = (
    r"$\sigma(z) = \max(0, z)$, all weights $\mathcal{N}(0, 1)$; two inputs of norm one, all $d_h = d$,"
    r" where the parameters of a cell do not say otherwise (``norm`` is that of $x'$).",
)
PLANES = 16
"""Pairs of inputs at which the same network is measured: one alone is of too large a spread to see a rate."""


def errors(features: np.ndarray, backward: np.ndarray, limit: Limits) -> dict[str, float]:
    """The largest errors over pairs (and layers), from <g^(h), g^(h)>, h = 0..L, <b^(h), b^(h)>, h = 1..L+1.

    ``kernel`` is that of the tangent kernel, largest over the three pairs; ``kernel (x, x')`` of one.
    """
    depth = len(features) - 1
    below = np.array([limit.product(h) for h in range(1, depth + 2)])
    each = features * backward
    kernel = np.abs(each.sum(axis=0) - limit.theta)
    return {
        "features": float(np.abs(features - limit.sigma).max()),
        "backward": float(np.abs(backward - below).max()),
        "kernel": float(kernel.max()),
        "kernel (x, x)": float(kernel[0]),
        "kernel (x, x')": float(kernel[1]),
        "without the last layer": float(np.abs(each[:-1].sum(axis=0) - limit.theta).max()),
    }


def planes(rho: float, pairs: int) -> torch.Tensor:
    """Pairs of unit vectors with inner product rho, in orthogonal planes; (pairs, 2, 2 pairs)."""
    return torch.from_numpy(np.kron(np.eye(pairs)[:, None], inputs(rho)))


def all_weights(p, rng, device):
    """Errors of a network whose weights are all drawn, in quadratic mean over pairs of inputs."""
    X = planes(p.rho, PLANES).to(device, as_dtype(p.dtype))
    net = FullyConnected.draw(
        rng, (2 * PLANES, *[p.d] * p.depth), activation("relu"), c_sigma=2.0, dtype=X.dtype, device=device
    )
    out = net.pass_(X.flatten(0, 1))
    features, backward = (
        np.stack([gram(u.unflatten(0, (PLANES, 2))) for u in us], axis=1) for us in (out.g, out.b)
    )  # (PLANES, L + 1, 3)
    found = [errors(f, b, limits(p.rho, p.depth)) for f, b in zip(features, backward, strict=True)]
    return {name: float(np.sqrt(np.mean([each[name] ** 2 for each in found]))) for name in found[0]}


def gram(u: torch.Tensor) -> np.ndarray:
    """Inner products of (x, x), (x, x') and (x', x') in every plane, (PLANES, 2, d) to (PLANES, 3)."""
    products: np.ndarray = (u @ u.mT).double().cpu().numpy()
    return products[:, [0, 0, 1], [0, 1, 1]]


def from_the_law(p, rng, device):
    """Errors of a network drawn from the exact law, at inputs of norm one; the depth is a size."""
    return law_errors(rng, p.rho, [p.d] * p.L)


def law_errors(rng, rho, widths, norm=1.0):
    """The same for any widths, and a second input of any norm."""
    net = by_law(rng, rho, widths, norm)
    return errors(net.features(), net.backward(), limits(rho, len(widths), norm))


widths = experiment(
    name="arora2019.initialisation.widths",
    quick=Design(Path(d=geometric(32, 512, 4)), {"depth": [2], "rho": [0.0]}, trials=(16, 80)),
    standard=Design(
        Path(d=geometric(64, 4096, 5)),
        {"depth": [1, 2], "rho": [0.0]},
        trials=(40, 140),
    ),
    dtype="float32",
)(all_weights)


def depths(name, d, quick, standard):
    """Networks whose width d is a power of the depth, as the theorems ask for."""
    return experiment(
        name=f"arora2019.initialisation.{name}",
        quick=Design(Path(L=quick, d=d), {"rho": [0.3]}, trials=(60, 900)),
        standard=Design(Path(L=standard, d=d), {"rho": [0.3]}, trials=(60, 900)),
    )(from_the_law)
