"""The exact law that the claims of Appendix B draw from, against networks whose weights are drawn."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from whp.claims import Point
from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.kernels import activation
from whp.models import FullyConnected

FOLDER = validation_root() / "arora2019"
LAW = load_file(FOLDER / "_backward.py")
LAYER = load_file(FOLDER / "_one_layer.py")
START = load_file(FOLDER / "_initialisation.py")
DRAWS = 2000
UNLIKELY = 1e-8  # 6 tests at most rest on chance, each on fewer than 20 Kolmogorov-Smirnov tests


def drawn(how, rho, widths, seed):
    rng = np.random.default_rng(seed)
    return [how(rng, rho, widths) for _ in range(DRAWS)]


def statistics(net):
    """Numbers that see every part of the law: kernels, and the parts along and across the features."""
    parts = [np.linalg.norm(u, axis=1) for u in (*net.along, *net.across)]
    return np.concatenate([net.kernel(), net.features()[-1], net.backward()[0], *parts, net.f[-1][:, 0]])


def least_p_value(one, two):
    a, b = (np.array([statistics(net) for net in nets]) for nets in (one, two))
    return min(ks_2samp(a[:, k], b[:, k]).pvalue for k in range(a.shape[1]))


@pytest.mark.parametrize(("rho", "widths"), [(0.3, (5, 4)), (-0.6, (3,)), (1.0, (4, 3)), (0.9, (2, 6, 3))])
def test_the_law_is_that_of_drawn_weights(rho, widths):
    """False alarms: below 4 x 20 x 1e-8 in all."""
    assert least_p_value(drawn(LAW.by_law, rho, widths, 1), drawn(LAW.by_weights, rho, widths, 2)) > UNLIKELY


def test_a_law_without_the_part_along_the_features_is_told_apart():
    def wrong(rng, rho, widths):
        net = LAW.by_law(rng, rho, widths)
        net.b[0] = LAW.back(net.f[0], net.across[0])
        return net

    assert least_p_value(drawn(wrong, 0.3, (5, 4), 3), drawn(LAW.by_weights, 0.3, (5, 4), 4)) < UNLIKELY


@pytest.mark.parametrize("widths", [(7,), (6, 5, 8)])
def test_weights_give_what_the_network_of_the_library_does(widths):
    rho = 0.4
    mine = LAW.by_weights(np.random.default_rng(5), rho, widths)
    net = FullyConnected.draw(np.random.default_rng(5), (2, *widths), activation("relu"), c_sigma=2.0)
    X = torch.from_numpy(LAW.inputs(rho))
    out = net.pass_(X)
    for one, two in ((mine.f[:-1], out.f), (mine.g, out.g), (mine.b, out.b)):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-12, atol=1e-14)
    kernel = sum(net.layer_ntks_by_autograd(X)).numpy()
    np.testing.assert_allclose(mine.kernel(), kernel[[0, 0, 1], [0, 1, 1]], rtol=1e-10)
    for h, W in enumerate(net.weights[1:], start=1):
        both = mine.b[h] @ W.numpy()
        np.testing.assert_allclose(mine.along[h - 1] + mine.across[h - 1], both, atol=1e-12)
        np.testing.assert_allclose(mine.across[h - 1] @ mine.g[h].T, 0, atol=1e-12)


def test_limits_are_those_of_fact_b_1():
    """Layer by layer from the printed arcsin formulas, at c_sigma = 2."""
    rho, depth = 0.35, 4
    limit = LAW.limits(rho, depth)
    sigma, theta = rho, rho
    for h in range(1, depth + 1):
        dot = 2 * (0.25 + np.arcsin(sigma) / (2 * np.pi))
        sigma = (np.sqrt(1 - sigma**2) + sigma * np.arcsin(sigma)) / np.pi + sigma / 2
        theta = sigma + theta * dot
        assert limit.sigma_dot[h - 1] == pytest.approx([1, dot, 1], rel=1e-12)
        assert limit.sigma[h] == pytest.approx([1, sigma, 1], rel=1e-12)
    assert limit.theta == pytest.approx([depth + 1, theta, depth + 1], rel=1e-12)
    assert limit.product(depth + 1) == pytest.approx([1, 1, 1])
    assert limit.product(1) == pytest.approx(limit.sigma_dot.prod(axis=0))


def test_epsilons_are_the_least_for_which_the_events_hold():
    net, limit = LAW.by_law(np.random.default_rng(6), 0.2, (30, 40)), LAW.limits(0.2, 2)
    A, B, C, D = LAYER.attained(net, limit, 1)
    b, on = net.b[1], net.f[0] > 0
    assert max(abs(net.g[2][0] @ net.g[2][1] - limit.sigma[2, 1]), abs(net.g[2][0] @ net.g[2][0] - 1)) <= A
    assert abs(b[0] @ b[1] - limit.sigma_dot[1, 1]) <= B
    assert np.abs(net.f[2]).max() == C
    assert abs(2 * np.sum(on[0] & on[1]) / 30 - limit.sigma_dot[0, 1]) <= D


def test_errors_vanish_at_the_limit_and_are_in_the_scale_of_the_width():
    limit = LAW.limits(0.5, 3)
    exact = [limit.sigma, np.array([limit.product(h) for h in range(1, 5)])]
    assert max(v for k, v in START.errors(*exact, limit).items() if k != "without the last layer") < 1e-12
    assert START.errors(*exact, limit)["without the last layer"] == pytest.approx(1.0)  # Sigma^(L)(x, x)
    off = [exact[0] + 0.01, exact[1]]
    assert START.errors(*off, limit)["features"] == pytest.approx(0.01)
    point = Point({"d": 400, "depth": 2, "rho": 0.0}, "float64")
    found = START.all_weights(point, np.random.default_rng(7), torch.device("cpu"))
    law = [
        START.from_the_law(Point({"d": 400, "L": 2, "rho": 0.0}), np.random.default_rng(k), None)
        for k in range(64)
    ]
    for name in ("features", "backward", "kernel"):
        mean = np.sqrt(np.mean([each[name] ** 2 for each in law]))
        assert 1 / 3 < found[name] / mean < 3  # spreads of 0.2 and 0.06 in the logarithm: beyond 5 sigma


def test_pairs_of_planes_are_unit_vectors_with_the_inner_product_asked_for():
    X = START.planes(0.25, 3).flatten(0, 1)
    expected = torch.kron(torch.eye(3, dtype=torch.float64), torch.tensor([[1, 0.25], [0.25, 1]]).double())
    torch.testing.assert_close(X @ X.T, expected)


def test_errors_scale_with_the_norm_of_the_second_input():
    """Relu is homogeneous: at norm 1/2 the limits of <g, g'> and <g', g'> are 1/2 and 1/4 of those at one."""
    one, half = (LAW.by_law(np.random.default_rng(8), -0.9, (6, 24, 6), norm) for norm in (1.0, 0.5))
    np.testing.assert_allclose(half.features()[0], [1, -0.45, 0.25], atol=1e-12)
    np.testing.assert_allclose(LAW.limits(-0.9, 3, 0.5).sigma, LAW.limits(-0.9, 3).sigma * [1, 0.5, 0.25])
    np.testing.assert_allclose(LAW.limits(-0.9, 3, 0.5).sigma_dot, LAW.limits(-0.9, 3).sigma_dot)
    np.testing.assert_allclose(half.backward()[3], one.backward()[3])
