r"""Shallow networks with asymmetrical node scaling, streamed over their neurons.

Outputs, tangent kernel and movement of :math:`f_m(x) = \sum_j \sqrt{\lambda_{m,j}}\, a_j\, \sigma(w_j^\top x
/ \sqrt d)` depend on :math:`w_j` only through its projection on the span of the inputs, where a standard
normal vector is one of r = rank X entries. So n inputs in any dimension d cost as much as in dimension r.

Source: caron2023, equations (2), (4), (5); Section 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import psutil
import torch
from torch import Tensor

from whp.errors import require
from whp.models.activation import Activation
from whp.models.node_scales import NodeScales

CPU_CACHE = 2**21
"""Bytes of a core's second-level cache. Measured at n = 2, where double precision takes most of it, an eighth
of it for the pre-activations is twice as fast as a quarter."""

CUDA_BLOCK = 2**28


def span_coordinates(X: Tensor) -> Tensor:
    r"""Return inputs in coordinates of their span, with the same inner products.

    Parameters
    ----------
    X : Tensor, shape (n, d)

    Returns
    -------
    Tensor, shape (n, r), float64
        B with :math:`B B^\top = X X^\top`; r is the rank of X for n < d, and d (``X`` itself) for n >= d. A
        network that is drawn in these coordinates, with the d of ``X`` in its 1 / sqrt d, has the law of one
        that is drawn for ``X``, in its outputs, kernels and movements.

    Raises
    ------
    InputError
        If X is not a finite matrix with at least one entry that is not zero.
    """
    require(isinstance(X, Tensor), "X", "a torch.Tensor (torch.as_tensor makes one)", type(X).__name__)
    require(X.ndim == 2 and X.numel() > 0, "X", "a non-empty matrix", tuple(X.shape))
    require(bool(torch.isfinite(X).all()), "X", "finite", "NaN or infinity")
    require(bool(X.any()), "X", "other than zero", "zeros")
    X = X.to(torch.float64)
    if X.shape[0] >= X.shape[1]:
        return X
    # On the CPU always: signs of singular vectors depend on the library, and draws are made along them.
    U, s, _ = torch.linalg.svd(X.cpu(), full_matrices=False)
    rank = int((s > max(X.shape) * torch.finfo(torch.float64).eps * s[0]).sum())
    B: Tensor = (U[:, :rank] * s[:rank]).to(X.device)
    return B


@dataclass(frozen=True)
class NodeScaled:
    r"""The network :math:`f(x) = \sum_j \sqrt{\lambda_j}\, a_j\, \sigma(w_j^\top x / \sqrt d)`.

    Inputs are rows ``B`` of shape (n, r): those of X itself, or its `span_coordinates`. Sums over neurons are
    taken in double precision whatever the precision of the weights.

    Attributes
    ----------
    weights : Tensor, shape (m, r)
        :math:`w_j`, float32 or float64, on any device.
    signs : Tensor, shape (m,) or (m, K)
        :math:`a_j`, of the same dtype and device; K columns make K outputs.
    scales : NodeScales
        :math:`\lambda_{m,j}`.
    activation : Activation
        :math:`\sigma` and its derivative.
    dimension : int
        d, of the factor :math:`1 / \sqrt d`.

    Raises
    ------
    InputError
        If shapes or dtypes disagree, or a value is not finite.
    """

    weights: Tensor
    signs: Tensor
    scales: NodeScales
    activation: Activation
    dimension: int

    def __post_init__(self) -> None:
        W, a, m = self.weights, self.signs, self.scales.m
        require(W.ndim == 2 and W.shape[0] == m and W.shape[1] >= 1, "weights", f"of shape ({m}, r)",
                tuple(W.shape))  # fmt: skip
        require(a.ndim in (1, 2) and a.shape[0] == m, "signs", f"of shape ({m},) or ({m}, K)", tuple(a.shape))
        floats = W.dtype in (torch.float32, torch.float64)
        same = floats and a.dtype == W.dtype and a.device == W.device
        kinds = (W.dtype, a.dtype, str(W.device), str(a.device))
        require(same, "weights, signs", "both float32 or both float64, on one device", kinds)
        finite = all(bool(torch.isfinite(t[s]).all()) for t in (W, a) for s in _cuts(m, 2**20))
        require(finite, "weights, signs", "finite", "NaN or infinity")
        require(self.dimension >= 1, "dimension", "a positive integer", self.dimension)
        known = callable(getattr(self.activation, "phi", None))
        require(known, "activation", "with phi and dphi (activation(NAME) gives one)", self.activation)

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        r: int | Tensor,
        d: int,
        scales: NodeScales,
        activation: Activation,
        dtype: torch.dtype = torch.float64,
        *,
        outputs: int | None = None,
        device: torch.device | str = "cpu",
    ) -> NodeScaled:
        r"""Draw :math:`w_j \sim N(0, I_r)` and signs :math:`a_j`, independent (caron2023, Assumption 2.3).

        Parameters
        ----------
        rng : numpy.random.Generator
            The weights are drawn first, neuron by neuron: the same stream gives a wider network the same
            first weights.
        r : int or Tensor
            Coordinates of a weight vector; a matrix of inputs stands for the number of its columns.
        d : int
            The dimension of the inputs, at least r.
        outputs : int, optional
            K columns of signs in place of one vector.
        """
        columns = int(r.shape[1]) if isinstance(r, Tensor) else int(r)
        require(1 <= columns <= d, "r", f"between 1 and the dimension of the inputs, d = {d}", columns)
        size = scales.m * columns * dtype.itemsize / 1e9
        room = psutil.virtual_memory().total / 1e9
        require(size <= room, f"gigabytes that {scales.m} nodes take", f"at most {room:.3g}", size)
        # Held as (r, m): the products of a block of neurons then run along memory.
        store = torch.empty(columns, scales.m, dtype=dtype)
        kind = np.float32 if dtype == torch.float32 else np.float64
        for s in _cuts(scales.m, 2**18):
            drawn = rng.standard_normal((s.stop - s.start, columns), dtype=kind)
            store[:, s] = torch.from_numpy(drawn).T
        shape = (scales.m,) if outputs is None else (scales.m, outputs)
        bits = torch.from_numpy(rng.integers(0, 2, shape, dtype=np.int8))
        signs = bits.to(dtype).mul_(2).sub_(1)
        return cls(store.to(device).T, signs.to(device), scales, activation, int(d))

    def moved_to(self, weights: Tensor) -> NodeScaled:
        """The same network with other weights."""
        return replace(self, weights=weights)

    def preactivations(self, B: Tensor) -> Tensor:
        r""":math:`Z_j(x_i)` as a matrix of shape (n, m), in the dtype of the weights."""
        return self._scaled(B) @ self.weights.T

    def outputs(self, B: Tensor) -> Tensor:
        """The outputs at the rows of ``B``, shape (n,) or (n, K), float64."""
        out = self._zeros(len(B), *self.signs.shape[1:])
        for s, z in self._streamed(B):
            readout = self.readout(s).to(torch.float64)
            out += self.activation.phi(z).to(torch.float64) @ readout
        return out

    def ntg(self, B: Tensor, part: int | None = None) -> Tensor:
        r"""The tangent Gram matrix :math:`\hat\Theta_m`, shape (n, n), float64 (caron2023, (5)).

        Parameters
        ----------
        B : Tensor, shape (n, r)
        part : 1 or 2, optional
            :math:`\hat\Theta^{(1)}` with :math:`\gamma / m`, or :math:`\hat\Theta^{(2)}` with
            :math:`\lambda^{(2)}_{m,j}`, in place of :math:`\lambda_{m,j}`: the two add up to the whole.

        Notes
        -----
        With several outputs it is the kernel of each of them, as all signs have modulus one.
        """
        require(part in (None, 1, 2), "part", "1, 2 or None", part)
        K = self._zeros(len(B), len(B))
        for s, z in self._streamed(B):
            weights = self.scales.block(s.start, s.stop)
            if part == 1:
                weights = torch.full_like(weights, self.scales.first)
            elif part == 2:
                weights = weights - self.scales.first
            slopes = self.activation.dphi(z).to(torch.float64)
            K += (slopes * weights.to(K.device)) @ slopes.T
        return K * gram(B, self.dimension)

    def velocity(self, B: Tensor, y: Tensor) -> Tensor:
        r""":math:`dw_j / dt` under gradient flow of (3), shape (m, r), in the dtype of the weights.

        With several outputs ``y`` has shape (n, K) and the loss sums over all entries.
        """
        outputs = self.outputs(B)
        require(y.shape == outputs.shape, "y", f"of shape {tuple(outputs.shape)}", tuple(y.shape))
        error = (y.to(torch.float64) - outputs).to(self.weights)
        scaled = self._scaled(B)
        store = torch.empty_like(self.weights.T)
        for s, z in self._streamed(B):
            slopes, readout = self.activation.dphi(z), self.readout(s)
            if error.ndim == 1:
                store[:, s] = ((scaled * error[:, None]).T @ slopes) * readout
            else:
                store[:, s] = scaled.T @ (slopes * (error @ readout.T))
        return store.T

    def readout(self, s: slice) -> Tensor:
        r""":math:`\sqrt{\lambda_j}\, a_j` of a stretch of neurons, in the shape and dtype of the signs."""
        root = self.scales.block(s.start, s.stop).sqrt_().to(self.signs)
        return self.signs[s] * (root if self.signs.ndim == 1 else root[:, None])

    def cuts(self, n: int, shares: int = 8) -> Iterator[slice]:
        """Stretches of neurons whose pre-activations at n inputs take one share of the cache."""
        size = CUDA_BLOCK if self.weights.device.type == "cuda" else CPU_CACHE // shares
        return _cuts(self.scales.m, max(64, size // (max(n, self.weights.shape[1]) * self.weights.itemsize)))

    def _streamed(self, B: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Pre-activations (n, k) of one stretch of neurons after another."""
        scaled, store = self._scaled(B), self.weights.T
        for s in self.cuts(len(B)):
            yield s, scaled @ store[:, s]

    def _scaled(self, B: Tensor) -> Tensor:
        r = self.weights.shape[1]
        require(B.ndim == 2 and len(B) > 0 and B.shape[1] == r, "B", f"of shape (n, {r})", tuple(B.shape))
        return B.to(self.weights) / math.sqrt(self.dimension)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64, device=self.weights.device)


def gram(B: Tensor, d: int) -> Tensor:
    """``B B^T / d`` in double precision."""
    wide = B.to(torch.float64)
    return wide @ wide.T / d


def _cuts(m: int, size: int) -> Iterator[slice]:
    for start in range(0, m, size):
        yield slice(start, min(m, start + size))
