"""What a network asks of its activation; the objects themselves live in ``whp.kernels``."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Activation(Protocol):
    """An entrywise function and its derivative, on tensors of any shape.

    Both return a tensor of the shape and dtype of ``z`` and leave ``z`` alone. One that has an attribute
    ``form``, as those of :mod:`whp.kernels` do, may be computed by a faster route with the same values.
    """

    def phi(self, z: Tensor, /) -> Tensor:
        """Return ``phi(z)``."""
        ...

    def dphi(self, z: Tensor, /) -> Tensor:
        """Return ``phi'(z)``."""
        ...
