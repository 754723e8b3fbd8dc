"""The simulated claims on which every method decides: numbers whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whp.calibration.noise import EXPONENTIAL, LOGNORMALS, NORMAL, STUDENT, UNIFORM, Noise
from whp.claims import geometric
from whp.seeding import generator

EDGE, FAR = 4_000, 500
"""Simulated claims a cell: where an error is possible, and where the right verdict is clear."""
EDGE_LOOKED, FAR_LOOKED = 2_000, 250
"""The same where a hundred looks are taken at each claim."""
LOOKS = 100
SESSION = 25
"""Most trials for which a whole pytest session is run as well, at the edge."""
SIZES = geometric(64, 1024, 5)
NOISE_ALONG_PATH = 0.15
TRUE_EXPONENT = 1.0
DISCREPANCY, FAR_OFF = 0.1, 0.25


NOISES = (NORMAL, STUDENT, UNIFORM, EXPONENTIAL, *LOGNORMALS)
SUPPORT = {UNIFORM.name: (0.0, 1.0)}

FAR_RATES = {0.5: (0.8, 0.2), 0.8: (0.95, 0.5), 0.9: (0.99, 0.7), 0.95: (0.995, 0.8), 0.99: (0.999, 0.9)}
"""Success probability p0 to one at which the claim clearly holds, and one at which it clearly does not."""

PROBABILITIES = [
    *((p0, n) for p0 in (0.5, 0.9, 0.99) for n in (20, 100, 1000)),
    (0.8, 11),  # the fewest trials that the README of lcb-gate gives for each bar
    (0.9, 25),
    (0.95, 52),
    (0.99, 268),
]


@dataclass(frozen=True)
class Cell:
    """Simulated claims of one sort.

    Attributes
    ----------
    family, name : str
        What is claimed, and where.
    truth : str
        ``edge``: exactly at the limit; ``holds`` and ``fails``: clearly so; ``off``: an exponent off by
        the discrepancy.
    limit : float
        What the claim compares with: the success probability, the bound on the mean, the exponent.
    facts : mapping
        What else a method may know.
    count : int
        Simulated claims.
    draw : callable
        ``draw(rng, count)``, shape (count, trials) or (count, seeds, points).
    """

    family: str
    name: str
    truth: str
    limit: float
    count: int
    draw: Callable[[np.random.Generator, int], np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def samples(self, seed: int, share: float = 1.0) -> np.ndarray:
        """Draw the claims: a pure function of the seed and the name, so that one truth resembles another."""
        rng = generator(seed, "rivals", self.family, self.name)
        return self.draw(rng, max(1, round(share * self.count)))


def successes(p: float, trials: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Ones with probability p, shape (count, trials)."""
    return lambda rng, count: (rng.random((count, trials)) < p).astype(np.uint8)


def power_law(c: float, seeds: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """``d (1 + c / sqrt(d))`` with log-normal noise, shape (count, seeds, points)."""
    d = np.array(SIZES, dtype=float)
    curve = d**TRUE_EXPONENT * (1 + c / np.sqrt(d))

    def draw(rng: np.random.Generator, count: int) -> np.ndarray:
        return curve * np.exp(NOISE_ALONG_PATH * rng.standard_normal((count, seeds, len(d))))

    return draw


def of_probabilities(family: str, p0: float, trials: int, edge: int, far: int) -> Iterator[Cell]:
    """``P(success) >= p0``."""
    name = f"p0 = {p0:g}, n = {trials}"
    holds, fails = FAR_RATES[p0]
    for truth, p, count in (("edge", p0, edge), ("holds", holds, far), ("fails", fails, far)):
        session = truth == "edge" and (trials <= SESSION or (trials == LOOKS and family.endswith("looks")))
        yield Cell(family, name, truth, p0, count, successes(p, trials), {"session": session})


def of_means(family: str, noise: Noise, trials: int, edge: int, far: int) -> Iterator[Cell]:
    """``E[X] < B``, one standard deviation from the mean where it is clear."""
    name = f"{noise.name}, n = {trials}"
    facts = {"support": SUPPORT.get(noise.name)}
    for truth, gap, count in (("edge", 0.0, edge), ("holds", noise.sd, far), ("fails", -noise.sd, far)):
        yield Cell(
            family,
            name,
            truth,
            noise.mean + gap,
            count,
            lambda rng, k: noise.raw(rng, (k, trials)),
            facts,
        )


def of_exponents(c: float, seeds: int) -> Iterator[Cell]:
    """``Y`` grows as ``d^claimed``: true, off by the discrepancy, and off by the usual false twin."""
    name = f"c = {c:g}, {seeds} seeds"
    cases = (("holds", 0.0, EDGE), ("off", DISCREPANCY, EDGE), ("fails", FAR_OFF, FAR))
    for truth, off, count in cases:
        yield Cell(
            "exponent",
            name,
            truth,
            TRUE_EXPONENT - off,
            count,
            power_law(c, seeds),
            {"sizes": list(SIZES), "tolerance": DISCREPANCY},
        )


def cells() -> list[Cell]:
    """All of them, in the order of the tables."""
    found: list[Cell] = []
    for p0, trials in PROBABILITIES:
        found += of_probabilities("probability", p0, trials, EDGE, FAR)
    for p0 in (0.5, 0.9, 0.99):
        found += of_probabilities("probability, looks", p0, LOOKS, EDGE_LOOKED, FAR_LOOKED)
    for noise in NOISES:
        for trials in (5, 20, 100, 1000):
            found += of_means("mean", noise, trials, EDGE, FAR)
    for noise in NOISES:
        found += of_means("mean, looks", noise, LOOKS, EDGE_LOOKED, FAR_LOOKED)
    for c in (0.0, 0.5, 1.0, 2.0):
        for seeds in (5, 20, 100):
            found += of_exponents(c, seeds)
    return found
