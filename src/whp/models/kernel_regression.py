"""Kernel regression without regularisation: the predictor of a fully trained net of infinite width."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import binomtest
from torch import Tensor

from whp.errors import InputError, fail, require
from whp.interval import Interval

OFFSET = 0.1
"""What is subtracted from a one-hot label: the mean of one for ten classes."""


class NotPositiveDefiniteError(InputError):
    """A kernel matrix has no Cholesky factorisation; the message has its smallest eigenvalue."""


def encode_labels(labels: Tensor, classes: int) -> Tensor:
    r"""Return :math:`-0.1 \cdot \mathbf 1 + \mathbf e_c` for every label c.

    Parameters
    ----------
    labels : Tensor of integers, shape (n,)
        From 0 to ``classes - 1``.
    classes : int

    Returns
    -------
    Tensor, shape (n, classes), float64

    Notes
    -----
    Source: arora2019, Section 5.1.
    """
    require(labels.ndim == 1 and len(labels) > 0, "labels", "of shape (n,), n > 0", tuple(labels.shape))
    low, high = int(labels.min()), int(labels.max())
    require(low >= 0 and high < classes, "labels", f"from 0 to {classes - 1}", (low, high))
    hot = torch.nn.functional.one_hot(labels.to(torch.int64), classes)
    return hot.to(torch.float64) - OFFSET


@dataclass(frozen=True)
class KernelRegression:
    """A fitted regression; see :func:`kernel_regression`.

    Attributes
    ----------
    coefficients : Tensor, shape (n, k) or (n,), float64
        ``(H + jitter I)^{-1} Y``.
    condition : float
        The condition number of ``H + jitter I`` in the 1-norm, from its inverse. A relative error e of
        the entries of H is one of up to about ``condition * e`` of the coefficients.
    left_out : Tensor, shape (n, k) or (n,), float64
        What a regression on the n - 1 other points predicts at each training point.
    jitter : float
        What was added to the diagonal.
    """

    coefficients: Tensor
    condition: float
    left_out: Tensor
    jitter: float

    def predict(self, K: Tensor) -> Tensor:
        r"""Return :math:`f^*(x) = (\ker(x, x_1), \dots, \ker(x, x_n)) (H^*)^{-1} Y`.

        Parameters
        ----------
        K : Tensor, shape (n_test, n)
            Kernel of test points with training points.

        Returns
        -------
        Tensor, shape (n_test, k) or (n_test,), float64
        """
        n = len(self.coefficients)
        fits = K.ndim == 2 and K.shape[1] == n
        require(fits, "K", f"of shape (n_test, {n})", tuple(K.shape))
        return K.to(self.coefficients) @ self.coefficients


def kernel_regression(H: Tensor, Y: Tensor, *, jitter: float = 0.0) -> KernelRegression:
    """Solve ``H a = Y`` by the Cholesky factorisation, in float64.

    Parameters
    ----------
    H : Tensor, shape (n, n)
        Kernel matrix of the training points, symmetric up to rounding; any dtype, on any device.
    Y : Tensor, shape (n,) or (n, k)
        Targets.
    jitter : float
        Added to the diagonal, in the units of H; none by default, and never more than is asked for.

    Raises
    ------
    NotPositiveDefiniteError
        If the factorisation does not exist, or the matrix is singular to working precision
        (its condition number is at least 1 / (n eps)).
    InputError
        If shapes do not fit, a value is not finite, or H is not symmetric.

    Notes
    -----
    Source: arora2019, (5), (33) and Section 5.1; of ``left_out``, Rasmussen and Williams, Gaussian Processes
    for Machine Learning (2006), (5.12): ``y_i - [H^{-1} y]_i / [H^{-1}]_ii``.
    """
    square = H.ndim == 2 and H.shape[0] == H.shape[1] and len(H) > 0
    require(square, "H", "of shape (n, n), n > 0", tuple(H.shape))
    fits = Y.ndim in (1, 2) and len(Y) == len(H)
    require(fits, "Y", f"of shape ({len(H)},) or ({len(H)}, k)", tuple(Y.shape))
    require(0 <= jitter < float("inf"), "jitter", "zero or positive", jitter)
    for name, values in (("H", H), ("Y", Y)):
        require(bool(torch.isfinite(values).all()), name, "finite", "NaN or infinity")
    H = H.to(torch.float64)
    gap, size = float((H - H.T).abs().max()), float(H.abs().max())
    require(gap <= 1e-5 * size, "H", "symmetric", f"entries that differ by {gap:.3g}")
    H = H + jitter * torch.eye(len(H), dtype=H.dtype, device=H.device)
    factor, info = torch.linalg.cholesky_ex(H)
    if int(info) != 0:
        _refuse(H)
    inverse = torch.cholesky_inverse(factor)
    condition = float(torch.linalg.matrix_norm(H, 1) * torch.linalg.matrix_norm(inverse, 1))
    if not condition * len(H) * torch.finfo(H.dtype).eps < 1:
        _refuse(H)
    target = Y.to(H).reshape(len(H), -1)  # (n, k)
    coefficients = torch.cholesky_solve(target, factor)
    left_out = target - coefficients / inverse.diagonal()[:, None]
    return KernelRegression(coefficients.reshape(Y.shape), condition, left_out.reshape(Y.shape), jitter)


def _refuse(H: Tensor) -> None:
    low = float(torch.linalg.eigvalsh(H)[0])
    fail(
        "kernel matrix",
        "positive definite",
        f"smallest eigenvalue {low:.6g}, largest entry {float(H.abs().max()):.6g}",
        NotPositiveDefiniteError,
    )


@dataclass(frozen=True)
class Accuracy:
    """How many of some test points got the right class.

    Attributes
    ----------
    correct, total : int
    """

    correct: int
    total: int

    @property
    def share(self) -> float:
        """``correct / total``."""
        return self.correct / self.total

    def interval(self, alpha: float = 0.05) -> Interval:
        """Return the exact two-sided binomial interval (Clopper and Pearson) for independent test points.

        Parameters
        ----------
        alpha : float
            Error rate in (0, 1); the interval covers with probability at least ``1 - alpha``.
        """
        require(0 < alpha < 1, "alpha", "in (0, 1)", alpha)
        found = binomtest(self.correct, self.total).proportion_ci(1 - alpha, method="exact")
        return Interval(float(found.low), float(found.high))


def classification_accuracy(outputs: Tensor, labels: Tensor) -> Accuracy:
    """Count the test points whose largest output is that of their class; ties go to the first class.

    Parameters
    ----------
    outputs : Tensor, shape (n_test, classes)
    labels : Tensor of integers, shape (n_test,)

    Notes
    -----
    Source: arora2019, Section 5.1 ("choose the class with largest value as the prediction").
    """
    require(outputs.ndim == 2 and len(outputs) > 0, "outputs", "(n_test, classes)", tuple(outputs.shape))
    shape = (len(outputs),)
    require(tuple(labels.shape) == shape, "labels", f"of shape {shape}", tuple(labels.shape))
    require(bool(torch.isfinite(outputs).all()), "outputs", "finite", "NaN or infinity")
    return Accuracy(int((outputs.argmax(1) == labels.to(outputs.device)).sum()), len(outputs))
