"""Deep fully-connected kernels against neural-tangents, one another, quadrature and their own limits."""

import json
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whp.errors import InputError
from whp.kernels import (
    activation,
    activation_names,
    c_sigma,
    fc_kernels,
    fc_layers,
    fc_ntk,
    leaky_relu,
)
from whp.kernels.fast_arccos import arccos_factor, arcsin, lift_factor

FROZEN = json.loads((Path(__file__).parent / "frozen" / "fully_connected.json").read_text())
FUSED = ["relu", "leaky_relu", "erf"]


def inputs(n: int, d: int, seed: int = 0) -> torch.Tensor:
    """Normal inputs of norm one, float64, that are exact in float32."""
    X = torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (X / X.norm(dim=1, keepdim=True)).float().double()


def scaled_error(ours: torch.Tensor, exact: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> float:
    """Largest error relative to the root of the diagonal entries; 0 where these are 0."""
    scale = torch.sqrt(rows[:, None] * columns).clamp_min(1e-300)
    return float(((ours.double() - exact).abs() / scale).max())


@pytest.mark.parametrize("case", FROZEN["kernels"], ids=lambda c: f"{c['activation']}-{c['layers']}")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equal_to_neural_tangents(case, dtype):
    X = torch.tensor(FROZEN["inputs"], dtype=torch.float64)
    ours = fc_kernels(X.to(dtype), activation(case["activation"]), case["layers"])
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6  # inputs are rounded in float32
    for mine, theirs in ((ours.ntk, case["ntk"]), (ours.nngp, case["nngp"])):
        theirs = torch.tensor(theirs, dtype=torch.float64)
        assert mine.dtype == dtype
        assert scaled_error(mine, theirs, theirs.diagonal(), theirs.diagonal()) < tolerance


def test_c_sigma_in_closed_form_and_by_quadrature():
    assert c_sigma(activation("relu")) == pytest.approx(2, rel=1e-15)
    assert c_sigma(leaky_relu(0.5)) == pytest.approx(2 / 1.25, rel=1e-15)
    assert c_sigma(activation("erf")) == pytest.approx(math.pi / 2 / math.asin(2 / 3), rel=1e-14)
    square = mpmath.quad(lambda z: (z * mpmath.ncdf(z)) ** 2 * mpmath.npdf(z), [-12, -3, 0, 3, 12])
    assert c_sigma(activation("gelu")) == pytest.approx(float(1 / square), rel=1e-13)


@pytest.mark.parametrize("name", activation_names())
def test_matrices_hold_what_the_layers_give(name):
    X = inputs(7, 3) * torch.linspace(0.6, 1.3, 7, dtype=torch.float64)[:, None]
    phi, norms, inner = activation(name), (X**2).sum(dim=1), X @ X.T
    inner = inner.fill_diagonal_(0) + torch.diag(norms)
    layers = fc_layers(norms[:, None], norms, inner, phi, 2)
    kernels = fc_kernels(X, phi, 2)
    assert torch.allclose(kernels.ntk, layers.theta, rtol=1e-10, atol=1e-11)
    assert torch.allclose(kernels.nngp, layers.sigma[2], rtol=1e-10, atol=1e-11)
    assert torch.equal(kernels.ntk, kernels.ntk.T)
    total = sum(
        layers.sigma[h] * torch.stack([*layers.sigma_dot[h:], torch.ones_like(inner)]).prod(dim=0)
        for h in range(3)
    )
    assert torch.allclose(total, layers.theta, rtol=1e-12)  # (13) as a sum
    assert (len(layers.sigma), len(layers.sigma_dot)) == (3, 2)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 200), st.integers(1, 5), st.integers(1, 12)),
    slope=st.sampled_from([0.0, 0.1, -1.0, 0.9, 2.0, None]),
    seed=st.integers(0, 2**32 - 1),
    twist=st.sampled_from(["none", "duplicates", "opposite", "zero", "close", "scales"]),
)
def test_fused_equals_plain(sizes, slope, seed, twist):
    n, d, layers = sizes
    phi = activation("erf") if slope is None else leaky_relu(slope)
    X = inputs(n, d, seed)
    if twist == "duplicates":
        X[n // 2 :] = X[: n - n // 2].clone()
    elif twist == "opposite":
        X[n // 2 :] = -X[: n - n // 2].clone()
    elif twist == "zero":
        X[:: max(1, n // 3)] = 0
    elif twist == "close":
        X = X[:1] + 1e-3 * X
    elif twist == "scales":
        X = X * torch.logspace(-3, 3, n, dtype=torch.float64)[:, None]
    X = X.float()
    fused, plain = fc_kernels(X, phi, layers, method="fused"), fc_kernels(X.double(), phi, layers)
    for ours, exact in ((fused.ntk, plain.ntk), (fused.nngp, plain.nngp)):
        assert torch.isfinite(ours).all()
        assert torch.equal(ours, ours.T)
        assert torch.allclose(ours.diagonal().double(), exact.diagonal(), rtol=1.2e-7, atol=1e-40)
        assert scaled_error(ours, exact, exact.diagonal(), exact.diagonal()) < 1e-6
    first, second = X[: n // 2 + 1], X[n // 3 :]
    block = fc_kernels(first, phi, layers, Z=second)
    rows, columns = slice(n // 2 + 1), slice(n // 3, None)
    for ours, exact in ((block.ntk, plain.ntk), (block.nngp, plain.nngp)):
        diagonal = exact.diagonal()
        assert scaled_error(ours, exact[rows, columns], diagonal[rows], diagonal[columns]) < 1e-6
    assert torch.equal(fc_ntk(X, phi, layers), fused.ntk)


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("layers", [3, 10])
def test_relative_error_off_the_diagonal_and_that_of_duplicates(name, layers):
    X = inputs(300, 192)
    X[7] = X[11]
    X[20] = X[21] + 1e-4 * X[22]
    X = X.float()
    error = (
        fc_ntk(X, activation(name), layers).double() / fc_ntk(X.double(), activation(name), layers) - 1
    ).abs()
    assert float(error.max()) < 2e-6
    assert float(error[7, 11]) < 2e-7


@pytest.mark.parametrize("name", ["relu", "erf", "tanh"])
def test_rectangular_plain_equals_the_block_of_the_symmetric(name):
    X = inputs(9, 4)
    both, block = fc_kernels(X, activation(name), 3), fc_kernels(X[:4], activation(name), 3, Z=X[4:])
    assert torch.allclose(block.ntk, both.ntk[:4, 4:], rtol=1e-10)
    assert torch.allclose(block.nngp, both.nngp[:4, 4:], rtol=1e-10)


def test_relu_at_the_edges():
    relu = activation("relu")
    X = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    one = fc_kernels(X, relu, 1)
    assert one.ntk[0].tolist() == pytest.approx([2, 0, 1 / math.pi, 0, 4], abs=1e-7)
    assert one.nngp[0].tolist() == pytest.approx([1, 0, 1 / math.pi, 0, 2], abs=1e-7)
    assert not one.ntk[3].any()
    assert fc_ntk(X, relu, 6).diagonal().tolist() == pytest.approx([7, 7, 7, 0, 28], rel=1e-7)


def test_polynomials_of_arccos():
    q = np.concatenate([np.logspace(-12, 0, 2000), np.linspace(1e-3, 1, 2000)])
    angle = 2 * np.arcsin(np.sqrt(q / 2))
    factors = np.array([float(arccos_factor(np.float32(v))) for v in q])
    assert np.abs(factors * np.sqrt(2 * q) / angle - 1).max() < 1.5e-7
    away = q > 1e-3  # the reference below cancels
    lifts = np.array([float(lift_factor(np.float32(v))) for v in q])
    exact = (np.sin(angle) - angle * np.cos(angle)) / (q * np.sqrt(2 * q))
    assert np.abs(lifts / exact - 1)[away].max() < 1.5e-7
    sines = np.concatenate([1 - q, q - 1, q])
    gaps = np.concatenate([q, q, 1 - q])
    ours = [arcsin(s, g, math.sqrt(g * (2 - g))) for s, g in zip(sines, gaps, strict=True)]
    assert np.allclose(ours, np.arcsin(sines), rtol=2e-9, atol=1e-14)


def test_threads_stay_as_they_were():
    before = torch.get_num_threads()
    fc_kernels(inputs(5, 3).float(), activation("relu"), 2)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"layers": 0}, "layers must be an integer, 1 or more, got 0"),
        ({"X": torch.zeros(0, 3)}, "X must be a non-empty"),
        ({"X": torch.full((2, 3), math.nan)}, "X must be finite"),
        ({"Z": torch.zeros(2, 4)}, r"Z must be \(m, 3\)"),
        ({"Z": torch.zeros(0, 3)}, "Z must be a non-empty"),
        ({"Z": torch.full((2, 3), math.inf)}, "Z must be finite"),
        ({"Z": torch.zeros(2, 3, dtype=torch.float64)}, "float32 on cpu like X"),
        ({"X": torch.zeros(2, 3, dtype=torch.int64)}, "X must be float32 or float64"),
        ({"method": "quick"}, "method must be one of auto, fused, plain"),
        ({"X": torch.ones(2, 3, dtype=torch.float64), "method": "fused"}, "auto or plain here"),
        ({"activation": activation("tanh"), "method": "fused"}, "auto or plain here"),
    ],
)
def test_bad_input(arguments, rule):
    given_ = {"X": torch.ones(2, 3), "activation": activation("relu"), "layers": 2} | arguments
    with pytest.raises(InputError, match=rule):
        fc_kernels(**given_)


def test_bad_pairs():
    with pytest.raises(InputError, match="c must be at most"):
        fc_layers(1.0, 1.0, 1.5, activation("relu"), 2)
    with pytest.raises(InputError, match="layers must be"):
        fc_layers(1.0, 1.0, 0.5, activation("relu"), 0)
