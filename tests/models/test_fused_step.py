"""The fused pass of a step of descent: its functions, and the step against torch's own, call by call.

Inputs are random, outcomes are not: tolerances are multiples of rounding.
"""

import math

import numpy as np
import pytest
import torch
from scipy.special import erf as exact_erf

from whp.ensembles.initialisation import symmetric_init
from whp.errors import MeasurementError
from whp.kernels.activations import activation, leaky_relu
from whp.models import TwoLayer, TwoLayerDescent, train_two_layer
from whp.models.fused_step import erf, fused, gauss
from whp.models.two_layer import CPU_BLOCK
from whp.seeding import generator

ACTIVATIONS = [activation("erf"), activation("relu"), activation("leaky_relu"), leaky_relu(-0.7)]


class Plain:
    """The two functions alone, so that nothing fast is known of them."""

    def __init__(self, phi, wrong=1.0):
        self.phi, self._dphi, self._wrong = phi.phi, phi.dphi, wrong

    def dphi(self, z):
        return self._wrong * self._dphi(z)


def network(n, d, m, dtype=torch.float32):
    rng = generator(5, "fused", n, d, m)
    X = torch.from_numpy(rng.standard_normal((n, d))).to(dtype)
    init = symmetric_init(rng, m, d, dtype)
    return X, torch.sign(X[:, 0]), init.W, torch.from_numpy(rng.standard_normal(m)).to(dtype)


def step(setting, phi, rates):
    state = TwoLayerDescent(*setting, phi, *rates)
    state.evaluate()
    state.update()
    return state


def error(a, b):
    return float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b))


@pytest.mark.parametrize("z", [np.linspace(-6, 6, 20_001), np.geomspace(1e-30, 1e30, 500), -np.arange(9.0)])
def test_erf_and_its_slope_are_right_to_rounding(z):
    z = z.astype("f")
    slopes = np.array([gauss(entry) for entry in z])
    with np.errstate(over="ignore"):
        assert np.abs(slopes - np.exp(-(z.astype("d") ** 2))).max() < 1e-7
    values = np.array([erf(entry, slope) for entry, slope in zip(z, slopes, strict=True)])
    assert np.abs(values - exact_erf(z.astype("d"))).max() < 1.5e-7
    assert erf(np.float32(0), gauss(np.float32(0))) == 0.0


@pytest.mark.parametrize("sign", [1, -1])
def test_erf_keeps_its_digits_near_zero(sign):
    z = sign * np.concatenate((np.geomspace(1e-30, 10, 20_000), np.linspace(0.7, 0.8, 2000))).astype("f")
    values = np.array([erf(entry, gauss(entry)) for entry in z])
    assert np.abs(values / exact_erf(z.astype("d")) - 1).max() < 3e-7


@pytest.mark.parametrize("rates", [(0.7, 0.0), (0.7, 0.3)], ids=["first", "both"])
def test_small_inputs_keep_their_digits(rates):
    # Outputs of steps of descent of about 1e-4, against automatic differentiation in float64.
    X, y, W, v = network(300, 11, 26)
    X, y = 1e-4 * X, 1e-4 * y
    state = TwoLayerDescent(X, y, W, v, activation("erf"), *rates)
    weights = [W.double().requires_grad_(), v.double().requires_grad_()]
    for at in range(6):
        hidden = torch.erf(X.double() @ weights[0].T / math.sqrt(11))
        outputs = hidden @ weights[1] / math.sqrt(26)
        state.evaluate()
        if at:
            assert error(state.outputs.double(), outputs.detach()) < 1e-6
        loss = ((outputs - y.double()) ** 2).sum() / (2 * len(y))
        slopes = torch.autograd.grad(loss, weights)
        state.update()
        with torch.no_grad():
            for weight, slope, rate in zip(weights, slopes, rates, strict=True):
                weight -= rate * slope


@pytest.mark.parametrize("phi", ACTIVATIONS, ids=lambda phi: phi.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("rates", [(0.7, 0.0), (0.0, 0.3), (0.7, 0.3)], ids=["first", "second", "both"])
@pytest.mark.parametrize("n", [1, 100, 2 * CPU_BLOCK + 37])
def test_a_step_is_that_of_torch(phi, dtype, rates, n):
    setting = network(n, 11, 26, dtype)
    assert (fused(phi, setting[0]) is None) == (phi.name == "erf" and dtype == torch.float64)
    assert fused(Plain(phi), setting[0]) is None
    fast, slow = (step(setting, way, rates) for way in (phi, Plain(phi)))
    unit = torch.finfo(dtype).eps
    assert error(fast.outputs, slow.outputs) < 20 * unit
    for name, rate in zip(("displacement", "displacement_v"), rates, strict=True):
        if rate:
            assert error(getattr(fast, name), getattr(slow, name)) < 40 * unit
        else:
            assert not getattr(fast, name).any()
    X = setting[0]
    nets = (TwoLayer(setting[2], setting[3], way) for way in (phi, Plain(phi)))
    assert error(*(net.forward(X) for net in nets)) < 20 * unit


def test_a_wrong_slope_is_noticed():
    setting, phi = network(100, 11, 26), activation("erf")
    fast, wrong = step(setting, phi, (0.7, 0.3)), step(setting, Plain(phi, 1 + 1e-4), (0.7, 0.3))
    assert error(fast.displacement, wrong.displacement) > 40 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("name", ["erf", "relu"])
def test_inputs_in_another_order_of_memory(name):
    X, y, W, v = network(300, 12, 40)
    mixed = (X.T.contiguous().T, torch.stack((y, y), dim=1)[:, 0], W.T.contiguous().T, v)
    nets = [train_two_layer(*setting, activation(name), 1.0, 1.0, 3) for setting in ((X, y, W, v), mixed)]
    assert torch.equal(nets[0].W, nets[1].W)
    assert torch.equal(nets[0].v, nets[1].v)
    strided = TwoLayer(W, torch.stack((v, v), dim=1)[:, 0], activation(name))
    assert torch.equal(strided.forward(X), TwoLayer(W, v, activation(name)).forward(X))


@pytest.mark.parametrize("name", ["erf", "relu"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_a_number_stays_so(name, bad):
    z = np.zeros(8, "f")
    z[3] = bad
    passes, outputs = fused(activation(name), torch.zeros(1)), np.zeros(1, "f")
    passes.outputs(z, np.ones(8, "f"), outputs, passes.slope)
    assert np.isfinite(outputs[0]) == (name == "erf" and bad == math.inf)
    finish = [np.zeros(k, "f") for k in (1, 1, 2, 2, 8, 8)]
    passes.step(z, np.ones(8, "f"), *finish, passes.slope)
    assert np.isfinite(finish[1][0]) == (name == "erf" and bad == math.inf)


def test_divergence_is_named_by_its_step():
    X, y, W, v = network(40, 6, 16)
    with pytest.raises(MeasurementError, match=r"network at step \d+ must be finite on the training set"):
        train_two_layer(X, y, W, v, activation("relu"), 1e6, 1e6, 200)
