"""Deep fully-connected kernels in single precision on the CPU: all layers of a pair in one pass over memory.

For the piecewise-linear activations and erf. Tiles of the Gram matrix stay in the first-level cache for all
layers, and are written to both sides of the diagonal. What single precision would lose is kept in double:
1 - |rho| of nearly parallel inputs, and for erf, whose kernels vanish at right angles, every product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from whp.kernels.fast_arccos import arccos_factor, arcsin, lift_factor
from whp.vectors import compiled

Array32 = npt.NDArray[np.float32]
Array64 = npt.NDArray[np.float64]
Pair = tuple[torch.Tensor, torch.Tensor]
Task = Callable[..., bool]

# Rows of the Gram matrix at once, for the second-level cache, and the sides of a tile, for the first.
BLOCK, HEIGHT, WIDTH = 128, 32, 64
# Where 1 - |rho| is less than this off the diagonal, products are taken in float64: an error of 1e-7 in rho
# then moves an angle by more than 2e-7.
NEAR = np.float32(0.1)

# |sine| is below 1 but may be rounded to it; this keeps its cosine from 0.
LEAST = 1e-20

# Unsigned, as signed indices could count from the end, and checking that costs vectors.
Index = np.uint64

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
ONE_OVER_PI = np.float32(1 / math.pi)


@compiled
def write_tile(tile: Array32, row: int, column: int, rows: int, columns: int, out: Array32) -> None:
    """Write a tile to ``out``, unless that is empty."""
    if len(out) == 0:
        return
    for r in range(rows):
        here, start = Index(row + r), Index(r * WIDTH)
        for c in range(Index(columns)):
            out[here, Index(column) + c] = tile[start + c]


@compiled
def mirror_rows(top: int, bottom: int, out: Array32) -> None:
    """Copy what some rows have left of the diagonal to its other side.

    On its own, as compilers make slow code of it where it is merged with the layers.
    """
    tile = np.zeros(HEIGHT * WIDTH, np.float32)
    for i in range(top, bottom, HEIGHT):
        for j in range(0, min(bottom, i + HEIGHT), WIDTH):
            if i + HEIGHT <= bottom and j + WIDTH <= i:
                for r in range(HEIGHT):
                    here, start = Index(i + r), Index(r * WIDTH)
                    for c in range(Index(WIDTH)):
                        tile[start + c] = out[here, Index(j) + c]
                for c in range(WIDTH):
                    here = Index(j + c)
                    for r in range(Index(HEIGHT)):
                        out[here, Index(i) + r] = tile[Index(c) + r * Index(WIDTH)]
            else:
                for row in range(i, min(bottom, i + HEIGHT)):
                    for column in range(j, min(row, j + WIDTH)):
                        out[column, row] = out[row, column]


@compiled
def piecewise_layers(
    layers: int, bends: Array32, count: int, rho: Array32, q: Array32, theta: Array32
) -> None:
    """Apply all layers to ``count`` pairs in place: rho, q = 1 - |rho| and Theta of unit vectors."""
    bend, straight, away = bends[0], bends[1], bends[2]
    bend_over_pi = bend * ONE_OVER_PI
    # ReLU's correlations are not negative from the second layer on.
    general = 1 if bend == ONE else layers
    for _ in range(general):
        for k in range(Index(count)):
            root = np.sqrt(TWO * q[k]) * bend_over_pi
            angle = root * arccos_factor(q[k])
            lift = root * q[k] * lift_factor(q[k])
            acute = rho[k] >= ZERO
            near = q[k] - lift
            far = lift - straight * (ONE - q[k])
            rho[k] = ONE - near if acute else far
            # 1 - |far|, by the sign of far, where nothing cancels
            gap = away - straight * q[k] - lift if far >= ZERO else bend + straight * q[k] + lift
            q[k] = near if acute else gap
            slopes = ONE - angle if acute else straight + angle
            theta[k] = rho[k] + theta[k] * slopes
    if general < layers:
        for _ in range(layers - general):
            for k in range(Index(count)):
                root = np.sqrt(TWO * q[k]) * ONE_OVER_PI
                slopes = ONE - root * arccos_factor(q[k])
                q[k] -= root * q[k] * lift_factor(q[k])
                theta[k] = ONE - q[k] + theta[k] * slopes
        for k in range(Index(count)):
            rho[k] = ONE - q[k]


@compiled
def piecewise_tiles(
    layers: int,
    bends: Array32,
    cosines: Array32,
    gaps: Array32,
    left: Array32,
    right: Array32,
    top: int,
    mirrored: bool,
    ntk: Array32,
    nngp: Array32,
) -> bool:
    """Write both kernels of some rows for phi(z) = z (z >= 0), slope z (z < 0).

    Parameters
    ----------
    layers : int
        L.
    bends : ndarray, shape (3,)
        b = (1 - slope)^2 / (1 + slope^2), the weight of ReLU's maps against the identity's, 1 - b and 2 - b;
        a compiler that knew how they are related would rearrange what depends on it.
    cosines : ndarray, shape (r, m)
        Of the angles between inputs.
    gaps : ndarray, shape (r, m) or (0, 0)
        1 - |cosines|, if they are known better.
    left, right : ndarray, shapes (r,) and (m,)
        Norms.
    top, mirrored
        Where these rows begin in ``ntk`` and ``nngp``, and whether these are symmetric.
    ntk, nngp : ndarray, shape (n, m), or (0, 0) where it is not wanted

    Returns
    -------
    bool
        Whether all was done; False if ``gaps`` are needed.
    """
    rho = np.zeros(HEIGHT * WIDTH, np.float32)
    q = np.zeros(HEIGHT * WIDTH, np.float32)
    theta = np.zeros(HEIGHT * WIDTH, np.float32)
    height, width = cosines.shape
    known = len(gaps) > 0
    for i in range(0, height, HEIGHT):
        rows = min(HEIGHT, height - i)
        for j in range(0, min(width, top + i + rows) if mirrored else width, WIDTH):
            columns = min(WIDTH, width - j)
            close = ZERO
            for r in range(rows):
                row, start = Index(i + r), Index(r * WIDTH)
                for c in range(Index(columns)):
                    cosine = cosines[row, Index(j) + c]
                    gap = ONE - abs(cosine)
                    rho[start + c] = cosine
                    theta[start + c] = cosine
                    q[start + c] = gap
                    close += ONE if gap < NEAR else ZERO
                if known:
                    for c in range(Index(columns)):
                        q[start + c] = gaps[row, Index(j) + c]
            if close > ZERO and not known:
                return False
            piecewise_layers(layers, bends, rows * WIDTH, rho, q, theta)
            for r in range(rows):
                start, scale = Index(r * WIDTH), left[Index(i + r)]
                for c in range(Index(columns)):
                    theta[start + c] *= scale * right[Index(j) + c]
                    rho[start + c] *= scale * right[Index(j) + c]
            write_tile(theta, top + i, j, rows, columns, ntk)
            write_tile(rho, top + i, j, rows, columns, nngp)
    return True


@compiled
def erf_tiles(
    layers: int,
    scale: float,
    sines: Array64,
    left: Array64,
    right: Array64,
    top: int,
    mirrored: bool,
    ntk: Array32,
    nngp: Array32,
) -> bool:
    """Write both kernels of some rows for erf; return True.

    In float64: the maps of erf drive nearly parallel inputs apart, and rounding errors with them.

    Parameters
    ----------
    layers : int
        L.
    scale : float
        2 c_sigma / pi.
    sines : ndarray, shape (r, m)
        2 x . z / sqrt((1 + 2 |x|^2) (1 + 2 |z|^2)).
    left, right : ndarray, shapes (L, r) and (L, m)
        1 / sqrt(1 + 2 a) for the variances a of the layers.
    top, mirrored
        As for the piecewise-linear activations.
    """
    sine = np.zeros(HEIGHT * WIDTH)
    angle = np.zeros(HEIGHT * WIDTH)
    theta = np.zeros(HEIGHT * WIDTH)
    inverse = np.zeros(WIDTH)
    sigma32 = np.zeros(HEIGHT * WIDTH, np.float32)
    theta32 = np.zeros(HEIGHT * WIDTH, np.float32)
    height, width = sines.shape
    for i in range(0, height, HEIGHT):
        rows = min(HEIGHT, height - i)
        for j in range(0, min(width, top + i + rows) if mirrored else width, WIDTH):
            columns = min(WIDTH, width - j)
            for c in range(Index(columns)):
                inverse[c] = 0.5 / right[0, Index(j) + c]
            for r in range(rows):
                row, start = Index(i + r), Index(r * WIDTH)
                back = 1.0 / left[0, row]
                for c in range(Index(columns)):
                    sine[start + c] = sines[row, Index(j) + c]
                    theta[start + c] = sines[row, Index(j) + c] * (back * inverse[c])
            for h in range(layers):
                now, following = Index(h), Index(min(h + 1, layers - 1))
                for r in range(rows):
                    row, start = Index(i + r), Index(r * WIDTH)
                    here, there = 2.0 * scale * left[now, row], 2.0 * scale * left[following, row]
                    for c in range(Index(columns)):
                        k = start + c
                        q = max(1.0 - abs(sine[k]), LEAST)
                        square = q * (2.0 - q)
                        # 1 / cosine in float32, and one step of Newton's method: faster than in float64
                        guess = float(ONE / np.sqrt(np.float32(square)))
                        secant = guess * (1.5 - 0.5 * square * guess * guess)
                        angle[k] = arcsin(sine[k], q, square * secant)
                        theta[k] = scale * angle[k] + theta[k] * (here * right[now, Index(j) + c] * secant)
                        sine[k] = angle[k] * (there * right[following, Index(j) + c])
            for e in range(Index(rows * WIDTH)):
                theta32[e] = np.float32(theta[e])
                sigma32[e] = np.float32(scale * angle[e])
            write_tile(theta32, top + i, j, rows, columns, ntk)
            write_tile(sigma32, top + i, j, rows, columns, nngp)
    return True


@contextmanager
def one_thread() -> Iterator[int]:
    """Keep torch to the thread that calls it; yield how many threads it had.

    After every operation that torch spreads over its own threads these wait for more by spinning, for some
    10 ms: as long as all of a kernel takes, on the cores that it needs.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def piecewise_kernels(
    X: torch.Tensor, Z: torch.Tensor | None, layers: int, slope: float, nngp: bool, threads: int
) -> Pair:
    """Return Theta^(L) and Sigma^(L) for phi(z) = z (z >= 0), slope z (z < 0), c_sigma = 2 / (1 + slope^2).

    Parameters
    ----------
    X, Z : Tensor, shapes (n, d) and (m, d), float32 on the CPU
        Without ``Z`` the kernels of X with itself.
    layers : int
        L.
    slope : float
    nngp : bool
        Whether Sigma^(L) is wanted; else an empty matrix comes in its place.
    threads : int
        How many share the work; to be called within :func:`one_thread`.
    """
    bend = (1 - slope) ** 2 / (1 + slope**2)
    bends = np.array([bend, 1 - bend, 2 - bend], np.float32)
    unknown = np.zeros((0, 0), np.float32)
    inputs = (X,) if Z is None else (X, Z)
    norms = [torch.linalg.vector_norm(x, dim=1, dtype=torch.float64) for x in inputs]
    inverse = [torch.where(size > 0, 1 / size, 0.0) for size in norms]
    directions = [x * scale.float()[:, None] for x, scale in zip(inputs, inverse, strict=True)]
    sizes = [size.float().numpy() for size in norms]

    def rows(top: int, bottom: int, end: int, exact: bool, room: torch.Tensor) -> Task:
        gaps = unknown
        if exact:
            left = inputs[0][top:bottom] * inverse[0][top:bottom, None]  # float64
            products = left @ (inputs[-1][:end] * inverse[-1][:end, None]).T
            gaps = (1 - products.abs()).clamp_min(0).float().numpy()
            cosines = products.float()
        else:
            cosines = _products(directions[0][top:bottom], directions[-1][:end], room)
            if Z is None:
                cosines.diagonal(top).zero_()
        return partial(piecewise_tiles, layers, bends, cosines.numpy(), gaps, sizes[0][top:bottom], sizes[-1])

    outs = _run(rows, len(X), len(inputs[-1]), Z is None, nngp, torch.float32, threads)
    if Z is None:
        outs[0].diagonal().copy_((layers + 1) * norms[0] ** 2)
        if nngp:
            outs[1].diagonal().copy_(norms[0] ** 2)
    return outs


