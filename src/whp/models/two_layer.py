"""Two-layer networks and full-batch gradient descent on one of their layers or both."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from whp.errors import MeasurementError, require
from whp.linalg.products import ROUTES, current_route
from whp.models.activation import Activation
from whp.models.fused_step import fused
from whp.models.linear import all_finite, check_regression

# Rows of X in one matrix product. Measured on one core (AVX-512, 2 MB of L2) for m from 256 to
# 4000 and d from 50 to 512: 256 to 1024 rows are within 3 % of the best, 32 rows lose a third, and
# all rows at once lose up to 10 % and need a buffer of (n, m). A fixed number, not one tuned at run
# time: the block decides the order of summation, and a trial must give the same bits every time.
CPU_BLOCK = 512
CUDA_BLOCK = 8192
# Pre-activations given to the activation at once, in bytes. Its temporaries then stay in L2 and on
# the heap: at m = 2000 this takes 0.7 ms instead of 2.1 (tanh) or 2.0 instead of 8.2 (gelu), where
# the two matrix products of 256 rows take 7 ms.
CPU_SLICE = 2**19


def _block_rows(n: int, device: torch.device) -> int:
    return max(1, min(n, CUDA_BLOCK if device.type == "cuda" else CPU_BLOCK))


def _slices(z: Tensor) -> range:
    """Starts of the row slices of ``z`` that the activation sees; the step is their length."""
    rows, m = z.shape
    fit = rows if z.device.type == "cuda" else CPU_SLICE // (m * z.element_size())
    return range(0, rows, max(1, fit))


def _read_out(z: Tensor, activation: Activation, readout: Tensor, out: Tensor) -> None:
    """Write ``phi(z) readout`` to ``out``."""
    fast = fused(activation, z)
    if fast is not None:
        fast.outputs(z.view(-1).numpy(), readout.numpy(), out.numpy(), fast.slope)
        return
    starts = _slices(z)
    for start in starts:
        part = slice(start, start + starts.step)
        torch.mv(activation.phi(z[part]), readout, out=out[part])


def _check_network(W: Tensor, v: Tensor) -> None:
    require(W.ndim == 2 and W.numel() > 0, "W", "a non-empty matrix", tuple(W.shape))
    require(v.shape == W.shape[:1], "v", f"of shape ({W.shape[0]},)", tuple(v.shape))
    floats = (torch.float32, torch.float64)
    require(
        W.dtype in floats and v.dtype == W.dtype, "W, v", "both float32 or both float64", (W.dtype, v.dtype)
    )
    require(all_finite(W), "W", "finite", "NaN or infinity")
    require(all_finite(v), "v", "finite", "NaN or infinity")


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
        v = self.v.contiguous()
        for start in range(0, n, rows):
            xb = X[start : start + rows]
            k = xb.shape[0]
            torch.mul(xb, 1.0 / math.sqrt(d), out=scaled[:k])
            torch.mm(scaled[:k], self.W.T, out=z[:k])
            _read_out(z[:k], self.activation, v, out[start : start + k])
        return out.div_(math.sqrt(m))


class _Block(NamedTuple):
    """Views of the rows that go through together."""

    x: Tensor  # (k, d), scaled by 1 / sqrt d
    z: Tensor  # (k, m), a buffer that all blocks share
    error: Tensor  # (k, 1)
    weighted: Tensor  # (k, d), a buffer that all blocks share
    transposed: Tensor  # (d, k)
    slices: list[tuple[Tensor, Tensor, Tensor, Tensor]]  # of z, outputs, y and error
    arrays: list[Any]  # what the fused pass takes of all this, flat


class TwoLayerDescent:
    r"""The state of gradient descent on ``W`` and ``v``, with all its buffers.

    The loss is :math:`L(W, v) = \frac{1}{2n} \sum_i (f(x_i; W, v) - y_i)^2` and

    .. math:: \nabla_{w_r} L &= \frac{v_r}{n \sqrt{m d}} \sum_i (f_i - y_i)\,
              \phi'(w_r^T x_i / \sqrt d)\, x_i , \\
              \nabla_{v_r} L &= \frac{1}{n \sqrt m} \sum_i (f_i - y_i)\, \phi(w_r^T x_i / \sqrt d) ,

    two matrix products of ``2 n m d`` operations a step, and one of ``2 n m`` more for ``v``.
    Between the products goes one pass, fused where there is one for the activation. Rows of ``X`` go
    through in blocks that stay in cache, so memory is that of four (d, m) matrices and one copy of
    ``X``, whatever ``n`` times ``m``. A step allocates nothing but what ``activation`` returns, 512 kB
    at a time.

    Results depend on the number of BLAS threads in the last bits only; it is left as the caller
    set it.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    y : Tensor, shape (n,)
    W : Tensor, shape (m, d)
        First layer at step 0; copied.
    v : Tensor, shape (m,)
        Second layer at step 0; copied.
    activation : Activation
    eta_1, eta_2 : float
        Learning rates of the first and the second layer, not negative, one of them positive. A
        layer with rate 0 stays, and its gradient is not computed.

    Attributes
    ----------
    outputs : Tensor, shape (n,)
        ``f(x_i)`` at the weights of the last `evaluate`.
    displacement_v : Tensor, shape (m,)
        ``v(t) - v(0)``, accumulated on its own as `displacement` is.

    Raises
    ------
    InputError
        If shapes or dtypes disagree, a value is not finite, or a rate is negative.

    Notes
    -----
    Source: hu2020, eqs (1), (2), (4).
    """

    def __init__(
        self, X: Tensor, y: Tensor, W: Tensor, v: Tensor, activation: Activation, eta_1: float, eta_2: float
    ) -> None:
        _check_network(W, v)
        _check_inputs(X, W)
        for name, eta in (("eta_1", eta_1), ("eta_2", eta_2)):
            require(0.0 <= eta < math.inf, name, "not negative and finite", eta)
        check_regression(X, y, max(eta_1, eta_2), name="X")
        (n, d), m = X.shape, W.shape[0]
        self._rows = rows = _block_rows(n, X.device)
        self._activation = activation
        self._multiply = ROUTES["torch" if X.is_cuda else current_route()]
        self._fused = fused(activation, X)
        self._X = (X / math.sqrt(d)).contiguous()
        self._y = y.to(X).contiguous()
        # Held as (d, m): with m > d the second product then takes a third less time.
        self._start = W.T.clone(memory_format=torch.contiguous_format)
        self._W = self._start.clone()
        self._moved = torch.zeros_like(self._start)
        self._v_start = v.clone()
        self._v = v.clone()
        self._readout = v / math.sqrt(m)
        scale = self._fused.scale if self._fused else 1.0
        self._rates = (-eta_1 / n * scale, -eta_2 / (n * math.sqrt(m)))
        self._error = X.new_empty(n)
        self._sum = X.new_empty(d, m)
        # The fused pass sums for v by blocks, so that rounding does not grow with n.
        blocks = -(-n // rows) if self._fused else 1
        self._sums_v = X.new_empty(blocks, m if eta_2 else 0)
        self._sum_v = X.new_empty(m if eta_2 else 0)
        self._features = X.new_empty(m)
        self.outputs = X.new_empty(n)
        z, weighted = X.new_empty(rows, m), X.new_empty(rows, d)
        self._blocks = [self._block(start, z, weighted) for start in range(0, n, rows)]
        self.displacement_v = torch.zeros_like(v)

    @property
    def displacement(self) -> Tensor:
        """``W(t) - W(0)``, shape (m, d), accumulated on its own so that small moves keep their digits."""
        return self._moved.T

    @property
    def network(self) -> TwoLayer:
        """The network at the present weights; it shares them, so it changes with `update`."""
        return TwoLayer(self._W.T, self._v, self._activation)

    def _block(self, start: int, z: Tensor, weighted: Tensor) -> _Block:
        """The views that belong to the rows from ``start`` on; making them at every step takes 5 % of it."""
        x = self._X[start : start + len(z)]
        z, weighted = z[: len(x)], weighted[: len(x)]
        error = self._error[start : start + len(x), None]
        slices = []
        starts = _slices(z)
        for low in starts:
            part = z[low : low + starts.step]
            here = slice(start + low, start + low + len(part))
            slices.append((part, self.outputs[here], self._y[here], self._error[here]))
        arrays: list[Any] = []
        if self._fused is not None:
            here = slice(start, start + len(z))
            given = (z, self._readout, self._y[here], self.outputs[here], x, weighted, self._features)
            flat = [a.view(-1).numpy() for a in (*given, self._sums_v[start // self._rows])]
            arrays = [*flat, self._fused.slope]
        return _Block(x, z, error, weighted, weighted.T, slices, arrays)

    def evaluate(self) -> None:
        """Set `outputs`, and the gradients that `update` will use, at the present weights."""
        beta = 0.0
        for block in self._blocks:
            self._multiply(block.x, self._W, block.z, False)
            slopes = self._through_activation(block, beta)
            if self._rates[0]:
                self._multiply(block.transposed, slopes, self._sum, beta > 0)
            beta = 1.0

    def _through_activation(self, block: _Block, beta: float) -> Tensor:
        """Set outputs, weighted inputs, the sum for ``v`` of a block; return ``phi'(z)``, maybe in ``z``."""
        slopes = block.z
        if self._fused is not None:
            self._fused.step(*block.arrays)
            return slopes
        for z, outputs, y, error in block.slices:
            features = self._activation.phi(z)
            torch.mv(features, self._readout, out=outputs)
            torch.sub(outputs, y, out=error)
            if self._rates[1]:
                torch.addmv(self._sums_v[0], features.T, error, beta=beta, out=self._sums_v[0])
                beta = 1.0
            if self._rates[0]:
                slopes = self._activation.dphi(z)
                if len(block.slices) > 1:
                    z.copy_(slopes)
                    slopes = block.z
        if self._rates[0]:
            # The residual weighs the rows of X, not those of phi': d columns instead of m.
            torch.mul(block.x, block.error, out=block.weighted)
        return slopes

    def update(self) -> None:
        """Take the step (4), both layers at once, with the gradients of `evaluate`."""
        rate, rate_v = self._rates
        if rate:
            self._moved.addcmul_(self._sum, self._readout, value=rate)
            torch.add(self._start, self._moved, out=self._W)
        if rate_v:
            torch.sum(self._sums_v, dim=0, out=self._sum_v)
            self.displacement_v.add_(self._sum_v, alpha=rate_v)
            torch.add(self._v_start, self.displacement_v, out=self._v)
            torch.mul(self._v, 1.0 / math.sqrt(len(self._v)), out=self._readout)


