"""Gradients, memory and dynamics of two-layer networks in training.

Inputs are random, outcomes are not (tolerances are multiples of rounding), except where a
comment gives a false-alarm probability.
"""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from whp.ensembles.initialisation import symmetric_init
from whp.errors import InputError, MeasurementError
from whp.kernels.activations import activation as registered
from whp.kernels.activations import activation_names
from whp.models import LinearDescent, TwoLayer, TwoLayerDescent, train_first_layer, train_two_layer
from whp.models.two_layer import CPU_BLOCK, CPU_SLICE
from whp.seeding import generator


class Lambda:
    """An activation from two functions; counts the rows that it is shown."""

    def __init__(self, phi, dphi):
        self.functions = phi, dphi
        self.largest = 0

    def phi(self, z):
        self.largest = max(self.largest, z.numel())
        return self.functions[0](z)

    def dphi(self, z):
        self.largest = max(self.largest, z.numel())
        return self.functions[1](z)


ACTIVATIONS = {
    "erf": lambda: Lambda(
        lambda z: torch.erf(z / math.sqrt(2)),
        lambda z: torch.exp(-0.5 * z * z) * math.sqrt(2 / math.pi),
    ),
    "relu": lambda: Lambda(torch.relu, lambda z: (z >= 0).to(z.dtype)),
    "leaky": lambda: Lambda(
        lambda z: torch.where(z >= 0, z, -0.2 * z), lambda z: 1.2 * (z >= 0).to(z.dtype) - 0.2
    ),
    "softplus": lambda: Lambda(torch.nn.functional.softplus, torch.sigmoid),
    "tanh": lambda: Lambda(torch.tanh, lambda z: 1 - torch.tanh(z) ** 2),
    "identity": lambda: Lambda(lambda z: z.clone(), torch.ones_like),
}


def network(n, d, m, dtype=torch.float64, symmetric=True):
    rng = generator(3, "network", n, d, m)
    X = torch.from_numpy(rng.standard_normal((n, d))).to(dtype)
    y = torch.sign(X[:, 0])
    init = symmetric_init(rng, m, d, dtype)
    v = init.v if symmetric else torch.from_numpy(rng.standard_normal(m)).to(dtype)
    return X, y, init.W, v


def autograd(X, y, W, v, activation):
    """The outputs and the gradients of (2) in W and v, by torch from equations (1) and (2) as printed."""
    W, v = W.clone().requires_grad_(), v.clone().requires_grad_()
    f = activation.phi(X @ W.T / math.sqrt(X.shape[1])) @ v / math.sqrt(W.shape[0])
    gradients = torch.autograd.grad(((f - y) ** 2).sum() / (2 * len(y)), (W, v))
    return f.detach(), *gradients


def relative(a, b):
    return float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b))


def gradient_error(X, y, W, v, activation, eta_1=0.7, eta_2=0.3):
    """Relative distance between one step and one step with autograd's gradients, the worse layer."""
    f, by_W, by_v = autograd(X, y, W, v, activation)
    state = TwoLayerDescent(X, y, W, v, activation, eta_1, eta_2)
    state.evaluate()
    outputs = float((state.outputs - f).abs().max())
    state.update()
    pairs = [(state.displacement, -eta_1 * by_W, eta_1), (state.displacement_v, -eta_2 * by_v, eta_2)]
    assert all(bool((moved == 0).all()) for moved, _, eta in pairs if not eta)
    return outputs, max(relative(moved, right) for moved, right, eta in pairs if eta)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("n", [1, 100, CPU_BLOCK, 2 * CPU_BLOCK + 37])
@pytest.mark.parametrize("rates", [(0.7, 0.0), (0.0, 0.3), (0.7, 0.3)], ids=["first", "second", "both"])
def test_gradient_is_that_of_autograd(name, n, rates):
    outputs, moved = gradient_error(*network(n, 11, 26, symmetric=False), ACTIVATIONS[name](), *rates)
    assert outputs < 1e-13
    assert moved < 1e-13


@pytest.mark.parametrize("name", activation_names())
def test_gradient_with_every_registered_activation(name):
    outputs, moved = gradient_error(*network(CPU_BLOCK + 9, 11, 26, symmetric=False), registered(name))
    assert outputs < 1e-13
    assert moved < 1e-13


