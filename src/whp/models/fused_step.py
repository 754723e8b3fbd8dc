"""What a step of descent does between its two matrix products, in one pass over the pre-activations.

A row of them, its features and its slopes stay in the first-level cache: activation, derivative, output,
residual and the sum for the second layer are made there. For erf in float32 and the piecewise-linear
activations. Measured on one core with AVX-512, 512 rows, m = 256, d = 50, both layers, where the two products
take 167 microseconds: erf 60 (torch, call by call: 124), ReLU 23 (46).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erf as exact_erf
from scipy.special import erfcx
from torch import Tensor

from whp.models.activation import Activation
from whp.vectors import compiled_for_any

Array = npt.NDArray[Any]

# Unsigned, as signed indices could count from the end, and checking that costs vectors.
Index = np.uint64

ZERO, ONE = np.float32(0), np.float32(1)
BITS = np.int32(23)  # of the mantissa
MINUS_LOG_2_E = np.float32(-1 / math.log(2))
LEAST_EXPONENT = np.float32(-120)
# Below the first erf is z times a polynomial of z^2, which keeps all digits near 0; beyond the second it is 1
# in float32.
ERF_SMALL, ERF_TOP = np.float32(0.75), np.float32(4)
SLOPE_OF_ERF = 2 / math.sqrt(math.pi)


def _power_of_two() -> list[float]:
    """2^g for |g| <= 1/2, to 2e-8 relatively; lowest degree first."""
    interpolant = Chebyshev.interpolate(np.exp2, 6, domain=[-0.5, 0.5])
    return [float(c) for c in interpolant.convert(kind=Polynomial).coef]


def _between(
    f: Callable[[Array], Array], weight: Callable[[Array], Array], a: Any, b: Any, degree: int
) -> list[float]:
    """f between a and b, as near as its weight asks for; lowest degree first."""
    x = a + (b - a) * (1 - np.cos(np.pi * (np.arange(400) + 0.5) / 400)) / 2
    fit = Chebyshev.fit(x, f(x), degree, domain=[a, b], w=weight(x))
    return [float(c) for c in fit.convert(kind=Polynomial).coef]


def _scaled_erfc() -> list[float]:
    """exp(a^2) erfc(a) for 3/4 <= a <= 4, so near that erfc is right to 2e-8."""
    return _between(erfcx, lambda a: np.exp(-a * a), ERF_SMALL, ERF_TOP, 9)


def _erf_near_zero() -> list[float]:
    """erf(sqrt(t)) / sqrt(t) for 0 <= t <= 9/16, to 4e-8 relatively."""
    return _between(lambda t: exact_erf(np.sqrt(t)) / np.sqrt(t), np.ones_like, 0.0, float(ERF_SMALL) ** 2, 4)


E0, E1, E2, E3, E4, E5, E6 = map(np.float32, _power_of_two())
C0, C1, C2, C3, C4, C5, C6, C7, C8, C9 = map(np.float32, _scaled_erfc())
N0, N1, N2, N3, N4 = map(np.float32, _erf_near_zero())


@compiled_for_any
def gauss(z: Any) -> Any:
    """Return exp(-z^2) to 1e-7."""
    y = z * z * MINUS_LOG_2_E
    y = LEAST_EXPONENT if y < LEAST_EXPONENT else y
    whole = np.rint(y)
    g = y - whole
    power = E0 + g * (E1 + g * (E2 + g * (E3 + g * (E4 + g * (E5 + g * E6)))))
    shift = np.int32(np.int32(whole) << BITS)
    return np.int32(np.float32(power).view(np.int32) + shift).view(np.float32)


@compiled_for_any
def erf(z: Any, e: Any) -> Any:
    """Return erf(z) to 3e-7 of itself, where e = exp(-z^2)."""
    a, t = abs(z), z * z
    small = z * (N0 + t * (N1 + t * (N2 + t * (N3 + t * N4))))
    b = ERF_TOP if a > ERF_TOP else a
    high = C5 + b * (C6 + b * (C7 + b * (C8 + b * C9)))
    scaled = C0 + b * (C1 + b * (C2 + b * (C3 + b * (C4 + b * high))))
    large = np.copysign(ONE - e * scaled, z)
    return small if a < ERF_SMALL else large


@compiled_for_any
def finish_row(
    i: Any, output: Any, features: Array, y: Array, outputs: Array, x: Array, weighted: Array, sum_v: Array
) -> None:
    """Keep the output of row i, and add its residual's part to the sum for v and to the weighted inputs."""
    d = Index(x.shape[0] // y.shape[0])
    error = output - y[i]
    outputs[i] = output
    for r in range(Index(sum_v.shape[0])):
        sum_v[r] += error * features[r]
    for k in range(d):
        weighted[i * d + k] = error * x[i * d + k]


@compiled_for_any
def erf_step(
    z: Array,
    readout: Array,
    y: Array,
    outputs: Array,
    x: Array,
    weighted: Array,
    features: Array,
    sum_v: Array,
    slope: Any,
) -> None:
    """Do the step's pass over a block of rows for erf; ``slope`` is not used.

    Parameters
    ----------
    z : ndarray, shape (k m,)
        Pre-activations; replaced by the derivative divided by 2 / sqrt(pi).
    readout, features : ndarray, shape (m,)
        Second layer divided by sqrt(m); a buffer.
    y, outputs : ndarray, shape (k,)
    x, weighted : ndarray, shape (k d,)
        Inputs, and the same times the residual of their row.
    sum_v : ndarray, shape (m,) or (0,)
        Set to the sum of the residuals times the features.
    slope : float
        Of the piecewise-linear activations below 0.
    """
    m = Index(readout.shape[0])
    sum_v[:] = 0
    for i in range(Index(y.shape[0])):
        output = ZERO
        for r in range(m):
            entry = z[i * m + r]
            e = gauss(entry)
            feature = erf(entry, e)
            z[i * m + r] = e
            features[r] = feature
            output += feature * readout[r]
        finish_row(i, output, features, y, outputs, x, weighted, sum_v)


@compiled_for_any
def piecewise_step(
    z: Array,
    readout: Array,
    y: Array,
    outputs: Array,
    x: Array,
    weighted: Array,
    features: Array,
    sum_v: Array,
    slope: Any,
) -> None:
    """Do the same for max(z, 0) + slope min(z, 0), whose derivative at 0 is 1; see `erf_step`."""
    m = Index(readout.shape[0])
    one = readout.dtype.type(1)
    sum_v[:] = 0
    for i in range(Index(y.shape[0])):
        output = readout.dtype.type(0)
        for r in range(m):
            entry = z[i * m + r]
            by = slope if entry < 0 else one
            feature = by * entry
            z[i * m + r] = by
            features[r] = feature
            output += feature * readout[r]
        finish_row(i, output, features, y, outputs, x, weighted, sum_v)


@compiled_for_any
def erf_outputs(z: Array, readout: Array, outputs: Array, slope: Any) -> None:
    """Write the outputs of a block of rows for erf."""
    m = Index(readout.shape[0])
    for i in range(Index(outputs.shape[0])):
        output = ZERO
        for r in range(m):
            entry = z[i * m + r]
            output += erf(entry, gauss(entry)) * readout[r]
        outputs[i] = output


@compiled_for_any
def piecewise_outputs(z: Array, readout: Array, outputs: Array, slope: Any) -> None:
    """Write the outputs of a block of rows for a piecewise-linear activation."""
    m = Index(readout.shape[0])
    one = readout.dtype.type(1)
    for i in range(Index(outputs.shape[0])):
        output = readout.dtype.type(0)
        for r in range(m):
            entry = z[i * m + r]
            output += (slope if entry < 0 else one) * entry * readout[r]
        outputs[i] = output


@dataclass(frozen=True)
class Fused:
    """The passes of one activation in one precision.

    Attributes
    ----------
    step, outputs : callable
        `erf_step` and `erf_outputs`, or those of the piecewise-linear activations.
    slope : float32 or float64
        Their last argument.
    scale : float
        The derivative divided by what ``step`` leaves in its place.
    """

    step: Callable[..., None]
    outputs: Callable[..., None]
    slope: Any
    scale: float


def fused(activation: Activation, like: Tensor) -> Fused | None:
    """Return the passes for tensors of the dtype and on the device of ``like``, if there are any.

    Only activations of :mod:`whp.kernels` say what they are, in ``form``; of others nothing is known but
    their two functions.
    """
    kind, slope = getattr(activation, "form", None) or ("", 0.0)
    if like.device.type != "cpu":
        return None
    if kind == "erf" and like.dtype == torch.float32:
        return Fused(erf_step, erf_outputs, ZERO, SLOPE_OF_ERF)
    if kind == "piecewise":
        number = np.float32 if like.dtype == torch.float32 else np.float64
        return Fused(piecewise_step, piecewise_outputs, number(slope), 1.0)
    return None
