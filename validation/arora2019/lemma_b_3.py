r"""What is known of a Gaussian vector from some projections leaves it Gaussian across them.

Setting   w ~ N(0, I_d), G: d x k fixed, F = w^T G; Pi the orthogonal projection onto the column space of G
          (the text says "row space").
Claim     Conditioned on F, (I - Pi) w has the law of (I - Pi) w~, w~ a fresh copy of w.
Measured  a component z = <a, w>, a a random unit vector with G^T a = 0, against a component s of F: the
          mean of z sign(s), and that of z^2 and Kolmogorov's distance of the law of z from N(0, 1) where
          s > 1/2. G generic, with a column twice, with two nearly parallel columns, and with d - 1 columns.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from whp.claims import Design, Path, Twin, bound, claim, experiment, mean, symbols

d = symbols("d")
BATCH = 1000
CELLS = {"columns": ["generic", "twice", "nearly parallel", "all but one"]}


def matrix(kind, d, rng):
    """G, shape (d, k)."""
    G = rng.standard_normal((d, {"twice": 3, "all but one": d - 1}.get(kind, 2)))
    if kind == "twice":
        G[:, 1] = G[:, 0]
    if kind == "nearly parallel":
        G[:, 1] = G[:, 0] + 1e-6 * G[:, 1]
    return G


def distance(sample):
    """Kolmogorov's distance of a sample from N(0, 1), times the root of its size."""
    size = len(sample)
    levels = ndtr(np.sort(sample))
    steps = np.arange(size + 1) / size
    return math.sqrt(size) * max(float((steps[1:] - levels).max()), float((levels - steps[:-1]).max()))


@experiment(
    quick=Design(Path(d=(6,)), {"columns": ["twice"]}, trials=(530, 1600)),
    standard=Design(Path(d=(6, 40)), CELLS, trials=(700, 3200)),
)
def projected(p, rng, device):
    """Moments and law of z given F, from a batch of w for one G; and of components that F tells of."""
    G = matrix(p.columns, p.d, rng)
    basis, singular, _ = np.linalg.svd(G)  # (d, d); the first columns span G's
    rank = int(np.sum(singular > 1e-9 * singular[0]))
    a = basis[:, rank:] @ rng.standard_normal(p.d - rank)
    a /= np.linalg.norm(a)
    w = rng.standard_normal((BATCH, p.d))
    s = w @ G[:, 0] / np.linalg.norm(G[:, 0])  # a component of F, standard normal

    def of(z):
        return {
            "first": float(np.mean(z * np.sign(s))),
            "second": float(np.mean(z**2 * (s > 0.5)) / ndtr(-0.5)),
            "distance": distance(z[s > 0.5]),
        }

    along = G[:, 0] / np.linalg.norm(G[:, 0])
    z = w @ a
    kinds = {"": z, ", along": w @ along, ", mixed": w @ (a + along) / math.sqrt(2), ", shrunk": 0.6 * z}
    return {name + kind: value for kind, values in kinds.items() for name, value in of(values).items()}


lemma = claim(
    "arora2019.lemma_b_3",
    mean(
        name="first moment",
        experiment=projected,
        statistic="first",
        quantity=r"\langle a, w \rangle \operatorname{sign} F_1",
        target=0,
        tolerance=0.02,
        twins={
            "along": Twin("the projection onto G in place of that across", statistic="first, along"),
            "mixed": Twin("a direction half across G", statistic="first, mixed"),
        },
    ),
    mean(
        name="second moment",
        experiment=projected,
        statistic="second",
        quantity=r"\langle a, w \rangle^2 \mid F_1 > \tfrac12",
        target=1,
        tolerance=0.05,
        twins={
            "mixed": Twin("a direction half across G", statistic="second, mixed"),
            "shrunk": Twin("a copy shrunk to 0.6", statistic="second, shrunk"),
        },
    ),
    bound(
        name="law",
        experiment=projected,
        statistic="distance",
        quantity=r"\sqrt N \sup_z |\hat F_N(z) - \Phi(z)|,\ \langle a, w \rangle \mid F_1 > \tfrac12,",
        # Massart's inequality: more than this with probability at most 1e-3, a twentieth of delta.
        bound=math.sqrt(math.log(2e3) / 2),
        delta=0.02,
        twins={
            "mixed": Twin("a direction half across G", statistic="distance, mixed"),
            "shrunk": Twin("a copy shrunk to 0.6", statistic="distance, shrunk"),
        },
    ),
    title="A Gaussian vector given some of its projections stays Gaussian across them",
    locus="Lemma B.3",
    regime="met",
)
