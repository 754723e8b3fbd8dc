"""Tangent kernels of two-layer networks of finite width, and their differences, in one n x n matrix.

What is done once for every pair of inputs is a product of features, so the work is counted in products:
of half the matrix by blocks, for half of the neurons where those are mirrored. The Hadamard factor, the
learning rates, the kernel to be subtracted and the norm follow tile by tile while a tile is in the cache.
With both layers in training the Gram matrix of the second waits in the upper triangle for the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.inputs import checked_activation, checked_data, checked_network, checked_rates
from whp.kernels.tiles import (
    NEURONS,
    TOLERANCE,
    Gram,
    add_feature_grams,
    expectations,
    neurons_that_fit,
    output,
    strip_of,
    triangle_tiles,
)
from whp.linalg.operators import square_sum
from whp.linalg.products import product

# Writes what is to be subtracted at (rows, columns); c is X X^T / d there, and may be overwritten.
Subtraction = Callable[[torch.Tensor, slice, slice, torch.Tensor], object]


@dataclass(frozen=True, eq=False)
class KernelDifference:
    """A tangent kernel less another.

    Attributes
    ----------
    matrix : Tensor, shape (n, n)
        Exactly symmetric.
    frobenius : float
        Its Frobenius norm, summed in float64 while the matrix was made.
    """

    matrix: torch.Tensor
    frobenius: float


def combined_ntk(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    rates: tuple[float, float] = (1.0, 1.0),
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
    neurons: int = NEURONS,
) -> torch.Tensor:
    """Return r_1 Theta_1(W) + r_2 Theta_2(W) of hu2020, eq. (17), for output weights +-1.

    Rates (1, 1) are the kernel of the network with both layers in training. For a symmetric initialisation
    pass its independent half ``W_half``: the matrix is the same at half of the work.

    Besides the result, memory is taken for the features of one block of neurons, (n, neurons) for each
    layer, and for tiles.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Data, one point per row.
    W : Tensor, shape (m, d)
        First-layer weights, of the dtype and on the device of ``X``.
    activation : Activation
        Supplies phi' for the first layer and phi for the second.
    rates : (float, float)
        r_1 and r_2, not negative, one of them positive. A layer of rate zero costs nothing.
    out : Tensor, shape (n, n), optional
        Where to put the result: fresh memory is dear, so a sweep hands in the same again.
    strip, neurons : int
        Block sizes; they change the result by rounding only. Blocks of neurons become smaller where memory
        does not suffice.

    Returns
    -------
    Tensor, shape (n, n)
        Exactly symmetric.
    """
    return _assemble(X, W, activation, rates, None, out, strip, neurons).matrix


def feature_difference(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    features: torch.Tensor,
    rates: tuple[float, float] = (1.0, 0.0),
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
    neurons: int = NEURONS,
) -> KernelDifference:
    """Return r_1 Theta_1(W) + r_2 Theta_2(W) - Psi Psi^T, with its Frobenius norm, in one n x n matrix.

    With ``features=combined_features(X, activation, sigma_moment, rates)`` it is the difference to the
    kernel of the linear model, Theta^lin1 for rates (1, 0) (hu2020, eq. (20)).

    Parameters
    ----------
    features : Tensor, shape (n, p)
        Psi, of the dtype and on the device of ``X``.
    X, W, activation, rates, out, strip, neurons
        As for :func:`combined_ntk`.
    """
    X = checked_data(X)
    require(isinstance(features, torch.Tensor), "features", "a torch tensor", type(features).__name__)
    features = features.detach()
    fits = features.ndim == 2 and len(features) == len(X) and features.dtype == X.dtype
    rule = f"of shape ({len(X)}, p), {X.dtype} on {X.device} like X"
    got = f"{tuple(features.shape)}, {features.dtype} on {features.device}"
    require(fits and features.device == X.device, "features", rule, got)

    def subtract(tile: torch.Tensor, rows: slice, columns: slice, c: torch.Tensor) -> None:
        tile.addmm_(features[rows], features[columns].T, alpha=-1)

    return _assemble(X, W, activation, rates, subtract, out, strip, neurons)


def expected_difference(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    rates: tuple[float, float] = (1.0, 0.0),
    *,
    out: torch.Tensor | None = None,
    strip: int | None = None,
    neurons: int = NEURONS,
) -> KernelDifference:
    """Return r_1 (Theta_1(W) - Theta_1^*) + r_2 (Theta_2(W) - Theta_2^*), with its Frobenius norm.

    In one n x n matrix; what is subtracted is that of :func:`expected_first_layer_ntk` and
    :func:`expected_second_layer_ntk`, to rounding.

    Parameters
    ----------
    X, W, activation, rates, out, strip, neurons
        As for :func:`combined_ntk`.
    """
    X, rates = checked_data(X), checked_rates(rates)
    a = torch.linalg.vecdot(X, X) / X.shape[1]  # (n,)
    layers = [
        (rate, *expectations(activation, a, TOLERANCE[X.dtype], layer))
        for rate, layer in zip(rates, (1, 2), strict=True)
        if rate
    ]
    first = rates[0]

    def subtract(tile: torch.Tensor, rows: slice, columns: slice, c: torch.Tensor) -> None:
        expected = torch.zeros_like(c)
        for k, (rate, pairs, diagonal) in enumerate(layers):
            part = pairs(rows, columns, c)
            of_first = bool(first) and k == 0
            if of_first:
                part = c * part
            if rows.start == columns.start:  # by quadrature, as the expansion of a pair is not for i = j
                part.diagonal().copy_(diagonal[rows] * a[rows] if of_first else diagonal[rows])
            expected.add_(part, alpha=rate)
        tile.sub_(expected)

    # Closed forms keep a dozen blocks of the size of a tile at once: square ones stay in the cache.
    return _assemble(X, W, activation, rates, subtract, out, strip, neurons, wide=1)


def _assemble(
    X: torch.Tensor,
    W: torch.Tensor,
    activation: Activation,
    rates: tuple[float, float],
    subtract: Subtraction | None,
    out: torch.Tensor | None,
    strip: int | None,
    neurons: int,
    wide: int = 4,
) -> KernelDifference:
    """Return the kernel less what ``subtract`` takes from each tile, with its norm where it does.

    Tiles are ``wide`` times as wide as they are high.
    """
    X, W = checked_network(X, W)
    checked_activation(activation)
    n, d = X.shape
    strip = strip_of(X, strip)
    first, second = checked_rates(rates)
    functions = [f for f, rate in ((activation.dphi, first), (activation.phi, second)) if rate]
    neurons = neurons_that_fit(X, W, neurons, len(functions), matrices=int(out is None))
    theta = output(out, X)
    grams = [Gram(theta, None)]
    if len(functions) == 2:
        # F_2 F_2^T is put where its transpose will not be missed before it has been used.
        grams.append(Gram(theta.T, torch.empty(n, min(strip, n), dtype=X.dtype, device=X.device)))
    add_feature_grams(X, W, functions, grams, strip, neurons)
    m, squares = len(W), torch.zeros((), dtype=torch.float64, device=X.device)
    scaled = X / d
    work = [theta.new_empty(min(strip, n) * min(wide * strip, n)) for _ in range(2)]
    room = torch.empty(work[0].numel() if subtract else 0, dtype=torch.float64, device=X.device)
    for rows, columns in triangle_tiles(n, strip, wide * strip):
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        tile, c = (block[: shape[0] * shape[1]].view(shape) for block in work)
        if first or subtract is not None:
            product(scaled[rows], X[columns].T, c)
        if first:
            torch.mul(theta[rows, columns], c, out=tile)
        else:
            tile.copy_(theta[rows, columns])
        tile.mul_((first or second) / m)
        on_diagonal = rows.start == columns.start
        if len(grams) == 2:
            beside = grams[1].diagonal_block(rows) if on_diagonal else theta[columns, rows].T
            tile.add_(beside, alpha=second / m)
        if subtract is not None:
            subtract(tile, rows, columns, c)
            squares += square_sum(tile, room) * (2 - on_diagonal)
        if on_diagonal:
            theta[rows, columns] = tile.tril() + tile.tril(-1).T
        else:
            theta[rows, columns] = tile
            theta[columns, rows] = tile.T
    return KernelDifference(theta, math.sqrt(float(squares)))