def erf_kernels(
    X: torch.Tensor,
    Z: torch.Tensor | None,
    scale: float,
    variances: list[list[torch.Tensor]],
    nngp: bool,
    threads: int,
) -> Pair:
    """Return Theta^(L) and Sigma^(L) for erf.

    Parameters
    ----------
    X, Z, nngp, threads
        As for the piecewise-linear activations; diagonals are left to be filled in.
    scale : float
        c_sigma.
    variances : list of list of Tensor
        Sigma^(h) for h = 0, ..., L of the rows of X with themselves, each of shape (n,), and of those of Z.
    """
    shrink = [torch.rsqrt(1 + 2 * torch.stack(side[:-1])) for side in variances]  # (L, n)
    vectors = [
        math.sqrt(2) * g[0, :, None] * x.double()  # (n, d)
        for g, x in zip(shrink, (X,) if Z is None else (X, Z), strict=True)
    ]
    factors = [g.numpy() for g in shrink]

    def rows(top: int, bottom: int, end: int, exact: bool, room: torch.Tensor) -> Task:
        sines = _products(vectors[0][top:bottom], vectors[-1][:end], room).numpy()
        here = np.ascontiguousarray(factors[0][:, top:bottom])
        return partial(erf_tiles, len(here), 2 * scale / math.pi, sines, here, factors[-1])

    return _run(rows, len(X), len(vectors[-1]), Z is None, nngp, torch.float64, threads)


