"""Compute reference.json: Gaussian expectations of the activations by mpmath, 30 digits.

Run ``python tests/kernels/make_reference.py`` (two minutes). Nothing of whp is used.
The formulas are written again from the definitions, and the integrals are taken another
way than in whp: Gauss-Legendre panels (mpmath.quad), conditioning z2 on z1; for the
piecewise-linear activations the inner mean is known and the outer integral is split at the kink.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mpmath as mp

mp.mp.dps = 30
Fn = Callable[[mp.mpf], mp.mpf]
SLOPES = {"relu": mp.mpf(0), "leaky_relu": mp.mpf(0.1)}

# (a, b, c): exact in binary; ordinary points, independence, zero variances, both edges |c| = sqrt(ab).
POINTS = [
    (1.0, 1.0, 0.25),
    (1.25, 0.75, -0.5),
    (4.0, 0.5, 1.25),
    (1.0, 1.0, 0.9375),
    (1.0, 1.5, 0.0),
    (0.0, 1.5, 0.0),
    (0.0, 0.0, 0.0),
    (1.5, 1.5, 1.5),
    (4.0, 1.0, 2.0),
    (4.0, 1.0, -2.0),
]


def sigma(z: mp.mpf) -> mp.mpf:
    return 1 / (1 + mp.exp(-z))


def pdf(z: mp.mpf) -> mp.mpf:
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


# E log(1 + exp(g)), to 30 digits.
SOFTPLUS_MEAN = mp.quad(lambda u: mp.log1p(mp.exp(u)) * pdf(u), mp.linspace(-14, 14, 29))

SMOOTH: dict[str, tuple[Fn, Fn]] = {
    "erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "sigmoid": (sigma, lambda z: sigma(z) * sigma(-z)),
    "softplus": (lambda z: mp.log(1 + mp.exp(z)), sigma),
    "centred_softplus": (lambda z: mp.log(1 + mp.exp(z)) - SOFTPLUS_MEAN, sigma),
    "swish": (lambda z: z * sigma(z), lambda z: sigma(z) + z * sigma(z) * sigma(-z)),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * pdf(z)),
}


def pieces(name: str) -> tuple[Fn, Fn]:
    """Return phi and phi' of any activation."""
    if name in SMOOTH:
        return SMOOTH[name]
    s = SLOPES[name]
    return lambda z: z if z >= 0 else s * z, lambda z: mp.mpf(1) if z >= 0 else s


def mean(f: Fn) -> mp.mpf:
    """Return E f(g); panels meet at 0, where the piecewise-linear integrands are not smooth."""
    panels = mp.linspace(-12, 12, 17)
    return mp.quad(lambda u: f(u) * pdf(u), panels, method="gauss-legendre", maxdegree=5)


def pair_mean(name: str, derivative: bool, a: float, b: float, c: float) -> mp.mpf:
    """Return E[f(z1) f(z2)] for f = phi or phi'."""
    f = pieces(name)[1 if derivative else 0]
    a, b, c = mp.mpf(a), mp.mpf(b), mp.mpf(c)
    root_a, root_b = mp.sqrt(a), mp.sqrt(b)
    if a == 0 or b == 0:
        return mean(lambda u: f(root_a * u) * f(root_b * u))
    if c * c == a * b:
        return mean(lambda u: f(root_a * u) * f(mp.sign(c) * root_b * u))
    rest = mp.sqrt(b - c * c / a)
    if name in SMOOTH:
        return smooth_pair(f, root_a, c / root_a, rest)
    s = SLOPES[name]

    def inner(mu: mp.mpf) -> mp.mpf:  # E f(mu + rest g)
        above = mp.ncdf(mu / rest)
        if derivative:
            return s + (1 - s) * above
        return s * mu + (1 - s) * (mu * above + rest * pdf(mu / rest))

    return mean(lambda u: f(root_a * u) * inner(c / root_a * u))


def smooth_pair(f: Fn, root_a: mp.mpf, shift: mp.mpf, rest: mp.mpf) -> mp.mpf:
    """Return E[f(root_a u) f(shift u + rest v)] on a fixed product of Gauss-Legendre panels, to 15 digits."""
    with mp.workdps(18):
        base = mp.calculus.quadrature.GaussLegendre(mp.mp).calc_nodes(4, 70)  # 24 nodes on [-1, 1]
        width, panels = mp.mpf(3) / 2, 12
        nodes, weights = [], []
        for k in range(panels):
            centre = -9 + width * (k + mp.mpf(1) / 2)
            nodes += [centre + width / 2 * x for x, _ in base]
            weights += [w * width / 2 for _, w in base]
        gauss = [w * pdf(u) for u, w in zip(nodes, weights, strict=True)]
        total = mp.mpf(0)
        for u, p in zip(nodes, gauss, strict=True):
            row = mp.fsum(q * f(shift * u + rest * v) for v, q in zip(nodes, gauss, strict=True))
            total += p * f(root_a * u) * row
        return total


def moments(name: str) -> dict[str, float]:
    """Return the one-dimensional moments by their definitions."""
    phi, dphi = pieces(name)
    return {
        "zeta": float(mean(dphi)),
        "gamma": float(mean(lambda u: dphi(u) ** 2)),
        "g_dphi": float(mean(lambda u: u * dphi(u))),
        "he2_dphi": float(mean(lambda u: (u * u - 1) * dphi(u))),
        "vartheta_0": float(mean(phi)),
        "vartheta_1": float(mean(lambda u: u * dphi(u))),
        "vartheta_2": float(mean(lambda u: (u**3 / 2 - u) * dphi(u))),
    }


def main() -> None:
    """Write the file."""
    reference: dict[str, object] = {}
    for name in [*SMOOTH, *SLOPES]:
        pairs = [
            {
                "a": a,
                "b": b,
                "c": c,
                "Phi": float(pair_mean(name, True, a, b, c)),
                "Gamma": float(pair_mean(name, False, a, b, c)),
            }
            for a, b, c in POINTS
        ]
        reference[name] = {"moments": moments(name), "pairs": pairs}
        print(name, flush=True)
    path = Path(__file__).with_name("reference.json")
    path.write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
