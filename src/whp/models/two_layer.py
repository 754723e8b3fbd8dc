"""Two-layer networks and full-batch gradient descent on their first layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from whp.errors import MeasurementError, require
from whp.models.activation import Activation
from whp.models.linear import check_regression

# Rows of X in one matrix product. Measured on one core (AVX-512, 2 MB of L2) for m from 256 to
# 4000 and d from 50 to 512: 256 rows are within 3 % of the best, 32 rows lose a third, and all
# rows at once lose up to 10 % and need a buffer of (n, m). A fixed number, not one tuned at run
# time: the block decides the order of summation, and a trial must give the same bits every time.
CPU_BLOCK = 256
CUDA_BLOCK = 8192
# Pre-activations given to the activation at once, in bytes. Its temporaries then stay in L2 and on
# the heap: at m = 2000 this takes 0.7 ms instead of 2.1 (tanh) or 2.0 instead of 8.2 (gelu), where
# the two matrix products of a block take 7 ms.
CPU_SLICE = 2**18


def _block_rows(n: int, device: torch.device) -> int:
    return max(1, min(n, CUDA_BLOCK if device.type == "cuda" else CPU_BLOCK))


def _slices(z: Tensor) -> range:
    """Starts of the row slices of ``z`` that the activation sees; the step is their length."""
    rows, m = z.shape
    fit = rows if z.device.type == "cuda" else CPU_SLICE // (m * z.element_size())
    return range(0, rows, max(1, fit))


def _read_out(z: Tensor, activation: Activation, readout: Tensor, out: Tensor, slopes: bool = False) -> None:
    """Write ``phi(z) readout`` to ``out``; with ``slopes``, then overwrite ``z`` with ``phi'(z)``."""
    starts = _slices(z)
    for start in starts:
        part = slice(start, start + starts.step)
        torch.mv(activation.phi(z[part]), readout, out=out[part])
        if slopes:
            z[part] = activation.dphi(z[part])


def _check_network(W: Tensor, v: Tensor) -> None:
    require(W.ndim == 2 and W.numel() > 0, "W", "a non-empty matrix", tuple(W.shape))
    require(v.shape == W.shape[:1], "v", f"of shape ({W.shape[0]},)", tuple(v.shape))
    floats = (torch.float32, torch.float64)
    require(
        W.dtype in floats and v.dtype == W.dtype, "W, v", "both float32 or both float64", (W.dtype, v.dtype)
    )
    require(bool(torch.isfinite(W).all()), "W", "finite", "NaN or infinity")
    require(bool(torch.isfinite(v).all()), "v", "finite", "NaN or infinity")


def _check_inputs(X: Tensor, W: Tensor, name: str = "X") -> None:
    d = W.shape[1]
    require(X.ndim == 2 and X.shape[1] == d, name, f"of shape (n, {d})", tuple(X.shape))
    same = X.dtype == W.dtype and X.device == W.device
    require(same, name, f"like W: {W.dtype} on {W.device}", (X.dtype, str(X.device)))


@dataclass(frozen=True)
class TwoLayer:
    """The network ``f(x; W, v) = m^(-1/2) v^T phi(W x / sqrt d)``.

    Under the symmetric initialisation (``w_{r+m/2} = w_r``, ``v_{r+m/2} = -v_r``) the output
    is zero to rounding, not bit by bit: equal terms of opposite sign are summed in the order
    in which the matrix-vector product takes them. What is left is a few units of rounding of
    ``m^(-1/2) sum_r |v_r phi(z_r)|`` (about 1e-6 in float32, 1e-15 in float64).

    Parameters
    ----------
    W : Tensor, shape (m, d)
        First layer.
    v : Tensor, shape (m,)
        Second layer.
    activation : Activation
        ``phi`` and its derivative.

    Notes
    -----
    Source: hu2020, eq. (1).
    """

    W: Tensor
    v: Tensor
    activation: Activation

    def __post_init__(self) -> None:
        _check_network(self.W, self.v)

    def forward(self, X: Tensor) -> Tensor:
        """Return the outputs for the rows of ``X``, in blocks of rows.

        Parameters
        ----------
        X : Tensor, shape (n, d)
            Of the dtype and on the device of ``W``.

        Returns
        -------
        Tensor, shape (n,)
        """
        _check_inputs(X, self.W)
        (n, d), m = X.shape, self.W.shape[0]
        out = X.new_empty(n)
        rows = _block_rows(n, X.device)
        z = X.new_empty(rows, m)
        scaled = X.new_empty(rows, d)
        for start in range(0, n, rows):
            xb = X[start : start + rows]
            k = xb.shape[0]
            torch.mul(xb, 1.0 / math.sqrt(d), out=scaled[:k])
            torch.mm(scaled[:k], self.W.T, out=z[:k])
            _read_out(z[:k], self.activation, self.v, out[start : start + k])
        return out.div_(math.sqrt(m))


