r"""The mean neural tangent Gram matrix of caron2023, its least eigenvalue, and the expectations beside it.

The weights lambda_{m,j} sum to one, so the mean does not depend on them: it is the kernel at infinite
width of a network with equal weights, :func:`whp.kernels.expected_first_layer_ntk`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from whp.errors import require
from whp.interval import Interval
from whp.kernels.activations import Activation, leaky_relu
from whp.kernels.expectations import ExpectationResult, Phi
from whp.kernels.inputs import data_shape
from whp.kernels.ntk import expected_first_layer_ntk, norm_ratios
from whp.kernels.quadrature import EPS, gaussian_mean, gaussian_mean_pair, trapezoid
from whp.kernels.tiles import TOLERANCE

LEVELS_3D = 4  # finest step 1/16; 321 nodes an axis


@dataclass(frozen=True)
class Kappa:
    """The least eigenvalue of a mean NTG matrix, with what is certain of it.

    Attributes
    ----------
    value : float
        As computed.
    low, high : float
        They enclose it, the errors of the expectations and of the decomposition included.
    """

    value: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        """``[low, high]``."""
        return Interval(self.low, self.high)


def mean_ntg(X: Tensor, activation: Activation) -> Tensor:
    r"""Return the mean NTG matrix at initialisation, :math:`\widehat\Theta^*(X)`.

    Entries are :math:`(x_i \cdot x_k / d)\, E[\sigma'(z_i) \sigma'(z_k)]`, z centred Gaussian with
    :math:`E[z_i z_k] = x_i \cdot x_k / d`.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, one a row; computed in float64.
    activation : Activation
        Supplies sigma'.

    Returns
    -------
    Tensor, shape (n, n), float64

    Notes
    -----
    Source: caron2023, Section 3.
    """
    return expected_first_layer_ntk(X.double(), activation)


def kappa(X: Tensor, activation: Activation) -> Kappa:
    r"""Return :math:`\kappa_n`, the least eigenvalue of :func:`mean_ntg`, with a certified interval.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    activation : Activation

    Returns
    -------
    Kappa

    Notes
    -----
    By Weyl's inequality the eigenvalue moves by at most the Frobenius norm of the error. An entry's error is
    that of its expectation (four times the expansion's certified remainder, which covers the difference
    between the last two steps of the quadrature of all its coefficients; for closed forms, rounding, which
    grows towards parallel inputs) times :math:`|x_i \cdot x_k| / d`, and the rounding of that product.

    Source: caron2023, Section 3.
    """
    X = X.double()
    n, d = data_shape(X)
    theta = mean_ntg(X, activation)
    a = norm_ratios(X)  # (n,)
    scale = torch.sqrt(a[:, None] * a)  # (n, n), at least |c|
    product = 2 * d * EPS * scale  # rounding of c
    second = activation.sup_dphi**2
    expectation = torch.full_like(scale, 4 * TOLERANCE[torch.float64] * second)
    if not activation.smooth:
        # For a step of height 1 - s at 0 the derivative in c is (1 - s)^2 / (2 pi sqrt(ab - c^2)).
        rho = ((X @ X.mT) / (d * scale.clamp_min(torch.finfo(torch.float64).tiny))).abs().clamp_max(1)
        sine = torch.sqrt((1 - rho) * (1 + rho)).clamp_min(math.sqrt(EPS)).fill_diagonal_(1)
        expectation = second * (2 * d + 16) * EPS / sine
    error = scale * expectation + second * product
    total = float(error.norm()) + 4 * n * EPS * float(theta.norm())
    value = float(torch.linalg.eigvalsh(theta)[0])
    return Kappa(value, value - total, value + total)


def c_0(X: Tensor, activation: Activation) -> float:
    r"""Return :math:`C_0(X) = \sum_{i,k} (x_i \cdot x_k / d)^2\, \mathrm{Var}(\sigma'(z_i) \sigma'(z_k))`.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Every pair is a quadrature of its own: for up to about 50 inputs.
    activation : Activation

    Notes
    -----
    Source: caron2023, Proposition 3.1, below eq. (7).
    """
    X = X.double()
    n, d = data_shape(X)
    a = norm_ratios(X)
    i, k = torch.triu_indices(n, n)
    c = (X @ X.mT)[i, k] / d  # (pairs,)
    mean = Phi(activation, a[i], a[k], c).value
    if activation.smooth:
        square, _ = gaussian_mean_pair(lambda z: activation.dphi(z) ** 2, a[i], a[k], c)
    else:
        square = Phi(_squared_slopes(activation), a[i], a[k], c).value
    twice = torch.where(i == k, 1.0, 2.0)
    return float((twice * c**2 * (square - mean**2).clamp_min(0)).sum())


def g_1(X: Tensor, activation: Activation) -> ExpectationResult:
    r"""Return :math:`g_1(x_i) = E[\sigma(s_i z) \sigma'(s_i z)]`, :math:`s_i = \|x_i\| / \sqrt d`.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    activation : Activation

    Returns
    -------
    ExpectationResult
        Values and errors, shape (n,).

    Notes
    -----
    Source: caron2023, above Theorem 4.3.
    """
    X = X.double()
    data_shape(X)
    s = torch.sqrt(norm_ratios(X))
    if not activation.smooth:  # sigma sigma' is the piecewise-linear function with the squared slopes
        moments = _squared_slopes(activation).moments
        return ExpectationResult(s * moments.vartheta_0, s * moments.error)

    def integrand(u: Tensor) -> Tensor:
        z = s[:, None] * u
        return activation.phi(z) * activation.dphi(z)

    value, error = gaussian_mean(integrand)
    return ExpectationResult(value, torch.full_like(value, error))


def g_2(x_1: Tensor, x_2: Tensor, x_3: Tensor, activation: Activation) -> ExpectationResult:
    r"""Return :math:`g_2(x_1, x_2, x_3) = E[\sigma''(z_1) \sigma'(z_2) \sigma'(z_3) \sigma(z_3)]`.

    Parameters
    ----------
    x_1, x_2, x_3 : Tensor, shape (d,)
        Any inputs, parallel and equal ones included; z is centred Gaussian with
        :math:`E[z_i z_k] = x_i \cdot x_k / d`.
    activation : Activation
        Smooth.

    Returns
    -------
    ExpectationResult
        A value and an error, tensors without dimensions.

    Raises
    ------
    InputError
        If the activation is not smooth: then sigma'' is not a function.

    Notes
    -----
    Source: caron2023, above Theorem 4.4.
    """
    require(activation.smooth, "activation", "smooth", activation.name)
    X = torch.stack((x_1, x_2, x_3)).double()
    _, d = data_shape(X)
    # Rows of the root have the covariance as Gram matrix; it has no more columns than the inputs' rank.
    values, vectors = torch.linalg.eigh(X @ X.mT / d)
    used = values > 16 * EPS * values[-1]
    used[-1] = True  # also where all are zero
    root = vectors[:, used] * torch.sqrt(values[used].clamp_min(0))  # (3, r)
    value = before = torch.full((), math.nan, dtype=torch.float64)
    difference, rounding = math.inf, 0.0
    for level in range(LEVELS_3D):
        value, size = _cubature(root, activation, level)
        difference = abs(float(value - before)) if level else math.inf
        rounding = 16 * EPS * float(size)
        if difference <= rounding:
            break
        before = value
    return ExpectationResult(value, torch.full_like(value, difference + rounding))


def _cubature(root: Tensor, activation: Activation, level: int) -> tuple[Tensor, Tensor]:
    """Sum over the product grid in as many dimensions as ``root`` has columns; also of the moduli."""
    nodes, weights = trapezoid(level)
    others = root.shape[1] - 1
    grid, mass = root.new_zeros(1, 0), root.new_ones(1)
    if others:
        grid = torch.cartesian_prod(*[nodes] * others).reshape(-1, others)
        mass = torch.cartesian_prod(*[weights] * others).reshape(-1, others).prod(1)
    across = root[:, 1:] @ grid.mT  # (3, N^(r-1))
    value, size = root.new_zeros(()), root.new_zeros(())
    for node, weight in zip(nodes, weights, strict=True):
        z = across + root[:, :1] * node
        f = activation.ddphi(z[0]) * activation.dphi(z[1]) * activation.dphi(z[2]) * activation.phi(z[2])
        value = value + weight * (f @ mass)
        size = size + weight * (f.abs() @ mass)
    return value, size


def _squared_slopes(activation: Activation) -> Activation:
    """Return the piecewise-linear activation whose derivative is the square of this one's."""
    slope = float(activation.dphi(torch.tensor([-1.0], dtype=torch.float64)))
    return leaky_relu(slope**2)
