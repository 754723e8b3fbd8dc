"""Sharing one error rate among many claims."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from whp.errors import require
from whp.stats.sequences import Array, finite_array, require_count, require_level


def split(alpha: float, parts: int) -> float:
    """Equal share of an error rate, by the union bound (Bonferroni).

    With each of ``parts`` decisions wrong with probability at most the share, some decision is wrong with
    probability at most ``alpha``, *however the decisions depend on each other*.  They do depend: claims share
    trials, grids and random streams, and each stops when it likes, so a sharper rule that needs independence
    or one common sample size would not be valid.  The price is small: t-sequences widen like the square root
    of ``log(parts / alpha)``.

    Parameters
    ----------
    alpha : float
        Error rate of the whole, in (0, 1).
    parts : int
        Number of decisions, at least 1.

    Returns
    -------
    float
        ``alpha / parts``.
    """
    require_level(alpha)
    require_count("parts", parts, 1)
    return alpha / parts


def holm(p_values: ArrayLike) -> Array:
    """Holm-adjusted p-values for a table with fixed numbers of trials (statsmodels).

    Valid under any dependence.  It needs all p-values at once, so it serves a finished table; running
    verdicts use `split`.

    Parameters
    ----------
    p_values : array_like, shape (claims,)
        In [0, 1].

    Returns
    -------
    ndarray, shape (claims,)
        Reject where at most the error rate of the whole table.
    """
    # Imported here: statsmodels takes about a second to load.
    from statsmodels.stats.multitest import multipletests

    p = finite_array(p_values, "p_values")
    good = p.ndim == 1 and p.size > 0 and bool(np.all((p >= 0.0) & (p <= 1.0)))
    require(good, "p_values", "a non-empty list of numbers in [0, 1]", p.tolist())
    return np.asarray(multipletests(p, method="holm")[1], dtype=np.float64)