class FirstLayerDescent:
    r"""The state of gradient descent on ``W`` alone, with all its buffers.

    The loss is :math:`L(W) = \frac{1}{2n} \sum_i (f(x_i; W, v) - y_i)^2` and

    .. math:: \nabla_{w_r} L = \frac{v_r}{n \sqrt{m d}} \sum_i (f_i - y_i)\,
              \phi'(w_r^T x_i / \sqrt d)\, x_i ,

    two matrix products of ``2 n m d`` operations a step. Rows of ``X`` go through in blocks that
    stay in cache, so memory is that of four (m, d) matrices and one copy of ``X``, whatever
    ``n`` times ``m``. A step allocates nothing but what ``activation`` returns, 256 kB at a time.

    Results depend on the number of BLAS threads in the last bits only; it is left as the caller
    set it.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    y : Tensor, shape (n,)
    W : Tensor, shape (m, d)
        Weights at step 0; copied.
    v : Tensor, shape (m,)
    activation : Activation
    eta : float
        Learning rate ``eta_1``, positive (``eta_2 = 0``).

    Attributes
    ----------
    outputs : Tensor, shape (n,)
        ``f(x_i)`` at the weights of the last `evaluate`.
    displacement : Tensor, shape (m, d)
        ``W(t) - W(0)``, accumulated on its own so that small moves keep their digits.

    Raises
    ------
    InputError
        If shapes or dtypes disagree, a value is not finite, or ``eta`` is not positive.

    Notes
    -----
    Source: hu2020, eqs (1), (2), (4) with ``eta_2 = 0``.
    """

    def __init__(
        self, X: Tensor, y: Tensor, W: Tensor, v: Tensor, activation: Activation, eta: float
    ) -> None:
        _check_network(W, v)
        _check_inputs(X, W)
        check_regression(X, y, eta, name="X")
        (n, d), m = X.shape, W.shape[0]
        rows = _block_rows(n, X.device)
        self._activation = activation
        self._v = v
        self._X = X / math.sqrt(d)
        self._y = y.to(X)
        self._start = W.clone()
        self._W = W.clone()
        self._readout = v / math.sqrt(m)
        self._move = (v * (-eta / (n * math.sqrt(m))))[:, None]
        self._error = X.new_empty(n)
        self._sum = X.new_empty(m, d)
        self._z = X.new_empty(rows, m)
        self._weighted = X.new_empty(rows, d)
        self.outputs = X.new_empty(n)
        self.displacement = torch.zeros_like(W)

    @property
    def network(self) -> TwoLayer:
        """The network at the present weights; it shares them, so it changes with `update`."""
        return TwoLayer(self._W, self._v, self._activation)

    def evaluate(self) -> None:
        """Set `outputs`, and the gradient that `update` will use, at the present weights."""
        rows = self._z.shape[0]
        for start in range(0, self._X.shape[0], rows):
            xb = self._X[start : start + rows]
            k = xb.shape[0]
            here = slice(start, start + k)
            z = self._z[:k]  # (k, m)
            torch.mm(xb, self._W.T, out=z)
            _read_out(z, self._activation, self._readout, self.outputs[here], slopes=True)
            torch.sub(self.outputs[here], self._y[here], out=self._error[here])
            # The residual weighs the rows of X, not those of phi': d columns instead of m.
            torch.mul(xb, self._error[here, None], out=self._weighted[:k])
            torch.addmm(self._sum, z.T, self._weighted[:k], beta=float(start > 0), out=self._sum)

    def update(self) -> None:
        """Take the step ``W(t + 1) = W(t) - eta grad L(W(t))`` with the gradient of `evaluate`."""
        self.displacement.addcmul_(self._sum, self._move)
        torch.add(self._start, self.displacement, out=self._W)


def train_first_layer(
    X: Tensor,
    y: Tensor,
    W: Tensor,
    v: Tensor,
    activation: Activation,
    eta: float,
    steps: int,
    observe: Callable[[int, FirstLayerDescent], None] | None = None,
) -> TwoLayer:
    """Train the first layer by full-batch gradient descent; the second stays.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, float32 or float64, on any device.
    y : Tensor, shape (n,)
        Targets.
    W : Tensor, shape (m, d)
        First layer at step 0; left as it is.
    v : Tensor, shape (m,)
        Second layer.
    activation : Activation
        ``phi`` and its derivative.
    eta : float
        Learning rate ``eta_1``, positive.
    steps : int
        Number of steps, not negative.
    observe : callable, optional
        Called as ``observe(t, state)`` at every ``t = 0..steps``, with ``state.outputs`` (n,),
        ``state.displacement`` (m, d) and ``state.network`` all at ``W(t)``.

    Returns
    -------
    TwoLayer
        The network at ``W(steps)``.

    Raises
    ------
    InputError
        If shapes or dtypes disagree, a value is not finite, or ``eta`` is not positive.
    MeasurementError
        If an output on the training set is not finite; the message names the step.

    Notes
    -----
    Source: hu2020, eq. (4) with ``eta_2 = 0``.
    """
    require(steps >= 0, "steps", "not negative", steps)
    state = FirstLayerDescent(X, y, W, v, activation, eta)
    for t in range(steps + 1):
        state.evaluate()
        finite = bool(torch.isfinite(state.outputs).all())
        require(
            finite, f"network at step {t}", "finite on the training set", "NaN or infinity", MeasurementError
        )
        if observe is not None:
            observe(t, state)
        if t < steps:
            state.update()
    return state.network
