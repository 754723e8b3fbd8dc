"""Kernels of random features: the tangent kernel of one convolutional network, as it was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whp.errors import require
from whp.models.activation import Activation
from whp.models.finite_cnn import Convolutional

CHANNELS = 128
"""Of every layer of the networks of arora2019, Section 5.2."""


@dataclass(frozen=True)
class RandomFeatures:
    """The kernel of one drawn network's gradients.

    Attributes
    ----------
    train : Tensor, shape (n, n)
        Among the training images; exactly symmetric.
    cross : Tensor, shape (n_test, n)
        Of test images with training images; no rows where there are none.
    features : int
        How many weights the gradients are taken by: the rank of the kernel is at most that.
    """

    train: Tensor
    cross: Tensor
    features: int


def random_features(
    rng: np.random.Generator,
    X: Tensor,
    X_test: Tensor | None = None,
    *,
    layers: int,
    activation: Activation,
    c_sigma: float,
    channels: int = CHANNELS,
    filter_size: int = 3,
    padding: str = "zero",
    pooling: str = "none",
    train: str = "all",
) -> RandomFeatures:
    """Draw a network and return the kernel of its gradients with respect to the trained weights.

    Nothing of the length of all gradients is ever held: they are taken layer by layer, and in each by
    blocks of channels.

    Parameters
    ----------
    rng : Generator
    X, X_test : Tensor, shapes (n, C_0, P, Q) and (n_test, C_0, P, Q)
        Images; their dtype is that of weights, gradients and kernel. Without ``X_test`` the kernel is that
        of X with itself alone.
    layers : int
        L, the number of convolutions.
    activation : Activation
    c_sigma : float
        ``1 / E[sigma(z)^2]``, as in :class:`whp.models.finite_cnn.Convolutional`.
    channels : int
        Of every layer.
    filter_size, padding, pooling
        The architecture, as there.
    train : {"all", "middle"}
        Which weights: all, or those between the first and the last layer, as in Section 4.2.

    Raises
    ------
    InputError
        If an argument is wrong, or no layer is trained.

    Notes
    -----
    Source: arora2019, Section 5.2.
    """
    require(X.ndim == 4 and len(X) > 0, "X", "images (n, colours, height, width)", tuple(X.shape))
    if X_test is not None:
        fits = X_test.ndim == 4 and len(X_test) > 0 and X_test.shape[1:] == X.shape[1:]
        require(fits, "X_test", f"images (n_test, {', '.join(map(str, X.shape[1:]))})", tuple(X_test.shape))
    require(layers >= 1, "layers", "a positive integer", layers)
    require(train in ("all", "middle"), "train", "all or middle", train)
    require(train == "all" or layers >= 2, "layers", "two or more where the first and last are fixed", layers)
    network = Convolutional.draw(
        rng,
        (X.shape[1], *[channels] * layers),
        (X.shape[2], X.shape[3]),
        activation=activation,
        c_sigma=c_sigma,
        filter_size=filter_size,
        padding=padding,
        pooling=pooling,
        dtype=X.dtype,
        device=X.device,
    )
    trained = network.weights if train == "all" else network.weights[1:-1]
    if X_test is None:
        kernel = network.ntk(X, train=train)
    else:
        kernel = network.ntk(torch.cat((X, X_test)), X, train=train)  # (n + n_test, n)
    H = kernel[: len(X)]
    return RandomFeatures(0.5 * (H + H.T), kernel[len(X) :], sum(W.numel() for W in trained))
