"""Deep networks in training beside one linear model: fully connected, and convolutional on images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from whp.errors import MeasurementError, require
from whp.models.activation import Activation
from whp.models.deep_gradients import ClosedForm
from whp.models.finite import normal
from whp.models.linear import check_regression


@dataclass(frozen=True)
class DeepNetwork:
    """A network ``f(x) = v^T h_L / sqrt(N_L)`` in the NTK parameterisation, one output, no biases.

    Attributes
    ----------
    weights : tuple of Tensor
        Hidden layers: matrices (width, inputs), or filters (channels, channels before, side, side).
    v : Tensor, shape (N_L,)
        Output weights, one for every unit of the last hidden layer.
    activation : Activation
    """

    weights: tuple[Tensor, ...]
    v: Tensor
    activation: Activation

    @property
    def parameters(self) -> list[Tensor]:
        """All that is trained; they require gradients."""
        return [*self.weights, self.v]

    def forward(self, X: Tensor) -> Tensor:
        """Evaluate at images, differentiably.

        Parameters
        ----------
        X : Tensor, shape (n, colours, height, width)

        Returns
        -------
        Tensor, shape (n,)
        """
        convolutional = self.weights[0].ndim == 4
        h = X if convolutional else X.flatten(1)
        for W in self.weights:
            scaled = W * (1.0 / math.sqrt(W[0].numel()))
            if convolutional:
                z = conv2d(pad(h, (W.shape[3] // 2,) * 2 + (W.shape[2] // 2,) * 2, mode="circular"), scaled)
            else:
                z = h @ scaled.T
            h = self.activation.phi(z)
        return h.flatten(1) @ (self.v * (1.0 / math.sqrt(self.v.numel())))

    def closed_form(self, X: Tensor) -> ClosedForm:
        """The same network with its gradients in closed form; it shares the weights."""
        colours, height, width = X.shape[1:]
        return ClosedForm(self.weights, self.v, self.activation, (colours, height, width))

    def outputs(self, X: Tensor) -> Tensor:
        """Evaluate at images without keeping what a gradient would need; shape (n,)."""
        return self.closed_form(X).outputs(X)


def fully_connected(
    rng: np.random.Generator, X: Tensor, width: int, depth: int, activation: Activation
) -> DeepNetwork:
    """Draw a network with ``depth`` hidden layers of ``width`` units for images like ``X``.

    Weights are N(0, 1), drawn on the CPU in the dtype of ``X`` and moved to its device.

    Notes
    -----
    Source: hu2020, Appendix A (depth 4, width 512), and (1) for the parameterisation.
    """
    _check_architecture(X, width, depth)
    inputs = [X[0].numel(), *[width] * (depth - 1)]
    return DeepNetwork(
        tuple(_normal(rng, X, (width, n)) for n in inputs), _normal(rng, X, (width,)), activation
    )


def convolutional(
    rng: np.random.Generator, X: Tensor, channels: int, depth: int, activation: Activation, side: int = 3
) -> DeepNetwork:
    """Draw a network of ``depth`` convolutions with circular padding and no pooling, read out at every place.

    Parameters
    ----------
    X : Tensor, shape (n, colours, height, width)
        Images like those that it is for; gives shape, dtype and device.
    side : int
        Of the square filters; odd.

    Notes
    -----
    Source: hu2020, (12) in two dimensions; Appendix A (depth 4, 256 channels).
    """
    _check_architecture(X, channels, depth)
    fits = side % 2 == 1 and side <= min(X.shape[2:])
    require(fits, "side", f"odd and at most {min(X.shape[2:])}", side)
    before = [X.shape[1], *[channels] * (depth - 1)]
    filters = tuple(_normal(rng, X, (channels, c, side, side)) for c in before)
    return DeepNetwork(filters, _normal(rng, X, (channels * X.shape[2] * X.shape[3],)), activation)


def _check_architecture(X: Tensor, width: int, depth: int) -> None:
    require(X.ndim == 4 and X.numel() > 0, "X", "images (n, colours, height, width)", tuple(X.shape))
    require(width >= 1, "width", "a positive integer", width)
    require(depth >= 1, "depth", "a positive integer", depth)


def _normal(rng: np.random.Generator, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    return normal(rng, shape, like.dtype, like.device).requires_grad_()


def tangent_kernel(network: DeepNetwork, X: Tensor) -> Tensor:
    """Return the tangent kernel of a network at some images.

    Memory is that of one gradient a row: for tens of images, not for thousands.

    Parameters
    ----------
    X : Tensor, shape (n, colours, height, width)

    Returns
    -------
    Tensor, shape (n, n), float64
    """
    return network.closed_form(X).kernel(X)


def linear_slope(Theta: Tensor, X: Tensor) -> float:
    """Return the ``a`` for which ``a <x, x'> / d`` is nearest to a kernel off its diagonal.

    Least squares over all pairs of different images; the first coefficient of the expansion of the
    kernel around orthogonal inputs, as far as these images tell.

    Parameters
    ----------
    Theta : Tensor, shape (n, n)
    X : Tensor, shape (n, ...)

    Raises
    ------
    InputError
        If there are fewer than two images.
    """
    require(len(X) >= 2, "X", "at least two images", len(X))
    flat = X.flatten(1).to(Theta)
    K = flat @ flat.T / flat.shape[1]
    K = K - torch.diag(K.diagonal())
    return float((K * Theta).sum() / (K * K).sum())


@dataclass(frozen=True)
class Trace:
    """Networks and one linear model along training, at some steps.

    Attributes
    ----------
    steps : tuple of int
        After how many steps, k of them.
    networks : mapping of str to Tensor, shape (k, n_test)
        ``f_t - f_0`` on the test images, float64.
    linear : Tensor, shape (k, n_test)
        ``f_t^lin`` there, float64.
    slopes : mapping of str to float
        See `linear_slope`: what the rates were divided by.
    """

    steps: tuple[int, ...]
    networks: Mapping[str, Tensor]
    linear: Tensor
    slopes: Mapping[str, float]


def train_beside_linear(
    rng: np.random.Generator,
    networks: Mapping[str, DeepNetwork],
    X: Tensor,
    y: Tensor,
    X_test: Tensor,
    *,
    rate: float,
    batch: int,
    steps: Sequence[int],
    probe: int = 64,
) -> Trace:
    r"""Train networks by stochastic gradient descent, and with the same batches a linear model in x.

    The loss of a batch B is :math:`\frac{1}{2|B|} \sum_{i \in B} (f(x_i) - y_i)^2`, f being the
    output less that at initialisation. The linear model has the kernel :math:`a x^T x' / d` with the
    network's own slope a (`linear_slope`, at initialisation, on the first ``probe`` images) and the
    network's own rate :math:`\eta`; the rates are such that :math:`\eta a` is the same for all
    networks, so that their linear models are identical:

    .. math:: \eta a = \mathrm{rate} \cdot \frac{n d}{\|X X^T\|} ,

    that is rate over the norm of the linear kernel, divided by n. The weights are trained in place.

    Parameters
    ----------
    rng : Generator
        Draws the batches: without replacement until all images were used.
    networks : mapping of str to DeepNetwork
    X : Tensor, shape (n, colours, height, width)
    y : Tensor, shape (n,)
    X_test : Tensor, shape (n_test, colours, height, width)
    rate : float
        Of the largest stable rate, one half; positive.
    batch : int
        Images a step, at most n.
    steps : sequence of int
        When the test images are evaluated, increasing; training ends at the last.

    Raises
    ------
    InputError
        If an argument is wrong.
    MeasurementError
        If a slope is not positive, or an output is not finite.

    Notes
    -----
    Source: hu2020, Section 4.2 and Appendix A.
    """
    check_regression(X.flatten(1), y, rate, name="X")
    n, d = len(X), X[0].numel()
    require(1 <= batch <= n, "batch", f"from 1 to {n}", batch)
    require(steps[0] >= 0 and list(steps) == sorted(set(steps)), "steps", "increasing", list(steps))
    flat, flat_test = (Z.flatten(1) / math.sqrt(d) for Z in (X, X_test))  # (n, d)
    gram = flat.T @ flat if d <= n else flat @ flat.T
    linear_rate = rate * n / float(torch.linalg.eigvalsh(gram.to(torch.float64))[-1])
    slopes, rates = {}, {}
    for name, network in networks.items():
        slopes[name] = linear_slope(tangent_kernel(network, X[:probe]), X[:probe])
        require(slopes[name] > 0, f"slope of {name}", "positive", slopes[name], MeasurementError)
        rates[name] = linear_rate / slopes[name]
    forms = {name: network.closed_form(X) for name, network in networks.items()}
    start = {name: (form.outputs(X), form.outputs(X_test)) for name, form in forms.items()}
    beta = flat.new_zeros(d)
    seen: dict[str, list[Tensor]] = {name: [] for name in networks}
    lines: list[Tensor] = []
    draw = _batches(rng, n, batch)
    for t in range(steps[-1] + 1):
        if t in steps:
            for name, form in forms.items():
                f = form.outputs(X_test) - start[name][1]
                finite = bool(torch.isfinite(f).all())
                require(finite, f"{name} at step {t}", "finite", "NaN or infinity", MeasurementError)
                seen[name].append(f.to(torch.float64))
            lines.append((flat_test @ beta).to(torch.float64))
        if t == steps[-1]:
            break
        chosen = torch.from_numpy(draw()).to(X.device)
        xb, yb = X[chosen], y[chosen]
        for name, form in forms.items():
            form.step(xb, start[name][0][chosen] + yb, rates[name])
        rows = flat[chosen]
        beta -= linear_rate / batch * (rows.T @ (rows @ beta - yb))
    stacked = {name: torch.stack(values) for name, values in seen.items()}
    return Trace(tuple(steps), stacked, torch.stack(lines), slopes)


def _batches(rng: np.random.Generator, n: int, batch: int) -> Callable[[], np.ndarray]:
    """Return what draws the next batch; what is left of a pass that is too short is dropped."""
    waiting: list[np.ndarray] = []

    def draw() -> np.ndarray:
        if not waiting:
            order = rng.permutation(n)
            waiting.extend(order[k : k + batch] for k in range(0, n - batch + 1, batch))
        return waiting.pop()

    return draw


def split_loss(outputs: Tensor, y: Tensor, X: Tensor) -> tuple[Tensor, Tensor]:
    r"""Split a loss into the part that a linear model can change, and the rest.

    Parameters
    ----------
    outputs : Tensor, shape (k, n)
        Predictions at the images at k steps.
    y : Tensor, shape (n,)
    X : Tensor, shape (n, ...)
        Their columns span :math:`V_{lin}`, of dimension d or less; all of the space where n <= d.

    Returns
    -------
    inside, outside : Tensor, shape (k,)
        :math:`\frac{1}{2n} \|P (f - y)\|^2` for the projections onto it and its complement; they add up
        to the loss.

    Notes
    -----
    Source: hu2020, Section 4.2, Figure 3 (a).
    """
    residual = (outputs - y).to(torch.float64)  # (k, n)
    U, s, _ = torch.linalg.svd(X.flatten(1).to(torch.float64), full_matrices=False)
    basis = U[:, s > 1e-10 * s[0]]  # (n, rank)
    inside = (residual @ basis).square().sum(1)
    total = residual.square().sum(1)
    return inside / (2 * len(y)), (total - inside).clamp_min(0.0) / (2 * len(y))


def relative_gap(network: Tensor, linear: Tensor) -> Tensor:
    r"""Return :math:`\|f - f^{lin}\|^2 / \|f^{lin}\|^2` at each step, shape (k,).

    Parameters
    ----------
    network, linear : Tensor, shape (k, n)
        Predictions; the linear ones must not all be zero at a step.

    Notes
    -----
    Source: hu2020, Section 4.2, Figure 3 (c).
    """
    size = linear.square().sum(1)
    require(bool((size > 0).all()), "linear predictions", "not all zero at a step", size.tolist())
    return (network - linear).square().sum(1) / size
