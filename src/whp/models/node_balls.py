r"""How far the NTG matrix can go when every node's weights stay in a ball of their own.

The matrix is ``Theta(W) = (1/d) sum_j lambda_j diag(s_j) B B^T diag(s_j)`` with the slopes
``s_j = sigma'(B w_j / sqrt d)`` (caron2023, (5)); the balls are ``|w_j - w_0j| <= rho_j``. For a fixed vector
v the form ``v^T Theta(W) v`` is a sum over nodes, so its largest value is found node by node; a search
alternates that with taking v as an eigenvector. It finds a lower bound of the supremum of
``||Theta(W) - Theta(W_0)||``; for ReLU, whose slopes take two values, there is an upper bound as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from whp.errors import require
from whp.models.activation import Activation


@dataclass(frozen=True)
class NodeBalls:
    """A ball for the weights of each node, and the inputs that they meet.

    Attributes
    ----------
    inputs : Tensor, shape (n, r)
        The inputs, or any rows with the same inner products.
    weights : Tensor, shape (m, r)
        The centres ``w_0j``.
    radii : Tensor, shape (m,)
        Not negative.
    d : int
        The dimension that the model is scaled by; r may be smaller.
    """

    inputs: Tensor
    weights: Tensor
    radii: Tensor
    d: int

    def __post_init__(self) -> None:
        m, r = self.weights.shape
        require(self.inputs.ndim == 2 and self.inputs.shape[1] == r, "inputs", f"of shape (n, {r})",
                tuple(self.inputs.shape))  # fmt: skip
        require(tuple(self.radii.shape) == (m,), "radii", f"of shape ({m},)", tuple(self.radii.shape))
        good = bool((self.radii >= 0).all()) and bool(torch.isfinite(self.radii).all())
        require(good, "radii", "finite and not negative", self.radii.tolist()[:10])
        require(self.d >= 1, "d", "at least 1", self.d)

    def restricted(self, kept: Tensor) -> NodeBalls:
        """Return the balls of some of the nodes, by mask or index."""
        return NodeBalls(self.inputs, self.weights[kept], self.radii[kept], self.d)

    def reach(self) -> tuple[Tensor, Tensor]:
        """Return ``B w_0j``, and by how much its entries can move, both of shape (n, m)."""
        lengths = torch.linalg.vector_norm(self.inputs, dim=1)
        return self.inputs @ self.weights.T, lengths[:, None] * self.radii

    def gram(self, slopes: Tensor, scales: Tensor) -> Tensor:
        """Return Theta from the slopes, shape (n, m), and the scales, shape (m,)."""
        return (slopes * scales) @ slopes.T * (self.inputs @ self.inputs.T) / self.d


def relu_change_limit(balls: NodeBalls, scales: Tensor) -> Tensor:
    r"""Bound every entry of ``Theta(W) - Theta(W_0)`` over all W in the balls, for ReLU with slope 0 at 0.

    Parameters
    ----------
    balls : NodeBalls
    scales : Tensor, shape (m,)
        Not negative.

    Returns
    -------
    Tensor, shape (n, n)
        At least ``|Theta(W) - Theta(W_0)|`` entry by entry, so that its spectral norm is at least
        ``||Theta(W) - Theta(W_0)||`` for every W in the balls: both are norms of matrices one of which
        dominates the other.

    Notes
    -----
    A node contributes to entry (a, b) where both of its slopes are one. That can begin only where both can
    be one, and can end only where one of them can be zero; which of the two moves has the larger sum over
    nodes is the bound. It leaves out that the entries of one node are tied, and their signs.
    """
    z, room = balls.reach()
    on = z > 0
    could = on | (z + room > 0)  # some weights in the ball give the slope one
    surely = on & (z - room > 0)  # all of them do
    here, up, low = (x.to(scales) for x in (on, could, surely))
    rise = (up * scales) @ up.T - (here * scales) @ here.T
    fall = (here * scales) @ here.T - (low * scales) @ low.T
    return torch.maximum(rise, fall) * (balls.inputs @ balls.inputs.T).abs() / balls.d


def relu_movable(balls: NodeBalls) -> Tensor:
    """Return which nodes have a slope that can change at all, shape (m,), bool."""
    z, room = balls.reach()
    on = z > 0
    movable: Tensor = (on & (z - room <= 0)) | (~on & (z + room > 0))
    return movable.any(dim=0)


@dataclass(frozen=True)
class Farthest:
    """What a search in the balls found: a lower bound of the supremum.

    Attributes
    ----------
    change : float
        ``||Theta(W) - Theta(W_0)||`` at the best W that was found.
    least : float
        The smallest eigenvalue of ``Theta(W)`` at another, found for that.
    """

    change: float
    least: float


def farthest(
    balls: NodeBalls,
    scales: Tensor,
    activation: Activation,
    *,
    least_of: Tensor | None = None,
    rest: Tensor | None = None,
    rounds: int = 4,
) -> Farthest:
    """Search for the weights in the balls that change the NTG matrix most, and those of least eigenvalue.

    Each node chooses among its centre and the moves by its radius along the inputs, their mean, and the
    gradient of the form for the vector at hand, both ways. Where only one slope of a ReLU node can change,
    the choice contains everything that it can do.

    Parameters
    ----------
    balls : NodeBalls
    scales : Tensor, shape (m,)
        Those of the matrix whose change is sought.
    activation : Activation
    least_of : Tensor, shape (m,), optional
        The scales of the matrix whose smallest eigenvalue is sought; by default `scales`.
    rest : Tensor, shape (n, n), optional
        Added to that matrix: what nodes contribute that do not move and were left out.
    rounds : int
        How often the nodes choose.

    Returns
    -------
    Farthest
    """
    n = len(balls.inputs)
    rest = torch.zeros(n, n, dtype=scales.dtype) if rest is None else rest
    if not len(balls.weights):
        return Farthest(0.0, float(torch.linalg.eigvalsh(rest)[0]))
    choice = _Choice(balls, activation)
    start = balls.gram(choice.still, scales)
    changes = [choice.climb(scales, sign, -start, rounds) for sign in (1.0, -1.0)]
    change = max(float(torch.linalg.eigvalsh(D).abs().max()) for D in changes)
    bottom = choice.climb(scales if least_of is None else least_of, -1.0, rest, rounds)
    return Farthest(change, float(torch.linalg.eigvalsh(bottom)[0]))


class _Choice:
    """The moves that a node may choose from, and what they make of its slopes."""

    def __init__(self, balls: NodeBalls, activation: Activation) -> None:
        self.balls, self.activation = balls, activation
        B = balls.inputs
        directions = torch.nn.functional.normalize(
            torch.cat((B, B.sum(dim=0, keepdim=True))), dim=1
        )  # (K, r)
        z = B @ balls.weights.T
        steps = (B @ directions.T).T[:, :, None] * balls.radii  # (K, n, m)
        moves = torch.cat((z[None], z + steps, z - steps)) / math.sqrt(balls.d)
        self.fixed = activation.dphi(moves)  # (2 K + 1, n, m)
        self.still = self.fixed[0]  # (n, m)

    def climb(self, scales: Tensor, sign: float, offset: Tensor, rounds: int) -> Tensor:
        """Return Theta(W) + offset where its eigenvalue at one end, by sign, was found to be farthest out."""
        best = self.balls.gram(self.still, scales) + offset
        D, height = self.balls.gram(self.fixed[1], scales) + offset, self._height(best, sign)
        for _ in range(rounds):
            vectors = torch.linalg.eigh(D)[1]
            v = vectors[:, -1] if sign > 0 else vectors[:, 0]
            D = self.balls.gram(self._best(v, sign), scales) + offset
            found = self._height(D, sign)
            if found <= height:
                break
            best, height = D, found
        return best

    def _height(self, D: Tensor, sign: float) -> float:
        values = torch.linalg.eigvalsh(D)
        return float(values[-1] if sign > 0 else -values[0])

    def _best(self, v: Tensor, sign: float) -> Tensor:
        """The slopes of the best move of every node for the vector v, shape (n, m)."""
        B = self.balls.inputs
        pool = torch.cat((self.fixed, self._gradient_moves(v)))  # (K, n, m)
        heights = torch.einsum("knm,nr->kmr", pool * v[:, None], B).square().sum(dim=2)  # (K, m)
        chosen = (sign * heights).argmax(dim=0)  # (m,)
        return torch.take_along_dim(pool, chosen[None, None, :], dim=0)[0]

    def _gradient_moves(self, v: Tensor) -> Tensor:
        """Slopes after a move along the gradient of the node's own form, up and down, shape (2, n, m)."""
        W, radii = self.balls.weights.clone().requires_grad_(), self.balls.radii[:, None]
        form = ((self._slopes(W) * v[:, None]).T @ self.balls.inputs).square().sum()
        if not form.requires_grad:  # ReLU: its slope has no derivative
            return self.fixed[:0]
        step = radii * torch.nn.functional.normalize(torch.autograd.grad(form, W)[0], dim=1)
        return torch.stack([self._slopes(self.balls.weights + s) for s in (step, -step)])

    def _slopes(self, W: Tensor) -> Tensor:
        return self.activation.dphi(self.balls.inputs @ W.T / math.sqrt(self.balls.d))
