"""The expected kernels by their products: against the matrices, for all ways in which tiles are made."""

import pytest
import torch

from whp.ensembles import data_distribution, symmetric_init
from whp.errors import InputError
from whp.kernels import (
    activation,
    activation_names,
    expected_first_layer_ntk,
    expected_operator,
    expected_second_layer_ntk,
    layer_ntks,
    leaky_relu,
)
from whp.kernels.expected_operator import ExpectedOperator
from whp.kernels.matrix_free import TangentOperator
from whp.linalg import extreme_eigenvalues, spectral_norm
from whp.seeding import generator

RATES = [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)]


@pytest.fixture
def small_tiles(monkeypatch):
    """Several strips and tiles, full ones and not, at sizes that take no time."""
    monkeypatch.setattr(expected_operator, "HEIGHT", 16)
    monkeypatch.setattr(expected_operator, "WIDTH", 24)
    monkeypatch.setattr(expected_operator, "AT_ONCE", 32)
    monkeypatch.setattr(expected_operator, "STRIP", {"cpu": 16})


def dense(X, act, rates):
    """r_1 Theta_1^* + r_2 Theta_2^* in float64, from the matrices."""
    X = X.double()
    return rates[0] * expected_first_layer_ntk(X, act) + rates[1] * expected_second_layer_ntk(X, act)


def units(n, s=6):
    V = torch.from_numpy(generator(12, "V").standard_normal((n, s)))
    V[:, 0] = 1.0
    return V / V.norm(dim=0)


@pytest.mark.usefixtures("small_tiles")
class TestProducts:
    @pytest.mark.parametrize("rates", RATES)
    @pytest.mark.parametrize("name", [*activation_names(), "leaky_relu(-0.5)"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_against_the_matrix(self, name, rates, dtype):
        act = leaky_relu(-0.5) if "(" in name else activation(name)
        X = (
            data_distribution("gaussian_two_level")
            .sample(generator(11, "X"), 93, 12, torch.float32)
            .to(dtype)
        )
        V = units(93).to(dtype)
        operator = ExpectedOperator(X, act, rates)
        error = (operator.matmat(V).double() - dense(X, act, rates) @ V.double()).norm(dim=0).max()
        assert float(error) <= operator.rounding
        assert operator.rounding < (2e-3 if dtype == torch.float32 else 1e-7)
        other = ExpectedOperator(X.flip(0), act, rates).matmat(V)  # and the comparison can fail
        assert float((other.double() - dense(X, act, rates) @ V.double()).norm()) > 10 * operator.rounding

    @pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_zero_and_parallel_points(self, name, dtype):
        # tanh: pairs beyond the reach of the series, which are computed by quadrature one by one
        X = data_distribution("gaussian").sample(generator(11, "Y"), 70, 12, torch.float32)
        X[3] = 0
        X[40], X[41], X[42] = X[5], -2 * X[5], X[5] + 1e-3 * X[6]
        V = units(70).to(dtype)
        act = activation(name)
        operator = ExpectedOperator(X.to(dtype), act, (1.0, 1.0))
        error = (operator.matmat(V).double() - dense(X, act, (1.0, 1.0)) @ V.double()).norm(dim=0).max()
        # In float32 the angle between parallel points is known to the root of the roundoff.
        assert float(error) <= (1e-3 if dtype == torch.float32 else 1e-7)

    @pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
    def test_threads_change_nothing(self, name):
        X = data_distribution("gaussian").sample(generator(11, "Z"), 200, 12, torch.float32)
        V = units(200).float()
        before = torch.get_num_threads()
        results = []
        try:
            for threads in (1, 3):
                torch.set_num_threads(threads)
                results += [ExpectedOperator(X, activation(name), (1.0, 1.0)).matmat(V) for _ in range(2)]
        finally:
            torch.set_num_threads(before)
        assert all(torch.equal(result, results[0]) for result in results[1:])

    def test_of_one_vector_is_that_of_many(self):
        X = data_distribution("gaussian").sample(generator(11, "Z"), 50, 12, torch.float32)
        operator = ExpectedOperator(X, activation("relu"))
        V = units(50).float()
        assert torch.equal(torch.cat([operator.matmat(v[:, None]) for v in V.T], dim=1), operator.matmat(V))


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
@pytest.mark.parametrize("rates", [(1.0, 0.0), (1.0, 1.0)])
def test_norm_of_the_distance_to_the_finite_kernel(name, rates):
    X = data_distribution("gaussian").sample(generator(11, "N"), 600, 24, torch.float32)
    W = symmetric_init(generator(11, "W"), 500, 24, torch.float32).W_half
    act = activation(name)
    first, second = layer_ntks(X.double(), W.double(), act)
    values = torch.linalg.eigvalsh(rates[0] * first + rates[1] * second - dense(X, act, rates))
    norm = float(values.abs().max())
    operator = TangentOperator(X, W, act, rates) - ExpectedOperator(X, act, rates)
    bounds = spectral_norm(operator, generator(13, "starts"))
    assert bounds.low <= norm <= bounds.high
    assert bounds.relative_width < 0.05
    ends = extreme_eigenvalues(operator, generator(13, "starts"))
    assert ends.smallest.contains(float(values[0]))
    assert ends.largest.contains(float(values[-1]))
    wrong = TangentOperator(X, W, act, rates) - ExpectedOperator(1.1 * X, act, rates)
    assert spectral_norm(wrong, generator(13, "starts")).low > norm


def test_wrong_arguments():
    X = data_distribution("gaussian").sample(generator(11, "X"), 9, 3)
    with pytest.raises(InputError, match="rates must be a pair of finite numbers, not negative"):
        ExpectedOperator(X, activation("erf"), (-1.0, 1.0))
    with pytest.raises(InputError, match=r"V must be \(9, s\), torch\.float64 on cpu"):
        ExpectedOperator(X, activation("erf")).matmat(torch.ones(9, 1))