@pytest.mark.parametrize("factor", [1 + 1e-6, 0.5, -1.0])
def test_a_wrong_slope_is_noticed(factor):
    right = ACTIVATIONS["tanh"]()
    wrong = Lambda(right.phi, lambda z: factor * right.dphi(z))
    setting = network(100, 11, 26, symmetric=False)
    f, by_W, _ = autograd(*setting, right)
    state = TwoLayerDescent(*setting, wrong, 0.7, 0.3)
    state.evaluate()
    state.update()
    assert torch.allclose(state.outputs, f, atol=1e-13)
    assert relative(state.displacement, -0.7 * by_W) > 1e-7


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("rates", [(1.5, 0.0), (1.5, 0.4)], ids=["first", "both"])
def test_several_steps_follow_autograd(name, rates):
    X, y, W, v = network(300, 8, 40)
    activation = ACTIVATIONS[name]()
    seen = []
    trained = train_two_layer(
        X, y, W, v, activation, *rates, 5, lambda t, state: seen.append((t, state.outputs.clone()))
    )
    by_hand, second = W.clone(), v.clone()
    for t in range(6):
        f, by_W, by_v = autograd(X, y, by_hand, second, activation)
        assert seen[t][0] == t
        assert torch.allclose(seen[t][1], f, atol=1e-12, rtol=0)
        if t < 5:  # (4): both layers move at once, from the gradients at step t
            by_hand, second = by_hand - rates[0] * by_W, second - rates[1] * by_v
    assert torch.allclose(trained.W, by_hand, atol=1e-12, rtol=0)
    assert torch.allclose(trained.v, second, atol=1e-12, rtol=0)
    assert torch.allclose(trained.forward(X), seen[5][1], atol=1e-12, rtol=0)
    assert (rates[1] > 0) == bool((trained.v - v).abs().max() > 1e-3)


def test_the_first_layer_alone_is_the_rate_zero():
    X, y, W, v = network(300, 8, 40)
    tanh = ACTIVATIONS["tanh"]()
    alone = train_first_layer(X, y, W, v, tanh, 1.5, 4)
    assert torch.equal(alone.W, train_two_layer(X, y, W, v, tanh, 1.5, 0.0, 4).W)
    assert torch.equal(alone.v, v)


def test_the_second_layer_alone_is_linear_descent_on_its_features():
    X, y, W, v = network(120, 8, 40)
    tanh = ACTIVATIONS["tanh"]()
    linear = LinearDescent(tanh.phi(X @ W.T / math.sqrt(8)) / math.sqrt(40), y, 0.9)

    def check(t, state):
        assert torch.allclose(state.outputs, linear.train_predictions(t), atol=1e-13, rtol=0)
        assert torch.allclose(state.displacement_v, linear.omega(t), atol=1e-13)
        assert not state.displacement.any()

    train_two_layer(X, y, W, v, tanh, 0.0, 0.9, 25, check)


