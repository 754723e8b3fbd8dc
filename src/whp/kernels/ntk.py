"""First-layer neural tangent kernels of two-layer networks (hu2020): Theta_1, Theta_1^* and Theta^lin1.

All matrices are n x n for n data points, and large; so everything works on tiles of
the lower triangle in the one output matrix, and mirrors them to the upper triangle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from whp.errors import require
from whp.kernels.activations import Activation, nu
from whp.kernels.mehler import hermite_table, mehler_tile

# Rows of a strip: the diagonal tiles waste strip/n of the work, and narrow products are slow.
STRIP = 512
# Neurons whose features are held at once, (n, NEURONS) numbers.
NEURONS = 4096
# Elements on which the activation acts at once, so that its temporaries stay in cache.
ACTIVATION_CHUNK = 1 << 18
# Truncation error of the expected kernel, relative to the largest E[phi'(sqrt(a_i) g)^2].
TOLERANCE = {torch.float32: 1e-7, torch.float64: 1e-12}

PhiTile = Callable[[slice, slice, torch.Tensor], torch.Tensor]


def first_layer_ntk(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    *,
    out: torch.Tensor | None = None,
    strip: int = STRIP,
    neurons: int = NEURONS,
) -> torch.Tensor:
    """Return Theta_1(W) of hu2020, eq. (17), for output weights +-1.

    Theta_1 = (phi'(X W^T / sqrt d) phi'(X W^T / sqrt d)^T / m) o (X X^T / d), with m
    the number of rows of ``W``. For a symmetric initialisation pass its independent
    half ``W_half``: the matrix is the same at half of the work.

    Besides the result, memory is taken for (n, neurons) features and for one strip.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    W : Tensor, shape (m, d)
        First-layer weights, of the dtype and on the device of ``X``.
    activation : Activation
        Supplies phi'.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    strip, neurons : int
        Block sizes; they change the result by rounding only.

    Returns
    -------
    Tensor, shape (n, n)
        Exactly symmetric.
    """
    n, d = _data_shape(X)
    require(W.ndim == 2 and W.shape[1] == d and len(W) > 0, "W", f"of shape (m, {d}), m > 0", tuple(W.shape))
    same = W.dtype == X.dtype and W.device == X.device
    require(same, "W", f"{X.dtype} on {X.device} like X", f"{W.dtype} on {W.device}")
    require(strip >= 1 and neurons >= 1, "block sizes", "positive", (strip, neurons))
    theta = _output(out, X)
    m = len(W)
    features = torch.empty(n, min(neurons, m), dtype=X.dtype, device=X.device)
    for start in range(0, m, neurons):
        W_block = W[start : start + neurons] / d**0.5  # (k, d)
        F = features[:, : len(W_block)]  # (n, k)
        torch.mm(X, W_block.T, out=F)
        for part in torch.split(F, max(1, ACTIVATION_CHUNK // len(W_block))):
            part.copy_(activation.dphi(part))
        for rows, end in _strips(n, strip):
            theta[rows, :end].addmm_(F[rows], F[:end].T, beta=0 if start == 0 else 1)
    for rows, end in _strips(n, strip):
        theta[rows, :end].mul_((X[rows] / (m * d)) @ X[:end].T)
        _mirror(theta, rows, end)
    return theta


def expected_first_layer_ntk(
    X: torch.Tensor,
    activation: Activation,
    *,
    out: torch.Tensor | None = None,
    strip: int = STRIP,
) -> torch.Tensor:
    """Return Theta_1^* = E_W[Theta_1(W)] of hu2020, eq. (18): the kernel at infinite width.

    Entries are (x_i . x_j / d) Phi(|x_i|^2 / d, |x_j|^2 / d, x_i . x_j / d), by the closed
    form where there is one. For the other activations Phi is Mehler's expansion,
    its truncation error certified to be at most ``TOLERANCE[dtype]`` times the largest
    E[phi'(|x_i| g / sqrt d)^2]; the diagonal is by quadrature.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Supplies phi'.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    strip : int
        Side of the tiles.

    Returns
    -------
    Tensor, shape (n, n)
        Exactly symmetric.
    """
    n, d = _data_shape(X)
    require(strip >= 1, "strip", "positive", strip)
    theta = _output(out, X)
    a = norm_ratios(X)  # (n,)
    phi, diagonal = _expectations(activation, a, TOLERANCE[X.dtype])
    for rows, end in _strips(n, strip):
        X_rows = X[rows] / d
        for start in range(0, end, strip):
            columns = slice(start, min(start + strip, end))
            c = X_rows @ X[columns].T  # (r, s)
            torch.mul(c, phi(rows, columns, c), out=theta[rows, columns])
        _mirror(theta, rows, end)
    theta.diagonal().copy_(a * diagonal)
    return theta


def linear_features(X: torch.Tensor, zeta: float, nu: float) -> torch.Tensor:
    """Return Psi_1, shape (n, d + 1): rows psi_1(x) = (zeta x, nu) / sqrt(d) (hu2020, eq. (5))."""
    n, d = _data_shape(X)
    bias = torch.full((n, 1), nu, dtype=X.dtype, device=X.device)
    return torch.cat((zeta * X, bias), dim=1).div_(d**0.5)


def linear_kernel(
    X: torch.Tensor,
    activation: Activation,
    sigma_moment: float,
    layer: int = 1,
    *,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return Theta^lin1 or Theta^lin2 of hu2020, eq. (20), shape (n, n).

    Theta^lin1 = (zeta^2 X X^T + nu^2 1 1^T) / d, and
    Theta^lin2 = (zeta^2 X X^T + nu^2 1 1^T / 2) / d + q q^T with
    q_i = vartheta_0 + vartheta_1 (|x_i| / sqrt d - 1) + vartheta_2 (|x_i| / sqrt d - 1)^2.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    activation : Activation
        Supplies the moments.
    sigma_moment : float
        Tr[Sigma^2] / d of the data distribution, not of the sample.
    layer : {1, 2}
        Which layer is trained.
    out : Tensor, shape (n, n), optional
        Where to put the result.
    """
    require(layer in (1, 2), "layer", "1 or 2", layer)
    moments = activation.moments
    theta = _output(out, X).zero_()
    subtract_linear_kernel_(theta, X, moments.zeta, nu(activation, sigma_moment) / layer**0.5)
    theta.neg_()
    if layer == 2:
        radius = norm_ratios(X).sqrt() - 1  # (n,)
        q = moments.vartheta_0 + moments.vartheta_1 * radius + moments.vartheta_2 * radius**2
        theta.addr_(q, q)
    return theta


def subtract_linear_kernel_(
    K: torch.Tensor, X: torch.Tensor, zeta: float, nu: float, *, strip: int = STRIP
) -> torch.Tensor:
    """Subtract (zeta^2 X X^T + nu^2 1 1^T) / d from ``K`` in place, and return it.

    Needs no second n x n matrix. ``K`` must be symmetric: only its lower triangle is read.
    """
    n, d = _data_shape(X)
    _output(K, X)
    for rows, end in _strips(n, strip):
        K[rows, :end].addmm_(X[rows], X[:end].T, alpha=-(zeta**2) / d).sub_(nu**2 / d)
        _mirror(K, rows, end)
    return K


def norm_ratios(X: torch.Tensor) -> torch.Tensor:
    """Return |x_i|^2 / d, shape (n,)."""
    ratios: torch.Tensor = torch.linalg.vecdot(X, X) / X.shape[1]
    return ratios


def _data_shape(X: torch.Tensor) -> tuple[int, int]:
    require(X.ndim == 2 and X.numel() > 0, "X", "a non-empty (n, d) matrix", tuple(X.shape))
    require(X.dtype in TOLERANCE, "X", "float32 or float64", X.dtype)
    return X.shape[0], X.shape[1]


def _output(out: torch.Tensor | None, X: torch.Tensor) -> torch.Tensor:
    """Return ``out``, checked, or a new uninitialised (n, n) matrix."""
    n = len(X)
    if out is None:
        return torch.empty(n, n, dtype=X.dtype, device=X.device)
    fits = out.shape == (n, n) and out.dtype == X.dtype and out.device == X.device
    rule = f"({n}, {n}), {X.dtype} on {X.device}"
    require(fits, "n x n matrix", rule, f"{tuple(out.shape)}, {out.dtype} on {out.device}")
    return out


def _strips(n: int, strip: int) -> Iterator[tuple[slice, int]]:
    """Row strips, and where the lower triangle ends in each."""
    for start in range(0, n, strip):
        end = min(start + strip, n)
        yield slice(start, end), end


def _mirror(K: torch.Tensor, rows: slice, end: int) -> None:
    """Copy what is left of the diagonal in these rows to above it."""
    K[: rows.start, rows] = K[rows, : rows.start].T
    tile = K[rows, rows]
    tile.copy_(tile.tril() + tile.tril(-1).T)


def _expectations(activation: Activation, a: torch.Tensor, tolerance: float) -> tuple[PhiTile, torch.Tensor]:
    """Return how to compute a tile of Phi(a_i, a_j, c_ij), i != j, and the vector Phi(a_i, a_i, a_i)."""
    closed = activation.closed
    if closed is not None:
        return lambda rows, columns, c: closed.Phi(a[rows, None], a[columns], c), closed.Phi(a, a, a)
    table = hermite_table(activation, a)

    def tile(rows: slice, columns: slice, c: torch.Tensor) -> torch.Tensor:
        return mehler_tile(activation, table, rows, columns, a, c, tolerance)

    return tile, table.second
