"""The exact convolutional neural tangent kernel of ReLU networks (arora2019, Section 4)."""

from __future__ import annotations

from typing import Literal

import torch

from whp.errors import require
from whp.kernels.cntk_fused import fused_cntk
from whp.kernels.cntk_reference import Padding, Pooling, Train, check_options, cntk_tensors
from whp.kernels.cntk_torch import torch_cntk
from whp.kernels.tiles import TOLERANCE

Method = Literal["auto", "fused", "torch", "reference"]


def cntk(
    X: torch.Tensor,
    Z: torch.Tensor | None = None,
    *,
    layers: int,
    filter_size: int = 3,
    pooling: Pooling = "none",
    padding: Padding = "zero",
    train: Train = "all",
    method: Method = "auto",
) -> torch.Tensor:
    """Return the tangent kernel of an infinitely wide convolutional ReLU network, c_sigma = 2.

    The network is that of Section 4.1 (``pooling="none"``) or 4.2 (``"average"``): L
    convolutions with (14), each followed by sqrt(c_sigma / (C q^2)) sigma, and a linear layer.

    Parameters
    ----------
    X, Z : Tensor, shapes (n, C, P, Q) and (n', C, P, Q)
        Images, float32 or float64; they are not scaled. Without ``Z`` the kernel of X with itself.
    layers : int
        L, the number of convolutional layers.
    filter_size : int
        q, odd.
    pooling : {"none", "average"}
        What precedes the linear layer: nothing (vanilla) or global average pooling.
    padding : {"zero", "circular"}
    train : {"all", "middle"}
        ``"middle"``: the first and the last layer are fixed, as Section 4.2 has it; then a
        network of one layer has kernel 0.
    method : {"auto", "fused", "torch", "reference"}
        How; ``auto`` takes what is fastest for the device and the dtype.

    Returns
    -------
    Tensor, shape (n, n'), with the dtype and on the device of X

    Raises
    ------
    InputError
        If there are no images, shapes or dtypes differ, a value is not finite, or an option is out of range.
    """
    check_options(layers, filter_size, padding)
    require(pooling in ("none", "average"), "pooling", "none or average", pooling)
    require(train in ("all", "middle"), "train", "all or middle", train)
    require(
        method in ("auto", "fused", "torch", "reference"), "method", "auto, fused, torch or reference", method
    )
    _check_images("X", X)
    if Z is not None:
        _check_images("Z", Z)
        require(
            Z.shape[1:] == X.shape[1:],
            "images of Z",
            f"{tuple(X.shape[1:])} like those of X",
            tuple(Z.shape[1:]),
        )
        same = Z.dtype == X.dtype and Z.device == X.device
        require(same, "Z", f"{X.dtype} on {X.device} like X", f"{Z.dtype} on {Z.device}")
    if method == "auto":
        method = "fused" if X.device.type == "cpu" and X.dtype == torch.float32 else "torch"
    options = (layers, filter_size, pooling, padding, train)
    if method == "fused":
        fits = X.device.type == "cpu" and X.dtype == torch.float32
        require(fits, "images of the fused method", "float32 on the CPU", f"{X.dtype} on {X.device}")
        return fused_cntk(X, Z, *options)
    if method == "torch":
        return torch_cntk(X, Z, *options)
    others = X if Z is None else Z
    kernel = [[_plain(x, z, *options) for z in others] for x in X]
    return torch.tensor(kernel, dtype=X.dtype, device=X.device)


def _plain(
    x: torch.Tensor,
    z: torch.Tensor,
    layers: int,
    filter_size: int,
    pooling: Pooling,
    padding: Padding,
    train: Train,
) -> float:
    tensors = cntk_tensors(x, z, layers=layers, filter_size=filter_size, padding=padding)
    return tensors.kernel(pooling, train)


def _check_images(name: str, X: torch.Tensor) -> None:
    require(X.ndim == 4 and X.numel() > 0, name, "non-empty (n, C, P, Q) images", tuple(X.shape))
    require(X.dtype in TOLERANCE, name, "float32 or float64", X.dtype)
    require(bool(torch.isfinite(X).all()), name, "finite", "NaN or infinite values")
