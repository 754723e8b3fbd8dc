"""The side-by-side trace against a plain recomputation at every step.

Inputs are random, outcomes are not (tolerances are multiples of rounding), except where a
comment gives a false-alarm probability.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch

from whp.ensembles.initialisation import symmetric_init
from whp.errors import InputError, MeasurementError
from whp.models import (
    LinearDescent,
    compare_descents,
    compare_with_linear,
    iterate_linear_descent,
    train_first_layer,
    train_two_layer,
)
from whp.seeding import generator

# E[phi'(g)] for erf(z / sqrt 2): sqrt(2/pi) E[exp(-g^2/2)] = sqrt(2/pi) / sqrt(2).
ZETA = 1 / math.sqrt(math.pi)


class Erf:
    def phi(self, z):
        return torch.erf(z / math.sqrt(2))

    def dphi(self, z):
        return torch.exp(-0.5 * z * z) * math.sqrt(2 / math.pi)


class Identity:
    def phi(self, z):
        return z.clone()

    def dphi(self, z):
        return torch.ones_like(z)


def setting(n=90, d=8, m=64, tests=50, dtype=torch.float64, seed=0):
    rng = generator(seed, "closeness", n, d, m)
    X, X_test = (torch.from_numpy(rng.standard_normal((k, d))).to(dtype) for k in (n, tests))
    init = symmetric_init(rng, m, d, dtype)
    y = torch.sign(X[:, 0])

    def psi(A):  # hu2020 (5); nu = 0 for an odd activation
        return torch.cat((ZETA * A, torch.zeros_like(A[:, :1])), dim=1) / math.sqrt(d)

    return (X, y, init.W, init.v), X_test, psi


STEPS, ETA = 150, 1.2  # more steps than one chunk of the linear model


@pytest.fixture(scope="module")
def traced():
    arguments, X_test, psi = setting()
    trace = compare_with_linear(
        *arguments, Erf(), ETA, STEPS, psi(arguments[0]), X_test, psi(X_test), test_every=40
    )
    return arguments, X_test, psi, trace


def test_every_number_of_the_trace(traced):
    (X, y, W, v), X_test, psi, trace = traced
    betas = iterate_linear_descent(psi(X), y, ETA, STEPS)
    assert trace.test_steps.tolist() == [0, 40, 80, 120, 150]
    for t in (0, 1, 40, 63, 64, 65, 120, 150):
        net = train_first_layer(X, y, W, v, Erf(), ETA, t)
        f, line = net.forward(X), psi(X) @ betas[t]
        assert trace.train_gap[t] == pytest.approx(float((f - line).square().mean()), rel=1e-9, abs=1e-25)
        assert trace.displacement[t] == pytest.approx(float(torch.linalg.matrix_norm(net.W - W)), rel=1e-11)
        assert trace.beta_norm[t] == pytest.approx(float(torch.linalg.vector_norm(betas[t])), rel=1e-11)
        assert trace.network_loss[t] == pytest.approx(float((f - y).square().mean()) / 2, rel=1e-11)
        assert trace.linear_loss[t] == pytest.approx(float((line - y).square().mean()) / 2, rel=1e-11)
        if t in trace.test_steps:
            g = (net.forward(X_test) - psi(X_test) @ betas[t]).square().clamp_max(1).mean()
            k = trace.test_steps.tolist().index(t)
            assert trace.test_gap[k] == pytest.approx(float(g), rel=1e-9, abs=1e-25)
    assert np.allclose(trace.train_outputs, f.numpy(), atol=1e-12)
    assert np.allclose(trace.test_outputs, net.forward(X_test).numpy(), atol=1e-12)


def test_lengths_and_frozen(traced):
    trace = traced[-1]
    for name in ("train_gap", "displacement", "beta_norm", "network_loss", "linear_loss"):
        assert getattr(trace, name).shape == (STEPS + 1,)
        assert getattr(trace, name).dtype == np.float64
    assert trace.displacement[0] == trace.beta_norm[0] == 0.0
    assert trace.network_loss[0] == pytest.approx(0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.train_gap = trace.test_gap


def test_without_a_test_set():
    arguments, _, psi = setting()
    trace = compare_with_linear(*arguments, Erf(), ETA, 0, psi(arguments[0]))
    assert trace.train_gap.shape == (1,)
    assert trace.test_steps.size == trace.test_gap.size == trace.test_outputs.size == 0


def test_both_layers_beside_a_model_with_a_rate_of_its_own():
    (X, y, W, v), X_test, psi = setting()
    rates = (ETA, 0.5)
    trace = compare_with_linear(
        X, y, W, v, Erf(), 0.8, 30, psi(X), X_test, psi(X_test), test_every=30, rates=rates
    )
    betas = iterate_linear_descent(psi(X), y, 0.8, 30)
    for t in (0, 1, 30):
        net = train_two_layer(X, y, W, v, Erf(), *rates, t)
        gap = (net.forward(X) - psi(X) @ betas[t]).square().mean()
        assert trace.train_gap[t] == pytest.approx(float(gap), rel=1e-9, abs=1e-25)
        assert trace.displacement[t] == pytest.approx(float(torch.linalg.matrix_norm(net.W - W)), rel=1e-11)
        assert trace.displacement_v[t] == pytest.approx(float(torch.linalg.vector_norm(net.v - v)), rel=1e-11)
    assert np.allclose(trace.test_outputs, net.forward(X_test).numpy(), atol=1e-12)
    assert trace.displacement_v[30] > 0.01
    # Without rates the second layer stays.
    assert not compare_with_linear(X, y, W, v, Erf(), 0.8, 3, psi(X)).displacement_v.any()


@pytest.mark.parametrize("m", [20, 300])  # fewer and more features than rows
def test_two_linear_models_are_a_network_and_its_model(m):
    (X, y, W, v), X_test, psi = setting(m=m)

    def features(A):  # one half of the neurons, times sqrt 2
        return Erf().phi(A @ W[: m // 2].T / math.sqrt(8)) * math.sqrt(2 / m)

    def other(A):
        return 0.8 * psi(A)

    slow = compare_with_linear(
        X, y, W, v, Erf(), 0.9, 600, other(X), X_test, other(X_test), test_every=250, rates=(0.0, 0.9)
    )
    fast = compare_descents(
        features(X), other(X), y, 0.9, 600, features(X_test), other(X_test), test_every=250
    )
    for name in (field.name for field in dataclasses.fields(slow)):
        assert np.allclose(getattr(slow, name), getattr(fast, name), rtol=1e-9, atol=1e-12), name
    assert fast.train_gap[-1] > 1e-4
    assert compare_descents(features(X), other(X), y, 0.9, 0).test_gap.size == 0
    # Negative: with unscaled features of the half the gap is another one.
    wrong = compare_descents(features(X) / math.sqrt(2), other(X), y, 0.9, 600)
    assert not np.allclose(slow.train_gap, wrong.train_gap, rtol=1e-2)
    for changed, message in [
        ({"steps": -1}, "steps must be not negative"),
        ({"Psi_test": None}, "Phi_test, Psi_test must be given together"),
        ({"Psi_test": other(X_test)[:3]}, "Phi_test, Psi_test must be of the same length"),
    ]:
        good = {"Phi": features(X), "Psi": other(X), "y": y, "eta": 0.9, "steps": 3}
        good |= {"Phi_test": features(X_test), "Psi_test": other(X_test)}
        with pytest.raises(InputError, match=message):
            compare_descents(**(good | changed))


def test_test_gap_is_capped_at_one():
    arguments, X_test, psi = setting()
    far = torch.full((50, 9), 1e6, dtype=torch.float64)
    trace = compare_with_linear(*arguments, Erf(), ETA, 3, psi(arguments[0]), X_test, far)
    assert trace.test_steps.tolist() == [0, 1, 2, 3]
    assert trace.test_gap[3] == 1.0


def test_a_linear_network_and_its_model_agree():
    # phi(z) = z, v = +-1: the model psi(x) = x / sqrt d is the network itself; the moves have
    # equal norms (W(t) - W(0) = v b^T / sqrt m). No randomness: rounding only.
    (X, y, W, v), X_test, _ = setting()
    Psi, Psi_test = X / math.sqrt(8), X_test / math.sqrt(8)
    trace = compare_with_linear(X, y, W, v, Identity(), ETA, 80, Psi, X_test, Psi_test)
    assert trace.train_gap.max() < 1e-25
    assert trace.test_gap.max() < 1e-25
    assert np.allclose(trace.displacement, trace.beta_norm, rtol=1e-11)
    # Negative: a model that is off by one per cent is seen.
    off = compare_with_linear(X, y, W, v, Identity(), ETA, 80, 1.01 * Psi)
    assert off.train_gap.max() > 1e-7


def test_float32_agrees_with_float64():
    (X, y, W, v), X_test, psi = setting()
    arguments = [A.to(torch.float32) for A in (X, y, W, v)]
    short, long = (
        compare_with_linear(*a, Erf(), ETA, 60, psi(a[0]), X_test.to(a[0].dtype), psi(X_test.to(a[0].dtype)))
        for a in (arguments, [A.to(torch.float64) for A in arguments])
    )
    assert np.allclose(short.train_gap, long.train_gap, rtol=1e-4, atol=1e-10)
    assert np.allclose(short.test_gap, long.test_gap, rtol=1e-4, atol=1e-10)
    assert np.allclose(short.displacement, long.displacement, rtol=1e-5)


def test_same_numbers_twice(traced):
    arguments, X_test, psi, trace = traced
    again = compare_with_linear(
        *arguments, Erf(), ETA, STEPS, psi(arguments[0]), X_test, psi(X_test), test_every=40
    )
    assert np.array_equal(trace.train_gap, again.train_gap)
    assert np.array_equal(trace.test_gap, again.test_gap)


def final_gap(d, model, seed):
    """Distance after t = 2 d / eta steps, n = m = 4 d^1.2, from a model that is psi or a wrong one."""
    n = 4 * round(d**1.2)
    arguments, _, psi = setting(n, d, n + n % 2, 1, seed=seed)
    trace = compare_with_linear(*arguments, Erf(), d / 10, 20, model(psi(arguments[0])))
    return trace.train_gap[-1]


def test_the_right_model_is_nearer_than_a_wrong_one():
    # Random. Over 100 draws the log of the ratio of the two had mean -5.39 and standard deviation
    # 0.09; log 0.05 = -3.0 is 25 deviations away: false alarm far below 1e-6 for any seed.
    right, wrong = (final_gap(48, lambda Psi, c=c: c * Psi, seed=0) for c in (1.0, 0.3))
    assert right < 0.05 * wrong
    assert not wrong < 0.05 * right


def test_divergence_is_named_by_its_step():
    (X, y, W, v), _, psi = setting()
    limit = LinearDescent(psi(X), y, 1.0).stable_limit
    with pytest.raises(MeasurementError, match=r"linear model at step \d+ must be finite; eta = .* limit"):
        compare_with_linear(X, y, W, v, Erf(), 1e7 * limit, 200, psi(X))
    with pytest.raises(
        MeasurementError, match=r"closeness at step \d+ must be finite, got .'train_gap': inf"
    ):
        compare_with_linear(X, y, W, v, Identity(), 1e9, 60, 1e-6 * psi(X))


def test_refusals():
    (X, y, W, v), X_test, psi = setting()
    good = {"X": X, "y": y, "W": W, "v": v, "activation": Erf(), "eta": 1.0, "steps": 1, "Psi": psi(X)}
    nan = psi(X) * math.nan
    for changed, message in [
        ({"Psi": psi(X)[:4]}, r"Psi must be of shape \(90, M\)"),
        ({"Psi": nan}, "Phi must be finite"),
        ({"X": X * math.nan}, "X must be finite"),
        ({"eta": -1.0}, "eta must be positive"),
        ({"X_test": X_test}, "X_test, Psi_test must be given together"),
        ({"X_test": X_test, "Psi_test": psi(X_test)[:3]}, r"Psi_test must be of shape \(50, 9\)"),
        ({"X_test": X_test[:, :2], "Psi_test": psi(X_test)}, r"X_test must be of shape \(50, 8\)"),
        ({"X_test": X_test * math.nan, "Psi_test": psi(X_test)}, "X_test must be finite"),
        (
            {"X_test": X_test, "Psi_test": psi(X_test), "test_every": 0},
            "test_every must be a positive integer",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            compare_with_linear(**(good | changed))
