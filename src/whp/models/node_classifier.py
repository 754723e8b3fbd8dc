r"""Node-scaled networks with an output a class: both layers trained to classify, and nodes pruned.

Source: F. Caron, F. Ayed, P. Jung, H. Lee, J. Lee, H. Yang (2023), "Over-parameterised shallow neural
networks with asymmetrical node scaling: global convergence guarantees and feature learning", NeurIPS;
Appendix J, "Classification".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from whp.errors import MeasurementError, require
from whp.models.node_network import NodeScaled


def train_classifier(
    network: NodeScaled,
    X: Tensor,
    labels: Tensor,
    *,
    rate: float,
    batches: Sequence[Tensor],
    record: Sequence[int] | None = None,
) -> list[NodeScaled]:
    r"""Train both layers by stochastic gradient descent on the cross-entropy.

    Parameters
    ----------
    network : NodeScaled
        At step 0, with one column of signs a class; left as it is.
    X : Tensor, shape (n, r)
    labels : Tensor of int64, shape (n,)
        From 0 to K - 1.
    rate : float
        Of both layers; the loss is the mean over the batch of the cross-entropy of the outputs' softmax.
    batches : sequence of Tensor of int64
        Which rows each step sees.
    record : sequence of int, optional
        Increasing numbers of steps after which the network is returned; the last step only by default.

    Returns
    -------
    list of NodeScaled
        In place of the signs they have the trained second layer.

    Raises
    ------
    InputError
        If an argument is wrong.
    MeasurementError
        If a weight is not finite at a recorded step.

    Notes
    -----
    Source: caron2023, Appendix J ("stochastic GD ... cross-entropy loss ... both layers are trained"). The
    gradient of a layer has the factor :math:`\sqrt{\lambda_{m,j}}` in both, and :math:`1 / \sqrt d` in the
    first. Displacements are the state, so small moves keep their digits in float32.
    """
    marks = [len(batches)] if record is None else list(record)
    _check(network, X, labels, rate, len(batches), marks)
    start_W, start_A = network.weights.T, network.signs  # (r, m), (m, K)
    Y = one_hot(labels, start_A.shape[1]).to(X)  # (n, K)
    X = X / math.sqrt(network.dimension)
    root, phi = network.scales.values.sqrt().to(X), network.activation  # (m,)
    W, A = start_W.clone(), start_A.clone()
    moved_W, moved_A = torch.zeros_like(W), torch.zeros_like(A)
    found = []
    for step in range(len(batches) + 1):
        if step in marks:
            finite = bool(torch.isfinite(W).all() and torch.isfinite(A).all())
            require(finite, f"network at step {step}", "finite", "NaN or infinity", MeasurementError)
            found.append(replace(network, weights=W.clone().T, signs=A.clone()))
        if step == len(batches):
            break
        x = X[batches[step]]  # (b, r)
        z = x @ W  # (b, m)
        hidden = phi.phi(z) * root
        error = torch.softmax(hidden @ A, dim=1).sub_(Y[batches[step]]).div_(len(x))  # (b, K)
        back = torch.mm(error, A.T).mul_(phi.dphi(z)).mul_(root)  # (b, m)
        moved_W.addmm_(x.T, back, alpha=-rate)
        moved_A.addmm_(hidden.T, error, alpha=-rate)
        torch.add(start_W, moved_W, out=W)
        torch.add(start_A, moved_A, out=A)
    return found


def pruned(network: NodeScaled, nodes: Tensor) -> NodeScaled:
    """Return the network with some of its nodes only: the others reach the outputs no more.

    Parameters
    ----------
    network : NodeScaled
    nodes : Tensor of int64, shape (k,)
        Which to keep, no two the same.

    Raises
    ------
    InputError
        If there is none, one twice, or one that the network does not have.
    """
    m = len(network.weights)
    known = nodes.ndim == 1 and len(nodes) > 0 and bool(((nodes >= 0) & (nodes < m)).all())
    distinct = known and len(set(nodes.tolist())) == len(nodes)
    require(distinct, "nodes", f"one or more different nodes from 0 to {m - 1}", nodes.tolist())
    kept = torch.zeros_like(network.signs)
    kept[nodes] = network.signs[nodes]
    return replace(network, signs=kept)


def movement(network: NodeScaled, start: NodeScaled) -> Tensor:
    """Return ``||w_j - w_{0j}||`` of every node, shape (m,), float64."""
    moved: Tensor = (network.weights.to(torch.float64) - start.weights.to(torch.float64)).norm(dim=1)
    return moved


def _check(network: NodeScaled, X: Tensor, labels: Tensor, rate: float, steps: int, marks: list[int]) -> None:
    A, r = network.signs, network.weights.shape[1]
    require(A.ndim == 2, "network", "with one column of signs a class", f"signs of shape {tuple(A.shape)}")
    require(X.ndim == 2 and X.shape[1] == r and len(X) > 0, "X", f"of shape (n, {r})", tuple(X.shape))
    require(X.dtype == A.dtype, "X", f"of {A.dtype}, as the network", X.dtype)
    require(labels.shape == X.shape[:1], "labels", f"of shape ({len(X)},)", tuple(labels.shape))
    last = A.shape[1] - 1
    whole = not labels.is_floating_point() and bool(((labels >= 0) & (labels <= last)).all())
    require(whole, "labels", f"integers from 0 to {last}", (labels.min().item(), labels.max().item()))
    require(0 < rate < math.inf, "rate", "positive and finite", rate)
    ordered = all(a < b for a, b in itertools.pairwise([-1, *marks, steps + 1]))
    require(bool(marks) and ordered, "record", f"increasing steps from 0 to {steps}", marks)
