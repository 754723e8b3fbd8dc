"""Features of images from one fixed random convolution, where a pretrained network is not to be had."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d

from whp.ensembles.data import numpy_dtype
from whp.errors import require

AT_ONCE = 250
"""Images that go through together: what comes out of the convolution is 100 times an image."""


def random_convolution(images: Tensor, filters: int, *, size: int = 5, cells: int = 2) -> Tensor:
    """Return means over parts of the image of what fixed random filters and a ReLU make of it.

    The filters are Gaussian, less their mean and of length one; they depend on their number and size and on
    nothing else, so every call has the same. No image is learnt from.

    Parameters
    ----------
    images : Tensor, shape (n, colours, height, width)
        Float32 or float64, on any device.
    filters : int
        How many.
    size : int
        Side of a filter; at most that of an image.
    cells : int
        The image is divided into ``cells x cells`` parts.

    Returns
    -------
    Tensor, shape (n, filters * cells^2)

    Raises
    ------
    InputError
        If images are not of that shape, or too small for a filter.
    """
    require(images.ndim == 4 and len(images) > 0, "images", "(n, colours, height, width)", images.shape)
    colours, least = images.shape[1], min(images.shape[2:])
    require(1 <= size <= least, "size", f"from 1 to {least}, the side of an image", size)
    require(filters >= 1, "filters", "at least 1", filters)
    require(1 <= cells <= least - size + 1, "cells", f"from 1 to {least - size + 1}", cells)
    rng = np.random.default_rng([filters, colours, size])
    drawn = torch.from_numpy(rng.standard_normal((filters, colours, size, size), numpy_dtype(images.dtype)))
    if colours * size > 1:
        drawn -= drawn.mean(dim=(1, 2, 3), keepdim=True)
    drawn /= drawn.flatten(1).norm(dim=1)[:, None, None, None]
    kernel = drawn.to(images.device)
    parts = [
        adaptive_avg_pool2d(conv2d(part, kernel).relu_(), cells).flatten(1)
        for part in torch.split(images, AT_ONCE)
    ]
    return torch.cat(parts)
