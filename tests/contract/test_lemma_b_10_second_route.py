"""The FAIL of arora2019.lemma_b_10_second by a second route: rank one by the error function, in 30 digits.

xi^2 - 1 > t is |xi| > sqrt(1 + t): no contour, no sampling. And chi-square laws for the corrected form.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.stats import chi2


def tail(t):
    """P(|xi^2 - 1| > t), t >= 1, where xi^2 cannot be below 1 - t."""
    return mpmath.erfc(mpmath.sqrt((1 + mpmath.mpf(t)) / 2))


def bound(t, linear):
    """2 exp(-t^2 / (4 + linear t)): both norms are 1."""
    return 2 * mpmath.exp(-(mpmath.mpf(t) ** 2) / (4 + linear * mpmath.mpf(t)))


def test_rank_one_refutes_the_printed_form():
    with mpmath.workdps(30):
        assert tail(11) < bound(11, 1)
        assert tail(12) > 1.2 * bound(12, 1)
        assert tail(30) > 400 * bound(30, 1)
        # Nor would twice the bound, or any factor, do: the exponents are t/2 and t.
        growth = mpmath.log(tail(400) / bound(400, 1)) - mpmath.log(tail(200) / bound(200, 1))
    assert float(growth) == pytest.approx(100, rel=0.1)


def test_rank_one_satisfies_the_corrected_form():
    assert all(tail(t) < bound(t, 4) for t in np.geomspace(1, 1e3, 40))


@pytest.mark.parametrize("rank", [2, 5, 20, 100, 1000])
def test_equal_eigenvalues(rank):
    """The printed form fails at higher ranks too, farther out; the corrected one holds, in logarithms."""
    t = np.geomspace(0.5, 60, 80) * rank**0.5
    exact = np.logaddexp(chi2.logsf(rank + t, rank), chi2.logcdf(np.maximum(rank - t, 1e-300), rank))
    printed, corrected = (np.log(2) - t**2 / (4 * rank + linear * t) for linear in (1, 4))
    assert np.all(exact <= corrected)
    assert np.any(exact > printed)