def train_two_layer(
    X: Tensor,
    y: Tensor,
    W: Tensor,
    v: Tensor,
    activation: Activation,
    eta_1: float,
    eta_2: float,
    steps: int,
    observe: Callable[[int, TwoLayerDescent], None] | None = None,
) -> TwoLayer:
    """Train both layers by full-batch gradient descent, each at its rate.

    Parameters
    ----------
    X : Tensor, shape (n, d)
        Inputs, float32 or float64, on any device.
    y : Tensor, shape (n,)
        Targets.
    W : Tensor, shape (m, d)
        First layer at step 0; left as it is.
    v : Tensor, shape (m,)
        Second layer at step 0; left as it is.
    activation : Activation
        ``phi`` and its derivative.
    eta_1, eta_2 : float
        Learning rates of the layers; a layer with rate 0 stays.
    steps : int
        Number of steps, not negative.
    observe : callable, optional
        Called as ``observe(t, state)`` at every ``t = 0..steps``, with ``state.outputs`` (n,),
        ``state.displacement`` (m, d), ``state.displacement_v`` (m,) and ``state.network`` all at
        step ``t``.

    Returns
    -------
    TwoLayer
        The network after ``steps`` steps.

    Raises
    ------
    InputError
        If shapes or dtypes disagree, a value is not finite, a rate is negative, or both are 0.
    MeasurementError
        If an output on the training set is not finite; the message names the step.

    Notes
    -----
    Source: hu2020, eq. (4).
    """
    require(steps >= 0, "steps", "not negative", steps)
    state = TwoLayerDescent(X, y, W, v, activation, eta_1, eta_2)
    for t in range(steps + 1):
        state.evaluate()
        finite = all_finite(state.outputs)
        require(
            finite, f"network at step {t}", "finite on the training set", "NaN or infinity", MeasurementError
        )
        if observe is not None:
            observe(t, state)
        if t < steps:
            state.update()
    return state.network


def train_first_layer(
    X: Tensor,
    y: Tensor,
    W: Tensor,
    v: Tensor,
    activation: Activation,
    eta: float,
    steps: int,
    observe: Callable[[int, TwoLayerDescent], None] | None = None,
) -> TwoLayer:
    """Train the first layer at rate ``eta``; the second stays. See `train_two_layer`."""
    return train_two_layer(X, y, W, v, activation, eta, 0.0, steps, observe)
