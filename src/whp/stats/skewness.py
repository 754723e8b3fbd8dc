"""Is the Gaussian theory of the t-sequence credible for these values?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from whp.errors import require
from whp.stats.sequences import finite_array

FEWEST = 8
"""Below this many values the sample skewness says nothing."""


class Shape(Enum):
    """What the values look like; `advice` is a sentence for the verdict."""

    NEAR_GAUSSIAN = ("near Gaussian", "The t-sequence can be taken at its stated level.")
    SKEWED = ("skewed", "Take logarithms, use a rule for bounded values, or first look after more trials.")
    HEAVY_TAILED = (
        "heavy-tailed",
        "The interval is likely to be too wide rather than too narrow; add trials.",
    )
    CONSTANT = (
        "constant",
        "All values agree; a width of zero is right only if the statistic is deterministic.",
    )
    TOO_FEW = ("too few to tell", "The level rests on the assumption that the values are Gaussian.")

    def __init__(self, label: str, advice: str) -> None:
        self.label = label
        self.advice = advice


@dataclass(frozen=True)
class SkewnessCheck:
    """Sample skewness, excess kurtosis, number of values, and the `Shape` read from them."""

    skewness: float
    excess_kurtosis: float
    n: int
    shape: Shape

    @property
    def label(self) -> str:
        """The shape in words."""
        return self.shape.label


def skewness_check(x: ArrayLike, significance: float = 0.05) -> SkewnessCheck:
    """Label a sample by how far the t-sequence can be trusted on it; a heuristic, not a test.

    The one-sided error of a t interval is off by about ``skewness (2 z^2 + 1) phi(z) / (6 sqrt(n))`` (first
    term of the Edgeworth series), so what counts is skewness against ``sqrt(n)``. The label is SKEWED when
    the sample breaks ``n > 28 + 25 skewness^2`` (Cochran's rule, as Sugden, Smith and Jones 2000 amend it)
    and its skewness is significant, as that of a Gaussian sample is at the rate ``significance``
    (D'Agostino's test); HEAVY_TAILED when the kurtosis is above two standard errors and ``n <= 25 kurtosis``.
    At the small levels of a split budget the far tail matters, and no sample of this size can vouch for it.

    Parameters
    ----------
    x : array_like, shape (n,)
        Values, e.g. per-trial slopes.
    significance : float
        Rate at which Gaussian samples are called skewed.

    Returns
    -------
    SkewnessCheck
        Skewness and kurtosis are 0 where they are not defined (constant values, or n < 8).
    """
    values = finite_array(x, "x")
    require(values.ndim == 1 and values.size > 0, "x", "one-dimensional and not empty", values.shape)
    n = values.size
    # Near 1 by a power of two, which is exact: no moment of theirs leaves the range of floats.
    values = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))
    # Equal up to rounding counts as constant: moments of rounding errors mean nothing.
    constant = float(np.ptp(values)) <= 1e-13 * float(np.abs(values).max())
    if n < FEWEST or constant:
        return SkewnessCheck(0.0, 0.0, n, Shape.CONSTANT if constant and n > 1 else Shape.TOO_FEW)
    m2, m3, m4 = _moments(values)
    gamma = ((n - 1.0) * n) ** 0.5 / (n - 2.0) * m3 / m2**1.5
    kappa = 1.0 / (n - 2) / (n - 3) * ((n**2 - 1.0) * m4 / m2**2.0 - 3 * (n - 1) ** 2.0)
    skew_error = math.sqrt(6.0 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    kurtosis_error = 2.0 * skew_error * math.sqrt((n**2 - 1) / ((n - 3) * (n + 5)))
    if n <= 28.0 + 25.0 * gamma**2 and _p_value(m3 / m2**1.5, n) < significance:
        shape = Shape.SKEWED
    elif kappa > 2.0 * kurtosis_error and n <= 25.0 * kappa:
        shape = Shape.HEAVY_TAILED
    else:
        shape = Shape.NEAR_GAUSSIAN
    return SkewnessCheck(gamma, kappa, n, shape)


# By hand, as scipy's functions spend a hundred times as long on what their arguments may be: this is asked of
# every check at every look, on the cores that measure. A test compares them.
def _moments(values: np.ndarray) -> tuple[float, float, float]:
    """The central moments of orders 2, 3 and 4."""
    centred = values - values.mean()
    squares = centred**2
    return float(squares.mean()), float((squares * centred).mean()), float((squares**2).mean())


def _p_value(skewness: float, n: int) -> float:
    """Of D'Agostino's test on the (biased) skewness of n >= 8 values, two-sided."""
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6.0 * (n - 2)))
    kurtosis = 3.0 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2.0) * (n + 5) * (n + 7) * (n + 9))
    w2 = math.sqrt(2.0 * (kurtosis - 1.0)) - 1.0
    z = math.asinh(y / math.sqrt(2.0 / (w2 - 1.0))) / math.sqrt(0.5 * math.log(w2))
    return 2.0 * float(ndtr(-abs(z)))
