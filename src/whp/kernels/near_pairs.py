"""Entries of the expected kernels for nearly parallel points, where covariances do not tell the angle.

An error u of a correlation near 1 is one of sqrt(2 u) in the angle, and always of one sign: for repeated
points such errors add up. Angles of unit vectors p and q are taken from 2 atan2(|p - q|, |p + q|) instead
(Kahan 2006, "How futile are mindless assessments of roundoff"), in float64: off by units of its rounding.
For erf p and q are (sqrt(2 / d) x, 1, 0) and (sqrt(2 / d) x', 0, 1), normalised: their cosine is the sine in
Gamma = 2 / pi arcsin(2 c / sqrt((1 + 2 a)(1 + 2 b))) (Williams 1997).
"""

from __future__ import annotations

import math

import torch

from whp.kernels.activations import Activation

# Pairs with 1 - |cosine| below this are near, for the piecewise-linear activations and for erf.
NEAR_ANGLE, NEAR_SINE = 0.01, 0.05
# Numbers in float64 that are held at once.
AT_ONCE = 1 << 22


class NearPairs:
    """Which pairs are near, and their entries r_1 c Phi + r_2 Gamma.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    a : Tensor, shape (n,)
        |x_i|^2 / d.
    activation : Activation
        With closed forms: piecewise linear, or erf.
    slope : float
        Of a piecewise-linear activation for z < 0.
    rates : (float, float)
        r_1 and r_2.
    """

    def __init__(
        self,
        X: torch.Tensor,
        a: torch.Tensor,
        activation: Activation,
        slope: float,
        rates: tuple[float, float],
    ) -> None:
        self.X, self.smooth, self.slope, self.rates = X, activation.smooth, slope, rates
        wide = a.double()
        self._levels = torch.sqrt(wide + 0.5) if self.smooth else wide.sqrt()  # cosine = c / (level level')
        self._limit = 1.0 - 1.01 * (NEAR_SINE if self.smooth else NEAR_ANGLE)

    def put(self, K: torch.Tensor, rows: slice, columns: slice, c: torch.Tensor) -> None:
        """Overwrite the entries of near pairs in a tile K, shape (r, s), of covariances ``c``."""
        levels = self._levels.to(c.dtype)
        most = torch.outer(self._limit * levels[rows], levels[columns])
        i, j = torch.nonzero(c.abs() > most, as_tuple=True)
        step = max(1, AT_ONCE // self.X.shape[1])
        for here, there in zip(torch.split(i, step), torch.split(j, step), strict=True):
            K[here, there] = self.entries(here + rows.start, there + columns.start).to(K.dtype)

    def entries(self, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        """Return the entries of pairs, shape (p,), in float64."""
        first, second = self.rates
        x, y = self.X[i].double(), self.X[j].double()
        d = self.X.shape[1]
        a, b = (torch.linalg.vecdot(z, z) / d for z in (x, y))
        if self.smooth:
            s, t = torch.rsqrt(1 + 2 * a), torch.rsqrt(1 + 2 * b)
            x, y, beside = (
                x * (math.sqrt(2 / d) * s)[:, None],
                y * (math.sqrt(2 / d) * t)[:, None],
                s * s + t * t,
            )
            apart, together = (torch.sqrt(torch.linalg.vecdot(z, z) + beside) for z in (x - y, x + y))
            tangent = (together - apart) * (together + apart) / (2 * apart * together)
            angle = torch.atan2(together, apart) - torch.atan2(apart, together)
            smooth: torch.Tensor = (2 / math.pi) * (first * tangent + second * angle)
            return smooth
        sizes = a.sqrt() * b.sqrt()
        x, y = (z / torch.linalg.vector_norm(z, dim=1, keepdim=True) for z in (x, y))
        apart, together = (torch.linalg.vector_norm(z, dim=1) for z in (x - y, x + y))
        angle, rest = 2 * torch.atan2(apart, together), 2 * torch.atan2(together, apart)
        c, bend = sizes * torch.cos(angle), (1 - self.slope) ** 2 / (2 * math.pi)
        slopes = self.slope + bend * rest
        values = self.slope * c + bend * (sizes * torch.sin(angle) + c * rest)
        kinked: torch.Tensor = first * c * slopes + second * values
        return kinked
