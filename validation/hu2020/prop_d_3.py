r"""The first-layer NTK at initialisation concentrates around its expectation, by matrix Bernstein.

Setting   X: n x d, rows from D (Assumption 3.1); W(0) by the symmetric initialisation (3);
          Theta_1^* = E_W Theta_1 as in eq. (18).
Claim     D.3: with high probability ||Theta_1(W(0)) - Theta_1^*|| <= n / d^(1 + alpha), constant one.
          Its proof: for either half of the neurons, S = sum_{r <= m/2} (Theta^(r) - Theta_1^*)
          has P(||S|| >= s) <= 2 n exp(-(s^2/2) / (v + L s/3)) (Tropp 2015, Theorem 1.6.2),
          with L >= ||Theta^(r) - Theta_1^*|| and v = (m/2) ||E (Theta^(r) - Theta_1^*)^2||.
Measured  the norm (certified from above): its growth along n = m = d^(1 + alpha), how often it breaks
          the bound at small sizes, n = m = 2 d^(1 + alpha). For the tail: L and v of the
          actual X in each trial, the tail bound U at the measured ||S||; the bound holds if and
          only if P(U <= delta) <= delta at every delta, which is tested at 20 levels.
          L = sup |phi'|^2 ||X X^T|| / d is a bound for sure, as both matrices are positive
          semidefinite; v is a mean over fresh weights.
"""

from __future__ import annotations

import numpy as np
import torch

from whp.bounds import MatrixBernstein
from whp.claims import Design, Path, Twin, bound, claim, experiment, geometric, rate, symbols
from whp.devices import as_dtype
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import activation, expected_first_layer_ntk, first_layer_ntk
from whp.linalg import spectral_norm

from ._setting import (
    DATA,
    MORE_ACTIVATIONS,
    PHI_ASSUMPTION,
    RATES,
    W_ASSUMPTION,
    WHP,
    X_ASSUMPTION,
    lean,
    star,
)

d, n, m, alpha = symbols("d n m alpha")
SQUARE = {"n": d ** (1 + alpha), "m": d ** (1 + alpha), "even": ["m"]}
TWICE = {"n": 2 * d ** (1 + alpha), "m": 2 * d ** (1 + alpha), "even": ["m"]}
FRESH = 200  # weights from which the variance is estimated


def draw(p, rng, device):
    """The data, the weights, and Theta_1^*."""
    dtype = as_dtype(p.dtype)
    X = data_distribution(p.data).sample(rng, p.n, p.d, dtype, device)  # (n, d)
    init = symmetric_init(rng, p.m, p.d, dtype, device)
    phi = activation(p.activation)
    return X, init, phi, expected_first_layer_ntk(X, phi)


@experiment(
    quick=Design(
        Path(d=geometric(16, 128, 4), **SQUARE),
        {"alpha": [0.2], "activation": ["erf", "relu"], "data": ["gaussian"]},
        trials=(12, 40),
    ),
    standard=Design(
        Path(d=geometric(64, 1024, 5), **SQUARE),
        {"alpha": [0.1, 0.2], "activation": MORE_ACTIVATIONS, "data": DATA},
        trials=(12, 40),
        only=lean,
    ),
    paper=Design(
        Path(d=geometric(64, 1024, 5), **SQUARE),
        {"alpha": [0.1, 0.2], "activation": MORE_ACTIVATIONS, "data": DATA},
        trials=(12, 40),
        only=star,
    ),
    dtype="float32",
    failure_probability=1e-10,
)
def concentration(p, rng, device):
    X, init, phi, expected = draw(p, rng, device)
    D = first_layer_ntk(X, init.W_half, phi).sub_(expected)  # (n, n)
    return {"norm": spectral_norm(D, rng, symmetric=True, failure_probability=1e-10).high}


def variance(X, phi, expected, rng):
    """||E (Theta^(r) - Theta_1^*)^2|| for a neuron with weights N(0, I), from fresh weights."""
    d = X.shape[1]
    K = X @ X.T / d  # (n, n)
    W = torch.from_numpy(rng.standard_normal((FRESH, d))).to(X)
    P = phi.dphi(X @ W.T / d**0.5)  # (n, FRESH)
    T = P.T[:, :, None] * K * P.T[:, None, :]  # (FRESH, n, n): Theta^(r) = diag(p) K diag(p)
    second = (T @ T).mean(dim=0)
    return float(torch.linalg.eigvalsh(second - expected @ expected)[-1])


