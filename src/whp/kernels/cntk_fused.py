"""Convolutional tangent kernels in single precision on the CPU, one pass per layer (arora2019, Section 4.3).

A patch trace sums entries (i+a, j+b, i'+a, j'+b), which all have the same offset (i'-i, j'-j). So the
tensors fall apart into maps, one an offset, that pass through all layers on their own: a map and its
temporaries stay in cache, the patch trace is a box sum over it, and without pooling only the map of
offset (0, 0) is needed. An image x meets LANES images x' at once, one in each lane of the vector unit.

Rounding: Sigma(x, x') and 1 - |rho| are float64, so that patches that are nearly parallel keep all digits
of their angle; what follows from the angle, and Theta, are float32. Images are scaled to norm 1, as the
kernel is homogeneous.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from whp.kernels.cntk_reference import Padding, Pooling, Train
from whp.kernels.cntk_torch import deviation_maps, inverse, unit_images
from whp.kernels.fast_arccos import arccos_factor, lift_factor
from whp.vectors import compiled

Array = npt.NDArray[Any]

# Images in the lanes.
LANES = 32
# Rows of the kernel in one task, which passes over all blocks of the other side; at most, as each thread
# should have some tasks.
TASK = 8

# Unsigned, as signed indices could count from the end, and checking that costs vectors.
Index = np.uint64

ZERO, ONE = np.float32(0), np.float32(1)
ROOT_2_OVER_PI = np.float32(math.sqrt(2) / math.pi)


@compiled
def box_sum(source: Array, step: Any, target: Array, at: Any, count: Any, q: int, scale: Any) -> None:
    """Write scale (source[k] + source[k + step] + ...), q terms, to target[at + k] for k < count."""
    at, step, two_steps = Index(at), Index(step), Index(2 * step)
    if q == 3:
        for k in range(Index(count)):
            target[at + k] = scale * (source[k] + source[step + k] + source[two_steps + k])
        return
    for k in range(Index(count)):
        target[at + k] = scale * source[k]
    for t in range(1, q):
        ahead = Index(t) * step
        for k in range(Index(count)):
            target[at + k] += scale * source[ahead + k]


@compiled
def extend(line: Array, width: int, r: int, size: int, circular: bool) -> None:
    """Fill r entries of ``size`` numbers before and after ``width`` of them: with zeros, or going round."""
    for k in range(r):
        before, after = Index(k * size), Index((r + width + k) * size)
        left, right = Index((r + (k - r) % width) * size), Index((r + k % width) * size)
        for b in range(Index(size)):
            line[before + b] = line[left + b] if circular else 0
            line[after + b] = line[right + b] if circular else 0


@compiled
def spread(source: Array, start: Any, width: int, target: Array) -> None:
    """Copy each of ``width`` numbers to all lanes."""
    for j in range(Index(width)):
        number = source[Index(start) + j]
        for b in range(Index(LANES)):
            target[j * Index(LANES) + b] = number


@compiled
def multiply(x: Array, z: Array, start: Any, target: Array, at: Any, count: Any, add: bool) -> None:
    """Write the products of a line of one channel, or add them."""
    start, at = Index(start), Index(at)
    if add:
        for k in range(Index(count)):
            target[at + k] += x[k] * z[start + k]
    else:
        for k in range(Index(count)):
            target[at + k] = x[k] * z[start + k]


@compiled
def relu(
    x_s: Array,
    x_r: Array,
    z_s: Array,
    z_r: Array,
    z_at: Any,
    sigma: Array,
    theta: Array,
    start: Any,
    count: Any,
    share: Any,
    sigma_line: Array,
    theta_line: Array,
    at: Any,
    v_line: Array,
    rest: Array,
    last: bool,
) -> None:
    """Write K and K-dot Theta + share K of a line, with c_sigma = 2: (15), (16), (19), (20).

    With |rho| = 1 - v, K is s_x s_z lift, and Sigma more where Sigma > 0; nothing reads it after the ``last``
    layer. A loop has numbers of one
    size in the main, so that its vectors are full.
    """
    z_at, start, at, count = Index(z_at), Index(start), Index(at), Index(count)
    for k in range(count):
        entry = sigma[start + k]
        v_line[k] = max(1.0 - abs(entry) * (x_r[k] * z_r[z_at + k]), 0.0)
        rest[k] = entry
    for k in range(count):
        v, entry = v_line[k], rest[k]
        root = np.sqrt(v) * ROOT_2_OVER_PI
        angle = root * arccos_factor(v)
        lift = root * v * lift_factor(v) * (x_s[k] * z_s[z_at + k])
        slopes = ONE - angle if entry > ZERO else angle
        theta_line[at + k] = slopes * theta[start + k] + share * (max(entry, ZERO) + lift)
        rest[k] = lift
    if last:
        return
    for k in range(count):
        sigma_line[at + k] = max(sigma[start + k], 0.0) + rest[k]


@compiled
def offset_sum(
    x: Any, z: Any, i: int, block: int, offset: Any, sizes: Any, q: int, circular: bool, ends: bool, work: Any
) -> None:
    """Pass the map of one offset through all layers and add its sum to ``total``, the last of ``work``."""
    (x_image, x_s, x_r), (z_image, z_s, z_r) = x, z
    (channels, layers, P, Q, Q_z), (d_i, d_j) = sizes, offset
    (
        sigma,
        theta,
        sigma_rows,
        theta_rows,
        sigma_line,
        theta_line,
        spread_64,
        spread_32,
        v_line,
        rest,
        total,
    ) = work
    top, left, r = max(0, -d_i), max(0, -d_j), q // 2
    height = P if circular else P - abs(d_i)
    width = Q if circular else Q - abs(d_j)
    count, at, scale = width * LANES, r * LANES, 1.0 / (q * q)
    for h in range(layers + 1):
        for y in range(height):
            x_y, z_y = top + y, (top + y + d_i) % P
            if h == 0:
                for c in range(channels):
                    spread(x_image, ((i * channels + c) * P + x_y) * Q + left, width, spread_64)
                    z_at = (((block * channels + c) * P + z_y) * Q_z + left + d_j) * LANES
                    multiply(spread_64, z_image, z_at, sigma_line, at, count, c > 0)
            else:
                x_at = ((i * layers + h - 1) * P + x_y) * Q + left
                spread(x_s, x_at, width, spread_32)
                spread(x_r, x_at, width, spread_64)
                z_at = (((block * layers + h - 1) * P + z_y) * Q_z + left + d_j) * LANES
                share = ONE if h < layers or ends else ZERO
                relu(
                    spread_32, spread_64, z_s, z_r, z_at, sigma, theta, y * count, count, share,
                    sigma_line, theta_line, at, v_line, rest, h == layers,
                )  # fmt: skip
            if h == layers:
                for j in range(width):
                    for b in range(LANES):
                        total[b] += theta_line[at + j * LANES + b]
                continue
            extend(sigma_line, width, r, LANES, circular)
            box_sum(sigma_line, LANES, sigma_rows, (r + y) * count, count, q, 1.0)
            if h > 0:
                extend(theta_line, width, r, LANES, circular)
                box_sum(theta_line, LANES, theta_rows, (r + y) * count, count, q, ONE)
        if h == 0:
            extend(sigma_rows, height, r, count, circular)
            box_sum(sigma_rows, count, sigma, 0, height * count, q, 1.0)
            for k in range(height * count):
                theta[k] = np.float32(sigma[k]) if ends else ZERO
        elif h < layers:
            extend(sigma_rows, height, r, count, circular)
            box_sum(sigma_rows, count, sigma, 0, height * count, q, scale)
            extend(theta_rows, height, r, count, circular)
            box_sum(theta_rows, count, theta, 0, height * count, q, np.float32(scale))


@compiled
def kernel_rows(
    x: Any,
    z: Any,
    sizes: Any,
    first: int,
    last: int,
    symmetric: bool,
    q: int,
    circular: bool,
    pooled: bool,
    ends: bool,
    out: Array,
) -> None:
    """Write rows ``first`` to ``last`` of the unscaled kernel.

    Parameters
    ----------
    x, z : tuple of ndarray
        Images, deviations and inverse deviations of both sides, flat.
    sizes : tuple
        C, L, P, Q, and the number of columns that the right side has.
    symmetric : bool
        Whether to leave out blocks that lie below the diagonal.
    q : int
        Filter size.
    circular, pooled, ends : bool
        Padding; pooling; whether the first and last layers are trained.
    out : ndarray, shape (n, blocks * LANES)
    """
    P, Q = sizes[2], sizes[3]
    entries, beyond, line = P * Q * LANES, (q - 1) * Q * LANES, (Q + q - 1) * LANES
    total = np.empty(LANES, np.float64)
    work = (
        np.empty(entries, np.float64),
        np.empty(entries, np.float32),
        np.empty(entries + beyond, np.float64),
        np.empty(entries + beyond, np.float32),
        np.empty(line, np.float64),
        np.empty(line, np.float32),
        np.empty(line, np.float64),
        np.empty(line, np.float32),
        np.empty(line, np.float32),
        np.empty(line, np.float32),
        total,
    )
    high_i, high_j = (P, Q) if pooled else (1, 1)
    low_i, low_j = (1 - P, 1 - Q) if pooled and not circular else (0, 0)
    for block in range(out.shape[1] // LANES):
        for i in range(first, min(last, (block + 1) * LANES) if symmetric else last):
            total[:] = 0.0
            for d_i in range(low_i, high_i):
                for d_j in range(low_j, high_j):
                    offset_sum(x, z, i, block, (d_i, d_j), sizes, q, circular, ends, work)
            for b in range(LANES):
                out[i, block * LANES + b] = total[b]


def fused_cntk(
    X: torch.Tensor,
    Z: torch.Tensor | None,
    layers: int,
    filter_size: int,
    pooling: Pooling,
    padding: Padding,
    train: Train,
) -> torch.Tensor:
    """Return the kernel of checked float32 images on the CPU; see :func:`whp.kernels.cntk.cntk`.

    Runs on as many threads as torch does.
    """
    x_norms, x_images = unit_images(X)
    z_norms, z_images = (x_norms, x_images) if Z is None else unit_images(Z)
    left = _side(x_images, layers, filter_size, padding)
    right = [_in_lanes(a, padding) for a in _side(z_images, layers, filter_size, padding)]
    n, channels, P, Q = X.shape
    sizes = (channels, layers, P, Q, right[0].shape[-2])
    out = np.empty((n, len(right[0]) * LANES), np.float64)
    x, z = (tuple(a.reshape(-1) for a in side) for side in (left, right))
    threads = torch.get_num_threads()
    task = min(TASK, -(-n // (4 * threads)))
    choices = (filter_size, padding == "circular", pooling == "average", train == "all")

    def rows(first: int) -> None:
        kernel_rows(x, z, sizes, first, min(first + task, n), Z is None, *choices, out)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(rows, range(0, n, task)))
    kernel = torch.from_numpy(out)[:, : len(z_images)]
    if Z is None:
        kernel = kernel.triu() + kernel.triu(1).T
    scale = 1 / (filter_size**2 * ((P * Q) ** 2 if pooling == "average" else 1))
    return (kernel * (scale * x_norms[:, None]) * z_norms).float()


def _side(images: torch.Tensor, layers: int, filter_size: int, padding: Padding) -> list[Array]:
    """Return images, shape (n, C, P, Q), deviations in float32, (n, L, P, Q), and 1 / deviations."""
    deviations = deviation_maps(images, layers, filter_size, padding)
    return [a.contiguous().numpy() for a in (images, deviations.float(), inverse(deviations))]


def _in_lanes(a: Array, padding: Padding) -> Array:
    """Return maps, shape (n, ..., Q), as blocks, shape (blocks, ..., Q, LANES); absent ones are zero.

    With circular padding columns 0 to Q - 2 are repeated behind column Q - 1.
    """
    if padding == "circular":
        a = np.concatenate((a, a[..., :-1]), axis=-1)
    blocks = np.zeros((-(-len(a) // LANES) * LANES, *a.shape[1:]), a.dtype)
    blocks[: len(a)] = a
    return np.ascontiguousarray(np.moveaxis(blocks.reshape(-1, LANES, *a.shape[1:]), 1, -1))
