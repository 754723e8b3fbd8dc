"""How far a network in training is from the linear model that the theory puts beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from whp.errors import MeasurementError, fail, require
from whp.models.activation import Activation
from whp.models.linear import LinearDescent
from whp.models.two_layer import TwoLayerDescent, train_two_layer

Array = npt.NDArray[np.float64]

_COLUMNS = ("train_gap", "displacement", "displacement_v", "beta_norm", "network_loss", "linear_loss")

# Steps of a linear model computed by one matrix product: beside a network, and of two of them.
_AHEAD = 64
_CHUNK = 512


@dataclass(frozen=True)
class ClosenessTrace:
    """A network and a linear model, side by side along training; ``t = 0..T``.

    Attributes
    ----------
    train_gap : array, shape (T + 1,)
        ``(1/n) sum_i (f_t(x_i) - f_t^lin(x_i))^2``: the left side of hu2020 (7).
    test_steps : array of int, shape (k,)
        Steps at which the test set was evaluated; empty without one.
    test_gap : array, shape (k,)
        Mean over the test set of ``min((f_t - f_t^lin)^2, 1)``: the left side of hu2020 (8).
    displacement, displacement_v : array, shape (T + 1,)
        ``|W(t) - W(0)|_F`` and ``|v(t) - v(0)|``.
    beta_norm : array, shape (T + 1,)
        Euclidean norm of the linear model's weights: ``beta(t)``, ``gamma(t)`` or ``delta(t)``.
    network_loss, linear_loss : array, shape (T + 1,)
        ``(1/2n) sum_i (prediction - y_i)^2`` of each.
    train_outputs : array, shape (n,)
        ``f_T`` on the training set (for Corollary 3.3: compare with `LinearDescent.converged`).
    test_outputs : array, shape (n_test,)
        ``f_T`` on the test set; empty without one.
    """

    train_gap: Array
    test_steps: npt.NDArray[np.int64]
    test_gap: Array
    displacement: Array
    displacement_v: Array
    beta_norm: Array
    network_loss: Array
    linear_loss: Array
    train_outputs: Array
    test_outputs: Array


class _Recorder:
    """Watches `train_two_layer` and keeps one row of numbers a step."""

    def __init__(
        self,
        linear: LinearDescent,
        y: Tensor,
        steps: int,
        X_test: Tensor | None,
        Psi_test: Tensor | None,
        test_every: int,
    ) -> None:
        self.linear, self.steps = linear, steps
        self.X_test, self.Psi_test, self.test_every = X_test, Psi_test, test_every
        self.y = y.to(torch.float64)
        self.rows = self.y.new_empty(steps + 1, len(_COLUMNS))  # stays on the device
        self.test_steps: list[int] = []
        self.test_gaps: list[float] = []
        self.moves: list[Tensor] = []
        self.train_outputs = self.test_outputs = self.y.new_empty(0)

    def __call__(self, t: int, state: TwoLayerDescent) -> None:
        k, last = t % _AHEAD, t == self.steps
        if k == 0:
            ahead = range(t, min(t + _AHEAD, self.steps + 1))
            self.betas = self.linear.omega(ahead)  # (ahead, M)
            self.lines = self.linear.train_predictions(ahead)  # (ahead, n)
            self.outputs = state.outputs.new_empty(len(ahead), len(state.outputs))
            self.start, self.moves = t, []
        # What is derived from these is derived for many steps at once: step by step it takes a third as
        # long as a step of 8 networks at n = 2000, d = 50, m = 256.
        self.outputs[k] = state.outputs
        self.moves += [torch.linalg.vector_norm(state.displacement)]
        self.moves += [torch.linalg.vector_norm(state.displacement_v)]
        if self.X_test is not None and self.Psi_test is not None and (t % self.test_every == 0 or last):
            g = state.network.forward(self.X_test).to(torch.float64)
            gap = float((g - self.Psi_test @ self.betas[k]).square().clamp_max(1.0).mean())
            require(gap == gap, f"test outputs at step {t}", "numbers", gap, MeasurementError)
            self.test_steps.append(t)
            self.test_gaps.append(gap)
            self.test_outputs = g
        if k == len(self.betas) - 1:
            self.derive()
        if last:
            self.train_outputs = state.outputs.to(torch.float64)

    def derive(self) -> None:
        """Fill the rows of the steps since the linear model was last computed."""
        moves = torch.stack(self.moves).view(-1, 2)
        known = len(moves)
        f, lines = self.outputs[:known].to(torch.float64), self.lines[:known]  # (known, n)
        rows = self.rows[self.start : self.start + known]
        rows[:, 0] = (f - lines).square().mean(dim=1)
        rows[:, 1:3] = moves
        rows[:, 3] = torch.linalg.vector_norm(self.betas[:known], dim=1)
        rows[:, 4] = 0.5 * (f - self.y).square().mean(dim=1)
        rows[:, 5] = 0.5 * (lines - self.y).square().mean(dim=1)
        finite = torch.isfinite(rows).all(dim=1)
        if not bool(finite.all()):
            bad = int(torch.nonzero(~finite)[0])
            got = dict(zip(_COLUMNS, rows[bad].tolist(), strict=True))
            fail(f"closeness at step {self.start + bad}", "finite", got, MeasurementError)


def compare_with_linear(
    X: Tensor,
    y: Tensor,
    W: Tensor,
    v: Tensor,
    activation: Activation,
    eta: float,
    steps: int,
    Psi: Tensor,
    X_test: Tensor | None = None,
    Psi_test: Tensor | None = None,
    test_every: int = 1,
    rates: tuple[float, float] | None = None,
) -> ClosenessTrace:
    """Train a network and, beside it, a linear model; return their distance.

    The network's predictions on the training set fall out of its training; the linear model is
    in closed form. A test set costs half a training step per row and step: ``test_every``
    thins it, step 0 and the last step are always taken.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, float32 or float64, on any device.
    y : Tensor, shape (n,)
        Targets.
    W : Tensor, shape (m, d)
        First layer at step 0.
    v : Tensor, shape (m,)
        Second layer; with the symmetric initialisation both models start at zero output.
    activation : Activation
        ``phi`` and its derivative.
    eta : float
        Learning rate of the linear model.
    steps : int
        Number of steps ``T``.
    Psi : Tensor, shape (n, M)
        Features of the linear model: the rows ``psi_1(x_i)`` of hu2020 (5), ``M = d + 1``, if the
        first layer is trained; ``psi(x_i)`` of (11) if both are.
    X_test, Psi_test : Tensor, shapes (n_test, d) and (n_test, M), optional
        A fresh sample and its features; both or neither.
    test_every : int
        The test set is evaluated at multiples of this, and at the last step.
    rates : (float, float), optional
        The network's ``(eta_1, eta_2)``; by default ``(eta, 0)``: the first layer alone.

    Returns
    -------
    ClosenessTrace
        In float64; the linear model is computed in float64 whatever the dtype of ``X``.

    Raises
    ------
    InputError
        If shapes or dtypes disagree, a value is not finite, or ``eta`` is not positive.
    MeasurementError
        If the network or the linear model leaves the finite numbers; the message names the step.

    Notes
    -----
    Source: hu2020, eqs (4), (6), (7), (8), Theorem D.1; Proposition D.7 for the norms.
    """
    require(test_every >= 1, "test_every", "a positive integer", test_every)
    require((X_test is None) == (Psi_test is None), "X_test, Psi_test", "given together", "one of them")
    require(Psi.shape[0] == X.shape[0], "Psi", f"of shape ({X.shape[0]}, M)", tuple(Psi.shape))
    if X_test is not None and Psi_test is not None:
        for name, A, shape in (
            ("X_test", X_test, (X_test.shape[0], X.shape[1])),
            ("Psi_test", Psi_test, (X_test.shape[0], Psi.shape[1])),
        ):
            require(A.numel() > 0 and A.shape == shape, name, f"of shape {shape}, not empty", tuple(A.shape))
            require(bool(torch.isfinite(A).all()), name, "finite", "NaN or infinity")
        Psi_test = Psi_test.to(torch.float64)
    recorder = _Recorder(LinearDescent(Psi, y, eta), y, steps, X_test, Psi_test, test_every)
    eta_1, eta_2 = (eta, 0.0) if rates is None else rates
    try:
        train_two_layer(X, y, W, v, activation, eta_1, eta_2, steps, recorder)
    except MeasurementError:
        if recorder.moves:
            recorder.derive()  # which names a step before that, if the distance was the first to overflow
        raise
    columns = recorder.rows.cpu().numpy().T
    return ClosenessTrace(
        **dict(zip(_COLUMNS, columns.copy(), strict=True)),
        test_steps=np.array(recorder.test_steps, dtype=np.int64),
        test_gap=np.array(recorder.test_gaps, dtype=np.float64),
        train_outputs=recorder.train_outputs.cpu().numpy(),
        test_outputs=recorder.test_outputs.cpu().numpy(),
    )


def compare_descents(
    Phi: Tensor,
    Psi: Tensor,
    y: Tensor,
    eta: float,
    steps: int,
    Phi_test: Tensor | None = None,
    Psi_test: Tensor | None = None,
    test_every: int = 1,
) -> ClosenessTrace:
    """Compare two linear models trained with the same rate, both in closed form.

    This is a network that trains its second layer only, beside its linear model: with
    ``Phi = phi(X W^T / sqrt d) / sqrt m`` its output is ``f_0(x) + Phi(x) (v(t) - v(0))``, and
    ``f_0 = 0``. Under the symmetric initialisation the m / 2 columns of one half, times sqrt 2,
    have the same kernel, hence the same outputs and the same ``|v(t) - v(0)|``.

    Parameters
    ----------
    Phi : Tensor, shape (n, m)
        Features of the network.
    Psi : Tensor, shape (n, M)
        Features of the linear model: the rows ``psi_2(x_i)`` of hu2020 (9).
    y : Tensor, shape (n,)
        Targets.
    eta : float
        Learning rate of both.
    steps : int
        Number of steps ``T``.
    Phi_test, Psi_test : Tensor, shapes (n_test, m) and (n_test, M), optional
        Features of a fresh sample; both or neither.
    test_every : int
        The test set is evaluated at multiples of this, and at the last step.

    Returns
    -------
    ClosenessTrace
        In float64; ``displacement`` is zero, as the first layer stays.

    Raises
    ------
    InputError
        If shapes disagree, a value is not finite, or ``eta`` is not positive.
    MeasurementError
        If a model leaves the finite numbers; the message names the step.

    Notes
    -----
    Source: hu2020, Theorem 3.5, eqs (9), (10); D.5.2.
    """
    require(steps >= 0, "steps", "not negative", steps)
    require(test_every >= 1, "test_every", "a positive integer", test_every)
    require((Phi_test is None) == (Psi_test is None), "Phi_test, Psi_test", "given together", "one of them")
    network, line = LinearDescent(Phi, y, eta), LinearDescent(Psi, y, eta)
    y = y.to(torch.float64)
    rows = y.new_zeros(steps + 1, len(_COLUMNS))
    for start in range(0, steps + 1, _CHUNK):
        ahead = range(start, min(start + _CHUNK, steps + 1))
        f, g = network.train_predictions(ahead), line.train_predictions(ahead)  # (ahead, n)
        found = (
            (f - g).square().mean(dim=1),
            torch.zeros(len(ahead)),
            network.omega_norm(ahead),
            line.omega_norm(ahead),
            0.5 * (f - y).square().mean(dim=1),
            0.5 * (g - y).square().mean(dim=1),
        )
        for column, values in enumerate(found):
            rows[start : ahead.stop, column] = values
    test_steps, gap, g_test = [], y.new_empty(0), y.new_empty(0)
    if Phi_test is not None and Psi_test is not None:
        require(
            len(Phi_test) == len(Psi_test),
            "Phi_test, Psi_test",
            "of the same length",
            (len(Phi_test), len(Psi_test)),
        )
        test_steps = sorted({*range(0, steps + 1, test_every), steps})
        outputs = network.predictions(Phi_test, test_steps)  # (k, n_test)
        gap = (outputs - line.predictions(Psi_test, test_steps)).square().clamp_max(1.0).mean(dim=1)
        g_test = outputs[-1]
    return ClosenessTrace(
        **dict(zip(_COLUMNS, rows.cpu().numpy().T.copy(), strict=True)),
        test_steps=np.array(test_steps, dtype=np.int64),
        test_gap=gap.cpu().numpy(),
        train_outputs=f[-1].cpu().numpy(),
        test_outputs=g_test.cpu().numpy(),
    )
