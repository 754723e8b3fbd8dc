"""Hypothesis strategies for matrices and data, with the edges that break linear algebra.

They need numpy and hypothesis only, so tests of other programs and claim files
can import them at no cost. All arrays are float64.

A matrix is built from a shape, a seed and a spectrum, and one factor scales it
as a whole; what shrinks is the shape, then the seed, and the spectrum towards
ones, so a counterexample ends as a small matrix, if it can as the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from whp.errors import require

Array: TypeAlias = npt.NDArray[np.float64]

SCALES = (1.0, 1e-8, 1e8, 1e-60, 1e60)
"""Factors of a whole array, simplest first; products of four arrays neither overflow nor vanish."""

SPECTRA: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "repeated": lambda rng, k: np.ones(k),
    "generic": lambda rng, k: rng.uniform(0.1, 1.0, k),
    "rank one": lambda rng, k: np.eye(1, k)[0],
    "zero": lambda rng, k: np.zeros(k),
    "decaying": lambda rng, k: 10.0 ** -np.linspace(0.0, 12.0, k),
    "two values": lambda rng, k: rng.choice([1e-6, 1.0], k),
}
"""Non-negative spectra by name: ``(rng, k)`` to shape (k,); the largest value is at most 1."""


def sizes(low: int = 1, high: int = 8) -> SearchStrategy[int]:
    """Sizes from ``low`` to ``high``; they shrink to ``low``.

    Raises
    ------
    InputError
        Unless ``1 <= low <= high``.
    """
    require(1 <= low <= high, "sizes", "1 <= low <= high", (low, high))
    return st.integers(low, high)


def _seeds() -> SearchStrategy[int]:
    return st.integers(0, 2**32 - 1)


def _orthonormal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    """Orthonormal columns, shape (rows, columns), columns <= rows; the identity for half of the seeds."""
    if rng.random() < 0.5:
        return np.eye(rows, columns)
    Q: Array = np.linalg.qr(rng.standard_normal((rows, columns)))[0]
    return Q


def _symmetrised(A: Array) -> Array:
    """Exactly symmetric."""
    S: Array = 0.5 * (A + A.T)
    return S


@st.composite
def _spectral(
    draw: st.DrawFn, shapes: SearchStrategy[tuple[int, int]], signs: bool, symmetric: bool
) -> Array:
    rows, columns = draw(shapes)
    spectrum = draw(st.sampled_from(list(SPECTRA)))
    scale = draw(st.sampled_from(SCALES))
    rng = np.random.default_rng(draw(_seeds()))
    k = min(rows, columns)
    values = SPECTRA[spectrum](rng, k)
    if signs:
        values = values * rng.choice([1.0, -1.0], k)
    U = _orthonormal(rng, rows, k)  # (rows, k)
    if symmetric:
        return scale * _symmetrised((U * values) @ U.T)
    V = _orthonormal(rng, columns, k)  # (columns, k)
    return scale * ((U * values) @ V.T)


def _entrywise(shapes: SearchStrategy[tuple[int, int]]) -> SearchStrategy[Array]:
    """Small integer matrices: what a person would write down, and what shrinks best."""
    return shapes.flatmap(
        lambda shape: st.lists(
            st.integers(-3, 3), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]
        ).map(lambda entries: np.array(entries, dtype=np.float64).reshape(shape))
    )


def matrices(max_side: int = 8, square: bool = False) -> SearchStrategy[Array]:
    """Real matrices, shape (rows, columns), each side 1 to ``max_side``.

    Small integer matrices, and matrices with a chosen spectrum of singular
    values (zero, rank one, repeated, decaying over twelve decades, generic)
    at scales from 1e-60 to 1e60. Some of the square ones are symmetric.

    Parameters
    ----------
    max_side : int
        Largest side.
    square : bool
        Whether rows and columns are equal.
    """
    side = sizes(1, max_side)
    if square:
        shapes = side.map(lambda n: (n, n))
        return st.one_of(_entrywise(shapes), _spectral(shapes, True, False), symmetric_matrices(max_side))
    shapes = st.tuples(side, side)
    return st.one_of(_entrywise(shapes), _spectral(shapes, True, False))


def symmetric_matrices(max_side: int = 8, side: int | None = None) -> SearchStrategy[Array]:
    """Symmetric matrices of any signature, shape (n, n); exactly symmetric.

    ``side`` fixes n; otherwise it is 1 to ``max_side``.
    """
    shapes = _square(max_side, side)
    return st.one_of(_entrywise(shapes).map(_symmetrised), _spectral(shapes, True, True))


def psd_matrices(max_side: int = 8, side: int | None = None) -> SearchStrategy[Array]:
    """Positive semi-definite matrices, shape (n, n); exactly symmetric.

    Gram matrices of small integer rows, and matrices with a chosen spectrum.
    The smallest eigenvalue is non-negative up to rounding: it is at least
    ``-1e-14 n`` times the largest entry.

    Parameters
    ----------
    max_side : int
        Largest side; not used where ``side`` is given.
    side : int, optional
        Fixes n, e.g. to that of a matrix drawn before.
    """
    shapes = _square(max_side, side)
    return st.one_of(_entrywise(shapes).map(lambda A: A @ A.T), _spectral(shapes, False, True))


def _square(max_side: int, side: int | None) -> SearchStrategy[tuple[int, int]]:
    sides = sizes(1, max_side) if side is None else sizes(side, side)
    return sides.map(lambda n: (n, n))


def vectors(n: int) -> SearchStrategy[Array]:
    """Vectors, shape (n,): zero, small integers, one coordinate, Gaussian; at scales from 1e-60 to 1e60."""
    require(n >= 1, "n", "a positive integer", n)
    integers = st.lists(st.integers(-3, 3), min_size=n, max_size=n).map(
        lambda x: np.array(x, dtype=np.float64)
    )
    units = st.integers(0, n - 1).map(lambda i: np.eye(1, n, i)[0])
    gaussian = _seeds().map(lambda seed: np.random.default_rng(seed).standard_normal(n))
    return st.tuples(st.one_of(integers, units, gaussian), st.sampled_from(SCALES)).map(
        lambda xs: xs[0] * xs[1]
    )


@st.composite
def data_points(draw: st.DrawFn, max_rows: int = 8, max_columns: int = 8) -> Array:
    """Data, shape (n, d): Gaussian rows, some of them zero, copies, negatives or multiples of other rows.

    Two rows that are equal or collinear are where kernels lose rank and
    normalised inner products leave [-1, 1] by rounding.
    """
    n, d = draw(sizes(1, max_rows)), draw(sizes(1, max_columns))
    scale = draw(st.sampled_from(SCALES[:3]))
    X: Array = np.random.default_rng(draw(_seeds())).standard_normal((n, d))  # (n, d)
    for i in range(1, n):
        # None keeps the row; a factor replaces it by that multiple of an earlier one.
        factor = draw(st.sampled_from((None, 1.0, 0.0, -1.0, 2.0, 1.0 + 1e-9)))
        if factor is not None:
            X[i] = factor * X[draw(st.integers(0, i - 1))]
    X *= scale
    return X
