"""Activations: derivatives, suprema, moments."""

import json
import math
import pickle
from pathlib import Path

import mpmath as mp
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation, activation_names, leaky_relu, nu

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
NAMES = activation_names()
SMOOTH = [name for name in NAMES if activation(name).smooth]
MOMENTS = ("zeta", "gamma", "g_dphi", "he2_dphi", "vartheta_0", "vartheta_1", "vartheta_2")
SOFTPLUS_MEAN = mp.quad(lambda u: mp.log1p(mp.exp(u)) * mp.npdf(u), mp.linspace(-12, 12, 13))
MP = {
    "erf": mp.erf,
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky_relu": lambda z: z if z >= 0 else mp.mpf(0.1) * z,
    "tanh": mp.tanh,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "centred_softplus": lambda z: mp.log1p(mp.exp(z)) - SOFTPLUS_MEAN,
    "swish": lambda z: z / (1 + mp.exp(-z)),
    "gelu": lambda z: z * mp.ncdf(z),
}


def test_the_registry_is_complete():
    assert set(NAMES) == set(MP) == set(REFERENCE)


@pytest.mark.parametrize("name", NAMES)
def test_phi_against_mpmath(name):
    points = [-30.0, -5.0, -1.0, -0.25, 0.0, 0.5, 2.0, 25.0]
    ours = activation(name).phi(torch.tensor(points, dtype=torch.float64))
    exact = torch.tensor([float(MP[name](mp.mpf(z))) for z in points], dtype=torch.float64)
    torch.testing.assert_close(ours, exact, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_against_autograd(name):
    act = activation(name)
    z = torch.linspace(-6, 6, 400, dtype=torch.float64).requires_grad_()  # 0 is not among them
    (first,) = torch.autograd.grad(act.phi(z).sum(), z)
    torch.testing.assert_close(act.dphi(z), first, rtol=0, atol=1e-14)
    if act.smooth:
        (second,) = torch.autograd.grad(act.dphi(z).sum(), z)
        torch.testing.assert_close(act.ddphi(z), second, rtol=0, atol=1e-14)
    else:
        assert not act.ddphi(z).any()


@pytest.mark.parametrize("slope", [0.0, 0.1, -0.5, 2.0])
def test_the_slope_at_zero_is_one(slope):
    zero = torch.tensor([0.0, -0.0])
    assert leaky_relu(slope).dphi(zero).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", NAMES)
def test_sup_dphi_is_a_sharp_upper_bound(name):
    act = activation(name)
    grid = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    peak = grid[act.dphi(grid).abs().argmax()]
    near = peak + torch.linspace(-2e-4, 2e-4, 40_001, dtype=torch.float64)  # steps of 1e-8
    largest = float(act.dphi(torch.cat((grid, near))).abs().max())
    assert largest <= act.sup_dphi
    slack = 1e-5 if name.endswith("softplus") else 1e-12  # the supremum of softplus' is at infinity
    assert act.sup_dphi - largest < slack


@pytest.mark.parametrize("name", NAMES)
def test_moments_against_mpmath(name):
    moments = activation(name).moments
    for key in MOMENTS:
        difference = abs(getattr(moments, key) - REFERENCE[name]["moments"][key])
        assert difference <= 1e-13, key
        assert difference <= moments.error + 4e-16, key
    assert moments.error < 1e-13


def test_a_wrong_zeta_would_be_caught():
    moments = activation("erf").moments
    tanh = REFERENCE["tanh"]["moments"]["zeta"]
    assert abs(moments.zeta - tanh) > 0.01
    assert abs(moments.zeta * (1 + 1e-12) - REFERENCE["erf"]["moments"]["zeta"]) > 4e-16 + moments.error / 2


@pytest.mark.parametrize("name", NAMES)
def test_nu_scales_with_the_covariance(name):
    g_dphi = REFERENCE[name]["moments"]["g_dphi"]
    assert nu(activation(name), 1.25) == pytest.approx(g_dphi * math.sqrt(1.25), abs=1e-13)


def test_odd_activations_have_exactly_zero_vartheta():
    for name in ("erf", "tanh"):
        moments = activation(name).moments
        assert moments.vartheta_0 == moments.vartheta_1 == moments.vartheta_2 == 0.0


def test_live_mpmath_value():
    with mp.workdps(20):
        exact = mp.quad(lambda u: mp.sech(u) ** 4 * mp.npdf(u), mp.linspace(-9, 9, 13))
    assert activation("tanh").moments.gamma == pytest.approx(float(exact), abs=1e-14)


@pytest.mark.parametrize("act", [*map(activation, NAMES), leaky_relu(0.3)], ids=lambda a: a.name)
def test_pickles_for_other_processes(act):
    copy = pickle.loads(pickle.dumps(act))
    z = torch.tensor([-1.0, 0.0, 2.0])
    assert copy == act
    assert torch.equal(copy.phi(z), act.phi(z))


def test_slopes_make_different_activations():
    assert leaky_relu() == activation("leaky_relu")
    assert leaky_relu(0.0) == activation("relu")
    assert leaky_relu(0.3) != leaky_relu(0.4)


def test_bad_names_and_numbers_are_refused():
    with pytest.raises(InputError, match="one of erf, relu, leaky_relu, tanh"):
        activation("cosine")
    with pytest.raises(InputError, match="slope must be finite"):
        leaky_relu(math.inf)
    with pytest.raises(InputError, match="at least 0"):
        nu(activation("erf"), -1.0)
