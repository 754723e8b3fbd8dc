"""Tiles of the expected kernels in single precision on the CPU, and their products, in the first-level cache.

For the piecewise-linear activations and erf in closed form, for all others by Mehler's series. A tile of the
Gram matrix is overwritten row by row with r_1 c Phi + r_2 Gamma, and is used twice, for the rows and for the
columns, as the kernel is symmetric.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from whp.kernels.fast_arccos import (
    S0,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    arccos_factor,
    lift_factor,
)
from whp.vectors import compiled

Array32 = npt.NDArray[np.float32]

# Unsigned, as signed indices could count from the end, and checking that costs vectors.
Index = np.uint64
# Columns of the vectors that one product is made with.
VECTORS = 4
# Orders of Mehler's series that are added in one pass.
ORDERS = 4
# Columns at once, so that all orders of them stay in the first-level cache.
STEP = 256

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
PI, HALF_PI = np.float32(math.pi), np.float32(math.pi / 2)
ONE_OVER_TWO_PI = np.float32(1 / (2 * math.pi))
TWO_OVER_PI = np.float32(2 / math.pi)
A0, A1, A2, A3, A4, A5, A6, A7 = (np.float32(c) for c in (S0, S1, S2, S3, S4, S5, S6, S7))
# 1 - |sine| is at least this, so that its cosine is not 0.
LEAST = np.float32(1e-7)


@compiled
def piecewise_entries(
    K: Array32, slope: float, first: float, second: float, here: Array32, there: Array32
) -> float:
    """Overwrite covariances with r_1 c Phi + r_2 Gamma for phi(z) = z (z >= 0), slope z (z < 0).

    Returns the largest |correlation|: those near 1 do not tell the angle (:mod:`whp.kernels.near_pairs`).

    Parameters
    ----------
    K : (r, s) array
    slope, first, second : float
        r_1 and r_2 are ``first`` and ``second``.
    here, there : (2, r) and (2, s) arrays
        Standard deviations of rows and columns, and their inverses; 0 and 0 for a point at 0.
    """
    bend = np.float32((1 - slope) ** 2)
    low = np.float32(slope)
    r_1, r_2 = np.float32(first), np.float32(second)
    nearest = ZERO
    for i in range(len(K)):
        row, back, size = K[i], here[1, i], here[0, i]
        for j in range(Index(row.size)):
            c = row[j]
            rho = c * back * there[1, j]
            part = min(abs(rho), ONE)
            nearest = max(nearest, part)
            q = ONE - part
            root = np.sqrt(TWO * q)
            angle = root * arccos_factor(q) * ONE_OVER_TWO_PI
            lift = root * q * lift_factor(q)
            acute = rho >= ZERO
            both = HALF - angle if acute else angle  # P(z_1, z_2 >= 0)
            lifted = lift + PI * part if acute else lift
            slopes = low + bend * both
            values = low * c + bend * size * there[0, j] * lifted * ONE_OVER_TWO_PI
            row[j] = r_1 * c * slopes + r_2 * values
    return float(nearest)


@compiled
def erf_entries(K: Array32, first: float, second: float, here: Array32, there: Array32) -> float:
    """Overwrite covariances with r_1 c Phi + r_2 Gamma for erf.

    Returns the largest |sine|, see :func:`piecewise_entries`.

    Parameters
    ----------
    K : (r, s) array
    first, second : float
        r_1 and r_2.
    here, there : (1, r) and (1, s) arrays
        1 / sqrt(1 + 2 a) of rows and columns, for variances a.
    """
    r_1, r_2 = np.float32(2 * first) * TWO_OVER_PI, np.float32(second) * TWO_OVER_PI
    nearest = ZERO
    for i in range(len(K)):
        row, scale = K[i], here[0, i]
        if second == 0.0:
            for j in range(Index(row.size)):
                scales = scale * there[0, j]
                sine = TWO * row[j] * scales
                part = abs(sine)
                nearest = max(nearest, part)
                row[j] = r_1 * row[j] * scales / np.sqrt(max(ONE - part, LEAST) * (ONE + part))
        else:
            for j in range(Index(row.size)):
                scales = scale * there[0, j]
                sine = TWO * row[j] * scales
                part = abs(sine)
                nearest = max(nearest, part)
                q = max(ONE - part, LEAST)
                z = sine * sine
                high = A4 + z * (A5 + z * (A6 + z * A7))
                small = part * (A0 + z * (A1 + z * (A2 + z * (A3 + z * high))))
                large = HALF_PI - np.sqrt(TWO * q) * arccos_factor(q)
                angle = small if q > HALF else large
                signed = angle if sine >= ZERO else -angle
                row[j] = r_1 * row[j] * scales / np.sqrt(q * (ONE + part)) + r_2 * signed
    return float(nearest)


@compiled
def mehler_entries(
    K: Array32,
    slopes: Array32,
    slopes_there: Array32,
    values: Array32,
    values_there: Array32,
    here: Array32,
    there: Array32,
) -> None:
    """Overwrite correlations with r_1 c Phi + r_2 Gamma by their series.

    Parameters
    ----------
    K : (r, s) array
    slopes, slopes_there : (r, p) and (p, s) arrays
        r_1 h_k of rows and h_k of columns for phi', k < p, a multiple of ``ORDERS``; 0 where r_1 is.
    values, values_there : (r, q) and (q, s) arrays
        r_2 h_k and h_k for phi.
    here, there : (r,) and (s,) arrays
        Standard deviations.
    """
    rho, series = np.empty(STEP, np.float32), np.empty(STEP, np.float32)
    for start in range(0, K.shape[1], STEP):
        size = min(STEP, K.shape[1] - start)
        sizes = there[start : start + size]
        slopes_here = np.ascontiguousarray(slopes_there[:, start : start + size])
        values_here = np.ascontiguousarray(values_there[:, start : start + size])
        for i in range(len(K)):
            row, scale = K[i][start : start + size], here[i]
            for j in range(Index(size)):
                rho[j] = min(max(row[j], -ONE), ONE)
            add_series(slopes[i], slopes_here, rho, series)
            for j in range(Index(size)):
                row[j] = rho[j] * scale * sizes[j] * series[j]
            add_series(values[i], values_here, rho, series)
            for j in range(Index(size)):
                row[j] += series[j]


@compiled
def add_series(factors: Array32, there: Array32, rho: Array32, series: Array32) -> None:
    """Write sum_k factors_k there_kj rho_j^k to ``series`` by Horner's rule, ``ORDERS`` orders at a time."""
    series[:] = ZERO
    for k in range(len(factors) - ORDERS, -1, -ORDERS):
        f0, f1, f2, f3 = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        h0, h1, h2, h3 = there[k], there[k + 1], there[k + 2], there[k + 3]
        for j in range(Index(there.shape[1])):
            r = rho[j]
            series[j] = (((series[j] * r + f3 * h3[j]) * r + f2 * h2[j]) * r + f1 * h1[j]) * r + f0 * h0[j]


