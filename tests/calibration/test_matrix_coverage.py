"""The study of matrix means: its laws have the means and variances that they state, and it can see a miss."""

import numpy as np
import pytest

from whp.calibration import matrix_coverage as study
from whp.seeding import generator
from whp.stats import matrix_sequence

DRAWS = 20_000


@pytest.mark.parametrize("law", study.LAWS, ids=[law.name for law in study.LAWS])
def test_laws_are_what_they_state(law):
    x = law.draw(generator(0, law.name), DRAWS)
    ends = np.linalg.eigvalsh(x)
    assert law.low - 1e-12 <= ends.min() <= ends.max() <= law.high + 1e-12
    # Entries lie in an interval of length 1: Hoeffding at 6 / sqrt(n) errs below 1e-30 each.
    np.testing.assert_allclose(x.mean(axis=0), law.mean, atol=6 / np.sqrt(DRAWS))
    # Twelve standard errors of the largest, and more than the rest of Bernstein's inequality needs at 1e-7.
    deviations = x - law.mean
    variance = np.linalg.eigvalsh((deviations @ deviations).mean(axis=0))[-1]
    assert variance == pytest.approx(law.variance, abs=12 / np.sqrt(DRAWS) * law.variance**0.5)


def test_the_rectangular_law_stays_in_its_range():
    law = study._rectangular(3, 5)
    x = law.draw(generator(1, "rectangular"), 100)
    assert np.linalg.svd(x, compute_uv=False).max() <= law.high
    assert np.linalg.norm(law.mean, 2) == pytest.approx(0.3)


def test_each_wrong_statement_is_a_miss():
    estimate = matrix_sequence(np.tile(0.5 * np.eye(2), (400, 1, 1)), 0.05, 0.0, 1.0)
    assert not study.misses(estimate, 0.5 * np.eye(2))
    assert study.misses(estimate, np.diag([0.5, 0.9]))
    assert study.misses(estimate, np.diag([0.5, 0.1]))
    assert study.misses(estimate, np.array([[0.5, 0.3], [0.3, 0.5]]))


def test_the_normal_limit_is_seen_to_fail():
    # It misses on about 30 % of the paths; none in 200 has probability below 1e-6.
    rng = generator(2, "peeked")
    assert any(study.peeked_path(study.CONTRAST[0], rng)[0] for _ in range(200))


def test_cells_count_what_they_promise():
    cells = study.cells()
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        sums = cell.simulate(generator(3, cell.name), 1)
        assert set(cell.nominal) == {study.MISSED} <= set(sums)
        assert 0.3 < sums[study.RATIO] < 3.0
