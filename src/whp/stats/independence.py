"""Are the trials independent? Every rule of the court assumes it; the order of the trials can refute it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from whp.errors import require
from whp.stats.sequences import finite_array
from whp.stats.skewness import FEWEST


@dataclass(frozen=True)
class SerialCorrelation:
    """Lag-one rank correlation over the trial index.

    Attributes
    ----------
    correlation : float
        Of neighbouring trials' ranks; 0 where it is not defined.
    p_value : float
        One-sided, against positive correlation, which makes every interval too
        short; 1 where there is nothing to test.
    repeats : int
        Values that equal an earlier one. A continuous statistic has none; a seed used twice has.
    """

    correlation: float
    p_value: float
    repeats: int


def serial_correlation(x: ArrayLike) -> SerialCorrelation:
    """Test for positive correlation between one trial and the next.

    The lag-one autocorrelation of the ranks has mean ``-1/n`` and variance near ``1/n`` for exchangeable
    values (Wald and Wolfowitz 1943; Bartels 1982 for ranks), so that the normal approximation does not depend
    on tails. It does where most values are tied (rare events come in clumps by chance): those are not tested.
    The test finds drifts and dependence on the last trial; an effect that all trials of a run share leaves no
    trace in one run and cannot be found.

    Parameters
    ----------
    x : array_like, shape (n,)
        Values in the order of the trials.

    Returns
    -------
    SerialCorrelation

    Raises
    ------
    InputError
        A value is not finite, or ``x`` is not one-dimensional.
    """
    values = finite_array(x, "x")
    require(values.ndim == 1, "x", "one-dimensional", values.shape)
    n = values.size
    distinct, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    repeats = n - distinct.size
    if n < FEWEST or 2 * repeats > n:
        return SerialCorrelation(0.0, 1.0, repeats)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[places]  # those that are equal share their mean
    centred = ranks - ranks.mean()
    correlation = float(centred[1:] @ centred[:-1] / (centred @ centred))
    return SerialCorrelation(correlation, float(ndtr(-(correlation + 1.0 / n) * math.sqrt(n))), repeats)
