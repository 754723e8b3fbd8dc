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
from typing import Literal, get_args

import numpy as np
import torch

from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.expectations import Gamma, Phi
from whp.kernels.fc_fused import Pair, erf_kernels, one_thread, piecewise_kernels
from whp.kernels.quadrature import gaussian_mean
from whp.kernels.tiles import TOLERANCE, expectations, mirror, strip_of, strips
from whp.memory import allocate

Real = float | torch.Tensor
# Sigma^(h) for h = 0, ..., L, and Theta^(L), of pairs of equal inputs.
Diagonals = tuple[list[torch.Tensor], torch.Tensor]
Method = Literal["auto", "fused", "plain"]

# Variances whose moments are integrated at once: at most 80 MB.
AT_ONCE = 512


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
    return 1 / float(_second_moments(activation, torch.ones((), dtype=torch.float64))[0])


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
    shape = (a + b + c).shape
    a, b, c = a.expand(shape), b.expand(shape), c.expand(shape)
    scale = c_sigma(activation)
    sigma, sigma_dot, theta = [c], [], c
    for _ in range(layers):
        sigma_dot.append(scale * Phi(activation, a, b, sigma[-1]).value)
        sigma.append(scale * Gamma(activation, a, b, sigma[-1]).value)
        theta = sigma[-1] + theta * sigma_dot[-1]
        a, b = (scale * _second_moments(activation, v)[0] for v in (a, b))
    return FcLayers(sigma, sigma_dot, theta)


def fc_kernels(
    X: torch.Tensor,
    activation: Activation,
    layers: int,
    *,
    Z: torch.Tensor | None = None,
    method: Method = "auto",
) -> FcKernels:
    """Return the kernels of (13) and (7) between the rows of ``X``, or between those of ``X`` and of ``Z``.

    They have the dtype of ``X`` and lie where it lies; diagonals are computed from the norms alone. Beside
    the results memory is taken for strips of them.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, one per row, float32 or float64.
    activation : Activation
        Of all hidden layers: closed forms for erf and the piecewise-linear ones, Mehler's expansion for the
        others (for those |x|^2 must be of order one).
    layers : int
        L, the number of hidden layers; 1 or more.
    Z : Tensor, shape (m, d), optional
        The second inputs, of the dtype and on the device of ``X``.
    method : {"auto", "fused", "plain"}
        ``fused``: float32 arithmetic, all layers in one pass over memory; for closed forms and float32 on the
        CPU. ``plain``: float64 arithmetic in torch on any device. ``auto``: fused where it can be.

    Returns
    -------
    FcKernels
        Exactly symmetric without ``Z``.

    Raises
    ------
    InputError
        If ``layers`` < 1, an input is empty or not finite, the shapes do not match, or the method does not
        apply.
    """
    return FcKernels(*_kernels(X, Z, activation, layers, method, True))


def fc_ntk(
    X: torch.Tensor,
    activation: Activation,
    layers: int,
    *,
    Z: torch.Tensor | None = None,
    method: Method = "auto",
) -> torch.Tensor:
    """Return the tangent kernel alone, as :func:`fc_kernels` does, in less memory and time."""
    return _kernels(X, Z, activation, layers, method, False)[0]


def _kernels(
    X: torch.Tensor, Z: torch.Tensor | None, activation: Activation, layers: int, method: str, nngp: bool
) -> Pair:
    _check_layers(layers)
    _check_inputs("X", X)
    if Z is not None:
        _check_inputs("Z", Z)
        same = Z.shape[1] == X.shape[1] and Z.dtype == X.dtype and Z.device == X.device
        rule = f"(m, {X.shape[1]}), {X.dtype} on {X.device} like X"
        require(same, "Z", rule, f"{tuple(Z.shape)}, {Z.dtype} on {Z.device}")
    require(method in get_args(Method), "method", f"one of {', '.join(get_args(Method))}", method)
    can_fuse = activation.closed is not None and X.dtype == torch.float32 and X.device.type == "cpu"
    require(can_fuse or method != "fused", "method", "auto or plain here", method)
    if can_fuse and method != "plain":
        with one_thread() as threads:
            return _fused(X, Z, activation, layers, nngp, threads)
    sides = _sides(X, Z, activation, layers)
    outs = _plain(X, Z, activation, [variances for variances, _ in sides], nngp)
    return outs if Z is not None else _with_diagonals(outs, *sides[0])


