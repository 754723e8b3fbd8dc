"""Data distributions of Assumption 3.1 (hu2020): x = Sigma^(1/2) xbar with independent entries of xbar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from whp.errors import require

Array = npt.NDArray[np.float64]
Covariance = Callable[[int], npt.ArrayLike]

BASES = ("gaussian", "rademacher", "uniform")
TRACE_TOLERANCE = 1e-9
NUMPY_DTYPES: dict[torch.dtype, type[np.float32] | type[np.float64]] = {
    torch.float32: np.float32,
    torch.float64: np.float64,
}


@dataclass(frozen=True)
class DataDistribution:
    """A law of data points ``x = Sigma^(1/2) xbar`` (hu2020, Assumption 3.1).

    Parameters
    ----------
    name : str
        How reports call it.
    base : {"gaussian", "rademacher", "uniform"}
        Law of the independent entries of ``xbar``: mean 0 and variance 1;
        ``uniform`` is on [-sqrt(3), sqrt(3)].
    covariance : callable or None
        ``None`` for the identity; else a function of the dimension ``d`` that
        returns the spectrum of a diagonal Sigma, shape (d,), or Sigma itself,
        shape (d, d).

    Raises
    ------
    InputError
        If the base is unknown; and, when a dimension is first used, if Sigma is
        not finite, symmetric, positive semi-definite and of trace ``d``.
    """

    name: str
    base: str
    covariance: Covariance | None = None

    def __post_init__(self) -> None:
        require(self.base in BASES, "base", f"one of {', '.join(BASES)}", self.base)

    def sample(
        self,
        rng: np.random.Generator,
        n: int,
        d: int,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Draw ``n`` points.

        The entries of ``xbar`` are drawn on the CPU in ``dtype`` (float32 or
        float64) and then moved, so every device sees the same draw.

        Returns
        -------
        Tensor, shape (n, d)
            One point per row.
        """
        _require_size("n", n)
        _require_size("d", d)
        root = _covariance_root(self, d)
        X = torch.from_numpy(_draw_entries(rng, self.base, (n, d), dtype)).to(device)  # (n, d)
        if root is None:
            return X
        factor = torch.from_numpy(root).to(device=device, dtype=dtype)  # (d,) or (d, d), symmetric
        return X.mul_(factor) if root.ndim == 1 else X @ factor

    def sigma_moment(self, d: int) -> float:
        """Return Tr[Sigma^2] / d, which enters nu of hu2020, eq. (5)."""
        _require_size("d", d)
        root = _covariance_root(self, d)
        if root is None:
            return 1.0
        sigma = root**2 if root.ndim == 1 else root @ root
        return float(np.sum(sigma**2) / d)


def data_distribution(name: str) -> DataDistribution:
    """Return the registered distribution called ``name``.

    ``gaussian``, ``rademacher`` and ``uniform`` have Sigma = I;
    ``gaussian_two_level`` has one half of its spectrum at 1.5 and the other at
    0.5, rescaled to trace ``d`` where ``d`` is odd.

    Raises
    ------
    InputError
        If there is none of that name; the message lists the names.
    """
    require(name in _REGISTRY, "data distribution", f"one of {', '.join(_REGISTRY)}", name)
    return _REGISTRY[name]


def two_level_spectrum(d: int) -> Array:
    """Return a spectrum of trace ``d`` with two levels in ratio 3 to 1, shape (d,)."""
    spectrum = np.full(d, 0.5)
    spectrum[: d // 2] = 1.5
    spectrum *= d / spectrum.sum()
    return spectrum


def numpy_dtype(dtype: torch.dtype) -> type[np.float32] | type[np.float64]:
    """Return the numpy type that random numbers are drawn in for a torch ``dtype``."""
    require(dtype in NUMPY_DTYPES, "dtype", "torch.float32 or torch.float64", dtype)
    return NUMPY_DTYPES[dtype]


_REGISTRY = {
    distribution.name: distribution
    for distribution in (
        DataDistribution("gaussian", "gaussian"),
        DataDistribution("rademacher", "rademacher"),
        DataDistribution("uniform", "uniform"),
        DataDistribution("gaussian_two_level", "gaussian", two_level_spectrum),
    )
}


def _require_size(name: str, value: int) -> None:
    require(isinstance(value, (int, np.integer)) and value >= 1, name, "a positive integer", value)


def _draw_entries(
    rng: np.random.Generator, base: str, shape: tuple[int, int], dtype: torch.dtype
) -> npt.NDArray[Any]:
    kind = numpy_dtype(dtype)
    if base == "gaussian":
        return rng.standard_normal(shape, dtype=kind)
    if base == "rademacher":
        return draw_signs(rng, shape, dtype)
    half_width = kind(np.sqrt(3.0))
    return (2 * rng.random(shape, dtype=kind) - 1) * half_width


def draw_signs(
    rng: np.random.Generator, shape: int | tuple[int, ...], dtype: torch.dtype
) -> npt.NDArray[Any]:
    """Draw independent signs, exactly -1 or +1."""
    return (2 * rng.integers(0, 2, size=shape, dtype=np.int8) - 1).astype(numpy_dtype(dtype))


@lru_cache(maxsize=8)
def _covariance_root(distribution: DataDistribution, d: int) -> Array | None:
    """Return Sigma^(1/2), checked: None (identity), a diagonal (d,) or a symmetric (d, d) matrix."""
    if distribution.covariance is None:
        return None
    sigma = np.asarray(distribution.covariance(d), dtype=np.float64)
    require(sigma.shape in ((d,), (d, d)), "Sigma", f"of shape ({d},) or ({d}, {d})", sigma.shape)
    require(bool(np.isfinite(sigma).all()), "Sigma", "finite", "NaN or infinite entries")
    trace = float(sigma.sum() if sigma.ndim == 1 else np.trace(sigma))
    require(abs(trace - d) <= TRACE_TOLERANCE * d, "Tr Sigma", f"equal to d = {d}", trace)
    if sigma.ndim == 1:
        require(bool((sigma >= 0).all()), "Sigma", "positive semi-definite", f"eigenvalue {sigma.min()}")
        return np.sqrt(sigma)
    rounding = 1e-12 * float(np.abs(sigma).max())
    skew = float(np.abs(sigma - sigma.T).max())
    require(skew <= rounding, "Sigma", "symmetric", f"a matrix that differs from its transpose by {skew}")
    values, vectors = np.linalg.eigh((sigma + sigma.T) / 2)
    require(bool(values[0] >= -d * rounding), "Sigma", "positive semi-definite", f"eigenvalue {values[0]}")
    root: Array = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
