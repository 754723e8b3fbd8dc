"""Tangent kernels of two-layer networks as operators, for sizes at which the n x n matrix does not fit.

With F = phi'(X W^T / sqrt d) of shape (n, m), the kernel of the first layer is Theta_1 = J J^T, where column
(r, k) of J is F_r o X_k / sqrt(m d) (hu2020, eq. (17)). So one product with a vector takes

    M = F^T diag(v) X,  shape (m, d),      y_i = sum_k X_ik (F M)_ik / (m d),

which is 4 n m d flops, where forming the matrix takes n^2 m, and F is needed for some neurons at a time only.
The linear kernel is given by its features, the expected one (:mod:`whp.kernels.expected_operator`) by tiles.

*Rounding.* Sums over the n points are taken over ``PANEL`` rows in the dtype of X, and over panels in
float64. Errors are modelled as independent and of mean zero, as in `whp.linalg.operators.product_rounding`.
A sum then has an error of variance at most u^2 sum_j S_j^2, with S_j its sums of the first j terms. For all
entries of J^T v together S_j is J_j^T v_j, with J_j the first j rows: so one product of N terms is off by 2
sqrt(N) u ||J|| (2 for the constant and for rounding v), which J takes to 2 sqrt(N) u ||J||^2. The same
holds for the second product, where first F M is summed over neurons, for each coordinate alone. That
||J||^2 = ||Theta_1||, and not the norm of what is left where a difference cancels, is why each operator
states its own allowance.

What F is off by belongs to it too, and as points or neurons may repeat, these errors may all be of one sign.
Those of z = x . w / sqrt d, of which the root mean square over neurons is at most sqrt(d) u |x| / sqrt d
times ||W|| / sqrt m, move F by phi'', or by the jumps of phi' that they cross, which are counted. If F is off
by e_i in the root mean square at x_i, then (dF F^T / m) o X X^T / d has entries of at most e_i |F_j| / sqrt m
times those of G = X X^T / d, so that Theta_1 moves by at most 2 max_j |F_j| / sqrt m times the root of
sum_i e_i^2 (G^2)_ii, and of the square of e in F.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from numbers import Real

import torch

from whp.errors import require
from whp.kernels.activations import Activation, Elementwise
from whp.kernels.inputs import checked_activation, checked_network, checked_rates, data_shape
from whp.kernels.ntk import norm_ratios
from whp.kernels.second_layer import combined_features
from whp.kernels.tiles import ACTIVATION_CHUNK
from whp.linalg.operators import Difference, unit_roundoff
from whp.linalg.products import product
from whp.memory import free_bytes, rows_that_fit

# Neurons whose features, (n, BLOCK) numbers a layer, are computed at once.
BLOCK = 512
# Rows whose sums are taken in the dtype of the data, and how many of them before the next in float64.
PANEL, PANELS = 1024, 8
# On CUDA that many panels go into one call, which would else take less time than its start.
PANELS_CUDA = 64
# Features are kept from one product to the next where they fit into these bytes, and into this share of the
# free memory. What is not kept is computed again, to the same numbers.
KEEP, KEEP_SHARE = 2.1e9, {"cpu": 0.4, "cuda": 0.6}
# Grid for the supremum of |phi''|, which decays beyond.
GRID = torch.linspace(-8.0, 8.0, 4001, dtype=torch.float64)


class KernelOperator:
    """A symmetric (n, n) kernel matrix by its products only, with its rounding errors.

    Attributes
    ----------
    rounding : float
        Allowance for ``||fl(K v) - K v||`` over unit vectors v, see :mod:`whp.kernels.matrix_free`.
    """

    def __init__(self, X: torch.Tensor) -> None:
        n, _ = data_shape(X)
        self.shape: tuple[int, ...] = (n, n)
        self.dtype, self.device = X.dtype, X.device
        self.panels = PANELS_CUDA if X.is_cuda else PANELS

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """Return ``K @ V`` for V of shape (n, s), in the dtype and on the device of the operator."""
        raise NotImplementedError

    @property
    def rounding(self) -> float:
        """Allowance for the rounding of one product with a unit vector."""
        raise NotImplementedError

    def __sub__(self, other: KernelOperator) -> Difference:
        return Difference(self, other)

    def _checked(self, V: torch.Tensor) -> torch.Tensor:
        require(isinstance(V, torch.Tensor), "V", "a torch tensor", type(V).__name__)
        V = V.detach()
        fits = V.ndim == 2 and len(V) == self.shape[0] and V.dtype == self.dtype and V.device == self.device
        rule = f"({self.shape[0]}, s), {self.dtype} on {self.device}"
        require(fits, "V", rule, f"{tuple(V.shape)}, {V.dtype} on {V.device}")
        return V

    def _transposed(self, F: torch.Tensor, U: torch.Tensor) -> torch.Tensor:
        """Return U^T F, shape (s, k), in float64 from panel to panel."""
        total = torch.zeros(U.shape[1], F.shape[1], dtype=torch.float64, device=self.device)
        group = self.panels * PANEL
        part, inner = (torch.empty(total.shape, dtype=self.dtype, device=self.device) for _ in range(2))
        for start in range(0, len(F), group):
            f, u = F[start : start + group], U[start : start + group]
            if self.device.type == "cuda" and len(f) == group:
                panels = (self.panels, PANEL, -1)
                parts = torch.bmm(u.reshape(panels).transpose(1, 2), f.reshape(panels))
                total += parts.sum(0, dtype=torch.float64)
                continue
            part.zero_()
            for left, right in zip(torch.split(u, PANEL), torch.split(f, PANEL), strict=True):
                part.add_(product(left.T, right, inner))
            total += part
        return total


class TangentOperator(KernelOperator):
    """r_1 Theta_1(W) + r_2 Theta_2(W) of hu2020, eq. (17), by its products: for n beyond any n x n matrix.

    For a symmetric initialisation pass its independent half ``W_half``: the matrix is the same at half of
    the work. A product takes about 4 n m d flops a vector for the first layer, and memory for X, for four
    vectors times X, and for the features that are kept.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row; float32 or float64.
    W : Tensor, shape (m, d)
        First-layer weights, of the dtype and on the device of ``X``.
    activation : Activation
        Supplies phi and phi'.
    rates : (float, float)
        r_1 and r_2, not negative; (1, 0) is Theta_1, (0, 1) Theta_2, (1, 1) the kernel of both layers.
    keep : float, optional
        Bytes of features that may be kept from one product to the next; results do not depend on it.
        By default ``KEEP``, on CUDA no limit, and no more than ``KEEP_SHARE`` of the free memory;
        infinite for no limit.

    Raises
    ------
    InputError
        If shapes, dtypes or devices differ, an entry is not finite, or a rate is negative.
    ResourceError
        If not even the features of a few neurons fit into memory.
    """

    def __init__(
        self,
        X: torch.Tensor,
        W: torch.Tensor,
        activation: Activation,
        rates: tuple[float, float] = (1.0, 0.0),
        *,
        keep: float | None = None,
    ) -> None:
        X, W = checked_network(X, W)
        super().__init__(X)
        checked_activation(activation)
        good = keep is None or (isinstance(keep, Real) and keep >= 0)
        require(good, "keep", "a number of bytes, 0 or more", keep)
        n, d = X.shape
        self.X, self.W, self.activation, self.rates = X, W / d**0.5, activation, checked_rates(rates)
        wanted = zip(self.rates, (activation.dphi, activation.phi), strict=True)
        self._functions: list[Elementwise | None] = [f if rate > 0 else None for rate, f in wanted]
        layers = 2 if all(self.rates) else 1
        row = n * layers * X.element_size()  # bytes a neuron
        block = rows_that_fit(
            X.device, row, default=BLOCK, least=min(16, BLOCK), what=f"the features of {n} points"
        )
        free = KEEP_SHARE[X.device.type] * max(0.0, free_bytes(X.device) - block * row)
        if keep is None:
            keep = free if X.is_cuda else min(KEEP, free)
        self._blocks = torch.split(self.W, block)
        self._kept: list[list[torch.Tensor]] = []
        self._may_keep = int(min(keep / (block * row), len(self._blocks)))
        self._buffers = [torch.empty(0, dtype=X.dtype, device=X.device)] * 2

    @cached_property
    def rounding(self) -> float:
        """Allowance for the rounding of one product with a unit vector; takes a pass over the features."""
        squares = torch.zeros(2, len(self.X), dtype=torch.float64, device=self.device)
        blocks = [0.0, 0.0]
        for features in self._features():
            for layer, F in enumerate(features):
                if len(F):
                    part = torch.linalg.vector_norm(F, dim=1, dtype=torch.float64).square_()
                    squares[layer] += part
                    blocks[layer] = max(blocks[layer], float(part.sum()))
        return _tangent_rounding(self, squares / len(self.W), [block / len(self.W) for block in blocks])

    def crossings(self) -> torch.Tensor:
        """Return of how many neurons rounding may have changed the sign of z, at each point."""
        (n, d), u = self.X.shape, unit_roundoff(self.dtype)
        counts = torch.zeros(n, dtype=torch.float64, device=self.device)
        sizes = math.sqrt(d + 2) * u * torch.linalg.vector_norm(self.X, dim=1, keepdim=True)
        for W in self._blocks:
            lengths = torch.linalg.vector_norm(W, dim=1)
            rows_at_once = max(1, ACTIVATION_CHUNK * (64 if self.device.type == "cuda" else 1) // len(W))
            for start in range(0, n, rows_at_once):
                rows = slice(start, start + rows_at_once)
                Z = torch.mm(self.X[rows], W.T).abs_()
                counts[rows] += torch.lt(Z, sizes[rows] * lengths).sum(dim=1)
        return counts

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """Return ``K @ V`` for V of shape (n, s), in the dtype and on the device of the operator."""
        V = self._checked(V)
        (n, d), s = self.X.shape, V.shape[1]
        y = torch.zeros(n, s, dtype=torch.float64, device=self.device)
        first, second = (rate / len(self.W) for rate in self.rates)
        U = V.new_empty(0)
        if first:  # (n, s d): column j of V times X
            U = (V[:, :, None] * self.X[:, None, :]).reshape(n, s * d)
        for slopes, values in self._features():
            if first:
                M = self._transposed(slopes, U).mul_(first / d).to(self.dtype)  # (s d, k)
                self._add_rows(slopes, M, y, self.X)
            if second:
                N = self._transposed(values, V).mul_(second).to(self.dtype)  # (s, k)
                self._add_rows(values, N, y, None)
        return y.to(self.dtype)

    def _add_rows(self, F: torch.Tensor, M: torch.Tensor, y: torch.Tensor, X: torch.Tensor | None) -> None:
        """Add F M^T to ``y``, or, where there is ``X``, its row products with each d columns of F M^T."""
        step = PANEL * (self.panels if F.is_cuda else 1)
        room = torch.empty(min(step, len(F)), len(M), dtype=self.dtype, device=self.device)
        for start in range(0, len(F), step):
            rows = slice(start, start + step)
            T = product(F[rows], M.T, room[: len(F[rows])])
            if X is not None:
                T = (T.view(len(T), y.shape[1], -1) @ X[rows, :, None])[:, :, 0]
            y[rows] += T

    def _features(self) -> Iterator[list[torch.Tensor]]:
        """Yield phi' and phi of some neurons after the other, each (n, k); empty where not needed."""
        for index, W in enumerate(self._blocks):
            if index < len(self._kept):
                yield self._kept[index]
                continue
            features = self._compute(W, fresh=index < self._may_keep)
            if index < self._may_keep:
                self._kept.append(features)
            yield features

    def _compute(self, W: torch.Tensor, *, fresh: bool) -> list[torch.Tensor]:
        n, k = len(self.X), len(W)
        features = []
        for layer, f in enumerate(self._functions):
            size = 0 if f is None else n * k
            if not fresh and self._buffers[layer].numel() < size:
                self._buffers[layer] = torch.empty(size, dtype=self.dtype, device=self.device)
            memory = (
                torch.empty(size, dtype=self.dtype, device=self.device) if fresh else self._buffers[layer]
            )
            features.append(memory[:size].view(-1, k))
        rows_at_once = max(1, ACTIVATION_CHUNK * (64 if self.device.type == "cuda" else 1) // k)
        for start in range(0, n, rows_at_once):
            rows = slice(start, start + rows_at_once)
            Z = torch.mm(self.X[rows], W.T)  # in the cache, and the allocator gives the same memory again
            for f, F in zip(self._functions, features, strict=True):
                if f is not None:
                    F[rows] = f(Z)
        return features


class LinearOperator(KernelOperator):
    """r_1 Theta^lin1 + r_2 Theta^lin2 of hu2020, eq. (20), by its d + 2 features.

    Parameters
    ----------
    X, activation, sigma_moment, rates
        As for :func:`whp.kernels.linear_kernel`, whose products these are.
    """

    def __init__(
        self,
        X: torch.Tensor,
        activation: Activation,
        sigma_moment: float,
        rates: tuple[float, float] = (1.0, 0.0),
    ) -> None:
        super().__init__(X)
        self.features = combined_features(X, activation, sigma_moment, rates)  # (n, d + 2)

    @cached_property
    def rounding(self) -> float:
        """Allowance for the rounding of one product with a unit vector."""
        n, p = self.features.shape
        roots = math.sqrt(chain(n)) + math.sqrt(p)
        return 2.0 * roots * unit_roundoff(self.dtype) * spectral_square(self.features)

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """Return ``K @ V`` for V of shape (n, s), in the dtype and on the device of the operator."""
        V = self._checked(V)
        coefficients = self._transposed(self.features, V).to(self.dtype)  # (s, d + 2)
        return product(self.features, coefficients.T, torch.empty_like(V))


def chain(n: int) -> float:
    """Return the length of the sums over n points: within a panel, and of panels."""
    return min(n, PANEL) + n / PANEL


def spectral_square(A: torch.Tensor) -> float:
    """Return ||A||^2 of a tall matrix, by its small Gram matrix in float64."""
    return float(torch.linalg.eigvalsh(_gram(A))[-1].clamp_min(0))


def frobenius(A: torch.Tensor) -> float:
    """Return ||A||_F, summed in float64."""
    return float(torch.linalg.vector_norm(A, dtype=torch.float64))


def first_layer_norm(X: torch.Tensor, slopes: float) -> float:
    """Return an upper bound of ||Theta_1||, for mean squares of phi' of at most ``slopes`` at every point.

    The Hadamard product with a positive semidefinite matrix A is at most max A_ii times as large (Schur).
    """
    return slopes * spectral_square(X) / X.shape[1]


def second_derivative(activation: Activation) -> float:
    """Return sup |phi''|."""
    return float(activation.ddphi(GRID).abs().max())


def _tangent_rounding(operator: TangentOperator, squares: torch.Tensor, blocks: list[float]) -> float:
    """Return the allowance of :class:`TangentOperator`; see the module for the model.

    Parameters
    ----------
    squares : Tensor, shape (2, n)
        Mean squares of phi' and phi over neurons, at each point.
    blocks : [float, float]
        The largest sums over points of squares of phi' and phi in a block of neurons, over m.
    """
    X, activation = operator.X, operator.activation
    (n, d), m, u = X.shape, len(operator.W), unit_roundoff(X.dtype)
    tiny = torch.finfo(X.dtype).tiny
    ratios = norm_ratios(X).double()
    largest = float(ratios.max())
    block = max(len(W) for W in operator._blocks)
    # Error of z over |x| / sqrt d, of the sums over d, of dividing W by sqrt(d), and of rounding z.
    weights = math.sqrt(spectral_square(operator.W) * d / m)
    error_z = 2.0 * math.sqrt(d + 2) * u * weights
    total = n * tiny * sum(operator.rates)
    if operator.rates[0]:
        slopes = squares[0]
        norm = first_layer_norm(X, float(slopes.max()))
        inner = math.sqrt(largest * blocks[0] * norm)
        products = 2.0 * u * ((math.sqrt(chain(n)) + math.sqrt(d)) * norm + math.sqrt(block) * inner)
        error = 4.0 * u * activation.sup_dphi + tiny
        error += second_derivative(activation) * error_z * math.sqrt(largest)
        gram = float(torch.linalg.matrix_norm(_gram(X))) / d  # ||X X^T||_F / d
        features = error * (2.0 * math.sqrt(float(slopes.max())) + error) * gram
        if not activation.smooth:
            low, high = activation.dphi(torch.tensor([-1.0, 1.0])).tolist()
            jumps = abs(high - low) * activation.sup_dphi / m
            # (G^2)_ii <= ||G|| G_ii
            moved = float((ratios * operator.crossings().square_()).sum()) * first_layer_norm(X, 1.0)
            features += 2.0 * jumps * math.sqrt(moved)
        total += operator.rates[0] * (products + features)
    if operator.rates[1]:
        # Sums in the dtype of X are over a panel, over some panels, and over a block of neurons: with the
        # Frobenius norms of these parts of J_2, and with that of J_2 for the other factor.
        size = math.sqrt(float(squares[1].sum()))  # ||J_2||_F
        panel, group = (
            math.sqrt(max(float(part.sum()) for part in torch.split(squares[1], rows)))
            for rows in (PANEL, operator.panels * PANEL)
        )
        parts = math.sqrt(min(n, PANEL)) * panel + math.sqrt(operator.panels) * group
        products = 2.0 * u * size * (parts + math.sqrt(block * blocks[1]) + size)
        at_zero = abs(float(activation.phi(torch.zeros(1, dtype=torch.float64))))
        slope = activation.sup_dphi * (error_z + 4.0 * u * weights)
        features = math.sqrt(float((slope * ratios.sqrt() + 4.0 * u * at_zero + tiny).square().sum()))
        total += operator.rates[1] * (products + features * (2.0 * size + features))
    return total


def _gram(A: torch.Tensor) -> torch.Tensor:
    """Return A^T A in float64, some rows at a time."""
    total = torch.zeros(A.shape[1], A.shape[1], dtype=torch.float64, device=A.device)
    for rows in torch.split(A, 1 << 16):
        wide = rows.double()
        total += wide.T @ wide
    return total