def test_the_initial_weights_are_left_alone():
    X, y, W, v = network(50, 8, 20)
    before, second = W.clone(), v.clone()
    trained = train_two_layer(X, y, W, v, ACTIVATIONS["tanh"](), 1.0, 1.0, 3)
    assert torch.equal(W, before)
    assert torch.equal(v, second)
    assert not torch.equal(trained.W, before)
    assert not torch.equal(trained.v, second)
    assert torch.equal(train_first_layer(X, y, W, v, ACTIVATIONS["tanh"](), 1.0, 0).W, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_symmetric_initialisation_starts_at_zero(dtype, name):
    X, _, W, v = network(300, 20, 512, dtype)
    activation = ACTIVATIONS[name]()
    f = TwoLayer(W, v, activation).forward(X)
    # Zero to rounding: each of the m terms, and each pre-activation (20 products), rounds.
    size = activation.phi(X @ W.T / math.sqrt(20)).abs().sum(dim=1) / math.sqrt(512)
    unit = torch.finfo(dtype).eps
    assert bool((f.abs() <= 20 * unit * size).all())
    # The check can fail: without the symmetry the output is of order one.
    f = TwoLayer(W, v.abs(), activation).forward(X)
    assert not bool((f.abs() <= 20 * unit * size).all())


def test_float32_follows_float64():
    X, y, W, v = network(300, 16, 128)
    long = train_first_layer(X, y, W, v, ACTIVATIONS["erf"](), 2.0, 30)
    short = train_first_layer(*(A.to(torch.float32) for A in (X, y, W, v)), ACTIVATIONS["erf"](), 2.0, 30)
    assert short.W.dtype == torch.float32
    assert float((short.W - long.W).abs().max()) < 1e-5


def test_identity_activation_is_a_linear_model():
    # With phi(z) = z: f = a . x, a = W^T v / sqrt(m d), and a moves by GD with |v|^2 / (m d) in
    # front, so f_t is linear descent on the features |v| x / sqrt(m d); W moves by v b^T / |v|.
    X, y, W, _ = network(80, 6, 24)
    half = torch.linspace(0.5, 2.0, 12, dtype=torch.float64)
    v = torch.cat((half, -half))
    linear = LinearDescent(X * torch.linalg.vector_norm(v) / math.sqrt(24 * 6), y, 1.3)

    def check(t, state):
        assert torch.allclose(state.outputs, linear.train_predictions(t), atol=1e-13, rtol=0)
        direction = v / torch.linalg.vector_norm(v)
        assert torch.allclose(state.displacement, torch.outer(direction, linear.omega(t)), atol=1e-13)

    train_first_layer(X, y, W, v, ACTIVATIONS["identity"](), 1.3, 25, check)


def linearisation_gap(m, eta, steps, seed=0):
    """Root mean square distance of a tanh network from its own linearisation at W(0)."""
    rng = generator(seed, "linearisation", m)
    X = torch.from_numpy(rng.standard_normal((30, 6)))
    init = symmetric_init(rng, m, 6)
    y = torch.sign(X[:, 0])
    activation = ACTIVATIONS["tanh"]()
    slope = activation.dphi(X @ init.W.T / math.sqrt(6)) * init.v / math.sqrt(m * 6)  # (n, m)
    features = (slope[:, :, None] * X[:, None, :]).reshape(30, -1)  # (n, m d): grad of f in W
    trained = train_first_layer(X, y, init.W, init.v, activation, eta, steps)
    return float(
        (trained.forward(X) - LinearDescent(features, y, eta).train_predictions(steps)).square().mean().sqrt()
    )


def test_one_step_leaves_the_linearisation_at_third_order():
    # The second-order terms of a symmetric pair cancel (equal moves of opposite sign, squared,
    # times v and -v), so the remainder of one step is c eta^3 (1 + O(eta)). Not random but for c.
    ratio = linearisation_gap(64, 1e-2, 1) / linearisation_gap(64, 1e-3, 1)
    assert 950 < ratio < 1050


def test_a_wide_network_stays_near_its_linearisation():
    # Random. Over 100 draws the log of this ratio had mean -4.22 (the gap falls as 1/m: log 64 =
    # 4.16) and standard deviation 0.35; log 0.25 = -1.39 is 8 deviations away: false alarm < 1e-6.
    assert linearisation_gap(4096, 1.0, 20) < 0.25 * linearisation_gap(64, 1.0, 20)


class Allocations(TorchDispatchMode):
    """Sizes of the results that are neither a view nor one of the arguments."""

    def __init__(self):
        super().__init__()
        self.fresh = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = [a for a in [*args, *(kwargs or {}).values()] if isinstance(a, torch.Tensor)]
        if isinstance(result, torch.Tensor):
            known = {a.untyped_storage().data_ptr() for a in given}
            if result.untyped_storage().data_ptr() not in known:
                self.fresh.append(result.numel())
        return result


class Silent:
    """Returns what it was given, so that every allocation is the trainer's own."""

    def phi(self, z):
        return z

    dphi = phi


def test_a_step_allocates_nothing_of_its_own():
    X, y, W, v = network(3 * CPU_BLOCK, 12, 400)
    for activation, expected in [(Silent(), 0), (ACTIVATIONS["tanh"](), CPU_SLICE // (400 * 8) * 400)]:
        state = TwoLayerDescent(X, y, W, v, activation, 1.0, 1.0)
        with Allocations() as seen:
            state.evaluate()
            state.update()
        # The second case shows that the first could have failed.
        assert max(seen.fresh, default=0) == expected


@pytest.mark.parametrize(
    ("n", "m", "rows"),
    [(2 * CPU_BLOCK + 3, 30, CPU_BLOCK), (25, 2 * (CPU_SLICE // 160), 10), (3, CPU_SLICE // 4, 1)],
)
def test_an_activation_sees_a_slice_at_a_time(n, m, rows):
    X, y, W, v = network(n, 2, m, symmetric=False)
    activation = ACTIVATIONS["relu"]()
    f = train_first_layer(X, y, W, v, activation, 1.0, 1).forward(X)
    assert activation.largest == rows * m
    assert f.shape == (n,)


def test_divergence_is_named_by_its_step():
    X, y, W, v = network(40, 6, 16, torch.float32)
    with pytest.raises(MeasurementError, match=r"network at step \d+ must be finite on the training set"):
        train_first_layer(X, y, W, v, ACTIVATIONS["identity"](), 1e6, 200)


def test_refusals():
    X, y, W, v = network(10, 4, 6)
    tanh = ACTIVATIONS["tanh"]()
    nan = torch.full_like(X, math.nan)
    for changed, message in [
        ({"X": nan}, "X must be finite"),
        ({"X": X[:, :3]}, r"X must be of shape \(n, 4\)"),
        ({"X": X.to(torch.float32)}, "X must be like W"),
        ({"X": X[:0], "y": y[:0]}, "X must be a non-empty matrix"),
        ({"y": y * math.nan}, "y must be finite"),
        ({"y": y[:4]}, r"y must be of shape \(10,\)"),
        ({"W": W[0]}, "W must be a non-empty matrix"),
        ({"W": W / 0.0}, "W must be finite"),
        ({"W": W.to(torch.float16)}, "W, v must be both float32 or both float64"),
        ({"v": v[:3]}, r"v must be of shape \(6,\)"),
        ({"v": v / 0.0}, "v must be finite"),
        ({"eta_1": 0.0, "eta_2": 0.0}, "eta must be positive"),
        ({"eta_1": -1.0}, "eta_1 must be not negative"),
        ({"eta_2": -1.0}, "eta_2 must be not negative"),
        ({"eta_2": math.inf}, "eta_2 must be not negative and finite"),
        ({"steps": -1}, "steps must be not negative"),
    ]:
        good = {"X": X, "y": y, "W": W, "v": v, "activation": tanh, "eta_1": 1.0, "eta_2": 1.0, "steps": 1}
        with pytest.raises(InputError, match=message):
            train_two_layer(**(good | changed))
    with pytest.raises(InputError, match=r"X must be of shape \(n, 4\)"):
        TwoLayer(W, v, tanh).forward(X[:, :2])
