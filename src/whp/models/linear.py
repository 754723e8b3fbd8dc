"""Linear least squares by gradient descent, at any step without iterating."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from whp.errors import MeasurementError, require

Steps = int | Sequence[int]


def all_finite(A: Tensor) -> bool:
    """Return whether there is no NaN and no infinity in a tensor that is not empty.

    Both ends carry NaN with them. This takes a tenth of the time of ``torch.isfinite(A).all()``, which in
    training is more than a product of a small network takes.
    """
    least, largest = torch.aminmax(A)
    return math.isfinite(float(least)) and math.isfinite(float(largest))


def check_regression(Phi: Tensor, y: Tensor, eta: float, name: str = "Phi") -> None:
    """Refuse features, targets or a learning rate that gradient descent cannot use.

    Parameters
    ----------
    Phi : Tensor, shape (n, M)
    y : Tensor, shape (n,)
    eta : float
        The learning rate.
    name : str
        What the caller calls ``Phi``.

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite, or ``eta`` is not positive.
    """
    require(Phi.ndim == 2 and Phi.numel() > 0, name, "a non-empty matrix", tuple(Phi.shape))
    require(y.shape == Phi.shape[:1], "y", f"of shape ({Phi.shape[0]},)", tuple(y.shape))
    require(all_finite(Phi), name, "finite", "NaN or infinity")
    require(all_finite(y), "y", "finite", "NaN or infinity")
    require(0.0 < eta < float("inf"), "eta", "positive and finite", eta)


def geometric_sum(x: Tensor, t: Tensor) -> Tensor:
    """Return ``sum_{k<t} (1 - x)^k = (1 - (1 - x)^t) / x`` without cancellation.

    Parameters
    ----------
    x : Tensor, shape (r,), float64
        Not negative; 0 gives ``t``.
    t : Tensor, shape (T,), float64
        Whole numbers, not negative.

    Returns
    -------
    Tensor, shape (T, r)
    """
    t = t[:, None]
    gentle = x < 0.5
    tiny = x == 0.0
    slow = torch.where(gentle & ~tiny, x, 0.25)  # placeholders keep the unused branch finite
    fast = torch.where(gentle, 1.0, x)
    by_log = -torch.expm1(t * torch.log1p(-slow)) / slow
    by_power = (1.0 - torch.pow(1.0 - fast, t)) / fast  # 1 - x may be negative; t is whole
    return torch.where(tiny, t, torch.where(gentle, by_log, by_power))


class LinearDescent:
    r"""Full-batch gradient descent on ``G(w) = |Phi w - y|^2 / (2 n)`` from ``w(0) = 0``.

    One eigendecomposition of the smaller of ``Phi^T Phi / n`` and ``K / n = Phi Phi^T / n``,
    in float64, gives every iterate in closed form,

    .. math:: u(t) - y = (I - \eta K / n)^t (u(0) - y), \qquad u(t) = \Phi w(t).

    Forming the Gram matrix squares the condition number. Iterates at a given step do not
    suffer (a direction too flat to be resolved has not moved by then either); the limit does,
    see `converged`.

    Training the second layer of a network from a zero output is this model too, with
    ``Phi = phi(X W^T / sqrt d) / sqrt m`` and ``w = v(t) - v(0)``.

    Parameters
    ----------
    Phi : Tensor, shape (n, M)
        Features, one row a sample. Converted to float64 on its own device.
    y : Tensor, shape (n,)
        Targets.
    eta : float
        Learning rate, positive. It may exceed `stable_limit`: the iterates then grow.

    Attributes
    ----------
    eta : float
    stable_limit : float
        ``2 n / |K|`` (spectral norm): up to it the residual never grows. Infinite if
        ``Phi = 0``.

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite, or ``eta`` is not positive.

    Notes
    -----
    Source: hu2020, Claim C.1 (closed form) and eqs (6), (10) (the models).
    """

    def __init__(self, Phi: Tensor, y: Tensor, eta: float) -> None:
        check_regression(Phi, y, eta)
        self.eta = float(eta)
        self._Phi = Phi.to(torch.float64)
        y = y.to(self._Phi)
        n, M = Phi.shape
        # Each iterate is w(t) = eta sum_k geometric_sum(eta s_k, t) c_k B_k.
        if n >= M:
            s, Q = torch.linalg.eigh(self._Phi.T @ self._Phi / n)
            self._B = Q.T  # (M, M)
            self._c = Q.T @ (self._Phi.T @ y) / n  # (M,)
            self._outputs = self._Phi @ Q  # (n, M): Phi B_k
            self._lengths = torch.ones_like(s)  # |B_k|; the B_k are orthogonal
        else:
            s, U = torch.linalg.eigh(self._Phi @ self._Phi.T / n)
            self._B = U.T @ self._Phi  # (n, M)
            self._c = U.T @ y / n  # (n,)
            self._outputs = U * (n * s)  # (n, n): Phi B_k = Phi Phi^T U_k
            self._lengths = (n * s.clamp_min(0.0)).sqrt()
        self._s = s.clamp_min(0.0)
        top = float(self._s[-1])
        self.stable_limit = 2.0 / top if top > 0.0 else float("inf")
        self._cut = max(n, M) * torch.finfo(torch.float64).eps * top

    def omega(self, t: Steps) -> Tensor:
        """Return the weights ``w(t)``.

        Parameters
        ----------
        t : int or sequence of int
            Steps, not negative, in any order; ``range(T + 1)`` gives the whole path.

        Returns
        -------
        Tensor, shape (M,) or (len(t), M), float64

        Raises
        ------
        InputError
            If a step is negative.
        MeasurementError
            If the iterates have grown beyond float64 (``eta`` above `stable_limit`).
        """
        weights: Tensor = self._at(t) @ self._B
        return weights

    def _at(self, t: Steps) -> Tensor:
        """Return the coefficients of the ``B_k`` in ``w(t)``, shape (r,) or (len(t), r)."""
        single = isinstance(t, int)
        steps = [t] if isinstance(t, int) else list(t)
        require(all(k >= 0 for k in steps), "t", "not negative", t)
        ts = torch.tensor(steps, dtype=torch.float64, device=self._s.device)
        # An unused mode must stay at zero although its geometric sum may overflow.
        growth = torch.where(self._c == 0.0, 0.0, geometric_sum(self.eta * self._s, ts) * self._c)
        growth *= self.eta
        # No sum over modes may overflow either: far from it while the largest is below 1e300.
        finite = (growth.abs() < 1e300).all(dim=1)
        if not bool(finite.all()):
            bad = steps[int(torch.nonzero(~finite)[0])]
            rule = f"finite; eta = {self.eta:g} is above the stable limit 2 n / |K| = {self.stable_limit:g}"
            require(False, f"linear model at step {bad}", rule, "NaN or infinity", MeasurementError)
        return growth[0] if single else growth

    def predictions(self, Phi_new: Tensor, t: Steps) -> Tensor:
        """Return ``Phi_new w(t)``.

        Parameters
        ----------
        Phi_new : Tensor, shape (k, M)
            Features of other points.
        t : int or sequence of int
            Steps.

        Returns
        -------
        Tensor, shape (k,) or (len(t), k), float64
        """
        M = self._B.shape[1]
        require(Phi_new.ndim == 2 and Phi_new.shape[1] == M, "Phi_new", f"of shape (k, {M})", Phi_new.shape)
        return self.omega(t) @ Phi_new.to(self._Phi).T

    def train_predictions(self, t: Steps) -> Tensor:
        """Return ``u(t) = Phi w(t)``, shape (n,) or (len(t), n), float64."""
        outputs: Tensor = self._at(t) @ self._outputs.T
        return outputs

    def omega_norm(self, t: Steps) -> Tensor:
        """Return the Euclidean norm of ``w(t)`` without forming it, shape () or (len(t),), float64."""
        norm: Tensor = torch.linalg.vector_norm(self._at(t) * self._lengths, dim=-1)
        return norm

    def converged(self) -> Tensor:
        """Return the limit of ``w(t)``: the least-squares solution of least norm.

        Eigenvalues of the Gram matrix below ``max(n, M) eps`` times the largest count as
        zero, so singular values of ``Phi`` below about 1e-7 of the largest (to 1e-6 for
        thousands of rows) are left out.

        Returns
        -------
        Tensor, shape (M,), float64

        Raises
        ------
        InputError
            If ``eta`` is not below `stable_limit`: there is no limit then.
        """
        rule = f"below the stable limit 2 n / |K| = {self.stable_limit:g}"
        require(self.eta < self.stable_limit, "eta", rule, self.eta)
        kept = self._s > self._cut
        limit: Tensor = (self._c[kept] / self._s[kept]) @ self._B[kept]
        return limit


def iterate_linear_descent(Phi: Tensor, y: Tensor, eta: float, steps: int) -> Tensor:
    """Run the same descent as `LinearDescent` step by step, as a second route.

    Parameters
    ----------
    Phi : Tensor, shape (n, M)
    y : Tensor, shape (n,)
    eta : float
        Learning rate, positive.
    steps : int
        Number of steps.

    Returns
    -------
    Tensor, shape (steps + 1, M)
        ``w(0) = 0, .., w(steps)``, in the dtype of ``Phi``.

    Notes
    -----
    Source: hu2020, eq. (6) and the recursion above Claim C.1.
    """
    check_regression(Phi, y, eta)
    n, M = Phi.shape
    path = torch.zeros(steps + 1, M, dtype=Phi.dtype, device=Phi.device)
    for t in range(steps):
        path[t + 1] = path[t] - eta / n * (Phi.T @ (Phi @ path[t] - y))
    return path
