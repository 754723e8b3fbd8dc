"""Phi(a_i, a_j, c_ij) or Gamma(a_i, a_j, c_ij) for many pairs at once, by Mehler's expansion.

With h_k(a) = E[phi'(sqrt(a) g) He_k(g)] / sqrt(k!) and rho = c / sqrt(ab),
Mehler's formula gives Phi(a, b, c) = sum_k h_k(a) h_k(b) rho^k. By Cauchy and
Schwarz what is left after order K is at most |rho|^(K+1) sqrt(R_K(a) R_K(b)) with
R_K(a) = E[phi'(sqrt(a) g)^2] - sum_(k <= K) h_k(a)^2, which is computed. The same with
phi for phi' gives Gamma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from whp.errors import require
from whp.kernels.activations import Activation, Elementwise
from whp.kernels.expectations import Gamma, Phi
from whp.kernels.quadrature import EPS, trapezoid

MAX_ORDER = 128
FIRST_LEVEL = 2  # step 1/8 resolves He_128
LAST_LEVEL = 6
# |He_k(u)| exp(-u^2/4) / sqrt(k!) is at most 1.09 (Cramer), so exp(-u^2/4) alone must be negligible.
CUT = 13.0
CONVERGED = 1e-13


@dataclass(frozen=True)
class HermiteTable:
    """Hermite coefficients of phi'(sqrt(a_i) g), or of phi(sqrt(a_i) g).

    Attributes
    ----------
    layer : {1, 2}
        The layer whose kernel it serves: 1 with phi' for Phi, 2 with phi for Gamma.
    h : Tensor, shape (n, MAX_ORDER + 1), float64
        h_k(a_i).
    second : Tensor, shape (n,), float64
        E[phi'(sqrt(a_i) g)^2], the diagonal Phi(a_i, a_i, a_i); with phi, Gamma(a_i, a_i, a_i).
    residual : Tensor, shape (MAX_ORDER + 1,), float64, on the CPU
        sup over i of R_K(a_i), rounding included.
    scale : float
        sup over i of ``second``: the largest value that the expectation can take.
    error : float
        Estimated error of ``h`` and ``second``.
    """

    layer: int
    h: torch.Tensor
    second: torch.Tensor
    residual: torch.Tensor
    scale: float
    error: float

    def order(self, rho_max: float, tolerance: float) -> tuple[int, float]:
        """Return the least order K whose truncation bound is at most ``tolerance * scale``, and that bound.

        If no K up to ``MAX_ORDER`` will do, that K and its bound are returned.
        """
        bounds = rho_max ** torch.arange(1, MAX_ORDER + 2, dtype=torch.float64) * self.residual
        enough = torch.nonzero(bounds <= tolerance * self.scale)
        K = int(enough[0]) if len(enough) else MAX_ORDER
        return K, float(bounds[K])


def hermite_table(activation: Activation, a: torch.Tensor, layer: int = 1) -> HermiteTable:
    """Compute the coefficients for variances ``a``, shape (n,), on their device.

    Raises
    ------
    InputError
        If a variance is so large that the finest step does not resolve phi'(sqrt(a) g) or phi(sqrt(a) g).
    """
    f = activation.dphi if layer == 1 else activation.phi
    a = a.to(torch.float64)
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    difference = math.inf
    for level in range(FIRST_LEVEL, LAST_LEVEL + 1):
        h, second = _project(f, a, level)
        if before is not None:
            difference = max(float((x - y).abs().max()) for x, y in zip((h, second), before, strict=True))
            if difference <= CONVERGED:
                break
        before = h, second
    require(difference <= CONVERGED, "|x|^2/d", "of order one", float(a.max()))
    scale = float(second.max())
    left = (second[:, None] - torch.cumsum(h**2, dim=1)).amax(dim=0).clamp_min(0).cpu()
    rounding = 64 * EPS * scale  # of the difference of two numbers of size scale
    return HermiteTable(layer, h, second, left + rounding, scale, difference + rounding)


def mehler_tile(
    activation: Activation,
    table: HermiteTable,
    rows: slice,
    columns: slice,
    a: torch.Tensor,
    c: torch.Tensor,
    tolerance: float,
) -> torch.Tensor:
    """Return the expectations of a tile of pairs (i, j), truncation error at most ``tolerance * scale``.

    Pairs so close to parallel that order ``MAX_ORDER`` does not reach the
    tolerance are computed by quadrature one by one.

    Parameters
    ----------
    table : HermiteTable
        Of all n variances.
    rows, columns : slice
        Which of the n points the tile is about.
    a : Tensor, shape (n,)
        Variances.
    c : Tensor, shape (r, s)
        Covariances of the tile; entries with i = j are ignored (see ``table.second``).

    Returns
    -------
    Tensor, shape (r, s)
        In the dtype of ``c``.
    """
    inverse = torch.where(a > 0, a.clamp_min(torch.finfo(a.dtype).tiny).rsqrt(), 0.0)
    rho = (c * inverse[rows, None] * inverse[columns]).clamp_(-1, 1)  # (r, s)
    indices = torch.arange(len(a), device=c.device)
    rho.masked_fill_(indices[rows, None] == indices[columns], 0.0)
    K, bound = table.order(float(rho.abs().max()), tolerance)
    left, right = table.h[rows].to(c.dtype), table.h[columns].to(c.dtype)
    value = torch.outer(left[:, K], right[:, K])
    for k in range(K - 1, -1, -1):  # Horner in rho
        value.mul_(rho).addr_(left[:, k], right[:, k])
    if bound > tolerance * table.scale:
        limit = (tolerance * table.scale / float(table.residual[K])) ** (1 / (K + 1))
        i, j = torch.nonzero(rho.abs() > limit, as_tuple=True)
        first, second = a[rows][i].double(), a[columns][j].double()
        expectation = Phi if table.layer == 1 else Gamma
        exact = expectation(activation, first, second, rho[i, j].double() * torch.sqrt(first * second)).value
        value[i, j] = exact.to(value)
    return value


def _project(f: Elementwise, a: torch.Tensor, level: int) -> tuple[torch.Tensor, torch.Tensor]:
    nodes, weights = (x.to(a.device) for x in trapezoid(level, CUT))
    basis = torch.empty(MAX_ORDER + 1, len(nodes), dtype=torch.float64, device=a.device)
    basis[0] = 1.0
    basis[1] = nodes
    for k in range(1, MAX_ORDER):  # normalised: He_k / sqrt(k!)
        basis[k + 1] = (nodes * basis[k] - math.sqrt(k) * basis[k - 1]) / math.sqrt(k + 1)
    values = f(torch.sqrt(a)[:, None] * nodes)  # (n, N)
    return values @ (basis * weights).T, values**2 @ weights
