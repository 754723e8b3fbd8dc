"""The assumptions of caron2023, checked by computation, and the constants of its theorems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from whp.errors import InputError, fail, require
from whp.interval import Interval
from whp.kernels.activations import Activation, Elementwise
from whp.kernels.enclosure import FUNCTION_NAMES, supremum
from whp.kernels.inputs import data_shape
from whp.kernels.mean_ntg import Kappa, kappa
from whp.kernels.quadrature import EPS, gaussian_mean

TOLERANCE = 1e-8  # relative width of the enclosures of suprema
MOST_CELLS = 4096  # intervals of c at a time, of the search for C_1
ROUNDING_OF_NORMS = 1e-12  # a vector that was divided by its norm has norm one to a few units of rounding


@dataclass(frozen=True)
class Suprema:
    r"""Enclosures of :math:`\sup|\sigma'|` and :math:`\sup|\sigma''|` over the line."""

    dphi: Interval
    ddphi: Interval


@dataclass(frozen=True)
class Assumptions:
    """Constants under which Assumptions 2.1 and 2.2 hold, each on the safe side of its own error.

    Attributes
    ----------
    n, d : int
        Inputs, and their dimension.
    C : float
        Bound of the targets' moduli.
    M : float
        Upper end for sup |sigma''|.
    C_1 : float
        Upper end for eq. (8).
    kappa : Kappa
        The least eigenvalue of the mean NTG matrix; ``kappa.low`` is above zero.

    Notes
    -----
    Source: caron2023, Assumptions 2.1 and 2.2, Section 3, eq. (8).
    """

    n: int
    d: int
    C: float
    M: float
    C_1: float
    kappa: Kappa


def check_assumptions(X: Tensor, y: Tensor, activation: Activation, *, C: float | None = None) -> Assumptions:
    r"""Check Assumptions 2.1 and 2.2 and that kappa_n is above zero; return the constants.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, one a row.
    y : Tensor, shape (n,)
        Targets.
    activation : Activation
        That it is analytic is what its ``smooth`` declares; the rest is computed.
    C : float, optional
        The bound of Assumption 2.1 (c); by default the largest :math:`|y_i|`.

    Returns
    -------
    Assumptions

    Raises
    ------
    InputError
        If an input is zero or longer than one (2.1 a), two are parallel (2.1 b), a target is above C
        (2.1 c), the activation breaks Assumption 2.2, or kappa_n is not certainly above zero.
    """
    n, d = check_inputs(X)
    C = check_targets(y, n, C)
    M = check_activation(activation).ddphi.high
    least = kappa(X, activation)
    rule = "above zero by more than the errors of its computation (its certified interval is shown)"
    require(least.low > 0, "kappa_n", rule, [least.low, least.high])
    return Assumptions(n, d, C, M, c_1(activation, d), least)


def check_inputs(X: Tensor) -> tuple[int, int]:
    """Check Assumption 2.1 (a) and (b); return (n, d).

    Raises
    ------
    InputError
        If an input is zero, longer than one, not finite, or parallel to another.
    """
    require(isinstance(X, Tensor), "X", "a torch.Tensor (torch.as_tensor makes one)", type(X).__name__)
    n, d = data_shape(X)
    require(bool(torch.isfinite(X).all()), "X", "made of finite numbers", "NaN or infinite values")
    X = X.double()
    # Scaled first, so that inputs whose squares underflow are not zero.
    largest = X.abs().amax(1)
    for i in torch.nonzero(largest == 0)[:1, 0].tolist():
        fail(f"x_{i + 1}", "different from zero (Assumption 2.1 a)", "zeros")
    scaled = X / largest[:, None]
    lengths = torch.linalg.vector_norm(scaled, dim=1)
    norms = largest * lengths
    for i in torch.nonzero(norms > 1 + ROUNDING_OF_NORMS)[:1, 0].tolist():
        rule = "at most 1 (Assumption 2.1 a), in double precision: convert before you normalise"
        fail(f"the norm of x_{i + 1}", rule, float(norms[i]))
    units = scaled / lengths[:, None]
    signs = torch.where(units @ units.mT < 0, -1.0, 1.0)
    for i in range(n - 1):
        apart = torch.linalg.vector_norm(units[i + 1 :] - signs[i, i + 1 :, None] * units[i], dim=1)
        for k in torch.nonzero(apart <= 8 * EPS)[:1, 0].tolist():
            pair = f"x_{i + 1} and x_{i + k + 2}"
            cosine = f"inputs with a cosine of {float(units[i] @ units[i + k + 1]):.12g}"
            fail(pair, "no multiples of each other (Assumption 2.1 b)", cosine)
    return n, d


def check_targets(y: Tensor, n: int, C: float | None = None) -> float:
    """Check Assumption 2.1 (c) for n targets; return C, by default their largest modulus.

    Raises
    ------
    InputError
        If the shape is not (n,), or a target is not finite or above C.
    """
    require(isinstance(y, Tensor), "y", "a torch.Tensor (torch.as_tensor makes one)", type(y).__name__)
    require(y.shape == (n,), "y", f"targets of shape ({n},)", tuple(y.shape))
    require(bool(torch.isfinite(y).all()), "y", "made of finite numbers", "NaN or infinite values")
    largest = float(y.abs().max())
    bound = largest if C is None else C
    require(bound > 0, "C", "above zero; give C where all targets are zero", bound)
    require(largest <= bound < math.inf, "C", f"at least max|y_i| = {largest:g} (Assumption 2.1 c)", C)
    return bound


def check_activation(activation: Activation) -> Suprema:
    """Check Assumption 2.2; return the suprema.

    sup |sigma'| is taken to be at most 1 if its enclosure, of relative width 1e-8, reaches down to 1. A
    polynomial with a bounded derivative is affine, so it is enough that sigma'' is not zero everywhere.

    Raises
    ------
    InputError
        If the activation is not smooth, |sigma'| exceeds 1, sigma'' vanishes, or one of the two is not the
        derivative of what it should be.
    """
    known = isinstance(activation, Activation)
    require(known, "activation", "a whp.kernels.Activation (activation(NAME) gives one)", activation)
    require(activation.smooth, "activation", "analytic (Assumption 2.2)", activation.name)
    _check_derivatives(activation)
    found = sup_derivatives(activation)
    rule = "at most 1 (Assumption 2.2)"
    require(found.dphi.low <= 1, f"sup|sigma'| of {activation.name}", rule, found.dphi.low)
    rule = "above zero: a polynomial is excluded (Assumption 2.2)"
    require(found.ddphi.low > 0, f"sup|sigma''| of {activation.name}", rule, found.ddphi.low)
    return found


def _check_derivatives(activation: Activation) -> None:
    """Require that dphi and ddphi are the derivatives of phi and dphi, at points of [-5, 5], by autograd."""
    pairs = (("dphi", activation.phi, activation.dphi), ("ddphi", activation.dphi, activation.ddphi))
    for name, of, given in pairs:
        z = torch.linspace(-5, 5, 41, dtype=torch.float64)
        at = z.clone().requires_grad_()
        value = of(at)
        # Of a constant autograd knows no derivative: it is zero.
        slope = torch.autograd.grad(value.sum(), at)[0] if value.requires_grad else torch.zeros_like(z)
        wrong = (slope - given(z)).abs() > 1e-6 * (1 + slope.abs())
        for k in torch.nonzero(wrong)[:1, 0].tolist():
            rule = f"the derivative of {name[1:]}, {float(slope[k]):.6g} at z = {float(z[k]):g}"
            fail(f"{name} of {activation.name}", rule, float(given(z)[k]))


def sup_derivatives(activation: Activation) -> Suprema:
    r"""Enclose :math:`\sup|\sigma'|` and :math:`\sup|\sigma''|` to a relative width of 1e-8.

    Raises
    ------
    InputError
        If sigma' or sigma'' is made of functions whose range over an interval is not known.
    MeasurementError
        If one is unbounded.
    """
    return Suprema(_supremum(activation.dphi), _supremum(activation.ddphi))


def c_1(activation: Activation, d: int) -> float:
    r"""Return :math:`C_1 = \sup_{0 < c \le 1} E[\sigma(c z / \sqrt d)^2]`, from above, by 1e-7 at most.

    The root of the expectation changes by at most :math:`\sup|\sigma'|\,|c - c'| / \sqrt d`, as a norm does,
    so intervals of c whose ends leave no room for a larger value are dropped and the others bisected. Where
    it is flat in c, so that thousands remain, the room that they leave is added.

    Parameters
    ----------
    activation : Activation
    d : int

    Notes
    -----
    Source: caron2023, eq. (8).
    """
    require(d >= 1, "d", "a positive integer", d)
    slope = activation.sup_dphi / math.sqrt(d)
    ends = torch.linspace(0, 1, 65, dtype=torch.float64)
    roots = _root_mean_square(activation, ends, d)
    low, high = torch.stack((ends[:-1], roots[:-1])), torch.stack((ends[1:], roots[1:]))  # (2, cells)
    while True:
        best = torch.maximum(low[1], high[1]).max()
        top = (low[1] + high[1] + slope * (high[0] - low[0])) / 2
        limit = best * (1 + TOLERANCE)
        keep = top > limit
        if int(keep.sum()) > MOST_CELLS:
            return float(top.max() ** 2) * (1 + TOLERANCE)
        if not bool(keep.any()):
            return float(limit**2) * (1 + TOLERANCE)  # the second time for the error of the quadrature
        low, high = low[:, keep], high[:, keep]
        middle = (low[0] + high[0]) / 2
        centre = torch.stack((middle, _root_mean_square(activation, middle, d)))
        low, high = torch.cat((low, centre), 1), torch.cat((centre, high), 1)


@lru_cache(maxsize=64)
def _supremum(f: Elementwise) -> Interval:
    """Remember the suprema found: trials ask for them again and again."""
    try:
        return supremum(f, tolerance=TOLERANCE)
    except (AttributeError, TypeError) as error:
        rule = f"made of torch.{', torch.'.join(FUNCTION_NAMES)}, sums, products and squares"
        raise InputError(f"a derivative of an activation must be {rule}, got {error}") from error


def _root_mean_square(activation: Activation, c: Tensor, d: int) -> Tensor:
    """Return the root of E[sigma(c z / sqrt d)^2] for every c."""
    values, _ = gaussian_mean(lambda u: activation.phi(c[:, None] * u / math.sqrt(d)) ** 2)
    return torch.sqrt(values)
