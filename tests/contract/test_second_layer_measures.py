"""What the claims about both layers measure, by a second route: Jacobians by autograd, signs one by one."""

import itertools
import math

import numpy as np
import pytest
import torch

from whp.claims import Point
from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import Gamma, activation, linear_features, nu

MEASURES = load_file(validation_root() / "hu2020" / "_second_layer.py")
SEED = 11


def features(p):
    """The data, half of the weights, and the features of the networks and of the linear models."""
    rng = np.random.default_rng(SEED)  # draws as the measurement does
    law, phi = data_distribution(p.data), activation(p.activation)
    X = law.sample(rng, p.n, p.d)
    init = symmetric_init(rng, p.m, p.d)
    J_W, J_v = torch.autograd.functional.jacobian(
        lambda W, v: phi.phi(X @ W.T / p.d**0.5) @ v / p.m**0.5, (init.W, init.v)
    )
    moments, nu_value = phi.moments, nu(phi, law.sigma_moment(p.d))
    psi_1 = linear_features(X, moments.zeta, nu_value)
    e = X.norm(dim=1) / p.d**0.5 - 1
    q = moments.vartheta_0 + moments.vartheta_1 * e + moments.vartheta_2 * e**2
    flat = torch.full_like(q, nu_value / (2 * p.d) ** 0.5)
    psi_2 = torch.cat((psi_1[:, :-1], torch.stack((flat, q), dim=1)), dim=1)
    return X, init.W, {"first": J_W.flatten(1), "second": J_v}, {"first": psi_1, "second": psi_2}


def norm(K):
    return float(torch.linalg.matrix_norm(K, 2))


@pytest.mark.parametrize(("name", "data"), [("erf", "rademacher"), ("softplus", "gaussian_two_level")])
def test_norms_and_traces(name, data):
    p = Point({"d": 6, "n": 9, "m": 20, "activation": name, "data": data, "alpha": 0.2})
    X, W, network, linear = features(p)
    found = MEASURES.kernels(p, np.random.default_rng(SEED), torch.device("cpu"))
    gram = {key: J @ J.T for key, J in network.items()}
    lin = {key: psi @ psi.T for key, psi in linear.items()}
    act, G = activation(name), X @ X.T / p.d
    a = G.diagonal()
    limit = torch.sqrt(a[:, None] * a)
    difference = gram["second"] - Gamma(act, a[:, None], a, G.clamp(-limit, limit)).value
    q, v0 = linear["second"][:, -1], act.moments.vartheta_0
    gap = torch.outer(q, q) - v0**2  # what the naive model lacks
    both = gram["first"] + gram["second"] - lin["first"] - lin["second"]
    expected = {
        "ntk": norm(gram["second"]),
        "concentration": norm(difference),
        "concentration F": float(difference.norm()),
        "second": norm(gram["second"] - lin["second"]),
        "second naive": norm(gram["second"] - lin["second"] + gap),
        "both": norm(both),
        "both naive": norm(both + gap),
        "trace first": float(gram["first"].trace()),
        "trace second": float(gram["second"].trace()),
        "trace lin1": float(lin["first"].trace()),
        "trace lin2": float(lin["second"].trace()),
        "largest diagonal": float(gram["second"].diagonal().max()),
        "chi-square": float((X @ W.T).square().sum(dim=1).max()) / (p.d * p.m),
    }
    for key, value in expected.items():
        assert float(found[key]) == pytest.approx(value, rel=1e-9), key
    assert expected["concentration"] != pytest.approx(expected["second"], rel=1e-3)  # it can fail
    # A mean over 64 sign vectors, of values between 0 and sqrt(n ||K||): by Hoeffding, false alarms 1e-7.
    radius = 2 * math.sqrt(p.d * math.log(p.d)) / p.n
    for key in ("first", "second", "both"):
        K = sum(gram[k] + lin[k] for k in gram if key in (k, "both"))
        exact = signs_one_by_one(K)
        slack = math.sqrt(p.n * norm(K) * math.log(2e7) / 128)
        assert float(found[f"rademacher {key}"]) == pytest.approx(radius * exact, abs=radius * slack)


def signs_one_by_one(K):
    return float(
        np.mean(
            [
                math.sqrt(float(s @ K @ s))
                for s in map(K.new_tensor, itertools.product((-1.0, 1.0), repeat=len(K)))
            ]
        )
    )


def test_exact_complexities():
    p = Point({"d": 4, "n": 5, "m": 8, "activation": "relu", "data": "gaussian", "alpha": 0.2})
    _, _, network, linear = features(p)
    found = MEASURES.small.measure(p, np.random.default_rng(SEED), torch.device("cpu"))
    gram = {key: J @ J.T for key, J in network.items()}
    lin = {key: psi @ psi.T for key, psi in linear.items()}
    for kernels in (gram, lin):
        kernels["both"] = kernels["first"] + kernels["second"]
    for key in gram:
        exact, trace = signs_one_by_one(gram[key] + lin[key]), float(gram[key].trace())
        assert float(found[f"complexity {key}, one trace"]) == pytest.approx(exact / trace**0.5, rel=1e-12)
        trace += float(lin[key].trace())
        assert float(found[f"complexity {key}"]) == pytest.approx(exact / trace**0.5, rel=1e-12)
        assert 2**-0.5 <= float(found[f"complexity {key}"]) <= 1  # Khintchine and Jensen


def test_mean_over_signs_of_known_matrices():
    assert MEASURES.mean_over_signs(torch.eye(4, dtype=torch.float64)) == pytest.approx(2.0)
    ones = torch.ones(3, 3, dtype=torch.float64)  # |eps_1 + eps_2 + eps_3| is 3 or 1: 2/8 * 3 + 6/8
    assert MEASURES.mean_over_signs(ones) == pytest.approx(1.5)
