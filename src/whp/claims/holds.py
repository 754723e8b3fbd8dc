"""Reasons to take no decision although an interval would allow one.

At each look a hold turns a decision into INCONCLUSIVE and never the other way.
Where the rule is exact no error rate can pass its nominal value by that: the
interval covers at all looks, whichever of them decides. What a hold costs is
stated as the rate at which sound trials are held.
"""

from __future__ import annotations

import math

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.verdict import Outcome

DEPENDENCE = 1e-3
"""Rate at which independent trials are held, at one look of one cell."""

SKEWNESS_OF_MEANS = 0.05
SKEWNESS_OF_SLOPES = 1e-3
"""Rate at which Gaussian values are held, at one look. The slope of a trial is an antisymmetric combination
of logarithms, so that what skews all points alike cancels: it takes more to doubt one."""


def hold_for_dependence(series: np.ndarray) -> str:
    """Say that trials depend on the ones before them, or nothing; ``series`` has shape (trials, columns)."""
    found = [stats.serial_correlation(column) for column in series.T]
    worst = min(found, key=lambda f: f.p_value)
    if worst.p_value * len(found) >= DEPENDENCE:
        return ""
    return (
        f"Trials are not independent (neighbours correlate by {worst.correlation:.2f}, p ="
        f" {worst.p_value:.1g}): no error rate holds. Draw from rng only, and keep nothing between trials."
    )


def hold_for_shape(series: np.ndarray, significance: float, what: str) -> str:
    """Say that values, shape (trials, columns), are too skewed for Gaussian theory, or nothing."""
    for column in series.T:
        found = stats.skewness_check(column, significance)
        if found.shape is stats.Shape.SKEWED:
            need = math.ceil(28 + 25 * found.skewness**2)
            return (
                f"{what} are skewed (skewness {found.skewness:.2g}) and {len(column)} trials too few for"
                f" Gaussian theory: about {need} would do; or take logarithms, or state a bound."
            )
    return ""


def hold_for_few(trials: int) -> str:
    """Say that trials are too few to see the shape of their distribution, or nothing."""
    if trials >= stats.FEWEST:
        return ""
    return f"Gaussian theory needs {stats.FEWEST} trials, as fewer hide any skewness; {trials} were made."


def hold_for_ties(outcome: Outcome, trials: int, share: Share, *, anywhere: bool = True) -> str:
    """Say that equal values are too few to decide by, or nothing.

    An interval of width zero is right for a statistic that is not random. What
    can be said of one that may be: if no value had more than half of the
    probability, all would agree with probability at most ``2**(1 - trials)``;
    half of that where the value is one known beforehand (not ``anywhere``).
    """
    rate = share.false_fail if outcome is Outcome.FAIL else share.false_pass
    need = math.ceil((1 if anywhere else 0) - math.log2(rate))
    if outcome is Outcome.INCONCLUSIVE or trials >= need:
        return ""
    return f"All {trials} trials agree; {need} that agree would decide."


def shape_warnings(series: np.ndarray, what: str) -> list[str]:
    """Say where the values look unlike those for which the t-sequence is exact, and where trials repeat."""
    shape = stats.skewness_check(series).shape
    if shape is stats.Shape.CONSTANT:
        return [f"{what}: {shape.advice[0].lower()}{shape.advice[1:]}"]
    warnings = []
    if shape in (stats.Shape.SKEWED, stats.Shape.HEAVY_TAILED):
        warnings.append(f"{what} are {shape.label}: the error rates are asymptotic. {shape.advice}")
    repeats = stats.serial_correlation(series).repeats
    if repeats:
        warnings.append(
            f"{what}: {repeats} of {len(series)} equal an earlier one. A discrete statistic may do this;"
            " a continuous one does when trials share their random numbers."
        )
    return warnings