def _products(left: torch.Tensor, right: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
    """Return left right^T in the first entries of ``room``."""
    shape = len(left), len(right)
    return torch.mm(left, right.T, out=room[: shape[0] * shape[1]].view(shape))


def _run(
    rows: Callable[[int, int, int, bool, torch.Tensor], Task],
    n: int,
    m: int,
    mirrored: bool,
    nngp: bool,
    dtype: torch.dtype,
    threads: int,
) -> Pair:
    """Make both (n, m) matrices, some rows at a time, on ``threads`` threads.

    ``rows(top, bottom, end, exact, room)`` gives what writes these rows up to that column; where that returns
    False it is asked for again, ``exact``. Memory for the products of some rows is ``room``: fresh memory
    would cost as much as the products.
    """
    outs = np.empty((n, m), np.float32), np.empty((n, m) if nngp else (0, 0), np.float32)
    rooms = [torch.empty(min(BLOCK, n) * m, dtype=dtype) for _ in range(threads)]

    def write(top: int) -> None:
        bottom = min(top + BLOCK, n)
        end = bottom if mirrored else m
        room = rooms.pop()
        if not rows(top, bottom, end, False, room)(top, mirrored, *outs):
            rows(top, bottom, end, True, room)(top, mirrored, *outs)
        if mirrored:
            for out in outs[: 1 + nngp]:
                mirror_rows(top, bottom, out)
        rooms.append(room)

    # The products of each thread would otherwise ask for threads of their own.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(write, reversed(range(0, n, BLOCK))):
            pass
    return torch.from_numpy(outs[0]), torch.from_numpy(outs[1])
