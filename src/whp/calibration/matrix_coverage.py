"""The study of matrix means: does the matrix sequence cover at every look, and how wide is it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import norm

from whp.calibration.study import StudyCell
from whp.stats import MatrixEstimate, matrix_sequence_looks, rectangular_sequence
from whp.stats.sequences import Array

STUDY = "matrix means"
LEVEL = 0.05
SAMPLES = 400
LOOKS = tuple(sorted({round(n) for n in np.geomspace(1, SAMPLES, 25)}))

MISSED = "truth missed at some look"
RATIO = "mean radius / Bernstein's, variance known"


@dataclass(frozen=True)
class Law:
    """Samples of a matrix with eigenvalues (singular values, if rectangular) in a range, and their mean."""

    name: str
    draw: Callable[[np.random.Generator, int], Array]
    mean: Array
    variance: float  # the norm of E (X - EX)^2
    low: float = 0.0
    high: float = 1.0


def _projectors(rng: np.random.Generator, n: int, d: int) -> Array:
    v = rng.standard_normal((n, d, 1))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    found: Array = v @ v.transpose(0, 2, 1)
    return found


def _switched(d: int, p: float) -> Law:
    """All eigenvalues are 1 together with probability p: the scalar case, and the largest variance."""
    return Law(
        f"d = {d}: I with probability {p:g}, else 0",
        lambda rng, n: (rng.random((n, 1, 1)) < p) * np.eye(d),
        p * np.eye(d),
        p * (1 - p),
    )


def _rare_projector(d: int, p: float) -> Law:
    """A random direction, seldom: non-commuting and skewed."""
    return Law(
        f"d = {d}: a random projector with probability {p:g}, else 0",
        lambda rng, n: (rng.random((n, 1, 1)) < p) * _projectors(rng, n, d),
        p / d * np.eye(d),
        p / d - (p / d) ** 2,
    )


def _dependent(d: int) -> Law:
    """Constant mean given the past, but a spread that follows the sign of the sample before."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        signs = rng.choice([-1.0, 1.0], n)
        before = np.concatenate([[1.0], signs[:-1]])
        size = np.where(before > 0.0, 0.5, 0.05)
        found: Array = 0.5 * np.eye(d) + (signs * size)[:, None, None] * (
            2.0 * _projectors(rng, n, d) - np.eye(d)
        )
        return found

    return Law(f"d = {d}: dependent, its mean given the past constant", draw, 0.5 * np.eye(d), 0.12625)


def _rectangular(p: int, q: int) -> Law:
    """A fixed matrix and a random sign times a partial isometry, of norm 0.8 together."""
    mean = np.zeros((p, q))
    mean[0, 0], mean[1, 1] = 0.3, 0.1
    return Law(
        f"{p} x {q}: a mean of norm 0.3 and a random sign",
        lambda rng, n: mean + 0.5 * rng.choice([-1.0, 1.0], (n, 1, 1)) * np.eye(p, q),
        mean,
        0.25,
        -1.0,
        1.0,
    )


LAWS = (
    _switched(1, 0.5),
    _switched(1, 0.05),
    _switched(3, 0.5),
    _switched(3, 0.05),
    _rare_projector(3, 1.0),
    _rare_projector(3, 0.05),
    _rare_projector(10, 0.3),
    _dependent(3),
)
QUICK = LAWS[3]
CONTRAST = (LAWS[2], LAWS[3])

Path = Callable[[np.random.Generator], tuple[bool, float]]
"""Draws samples; whether a statement was wrong at some look, and the last radius over Bernstein's."""


def misses(estimate: MatrixEstimate, mean: Array) -> bool:
    """Whether anything that the estimate says of the mean is wrong."""
    values = np.linalg.eigvalsh(mean)
    return not (
        np.linalg.eigvalsh(mean - estimate.lower)[0] >= 0.0
        and np.linalg.eigvalsh(estimate.upper - mean)[0] >= 0.0
        and estimate.smallest.contains(float(values[0]))
        and estimate.largest.contains(float(values[-1]))
        and estimate.norm.contains(float(np.abs(values).max()))
    )