@experiment(
    quick=Design(
        Path(d=(8,), **TWICE),
        {"alpha": [0.1], "activation": ["relu"], "data": ["gaussian"]},
        trials=(1020, 2700),
    ),
    standard=Design(
        Path(d=(8, 12), **TWICE),
        {"alpha": [0.1], "activation": ["erf", "relu"], "data": ["gaussian", "rademacher"]},
        trials=(1300, 4050),
        only=star,
    ),
)
def tails(p, rng, device):
    X, init, phi, expected = draw(p, rng, device)
    half = p.m // 2
    L = phi.sup_dphi**2 * float(torch.linalg.matrix_norm(X, 2)) ** 2 / p.d
    v = half * variance(X, phi, expected, rng)
    whole = float(torch.linalg.matrix_norm(first_layer_ntk(X, init.W, phi) - expected, 2))
    halves = [
        half * float(torch.linalg.matrix_norm(first_layer_ntk(X, W, phi) - expected, 2))
        for W in (init.W[:half], init.W[half:])
    ]
    bernstein = MatrixBernstein(L, v, p.n, p.n)
    wrong = MatrixBernstein(L / half, v / half, p.n, p.n)
    return {
        "norm": whole,
        "first half": bernstein.tail(halves[0]),
        "second half": bernstein.tail(halves[1]),
        "divided": wrong.tail(halves[0]),
        "mean": MatrixBernstein(L / half, v / half**2, p.n, p.n).tail(halves[0]),
        "slack": bernstein.quantile(0.01) / max(halves),
    }


NORM = r"\|\Theta_1(W(0)) - \Theta_1^*\|"
ASSUMPTIONS = [X_ASSUMPTION, PHI_ASSUMPTION, W_ASSUMPTION, RATES, WHP]

proposition = claim(
    "hu2020.prop_d_3",
    bound(
        name="bound",
        experiment=tails,
        statistic="norm",
        quantity=NORM,
        bound=n / d ** (1 + alpha),
        delta=0.01,
        twins={
            "constant": Twin("constant 1/20 instead of one", bound=n / d ** (1 + alpha) / 20),
            "factor": Twin("without n, as for a mean over data", bound=1 / d ** (1 + alpha)),
        },
    ),
    rate(
        name="rate",
        experiment=concentration,
        statistic="norm",
        quantity=NORM,
        bound=n / d ** (1 + alpha),
        rounding=1e-5,
        twins={"exponent": Twin("better by d", bound=n / d ** (2 + alpha))},
    ),
    title="The first-layer NTK concentrates around its expectation, with constant one",
    locus="Proposition D.3",
    assumptions=ASSUMPTIONS,
)

LEVELS = tuple(float(x) for x in np.geomspace(0.01, 0.5, 20))
TAIL = (
    r"\Pr\left[\left\|\sum_{r}(\Theta_1^{(r)} - \Theta_1^*)\right\| \ge s\right]"
    r" \le 2n \exp\left(\frac{-s^2/2}{v + L s/3}\right)"
)

bernstein = claim(
    "hu2020.prop_d_3_bernstein",
    bound(
        name="first half",
        experiment=tails,
        statistic="first half",
        quantity=TAIL,
        delta=LEVELS,
        tail_of=True,
        slack_statistic="slack",
        twins={
            "divided": Twin("L and v divided by the number of neurons", statistic="divided"),
            "mean": Twin("L and v of the mean over neurons for their sum", statistic="mean"),
        },
    ),
    bound(
        name="second half",
        experiment=tails,
        statistic="second half",
        quantity=TAIL,
        delta=LEVELS,
        tail_of=True,
        slack_statistic="slack",
    ),
    title="Matrix Bernstein bounds the tail of each half of the neurons",
    locus="proof of Proposition D.3",
    regime="met",
    assumptions=ASSUMPTIONS,
)
