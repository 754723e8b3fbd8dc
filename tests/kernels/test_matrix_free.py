"""Kernels by their products only: against the matrices, and their rounding against float64."""

import math

import numpy as np
import pytest
import torch

from whp.benchmarks.harness import Context, fresh_process
from whp.benchmarks.matrix_free import run_agreement
from whp.ensembles import data_distribution, symmetric_init
from whp.errors import InputError, ResourceError
from whp.kernels import (
    LinearOperator,
    TangentOperator,
    activation,
    first_layer_ntk,
    layer_ntks,
    linear_kernel,
    matrix_free,
)
from whp.linalg import Difference, RoundedOperator, SymmetricOperator, extreme_eigenvalues, spectral_norm
from whp.seeding import generator

RATES = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 2.0)]
NAMES = ["erf", "relu", "softplus"]


@pytest.fixture
def small_blocks(monkeypatch):
    """Several blocks, panels and groups of panels at sizes that take no time."""
    monkeypatch.setattr(matrix_free, "BLOCK", 16)
    monkeypatch.setattr(matrix_free, "PANEL", 8)
    monkeypatch.setattr(matrix_free, "PANELS", 3)


def problem(n, m, d, dtype=torch.float64, data="gaussian"):
    X = data_distribution(data).sample(generator(6, "X", n, d), n, d, torch.float32)
    W = symmetric_init(generator(6, "W", m, d), m, d, torch.float32).W_half
    return X.to(dtype), W.to(dtype)


def dense(X, W, act, rates):
    """r_1 Theta_1 + r_2 Theta_2 in float64, from the matrices."""
    first, second = layer_ntks(X.double(), W.double(), act)
    return rates[0] * first + rates[1] * second


def directions(n, rng, *others):
    """Unit columns, (n, s): random ones, the constant one, one of signs, one coordinate, and others."""
    columns = [
        rng.standard_normal((n, 2)),
        np.ones((n, 1)),
        np.where(np.arange(n) % 2, 1.0, -1.0)[:, None],
        np.eye(n, 1),
        *others,
    ]
    V = torch.from_numpy(np.concatenate(columns, axis=1))
    return V / V.norm(dim=0)


def covers(interval, value, slack=1e-9):
    return interval.low <= value * (1 + slack) and value * (1 - slack) <= interval.high


