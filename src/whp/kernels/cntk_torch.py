"""Convolutional tangent kernels of many pairs at once, on any device that torch has (arora2019, Section 4.3).

All steps are operations on whole tensors, and of Sigma(x, x) only the diagonal is kept. Without pooling only
the entries with ij = i'j' are computed, as the patch trace leads to no others. Images are scaled to norm 1,
as the kernel is homogeneous. Sigma(x, x') and 1 - |rho| are float64 whatever the images are, so that patches
that are nearly parallel keep the digits of their angle.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import avg_pool2d, pad

from whp.kernels.cntk_reference import Padding, Pooling, Train
from whp.memory import rows_that_fit, with_smaller_blocks

# Entries of a tensor that is handled at once: on a CPU it should stay in cache.
CPU_ENTRIES, CUDA_ENTRIES = 1 << 17, 1 << 25
# Bytes that an entry takes with all that is held beside it: a dozen numbers in float64.
BYTES = 96
# Rounding of a correlation: duplicate patches then have angle 0 and not its square root.
ROUNDING = 2.0**-48


def unit_images(X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return norms, shape (n,), and images of norm 1 (or zero), both float64."""
    images = X.double()
    norms = images.flatten(1).norm(dim=1)
    return norms, images * inverse(norms)[:, None, None, None]


def inverse(a: torch.Tensor) -> torch.Tensor:
    """Return 1 / a, or 0 where a is 0."""
    return torch.where(a > 0, 1 / a, 0.0)


def deviation_maps(images: torch.Tensor, layers: int, filter_size: int, padding: Padding) -> torch.Tensor:
    """Return the square roots of [Sigma^(h-1)(x, x)]_(ij,ij), h = 1, ..., L, shape (n, L, P, Q).

    As K^(h)(x, x)_(ij,ij) is half of [Sigma^(h-1)(x, x)]_(ij,ij) and c_sigma = 2, each is the mean of
    the former over the patch.

    Parameters
    ----------
    images : Tensor, shape (n, C, P, Q), float64
    layers, filter_size, padding
        As for :func:`whp.kernels.cntk.cntk`.
    """
    (P, Q), r = images.shape[-2:], filter_size // 2
    rows, columns = (torch.arange(-r, size + r, device=images.device) % size for size in (P, Q))
    variances = images.square().sum(1) * filter_size**2
    maps = []
    for _ in range(layers):
        beyond = variances[:, rows[:, None], columns] if padding == "circular" else pad(variances, (r,) * 4)
        variances = avg_pool2d(beyond, filter_size, stride=1)
        maps.append(variances)
    return torch.stack(maps, dim=1).sqrt_()


def torch_cntk(
    X: torch.Tensor,
    Z: torch.Tensor | None,
    layers: int,
    filter_size: int,
    pooling: Pooling,
    padding: Padding,
    train: Train,
) -> torch.Tensor:
    """Return the kernel of checked images, on their device; see :func:`whp.kernels.cntk.cntk`."""
    sides = []
    for images in (X,) if Z is None else (X, Z):
        norms, unit = unit_images(images)
        sides.append((unit, deviation_maps(unit, layers, filter_size, padding), norms))
    left, right = sides[0], sides[-1]
    n, m = len(left[0]), len(right[0])
    entries = X[0, 0].numel() ** (2 if pooling == "average" else 1)
    what = f"convolutional kernels of {entries} entries"
    most = max(1, (CPU_ENTRIES if X.device.type == "cpu" else CUDA_ENTRIES) // entries)
    # On the device "meta" there are sizes without numbers, which take no memory.
    fit = (
        most if X.device.type == "meta" else rows_that_fit(X.device, BYTES * entries, default=most, what=what)
    )

    def all_pairs(pairs: int) -> torch.Tensor:
        wide = min(m, pairs)
        high = max(1, pairs // wide)
        kernel = X.new_empty(n, m)
        for i in range(0, n, high):
            for j in range(0, m, wide):
                if Z is None and j + wide <= i:
                    continue
                rows, columns = slice(i, i + high), slice(j, j + wide)
                tile = _tile(
                    [a[rows] for a in left[:2]],
                    [a[columns] for a in right[:2]],
                    X.dtype,
                    filter_size,
                    pooling,
                    padding,
                    train,
                )
                kernel[rows, columns] = tile * left[2][rows, None] * right[2][columns]
        return kernel

    kernel = with_smaller_blocks(all_pairs, fit, what=what)
    return kernel.triu() + kernel.triu(1).T if Z is None else kernel


def _tile(
    left: list[torch.Tensor],
    right: list[torch.Tensor],
    dtype: torch.dtype,
    filter_size: int,
    pooling: Pooling,
    padding: Padding,
    train: Train,
) -> torch.Tensor:
    """Return the kernel of images of norm 1, shape (r, s), float64."""
    (images_x, s_x), (images_z, s_z) = left, right
    layers = s_x.shape[1]
    pooled = pooling == "average"
    # Dimensions of the rows of both images, and of the columns; without pooling both images share them.
    across = ((-4, -2), (-3, -1)) if pooled else ((-2,), (-1,))

    def pair(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Products of two maps, (r, P, Q) and (s, P, Q): (r, s, P, Q) or, pooled, (r, s, P, Q, P, Q)."""
        return a[:, None, :, :, None, None] * b[:, None, None] if pooled else a[:, None] * b

    def patches(M: torch.Tensor) -> torch.Tensor:
        for dims in across:
            M = _line_sum(M, dims, filter_size // 2, padding)
        return M

    products = [pair(a, b) for a, b in zip(images_x.unbind(1), images_z.unbind(1), strict=True)]
    sigma = patches(torch.stack(products).sum(0))
    theta = (sigma if train == "all" else torch.zeros_like(sigma)).to(dtype)
    for h in range(layers):
        s = pair(s_x[:, h], s_z[:, h])
        v = (1 - sigma.abs() * inverse(s)).clamp_min_(0)
        v = torch.where(v < ROUNDING, 0.0, v).to(dtype)
        angle = 2 * torch.asin((v / 2).sqrt())
        lift = ((v * (2 - v)).sqrt() - (1 - v) * angle) / math.pi
        slopes = torch.where(sigma > 0, 1 - angle / math.pi, angle / math.pi)
        # c_sigma K of (19), and c_sigma K-dot of (20).
        sigma = sigma.clamp_min(0).addcmul_(s, lift.double())
        theta = slopes * theta
        if h < layers - 1 or train == "all":
            theta += sigma.to(dtype)
        if h < layers - 1:
            sigma = patches(sigma) / filter_size**2
            theta = patches(theta) / filter_size**2
    summed = theta.flatten(2)
    total = summed.mean(2, dtype=torch.float64) if pooled else summed.sum(2, dtype=torch.float64)
    return total / filter_size**2


def _line_sum(M: torch.Tensor, dims: tuple[int, ...], r: int, padding: Padding) -> torch.Tensor:
    """Return the sum over a = -r, ..., r of M, moved by a along all of these dimensions."""
    total = M.clone()
    size = M.shape[dims[0]]
    for a in range(1, r + 1):
        if padding == "circular":
            total += M.roll((a,) * len(dims), dims)
            total += M.roll((-a,) * len(dims), dims)
        elif a < size:
            ahead, behind, target_ahead, target_behind = M, M, total, total
            for dim in dims:
                ahead, target_behind = ahead.narrow(dim, a, size - a), target_behind.narrow(dim, 0, size - a)
                behind, target_ahead = behind.narrow(dim, 0, size - a), target_ahead.narrow(dim, a, size - a)
            target_behind += ahead
            target_ahead += behind
    return total
