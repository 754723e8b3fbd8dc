r"""How wide a network the theorems of global convergence of caron2023 ask for, for given data.

Source: caron2023, Theorem 4.1 (smooth activations) and Theorem A.1 (ReLU).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from whp.bounds import GlobalConvergence, ReluGlobalConvergence
from whp.errors import require
from whp.kernels.activations import Activation
from whp.kernels.assumptions import check_assumptions, check_inputs, check_targets
from whp.kernels.mean_ntg import kappa


def global_convergence(
    X: Tensor, y: Tensor, activation: Activation, *, gamma: float, delta: float, C: float | None = None
) -> GlobalConvergence:
    """Return Theorem 4.1 for given data, its assumptions checked by computation.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, one a row.
    y : Tensor, shape (n,)
        Targets.
    activation : Activation
        Smooth.
    gamma, delta : float
        The symmetric part of the node scaling, and the failure probability.
    C : float, optional
        The bound of the targets; by default the largest modulus of one.

    Returns
    -------
    GlobalConvergence
        With kappa_n rounded downwards, C_1 and M upwards: its width is on the safe side.

    Raises
    ------
    InputError
        If an assumption of the theorem does not hold.
    """
    found = check_assumptions(X, y, activation, C=C)
    return GlobalConvergence(
        n=found.n,
        d=found.d,
        kappa=found.kappa.low,
        gamma=gamma,
        delta=delta,
        C=found.C,
        C_1=found.C_1,
        M=found.M,
    )


def relu_global_convergence(
    X: Tensor, y: Tensor, activation: Activation, *, gamma: float, delta: float, C: float | None = None
) -> ReluGlobalConvergence:
    """Return Theorem A.1 for given data; parameters and errors are those of :func:`global_convergence`.

    Parameters
    ----------
    activation : Activation
        ReLU; the theorem speaks of no other.
    """
    require(activation.name == "relu", "activation", "relu (Theorem A.1)", activation.name)
    n, d = check_inputs(X)
    C = check_targets(y, n, C)
    least = kappa(X, activation)
    require(least.low > 0, "kappa_n", "above zero by more than its error", [least.low, least.high])
    return ReluGlobalConvergence(n=n, d=d, kappa=least.low, gamma=gamma, delta=delta, C=C)


def narrowest(
    activations: Iterable[Activation],
    *,
    n: Sequence[int],
    d: Sequence[int],
    C: Sequence[float] = (0.1,),
    gamma: Sequence[float] = (1.0,),
    delta: Sequence[float] = (0.5,),
) -> tuple[Activation, GlobalConvergence]:
    r"""Return the setting of Theorem 4.1 with the smallest printed width.

    All combinations with n <= d are tried, at orthonormal inputs. These are the best ones, wherever
    :math:`c^2\, E[\sigma'(c z / \sqrt d)^2]` is largest at c = 1 among 0 < c <= 1, as for tanh and
    softplus: it is d times a diagonal entry of the mean NTG matrix for an input of norm c, the smallest
    eigenvalue is no larger than any of these, and the threshold depends on the inputs through it alone.

    Raises
    ------
    InputError
        If no combination has n <= d, or an activation is not admitted.
    """
    sizes = [(points, dimension) for points in n for dimension in d if points <= dimension]
    require(bool(sizes), "n, d", "such that n <= d for at least one pair", (tuple(n), tuple(d)))
    found = [
        (
            activation,
            global_convergence(
                torch.eye(points, dimension, dtype=torch.float64),
                torch.full((points,), bound, dtype=torch.float64),
                activation,
                gamma=symmetric,
                delta=failure,
            ),
        )
        for activation in activations
        for (points, dimension), bound, symmetric, failure in itertools.product(sizes, C, gamma, delta)
    ]
    require(bool(found), "activations", "given at least one", found)
    return min(found, key=lambda pair: pair[1].width)
