r"""Theorem C.2 of hu2020 for any model in torch: how close its training is to that of a linear model.

Gradient descent on ``L(theta) = |u(theta) - y|^2 / (2 n)`` stays as close to gradient descent on a linear
model with kernel K as the Jacobian's kernel stays to K along the way. See docs/closeness.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from whp.errors import MeasurementError, require
from whp.models.linear import LinearDescent

Array = npt.NDArray[np.float64]
Parameters = dict[str, Tensor]

MOVEMENT_CONSTANT = 0.12
CLOSENESS_CONSTANT = 1.13
"""The universal constants c and C for which the proof of Theorem C.2 goes through, see `Closeness`."""

# Nodes of Gauss's quadrature on [0, 1] of order two.
_NODES = (0.5 - math.sqrt(1 / 12), 0.5 + math.sqrt(1 / 12))


@dataclass(frozen=True)
class Closeness:
    r"""How close the training of a model is to that of a linear model, and how close it has to be.

    With ``E(t) = \bar J(t) J(theta(t))^T - K``, where ``\bar J(t)`` is the Jacobian averaged over the
    segment from ``theta(t)`` to ``theta(t + 1)``, one step is exactly
    ``u(t+1) - y = (I - (eta/n)(K + E(t))) (u(t) - y)``. Where ``eta <= 2 n / |K|`` and
    ``|E(s)| <= epsilon`` for all s < t, it follows that
    ``|u(t) - u_lin(t)| <= |u(0) - y| ((1 + eta epsilon / n)^t - 1)``: `guaranteed`.
    Theorem C.2 asks for more, the same epsilon in a whole ball, and gives more: until
    ``t = c R^2 / eta`` the weights stay within R, with ``C eta t epsilon / sqrt n`` for the
    predictions. With c = 0.12 and C = 1.13 its proof goes through.

    Attributes
    ----------
    actual : array, shape (T + 1,)
        ``|u(t) - u_lin(t)|``, Euclidean norm over the n outputs.
    guaranteed : array, shape (T + 1,)
        Its bound above, with the largest ``|E(s)|`` until then; valid with ``every=1``, up to the
        error of the quadrature for ``\bar J``.
    displacement : array, shape (T + 1,)
        ``|theta(t) - theta(0)|``.
    losses, linear_losses : array, shape (T + 1,)
        ``|u - y|^2 / (2 n)`` of both models.
    measured_at : array of int
        Steps at which the Jacobian was looked at.
    deviations : array, of the shape of ``measured_at``
        There, the larger of ``|E(t)|`` and ``|J(theta(t)) J(theta(t))^T - K|``, the two that the proof
        of Theorem C.2 uses.
    epsilon : float
        The largest of ``deviations``.
    radius : float
        R, by default the least for which the horizon covers the run: ``sqrt(eta T / c)``.
    horizon : int
        Last step of the run that Theorem C.2 covers with this R: ``t <= c R^2 / eta``.
    implied_constant : float
        Largest ``actual / (eta t epsilon / sqrt n)`` within the horizon; the theorem says: at most C.
    hypotheses : dict of str to bool
        The hypotheses of Theorem C.2, each by its formula. Epsilon is measured along the way only, so
        ``R^2 epsilon < n`` can be found to fail and not proved to hold.
    """

    actual: Array
    guaranteed: Array
    displacement: Array
    losses: Array
    linear_losses: Array
    measured_at: npt.NDArray[np.int64]
    deviations: Array
    epsilon: float
    radius: float
    horizon: int
    implied_constant: float
    hypotheses: dict[str, bool]

    @property
    def holds(self) -> bool:
        """Whether no hypothesis of Theorem C.2 was found to fail."""
        return all(self.hypotheses.values())


def output_jacobian(model: nn.Module, parameters: Parameters, X: Tensor, chunk: int | None = None) -> Tensor:
    """Return the Jacobian of all outputs in all parameters, shape (n, N).

    Parameters
    ----------
    model : nn.Module
        Takes a batch, shape (k, ...), and returns one output a row, shape (k,) or (k, 1), each of which
        depends on its own row alone.
    parameters : dict of str to Tensor
        Where to differentiate, by name.
    X : Tensor, shape (n, ...)
    chunk : int, optional
        Rows at once; all by default.
    """

    def output(values: Parameters, x: Tensor) -> Tensor:
        result: Tensor = functional_call(model, values, (x[None],))
        return result.reshape(())

    rows = vmap(grad(output), in_dims=(None, 0), chunk_size=chunk)(parameters, X)
    return torch.cat([rows[name].flatten(1) for name in parameters], dim=1)


def measure_closeness(
    model: nn.Module,
    X: Tensor,
    y: Tensor,
    eta: float,
    steps: int,
    *,
    kernel: Tensor | None = None,
    radius: float | None = None,
    every: int = 1,
    chunk: int | None = None,
) -> Closeness:
    """Train a copy of a model by gradient descent beside a linear model, and say how close they stay.

    The model's output at the start is subtracted, so that both start from zero as in Theorem C.2.

    Parameters
    ----------
    model : nn.Module
        Any module with one real output a row, differentiable in its parameters; it is left as it is.
        Parameters that do not require a gradient stay fixed.
    X : Tensor, shape (n, ...)
        Inputs; the first dimension is the sample.
    y : Tensor, shape (n,)
        Targets.
    eta : float
        Learning rate.
    steps : int
        Number of steps T.
    kernel : Tensor, shape (n, n), optional
        K, symmetric and positive semi-definite. By default ``J J^T`` at the start: the model's own
        linearisation.
    radius : float, optional
        R of Theorem C.2; see `Closeness`.
    every : int
        The Jacobian is looked at at multiples of this, at the price of about four gradients over all rows
        and a memory of n N numbers. With more than 1, `guaranteed` rests on the steps looked at.
    chunk : int, optional
        Rows whose gradients are computed at once.

    Returns
    -------
    Closeness

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite, a number is out of range, the model has no parameter
        that requires a gradient, or the kernel is not symmetric and positive semi-definite.
    MeasurementError
        If the outputs leave the finite numbers; the message names the step.

    Notes
    -----
    Source: hu2020, Assumption C.1, Theorem C.2 and eq. (13).
    """
    n = len(X)
    require(y.shape == (n,), "y", f"of shape ({n},)", tuple(y.shape))
    require(bool(torch.isfinite(y).all()), "y", "finite", "NaN or infinity")
    require(0 < eta < math.inf, "eta", "positive and finite", eta)
    require(steps >= 1 and every >= 1, "steps, every", "positive", (steps, every))
    require(radius is None or 0 < radius < math.inf, "radius", "positive and finite", radius)
    moving = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    require(bool(moving), "model", "with parameters that require a gradient", "none")

    def outputs(values: Parameters) -> Tensor:
        result: Tensor = functional_call(model, values, (X,))
        shape = tuple(result.shape)
        require(shape in ((n,), (n, 1)), "model's output", f"of shape ({n},) or ({n}, 1)", shape)
        return result.reshape(n)

    def jacobian(values: Parameters) -> Tensor:
        return output_jacobian(model, values, X, chunk).to(torch.float64)

    y = y.to(torch.float64)
    start = {name: value.clone() for name, value in moving.items()}
    with torch.no_grad():
        offset = outputs(start).to(torch.float64)
    J = jacobian(start)
    K = J @ J.T if kernel is None else _checked_kernel(kernel, n).to(J)
    norm = float(torch.linalg.matrix_norm(K, 2))
    linear = _linear_path(K, y, eta, steps)
    rows = np.zeros((4, steps + 1))
    looked, deviations = [], []
    for t in range(steps + 1):
        free = {name: value.requires_grad_() for name, value in moving.items()}
        u = outputs(free)
        residual = u.detach().to(torch.float64) - offset - y
        finite = bool(torch.isfinite(residual).all())
        require(finite, f"model at step {t}", "finite on the data", "NaN or infinity", MeasurementError)
        moved = sum(float((free[k].detach() - start[k]).square().sum()) for k in start)
        rows[:, t] = (
            float(torch.linalg.vector_norm(residual + y - linear[t])),
            math.sqrt(moved),
            0.5 * float(residual.square().mean()),
            0.5 * float((linear[t] - y).square().mean()),
        )
        if t == steps:
            break
        gradients = torch.autograd.grad(u, list(free.values()), residual.to(u) / n)
        moving = {k: free[k].detach() - eta * g for k, g in zip(free, gradients, strict=True)}
        if t % every == 0:
            here = {k: value.detach() for k, value in free.items()}
            J = jacobian(here)
            mean = torch.zeros_like(J)
            for node in _NODES:
                mean += 0.5 * jacobian({k: torch.lerp(here[k], moving[k], node) for k in here})
            looked.append(t)
            deviations.append(max(float(torch.linalg.matrix_norm(A @ J.T - K, 2)) for A in (mean, J)))
    return _assemble(rows, np.array(looked), np.array(deviations), y, norm, eta, radius)


def _checked_kernel(kernel: Tensor, n: int) -> Tensor:
    require(kernel.shape == (n, n), "kernel", f"of shape ({n}, {n})", tuple(kernel.shape))
    require(bool(torch.isfinite(kernel).all()), "kernel", "finite", "NaN or infinity")
    size = float(kernel.abs().max())
    skew = float((kernel - kernel.T).abs().max())
    require(skew <= 1e-6 * size, "kernel", "symmetric", f"a matrix that differs from its transpose by {skew}")
    least = float(torch.linalg.eigvalsh(kernel.to(torch.float64))[0])
    require(least >= -1e-6 * n * size, "kernel", "positive semi-definite", f"an eigenvalue {least}")
    return kernel


def _linear_path(K: Tensor, y: Tensor, eta: float, steps: int) -> Tensor:
    """Predictions of the linear model with kernel K at every step, shape (steps + 1, n)."""
    values, vectors = torch.linalg.eigh((K + K.T) / 2)
    features = vectors * values.clamp_min(0).sqrt()
    return LinearDescent(features, y, eta).train_predictions(range(steps + 1))


def _assemble(
    rows: Array,
    looked: npt.NDArray[np.int64],
    deviations: Array,
    y: Tensor,
    norm: float,
    eta: float,
    radius: float | None,
) -> Closeness:
    """Compare what was measured with Theorem C.2."""
    n, T = len(y), rows.shape[1] - 1
    size, epsilon = float(torch.linalg.vector_norm(y)), float(deviations.max())
    steps = np.arange(T + 1)
    # At step t the bound rests on the steps before t; between two looks on the later one.
    covering = np.minimum(np.searchsorted(looked, steps[1:] - 1), len(looked) - 1)
    running = np.maximum.accumulate(deviations)[covering]
    guaranteed = np.zeros(T + 1)
    guaranteed[1:] = size * np.expm1(steps[1:] * np.log1p(eta * running / n))
    if eta * norm > 2 * n:
        guaranteed[1:] = math.inf
    reach = math.sqrt(eta * T / MOVEMENT_CONSTANT) if radius is None else radius
    # The default R covers the run up to rounding.
    horizon = min(T, math.floor(MOVEMENT_CONSTANT * reach**2 / eta * (1 + 1e-12)))
    scale = eta * steps[1 : horizon + 1] * epsilon / math.sqrt(n)
    told = scale > 1e-9 * size  # of a model that is linear only rounding is left
    ratios = rows[0, 1 : horizon + 1][told] / scale[told]
    return Closeness(
        actual=rows[0],
        guaranteed=guaranteed,
        displacement=rows[1],
        losses=rows[2],
        linear_losses=rows[3],
        measured_at=looked,
        deviations=deviations,
        epsilon=epsilon,
        radius=reach,
        horizon=horizon,
        implied_constant=float(ratios.max(initial=0.0)),
        hypotheses={
            "eta <= n / |K|": eta * norm <= n * (1 + 1e-12),
            "epsilon < |K|": epsilon < norm,
            "R^2 epsilon < n": reach**2 * epsilon < n,
            "|y| <= sqrt n": size <= math.sqrt(n) * (1 + 1e-12),
        },
    )
