r"""Convolutional networks of any number of channels, as drawn, and their tangent kernels.

Both architectures of arora2019: read out at every place (Section 4.1) and after global average pooling
(Section 4.2). Every weight is N(0, 1); the scale :math:`\sqrt{c_\sigma / (C^{(h)} q^2)}` stands outside.
Nothing here knows the limit of infinitely many channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad, unfold

from whp.errors import require
from whp.models.activation import Activation
from whp.models.finite import CPU, check_scale, check_sizes, gradient_kernels, normal

PADDING = {"zero": "constant", "circular": "circular"}
BLOCK = 2**25  # numbers of a block of gradients that are held at once: 128 MB in single precision
ROWS = 256  # images that go forward and back at once


@dataclass(frozen=True)
class Convolutional:
    r"""A network of L convolutions and one linear readout.

    .. math:: \tilde x^{(h)} = W^{(h)} * x^{(h-1)}, \quad
              x^{(h)} = \sqrt{c_\sigma / (C^{(h)} q^2)}\, \sigma(\tilde x^{(h)})

    Attributes
    ----------
    filters : tuple of Tensor
        :math:`W^{(h)}`, shape (C_h, C_{h-1}, q, q), for h = 1, ..., L.
    readout : Tensor, shape (C_L, P, Q) or (C_L,)
        :math:`W^{(L+1)}`: a weight for every place, or, with pooling, one a channel.
    activation : Activation
    c_sigma : float
        :math:`1 / \mathbb{E}[\sigma(z)^2]` for a standard normal z: 2 for ReLU.
    image : (int, int)
        Height P and width Q.
    padding : str
        ``"zero"`` (the paper's) or ``"circular"``.
    pooling : str
        ``"none"`` (Section 4.1), or ``"average"`` over all places before the readout (Section 4.2).

    Notes
    -----
    Source: arora2019, (14) and the definitions in Sections 4.1 and 4.2.
    """

    filters: tuple[Tensor, ...]
    readout: Tensor
    activation: Activation
    c_sigma: float
    image: tuple[int, int]
    padding: str = "zero"
    pooling: str = "none"

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        channels: Sequence[int],
        image: tuple[int, int],
        *,
        activation: Activation,
        c_sigma: float,
        filter_size: int = 3,
        padding: str = "zero",
        pooling: str = "none",
        dtype: torch.dtype = torch.float64,
        device: torch.device = CPU,
    ) -> Convolutional:
        """Draw all weights from N(0, 1), on the CPU, and move them to the device.

        Parameters
        ----------
        channels : sequence of int
            ``(C_0, C_1, ..., C_L)``: the images' channels and those of L >= 1 layers.
        image : (int, int)
            P and Q.
        filter_size : int
            q, odd; with circular padding at most the smaller of P and Q.

        Raises
        ------
        InputError
            If there is no layer, a size is not positive, or the filters do not fit.
        """
        check_sizes(channels, "channels", "(C_0, C_1, ..., C_L)")
        check_sizes(image, "image", "(P, Q)")
        check_scale(c_sigma)
        require(padding in PADDING, "padding", f"one of {', '.join(PADDING)}", padding)
        require(pooling in ("none", "average"), "pooling", "none or average", pooling)
        require(filter_size >= 1 and filter_size % 2 == 1, "filter_size", "odd", filter_size)
        fits = padding == "zero" or filter_size <= min(image)
        require(fits, "filter_size", f"at most {min(image)} with circular padding", filter_size)
        square = (filter_size, filter_size)
        filters = tuple(
            normal(rng, (out, into, *square), dtype, device) for into, out in itertools.pairwise(channels)
        )
        readout = normal(rng, (channels[-1], *(image if pooling == "none" else ())), dtype, device)
        return cls(filters, readout, activation, c_sigma, (image[0], image[1]), padding, pooling)

    @property
    def layers(self) -> int:
        """The number L of convolutions."""
        return len(self.filters)

    @property
    def filter_size(self) -> int:
        """The side q of the filters."""
        return self.filters[0].shape[-1]

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """All that can be trained: the filters, then the readout."""
        return (*self.filters, self.readout)

    def outputs(self, X: Tensor) -> Tensor:
        """Evaluate at images (n, C_0, P, Q), differentiably; shape (n,)."""
        return self._forward(X)[0]

    def layer_ntks(self, X: Tensor, Z: Tensor | None = None) -> tuple[Tensor, ...]:
        r"""Return the tangent kernel of each tensor of weights alone, h = 1, ..., L + 1.

        The gradient with respect to :math:`W^{(h)}_{(\alpha),(\beta)}` is the sum over the places of the
        derivative by :math:`[\tilde x^{(h)}_{(\beta)}]_{ij}`, from ``torch.func``, times the patch of
        :math:`x^{(h-1)}_{(\alpha)}` there; channels :math:`\beta` are taken a block at a time, so that
        memory is bounded.

        Parameters
        ----------
        X : Tensor, shape (n, C_0, P, Q)
        Z : Tensor, shape (n', C_0, P, Q), optional
            By default X.

        Returns
        -------
        tuple of Tensor, each (n, n')

        Notes
        -----
        Source: arora2019, (35) and the display above it, whose factor
        :math:`\sqrt{c_\sigma / (C^{(h)} q^2)}\, \sigma'` is in the derivative here.
        """
        return self._kernels(X, range(1, self.layers + 2), Z)

    def layer_ntk(self, X: Tensor, layer: int, Z: Tensor | None = None) -> Tensor:
        """Return number ``layer``, from 1 to L + 1, of :meth:`layer_ntks`, in the memory of one layer."""
        require(1 <= layer <= self.layers + 1, "layer", f"from 1 to {self.layers + 1}", layer)
        return self._kernels(X, (layer,), Z)[0]

    def ntk(self, X: Tensor, Z: Tensor | None = None, *, train: str = "all") -> Tensor:
        """Return the tangent kernel, shape (n, n'): the sum of :meth:`layer_ntks`.

        Parameters
        ----------
        X : Tensor, shape (n, C_0, P, Q)
        Z : Tensor, shape (n', C_0, P, Q), optional
            By default X.
        train : str
            ``"all"`` weights, or ``"middle"``: without the first and the last layer, as in Section 4.2.
        """
        require(train in ("all", "middle"), "train", "all or middle", train)
        trained = range(1, self.layers + 2) if train == "all" else range(2, self.layers + 1)
        kernel = X.new_zeros(len(X), len(X if Z is None else Z))
        for one in self._kernels(X, trained, Z):
            kernel += one
        return kernel

    def layer_ntks_by_autograd(self, X: Tensor, Z: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what :meth:`layer_ntks` does by ``torch.func`` on the outputs alone.

        Memory is that of one gradient an image: for tens of images.
        """

        def outputs(weights: tuple[Tensor, ...], images: Tensor) -> Tensor:
            return replace(self, filters=weights[:-1], readout=weights[-1]).outputs(images)

        return gradient_kernels(outputs, self.weights, X, Z)

    def _pad(self, x: Tensor) -> Tensor:
        return pad(x, (self.filter_size // 2,) * 4, mode=PADDING[self.padding])

    def _forward(self, X: Tensor, shifts: dict[int, Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Return the outputs (n,) and the images x^(0), ..., x^(L).

        ``shifts[h]`` is added to the pre-activations of layer h, so that one can differentiate by them.
        """
        shape = (self.filters[0].shape[1], *self.image)
        fits = X.ndim == 4 and tuple(X.shape[1:]) == shape
        require(fits, "X", f"images of shape (n, {', '.join(map(str, shape))})", tuple(X.shape))
        images = [X]
        for h, W in enumerate(self.filters, start=1):
            z = conv2d(self._pad(images[-1]), W)
            if shifts and h in shifts:
                z = z + shifts[h]
            images.append(self.activation.phi(z) * math.sqrt(self.c_sigma / (len(W) * W[0, 0].numel())))
        return self._read_features(images[-1]).flatten(1) @ self.readout.flatten(), images

    def _read_features(self, x: Tensor) -> Tensor:
        """What the readout multiplies, which is its gradient."""
        return x if self.pooling == "none" else x.mean((2, 3))

    def _kernels(self, X: Tensor, layers: Sequence[int], Z: Tensor | None) -> tuple[Tensor, ...]:
        """Return the tangent kernels of some layers, all from one pass forward and back."""
        factors = self._factors(X, layers)
        others = factors if Z is None else self._factors(Z, layers)
        kernels = []
        for layer, one, two in zip(layers, factors, others, strict=True):
            if layer > self.layers:
                kernels.append(one[0].flatten(1) @ two[0].flatten(1).mT)
                continue
            kernel = X.new_zeros(len(one[0]), len(two[0]))
            for channels in self._blocks(len(one[0]) + len(two[0]), layer):
                left = self._gradients(*one, channels)
                right = left if Z is None else self._gradients(*two, channels)
                kernel = kernel + left @ right.mT
            kernels.append(kernel)
        return tuple(kernels)

    def _factors(self, X: Tensor, layers: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Return the two factors of the gradients of some layers.

        The images x^(h-1), shape (n, C_{h-1}, P, Q), and the derivatives by the pre-activations, shape
        (n, C_h, P, Q); for the readout its features and a one for each.
        """

        def total(shifts: dict[int, Tensor], rows: Tensor) -> tuple[Tensor, list[Tensor]]:
            outputs, images = self._forward(rows, shifts)
            return outputs.sum(), [*images[:-1], self._read_features(images[-1])]

        derivatives = torch.func.grad(total, has_aux=True)
        blocks = []
        for rows in torch.split(X, ROWS):
            maps = {h: len(self.filters[h - 1]) for h in layers if h <= self.layers}
            shifts = {h: rows.new_zeros(len(rows), channels, *self.image) for h, channels in maps.items()}
            backs, left = derivatives(shifts, rows) if shifts else ({}, total({}, rows)[1])
            blocks.append([(left[h - 1], backs.get(h, rows.new_ones(len(rows)))) for h in layers])
        columns = [list(zip(*column, strict=True)) for column in zip(*blocks, strict=True)]
        return [(torch.cat(left), torch.cat(right)) for left, right in columns]

    def _blocks(self, n: int, layer: int) -> Iterator[slice]:
        """Channels of a layer that are taken together for n images."""
        channels, before, *square = self.filters[layer - 1].shape
        step = max(1, BLOCK // (n * before * math.prod(square)))
        yield from (slice(k, k + step) for k in range(0, channels, step))

    def _gradients(self, x: Tensor, b: Tensor, channels: slice) -> Tensor:
        """Return the gradients by the filters of some channels, shape (n, number of these weights)."""
        rows = []
        for images, backs in zip(torch.split(x, ROWS), torch.split(b[:, channels], ROWS), strict=True):
            patches = unfold(self._pad(images), self.filter_size)  # (n, C_{h-1} q^2, P Q)
            rows.append((backs.flatten(2) @ patches.mT).flatten(1))
        return torch.cat(rows)
