"""The pieces of hu2020, eqs (21)-(25), and of the proof of Proposition D.9."""

import pytest
import torch

from whp.ensembles import data_distribution
from whp.kernels import (
    SECOND_LAYER_TERMS,
    TERMS,
    activation,
    activation_names,
    expected_first_layer_ntk,
    expected_second_layer_ntk,
    linear_kernel,
    norm_feature,
    phi_gradient,
    second_layer_taylor_terms,
    taylor_terms,
)
from whp.seeding import generator

NAMES = activation_names()
N, D = 30, 12


def pieces(name: str, data: str = "gaussian_two_level"):
    law = data_distribution(data)
    X = law.sample(generator(6, name), N, D)
    return X, law.sigma_moment(D), dict(taylor_terms(X, activation(name), law.sigma_moment(D)))


@pytest.mark.parametrize("name", NAMES)
def test_pieces_sum_to_the_difference(name):
    X, sigma_moment, terms = pieces(name)
    act = activation(name)
    assert tuple(terms) == TERMS
    off = terms["row norms"] + terms["column norms"] + terms["F"] + terms["remainder"]
    moments = act.moments
    gap = (moments.gamma - moments.zeta**2) * torch.eye(N, dtype=torch.float64)
    total = off + terms["diagonal"] - terms["linear diagonal"] + gap
    difference = expected_first_layer_ntk(X, act) - linear_kernel(X, act, sigma_moment)
    torch.testing.assert_close(total, difference, rtol=0, atol=1e-14)
    assert float((total - gap - difference).abs().max()) > 1e-3  # and it can fail


@pytest.mark.parametrize("name", ["softplus", "gelu"])
def test_each_piece_entry_by_entry(name):
    X, sigma_moment, terms = pieces(name)
    gradient = phi_gradient(activation(name))
    zeta = activation(name).moments.zeta
    for i in range(N):
        epsilon = float(X[i] @ X[i]) / D - 1
        for j in range(i):
            inner = float(X[i] @ X[j]) / D
            assert float(terms["row norms"][i, j]) == pytest.approx(gradient.c1 * epsilon * inner, abs=1e-15)
            assert float(terms["column norms"][j, i]) == pytest.approx(
                gradient.c2 * epsilon * inner, abs=1e-15
            )
            f = inner**2 - sigma_moment / D
            assert float(terms["F"][i, j]) == pytest.approx(gradient.c3 * f, abs=1e-15)
        own = zeta**2 * epsilon + gradient.c3 * sigma_moment / D
        assert float(terms["linear diagonal"][i, i]) == pytest.approx(own, abs=1e-14)
    for term in TERMS[:4]:
        assert not terms[term].diagonal().any()
    for term in TERMS[4:]:
        assert torch.equal(terms[term], torch.diag(terms[term].diagonal()))


@pytest.mark.parametrize("name", NAMES)
def test_the_remainder_is_of_third_order(name):
    # Two points at distance t from unit norm and from orthogonality: E = O(t^2) times x_i . x_j / d = O(t^3).
    # With (x_i . x_j)^2 / d in place of x_i . x_j / d in c3's term, as the line above (21) prints it, E / t^3
    # would grow.
    act = activation(name)
    gradient = phi_gradient(act)
    scaled, misprinted = [], []
    for t in (0.02, 0.01, 0.005):
        X = 2**0.5 * torch.tensor([[(1 + t) ** 0.5, 0.0], [t, (1 - t) ** 0.5]], dtype=torch.float64)
        remainder = float(dict(taylor_terms(X, act, 1.0))["remainder"][0, 1])
        inner = float(X[0] @ X[1]) / 2
        scaled.append(abs(remainder) / t**3)
        misprinted.append(abs(remainder + gradient.c3 * inner * (inner - 2 * inner**2)) / t**3)
    assert max(scaled) < 2.0
    if gradient.c3 > 0:
        assert misprinted[2] > 1.7 * misprinted[1] > 2.5 * misprinted[0]


@pytest.mark.parametrize("name", NAMES)
def test_pieces_of_the_second_layer(name):
    law, act = data_distribution("gaussian_two_level"), activation(name)
    X, sigma_moment = law.sample(generator(10, name), N, D), law.sigma_moment(D)
    terms = {key: term.clone() for key, term in second_layer_taylor_terms(X, act, sigma_moment)}
    assert tuple(terms) == SECOND_LAYER_TERMS
    difference = expected_second_layer_ntk(X, act) - linear_kernel(X, act, sigma_moment, (0.0, 1.0))
    torch.testing.assert_close(sum(terms.values()), difference, rtol=0, atol=1e-13)
    assert torch.equal(terms["diagonal"], torch.diag(terms["diagonal"].diagonal()))
    for term in SECOND_LAYER_TERMS[:3]:
        assert not terms[term].diagonal().any()
    g = act.moments
    for i in range(0, N, 7):
        for j in range(i):
            e, s = [float(X[k].norm()) / D**0.5 - 1 for k in (i, j)], float(X[i] @ X[j]) / D
            own = g.zeta * g.he2_dphi * s * sum(e)
            assert float(terms["norms"][i, j]) == pytest.approx(own, abs=1e-14)
            own = g.g_dphi**2 / 2 * (s**2 - sigma_moment / D)
            assert float(terms["F"][i, j]) == pytest.approx(own, abs=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_the_remainder_of_the_second_layer_is_of_third_order(name):
    # Two points at distance t from unit norm and from orthogonality: all that is left of Gamma less q q^T,
    # zeta^2 s, vartheta_1^2 s^2 / 2 and the term of the norms is O(t^3), which tests gamma, vartheta_2 and
    # the factor 1/2 of the printed expansion; without any of these it is of order t^2.
    act = activation(name)
    g = act.moments
    scaled, without = [], {key: [] for key in ("norms", "F", "vartheta_2")}
    for t in (0.02, 0.01, 0.005):
        X = 2**0.5 * torch.tensor([[1 + t, 0.0], [t, 1 - t / 2]], dtype=torch.float64)
        terms = {key: float(term[0, 1]) for key, term in second_layer_taylor_terms(X, act, 1.0)}
        remainder = terms["remainder"]
        scaled.append(abs(remainder) / t**3)
        e = X.norm(dim=1) / 2**0.5 - 1
        q, shorter = norm_feature(X, act), g.vartheta_0 + g.vartheta_1 * e
        left_out = {"norms": terms["norms"], "F": g.g_dphi**2 / 2 * float(X[0] @ X[1] / 2) ** 2}
        left_out["vartheta_2"] = float(q.prod() - shorter.prod())
        for key, value in left_out.items():
            without[key].append(abs(remainder + value) / t**3)
    assert max(scaled) < 2.0
    coefficients = {
        "norms": g.zeta * g.he2_dphi,
        "F": g.g_dphi,
        "vartheta_2": g.vartheta_0 * g.vartheta_2,
    }
    for key, coefficient in coefficients.items():
        if abs(coefficient) > 0.01:
            assert without[key][2] > 1.5 * without[key][1] > 2 * without[key][0]
