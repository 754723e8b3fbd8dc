"""The strategies reach the edges that they promise, and what they find shrinks to something small."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from whp.errors import InputError
from whp.strategies import (
    data_points,
    matrices,
    psd_matrices,
    sizes,
    symmetric_matrices,
    vectors,
)

SEARCH = settings(max_examples=2000, database=None, derandomize=True, deadline=None)


def rank(A):
    return np.linalg.matrix_rank(A)


@given(matrices(max_side=5), matrices(max_side=5, square=True), symmetric_matrices(5), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_arrays_are_finite_float64_of_the_promised_shape(A, S, H, data):
    n = len(S)
    P, x = data.draw(psd_matrices(side=n)), data.draw(vectors(n))
    assert all(array.dtype == np.float64 and np.isfinite(array).all() for array in (A, S, H, P, x))
    assert max(A.shape) <= 5
    assert S.shape == P.shape == (n, n)
    assert x.shape == (n,)
    assert np.array_equal(H, H.T)


@given(psd_matrices(max_side=6))
@settings(deadline=None)
def test_psd_matrices_are_symmetric_and_have_no_negative_eigenvalue(P):
    assert np.array_equal(P, P.T)
    assert np.linalg.eigvalsh(P).min() >= -1e-14 * len(P) * np.abs(P).max(initial=0.0)


@pytest.mark.parametrize(
    ("strategy", "edge"),
    [
        (matrices(), lambda A: not A.any()),
        (matrices(), lambda A: A.shape[0] > 3 * A.shape[1]),
        (matrices(), lambda A: A.shape[1] > 3 * A.shape[0]),
        (matrices(), lambda A: min(A.shape) > 3 and rank(A) == 1),
        (matrices(), lambda A: 0 < np.abs(A).max() < 1e-50),
        (matrices(), lambda A: np.abs(A).max() > 1e50),
        (matrices(square=True), lambda A: len(A) > 2 and np.array_equal(A, A.T) and A.any()),
        (matrices(square=True), lambda A: len(A) > 2 and not np.array_equal(A, A.T)),
        (
            symmetric_matrices(side=4),
            lambda A: (lambda e: e[0] < -0.1 and e[-1] > 0.1)(np.linalg.eigvalsh(A)),
        ),
        (psd_matrices(side=4), lambda A: rank(A) == 1),
        (psd_matrices(side=4), lambda A: not A.any()),
        (psd_matrices(side=4), lambda A: A.any() and np.linalg.cond(A) < 1 + 1e-12),
        (psd_matrices(side=4), lambda A: 1e9 < np.linalg.cond(A) < 1e15),
        (vectors(5), lambda x: not x.any()),
        (vectors(5), lambda x: np.count_nonzero(x) == 1),
        (vectors(5), lambda x: np.abs(x).max() > 1e50 and np.count_nonzero(x) == 5),
        (data_points(), lambda X: len(X) > 2 and X.shape[1] > 1 and (X[0] == X[-1]).all()),
        (data_points(), lambda X: len(X) > 2 and X.shape[1] > 2 and rank(X) == 1),
        (data_points(), lambda X: (X == 0).all(axis=1).any()),
    ],
)
def test_edges_are_reached(strategy, edge):
    assert edge(find(strategy, edge, settings=SEARCH))


def test_a_false_statement_shrinks_to_a_small_matrix():
    # "The spectral norm is at most the largest entry": false from 2 x 1 on.
    A = find(matrices(), lambda A: np.linalg.norm(A, 2) > np.abs(A).max() * (1 + 1e-9), settings=SEARCH)
    assert A.size == 2
    assert np.abs(A).max() <= 1


def test_sizes_shrink_to_the_smallest():
    assert find(sizes(3, 9), lambda n: True, settings=SEARCH) == 3


@pytest.mark.parametrize(
    "wrong", [lambda: sizes(0), lambda: sizes(3, 2), lambda: vectors(0), lambda: matrices(0)]
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(InputError, match="must be"):
        wrong()


def test_importing_the_strategies_does_not_import_torch():
    code = "import sys, whp.strategies; print(sorted({'torch', 'scipy', 'sympy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
