"""What a norm may be asked of, and what its rounding errors may be."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import getattr_static
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from whp.errors import require

ROUNDOFF64 = 2.0**-53
# Where the largest entry is in between, the sum of all squares neither overflows nor vanishes.
SAFE_SQUARES = (1e-140, 1e140)
# Entries that are converted to float64 at a time: they stay in the cache of a core, or fill a GPU.
CONVERTED, CONVERTED_CUDA = 1 << 17, 1 << 24
# Bits kept by a float32 product under torch.set_float32_matmul_precision: IEEE, TF32, bfloat16.
_FLOAT32_ROUNDOFF = {"highest": 2.0**-24, "high": 2.0**-11, "medium": 2.0**-8}


@runtime_checkable
class SymmetricOperator(Protocol):
    """A symmetric matrix known by its products only.

    ``matmat`` takes a block of column vectors, (n, s) in the operator's dtype
    and on its device, and returns ``A @ V``, (n, s).
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def device(self) -> torch.device: ...

    def matmat(self, V: torch.Tensor) -> torch.Tensor: ...


@runtime_checkable
class RoundedOperator(SymmetricOperator, Protocol):
    """A `SymmetricOperator` that states its rounding errors, as one whose terms cancel must.

    ``rounding`` is an allowance for ``||fl(A v) - A v||`` over unit vectors v.
    """

    @property
    def rounding(self) -> float: ...


@dataclass(frozen=True, eq=False)
class DenseSymmetric:
    """A symmetric (n, n) tensor as an operator; nothing is copied."""

    A: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, n)``."""
        return tuple(self.A.shape)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""
        return self.A.dtype

    @property
    def device(self) -> torch.device:
        """Where the products are computed."""
        return self.A.device

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """Return ``A @ V`` for V of shape (n, s)."""
        return self.A @ V


@dataclass(frozen=True, eq=False)
class Difference:
    """``left - right`` of two operators, never formed.

    Where the two nearly cancel, the rounding errors of each are as large as ever: so both state theirs, and
    that of the difference is their sum.
    """

    left: RoundedOperator
    right: RoundedOperator

    def __post_init__(self) -> None:
        for name, side in (("left", self.left), ("right", self.right)):
            # Not the protocol: to ask it whether there is a ``rounding`` computes it (Python 3.11).
            stated = getattr_static(side, "rounding", None) is not None
            rule = "an operator with shape, dtype, device, matmat and rounding"
            require(stated and isinstance(side, SymmetricOperator), name, rule, type(side).__name__)
        same = (self.left.shape, self.left.dtype, self.left.device)
        other = (self.right.shape, self.right.dtype, self.right.device)
        require(same == other, "right", "of the shape, dtype and device of left", other)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, n)``."""
        return tuple(self.left.shape)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""
        return self.left.dtype

    @property
    def device(self) -> torch.device:
        """Where the products are computed."""
        return self.left.device

    @property
    def rounding(self) -> float:
        """Allowance for the rounding of one product with a unit vector: the sum of both."""
        return self.left.rounding + self.right.rounding

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """Return ``left @ V - right @ V`` for V of shape (n, s)."""
        return self.left.matmat(V) - self.right.matmat(V)


def largest_entry(A: torch.Tensor, name: str = "A") -> float:
    """Return ``max |A_ij|``; raise ``InputError`` unless A is a real, finite, non-empty 2-D tensor."""
    require(isinstance(A, torch.Tensor), name, "a torch tensor", type(A).__name__)
    require(A.dtype in (torch.float32, torch.float64), name, "float32 or float64", A.dtype)
    require(A.ndim == 2 and A.numel() > 0, name, "a matrix with at least one entry", tuple(A.shape))
    low, high = (float(end) for end in torch.aminmax(A.detach()))  # NaN propagates, and no copy is made
    require(np.isfinite(low) and np.isfinite(high), name, "finite in every entry", (low, high))
    return max(-low, high)


