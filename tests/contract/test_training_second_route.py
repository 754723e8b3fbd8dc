"""The FAILs of arora2019 about training by a second route: short steps of gradient descent in NumPy.

One hidden layer of ReLU units, f = sqrt(2/m) sum_r v_r max(w_r . x, 0); no code of the claims, of the
networks or of the kernels (the last test compares it with that of the claims).
The tolerances are five times the spread over twelve seeds, or more.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from whp.claims import Point
from whp.engine.discovery import discover
from whp.models.finite import FullyConnected

N, D = 4, 8


class Net:
    """The network at n training points, its gradients, and its tangent kernel."""

    def __init__(self, m, seed):
        rng = np.random.default_rng(seed)
        self.m = m
        self.W, self.v = rng.standard_normal((m, D)), rng.standard_normal(m)

    def f(self, X):
        return math.sqrt(2 / self.m) * np.maximum(X @ self.W.T, 0) @ self.v

    def kernel(self, X):
        z = X @ self.W.T  # (n, m)
        first = (X @ X.T) * (((z > 0) * self.v) @ ((z > 0) * self.v).T)
        return 2 / self.m * (first + np.maximum(z, 0) @ np.maximum(z, 0).T)

    def descend(self, X, pull):
        """One step along sum_i pull_i grad f(x_i)."""
        z = X @ self.W.T
        scale = math.sqrt(2 / self.m)
        dW = scale * self.v[:, None] * (((z > 0) * pull[:, None]).T @ X)
        dv = scale * pull @ np.maximum(z, 0)
        self.W += dW
        self.v += dv


def data():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((N, D))
    return X / np.linalg.norm(X, axis=1, keepdims=True), np.array([1.0, -1.0, -1.0, 1.0])


def relu_ntk(X):
    """Theta^(1) by the closed form of the arc-cosine kernels."""
    rho = np.clip(X @ X.T, -1, 1)
    angle = np.pi - np.arccos(rho)
    return (np.sqrt(1 - rho**2) + rho * angle) / np.pi + rho * angle / np.pi


def train(m, kappa, seed, mean=False, rate=0.02):
    """Descend until the residual is a hundredth; return the movement, the drift, and the worst quotient."""
    X, y = data()
    net = Net(m, seed)
    W0, v0, K0 = net.W.copy(), net.v.copy(), net.kernel(X)
    lam = np.linalg.eigvalsh(relu_ntk(X))[0]
    r0 = np.linalg.norm(kappa * net.f(X) - y)
    step, t, drift, quotient = rate / kappa**2, 0.0, 0.0, 0.0
    for _ in range(20_000):
        r = kappa * net.f(X) - y
        size = np.linalg.norm(r)
        if t > 0:
            quotient = max(quotient, size / r0 * math.exp(0.5 * kappa**2 * lam * t))
        drift = max(drift, np.abs(net.kernel(X) - K0).max())
        if size <= 0.01 * r0:
            break
        net.descend(X, -step * kappa * r)
        t += step * (N if mean else 1)  # the mean of the squares needs n times as long
    else:
        raise AssertionError("not trained")
    moved = [np.linalg.norm(net.W - W0), np.linalg.norm(net.v - v0)]
    return moved, drift, quotient


def test_the_movement_grows_as_one_over_kappa():
    X, y = data()
    linear = math.sqrt(y @ np.linalg.solve(relu_ntk(X), y))
    lam = np.linalg.eigvalsh(relu_ntk(X))[0]
    printed = []
    for m, kappa in ((256, 0.25), (4096, 0.0625)):
        moved, *_ = train(m, kappa, seed=m)
        # From outputs of order kappa, hence the tolerance.
        assert math.hypot(*moved) * kappa == pytest.approx(linear, rel=0.35)
        printed.append(max(moved) * lam / math.sqrt(N))
    assert printed[1] > 2.8 * printed[0]  # by 4 as 1/kappa, though m = kappa^(-4) in both


def test_the_kernel_moves_by_as_much_at_every_width_if_kappa_falls_as_one_over_root_m():
    drifts = [train(m, m**-0.5, seed=m)[1] for m in (64, 1024)]
    assert drifts[1] > 0.6 * drifts[0] > 0.6
    fixed = [train(m, 1.0, seed=m)[1] for m in (64, 1024)]
    assert fixed[1] < 0.3


def test_the_mean_of_the_squares_falls_more_slowly_than_printed():
    *_, as_printed = train(1024, 0.1, seed=0, mean=True)
    assert as_printed > 2
    *_, of_the_sum = train(1024, 0.1, seed=0)
    assert of_the_sum < 1


def test_outputs_before_training_are_amplified_at_a_test_point():
    """Lemma C.1's first term: a shift of the last layer gives every output the worst sign."""
    found = []
    for n in (4, 32):
        rng = np.random.default_rng(n)
        X = rng.standard_normal((n + 1, n))
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        Theta = relu_ntk(X)
        weights = np.linalg.solve(Theta[:n, :n], Theta[:n, n])
        m = 2**15
        W, v = rng.standard_normal((m, n)), rng.standard_normal(m)
        G = math.sqrt(2 / m) * np.maximum(X @ W.T, 0)  # (n + 1, m)
        wanted = np.append(-np.sign(weights), 1.0)  # epsilon_init = 1
        v += G.T @ np.linalg.solve(G @ G.T, wanted - G @ v)
        y = rng.choice([-1.0, 1.0], n)
        u = G @ v
        assert np.abs(u).max() == pytest.approx(1)
        for _ in range(3000):  # kappa = 1
            z = X @ W.T
            on = (z[:n] > 0) * v
            pull = -0.15 * (u[:n] - y)
            v = v + pull @ G[:n]
            W = W + math.sqrt(2 / m) * (on * pull[:, None]).T @ X[:n]
            G = math.sqrt(2 / m) * np.maximum(X @ W.T, 0)
            u = G @ v
            if np.abs(u[:n] - y).max() < 0.02:
                break
        left = abs(u[n] - weights @ y)
        assert left == pytest.approx(1 + np.abs(weights).sum(), rel=0.15)
        found.append(left)
    assert found[1] > 1.2 * found[0]


