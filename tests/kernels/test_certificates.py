"""Certificates of kernels that are never formed, for points and weights that are hard on rounding.

Every interval must contain the norm of the kernel in float64, with all eigenvalues, where entries are taken
from angles by differences of points: repeated rows, nearly parallel and antipodal ones, large and tiny ones,
repeated and large weights. Starts fail with probability 1e-10 each.
"""

import math

import numpy as np
import pytest
import torch

from whp.kernels import (
    ExpectedOperator,
    TangentOperator,
    activation,
    expected_first_layer_ntk,
    expected_operator,
    expected_second_layer_ntk,
    expected_tiles,
    leaky_relu,
    near_pairs,
)
from whp.linalg import extreme_eigenvalues, spectral_norm
from whp.seeding import generator

LAYERS = [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)]
N, D = 101, 20


def points(n=N, d=D):
    return generator(21, "certificates", n, d).standard_normal((n, d))


def repeated(n=N, d=D, different=5):
    return points(n, d)[np.arange(n) % different]


def almost(n=N, d=D, distance=1e-4):
    return points(n, d)[:1] + distance * points(n, d)


SIGNS = np.where(np.arange(N) % 2, 1.0, -1.0)[:, None]
DATA = {
    "gaussian": points(),
    "one row": np.repeat(points()[:1], N, axis=0),
    "five rows": repeated(),
    "near": almost(),
    "nearer": almost(distance=1e-6),
    "beside the limit": almost(distance=0.15),
    "antipodal": SIGNS * almost(),
    "exactly antipodal": SIGNS * repeated(),
    "huge": 1e4 * points(),
    "huge, five rows": 1e4 * repeated(),
    "tiny": 1e-18 * points(),
    "rows of zeros": points() * (np.arange(N) % 2)[:, None],
    "one dimension": points(d=1),
    "two dimensions": points(d=2),
    **{f"erf at {scale}": scale * repeated() for scale in (100, 300, 1000, 3000)},
}
CLOSED = ["erf", "relu", "leaky_relu(-0.5)"]


def named(name):
    return leaky_relu(-0.5) if name == "leaky_relu(-0.5)" else activation(name)


def expected(X, act, rates):
    """The dense kernel in float64."""
    X = X.double()
    K = torch.zeros(len(X), len(X), dtype=torch.float64)
    for rate, kernel in zip(rates, (expected_first_layer_ntk, expected_second_layer_ntk), strict=True):
        if rate:
            K += rate * kernel(X, act)
    return K


def finite(X, W, act, rates):
    """The dense kernel of a network in float64."""
    X, W = X.double(), W.double()
    Z = X @ W.T / math.sqrt(X.shape[1])
    K = torch.zeros(len(X), len(X), dtype=torch.float64)
    if rates[0]:
        K += rates[0] * (act.dphi(Z) @ act.dphi(Z).T / len(W)) * (X @ X.T / X.shape[1])
    if rates[1]:
        K += rates[1] * (act.phi(Z) @ act.phi(Z).T / len(W))
    return K


def check(operator, K, slack=1e-9):
    """Both certificates contain what is exact, up to the rounding of the reference; return the norm."""
    values = torch.linalg.eigvalsh(K).tolist()
    norm = max(-values[0], values[-1])
    bounds = spectral_norm(operator, generator(22, "starts"))
    assert bounds.low <= norm * (1 + slack)
    assert norm * (1 - slack) <= bounds.high
    ends = extreme_eigenvalues(operator, generator(22, "starts"))
    for end, value in ((ends.smallest, values[0]), (ends.largest, values[-1])):
        assert end.low - slack * norm <= value <= end.high + slack * norm
    return norm


def error(operator, K):
    eye = torch.eye(len(K), dtype=operator.dtype)
    return float(torch.linalg.matrix_norm(operator.matmat(eye).double() - K, 2))