def unit_roundoff(dtype: torch.dtype) -> float:
    """Return the unit roundoff of matrix products in ``dtype`` under torch's current settings."""
    if dtype == torch.float64:
        return ROUNDOFF64
    return _FLOAT32_ROUNDOFF[torch.get_float32_matmul_precision()]


def product_rounding(shape: tuple[int, ...], dtype: torch.dtype, frobenius: float) -> float:
    r"""Return the allowance for the rounding of one product ``A v`` with a unit vector.

    Each entry of the product is a sum of N terms (N the longer side of A), whose
    rounding errors are bounded by ``sqrt(N) u |a_i| |v|`` up to a small constant
    when they are independent and of mean zero (Higham and Mary 2019, "A new
    approach to probabilistic rounding error analysis", Theorem 3.1); summed over
    the rows that is ``2 sqrt(N) u ||A||_F``, with 2 for the constant and for
    rounding v itself. This is a *model* of rounding, not a worst case (which
    would have N for sqrt(N)); blocked summation does better than the model.
    """
    longer = max(shape)
    underflow = longer * torch.finfo(dtype).tiny
    return 2.0 * float(np.sqrt(longer)) * unit_roundoff(dtype) * frobenius + underflow


def frobenius_norm(A: torch.Tensor, *, block: int | None = None) -> float:
    """Return the Frobenius norm of A, summed in float64.

    Only ``block`` rows at a time are converted, so no second copy of A is made.
    Squares of float32 numbers fit into float64; float64 entries are scaled by the
    largest where their squares would overflow or vanish.

    Parameters
    ----------
    A : torch.Tensor, shape (n, p)
        float32 or float64.
    block : int, optional
        Rows converted at a time; by default as many as stay in the cache.

    Raises
    ------
    InputError
        If A is empty, not a matrix, or has NaN or infinite entries.
    """
    require(block is None or block >= 1, "block", "a positive integer", block)
    largest = largest_entry(A)
    A = A.detach()
    if largest == 0.0:
        return 0.0
    if A.dtype == torch.float64 and SAFE_SQUARES[0] < largest < SAFE_SQUARES[1]:
        return float(torch.linalg.vector_norm(A))
    scale = largest if A.dtype == torch.float64 else 1.0
    rows = block or max(1, (CONVERTED_CUDA if A.is_cuda else CONVERTED) // A.shape[1])
    room = torch.empty(min(rows, A.shape[0]) * A.shape[1], dtype=torch.float64, device=A.device)
    total = torch.zeros((), dtype=torch.float64, device=A.device)
    for part in torch.split(A, rows):
        total += square_sum(part if scale == 1.0 else part / scale, room)
    return scale * float(np.sqrt(float(total)))


def square_sum(A: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
    """Return the sum of the squares of A in float64, a tensor without axes.

    torch's own norm takes four times as long for float32 with a sum in float64.

    Parameters
    ----------
    A : Tensor, shape (n, p)
    room : Tensor of float64, shape (q,)
        Work space for q >= n p numbers.
    """
    wide = room[: A.numel()]
    wide.view(A.shape).copy_(A)
    total: torch.Tensor = torch.dot(wide, wide)
    return total


def skew_norm(A: torch.Tensor, scale: float, *, block: int = 256) -> float:
    """Return an upper bound of ``||(A - A.T) / 2||_F`` for a square A of size ``scale``, by tiles."""
    if scale == 0.0:
        return 0.0
    total = 0.0
    for i in range(0, A.shape[0], block):
        for j in range(i, A.shape[0], block):
            tile, mirrored = A[i : i + block, j : j + block], A[j : j + block, i : i + block].T
            if not torch.equal(tile, mirrored):  # most matrices here are exactly symmetric: no arithmetic
                difference = tile.to(torch.float64) - mirrored.to(torch.float64)
                total += float((difference / scale).square_().sum())
    # Tiles on the diagonal are counted twice: an upper bound.
    return 0.5 * scale * float(np.sqrt(2.0 * total))