def test_what_the_claims_measure_of_a_run_is_what_descent_gives_for_the_same_weights():
    """Every statistic of one trial, from the weights that the trial draws."""
    (claim,) = (claim for claim in discover(None).claims if claim.id == "arora2019.thm_3_2")
    measure = claim.checks[0].experiment.measure
    helper = measure.__globals__
    point = Point({"m": 128, "layers": 1}, "float64")
    values = measure(point, np.random.default_rng(5), torch.device("cpu"))
    net, kappa = Net(128, seed=0), 128 ** (-1 / 3)
    drawn = FullyConnected.draw(np.random.default_rng(5), [D, 128], helper["RELU"], c_sigma=2.0)
    net.W, net.v = drawn.weights[0].numpy().copy(), drawn.weights[1][0].numpy().copy()
    X, y = helper["INPUTS"].numpy(), helper["LABELS"].numpy()
    Theta = relu_ntk(X)
    H, lam = Theta[:N, :N], np.linalg.eigvalsh(Theta[:N, :N])[0]
    W0, v0, K0 = net.W.copy(), net.v.copy(), net.kernel(X)
    start = np.abs(kappa * net.f(X))
    r0, step, t = np.linalg.norm(kappa * net.f(X[:N]) - y), 0.02 / kappa**2, 0.0
    drift = eps_H = low = 0.0
    eps_test = np.zeros(len(X) - N)
    while np.linalg.norm(r := kappa * net.f(X[:N]) - y) > 1e-4 * r0:
        K = net.kernel(X)
        drift = max(drift, np.abs(K - K0).max())
        eps_H = max(eps_H, np.linalg.norm(K[:N, :N] - H, 2))
        eps_test = np.maximum(eps_test, np.linalg.norm(K[N:, :N] - Theta[N:, :N], axis=1))
        low = max(low, 0.5 * lam / np.linalg.eigvalsh(K[:N, :N])[0])
        net.descend(X[:N], -step * kappa * r)
        t += step
    f = Theta[N:, :N] @ np.linalg.solve(H, y)
    ridge = Theta[N:, :N] @ np.linalg.solve(H + 2 * np.eye(N), y)
    end = kappa * net.f(X[N:])
    moved = max(np.linalg.norm(net.W - W0), np.linalg.norm(net.v - v0))
    right = (
        np.maximum(start[N:], start[:N].max())
        + math.sqrt(N) / lam * eps_test
        + math.sqrt(N) / lam**2 * math.log(N / (eps_H * lam * kappa)) * eps_H
    )
    expected = {
        "distance": np.sqrt(np.mean((end - f) ** 2)),
        "distance to ridge": np.sqrt(np.mean((end - ridge) ** 2)),
        "distance without kappa": np.sqrt(np.mean((end / kappa - f) ** 2)),
        "drift": drift,
        "drift over kappa": drift / kappa,
        "movement": moved * lam / math.sqrt(N),
        "movement, root": moved * math.sqrt(lam / N),
        "movement over root m": moved / math.sqrt(128),
        "movement over m^(1/4)": moved / 128**0.25,
        "quotient": np.sqrt(np.mean((np.abs(end - f) / right) ** 2)),
        "hypothesis": 2 * eps_H / lam,
        "eigenvalue": low,
        "eigenvalue, without 1/2": 2 * low,
    }
    # Where the kernel jumps between the few steps of the flow a supremum is missed by as much.
    jumps = {name: expected.pop(name) for name in ("quotient", "hypothesis")}
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=0.03)
    assert {name: values[name] for name in jumps} == pytest.approx(jumps, rel=0.2)
    # Suprema over the few steps of the flow, at whose last one the residual is a thousandth of the first.
    assert values["residual, mean loss"] > values["residual, 3/2"] > values["residual"]
