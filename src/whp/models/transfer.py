r"""Transfer of learnt features: the most important hidden units feed an external network.

A trained network of `whp.models.node_network` gives features, the outputs of its hidden units. Those of the
largest importance :math:`\lambda_{m,j} \|w_{tj}\|^2` are the inputs of an external network with one hidden
layer of ReLU units, trained by full-batch gradient descent.

Source: caron2023, Appendix J, "Regression" and "Classification".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whp.errors import MeasurementError, require


def importance(scales: Tensor, weights: Tensor) -> Tensor:
    r"""Return the importance :math:`\lambda_{m,j} \|w_{tj}\|^2` of every hidden unit (caron2023, Appendix J).

    Parameters
    ----------
    scales : Tensor, shape (m,)
        :math:`\lambda_{m,j}`.
    weights : Tensor, shape (m, d)
        :math:`w_{tj}`.

    Returns
    -------
    Tensor, shape (m,), float64
    """
    m = len(weights)
    require(weights.ndim == 2 and m > 0, "weights", "a non-empty matrix", tuple(weights.shape))
    require(scales.shape == (m,), "scales", f"of shape ({m},)", tuple(scales.shape))
    return scales.to(weights.device, torch.float64) * weights.to(torch.float64).square().sum(dim=1)


def most_important(values: Tensor, k: int) -> Tensor:
    """Return the places of the ``k`` largest importances, largest first; of equal ones the earlier first.

    Raises
    ------
    InputError
        If ``k`` is not from 1 to the number of units.
    """
    require(1 <= k <= len(values), "k", f"from 1 to {len(values)}", k)
    return torch.argsort(values, descending=True, stable=True)[:k]


def standardised(train: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Bring features to mean 0 and variance 1 over the training points.

    Parameters
    ----------
    train, *others : Tensor, shape (..., n, k)
        A feature that is constant over the training points becomes zero everywhere.

    Returns
    -------
    tuple of Tensor
        As many as were given.
    """
    mean = train.mean(dim=-2, keepdim=True)
    spread = train.std(dim=-2, correction=0, keepdim=True)
    flat = train.amax(dim=-2, keepdim=True) == train.amin(dim=-2, keepdim=True)
    factor = torch.where(flat, 0.0, 1 / torch.where(flat, 1.0, spread))
    return tuple((features - mean) * factor for features in (train, *others))


@dataclass(frozen=True)
class External:
    r"""External networks :math:`f(x) = H^{-1/2} \sum_h v_h\,\mathrm{ReLU}(c_h + u_h^\top x / \sqrt k)`.

    A leading axis B, where there is one, holds independent networks that were trained side by side.

    Attributes
    ----------
    U : Tensor, shape (B, k, H)
    c : Tensor, shape (B, 1, H)
    v : Tensor, shape (B, H, K)
    sizes : Tensor, shape (B, 1, 1)
        k of each network; fewer than the columns of U where features are padded with zeros.
    """

    U: Tensor
    c: Tensor
    v: Tensor
    sizes: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Outputs at ``features``, shape (B, n, k): shape (B, n, K)."""
        return self._read(self._hidden(features))

    def _hidden(self, features: Tensor) -> Tensor:
        return torch.baddbmm(self.c, features / self.sizes.sqrt(), self.U).relu_()

    def _read(self, hidden: Tensor) -> Tensor:
        return torch.bmm(hidden, self.v).div_(math.sqrt(self.v.shape[1]))


def train_external(
    rng: np.random.Generator,
    features: Tensor,
    targets: Tensor,
    *,
    sizes: Tensor | None = None,
    hidden: int = 64,
    steps: int = 5000,
    rate: float = 1.0,
) -> External:
    r"""Train external networks side by side on the mean squared error, all of them from the same weights.

    Full-batch gradient descent on :math:`\frac{1}{2n} \sum_i |f(x_i) - y_i|^2` over all parameters. The paper
    prints width, steps and rate; it leaves open parameterisation, initialisation and loss. Here weights are
    standard normal with the factors of `External`, biases start at 0: with standardised features the
    tangent kernel then has a mean trace of 1.5 n, so a rate of 1 on the mean loss, stable up to eigenvalues
    of 2 n, is one that the features cannot make too large at the start.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws U and v, once for all networks: comparisons between them are paired.
    features : Tensor, shape (B, n, k)
        Standardised features.
    targets : Tensor, shape (n, K)
    sizes : Tensor of int, shape (B,), optional
        How many of the k features each network has, where the others are zero.
    hidden, steps, rate
        As printed: 64 (128 for MNIST), 5000, 1.0.

    Returns
    -------
    External

    Raises
    ------
    InputError
        If shapes disagree or a size is not positive.
    MeasurementError
        If training diverges: the rate is too large for these features.

    Notes
    -----
    Source: caron2023, Appendix J.
    """
    require(features.ndim == 3 and features.numel() > 0, "features", "of shape (B, n, k)", features.shape)
    B, n, k = features.shape
    require(targets.ndim == 2 and len(targets) == n, "targets", f"of shape ({n}, K)", tuple(targets.shape))
    require(hidden >= 1 and steps >= 1, "hidden, steps", "at least 1", (hidden, steps))
    counts = torch.full((B,), k) if sizes is None else sizes
    fits = counts.shape == (B,) and int(counts.min()) >= 1 and int(counts.max()) <= k
    require(fits, "sizes", f"{B} numbers from 1 to {k}", counts.tolist())
    like, K = features.new_empty(0), targets.shape[1]
    # Drawn in the order of features, so that a network with fewer has the first rows of the same weights.
    first = torch.from_numpy(rng.standard_normal((k, hidden))).to(like)
    second = torch.from_numpy(rng.standard_normal((hidden, K))).to(like)
    net = External(
        first.repeat(B, 1, 1),
        like.new_zeros(B, 1, hidden),
        second.repeat(B, 1, 1),
        counts.reshape(B, 1, 1).to(like),
    )
    scaled = features / net.sizes.sqrt()  # (B, n, k)
    wanted = targets.to(like).expand(B, n, K)
    root = math.sqrt(hidden)
    for _ in range(steps):
        h = torch.baddbmm(net.c, scaled, net.U).relu_()  # (B, n, H)
        error = net._read(h).sub_(wanted).mul_(rate / n)  # (B, n, K), with the rate in it
        back = torch.bmm(error, net.v.mT).mul_(h > 0)  # (B, n, H)
        net.v.baddbmm_(h.mT, error, alpha=-1 / root)
        net.U.baddbmm_(scaled.mT, back, alpha=-1 / root)
        net.c.sub_(back.sum(dim=1, keepdim=True), alpha=1 / root)
    finite = all(bool(torch.isfinite(t).all()) for t in (net.U, net.c, net.v))
    rule = f"small enough to train external networks on {k} features"
    require(finite, "rate", rule, rate, MeasurementError)
    return net
