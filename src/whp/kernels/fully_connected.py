"""Tangent kernel and Gaussian-process kernel of a deep fully-connected network (arora2019, Section 3).

With ``c_sigma = 1 / E[sigma(g)^2]``, ``Sigma^(0)(x, z) = x . z`` and Lambda^(h) the covariance of the pair in
layer h - 1,

    Sigma^(h)  = c_sigma E[sigma(u) sigma(v)],     (u, v) ~ N(0, Lambda^(h))          (7)
    Sigma'^(h) = c_sigma E[sigma'(u) sigma'(v)],   (u, v) ~ N(0, Lambda^(h))          (12)
    Theta^(L)  = sum over h of Sigma^(h-1) prod over h' >= h of Sigma'^(h')           (13)

for h = 1, ..., L, the sum as the recursion Theta^(h) = Sigma^(h) + Theta^(h-1) Sigma'^(h). Inputs are not
divided by sqrt d, unlike in :mod:`whp.kernels.deep`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.expectations import Gamma, Phi
from whp.kernels.quadrature import gaussian_mean
from whp.kernels.tiles import STRIP, TOLERANCE, PairTile, expectations, mirror, strips

Real = float | torch.Tensor


@dataclass(frozen=True)
class FcKernels:
    """Both kernels of one network on the same pairs of inputs.

    Attributes
    ----------
    ntk : Tensor, shape (n, n) or (n, m)
        Theta^(L), eq. (13).
    nngp : Tensor, of the same shape
        Sigma^(L), eq. (7): the covariance of the outputs at initialisation.
    """

    ntk: torch.Tensor
    nngp: torch.Tensor


@dataclass(frozen=True)
class FcLayers:
    """The kernels of every layer on the same pairs of inputs, float64.

    Attributes
    ----------
    sigma : list of Tensor
        Sigma^(0), ..., Sigma^(L).
    sigma_dot : list of Tensor
        Sigma'^(1), ..., Sigma'^(L): ``sigma_dot[h - 1]`` belongs to layer h.
    theta : Tensor
        Theta^(L).
    """

    sigma: list[torch.Tensor]
    sigma_dot: list[torch.Tensor]
    theta: torch.Tensor


@lru_cache(maxsize=64)
def c_sigma(activation: Activation) -> float:
    """Return 1 / E[sigma(g)^2], g ~ N(0, 1) (arora2019, below eq. (6))."""
    return 1 / float(_second_moment(activation, torch.ones((), dtype=torch.float64)))


def fc_layers(x_norm2: Real, z_norm2: Real, inner: Real, activation: Activation, layers: int) -> FcLayers:
    """Return the kernels of every layer, elementwise, in float64 on the CPU.

    Parameters
    ----------
    x_norm2, z_norm2, inner : float or Tensor
        |x|^2, |z|^2 and x . z; broadcast together.
    activation : Activation
        Of all hidden layers; expectations without a closed form are computed by quadrature.
    layers : int
        L, the number of hidden layers; 1 or more.

    Raises
    ------
    InputError
        If a norm is negative, a number is not finite, or |x . z| > |x| |z|.
    """
    _check_layers(layers)
    a, b, c = (torch.as_tensor(v, dtype=torch.float64, device="cpu") for v in (x_norm2, z_norm2, inner))
    a, b, c = torch.broadcast_tensors(a, b, c)
    scale = c_sigma(activation)
    sigma, sigma_dot, theta = [c], [], c
    for _ in range(layers):
        sigma_dot.append(scale * Phi(activation, a, b, sigma[-1]).value)
        sigma.append(scale * Gamma(activation, a, b, sigma[-1]).value)
        theta = sigma[-1] + theta * sigma_dot[-1]
        a, b = scale * _second_moment(activation, a), scale * _second_moment(activation, b)
    return FcLayers(sigma, sigma_dot, theta)


def fc_kernels(
    X: torch.Tensor,
    activation: Activation,
    layers: int,
    *,
    Z: torch.Tensor | None = None,
    strip: int = STRIP,
) -> FcKernels:
    """Return the kernels of (13) and (7) between the rows of ``X``, or between those of ``X`` and of ``Z``.

    Computed where ``X`` lies and in its dtype, strip by strip: besides the results there are only tiles.
    Diagonals are computed from the norms alone.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, one per row.
    activation : Activation
        Of all hidden layers: closed forms for erf and the piecewise-linear ones, Mehler's expansion for the
        others (for those |x|^2 must be of order one, as in the layers that follow).
    layers : int
        L, the number of hidden layers; 1 or more.
    Z : Tensor, shape (m, d), optional
        The second inputs, of the dtype and on the device of ``X``.
    strip : int
        Side of the tiles.

    Returns
    -------
    FcKernels
        Exactly symmetric without ``Z``.

    Raises
    ------
    InputError
        If ``layers`` < 1, an input is empty or not finite, or the shapes do not match.
    """
    _check_layers(layers)
    require(strip >= 1, "strip", "positive", strip)
    _check_inputs("X", X)
    if Z is None:
        return _symmetric(X, activation, layers, strip)
    _check_inputs("Z", Z)
    same = Z.shape[1] == X.shape[1] and Z.dtype == X.dtype and Z.device == X.device
    rule = f"(m, {X.shape[1]}), {X.dtype} on {X.device} like X"
    require(same, "Z", rule, f"{tuple(Z.shape)}, {Z.dtype} on {Z.device}")
    return _rectangular(X, Z, activation, layers, strip)


def _symmetric(X: torch.Tensor, activation: Activation, layers: int, strip: int) -> FcKernels:
    n = len(X)
    variances, diagonal, tiles = _layers_of(X, activation, layers)
    ntk, nngp = (torch.empty(n, n, dtype=X.dtype, device=X.device) for _ in range(2))
    for rows, end in strips(n, strip):
        for start in range(0, end, strip):
            columns = slice(start, min(start + strip, end))
            ntk[rows, columns], nngp[rows, columns] = _recursion(X[rows] @ X[columns].T, tiles, rows, columns)
        mirror(ntk, rows, end)
        mirror(nngp, rows, end)
    ntk.diagonal().copy_(diagonal)
    nngp.diagonal().copy_(variances)
    return FcKernels(ntk, nngp)


def _rectangular(
    X: torch.Tensor, Z: torch.Tensor, activation: Activation, layers: int, strip: int
) -> FcKernels:
    n, m = len(X), len(Z)
    _, _, tiles = _layers_of(torch.cat((X, Z)), activation, layers)
    ntk, nngp = (torch.empty(n, m, dtype=X.dtype, device=X.device) for _ in range(2))
    for top in range(0, n, strip):
        rows = slice(top, min(top + strip, n))
        for start in range(0, m, strip):
            columns = slice(start, min(start + strip, m))
            shifted = slice(n + columns.start, n + columns.stop)  # in the list of all norms
            ntk[rows, columns], nngp[rows, columns] = _recursion(X[rows] @ Z[columns].T, tiles, rows, shifted)
    return FcKernels(ntk, nngp)


Layer = tuple[PairTile, PairTile, float]


def _layers_of(
    X: torch.Tensor, activation: Activation, layers: int
) -> tuple[torch.Tensor, torch.Tensor, list[Layer]]:
    """Return Sigma^(L) and Theta^(L) of equal inputs, shapes (n,), and what gives those of other pairs."""
    scale = c_sigma(activation)
    a = (X.double() ** 2).sum(dim=1)  # (n,)
    theta, tiles = a, []
    for _ in range(layers):
        variances = a.to(X)
        gamma, second = expectations(activation, variances, TOLERANCE[X.dtype], layer=2)
        phi, slopes = expectations(activation, variances, TOLERANCE[X.dtype], layer=1)
        tiles.append((gamma, phi, scale))
        a = scale * second.double()
        theta = a + theta * scale * slopes.double()
    return a, theta, tiles


def _recursion(
    c: torch.Tensor, tiles: list[Layer], rows: slice, columns: slice
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Theta^(L) and Sigma^(L) of a tile from its inner products."""
    theta = c
    for gamma, phi, scale in tiles:
        slopes = phi(rows, columns, c).mul_(scale)
        c = gamma(rows, columns, c).mul_(scale)
        theta = torch.addcmul(c, theta, slopes)
    return theta, c


def _second_moment(activation: Activation, a: torch.Tensor) -> torch.Tensor:
    """E[sigma(sqrt(a) g)^2], elementwise."""
    if activation.closed is not None:
        return activation.closed.Gamma(a, a, a)
    return gaussian_mean(lambda g: activation.phi(torch.sqrt(a)[..., None] * g) ** 2)[0]


def _check_layers(layers: int) -> None:
    require(isinstance(layers, int) and layers >= 1, "layers", "an integer, 1 or more", layers)


def _check_inputs(name: str, X: torch.Tensor) -> None:
    require(X.ndim == 2 and X.numel() > 0, name, "a non-empty (n, d) matrix", tuple(X.shape))
    require(X.dtype in TOLERANCE, name, "float32 or float64", X.dtype)
    require(bool(torch.isfinite(X).all()), name, "finite", "NaN or infinite values")