class TestExpected:
    @pytest.mark.parametrize("rates", LAYERS[:2])
    @pytest.mark.parametrize("name", CLOSED)
    @pytest.mark.parametrize("data", DATA)
    def test_single(self, data, name, rates):
        X, act = torch.from_numpy(DATA[data]).float(), named(name)
        operator, K = ExpectedOperator(X, act, rates), expected(X, act, rates)
        norm = check(operator, K)
        assert error(operator, K) <= operator.rounding
        assert error(operator, K) <= 1e-6 * norm  # entries are right, not only allowed to be wrong
        if data != "tiny":  # near the least numbers of float32
            assert operator.rounding <= 1e-3 * norm

    @pytest.mark.parametrize("rates", LAYERS[:2])
    @pytest.mark.parametrize("name", ["erf", "relu"])
    @pytest.mark.parametrize("data", ["gaussian", "five rows", "nearer", "antipodal", "one dimension"])
    def test_double(self, data, name, rates):
        X, act = torch.from_numpy(DATA[data]), named(name)
        operator, K = ExpectedOperator(X, act, rates), expected(X, act, rates)
        norm = check(operator, K, slack=1e-8)  # the angle of the dense kernel is known to about 1e-8
        assert error(operator, K) <= 1e-7 * norm
        if (
            data == "one dimension" and name == "relu" and rates == (1.0, 0.0)
        ):  # halves of two points' squares
            x = DATA[data][:, 0]
            exact = max(float((x[x > 0] ** 2).sum()), float((x[x < 0] ** 2).sum())) / 2
            bounds = spectral_norm(operator, generator(22, "starts"))
            assert bounds.low <= exact * (1 + 1e-14)
            assert exact * (1 - 1e-14) <= bounds.high
        assert operator.rounding <= 1e-11 * norm

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("data", ["gaussian", "five rows", "near", "antipodal", "one dimension"])
    def test_by_the_series(self, data, dtype):
        X, act = (
            torch.from_numpy(DATA[data][: N if data == "gaussian" else 5]).float().to(dtype),
            activation("tanh"),
        )
        for rates in ((1.0, 0.0), (0.0, 1.0)):
            operator, K = ExpectedOperator(X, act, rates), expected(X, act, rates)
            check(operator, K)
            assert error(operator, K) <= operator.rounding

    @pytest.mark.parametrize("name", ["erf", "relu"])
    @pytest.mark.parametrize("n", [700, 1391])
    def test_many_tiles_and_rests_of_them(self, n, name):
        near = [points(n - 60, 12), repeated(20, 12), almost(20, 12), -almost(20, 12)]
        X = torch.from_numpy(np.concatenate(near))
        act, rates = activation(name), (1.0, 0.5)
        operator, K = ExpectedOperator(X.float(), act, rates), expected(X.float(), act, rates)
        norm = float(torch.linalg.matrix_norm(K, 2))
        bounds = spectral_norm(operator, generator(22, "starts"))
        assert bounds.low <= norm <= bounds.high
        V = torch.from_numpy(points(n, 4)).float()
        V /= V.norm(dim=0)
        off = operator.matmat(V).double() - K @ V.double()
        assert float(off.norm(dim=0).max()) <= operator.rounding

    @pytest.mark.parametrize(("name", "data"), [("relu", "near")])
    def test_covariances_alone_would_break_the_certificate(self, name, data, monkeypatch):
        X, act = torch.from_numpy(DATA[data]).float(), activation(name)
        monkeypatch.setattr(near_pairs.NearPairs, "put", lambda *arguments: None)
        operator = ExpectedOperator(X, act)
        assert error(operator, expected(X, act, (1.0, 0.0))) > operator.rounding

    def test_entries_of_near_pairs(self):
        mp = pytest.importorskip("mpmath")
        mp.mp.dps = 60
        X = torch.from_numpy(np.stack([points()[0], points()[0] + 1e-9 * points()[1], -points()[0] * 3]))
        i, j = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 2])
        for name in ("erf", "relu"):
            near = near_pairs.NearPairs(X, (X * X).mean(dim=1), activation(name), 0.0, (1.0, 2.0))
            for p, q, found in zip(i, j, near.entries(i, j).tolist(), strict=True):
                x, y = ([mp.mpf(v) for v in X[k].tolist()] for k in (p, q))
                a, b, c = (mp.fdot(u, v) / D for u, v in ((x, x), (y, y), (x, y)))
                if name == "erf":
                    scale = mp.sqrt((1 + 2 * a) * (1 + 2 * b))
                    exact = 4 * c / mp.pi / mp.sqrt(scale**2 - 4 * c**2) + 4 / mp.pi * mp.asin(2 * c / scale)
                else:
                    angle = mp.acos(c / mp.sqrt(a * b))
                    lift = mp.sqrt(a * b) * (mp.sin(angle) + (mp.pi - angle) * mp.cos(angle))
                    exact = c * (mp.pi - angle) / (2 * mp.pi) + lift / mp.pi
                assert abs(found - float(exact)) <= 1e-14

    def test_tiles_name_what_is_near(self):
        K = np.array([[0.5, 0.995], [-0.999, 0.0]], dtype=np.float32)
        pair = np.ones((2, 2), dtype=np.float32)
        nearest = expected_tiles.piecewise_entries(K.copy(), 0.0, 1.0, 1.0, pair, pair)
        assert nearest == pytest.approx(0.999)
        for second in (0.0, 1.0):
            tile = np.full((2, 2), 3.0, dtype=np.float32)  # beyond all sines: finite, and named
            assert expected_tiles.erf_entries(tile, 1.0, second, pair[:1], pair[:1]) == pytest.approx(6.0)
            assert np.isfinite(expected_tiles.LEAST)

    def test_few_numbers_at_once_change_nothing(self, monkeypatch):
        X = torch.from_numpy(DATA["five rows"]).float()
        whole = ExpectedOperator(X, activation("relu")).matmat(torch.eye(N))
        monkeypatch.setattr(near_pairs, "AT_ONCE", 100)
        assert torch.equal(whole, ExpectedOperator(X, activation("relu")).matmat(torch.eye(N)))
        assert expected_operator.HEIGHT > N