@pytest.mark.usefixtures("small_blocks")
class TestProducts:
    @pytest.mark.parametrize("rates", RATES)
    @pytest.mark.parametrize("name", NAMES)
    def test_of_the_tangent_kernel(self, name, rates):
        X, W = problem(83, 90, 7)  # 83 points are ten panels and a rest, 45 neurons two blocks and a rest
        act = activation(name)
        operator = TangentOperator(X, W, act, rates)
        V = directions(83, generator(7, "V"))
        torch.testing.assert_close(operator.matmat(V), dense(X, W, act, rates) @ V, rtol=0, atol=1e-12)
        other = TangentOperator(X, W.flip(1), act, rates)  # and the comparison can fail
        assert float((other.matmat(V) - operator.matmat(V)).abs().max()) > 1e-3

    @pytest.mark.parametrize("rates", RATES)
    @pytest.mark.parametrize("name", NAMES)
    def test_of_the_linear_kernel(self, name, rates):
        X, _ = problem(83, 2, 7)
        act = activation(name)
        V = directions(83, generator(7, "V"))
        exact = linear_kernel(X, act, 1.25, rates) @ V
        torch.testing.assert_close(LinearOperator(X, act, 1.25, rates).matmat(V), exact, rtol=0, atol=1e-12)

    def test_half_of_the_neurons_is_enough(self):
        X, _ = problem(30, 2, 5)
        W = symmetric_init(generator(6, "W"), 40, 5)
        V = directions(30, generator(7, "V"))
        half, whole = (TangentOperator(X, w, activation("tanh")).matmat(V) for w in (W.W_half, W.W))
        torch.testing.assert_close(half, whole, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_features_that_are_kept_change_nothing(self, dtype):
        X, W = problem(83, 200, 7, dtype)
        V = directions(83, generator(7, "V")).to(dtype)
        block = 83 * 2 * 16 * X.element_size()
        kept = [TangentOperator(X, W, activation("erf"), (1.0, 1.0), keep=k * block) for k in (0, 2, 100)]
        first = [operator.matmat(V) for operator in kept]
        again = [operator.matmat(V) for operator in kept]
        assert [len(operator._kept) for operator in kept] == [0, 2, 7]
        for result in (*first[1:], *again):
            assert torch.equal(result, first[0])

    def test_results_do_not_depend_on_what_memory_is_free(self, monkeypatch):
        X, W = problem(83, 200, 7, torch.float32)
        V = directions(83, generator(7, "V")).float()
        results = []
        monkeypatch.setattr("whp.memory.SMALL", 0)
        for free in (10**10, 20_000):  # room for all features, and for one block of them
            monkeypatch.setattr(matrix_free, "free_bytes", lambda device, free=free: free)
            monkeypatch.setattr("whp.memory.free_bytes", lambda device, free=free: free)
            results.append(TangentOperator(X, W, activation("relu")).matmat(V))
        assert torch.equal(*results)
        monkeypatch.setattr("whp.memory.free_bytes", lambda device: 100)
        with pytest.raises(ResourceError, match="the features of 83 points must fit into the free memory"):
            TangentOperator(X, W, activation("relu"))


class TestRounding:
    """``rounding`` covers what float32 does to a product, against float64 and the matrices."""

    @pytest.mark.parametrize("rates", RATES)
    @pytest.mark.parametrize(
        ("name", "data"),
        [("erf", "gaussian"), ("erf", "rademacher"), ("relu", "gaussian"), ("leaky_relu", "rademacher")],
    )
    def test_covers_the_error(self, name, rates, data):
        n, m, d = 500, 500, 20
        X, W = problem(n, m, d, torch.float32, data)
        act = activation(name)
        exact = dense(X, W, act, rates) - linear_kernel(X.double(), act, 1.0, rates)
        # The largest error may be in the directions in which terms are large and cancel.
        Q = torch.linalg.eigh(exact + linear_kernel(X.double(), act, 1.0, rates)).eigenvectors
        V = directions(n, generator(8, "V"), Q[:, -3:].numpy(), X.double().numpy()[:, :2]).float()
        operator = TangentOperator(X, W, act, rates) - LinearOperator(X, act, 1.0, rates)
        error = float((operator.matmat(V).double() - exact @ V.double()).norm(dim=0).max())
        assert error <= operator.rounding
        # No vacuous allowance: the norm of the difference is known to better than two percent.
        assert operator.rounding <= 2e-2 * float(torch.linalg.matrix_norm(exact, 2))

    def test_would_notice_products_in_half_precision(self):
        X, W = problem(700, 600, 20, torch.float32)
        act = activation("erf")
        exact = dense(X, W, act, (1.0, 0.0))
        operator = TangentOperator(X, W, act)
        coarse = TangentOperator(X, W.bfloat16().float(), act)
        Q = torch.linalg.eigh(exact).eigenvectors[:, -3:]
        error = (coarse.matmat(Q.float()).double() - exact @ Q).norm(dim=0).max()
        assert float(error) > operator.rounding

    def test_is_that_of_float64_in_float64(self):
        X, W = problem(60, 40, 5)
        single, double = (
            TangentOperator(X.to(t), W.to(t), activation("erf")) for t in (torch.float32, X.dtype)
        )
        assert double.rounding == pytest.approx(single.rounding * 2.0**-29, rel=1e-3)

    def test_of_a_difference_is_the_sum(self):
        X, W = problem(60, 40, 5)
        left, right = TangentOperator(X, W, activation("erf")), LinearOperator(X, activation("erf"), 1.0)
        assert (left - right).rounding == left.rounding + right.rounding
        assert isinstance(left - right, RoundedOperator)


class TestNorms:
    @pytest.mark.parametrize("name", ["erf", "relu"])
    @pytest.mark.parametrize("rates", [(1.0, 0.0), (1.0, 1.0)])
    def test_certified_like_those_of_the_matrix(self, name, rates):
        n, d = 600, 24
        X, W = problem(n, 500, d, torch.float32)
        act = activation(name)
        D = dense(X, W, act, rates) - linear_kernel(X.double(), act, 1.0, rates)
        values = torch.linalg.eigvalsh(D)
        norm = float(values.abs().max())
        operator = TangentOperator(X, W, act, rates) - LinearOperator(X, act, 1.0, rates)
        bounds = spectral_norm(operator, generator(9, "starts"))
        assert covers(bounds, norm)
        assert bounds.relative_width < 0.05
        ends = extreme_eigenvalues(operator, generator(9, "starts"))
        assert ends.smallest.low <= float(values[0]) <= ends.smallest.high
        assert ends.largest.low <= float(values[-1]) <= ends.largest.high
        wrong = TangentOperator(X, W, act, rates) - LinearOperator(X, activation("tanh"), 1.0, rates)
        assert not covers(spectral_norm(wrong, generator(9, "starts")), norm)

    def test_the_rounding_that_an_operator_states_is_used(self):
        X, W = problem(300, 200, 10, torch.float32)
        operator = TangentOperator(X, W, activation("erf")) - LinearOperator(X, activation("erf"), 1.0)
        stated, none, same = (
            spectral_norm(operator, generator(9, "s"), rounding=r) for r in (None, 0.0, operator.rounding)
        )
        assert stated == same
        assert stated.high - none.high == pytest.approx(operator.rounding, rel=1e-3)

    def test_agrees_with_the_norm_of_the_matrix(self):
        # The same starts and steps; without an allowance both are known to 1e-6, and differ by rounding.
        X, W = problem(900, 400, 16, torch.float32)
        act = activation("erf")
        D = first_layer_ntk(X, W, act).sub_(linear_kernel(X, act, 1.0))
        operator = TangentOperator(X, W, act) - LinearOperator(X, act, 1.0)
        options = {"rtol": 1e-6, "rounding": 0.0, "max_steps": 300}
        one = spectral_norm(operator, generator(9, "s"), **options)
        other = spectral_norm(D, generator(9, "s"), symmetric=True, **options)
        assert math.isclose(one.low, other.low, rel_tol=1e-5)
        assert one.relative_width < 1e-4


@pytest.mark.slow
class TestAtSize:
    def test_agrees_with_the_norm_of_the_matrix(self):
        found = run_agreement(Context(threads=2), {"n": 4000, "m": 4000, "d": 50})
        assert found.figures["relative difference"] <= 1e-4

    def test_no_matrix_is_made(self):
        # The matrix alone would take 1.6 GB, a strip of a tenth of it 0.16 GB beside 0.5 GB of libraries.
        found = fresh_process(
            "whp.benchmarks.matrix_free:certify",
            sizes={"n": 20_000, "m": 200, "d": 20},
            threads=2,
            device="cpu",
        )
        assert found["peak_memory_gb"] < 1.2
        assert 0 < found["norm"][0] <= found["norm"][1]


class TestRefusals:
    def test_wrong_arguments(self):
        X, W = problem(9, 8, 3)
        act = activation("erf")
        with pytest.raises(InputError, match=r"W must be of shape \(m, 3\)"):
            TangentOperator(X, W[:, :2], act)
        with pytest.raises(InputError, match=r"W must be torch\.float64 on cpu like X"):
            TangentOperator(X, W.float(), act)
        with pytest.raises(InputError, match="X must be a non-empty"):
            TangentOperator(X[0], W, act)
        for rates in ((1.0, -1.0), (0.0, 0.0), (1.0, math.nan), (1.0,)):
            with pytest.raises(InputError, match="rates must be a pair of finite numbers, not negative"):
                TangentOperator(X, W, act, rates)
            with pytest.raises(InputError, match="rates must be a pair of finite numbers, not negative"):
                LinearOperator(X, act, 1.0, rates)
        operator = TangentOperator(X, W, act)
        for V in (torch.ones(9), torch.ones(8, 2).double(), torch.ones(9, 2)):
            with pytest.raises(InputError, match=r"V must be \(9, s\), torch\.float64 on cpu"):
                operator.matmat(V)
        with pytest.raises(InputError, match="right must be of the shape"):
            Difference(operator, LinearOperator(X[:5], act, 1.0))
        assert isinstance(operator, SymmetricOperator)