@compiled
def add_products(K: Array32, across: Array32, down: Array32, rows: Array32, columns: Array32) -> None:
    """Write K times ``across`` to ``rows``, and K^T times ``down`` to ``columns``.

    Parameters
    ----------
    K : (r, s) array
        r even.
    across, down : (VECTORS, s) and (VECTORS, r) arrays
    rows, columns : (VECTORS, r) and (VECTORS, s) arrays
        Filled.
    """
    columns[:] = ZERO
    u0, u1, u2, u3 = across[0], across[1], across[2], across[3]
    y0, y1, y2, y3 = columns[0], columns[1], columns[2], columns[3]
    for i in range(0, len(K), 2):
        top, low = K[i], K[i + 1]
        a0, a1, a2, a3 = down[0, i], down[1, i], down[2, i], down[3, i]
        b0, b1, b2, b3 = down[0, i + 1], down[1, i + 1], down[2, i + 1], down[3, i + 1]
        s0 = s1 = s2 = s3 = ZERO
        t0 = t1 = t2 = t3 = ZERO
        for j in range(Index(K.shape[1])):
            k, h = top[j], low[j]
            s0 += k * u0[j]
            s1 += k * u1[j]
            s2 += k * u2[j]
            s3 += k * u3[j]
            t0 += h * u0[j]
            t1 += h * u1[j]
            t2 += h * u2[j]
            t3 += h * u3[j]
            y0[j] += k * a0 + h * b0
            y1[j] += k * a1 + h * b1
            y2[j] += k * a2 + h * b2
            y3[j] += k * a3 + h * b3
        rows[0, i], rows[1, i], rows[2, i], rows[3, i] = s0, s1, s2, s3
        rows[0, i + 1], rows[1, i + 1], rows[2, i + 1], rows[3, i + 1] = t0, t1, t2, t3
