"""Growth exponents as means of per-trial slopes.

A trial runs every point of a path, and its logarithms are a vector ``y`` of length k.  Every quantity here
(slope, local slopes, curvature, corrected exponent, ...) is a *linear* functional ``w @ y`` of that vector,
so over trials it is an i.i.d. sample, and inference is a confidence sequence on its mean.  Nothing is assumed
about how the noise changes along the path.

The estimand is the slope of ``E[log Y]`` against ``log(size)``.  For the slope of ``log E[Y]``, of a
quantile, or of the largest trial see `whp.stats.tails`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whp.errors import require
from whp.interval import Interval
from whp.stats.sequences import DEFAULT_C2, T_SEQUENCE, Array, Rule, finite_array, t_limits

DEFAULT_OMEGA = 0.5
"""Correction-to-scaling exponent: the leading finite-size term is taken as ``size ** -0.5``."""

DEFAULT_RESOLUTION = 1e-12
"""Numerical error allowed for each logarithm, which is the relative error of the statistic, in float64."""


@dataclass(frozen=True)
class Estimate:
    """A sample mean over trials and its confidence sequence."""

    value: float
    interval: Interval


def check_sizes(sizes: ArrayLike, at_least: int = 2) -> Array:
    """Return ``sizes`` as an array (k,); raise InputError unless they are positive and increase strictly."""
    values = finite_array(sizes, "sizes")
    require(
        values.ndim == 1 and values.size >= at_least, "sizes", f"at least {at_least} numbers", values.tolist()
    )
    rising = bool(values[0] > 0.0 and np.all(np.diff(values) > 0.0))
    require(rising, "sizes", "positive and strictly increasing", values.tolist())
    return values


def check_trials(Y: ArrayLike, points: int, at_least: int = 2) -> Array:
    """Return ``Y`` as an array (trials, points); raise InputError on another shape or a value not finite."""
    values = finite_array(Y, "Y")
    good = values.ndim == 2 and values.shape[1] == points and values.shape[0] >= at_least
    require(good, "Y", f"of shape (trials >= {at_least}, {points})", values.shape)
    return values


def _check_logs(log_sizes: ArrayLike, at_least: int) -> Array:
    x = finite_array(log_sizes, "log_sizes")
    good = x.ndim == 1 and x.size >= at_least and bool(np.all(np.diff(x) > 0.0))
    require(good, "log_sizes", f"at least {at_least} strictly increasing numbers", x.tolist())
    return x


def slope_weights(log_sizes: ArrayLike) -> Array:
    """Weights (k,) of the least-squares slope over all points; they sum to zero."""
    x = _check_logs(log_sizes, 2)
    centred = x - x.mean()
    weights: Array = centred / (centred @ centred)
    return weights


def local_slope_weights(log_sizes: ArrayLike) -> Array:
    """Weights (k - 1, k) of the slopes between neighbouring points."""
    x = _check_logs(log_sizes, 2)
    steps: Array = np.diff(np.eye(x.size), axis=0) / np.diff(x)[:, None]
    return steps


def tail_slope_weights(log_sizes: ArrayLike) -> Array:
    """Weights (k - 1, k); row j is the least-squares slope over the points j, ..., k - 1.

    Row 0 is `slope_weights`, the last row is the last local slope: the slope against the smallest size kept.
    """
    x = _check_logs(log_sizes, 2)
    rows = np.zeros((x.size - 1, x.size))
    for j in range(x.size - 1):
        rows[j, j:] = slope_weights(x[j:])
    return rows


def curvature_weights(log_sizes: ArrayLike) -> Array:
    """Weights (k,) of the change of the local slope per e-fold of size, k >= 3.

    Twice the coefficient of the square in a least-squares quadratic in the centred log size.
    """
    x = _check_logs(log_sizes, 3)
    weights: Array = 2.0 * np.linalg.pinv(np.vander(x - x.mean(), 3, increasing=True))[2]
    return weights


def corrected_slope_weights(sizes: ArrayLike, omega: float = DEFAULT_OMEGA) -> Array:
    """Weights (k,) of ``b`` in the fit ``y = a + b log(size) + c size^-omega``, k >= 4.

    ``b`` is the exponent that remains as the size grows, if the leading correction to scaling is
    ``size^-omega``. It trades bias for noise, so it is shown beside the slope and does not replace it.
    """
    values = check_sizes(sizes, 4)
    require(omega > 0.0, "omega", "positive", omega)
    x = np.log(values)
    design = np.column_stack([np.ones_like(x), x - x.mean(), (values / values[0]) ** -omega])
    weights: Array = np.linalg.pinv(design)[1]
    return weights


def limit_weights(sizes: ArrayLike, omega: float = DEFAULT_OMEGA) -> Array:
    """Weights (k,) of ``a`` in the fit ``y = a + c size^-omega``: the value extrapolated to infinite size.

    They sum to one.  Here ``y`` is the quantity itself, not its logarithm.
    """
    values = check_sizes(sizes)
    require(omega > 0.0, "omega", "positive", omega)
    design = np.column_stack([np.ones_like(values), (values / values[0]) ** -omega])
    weights: Array = np.linalg.pinv(design)[0]
    return weights


def per_trial(weights: ArrayLike, Y: ArrayLike) -> Array:
    """Apply linear functionals to each trial.

    Parameters
    ----------
    weights : array_like, shape (..., k)
        One functional, or a stack of them.
    Y : array_like, shape (trials, k)
        One row a trial.

    Returns
    -------
    ndarray, shape (trials, ...)
    """
    w = np.asarray(weights, dtype=np.float64)
    return np.tensordot(check_trials(Y, w.shape[-1], at_least=1), w, axes=([1], [w.ndim - 1]))


def estimates(
    weights: ArrayLike,
    Y: ArrayLike,
    alpha: float,
    c2: float = DEFAULT_C2,
    resolution: float = DEFAULT_RESOLUTION,
) -> tuple[Estimate, ...]:
    """Means of linear functionals with t-sequences, each at level ``alpha`` by itself.

    Parameters
    ----------
    weights : array_like, shape (k,) or (q, k)
        The functionals.
    Y : array_like, shape (trials, k)
        One row a trial.
    alpha, c2 : float
        As in `whp.stats.t_sequence`.
    resolution : float
        Bound on the numerical error of an entry of ``Y``; the ends move out by what it can do to ``w @ y``.

    Returns
    -------
    tuple of Estimate
        One for each functional.
    """
    w = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    values = per_trial(w, Y)  # (trials, q)
    low, high = t_limits(values, alpha, c2, resolution=resolution * np.abs(w).sum(axis=1))
    means = values.mean(axis=0)
    return tuple(
        Estimate(float(m), Interval(float(a), float(b))) for m, a, b in zip(means, low, high, strict=True)
    )


def tail_points(points: int) -> int:
    """How many of the largest sizes make the tail: more than half (2 of 3, 3 of 4, 3 of 5, 4 of 6)."""
    return points // 2 + 1


@dataclass(frozen=True)
class SlopeReport:
    """Everything about the growth of ``E[log Y]`` along a path.

    Every interval is a t-sequence at level ``alpha`` by itself (`rule`).  A verdict spends its error rate on
    `slope`; the others are shown, or may turn a PASS into INCONCLUSIVE, which needs no share of that rate.

    Attributes
    ----------
    sizes : tuple of float, length k
        The path.
    trials : int
        Number of trials.
    alpha : float
        Error rate of each interval.
    slope : Estimate
        Least-squares slope over all points.
    tail : Estimate
        Slope over the ``tail_points(k)`` largest sizes.
    means : tuple of float, length k
        Mean of log Y at each point.
    local : tuple of Estimate, length k - 1
        Slopes between neighbours.
    from_smallest : tuple of Estimate, length k - 1
        Slope over the points j, ..., k - 1 for each j.
    curvature : Estimate or None
        Change of the local slope per e-fold of size; None for k < 3.
    corrected : Estimate or None
        Exponent of the fit with a correction ``size^-omega``; None for k < 4.
    spread : tuple of float, length k
        Standard deviation of log Y over trials at each point.
    spread_slope : Estimate
        Growth of the spread per e-fold of size; its interval comes from jackknife pseudo-values and is
        asymptotic.  A low end above zero says that the spread grows along the path.
    rule : Rule
        What the intervals of the linear quantities rest on.
    """

    sizes: tuple[float, ...]
    trials: int
    alpha: float
    slope: Estimate
    tail: Estimate
    means: tuple[float, ...]
    local: tuple[Estimate, ...]
    from_smallest: tuple[Estimate, ...]
    curvature: Estimate | None
    corrected: Estimate | None
    spread: tuple[float, ...]
    spread_slope: Estimate
    rule: Rule = T_SEQUENCE


def _spread_slope(weights: Array, Y: Array, alpha: float, c2: float, slack: float) -> Estimate:
    """Slope of the standard deviations, with pseudo-values of the jackknife over trials."""
    n = Y.shape[0]
    value = float(weights @ Y.std(axis=0, ddof=1))
    if n < 3:
        return Estimate(value, Interval(-np.inf, np.inf))
    # Leaving out trial i lowers the sum of squares by n / (n - 1) times its squared deviation.
    squares = (Y - Y.mean(axis=0)) ** 2
    left = np.maximum(squares.sum(axis=0) - n / (n - 1) * squares, 0.0) / (n - 2)
    pseudo = n * value - (n - 1) * np.sqrt(left) @ weights
    low, high = t_limits(pseudo, alpha, c2, resolution=slack)
    return Estimate(value, Interval(float(low), float(high)))


def slope_report(
    sizes: ArrayLike,
    Y: ArrayLike,
    alpha: float,
    *,
    c2: float = DEFAULT_C2,
    omega: float = DEFAULT_OMEGA,
    resolution: float = DEFAULT_RESOLUTION,
) -> SlopeReport:
    """Measure the growth exponent of ``E[log Y]`` and all that puts it in doubt.

    Parameters
    ----------
    sizes : array_like, shape (k,)
        Sizes of the path, positive and strictly increasing, k >= 2.
    Y : array_like, shape (trials, k)
        Natural logarithms of the statistic (divided by the claimed rate), one row a trial, at least 2 trials.
    alpha : float
        Error rate of each interval, two-sided and over all numbers of trials.
    c2 : float
        Mixture precision of the t-sequence.
    omega : float
        Exponent of the correction to scaling.
    resolution : float
        Bound on the relative numerical error of the statistic.  The default suits float64; in float32 give
        about 1e-5, or rounding may look like growth in a statistic that does not vary.

    Returns
    -------
    SlopeReport

    Raises
    ------
    InputError
        Shapes, sizes or levels break the rules above, or a logarithm is not finite.
    """
    values = check_sizes(sizes)
    k = values.size
    logs = check_trials(Y, k)
    x = np.log(values)
    kept = estimates(tail_slope_weights(x), logs, alpha, c2, resolution)
    weights = slope_weights(x)
    spread = logs.std(axis=0, ddof=1)
    slack = resolution * float(np.abs(weights).sum())
    return SlopeReport(
        sizes=tuple(values.tolist()),
        trials=logs.shape[0],
        alpha=alpha,
        slope=kept[0],
        tail=kept[k - tail_points(k)],
        means=tuple(logs.mean(axis=0).tolist()),
        local=estimates(local_slope_weights(x), logs, alpha, c2, resolution),
        from_smallest=kept,
        curvature=estimates(curvature_weights(x), logs, alpha, c2, resolution)[0] if k >= 3 else None,
        corrected=(
            estimates(corrected_slope_weights(values, omega), logs, alpha, c2, resolution)[0]
            if k >= 4
            else None
        ),
        spread=tuple(spread.tolist()),
        spread_slope=_spread_slope(weights, logs, alpha, c2, slack),
    )
