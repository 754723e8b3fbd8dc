"""Values with a known mean and standard deviation, of the shapes that trials may have."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from whp.errors import require
from whp.stats.sequences import Array

Raw = Callable[[np.random.Generator, tuple[int, ...]], Array]
"""Generator and shape (claims, trials, ...) to values."""


@dataclass(frozen=True)
class Noise:
    """A distribution of trials.

    Attributes
    ----------
    name : str
        As the table calls it.
    raw : callable
        ``raw(rng, shape)``, with trials along axis 1.
    mean, sd : float
        Of a raw value.
    gaussian : bool
        Whether the t-sequence is exact on it.
    independent : bool
        Whether trials are.
    """

    name: str
    raw: Raw
    mean: float
    sd: float
    gaussian: bool = False
    independent: bool = True

    def centred(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Values of mean 0 and standard deviation 1."""
        values: Array = (self.raw(rng, shape) - self.mean) / self.sd
        return values

    def mirrored(self) -> Noise:
        """The same with its tails exchanged."""
        return replace(self, name=f"{self.name}, mirrored", raw=_negative(self.raw), mean=-self.mean)


def _negative(raw: Raw) -> Raw:
    return lambda rng, shape: -raw(rng, shape)


def lognormal(sigma: float) -> Noise:
    """``exp(sigma Z)``."""
    square = sigma**2
    return Noise(
        f"lognormal {sigma:g}",
        lambda rng, shape: rng.lognormal(0.0, sigma, shape),
        math.exp(square / 2.0),
        math.sqrt(math.expm1(square) * math.exp(square)),
    )


def bernoulli(p: float) -> Noise:
    """One with probability p, else zero.

    Raises
    ------
    InputError
        If p is not in (0, 1).
    """
    require(0.0 < p < 1.0, "p", "in (0, 1)", p)
    return Noise(
        f"Bernoulli {p:g}",
        lambda rng, shape: (rng.random(shape) < p).astype(np.float64),
        p,
        math.sqrt(p * (1.0 - p)),
    )


NORMAL = Noise("normal", lambda rng, shape: rng.standard_normal(shape), 0.0, 1.0, gaussian=True)
STUDENT = Noise("t5", lambda rng, shape: rng.standard_t(5.0, shape), 0.0, math.sqrt(5.0 / 3.0))
UNIFORM = Noise("uniform", lambda rng, shape: rng.random(shape), 0.5, math.sqrt(1.0 / 12.0))
EXPONENTIAL = Noise("exponential", lambda rng, shape: rng.standard_exponential(shape), 1.0, 1.0)
LOGNORMALS = tuple(lognormal(sigma) for sigma in (0.5, 1.0, 1.5))
SYMMETRIC = (NORMAL, STUDENT, UNIFORM)
SKEWED = (EXPONENTIAL, *LOGNORMALS)
NEAR_EDGES = tuple(bernoulli(p) for p in (0.01, 0.05, 0.95, 0.99))


def autoregressive(rho: float) -> Noise:
    """Normal values, each correlated with the one of the trial before: AR(1), stationary.

    Raises
    ------
    InputError
        If rho is not in (-1, 1).
    """
    require(-1.0 < rho < 1.0, "rho", "in (-1, 1)", rho)

    def raw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        values = rng.standard_normal(shape)
        innovation = math.sqrt(1.0 - rho**2)
        for trial in range(1, shape[1]):
            values[:, trial] = rho * values[:, trial - 1] + innovation * values[:, trial]
        return values

    return Noise(f"AR(1), correlation {rho:g}", raw, 0.0, 1.0, gaussian=True, independent=False)


def twice(noise: Noise) -> Noise:
    """Every trial appears twice in a row, as if its seed had been used again."""

    def raw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        half = (shape[0], -(-shape[1] // 2), *shape[2:])
        return np.repeat(noise.raw(rng, half), 2, axis=1)[:, : shape[1]]

    return replace(noise, name=f"{noise.name}, each trial twice", raw=raw, independent=False)
