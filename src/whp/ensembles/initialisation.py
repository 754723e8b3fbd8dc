"""Random initial weights of two-layer networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from whp.ensembles.data import draw_signs, numpy_dtype
from whp.errors import require


@dataclass(frozen=True)
class SymmetricInit:
    """Symmetric initialisation (hu2020, eq. (3)): only one half is independent, so only it is stored.

    Attributes
    ----------
    W_half : Tensor, shape (m/2, d)
        First-layer weights of the first half of the neurons, N(0, 1).
    v_half : Tensor, shape (m/2,)
        Their output weights, +1 or -1.
    """

    W_half: torch.Tensor
    v_half: torch.Tensor

    @property
    def W(self) -> torch.Tensor:
        """All first-layer weights, shape (m, d): ``w_(r + m/2) = w_r``."""
        return torch.cat((self.W_half, self.W_half))

    @property
    def v(self) -> torch.Tensor:
        """All output weights, shape (m,): ``v_(r + m/2) = -v_r``."""
        return torch.cat((self.v_half, -self.v_half))


def symmetric_init(
    rng: np.random.Generator,
    m: int,
    d: int,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> SymmetricInit:
    """Draw the weights of hu2020, eq. (3): the network is zero at the start.

    Parameters
    ----------
    rng : Generator
        Source of randomness; drawn on the CPU in ``dtype``, then moved.
    m : int
        Width, even.
    d : int
        Input dimension.

    Raises
    ------
    InputError
        If ``m`` is not a positive even integer or ``d`` not a positive integer.
    """
    whole = isinstance(m, (int, np.integer)) and m > 0 and m % 2 == 0
    require(whole, "m", "a positive even integer", m)
    require(isinstance(d, (int, np.integer)) and d > 0, "d", "a positive integer", d)
    W_half = rng.standard_normal((m // 2, d), dtype=numpy_dtype(dtype))  # (m/2, d)
    v_half = draw_signs(rng, m // 2, dtype)  # (m/2,)
    return SymmetricInit(torch.from_numpy(W_half).to(device), torch.from_numpy(v_half).to(device))
