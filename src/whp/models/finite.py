r"""Fully connected networks of any widths, as drawn: features, back-propagated vectors and tangent kernels.

Source: arora2019, eqs (6)-(11). Every weight is N(0, 1); the scale :math:`\sqrt{c_\sigma / d_h}` stands
outside. Nothing here knows the limit of infinite width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from whp.errors import require
from whp.models.activation import Activation

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Pass:
    r"""What one pass through a network and back leaves, for n inputs at once.

    Attributes
    ----------
    f : tuple of Tensor, each (n, d_h)
        Pre-activations :math:`f^{(h)}`; ``f[h - 1]`` for h = 1, ..., L.
    g : tuple of Tensor, each (n, d_h)
        Features :math:`g^{(h)}`; ``g[h]`` for h = 0, ..., L, and ``g[0]`` are the inputs.
    b : tuple of Tensor, each (n, d_h)
        Back-propagated :math:`b^{(h)} = \partial f / \partial f^{(h)}`; ``b[h - 1]`` for h = 1, ..., L + 1,
        and the last is one.
    outputs : Tensor, shape (n,)
    """

    f: tuple[Tensor, ...]
    g: tuple[Tensor, ...]
    b: tuple[Tensor, ...]
    outputs: Tensor


@dataclass(frozen=True)
class FullyConnected:
    r"""A network :math:`f = W^{(L+1)} g^{(L)}` with scaled features, and no biases.

    .. math:: g^{(0)} = x, \quad g^{(h)} = \sqrt{c_\sigma / d_h}\, \sigma(W^{(h)} g^{(h-1)})

    Attributes
    ----------
    weights : tuple of Tensor
        :math:`W^{(h)}`, shape (d_h, d_{h-1}), for h = 1, ..., L + 1; the last has one row.
    activation : Activation
    c_sigma : float
        :math:`1 / \mathbb{E}[\sigma(z)^2]` for a standard normal z: 2 for ReLU.

    Notes
    -----
    Source: arora2019, eq. (6).
    """

    weights: tuple[Tensor, ...]
    activation: Activation
    c_sigma: float

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        widths: Sequence[int],
        activation: Activation,
        *,
        c_sigma: float,
        dtype: torch.dtype = torch.float64,
        device: torch.device = CPU,
    ) -> FullyConnected:
        """Draw all weights from N(0, 1), on the CPU, and move them to the device.

        Parameters
        ----------
        widths : sequence of int
            ``(d, d_1, ..., d_L)``: the inputs' dimension and L >= 1 widths.

        Raises
        ------
        InputError
            If there is no hidden layer, a width is not positive, or ``c_sigma`` is not.
        """
        check_sizes(widths, "widths", "(d, d_1, ..., d_L)")
        check_scale(c_sigma)
        shapes = [(out, into) for into, out in zip(widths, [*widths[1:], 1], strict=True)]
        return cls(tuple(normal(rng, shape, dtype, device) for shape in shapes), activation, c_sigma)

    @property
    def layers(self) -> int:
        """The number L of hidden layers."""
        return len(self.weights) - 1

    def outputs(self, X: Tensor) -> Tensor:
        """Evaluate at inputs (n, d), differentiably; shape (n,)."""
        return self._forward(X)[2]

    def pass_(self, X: Tensor) -> Pass:
        r"""Go forward and back; see :class:`Pass`.

        Parameters
        ----------
        X : Tensor, shape (n, d)

        Notes
        -----
        Source: arora2019, eqs (6), (9), (10); :math:`D^{(h)}` has :math:`\sigma'` as the activation says,
        also at zero.
        """
        f, g, outputs = self._forward(X)
        b = [X.new_ones(len(X), 1)]
        for W, z in zip(reversed(self.weights[1:]), reversed(f), strict=True):
            scale = math.sqrt(self.c_sigma / z.shape[1])
            b.insert(0, scale * self.activation.dphi(z) * (b[0] @ W))  # (n, d_h)
        return Pass(tuple(f), tuple(g), tuple(b), outputs)

    def layer_ntks(self, X: Tensor, Z: Tensor | None = None) -> tuple[Tensor, ...]:
        r"""Return the tangent kernel of each matrix of weights alone, h = 1, ..., L + 1.

        Entry (i, j) of number h is
        :math:`\langle g^{(h-1)}(x_i), g^{(h-1)}(z_j) \rangle \langle b^{(h)}(x_i), b^{(h)}(z_j) \rangle`.
        No gradient is formed.

        Parameters
        ----------
        X : Tensor, shape (n, d)
        Z : Tensor, shape (n', d), optional
            By default X.

        Returns
        -------
        tuple of Tensor, each (n, n')

        Notes
        -----
        Source: arora2019, the display below (10).
        """
        one = self.pass_(X)
        two = one if Z is None else self.pass_(Z)
        rows = zip(one.g, one.b, two.g, two.b, strict=True)
        return tuple((g @ gz.mT).mul_(b @ bz.mT) for g, b, gz, bz in rows)

    def ntk(self, X: Tensor, Z: Tensor | None = None) -> Tensor:
        """Return the tangent kernel of all weights, shape (n, n'): the sum of :meth:`layer_ntks`."""
        return torch.stack(self.layer_ntks(X, Z)).sum(0)

    def layer_ntks_by_autograd(self, X: Tensor, Z: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what :meth:`layer_ntks` does by ``torch.func`` on the outputs alone.

        Memory is that of one gradient an input: for tens of inputs.
        """
        return gradient_kernels(lambda w, x: replace(self, weights=w).outputs(x), self.weights, X, Z)

    def _forward(self, X: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        d = self.weights[0].shape[1]
        require(X.ndim == 2 and X.shape[1] == d, "X", f"inputs of shape (n, {d})", tuple(X.shape))
        f: list[Tensor] = []
        g = [X]
        for W in self.weights[:-1]:
            f.append(g[-1] @ W.mT)
            g.append(self.activation.phi(f[-1]) * math.sqrt(self.c_sigma / len(W)))
        return f, g, (g[-1] @ self.weights[-1].mT)[:, 0]


def gradient_kernels(
    outputs: Callable[[tuple[Tensor, ...], Tensor], Tensor],
    weights: tuple[Tensor, ...],
    X: Tensor,
    Z: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Return the inner products of the gradients for each tensor of weights, by ``torch.func``.

    Memory is that of one gradient an input: for tens of inputs.

    Parameters
    ----------
    outputs : callable
        ``outputs(weights, X)``, shape (n,), where output i depends on input i alone.
    weights : tuple of Tensor
    X, Z : Tensor, shapes (n, ...) and (n', ...)
        Inputs; Z is X by default.

    Returns
    -------
    tuple of Tensor, each (n, n')

    Notes
    -----
    Source: arora2019, Lemma 3.1, with the sum over the weights left open.
    """

    def single(weights: tuple[Tensor, ...], x: Tensor) -> Tensor:
        return outputs(weights, x[None])[0]

    gradients = torch.func.vmap(torch.func.grad(single), in_dims=(None, 0))
    one = gradients(weights, X)
    two = one if Z is None else gradients(weights, Z)
    return tuple(a.flatten(1) @ b.flatten(1).mT for a, b in zip(one, two, strict=True))


def normal(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Draw N(0, 1) entries on the CPU, in single precision if that is what is wanted."""
    kind = np.float32 if dtype == torch.float32 else np.float64
    return torch.from_numpy(rng.standard_normal(shape, dtype=kind)).to(device, dtype)


def check_sizes(sizes: Sequence[int], name: str, rule: str) -> None:
    """Require at least two positive integers."""
    whole = all(isinstance(size, (int, np.integer)) and size >= 1 for size in sizes)
    require(len(sizes) >= 2 and whole, name, f"positive integers {rule} with L at least 1", list(sizes))


def check_scale(c_sigma: float) -> None:
    """Require a positive number."""
    require(0 < c_sigma < math.inf, "c_sigma", "a positive number", c_sigma)
