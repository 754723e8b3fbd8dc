"""Data distributions that break Assumption 3.1 (hu2020), each in one respect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from whp.ensembles.data import Array, Covariance, DataDistribution, numpy_dtype
from whp.errors import require

Sampler = Callable[[np.random.Generator, int, int, torch.dtype, "torch.device | str"], torch.Tensor]
Points = Callable[[np.random.Generator, int, int], Array]

CORRELATION = 0.5
SCALES = (0.5, 1.5)


@dataclass(frozen=True)
class OutsideDistribution:
    """A law of centred data points with ``Tr Sigma = d`` that Assumption 3.1 does not admit.

    Attributes
    ----------
    name : str
        How reports call it.
    breaks : str
        The part of the assumption that it breaks, in words.
    sigma_moment : callable
        ``sigma_moment(d)`` is Tr[Sigma^2] / d, which enters nu of hu2020, eq. (5).
    """

    name: str
    breaks: str
    sigma_moment: Callable[[int], float] = field(repr=False)
    _draw: Sampler = field(repr=False)

    def sample(
        self,
        rng: np.random.Generator,
        n: int,
        d: int,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Draw ``n`` points, shape (n, d), on the CPU, and move them: as `DataDistribution.sample`."""
        whole = all(isinstance(size, (int, np.integer)) and size >= 1 for size in (n, d))
        require(whole, "n, d", "positive integers", (n, d))
        return self._draw(rng, n, d, dtype, device)


def outside_distribution(name: str) -> OutsideDistribution:
    """Return the distribution called ``name``.

    ``student_3`` and ``student_5`` have independent entries with Student's t laws of variance one. In
    ``common_scale`` all entries of a point share a factor r, ``r^2`` one half or three halves; they are
    uncorrelated. In ``equicorrelated`` any two entries have correlation 1/2. In ``low_rank`` Sigma has
    ceil(sqrt(d)) equal eigenvalues and no others. In ``spike`` one eigenvalue is sqrt(d), the others are
    equal.

    Raises
    ------
    InputError
        If there is none of that name; the message lists the names.
    """
    require(name in _REGISTRY, "distribution", f"one of {', '.join(_REGISTRY)}", name)
    return _REGISTRY[name]


def outside_names() -> tuple[str, ...]:
    """Return the names in the registry."""
    return tuple(_REGISTRY)


def _draw_points(
    points: Points,
    rng: np.random.Generator,
    n: int,
    d: int,
    dtype: torch.dtype,
    device: torch.device | str,
) -> torch.Tensor:
    return torch.from_numpy(points(rng, n, d).astype(numpy_dtype(dtype))).to(device)


def _student(rng: np.random.Generator, n: int, d: int, *, dof: int) -> Array:
    points: Array = np.asarray(rng.standard_t(dof, (n, d)))
    points *= math.sqrt((dof - 2) / dof)
    return points


def _common_scale(rng: np.random.Generator, n: int, d: int) -> Array:
    scales: Array = np.sqrt(rng.choice(SCALES, (n, 1)))
    return scales * rng.standard_normal((n, d))


def _equicorrelated(d: int) -> Array:
    return np.full((d, d), CORRELATION) + (1 - CORRELATION) * np.eye(d)


def _low_rank(d: int) -> Array:
    rank = math.ceil(math.sqrt(d))
    spectrum = np.zeros(d)
    spectrum[:rank] = d / rank
    return spectrum


def _spike(d: int) -> Array:
    top = math.sqrt(d)
    return np.array([top] + [(d - top) / (d - 1)] * (d - 1))


def _independent(name: str, breaks: str, points: Points) -> OutsideDistribution:
    """Return a law with Sigma = I."""
    return OutsideDistribution(name, breaks, lambda d: 1.0, partial(_draw_points, points))


def _gaussian(name: str, breaks: str, covariance: Covariance) -> OutsideDistribution:
    """Return a Gaussian law with this Sigma."""
    law = DataDistribution(name, "gaussian", covariance)
    return OutsideDistribution(name, breaks, law.sigma_moment, law.sample)


_REGISTRY = {
    law.name: law
    for law in (
        _independent(
            "student_3", "subgaussian entries: third moments are infinite", partial(_student, dof=3)
        ),
        _independent(
            "student_5", "subgaussian entries: fifth moments are infinite", partial(_student, dof=5)
        ),
        _independent("common_scale", "independent entries: they share a random factor", _common_scale),
        _gaussian("equicorrelated", "bounded Sigma: its norm is (d + 1) / 2", _equicorrelated),
        _gaussian("low_rank", "bounded Sigma: its norm and its effective rank are sqrt(d)", _low_rank),
        _gaussian("spike", "bounded Sigma: one eigenvalue is sqrt(d)", _spike),
    )
}
