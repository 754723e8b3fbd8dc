r"""A node-scaled network in motion: displacements of its neurons, and passes over blocks of them.

Under gradient flow or descent of (3) neuron j moves by :math:`\sqrt{\lambda_j}` times a vector of moderate
length, whatever the width. That vector is the state, not the weight: a neuron of a network of :math:`10^7`
moves by so little that its weight would lose it in single precision.

Source: caron2023, Section 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from whp.models.node_network import NodeScaled, gram
from whp.models.node_slopes import value_and_slope


@dataclass(frozen=True)
class View:
    """Outputs (n,) or (n, K) and tangent Gram matrix (n, n), in double precision."""

    outputs: Tensor
    ntg: Tensor


@dataclass(frozen=True)
class Ahead:
    """As `View` after a trial step, and the Gram matrix between the gradients before and after it."""

    outputs: Tensor
    ntg: Tensor
    cross: Tensor


class _Block(NamedTuple):
    """Views of a stretch of k neurons, and buffers that all stretches share."""

    start: Tensor  # (r, k)
    moved: Tensor  # (r, k)
    factor: Tensor  # (k,)
    signs: Tensor  # (k,) or (k, K)
    readout: Tensor  # (k,) or (k, K)
    weights: Tensor  # (r, k), a buffer
    z: Tensor  # (n, k), a buffer
    slopes: Tensor  # (n, k)


class NodeState:
    r"""Displacements :math:`g_j` with :math:`w_j = w_{0j} + f_j\, g_j`, shape (r, m).

    The factor :math:`f_j` is :math:`\sqrt{\lambda_j}\, a_j` for one output, :math:`\sqrt{\lambda_j}` for
    several.

    Parameters
    ----------
    network : NodeScaled
        At the start; it is left as it is.
    B : Tensor, shape (n, r)
        Inputs, in the coordinates of the network.
    """

    def __init__(self, network: NodeScaled, B: Tensor) -> None:
        self.network = network
        self.moved = torch.zeros_like(network.weights.T, memory_format=torch.contiguous_format)
        self.factor = network.signs.new_empty(network.scales.m)
        self._start = network.weights.T
        self._phi, self._dphi = network.activation.phi, network.activation.dphi
        self._both = value_and_slope(network.activation)
        self.scaled = B.to(network.weights) / math.sqrt(network.dimension)  # (n, r)
        self.gram = gram(B.to(network.weights.device), network.dimension)
        self._cuts = list(network.cuts(len(B)))
        single = network.signs.ndim == 1
        for s in self._cuts:
            root = network.scales.block(s.start, s.stop).sqrt_().to(self.factor)
            self.factor[s] = root * network.signs[s] if single else root

    def view(self, *, ntg: bool = True) -> View:
        """Outputs and tangent Gram matrix (of shape (0, n) if not wanted) at the present weights."""
        u, K, _ = self._empty()
        for s in self._cuts:
            self._add(s, self.preactivations(s), u, K if ntg else None)
        return View(u, K * self.gram if ntg else K[:0])

    def ahead(self, alpha: Tensor) -> Ahead:
        r"""Look at the weights moved by :math:`J^\top \alpha`, J the gradients of the outputs, (n, md).

        Parameters
        ----------
        alpha : Tensor, shape (n,)
        """
        rows = self._weighted(alpha)
        u, K, cross = self._empty()
        for s in self._cuts:
            z, f = self.preactivations(s), self.factor[s]
            slopes = self._dphi(z)
            z.addmm_(self.scaled, (rows @ slopes).mul_(f))
            wide = f.to(torch.float64)
            u += self._phi(z).to(torch.float64) @ wide
            slopes_a, wide = self._dphi(z).to(torch.float64), wide.square()
            cross += slopes.to(torch.float64).mul_(wide) @ slopes_a.T
            K += (slopes_a * wide) @ slopes_a.T
        return Ahead(u, K * self.gram, cross * self.gram)

    def advance(self, along: Tensor, alpha: Tensor, along_ahead: Tensor) -> View:
        r"""Move by :math:`J^\top p + J_a^\top q`, J_a the gradients at `ahead`'s weights; return the view.

        Parameters
        ----------
        along, alpha, along_ahead : Tensor, shape (n,)
            p, the argument of `ahead`, and q.
        """
        rows, first, second = self._weighted(along), self._weighted(alpha), self._weighted(along_ahead)
        u, K, _ = self._empty()
        for s in self._cuts:
            z = self.preactivations(s)
            slopes = self._dphi(z)
            z.addmm_(self.scaled, (first @ slopes).mul_(self.factor[s]))
            self.moved[:, s] += rows @ slopes + second @ self._dphi(z)
            self._add(s, self.preactivations(s), u, K)
        return View(u, K * self.gram)

    def descend(self, y: Tensor, rate: float) -> Tensor:
        """Take a step of gradient descent on (3); return the outputs before it, as `View` has them."""
        signs, out = self.network.signs, self._empty()[0]
        for block in self._blocks:
            torch.addcmul(block.start, block.moved, block.factor, out=block.weights)
            torch.mm(self.scaled, block.weights, out=block.z)
            out += self._both(block.z, block.slopes) @ block.readout
        error = out - y
        if signs.ndim == 1:
            self.moved.addmm_(self._weighted(error), self._slopes, alpha=-rate)
        else:
            error = error.to(signs)
            for block in self._blocks:
                block.slopes.mul_(error @ block.signs.T)
                block.moved.addmm_(self.scaled.T, block.slopes, alpha=-rate)
        return out

    @cached_property
    def _slopes(self) -> Tensor:
        """All slopes, shape (n, m): a step of descent needs them after all outputs."""
        return self.moved.new_empty(len(self.scaled), len(self.factor))

    @cached_property
    def _blocks(self) -> list[_Block]:
        """Views of the stretches of neurons; making them at every step takes a tenth of it."""
        r, n = len(self.moved), len(self.scaled)
        cuts = list(self.network.cuts(n, 2))
        longest = cuts[0].stop
        weights, z = self.moved.new_empty(r * longest), self.moved.new_empty(n * longest)
        blocks = []
        for s in cuts:
            k, f, signs = s.stop - s.start, self.factor[s], self.network.signs[s]
            blocks.append(
                _Block(
                    start=self._start[:, s],
                    moved=self.moved[:, s],
                    factor=f,
                    signs=signs,
                    readout=f if signs.ndim == 1 else signs * f[:, None],
                    weights=weights[: r * k].view(r, k),
                    z=z[: n * k].view(n, k),
                    slopes=self._slopes[:, s],
                )
            )
        return blocks

    def preactivations(self, s: slice) -> Tensor:
        """Of a stretch of neurons at the present weights, shape (n, k); new memory."""
        return self.scaled @ torch.addcmul(self._start[:, s], self.moved[:, s], self.factor[s])

    def movement(self) -> tuple[float, float]:
        r"""Return :math:`\max_j \|w_j - w_{0j}\| / \sqrt{\lambda_j}`, where that is above zero, and
        :math:`\max_j \|w_j - w_{0j}\|`."""
        ratio, move = 0.0, 0.0
        for s in self._cuts:
            length, f = self.moved[:, s].square().sum(0), self.factor[s].square()
            move = max(move, float((length * f).max()))
            ratio = max(ratio, float((length if bool(f[-1]) else length * (f > 0)).max()))
        return math.sqrt(ratio), math.sqrt(move)

    def network_now(self) -> NodeScaled:
        """The network at the present weights, in new memory."""
        store = torch.addcmul(self._start, self.moved, self.factor)
        return self.network.moved_to(store.T)

    def velocity(self, moved: Tensor, y: Tensor) -> Tensor:
        """The derivative of displacements, shape (r, m), by gradient flow; one output."""
        self.moved = moved
        z = self.preactivations(slice(0, len(self.factor)))
        error = y - self._phi(z).to(torch.float64) @ self.factor.to(torch.float64)
        return self._weighted(error) @ self._dphi(z)

    def _weighted(self, coefficients: Tensor) -> Tensor:
        """Rows of inputs times coefficients, shape (r, n): times slopes it is the step of a block."""
        return (self.scaled * coefficients.to(self.scaled)[:, None]).T.contiguous()

    def _add(self, s: slice, z: Tensor, u: Tensor, K: Tensor | None) -> None:
        factor = self.factor[s].to(torch.float64)
        signs = self.network.signs
        readout = factor if signs.ndim == 1 else signs[s].to(torch.float64) * factor[:, None]
        u += self._phi(z).to(torch.float64) @ readout
        if K is not None:
            slopes = self._dphi(z).to(torch.float64)
            K += (slopes * factor.square()) @ slopes.T

    def _empty(self) -> tuple[Tensor, Tensor, Tensor]:
        n, K = len(self.scaled), self.network.signs.shape[1:]
        make = self.gram.new_zeros
        return make(n, *K), make(n, n), make(n, n)
