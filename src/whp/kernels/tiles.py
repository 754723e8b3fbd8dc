"""What the n x n kernels share: tiles of the lower triangle of one output matrix, mirrored to the upper.

The matrices are large, so nothing of their size is allocated beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from whp.errors import require
from whp.kernels.activations import Activation, Elementwise
from whp.kernels.inputs import checked_activation, checked_count, data_shape
from whp.kernels.mehler import hermite_table, mehler_tile
from whp.linalg.products import product
from whp.memory import allocate, rows_that_fit

# Rows of a strip: the diagonal tiles waste strip/n of the work, and narrow products are slow. On CUDA a call
# takes some microseconds whatever it does, so tiles are larger there.
STRIP = {"cpu": 256, "cuda": 2048}
# Neurons whose features are held at once, (n, NEURONS) numbers.
NEURONS = 4096
# Elements on which the activation acts at once, so that its temporaries stay in cache.
ACTIVATION_CHUNK = 1 << 18
# On CUDA, where they are in no cache, that many times as many.
CHUNKS_CUDA = 64
# Truncation error of an expected kernel, relative to the largest of its expectations.
TOLERANCE = {torch.float32: 1e-7, torch.float64: 1e-12}

PairTile = Callable[[slice, slice, torch.Tensor], torch.Tensor]


def output(out: torch.Tensor | None, X: torch.Tensor) -> torch.Tensor:
    """Return ``out``, checked, or a new uninitialised (n, n) matrix."""
    n = len(X)
    if out is None:
        return allocate((n, n), X.dtype, X.device, what=f"a kernel of {n} points")
    fits = out.shape == (n, n) and out.dtype == X.dtype and out.device == X.device
    rule = f"({n}, {n}), {X.dtype} on {X.device}"
    require(fits, "n x n matrix", rule, f"{tuple(out.shape)}, {out.dtype} on {out.device}")
    return out


def strip_of(X: torch.Tensor, strip: int | None) -> int:
    """Return ``strip``, checked, or what is best where X is."""
    return STRIP[X.device.type] if strip is None else checked_count("strip", strip)


def strips(n: int, strip: int) -> Iterator[tuple[slice, int]]:
    """Row strips, and where the lower triangle ends in each."""
    for start in range(0, n, strip):
        end = min(start + strip, n)
        yield slice(start, end), end


def covariance_tiles(X: torch.Tensor, strip: int) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Yield rows, columns and X X^T / d there, tile by tile of the lower triangle."""
    n, d = data_shape(X)
    checked_count("strip", strip)
    for rows, end in strips(n, strip):
        X_rows = X[rows] / d
        for start in range(0, end, strip):
            columns = slice(start, min(start + strip, end))
            yield rows, columns, X_rows @ X[columns].T


def mirror_strips(K: torch.Tensor, strip: int) -> None:
    """Copy the lower triangle to the upper one."""
    for rows, end in strips(len(K), strip):
        mirror(K, rows, end)


def mirror(K: torch.Tensor, rows: slice, end: int) -> None:
    """Copy what is left of the diagonal in these rows to above it."""
    K[: rows.start, rows] = K[rows, : rows.start].T
    tile = K[rows, rows]
    tile.copy_(tile.tril() + tile.tril(-1).T)