M = 65
WEIGHTS = {
    "gaussian": generator(23, "W").standard_normal((M, D)),
    "one neuron": np.repeat(generator(23, "W").standard_normal((1, D)), M, axis=0),
    "large": 1e3 * generator(23, "W").standard_normal((M, D)),
    "large, one neuron": 1e3 * np.repeat(generator(23, "W").standard_normal((1, D)), M, axis=0),
    "zero": np.zeros((M, D)),
}


class TestFinite:
    @pytest.mark.parametrize("data", ["gaussian", "one row", "five rows", "huge", "tiny", "rows of zeros"])
    @pytest.mark.parametrize("weights", WEIGHTS)
    def test_single(self, weights, data):
        X, W = (torch.from_numpy(A).float() for A in (DATA[data], WEIGHTS[weights]))
        for name in ("erf", "relu", "tanh"):
            for rates in LAYERS[:2]:
                act = activation(name)
                operator, K = TangentOperator(X, W, act, rates), finite(X, W, act, rates)
                if float(K.abs().max()) > 0:
                    check(operator, K)
                    assert error(operator, K) <= operator.rounding

    @pytest.mark.parametrize("weights", ["gaussian", "one neuron"])
    @pytest.mark.parametrize("data", ["one row", "five rows"])
    def test_many_points_and_neurons(self, data, weights):
        n, m = 2100, 701
        X = torch.from_numpy(repeated(n, D, 1 if data == "one row" else 5)).float()
        W = generator(24, "W").standard_normal((m, D))
        W = torch.from_numpy(np.repeat(W[:1], m, axis=0) if weights == "one neuron" else W).float()
        V = torch.from_numpy(np.concatenate([np.ones((n, 1)), points(n, 2)], axis=1))
        V /= V.norm(dim=0)
        for name in ("erf", "relu"):
            for rates in LAYERS[:2]:
                act = activation(name)
                operator, K = TangentOperator(X, W, act, rates), finite(X, W, act, rates)
                off = (operator.matmat(V.float()).double() - K @ V).norm(dim=0).max()
                assert float(off) <= operator.rounding
                assert operator.rounding <= 1e-4 * float(torch.linalg.matrix_norm(K[:200], 2)) * n / 200

    @pytest.mark.parametrize("rates", LAYERS)
    @pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
    def test_double_and_one_dimension(self, name, rates):
        for X, W in ((DATA["five rows"], WEIGHTS["large"]), (points(d=1), WEIGHTS["gaussian"][:, :1])):
            X, W = torch.from_numpy(X), torch.from_numpy(W)
            act = activation(name)
            check(TangentOperator(X, W, act, rates), finite(X, W, act, rates), slack=1e-12)

    def test_signs_that_rounding_decides_are_counted(self):
        X, W = torch.ones(3, 2), torch.tensor([[1.0, -1.0 - 1e-7], [1.0, 1.0], [0.0, 0.0]])
        operator = TangentOperator(X, W, activation("relu"))
        assert operator.crossings().tolist() == [1.0, 1.0, 1.0]
        moved = TangentOperator(X, torch.flip(W, [0]) * torch.tensor([1.0, 1.0 - 3e-7]), activation("relu"))
        assert error(moved, finite(X, W, activation("relu"), (1.0, 0.0))) <= operator.rounding
        assert TangentOperator(X, W[1:], activation("relu")).rounding < 1e-4 * operator.rounding

    def test_what_vanishes_is_allowed_for(self):
        X, W = (torch.from_numpy(A).float() for A in (DATA["one row"], WEIGHTS["large"]))
        operator = TangentOperator(X, W, activation("erf"))
        assert float(operator.matmat(torch.eye(N)).abs().max()) == 0
        assert operator.rounding > N * torch.finfo(torch.float32).tiny
