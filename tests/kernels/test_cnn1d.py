"""The 1-d CNN of hu2020, eq. (12): its kernel against autograd, closed forms and definitions."""

import math

import pytest
import torch

from whp.ensembles import data_distribution
from whp.errors import InputError
from whp.kernels import (
    Gamma,
    Phi,
    activation,
    cnn1d,
    cnn1d_ntk,
    infinite_cnn1d_ntk,
    local_correlations,
)
from whp.seeding import generator

ERF = activation("erf")


def data(name: str, n: int, d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return data_distribution(name).sample(generator(8, "cnn", n, d), n, d, dtype)


def weights(m: int, q: int, d: int, *key: object) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(8, "weights", m, q, d, *key)
    return torch.from_numpy(rng.standard_normal((m, q))), torch.from_numpy(rng.standard_normal((m, d)))


def patch(x: torch.Tensor, k: int, q: int) -> torch.Tensor:
    """[x]_(k:k+q), an index at a time."""
    return torch.stack([x[(k + j) % len(x)] for j in range(q)])


@pytest.mark.parametrize("q", [1, 3, 7])
def test_local_correlations_by_their_definition(q):
    X = data("gaussian", 4, 7)
    rho = local_correlations(X[:, None], X[None], q)  # (n, n, d)
    for i in range(4):
        for j in range(4):
            for k in range(7):
                expected = float(patch(X[i], k, q) @ patch(X[j], k, q)) / q
                assert float(rho[i, j, k]) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("name", ["rademacher", "gaussian"])
@pytest.mark.parametrize("q", [1, 4, 9])
def test_infinite_kernel_is_the_mean_over_positions(name, q):
    n, d = 6, 9
    X = data(name, n, d)
    kernel = infinite_cnn1d_ntk(X, q)
    rho = local_correlations(X[:, None], X[None], q)  # (n, n, d)
    a = rho.diagonal().T  # (n, d)
    second = Gamma(ERF, a[:, None], a[None], rho).value.mean(dim=2)
    first = (rho * Phi(ERF, a[:, None], a[None], rho).value).mean(dim=2)
    torch.testing.assert_close(kernel.second, second, rtol=0, atol=1e-13)
    torch.testing.assert_close(kernel.first, first, rtol=0, atol=1e-13)
    off = rho.abs().amax(dim=2) * (1 - torch.eye(n, dtype=torch.float64))
    assert kernel.correlation == pytest.approx(float(off.max()), abs=1e-14)
    assert float((kernel.first - second).abs().max()) > 1e-3  # and it can fail


@pytest.mark.parametrize("tile", [1, 5, 8, 40])
def test_tiles_do_not_matter_and_signs_are_exact_in_single_precision(tile):
    X = data("rademacher", 20, 12)
    whole = infinite_cnn1d_ntk(X, 5)
    tiled = infinite_cnn1d_ntk(X.float(), 5, tile=tile)
    for layer in ("first", "second"):
        kernel = getattr(tiled, layer)
        torch.testing.assert_close(kernel.double(), getattr(whole, layer), rtol=0, atol=1e-6)
        assert torch.equal(kernel, kernel.T)
    assert tiled.correlation == pytest.approx(whole.correlation, abs=1e-6)


def test_a_filter_of_full_length_sees_the_input_d_times():
    """At q = d all patches are rotations of x, so the CNN's kernel is that of a fully-connected network."""
    X = data("rademacher", 8, 16)
    kernel = infinite_cnn1d_ntk(X, 16)
    c = X @ X.T / 16
    torch.testing.assert_close(kernel.second, Gamma(ERF, 1.0, 1.0, c).value, rtol=0, atol=1e-13)
    torch.testing.assert_close(kernel.first, c * Phi(ERF, 1.0, 1.0, c).value, rtol=0, atol=1e-13)


def test_circular_padding_makes_rotations_of_the_data_invisible():
    X = data("gaussian", 5, 10)
    kernel, rotated = infinite_cnn1d_ntk(X, 4), infinite_cnn1d_ntk(X.roll(3, dims=1), 4)
    torch.testing.assert_close(rotated.first, kernel.first, rtol=0, atol=1e-13)
    torch.testing.assert_close(rotated.second, kernel.second, rtol=0, atol=1e-13)
    padded = infinite_cnn1d_ntk(torch.cat((X, torch.zeros(5, 4, dtype=X.dtype)), dim=1), 4)
    assert float((padded.second * 14 / 10 - kernel.second).abs().max()) > 1e-2  # zero padding is not


def test_network_by_its_printed_formula():
    X, (W, V) = data("gaussian", 3, 6), weights(5, 4, 6)
    for x, f in zip(X, cnn1d(X, W, V, ERF), strict=True):
        total = 0.0
        for w, v in zip(W, V, strict=True):
            convolution = torch.stack([w @ patch(x, k, 4) for k in range(6)])
            total += float(v @ torch.erf(convolution / math.sqrt(4)))
        assert float(f) == pytest.approx(total / math.sqrt(5 * 6), abs=1e-14)


def test_finite_kernel_by_the_gradients_printed_in_appendix_e():
    (n, d, m, q), act = (4, 6, 5, 3), activation("tanh")
    X, (W, V) = data("gaussian", n, d), weights(m, q, d)
    kernel = cnn1d_ntk(X, W, V, act)
    filters, outputs = [], []
    for x in X:
        patches = torch.stack([patch(x, k, q) for k in range(d)])  # (d, q)
        inside = W @ patches.T / math.sqrt(q)  # (m, d)
        outputs.append((act.phi(inside) / math.sqrt(m * d)).flatten())
        filters.append(((V * act.dphi(inside)) @ patches / math.sqrt(q * m * d)).flatten())
    for J, theta in ((torch.stack(filters), kernel.first), (torch.stack(outputs), kernel.second)):
        torch.testing.assert_close(theta, J @ J.T, rtol=0, atol=1e-14)


def test_finite_kernels_have_the_infinite_one_as_their_mean():
    """Means over 60 networks of 200 channels; every entry within 7 standard errors of the formula.

    A false alarm has probability about 2 x 20 entries x 2.6e-12 < 1e-6, were the 60 means Gaussian; they are
    means of 12,000 channels, so they nearly are, and Student's t with 59 degrees of freedom is at 2.7e-9.
    """
    n, d, q = 4, 8, 5
    X = data("gaussian", n, d)
    exact = infinite_cnn1d_ntk(X, q)
    draws = [cnn1d_ntk(X, *weights(200, q, d, trial), ERF) for trial in range(60)]
    for layer in ("first", "second"):
        values = torch.stack([getattr(kernel, layer) for kernel in draws])
        error = values.std(dim=0) / math.sqrt(len(values))
        assert bool(((values.mean(dim=0) - getattr(exact, layer)).abs() < 7 * error).all())
        other = exact.second if layer == "first" else exact.first
        assert not bool(((values.mean(dim=0) - other).abs() < 7 * error).all())  # and it can fail


def test_what_makes_no_sense_is_refused():
    X, (W, V) = data("gaussian", 3, 6), weights(5, 4, 6)
    for q in (0, 7):
        with pytest.raises(InputError, match=f"q must be from 1 to d = 6, got {q}"):
            infinite_cnn1d_ntk(X, q)
        with pytest.raises(InputError, match="q must be"):
            local_correlations(X, X, q)
    with pytest.raises(InputError, match="X must be float32 or float64"):
        infinite_cnn1d_ntk(X.to(torch.int64), 2)
    with pytest.raises(InputError, match="X must be a non-empty"):
        infinite_cnn1d_ntk(X[0], 2)
    with pytest.raises(InputError, match="tile must be positive"):
        infinite_cnn1d_ntk(X, 2, tile=0)
    with pytest.raises(InputError, match=r"V must be of shape \(5, 6\)"):
        cnn1d(X, W, V[:, :5], ERF)
    with pytest.raises(InputError, match="q must be"):
        cnn1d(X[:, :3], W, V[:, :3], ERF)
