"""The 1-d convolutional network of hu2020, eq. (12), its tangent kernel, and the kernel at infinite width.

For x in R^d, filters w_1, ..., w_m in R^q and V in R^(m x d),
f(x) = sum_r v_r . phi(w_r * x / sqrt q) / sqrt(m d), with circular padding: position k
of w * x is w . [x]_(k:k+q), its indices modulo d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.closed_forms import erf_Gamma, erf_Phi
from whp.kernels.inputs import data_shape
from whp.kernels.tiles import mirror, output, strips

# Side of the tiles: at every position a tile is passed over some ten times, so it must stay in cache.
TILE = 256


@dataclass(frozen=True)
class CnnKernel:
    """The tangent kernel of a 1-d CNN, layer by layer; their sum is Theta_CNN.

    Attributes
    ----------
    first, second : Tensor, shape (n, n)
        Theta^(1)_CNN (filters) and Theta^(2)_CNN (output weights), each exactly symmetric.
    """

    first: torch.Tensor
    second: torch.Tensor


@dataclass(frozen=True)
class InfiniteCnnKernel(CnnKernel):
    """The tangent kernel at infinite width, and what its expansion rests on.

    Attributes
    ----------
    correlation : float
        The largest |rho_ijk| over i != j and k, rho_ijk = [x_i]_(k:k+q) . [x_j]_(k:k+q) / q
        (hu2020, Appendix E).
    """

    correlation: float


def local_correlations(x: torch.Tensor, y: torch.Tensor, q: int) -> torch.Tensor:
    """Return rho_k = [x]_(k:k+q) . [y]_(k:k+q) / q (hu2020, Appendix E), by cumulative sums.

    Parameters
    ----------
    x, y : Tensor, shape (..., d)
        Points, or batches of points that broadcast.
    q : int
        Filter size, 1 to d.

    Returns
    -------
    Tensor, shape (..., d), float64
    """
    products = x * y  # (..., d)
    _check_filter(q, products.shape[-1])
    ring = torch.cat((products, products[..., : q - 1]), dim=-1)  # (..., d + q - 1)
    sums = torch.cumsum(ring, dim=-1, dtype=torch.float64)
    windows = sums[..., q - 1 :].clone()
    windows[..., 1:] -= sums[..., :-q]
    return windows.div_(q)


def infinite_cnn1d_ntk(X: torch.Tensor, q: int, *, tile: int = TILE) -> InfiniteCnnKernel:
    """Return the kernel of the CNN (12) with phi = erf as m grows (hu2020, Proposition 4.1).

    With a_ik = |[x_i]_(k:k+q)|^2 / q and Gamma, Phi as in Appendix E (there P and Q, as
    a = 1 on the hypercube),
    Theta^(2)_ij = mean over k of Gamma(a_ik, a_jk, rho_ijk) and
    Theta^(1)_ij = mean over k of rho_ijk Phi(a_ik, a_jk, rho_ijk).

    Costs O(n^2 d) whatever q is: from one position to the next the Gram matrix of the
    patches changes by two outer products. They are exact for data of signs; for other
    data d of them add their rounding errors.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    q : int
        Filter size, 1 to d.
    tile : int
        Side of the tiles; it changes the result by rounding only.
    """
    n, _ = data_shape(X)
    require(tile >= 1, "tile", "positive", tile)
    a = local_correlations(X, X, q)  # (n, d), float64
    columns = X.T.contiguous()  # (d, n): what comes in and goes out at a position lies together
    shrink = torch.rsqrt(1 + 2 * a).T.to(X.dtype).contiguous()  # (d, n)
    first, second = output(None, X), output(None, X)
    correlation = 0.0
    for rows, end in strips(n, tile):
        for start in range(0, end, tile):
            cols = slice(start, min(start + tile, end))
            first[rows, cols], second[rows, cols], largest = _tile(columns, shrink, q, rows, cols)
            correlation = max(correlation, largest)
        mirror(first, rows, end)
        mirror(second, rows, end)
    first.diagonal().copy_((a * erf_Phi(a, a, a)).mean(dim=1))
    second.diagonal().copy_(erf_Gamma(a, a, a).mean(dim=1))
    return InfiniteCnnKernel(first, second, correlation)


def cnn1d(X: torch.Tensor, W: torch.Tensor, V: torch.Tensor, activation: Activation) -> torch.Tensor:
    """Return the outputs of the CNN (12), shape (n,).

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    W : Tensor, shape (m, q)
        Filters.
    V : Tensor, shape (m, d)
        Output weights.
    activation : Activation
        Supplies phi.
    """
    (m, q), d = W.shape, X.shape[-1]
    _check_filter(q, d)
    require(V.shape == (m, d), "V", f"of shape ({m}, {d})", tuple(V.shape))
    positions = torch.arange(d, device=X.device)
    patches = X[..., (positions[:, None] + positions[:q]) % d]  # (n, d, q)
    features = activation.phi(patches @ W.T / math.sqrt(q))  # (n, d, m)
    return (features * V.T).sum(dim=(-2, -1)) / math.sqrt(m * d)


def cnn1d_ntk(X: torch.Tensor, W: torch.Tensor, V: torch.Tensor, activation: Activation) -> CnnKernel:
    """Return the tangent kernel of the CNN (12) at weights W and V, by automatic differentiation.

    Parameters
    ----------
    X, W, V, activation
        As for :func:`cnn1d`; takes memory for n (m q + m d) numbers.
    """
    gradient = torch.func.grad(lambda W, V, x: cnn1d(x, W, V, activation), argnums=(0, 1))
    by_layer = torch.func.vmap(gradient, in_dims=(None, None, 0))(W, V, X)
    first, second = (J.flatten(1) @ J.flatten(1).T for J in by_layer)  # J: (n, m, q), (n, m, d)
    return CnnKernel(first, second)


def _check_filter(q: int, d: int) -> None:
    require(1 <= q <= d, "q", f"from 1 to d = {d}", q)


def _tile(
    columns: torch.Tensor, shrink: torch.Tensor, q: int, rows: slice, cols: slice
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Return one tile of each kernel, and its largest |rho_ijk|; entries with i = j are meaningless.

    With t = 2 rho r_i r_j and r = 1 / sqrt(1 + 2a), erf's closed forms are
    Gamma = (2/pi) arcsin t and rho Phi = (2/pi) t / sqrt(1 - t^2). This is written out
    because the general functions, exact even where ab and c^2 cancel, take ten times as
    long; here |t| <= 2a / (1 + 2a) stays away from 1.
    """
    d = len(columns)
    left, right = columns[:, rows], columns[:, cols]
    gram = left[:q].T @ right[:q]  # (r, s)
    first, second = torch.zeros_like(gram), torch.zeros_like(gram)
    t, work = torch.empty_like(gram), torch.empty_like(gram)
    one = gram.new_ones(())
    largest = 0.0
    for k in range(d):
        if k > 0:
            come, go = (k + q - 1) % d, k - 1
            gram.addmm_(torch.stack((left[come], -left[go]), 1), torch.stack((right[come], right[go])))
        if rows == cols:
            gram.fill_diagonal_(0)
        low, high = torch.aminmax(gram)
        largest = max(largest, -float(low), float(high))
        torch.mul(gram, (2 / q) * shrink[k, rows, None], out=t).mul_(shrink[k, cols])
        second.add_(torch.asin(t, out=work))
        torch.addcmul(one, t, t, value=-1, out=work).rsqrt_()
        first.addcmul_(t, work)
    scale = 2 / (math.pi * d)
    return first.mul_(scale), second.mul_(scale), largest / q
