"""The expected tangent kernel of two-layer networks as an operator: by tiles that are made again each time.

Tiles of the lower triangle serve the rows and, mirrored, the columns. In float32 on the CPU they are made
and used in the cache (:mod:`whp.kernels.expected_tiles`); in float64 and on CUDA by torch, from the
functions that make the matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import torch

from whp.kernels.activations import Activation
from whp.kernels.expected_tiles import (
    ORDERS,
    VECTORS,
    add_products,
    erf_entries,
    mehler_entries,
    piecewise_entries,
)
from whp.kernels.fc_fused import one_thread
from whp.kernels.inputs import checked_activation, checked_data, checked_rates
from whp.kernels.matrix_free import (
    KernelOperator,
    first_layer_norm,
    second_derivative,
    spectral_square,
)
from whp.kernels.mehler import MAX_ORDER, HermiteTable, hermite_table, mehler_tile
from whp.kernels.near_pairs import NEAR_ANGLE, NEAR_SINE, NearPairs
from whp.kernels.ntk import norm_ratios
from whp.kernels.tiles import TOLERANCE, PairTile, covariance_tiles, expectations
from whp.linalg.operators import ROUNDOFF64, unit_roundoff

Array32 = npt.NDArray[np.float32]
# Overwrites covariances at rows and columns, or for a series correlations, with entries of the kernel, and
# says whether all of them are good.
Entries = Callable[[torch.Tensor, slice, slice], bool]

# Sides of a tile in float32 on the CPU (the height even, and no larger). In tiles of 256 rows, which stay in
# the second-level cache, a pair takes 1.0 ns of work, but 3.4 with what Python adds; in these 1.9.
HEIGHT, WIDTH = 1024, 1024
# Points whose Hermite coefficients are computed at once.
AT_ONCE = 1 << 14
# Side of a tile of torch.
STRIP = {"cpu": 512, "cuda": 4096}


class ExpectedOperator(KernelOperator):
    """r_1 Theta_1^* + r_2 Theta_2^* of hu2020, eq. (18), by its products.

    Every product makes all n^2 / 2 entries again, from closed forms or Mehler's series (see
    :func:`whp.kernels.expected_first_layer_ntk` for its truncation), so a product takes about n^2 d flops for
    any number of vectors, and no memory beyond that of X and of some numbers a point.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row; float32 or float64.
    activation : Activation
        Supplies phi and phi'.
    rates : (float, float)
        r_1 and r_2, not negative; (1, 0) is Theta_1^*, (0, 1) Theta_2^*, (1, 1) the kernel of both layers.
    """

    def __init__(
        self, X: torch.Tensor, activation: Activation, rates: tuple[float, float] = (1.0, 0.0)
    ) -> None:
        X = checked_data(X)
        super().__init__(X)
        checked_activation(activation)
        self.X, self.activation, self.rates = X, activation, checked_rates(rates)
        self.a = norm_ratios(X)  # (n,)
        self._tables: list[HermiteTable | None] = [None, None]
        self._pairs: list[PairTile | None] = [None, None]
        self._second: list[torch.Tensor | None] = [None, None]  # expectations of i = j, float64
        self._near: NearPairs | None = None
        self._slope = -float(activation.phi(torch.tensor(-1.0, dtype=torch.float64)))  # if piecewise linear
        if activation.closed is not None:
            self._near = NearPairs(X, self.a, activation, self._slope, self.rates)
        self.diagonal = torch.zeros(len(X), dtype=torch.float64, device=X.device)
        tolerance = TOLERANCE[X.dtype]
        for index, (rate, factor) in enumerate(
            zip(self.rates, (self.a, torch.ones_like(self.a)), strict=True)
        ):
            if not rate:
                continue
            layer = index + 1
            if activation.closed is None:
                table = _table(activation, self.a, layer)
                self._tables[index], second = table, table.second
                self._pairs[index] = partial(_mehler_tile, activation, table, self.a, tolerance)
            else:
                self._pairs[index], second = expectations(activation, self.a, tolerance, layer)
            self._second[index] = second.double()
            self.diagonal += rate * factor.double() * second.double()
        fused = X.dtype == torch.float32 and not X.is_cuda
        self._fused = self._entries() if fused else None

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """Return ``K @ V`` for V of shape (n, s), in the dtype and on the device of the operator."""
        V = self._checked(V)
        y = self.diagonal[:, None] * V  # float64
        if self._fused is None:
            for rows, columns, c in covariance_tiles(self.X, STRIP[self.device.type]):
                if rows == columns:
                    c.fill_diagonal_(0.0)
                K = self._tile(rows, columns, c)
                if rows == columns:
                    K.fill_diagonal_(0.0)
                else:
                    y[columns] += K.T @ V[rows]
                y[rows] += K @ V[columns]
            return y.to(self.dtype)
        for start in range(0, V.shape[1], VECTORS):
            self._add_fused(self._fused, V[:, start : start + VECTORS], y[:, start : start + VECTORS])
        return y.to(self.dtype)

    def _tile(self, rows: slice, columns: slice, c: torch.Tensor) -> torch.Tensor:
        """Return a tile of the kernel; entries i = j mean nothing."""
        total = torch.zeros_like(c)
        for layer, (rate, pairs) in enumerate(zip(self.rates, self._pairs, strict=True)):
            if pairs is not None:
                values = pairs(rows, columns, c)
                total += rate * (c * values if layer == 0 else values)
        if self._near is not None:
            self._near.put(total, rows, columns, c)
        return total

    def _entries(self) -> Entries:
        """Return what makes a tile of the kernel in place."""
        first, second = self.rates
        sizes = self.a.double().sqrt()
        inverse = torch.where(sizes > 0, 1 / sizes, 0.0)
        if self.activation.closed is None:
            return self._series(sizes.float())
        if self.activation.smooth:
            factors = torch.rsqrt(1 + 2 * self.a.double())[None].float()

            def by_erf(K: torch.Tensor, rows: slice, columns: slice) -> bool:
                nearest = erf_entries(K.numpy(), first, second, *_sides(factors, rows, columns))
                return bool(nearest < 1 - NEAR_SINE)

            return by_erf
        pair = torch.stack((sizes, inverse)).float()

        def by_angles(K: torch.Tensor, rows: slice, columns: slice) -> bool:
            sides = _sides(pair, rows, columns)
            nearest = piecewise_entries(K.numpy(), self._slope, first, second, *sides)
            return bool(nearest < 1 - NEAR_ANGLE)

        return by_angles

    def _series(self, sizes: torch.Tensor) -> Entries:
        orders = -(-(MAX_ORDER + 1) // ORDERS) * ORDERS
        left, right = [], []
        for rate, table in zip(self.rates, self._tables, strict=True):
            h = torch.zeros(len(self.X), orders if table else 0, dtype=torch.float32)
            if table is not None:
                h[:, : MAX_ORDER + 1] = table.h
            left.append((rate * h).numpy())
            right.append(h.T.contiguous().numpy())
        tolerance = TOLERANCE[self.dtype]

        def by_series(K: torch.Tensor, rows: slice, columns: slice) -> bool:
            low, high = torch.aminmax(K)
            nearest = float(torch.maximum(high, -low))
            used = []
            for table in self._tables:
                order, bound = table.order(min(nearest, 1.0), tolerance) if table else (-1, 0.0)
                if table and bound > tolerance * table.scale:
                    return False
                used.append(-(-(order + 1) // ORDERS) * ORDERS)
            sides = [
                (np.ascontiguousarray(h[rows, :p]), np.ascontiguousarray(there[:p, columns]))
                for h, there, p in zip(left, right, used, strict=True)
            ]
            mehler_entries(K.numpy(), *sides[0], *sides[1], sizes[rows].numpy(), sizes[columns].numpy())
            return True

        return by_series

    def _add_fused(self, entries: Entries, V: torch.Tensor, y: torch.Tensor) -> None:
        """Add the products with up to ``VECTORS`` vectors, without the diagonal.

        Threads share the columns of each strip of rows, and what they find for the rows is added in one
        order: results do not depend on how many they are.
        """
        n, d = self.X.shape
        left, right = self.X / d, self.X
        if self.activation.closed is None:  # correlations in place of covariances
            left = right = torch.nn.functional.normalize(self.X, eps=torch.finfo(self.dtype).tiny)
        across = torch.zeros(VECTORS, n + 1, dtype=torch.float32)
        across[: V.shape[1], :n] = V.T
        found = torch.zeros(VECTORS, n, dtype=torch.float64)

        rooms: list[torch.Tensor] = []  # fresh memory would cost as much as a product

        def work(rows: slice, columns: slice) -> torch.Tensor:
            try:
                room = rooms.pop()
            except IndexError:
                room = torch.empty(HEIGHT * WIDTH, dtype=torch.float32)
            height, width = rows.stop - rows.start, columns.stop - columns.start
            K = room[: (height + height % 2) * width].view(-1, width)
            K[height:] = 0.0
            tile = torch.mm(left[rows], right[columns].T, out=K[:height])
            if rows == columns:
                tile.fill_diagonal_(0.0)
            if not entries(tile, rows, columns):
                c = (self.X[rows] / d) @ self.X[columns].T
                if rows == columns:
                    c.fill_diagonal_(0.0)
                if self._near is None:
                    tile.copy_(self._tile(rows, columns, c))
                else:
                    self._near.put(tile, rows, columns, c)
            if rows == columns:
                tile.fill_diagonal_(0.0)
            down = across[:, rows.start : rows.start + len(K)].contiguous()
            here, there = torch.empty_like(down), torch.empty(VECTORS, K.shape[1])
            u = across[:, columns].contiguous()
            add_products(K.numpy(), u.numpy(), down.numpy(), here.numpy(), there.numpy())
            rooms.append(room)
            if rows != columns:
                found[:, columns] += there  # no other thread has these columns
            return here[:, :height]

        # The products of each thread would otherwise ask for threads of their own.
        with (
            one_thread() as threads,
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            for strip in _strips(n):
                # Handing a task to a thread takes about as long as a tile.
                count = -(-len(strip) // (2 * threads))
                tasks = [strip[first : first + count] for first in range(0, len(strip), count)]
                for parts in pool.map(lambda tiles: [work(*tile) for tile in tiles], tasks):
                    for here in parts:
                        found[:, strip[0][0]] += here
        y += found[: V.shape[1]].T

    @cached_property
    def rounding(self) -> float:
        """Allowance for the rounding of one product with a unit vector: of the entries and of the sums.

        Errors within one sum are independent and of mean zero; those of different entries may all be of one
        sign, as they are for points that repeat. An entry is off by at most ``delta`` sqrt(a_i a_j) times its
        slope, with a = |x|^2 / d and delta = (2 sqrt(d) + 8) u, and by delta sqrt(K_ii K_jj), where no slope
        is that of near pairs (:mod:`whp.kernels.near_pairs`). A matrix of errors of at most sqrt(b_i b_j)
        has norm at most sum b_i. Errors of the series are at most its tolerance for all entries. Sums over
        a tile are off by 2 sqrt(N) u ||K||, once for rows and once for columns, as in
        :mod:`whp.kernels.matrix_free`.
        """
        (n, d), u = self.X.shape, unit_roundoff(self.dtype)
        a = self.a.double()
        length = WIDTH if self._fused is not None else STRIP[self.device.type]
        roots = math.sqrt(min(n, length) + (n / length if self.dtype == torch.float64 else 0.0))
        total = n * torch.finfo(self.dtype).tiny * sum(self.rates)
        for index, (rate, second) in enumerate(zip(self.rates, self._second, strict=True)):
            if second is None:
                continue
            layer, largest = index + 1, float(second.max())
            trace = float((second * a if layer == 1 else second).sum())
            norm = first_layer_norm(self.X, largest) if layer == 1 else self._second_layer_norm(second)
            norm = min(norm, trace)
            entries = (2.0 * math.sqrt(d) + 8.0) * u * (self._slopes(layer, largest, a) + trace)
            series = 0.0
            if self.activation.closed is None:  # times c for the first layer, of which ||c||_F^2 <= n ||c||
                whole = math.sqrt(n * first_layer_norm(self.X, 1.0) * float(a.max())) if layer == 1 else n
                series = TOLERANCE[self.dtype] * largest * whole
            total += rate * (entries + 8.0 * u * norm + 4.0 * roots * u * norm + series)
        return total

    def _slopes(self, layer: int, largest: float, a: torch.Tensor) -> float:
        """Return a bound of the norm of the slopes of entries by relative errors of covariances.

        That of c Phi is at most sup|phi'|^2 + a sup|phi''|^2 by c, as h_k are coefficients; as much again
        for Horner's rule, whose errors are sum k h_k(a) h_k(b) u. With a kink or for large a it is that of
        pairs which are just not near.
        """
        sup, top, weight = self.activation.sup_dphi**2, float(a.max()), float(a.sum())
        if not self.activation.smooth:
            bend = (1.0 - self._slope) ** 2
            sine = math.sqrt(NEAR_ANGLE * (2.0 - NEAR_ANGLE))
            return weight * (sup + bend * (1.0 + 1.0 / (2.0 * math.pi * sine) if layer == 1 else 1.0))
        steep = top * second_derivative(self.activation) ** 2
        if self.activation.closed is None:
            return weight * (2.0 * steep + sup + largest if layer == 1 else 2.0 * sup)
        cosine = math.sqrt(NEAR_SINE * (2.0 - NEAR_SINE))
        if layer == 2:
            return min(weight * sup, len(a) * (2.0 / math.pi) / cosine)
        # Angles of near pairs are off by units of float64, and as small as 1 / sqrt(a).
        near = 4.0 * (1.0 + 2.0 * top) * ROUNDOFF64 / unit_roundoff(self.dtype)
        return min(weight * (sup + steep), len(a) * ((2.0 / math.pi) / cosine**3 + near))

    def _second_layer_norm(self, second: torch.Tensor) -> float:
        """Return an upper bound of ||Theta_2^*||.

        In Mehler's series Theta_2^* = sum_k D_k R^(o k) D_k, with R the correlations, the first term has rank
        one, and all others together at most the norm ||R|| max_i Var phi(|x_i| g / sqrt d) (Schur).
        """
        table, a = self._tables[1], self.a.double()
        if table is not None:
            squares = table.h[:, 0].double().square()
        else:  # erf is odd
            squares = a * (0.0 if self.activation.smooth else (1.0 - self._slope) ** 2 / (2.0 * math.pi))
        sizes = torch.linalg.vector_norm(self.X, dim=1, keepdim=True).clamp_min(torch.finfo(self.dtype).tiny)
        return float(squares.sum()) + float((second - squares).max()) * spectral_square(self.X / sizes)


def _table(activation: Activation, a: torch.Tensor, layer: int) -> HermiteTable:
    """Return the coefficients of all points, for some after the other, as that takes much room."""
    parts = [hermite_table(activation, part, layer) for part in torch.split(a, AT_ONCE)]
    residual = torch.stack([part.residual for part in parts]).amax(dim=0)
    h, second = (torch.cat([getattr(part, name) for part in parts]) for name in ("h", "second"))
    scale, error = (max(getattr(part, name) for part in parts) for name in ("scale", "error"))
    return HermiteTable(layer, h, second, residual, scale, error)


def _mehler_tile(
    activation: Activation,
    table: HermiteTable,
    a: torch.Tensor,
    tolerance: float,
    rows: slice,
    columns: slice,
    c: torch.Tensor,
) -> torch.Tensor:
    return mehler_tile(activation, table, rows, columns, a, c, tolerance)


def _sides(numbers: torch.Tensor, rows: slice, columns: slice) -> Iterator[Array32]:
    """Yield numbers of rows and of columns, contiguous."""
    for where in (rows, columns):
        yield numbers[:, where].contiguous().numpy()


def _strips(n: int) -> Iterator[list[tuple[slice, slice]]]:
    """Yield the tiles of each strip of rows, left of the diagonal and on it."""
    for start in range(0, n, HEIGHT):
        rows = slice(start, min(start + HEIGHT, n))
        left = range(0, start, WIDTH)
        yield [(rows, slice(first, min(first + WIDTH, start))) for first in left] + [(rows, rows)]
