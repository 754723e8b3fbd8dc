r"""The convolutional neural tangent kernel of arora2019, Section 4, written to be read.

For one pair of images it gives every tensor of Section 4.1 at every layer, in float64, from
the printed recursion; it takes O(P^2 Q^2) memory a tensor. The fast kernels are tested
against it, and claims that follow the paper's steps are composed from its tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from torch.nn.functional import pad

from whp.errors import require
from whp.kernels.closed_forms import piecewise_Gamma, piecewise_Phi

Padding = Literal["zero", "circular"]
Pooling = Literal["none", "average"]
Train = Literal["all", "middle"]

# c_sigma = 1 / E[sigma(g)^2] of the ReLU.
C_SIGMA = 2.0


def patch_trace(M: torch.Tensor, filter_size: int, padding: Padding) -> torch.Tensor:
    """Return tr([M]_D) of every D_(ij,i'j'): the sum over shifts (a, b) of M_(i+a,j+b,i'+a,j'+b).

    Parameters
    ----------
    M : Tensor, shape (..., P, Q, P, Q)
    filter_size : int
        q, odd; a and b go from -(q-1)/2 to (q-1)/2.
    padding : {"zero", "circular"}
        Whether entries beyond the border are zero (as printed: D holds the entries inside of
        the image) or wrap around.

    Returns
    -------
    Tensor, shape (..., P, Q, P, Q)
    """
    P, Q = M.shape[-2:]
    extended = _extended(M, filter_size // 2, padding, 4)
    total = torch.zeros_like(M)
    for a, b in product(range(filter_size), repeat=2):
        rows, columns = slice(a, a + P), slice(b, b + Q)
        total += extended[..., rows, columns, rows, columns]
    return total


def patch_sum(image: torch.Tensor, filter_size: int, padding: Padding) -> torch.Tensor:
    """Return the sum over the patch at every position of images, shape (..., P, Q).

    It adds in the order of :func:`patch_trace`, so that both agree to the last digit.
    """
    P, Q = image.shape[-2:]
    extended = _extended(image, filter_size // 2, padding, 2)
    total = torch.zeros_like(image)
    for a, b in product(range(filter_size), repeat=2):
        total += extended[..., a : a + P, b : b + Q]
    return total


def _extended(M: torch.Tensor, r: int, padding: Padding, dims: int) -> torch.Tensor:
    """Return M with r more entries at both ends of the last ``dims`` dimensions."""
    if padding == "zero":
        return pad(M, (r, r) * dims)
    for dim in range(-dims, 0):
        size = M.shape[dim]
        M = M.index_select(dim, torch.arange(-r, size + r, device=M.device) % size)
    return M


@dataclass(frozen=True)
class CntkTensors:
    """The tensors of one pair of images (arora2019, Section 4.1), each of shape (P, Q, P, Q), float64.

    Attributes
    ----------
    K : tuple of Tensor
        K^(h), h = 0, ..., L: ``K[h]``; K^(0) is summed over the channels.
    K_dot : tuple of Tensor
        K-dot^(h), h = 1, ..., L: ``K_dot[h - 1]``. Where a variance is zero the law of
        (u, v) fixes no value; the product with Theta^(h-1) is zero there whatever it is.
    Sigma : tuple of Tensor
        Sigma^(h), h = 0, ..., L: ``Sigma[h]``.
    filter_size, padding
        Of the convolutions.
    """

    K: tuple[torch.Tensor, ...]
    K_dot: tuple[torch.Tensor, ...]
    Sigma: tuple[torch.Tensor, ...]
    filter_size: int
    padding: Padding

    @property
    def layers(self) -> int:
        """L, the number of convolutional layers."""
        return len(self.K_dot)

    def convolve(self, M: torch.Tensor) -> torch.Tensor:
        """Return L(M) of (34): (c_sigma / q^2) tr([M]_D)."""
        return C_SIGMA / self.filter_size**2 * patch_trace(M, self.filter_size, self.padding)

    def theta(self, train: Train = "all") -> tuple[torch.Tensor, ...]:
        """Return Theta^(h) for h = 0, ..., L - 1 (Section 4.1, step 2; Section 4.2, steps 1 and 2).

        ``train="middle"`` starts from Theta^(0) = 0, as the first layer is fixed.
        """
        thetas = [self.Sigma[0] if train == "all" else torch.zeros_like(self.Sigma[0])]
        for K, K_dot in zip(self.K[1:-1], self.K_dot[:-1], strict=True):
            thetas.append(self.convolve(K_dot * thetas[-1] + K))
        return tuple(thetas)

    def kernel(self, pooling: Pooling = "none", train: Train = "all") -> float:
        """Return the tangent kernel of the network of Section 4.1 (no pooling) or 4.2 (average).

        The last layer is fully connected, so there is no patch trace at h = L (Section 4.1,
        step 2, and 4.2, step 3, print one).
        """
        inner = self.K_dot[-1] * self.theta(train)[-1]
        if train == "all":
            inner = inner + self.K[-1]
        P, Q = inner.shape[-2:]
        total = inner.mean() if pooling == "average" else inner.reshape(P * Q, P * Q).trace()
        return float(C_SIGMA / self.filter_size**2 * total)


def cntk_tensors(
    x: torch.Tensor, z: torch.Tensor, *, layers: int, filter_size: int = 3, padding: Padding = "zero"
) -> CntkTensors:
    """Return K, K-dot and Sigma of a pair of images for the ReLU (arora2019, Section 4.1).

    Parameters
    ----------
    x, z : Tensor, shape (C, P, Q)
        Images; neither they nor Sigma^(0) are scaled.
    layers : int
        L, the number of convolutional layers.
    filter_size : int
        q, odd.
    padding : {"zero", "circular"}

    Raises
    ------
    InputError
        If the shapes differ or an option is out of range.
    """
    check_options(layers, filter_size, padding)
    require(x.ndim == 3 and x.numel() > 0, "x", "a non-empty (C, P, Q) image", tuple(x.shape))
    require(z.shape == x.shape, "z", f"of shape {tuple(x.shape)} like x", tuple(z.shape))
    x, z = x.double(), z.double()
    K = [(x[:, :, :, None, None] * z[:, None, None]).sum(0)]
    Sigma = [patch_trace(K[0], filter_size, padding)]
    K_dot = []
    variances = zip(
        variance_maps(x, layers, filter_size, padding),
        variance_maps(z, layers, filter_size, padding),
        strict=True,
    )
    for variance_x, variance_z in variances:
        a, b = variance_x[:, :, None, None], variance_z
        K.append(piecewise_Gamma(a, b, Sigma[-1], 0.0))  # (15)
        K_dot.append(piecewise_Phi(a, b, Sigma[-1], 0.0))  # (16)
        Sigma.append(C_SIGMA / filter_size**2 * patch_trace(K[-1], filter_size, padding))
    return CntkTensors(tuple(K), tuple(K_dot), tuple(Sigma), filter_size, padding)


def variance_maps(x: torch.Tensor, layers: int, filter_size: int, padding: Padding) -> list[torch.Tensor]:
    """Return [Sigma^(h)(x, x)]_(ij,ij) for h = 0, ..., L - 1, in float64.

    For a pair of images no other entry of Sigma(x, x) is needed (arora2019, Section 4.3).

    Parameters
    ----------
    x : Tensor, shape (..., C, P, Q)
    layers, filter_size, padding
        As for :func:`cntk_tensors`.

    Returns
    -------
    list of Tensor, shape (..., P, Q)
    """
    maps = [patch_sum(x.double().square().sum(-3), filter_size, padding)]
    for _ in range(layers - 1):
        K = piecewise_Gamma(maps[-1], maps[-1], maps[-1], 0.0)
        maps.append(C_SIGMA / filter_size**2 * patch_sum(K, filter_size, padding))
    return maps


def check_options(layers: int, filter_size: int, padding: str) -> None:
    """Raise InputError unless these options are in range."""
    require(layers >= 1, "layers", "at least 1", layers)
    odd = filter_size >= 1 and filter_size % 2 == 1
    require(odd, "filter_size", "odd and positive", filter_size)
    require(padding in ("zero", "circular"), "padding", "zero or circular", padding)
