"""The convolutional tangent kernel: by definition, by invariances, by frozen values; fast against plain."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whp.errors import InputError
from whp.kernels import cntk, cntk_tensors, patch_trace
from whp.kernels.cntk_fused import LANES

FROZEN = json.loads(Path(__file__).with_name("frozen").joinpath("cntk.json").read_text())
METHODS = [("fused", torch.float32), ("torch", torch.float32), ("torch", torch.float64)]
VANILLA = {"layers": 3, "filter_size": 3}


def images(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def units(X: torch.Tensor, Z: torch.Tensor, **options) -> torch.Tensor:
    """sqrt(k(x, x) k(z, z)), the scale of the errors."""
    left, right = (
        torch.stack([cntk(x[None], method="reference", **options)[0, 0] for x in side]).sqrt()
        for side in (X, Z)
    )
    return left[:, None] * right


def check(found: torch.Tensor, exact: torch.Tensor, scale: torch.Tensor, tolerance: float) -> None:
    """Require equality up to a share of the scale; exactly zero where that is zero."""
    assert ((found.double() - exact).abs() <= tolerance * scale).all()


@pytest.mark.parametrize("padding", ["zero", "circular"])
@pytest.mark.parametrize("q", [1, 3, 5])
@pytest.mark.parametrize(("P", "Q"), [(4, 3), (1, 2)])
def test_patch_trace_by_its_definition(P, Q, q, padding):
    M = images(0, P, Q, P, Q)
    traced = patch_trace(M, q, padding)
    r = q // 2
    for index in product(range(P), range(Q), range(P), range(Q)):
        total = 0.0
        for a, b in product(range(-r, r + 1), repeat=2):
            i, j, k, m = (x + s for x, s in zip(index, (a, b, a, b), strict=True))
            inside = 0 <= i < P and 0 <= j < Q and 0 <= k < P and 0 <= m < Q
            if inside or padding == "circular":
                total += float(M[i % P, j % Q, k % P, m % Q])
        assert float(traced[index]) == pytest.approx(total, abs=1e-13)


def test_tensors_have_the_printed_symmetries():
    x, z = images(1, 2, 2, 4, 3)
    one, other = cntk_tensors(x, z, layers=2), cntk_tensors(z, x, layers=2)
    assert one.layers == 2
    for name in ("K", "K_dot", "Sigma"):
        for M, N in zip(getattr(one, name), getattr(other, name), strict=True):
            torch.testing.assert_close(M, N.permute(2, 3, 0, 1), rtol=1e-14, atol=1e-14)
    assert [len(a) for a in (one.K, one.K_dot, one.Sigma, one.theta())] == [3, 2, 3, 2]


@pytest.mark.parametrize("entry", FROZEN["kernels"], ids=lambda e: "-".join(map(str, e["options"].values())))
@pytest.mark.parametrize(("method", "dtype"), [("reference", torch.float64), *METHODS])
def test_frozen_values(entry, method, dtype):
    X = torch.tensor(FROZEN["images"], dtype=torch.float64)
    exact = torch.tensor(entry["kernel"], dtype=torch.float64)
    scale = exact.diagonal().sqrt()
    # Parallel images: the frozen values have angles of the order of the root of a unit of rounding.
    check(cntk(X.to(dtype), method=method, **entry["options"]), exact, scale[:, None] * scale, 2e-7)


def test_the_check_notices_a_wrong_border():
    X = images(2, 3, 2, 4, 4)
    exact = cntk(X, method="reference", **VANILLA)
    check(cntk(X, **VANILLA), exact, units(X, X, **VANILLA), 1e-12)
    with pytest.raises(AssertionError):
        check(cntk(X, padding="circular", **VANILLA), exact, units(X, X, **VANILLA), 1e-3)


@st.composite
def problems(draw):
    """Two sets of images, some with zero patches, some equal or parallel, and a network."""
    shape = [draw(st.integers(1, high)) for high in (3, 5, 5)]
    X, Z = images(draw(st.integers(0, 2**32 - 1)), 2, 3, *shape)
    X[1, :, : draw(st.integers(0, 5))] = 0
    Z[1] = draw(st.sampled_from((1.0, 1.001, 3.0))) * X[0]
    options = {
        "layers": draw(st.integers(1, 4)),
        "filter_size": draw(st.sampled_from((1, 3, 5))),
        "pooling": draw(st.sampled_from(("none", "average"))),
        "padding": draw(st.sampled_from(("zero", "circular"))),
        "train": draw(st.sampled_from(("all", "middle"))),
    }
    return X.float().double(), Z.float().double(), options


@pytest.mark.parametrize(("method", "dtype"), METHODS)
@given(problem=problems())
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
def test_fast_equals_plain(method, dtype, problem):
    X, Z, options = problem
    for others in (None, Z):
        exact = cntk(X, others, method="reference", **options)
        scale = units(X, X if others is None else others, **options)
        found = cntk(X.to(dtype), None if others is None else others.to(dtype), method=method, **options)
        assert found.dtype is dtype
        check(found, exact, scale, 1e-6 if dtype is torch.float32 else 1e-7)


@pytest.mark.parametrize("pooling", ["none", "average"])
def test_more_images_than_lanes(pooling):
    X, Z = images(3, LANES + 5, 1, 4, 3).float(), images(4, 3, 1, 4, 3).float()
    options = VANILLA | {"pooling": pooling}
    kernel = cntk(X, method="fused", **options)
    assert (kernel == kernel.T).all()
    torch.testing.assert_close(kernel, cntk(X, method="torch", **options), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(kernel, cntk(X, X.clone(), method="fused", **options), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(cntk(X, Z, **options), cntk(Z, X, **options).T, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("method", "dtype"), METHODS)
def test_equal_images_have_the_exact_diagonal(method, dtype):
    # With filters of size 1, every layer adds |x|^2 to k(x, x).
    X = images(5, 1, 3, 4, 4).to(dtype).repeat(2, 1, 1, 1)
    kernel = cntk(X, layers=6, filter_size=1, method=method).double()
    exact = 7 * X[0].double().square().sum()
    assert ((kernel / exact - 1).abs() < (1e-7 if dtype is torch.float32 else 1e-14)).all()


@pytest.mark.parametrize(("method", "dtype"), METHODS)
def test_invariances(method, dtype):
    X, Z = (images(seed, 2, 2, 4, 5).to(dtype) for seed in (6, 7))
    pooled = {**VANILLA, "pooling": "average", "padding": "circular", "method": method}
    kernel = cntk(X, Z, **pooled)
    moved = cntk(X.roll((1, 2), (2, 3)), Z, **pooled)
    scaled = cntk(3 * X, Z / 7, **pooled)
    torch.testing.assert_close(moved, kernel, rtol=1e-6, atol=0)
    torch.testing.assert_close(scaled, kernel * 3 / 7, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("method", "dtype"), [("reference", torch.float64), *METHODS])
def test_zero_images_and_one_fixed_layer_give_zero(method, dtype):
    X = images(8, 2, 2, 3, 3).to(dtype)
    X[0] = 0
    kernel = cntk(X, method=method, **VANILLA)
    assert kernel[0].tolist() == kernel[:, 0].tolist() == [0, 0]
    assert kernel[1, 1] > 0
    assert (cntk(X, layers=1, pooling="average", train="middle", method=method) == 0).all()


def test_extreme_scales_neither_overflow_nor_vanish():
    X = images(9, 2, 2, 3, 3).float()
    for scale in (1e-15, 1e15):
        kernel = cntk(X * scale, method="fused", **VANILLA)
        torch.testing.assert_close(kernel / scale / scale, cntk(X, **VANILLA), rtol=1e-6, atol=0)


@pytest.mark.slow
def test_rounding_at_32_by_32_with_10_layers():
    X = images(10, 2, 3, 32, 32).float()
    options = {"layers": 10, "pooling": "average", "train": "middle"}
    exact = cntk(X.double(), method="torch", **options)
    assert ((cntk(X, method="fused", **options).double() / exact - 1).abs() < 2e-6).all()


@pytest.mark.gpu
@pytest.mark.parametrize("pooling", ["none", "average"])
def test_the_same_on_a_gpu(pooling):
    X = images(11, 6, 3, 8, 8)
    options = VANILLA | {"pooling": pooling}
    exact = cntk(X, method="torch", **options)
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        kernel = cntk(X.to("cuda", dtype), **options)
        torch.testing.assert_close(kernel.cpu().double(), exact, rtol=tolerance, atol=0)


X = torch.ones(2, 3, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X[0],), {}, "non-empty"),
        ((X[:0],), {}, "non-empty"),
        ((X.half(),), {}, "float32 or float64"),
        ((X * torch.nan,), {}, "finite"),
        ((X, X[:, :2]), {}, "images of Z"),
        ((X, X[:, :, :3]), {}, "images of Z"),
        ((X, X[:0]), {}, "non-empty"),
        ((X, X.double()), {}, "like X"),
        ((X,), {"layers": 0}, "at least 1"),
        ((X,), {"filter_size": 2}, "odd"),
        ((X,), {"filter_size": -1}, "odd"),
        ((X,), {"padding": "same"}, "zero or circular"),
        ((X,), {"pooling": "max"}, "none or average"),
        ((X,), {"train": "last"}, "all or middle"),
        ((X,), {"method": "gpu"}, "auto, fused"),
        ((X.double(),), {"method": "fused"}, "float32 on the CPU"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(InputError, match=message):
        cntk(*arguments, **{"layers": 2, **options})


def test_bad_pairs():
    with pytest.raises(InputError, match="non-empty"):
        cntk_tensors(X, X, layers=2)
    with pytest.raises(InputError, match="like x"):
        cntk_tensors(X[0], X[0, :2], layers=2)
