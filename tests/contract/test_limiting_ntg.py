"""The limiting NTG matrix, as the claims of Proposition 3.1 draw it, against the network and by hand."""

import numpy as np
import pytest
import torch

from whp.claims import Point
from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.models import node_scales
from whp.models.node_network import NodeScaled

FOLDER = validation_root() / "caron2023"
LIMITING = load_file(FOLDER / "_limiting.py")
PROP_3_1 = load_file(FOLDER / "prop_3_1.py")
PROP_D_1 = load_file(FOLDER / "prop_d_1.py")


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_terms_add_up_to_the_networks_matrix(name):
    X, m = LIMITING.inputs(3, 5, name), 40
    terms = X.terms(np.random.default_rng(1), m)
    w = torch.from_numpy(np.random.default_rng(1).standard_normal((X.B.shape[1], m)))
    scales = node_scales(m, 0.3, 0.5)
    network = NodeScaled(w.T, torch.ones(m, dtype=torch.float64), scales, X.activation, 5)
    torch.testing.assert_close(terms @ scales.values, X.upper(network.ntg(X.B)))


def test_norms_count_entries_off_the_diagonal_twice():
    X = LIMITING.inputs(3, 5, "tanh")
    K = torch.tensor([[1.0, 2.0, 0.0], [2.0, 0.0, 3.0], [0.0, 3.0, -1.0]], dtype=torch.float64)
    assert float(X.frobenius(X.upper(K))) == pytest.approx(float(torch.linalg.matrix_norm(K)))


def test_c_0_by_monte_carlo():
    """400,000 draws in [0, 0.52], mean 0.127: off by 5 % with probability below 1e-40 (Hoeffding)."""
    X = LIMITING.inputs(3, 2, "relu")
    terms = X.terms(np.random.default_rng(3), 400_000)
    found = float((X.twice @ (terms - X.mean[:, None]) ** 2).mean())
    assert found == pytest.approx(X.c_0, rel=0.05)
    assert found != pytest.approx(X.c_0_diagonal, rel=0.05)


def test_sequences():
    assert LIMITING.sequence(5, 8).tolist() == [0.2] * 5 + [0.0] * 3
    assert float(LIMITING.sequence(0.4, 10_000).sum()) == pytest.approx(1.0, abs=1e-5)


def test_a_network_of_finite_width_has_no_distance_left():
    """lambda~ = Zipf with alpha -> 0 is one node: at gamma = 0 the matrix is its own limit at every width."""
    point = Point({"m": 50, "n": 2, "d": 3, "activation": "tanh", "gamma": 0.0, "alpha": 0.01})
    found = PROP_3_1.along.measure(point, np.random.default_rng(0), None)
    assert found["printed"] < 1e-12
    assert found["mean alone"] > 1e-3


def test_the_width_of_proposition_d_1_for_relu_by_hand():
    """kappa_n d = 1/2 for orthonormal inputs: m = 2^4 n log(n / delta)."""
    _, _, least, d = PROP_D_1.setting("relu", "orthonormal", 5)
    assert least * d == pytest.approx(0.5)
    assert PROP_D_1.width(5, d, 0.1, least) == int(np.ceil(16 * 5 * np.log(50)))


def test_the_rare_activation_has_the_derivatives_it_declares():
    z = torch.linspace(-3, 6, 50, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(PROP_D_1.steep(z).sum(), z)
    (second,) = torch.autograd.grad(PROP_D_1.steep_d(z).sum(), z)
    torch.testing.assert_close(first, PROP_D_1.steep_d(z).detach(), atol=1e-13, rtol=1e-12)
    torch.testing.assert_close(second, PROP_D_1.steep_dd(z).detach(), atol=1e-13, rtol=1e-12)