def bernstein(variance: float, width: float, d: int, n: int, level: float = LEVEL) -> float:
    """Two-sided radius of the matrix Bernstein inequality at one n.

    ``sqrt(2 v L / n) + R L / (3 n)`` with ``L = log(2 d / level)`` (Tropp 2012, Theorem 1.4, solved for the
    radius and widened to a sum); R is the width of the range.
    """
    log_level = math.log(2.0 * d / level)
    return math.sqrt(2.0 * variance * log_level / n) + width * log_level / (3.0 * n)


def symmetric_path(law: Law, horizon: int | None, rng: np.random.Generator) -> tuple[bool, float]:
    """One path of samples: whether the sequence missed at some look, and its last radius over Bernstein's."""
    x = law.draw(rng, SAMPLES)
    looks = matrix_sequence_looks(x, LOOKS, LEVEL, law.low, law.high, horizon=horizon)
    known = bernstein(law.variance, law.high - law.low, len(law.mean), SAMPLES)
    return any(misses(look, law.mean) for look in looks), looks[-1].radius / known


def rectangular_path(law: Law, horizon: int | None, rng: np.random.Generator) -> tuple[bool, float]:
    """The same for a rectangular matrix: its norm, and the distance to it."""
    x = law.draw(rng, SAMPLES)
    missed, radius, truth = False, math.inf, float(np.linalg.norm(law.mean, 2))
    for n in LOOKS:
        look = rectangular_sequence(x[:n], LEVEL, law.high, horizon=horizon)
        radius = look.radius
        missed |= not look.norm.contains(truth) or bool(np.linalg.norm(look.centre - law.mean, 2) > radius)
    # One event for both sides (half of 2 d), and a range of twice the bound.
    known = bernstein(law.variance, 2.0 * law.high, sum(law.mean.shape), SAMPLES, 2.0 * LEVEL)
    return missed, radius / known


def peeked_path(law: Law, rng: np.random.Generator) -> tuple[bool, float]:
    """For contrast: the normal limit of one n, from 20 samples on, at every look.

    Where all eigenvalues move together, this is the textbook interval ``mean +- 1.96 s / sqrt(n)``.
    """
    x = law.draw(rng, SAMPLES)
    missed, radius = False, math.inf
    for n in LOOKS:
        if n < 20:
            continue
        centre = x[:n].mean(axis=0)
        deviations = x[:n] - centre
        variance = float(np.linalg.eigvalsh((deviations @ deviations).mean(axis=0))[-1])
        radius = float(norm.isf(LEVEL / 2.0)) * math.sqrt(variance / n)
        missed |= bool(np.linalg.norm(centre - law.mean, 2) > radius)
    return missed, radius / bernstein(law.variance, law.high - law.low, len(law.mean), SAMPLES)


def _cell(
    method: str,
    law: Law,
    path: Path,
    guarantee: str,
    count: int,
    quick: int,
) -> StudyCell:
    def simulate(rng: np.random.Generator, claims: int) -> dict[str, float]:
        found = [path(rng) for _ in range(claims)]
        return {
            MISSED: float(sum(missed for missed, _ in found)),
            RATIO: math.fsum(ratio for _, ratio in found),
        }

    return StudyCell(
        STUDY,
        f"{method}; {law.name}; {len(LOOKS)} looks to {SAMPLES}; {LEVEL:g}",
        simulate,
        {MISSED: LEVEL},
        guarantee,
        count,
        quick,
        50,
        {
            "method": method,
            "samples": law.name,
            "looks": len(LOOKS),
            "trials": SAMPLES,
            "level": LEVEL,
        },
    )


def cells() -> list[StudyCell]:
    """The sequence for any horizon and tuned to the last look; for contrast a rule for one look, at each."""
    rectangular = _rectangular(3, 5)
    found = []
    for name, horizon in (("any horizon", None), (f"tuned to n = {SAMPLES}", SAMPLES)):
        for law in LAWS:
            quick = 100 if law is QUICK else 0
            found.append(_cell(name, law, partial(symmetric_path, law, horizon), "exact", 1000, quick))
        path = partial(rectangular_path, rectangular, horizon)
        found.append(_cell(name, rectangular, path, "exact", 500, 0))
    for law in CONTRAST:
        quick = 100 if law is QUICK else 0
        path = partial(peeked_path, law)
        found.append(_cell("normal limit for one look", law, path, "none", 1000, quick))
    return found