def _fused(
    X: torch.Tensor, Z: torch.Tensor | None, activation: Activation, layers: int, nngp: bool, threads: int
) -> Pair:
    """Both kernels in float32 on the CPU."""
    if not activation.smooth:
        slope = -float(activation.phi(torch.tensor(-1.0, dtype=torch.float64)))
        return piecewise_kernels(X, Z, layers, slope, nngp, threads)
    sides = _sides(X, Z, activation, layers)
    outs = erf_kernels(X, Z, c_sigma(activation), [variances for variances, _ in sides], nngp, threads)
    return outs if Z is not None else _with_diagonals(outs, *sides[0])


def _sides(X: torch.Tensor, Z: torch.Tensor | None, activation: Activation, layers: int) -> list[Diagonals]:
    return [_diagonals(inputs, activation, layers) for inputs in ((X,) if Z is None else (X, Z))]


def _with_diagonals(outs: Pair, variances: list[torch.Tensor], theta: torch.Tensor) -> Pair:
    """Set what is known of pairs of equal inputs."""
    for out, diagonal in zip(outs, (theta, variances[-1]), strict=True):
        if len(out):
            out.diagonal().copy_(diagonal)
    return outs


def _plain(
    X: torch.Tensor,
    Z: torch.Tensor | None,
    activation: Activation,
    variances: list[list[torch.Tensor]],
    nngp: bool,
) -> Pair:
    """Both kernels in float64 on any device, but for diagonals; without ``nngp`` the second is empty."""
    n, second = len(X), X if Z is None else Z
    m, shift = len(second), 0 if Z is None else n  # where the columns begin among all inputs
    scale = c_sigma(activation)
    tiles = [
        tuple(expectations(activation, torch.cat(a), TOLERANCE[X.dtype], layer)[0] for layer in (1, 2))
        for a in list(zip(*variances, strict=True))[:-1]
    ]
    what = f"a kernel of {n} with {m} points"
    outs = allocate((n, m), X.dtype, X.device, what=what), X.new_empty(0, 0)
    if nngp:
        outs = outs[0], allocate((n, m), X.dtype, X.device, what=what)
    strip = strip_of(X, None)
    for rows, end in strips(n, strip):
        left = X[rows].double()
        for start in range(0, end if Z is None else m, strip):
            columns = slice(start, min(start + strip, m))
            place = slice(shift + columns.start, shift + columns.stop)
            sigma = theta = left @ second[columns].double().T
            for phi, gamma in tiles:
                slopes = phi(rows, place, sigma).mul_(scale)
                sigma = gamma(rows, place, sigma).mul_(scale)
                theta = torch.addcmul(sigma, theta, slopes)
            for out, tile in zip(outs, (theta, sigma), strict=True):
                if len(out):
                    out[rows, columns] = tile
        if Z is None:
            for out in outs[: 1 + nngp]:
                mirror(out, rows, end)
    return outs


def _diagonals(X: torch.Tensor, activation: Activation, layers: int) -> Diagonals:
    """Return Sigma^(h) for h = 0, ..., L and Theta^(L) of pairs of equal inputs, shape (n,), float64."""
    scale = c_sigma(activation)
    variances = [(X.double() ** 2).sum(dim=1)]
    theta = variances[0]
    for _ in range(layers):
        values, slopes = _second_moments(activation, variances[-1])
        variances.append(scale * values)
        theta = variances[-1] + theta * scale * slopes
    return variances, theta


def _second_moments(activation: Activation, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """E[sigma(sqrt(a) g)^2] and E[sigma'(sqrt(a) g)^2], elementwise."""
    if activation.closed is not None:
        return activation.closed.Gamma(a, a, a), activation.closed.Phi(a, a, a)

    def squares(part: torch.Tensor) -> torch.Tensor:
        def integrand(g: torch.Tensor) -> torch.Tensor:
            z = torch.sqrt(part)[:, None] * g
            return torch.stack((activation.phi(z) ** 2, activation.dphi(z) ** 2))

        return gaussian_mean(integrand)[0].to(a)

    values, slopes = torch.cat([squares(part) for part in torch.split(a.flatten().cpu(), AT_ONCE)], dim=1)
    return values.reshape(a.shape), slopes.reshape(a.shape)


def _check_layers(layers: int) -> None:
    require(isinstance(layers, int) and layers >= 1, "layers", "an integer, 1 or more", layers)


def _check_inputs(name: str, X: torch.Tensor) -> None:
    require(X.ndim == 2 and X.numel() > 0, name, "a non-empty (n, d) matrix", tuple(X.shape))
    require(X.dtype in TOLERANCE, name, "float32 or float64", X.dtype)
    # On the CPU by numpy: torch would wake its threads for it, see one_thread.
    finite = np.isfinite(X.detach().numpy()).all() if X.device.type == "cpu" else torch.isfinite(X).all()
    require(bool(finite), name, "finite", "NaN or infinite values")