def triangle_tiles(n: int, strip: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of tiles of the lower triangle, ``strip`` high; square on the diagonal."""
    for rows, _ in strips(n, strip):
        for start in range(0, rows.start, width):
            yield rows, slice(start, min(start + width, rows.start))
        yield rows, rows


@dataclass(frozen=True, eq=False)
class Gram:
    """Where the lower triangle of a Gram matrix is put.

    Attributes
    ----------
    out : Tensor, shape (n, n)
        What is above the diagonal outside of the diagonal blocks is left as it was. So are these blocks if
        there is ``diagonal``: the transpose of another Gram matrix's ``out`` may be given.
    diagonal : Tensor, shape (n, strip), or None
        Where the blocks on the diagonal are put, if not in ``out``.
    """

    out: torch.Tensor
    diagonal: torch.Tensor | None = None

    def diagonal_block(self, rows: slice) -> torch.Tensor:
        """The block on the diagonal at these rows."""
        if self.diagonal is None:
            return self.out[rows, rows]
        return self.diagonal[rows, : rows.stop - rows.start]

    def put(self, F: torch.Tensor, strip: int, *, add: bool) -> None:
        """Put F F^T here, or add it, for F of shape (n, k).

        The block below the diagonal whose side is half of n is one product, which is as fast as products
        are; then the same for both halves, down to blocks of ``strip`` rows.
        """
        self._put(F, 0, len(F), strip, add)

    def _put(self, F: torch.Tensor, start: int, end: int, strip: int, add: bool) -> None:
        blocks = -(-(end - start) // strip)
        if blocks == 1:
            product(F[start:end], F[start:end].T, self.diagonal_block(slice(start, end)), add)
            return
        middle = start + (blocks // 2) * strip
        self._put(F, start, middle, strip, add)
        product(F[middle:end], F[start:middle].T, self.out[middle:end, start:middle], add)
        self._put(F, middle, end, strip, add)


def neurons_that_fit(X: torch.Tensor, W: torch.Tensor, neurons: int, functions: int, *, matrices: int) -> int:
    """Return how many neurons' features to hold at once: ``neurons``, fewer where memory does not suffice.

    Parameters
    ----------
    functions : int
        Of how many functions features are held at a time, 1 or 2.
    matrices : int
        How many n x n matrices are still to be allocated beside them.
    """
    checked_count("neurons", neurons)
    n, size = len(X), X.element_size()
    most = max(1, min(neurons, len(W)))
    row, fixed = size * n * functions, size * n**2 * matrices
    return rows_that_fit(X.device, row, default=most, fixed=fixed, what="a tangent kernel and its features")


def add_feature_grams(
    X: torch.Tensor,
    W: torch.Tensor,
    functions: Sequence[Elementwise],
    grams: Sequence[Gram],
    strip: int,
    neurons: int,
) -> None:
    """Put f(Z) f(Z)^T with Z = X W^T / sqrt d to one place for each f.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    W : Tensor, shape (m, d)
        Both as :func:`whp.kernels.inputs.checked_network` returns them.
    functions, grams
        As many functions as places, of matrices of shape (n, n).
    strip, neurons : int
        Block sizes.
    """
    (n, d), m = X.shape, len(W)
    # The last function overwrites its own argument; the others need a second block.
    blocks = [torch.empty(n, min(neurons, m), dtype=X.dtype, device=X.device) for _ in functions[:2]]
    for start in range(0, m, neurons):
        W_block = W[start : start + neurons] / d**0.5  # (k, d)
        Z = blocks[0][:, : len(W_block)]  # (n, k)
        product(X, W_block.T, Z)
        rows_at_once = max(1, ACTIVATION_CHUNK * (CHUNKS_CUDA if X.is_cuda else 1) // len(W_block))
        for f, gram in zip(functions, grams, strict=True):
            F = Z if f is functions[-1] else blocks[1][:, : len(W_block)]
            for before, after in zip(torch.split(Z, rows_at_once), torch.split(F, rows_at_once), strict=True):
                after.copy_(f(before))
            gram.put(F, strip, add=start > 0)


def expectations(
    activation: Activation, a: torch.Tensor, tolerance: float, layer: int
) -> tuple[PairTile, torch.Tensor]:
    """Return how to compute a tile of expectations of pairs i != j, and those of the pairs i = j.

    The expectation of a pair is Phi(a_i, a_j, c_ij) for the first layer and
    Gamma(a_i, a_j, c_ij) for the second: the closed form where there is one, else
    Mehler's expansion.

    Parameters
    ----------
    a : Tensor, shape (n,)
        Variances.
    tolerance : float
        Truncation error, relative to the largest expectation of a pair i = j.
    layer : {1, 2}
    """
    checked_activation(activation)
    if activation.closed is not None:
        closed = activation.closed.Phi if layer == 1 else activation.closed.Gamma
        return lambda rows, columns, c: closed(a[rows, None], a[columns], c), closed(a, a, a)
    table = hermite_table(activation, a, layer)

    def tile(rows: slice, columns: slice, c: torch.Tensor) -> torch.Tensor:
        return mehler_tile(activation, table, rows, columns, a, c, tolerance)

    return tile, table.second
