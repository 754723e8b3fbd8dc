"""The study of norms: its methods, its tally, and that diagonal matrices lose nothing."""

import numpy as np
import pytest
from scipy import stats

from whp.calibration import norms
from whp.calibration.norms import BEYOND, EXCESS, FAILED, NO_ANSWER, SPECTRA, WRONG, Answer, tally
from whp.seeding import generator

METHODS = {
    "certified": norms.certified(1e-6),
    "lanczos": norms.lanczos_value,
    "eigsh": norms.arpack_value,
    "svds": norms.svds_value,
    "power": norms.power_value,
}


@pytest.mark.parametrize("n", [2, 10, 100])
@pytest.mark.parametrize("name", SPECTRA)
def test_spectra_have_norm_one(name, n):
    values = SPECTRA[name](n)
    assert values.shape == (n,)
    assert np.abs(values).max() == 1.0


@pytest.mark.parametrize("name", METHODS)
def test_methods_find_a_norm_with_a_wide_gap(name):
    answer = METHODS[name](np.array([-3.0, 1e-3, 0.0, 2e-3, 1e-4]), generator(0, "norms", name))
    # A start fails to see the vector of norm -3 with probability below 1e-6.
    assert answer.bound == pytest.approx(3.0, rel=1e-2)
    assert answer.products > 0


def test_values_that_are_not_certified_are_below():
    values = SPECTRA["gap 0.02"](100)
    for name in ("lanczos", "eigsh", "power"):
        # The Ritz value of a few steps cannot reach the norm to rounding: no chance of a false alarm.
        sums = tally(METHODS[name], values, 0.0, generator(1, name), 5)
        assert sums[WRONG] == sums[BEYOND] == 5
        assert sums[EXCESS] < 0.0


def test_tally_counts_each_kind_of_answer():
    answers = iter([Answer(2.0, 3), Answer(1.9, 3), Answer(1.0, 3), Answer(None, 3), Answer(2.0 - 1e-15, 3)])
    sums = tally(lambda values, rng: next(answers), np.array([-2.0, 1.0]), 0.1, generator(2), 5)
    assert (sums[WRONG], sums[BEYOND], sums[NO_ANSWER], sums[FAILED]) == (2, 1, 1, 3)
    assert sums[norms.PRODUCTS] == 15
    assert sums[EXCESS] == pytest.approx(-0.55)


def test_the_certified_bound_fails_as_often_as_it_says_at_most():
    # False alarms <= 1e-6 each (binomial).
    sums = tally(norms.certified(0.5), SPECTRA["isolated top"](2000), 0.0, generator(3), 200)
    assert sums[FAILED] <= stats.binom.isf(1e-6, 200, 0.5)
    assert sums[FAILED] > 0  # and it does fail, in 20 % of the cases: the tally sees it


def test_another_basis_changes_nothing():
    # The docstring's argument, by the law of the answers: two samples, Kolmogorov-Smirnov at 1e-6.
    values, n = SPECTRA["gap 0.02"](30), 30
    q, _ = np.linalg.qr(generator(4, "basis").standard_normal((n, n)))
    rotated = q @ np.diag(values) @ q.T

    def power(A, rng):
        v = rng.standard_normal(n)
        for _ in range(10):
            v = A @ (v / np.linalg.norm(v))
        return np.linalg.norm(v)

    rng = generator(5, "law")
    found = [[power(A, rng) for _ in range(400)] for A in (np.diag(values), rotated)]
    assert stats.ks_2samp(*found).pvalue > 1e-6


def test_cells_are_distinct_and_promise_only_what_is_certified():
    cells = norms.cells()
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        promised = [rate for rate in cell.nominal.values() if rate is not None]
        assert bool(promised) == (cell.guarantee == "exact") == cell.name.startswith("whp.linalg")


def test_a_cell_counts_its_events():
    cell = next(cell for cell in norms.cells() if "power" in cell.name and cell.name.endswith("n = 100"))
    sums = cell.simulate(generator(6), 3)
    assert set(cell.nominal) <= set(sums)
    assert sums[WRONG] == 3
