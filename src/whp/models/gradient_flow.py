r"""Gradient flow of fully connected networks on the squared loss, with an error that is controlled.

A wide network is nearly linear in its weights, and the linear part is stiff: the tangent kernel has
large and small eigenvalues. Its exponential is applied exactly, so that a step is as long as the
*change* of the kernel allows. All that a step needs besides two passes through the network is made of
n x n matrices, since every gradient of a layer has the form :math:`\sum_i c_i b_i g_i^\top`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from whp.errors import MeasurementError, require
from whp.models.finite import FullyConnected, Pass

_GROWTH = 4.0
_SAFETY = 0.8


@dataclass(frozen=True)
class GradientFlow:
    r"""A network along gradient flow, at the times of its steps.

    Rows of inputs are the n training points, and after them the test points: N in all.

    Attributes
    ----------
    times : Tensor, shape (k,)
        From zero, for the loss :math:`\frac12 \sum_i (\kappa f(x_i) - y_i)^2`; with 1/n in front of the
        loss the same weights are reached at n times these times.
    outputs : Tensor, shape (k, N)
        :math:`\kappa f(\theta(t), x)`.
    limit : Tensor, shape (N,)
        The outputs at infinity: the last ones, continued with the last kernel.
    residuals : Tensor, shape (k,)
        :math:`\|u(t) - y\|`.
    kernels : Tensor, shape (k, N, N)
        :math:`\langle \partial f(x), \partial f(x') \rangle` at :math:`\theta(t)`, without kappa.
    movement : Tensor, shape (k, L + 1)
        :math:`\|W^{(h)}(t) - W^{(h)}(0)\|_F`.
    network : FullyConnected
        As trained, at the last time.
    rejected : int
        Steps that were made again, shorter.

    Notes
    -----
    All but the network in float64, on the CPU.
    """

    times: Tensor
    outputs: Tensor
    limit: Tensor
    residuals: Tensor
    kernels: Tensor
    movement: Tensor
    network: FullyConnected
    rejected: int


def gradient_flow(
    network: FullyConnected,
    X: Tensor,
    y: Tensor,
    *,
    X_test: Tensor | None = None,
    multiplier: float = 1.0,
    stop: float = 1e-3,
    tolerance: float = 0.1,
    most_steps: int = 2000,
) -> GradientFlow:
    r"""Follow :math:`\dot\theta = -\nabla \frac12 \sum_i (\kappa f(\theta, x_i) - y_i)^2` to convergence.

    Parameters
    ----------
    network : FullyConnected
        At time zero; it is left as it is.
    X : Tensor, shape (n, d)
    y : Tensor, shape (n,)
    X_test : Tensor, shape (T, d), optional
        Where the outputs are wanted too; nothing is learned from them.
    multiplier : float
        :math:`\kappa`, positive.
    stop : float
        Ends once the residual is below ``stop`` times the first one, in (0, 1).
    tolerance : float
        What a step of first order may err by, so that the step is taken by second order: in any training
        output, by the length of its gradient, against the root mean square of the first residual.
    most_steps : int
        Steps, rejected ones included.

    Returns
    -------
    GradientFlow

    Raises
    ------
    InputError
        If an argument is wrong.
    MeasurementError
        If something is not finite, or it takes more steps.

    Notes
    -----
    Source: arora2019, Section 3 and Lemma 3.1. The scheme is ETD2RK (Cox and Matthews, J. Comput. Phys.
    176, 2002), its linear part :math:`-\kappa^2 J^\top J` renewed at each step. Where an activation has
    kinks the flow has them too, and the order is below two; the error is controlled all the same.
    """
    _check(network, X, y, X_test, multiplier, stop, tolerance, most_steps)
    n, kappa = len(X), multiplier
    rows = X if X_test is None else torch.cat([X, X_test])
    target = y.to(torch.float64)
    here, state = network, _State(network.pass_(rows), kappa)
    r = state.outputs[:n] - target
    first = float(r.norm())
    seen = [(0.0, state.outputs, first, state.kernel, [0.0] * len(network.weights))]
    time, step, rejected = 0.0, math.inf, 0
    for _ in range(most_steps):
        if seen[-1][2] <= stop * first:
            break
        K = state.kernel[:n, :n]
        finite = bool(torch.isfinite(K).all() and torch.isfinite(r).all())
        require(finite, f"gradient flow at time {time:g}", "finite", "NaN or infinity", MeasurementError)
        values, Q = torch.linalg.eigh(K)
        if math.isinf(step):
            step = 1.0 / (kappa**2 * float(values[-1]))

        def function(order: int, values: Tensor = values, Q: Tensor = Q, length: float = step) -> Tensor:
            return (Q * phi_function(order, -length * kappa**2 * values)) @ Q.T

        start = state.rows(n)
        alpha = -step * kappa * (function(1) @ r)
        ahead = _State(_moved(here, (start, alpha)).pass_(X), kappa)
        # What the flow there has that the linear one has not: J^T c + J_a^T c_a, and J applied to it.
        c = kappa * (r + kappa * (K @ alpha))
        c_a = -kappa * (ahead.outputs - target)
        cross = _kernel(start, ahead.exact)
        beta = step * (0.5 * c - step * kappa**2 * (function(3) @ (K @ c + cross @ c_a)))
        gamma = 0.5 * step * c_a
        squared = beta @ K @ beta + 2 * (beta @ cross @ gamma) + gamma @ ahead.kernel @ gamma
        reach = float(K.diagonal().max()) * float(squared.clamp_min(0))
        error = kappa * math.sqrt(reach) / (tolerance * first / math.sqrt(n))
        # A step that ends in NaN or infinity is taken again, shorter.
        error = error if math.isfinite(error) else math.inf
        factor = min(_GROWTH, max(1 / _GROWTH, _SAFETY / math.sqrt(max(error, 1e-12))))
        if error > 1:
            rejected, step = rejected + 1, step * min(factor, _SAFETY)
            continue
        here = _moved(here, (start, alpha + beta), (ahead.exact, gamma))
        time, step = time + step, step * factor
        state = _State(here.pass_(rows), kappa)
        r = state.outputs[:n] - target
        moved = [float(torch.dist(W, W0)) for W, W0 in zip(here.weights, network.weights, strict=True)]
        seen.append((time, state.outputs, float(r.norm()), state.kernel, moved))
    remains = seen[-1][2] / max(first, 1e-300)
    require(remains <= stop, f"residual after {most_steps} steps", f"<= {stop:g} of the first", remains,
            MeasurementError)  # fmt: skip
    # On the CPU: CUDA has no least squares for a kernel that may be singular.
    outputs, kernel = state.outputs.cpu(), state.kernel.cpu()
    left = torch.linalg.lstsq(kernel[:n, :n], r.cpu(), driver="gelsd").solution
    return GradientFlow(
        times=torch.tensor([s[0] for s in seen], dtype=torch.float64),
        outputs=torch.stack([s[1] for s in seen]).cpu(),
        limit=outputs - kernel[:, :n] @ left,
        residuals=torch.tensor([s[2] for s in seen], dtype=torch.float64),
        kernels=torch.stack([s[3] for s in seen]).cpu(),
        movement=torch.tensor([s[4] for s in seen], dtype=torch.float64),
        network=here,
        rejected=rejected,
    )


# The two factors of the gradients, layer by layer: b^(h) and g^(h-1), each with one row an input.
_Factors = tuple[tuple[Tensor, Tensor], ...]


class _State:
    """A pass in double precision: outputs (times kappa), factors of the gradients, their kernel.

    The factors cancel between two passes; summed in single precision nothing would be left of that.
    """

    def __init__(self, passed: Pass, kappa: float) -> None:
        wide = torch.float64
        self.outputs = kappa * passed.outputs.to(wide)
        self.exact: _Factors = tuple(
            (b.to(wide), g.to(wide)) for b, g in zip(passed.b, passed.g, strict=True)
        )
        self.kernel = _kernel(self.exact, self.exact)

    def rows(self, n: int) -> _Factors:
        """The factors of the first n inputs."""
        return tuple((b[:n], g[:n]) for b, g in self.exact)


def _kernel(one: _Factors, two: _Factors) -> Tensor:
    """Inner products of the gradients."""
    terms = [(b @ b_.T) * (g @ g_.T) for (b, g), (b_, g_) in zip(one, two, strict=True)]
    return torch.stack(terms).sum(0)


def _moved(network: FullyConnected, *along: tuple[_Factors, Tensor]) -> FullyConnected:
    """The weights plus the sum of J^T c over pairs of the factors of J and c."""
    weights = []
    for h, W in enumerate(network.weights):
        left = torch.cat([factors[h][0] * c[:, None] for factors, c in along]).to(W)  # (rows, d_h)
        right = torch.cat([factors[h][1] for factors, _ in along]).to(W)  # (rows, d_{h-1})
        weights.append(torch.addmm(W, left.T, right))
    return replace(network, weights=tuple(weights))


def phi_function(order: int, z: Tensor) -> Tensor:
    r""":math:`\varphi_k(z) = \sum_j z^j / (j + k)!`, without cancellation; ``z <= 0`` up to rounding."""
    near = z.abs() < 1.0
    small, large = torch.where(near, z, 0.0), torch.where(near, -1.0, z)
    powers = torch.arange(18, device=z.device)
    coefficients = z.new_tensor([1 / math.factorial(j + order) for j in range(len(powers))])
    series = small[..., None] ** powers @ coefficients
    value = torch.exp(large)
    for k in range(order):
        value = (value - 1.0 / math.factorial(k)) / large
    return torch.where(near, series, value)


def _check(
    network: FullyConnected,
    X: Tensor,
    y: Tensor,
    X_test: Tensor | None,
    multiplier: float,
    stop: float,
    tolerance: float,
    most_steps: int,
) -> None:
    d = network.weights[0].shape[1]
    for name, rows in {"X": X, "X_test": X_test}.items():
        if rows is not None:
            right = rows.ndim == 2 and len(rows) > 0 and rows.shape[1] == d
            require(right, name, f"of shape (n, {d}) with n >= 1", tuple(rows.shape))
            require(bool(torch.isfinite(rows).all()), name, "finite", "NaN or infinity")
    require(y.shape == (len(X),), "y", f"of shape ({len(X)},)", tuple(y.shape))
    require(bool(torch.isfinite(y).all()), "y", "finite", "NaN or infinity")
    require(0 < multiplier < math.inf, "multiplier", "a positive number", multiplier)
    require(0 < stop < 1, "stop", "in (0, 1)", stop)
    require(0 < tolerance < math.inf, "tolerance", "a positive number", tolerance)
    require(most_steps >= 1, "most_steps", "a positive integer", most_steps)
