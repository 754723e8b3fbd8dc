"""What the claims about the second layer and both layers measure: their kernels at initialisation.

The paper distinguishes two cases: vartheta_0 = E phi(g) = 0 asks for a width m >~ d^(1 + alpha), any
other phi for m >~ d^(2 + alpha). Here n = d^(1 + alpha), and m = 8 d^(1 + alpha) in the first case: with
a constant of one, neurons and points are so few at these sizes that the rate of D.10 is not yet to be seen.
"""

from __future__ import annotations

import math

import torch

from whp.claims import Design, Path, experiment, geometric, symbols
from whp.devices import as_dtype
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import (
    activation,
    combined_features,
    expected_second_layer_ntk,
    layer_ntks,
    norm_ratios,
    subtract_gram_,
)
from whp.linalg import frobenius_norm, spectral_norm

d, n, m, alpha = symbols("d n m alpha")
CERTIFIED = 1e-10
NORMS = 6
SIGNS = 64

NARROW = {"n": d ** (1 + alpha), "m": 8 * d ** (1 + alpha), "even": ["m"]}
WIDE = {"n": d ** (1 + alpha), "m": d ** (2 + alpha), "even": ["m"]}
CENTRED = ["erf", "tanh", "centred_softplus"]
OTHERS = ["softplus", "relu", "leaky_relu", "sigmoid"]
TWO_CASES = (
    r"Two cases, as in Theorem 3.5: $m = 8 d^{1+\alpha}$ (in the profile quick $d^{1.4+\alpha}$) for"
    r" $\vartheta_0 = \mathbb{E}\,\phi(g) = 0$ (erf, tanh, and softplus less its Gaussian mean, which has"
    r" $\vartheta_1 \ne 0$), $m = d^{2+\alpha}$ otherwise; $n = d^{1+\alpha}$ in both. The paper leaves the"
    r" constants open."
)


def draw(p, rng, device):
    """Data, phi, half of the weights, the kernels of both layers, and psi_1 and psi_2."""
    law, phi, dtype = data_distribution(p.data), activation(p.activation), as_dtype(p.dtype)
    X = law.sample(rng, p.n, p.d, dtype, device)  # (n, d)
    W = symmetric_init(rng, p.m, p.d, dtype, device).W_half  # (m/2, d); the other half repeats it
    psi_1, psi_2 = (
        combined_features(X, phi, law.sigma_moment(p.d), rates) for rates in ((1.0, 0.0), (0.0, 1.0))
    )  # (n, d + 2) each
    return X, phi, W, *layer_ntks(X, W, phi), psi_1, psi_2


def chi_square(X, W):
    """The largest over the data of sum_r (x_i . w_r)^2 / (d m), by the Gram matrix of the weights."""
    return float(torch.linalg.vecdot(X @ (W.T @ W), X).max() / (X.shape[1] * len(W)))


def kernels(p, rng, device):
    """Norms of the kernels at initialisation and of their differences, traces, Rademacher complexities."""
    X, phi, W, first, second, psi_1, psi_2 = draw(p, rng, device)

    def norm(K):
        return spectral_norm(K, rng, symmetric=True, failure_probability=CERTIFIED).high

    numbers = {
        "trace first": first.trace(),
        "trace second": second.trace(),
        "trace lin1": psi_1.square().sum(),
        "trace lin2": psi_2.square().sum(),
        "largest diagonal": second.diagonal().max(),
        "chi-square": chi_square(X, W),
    }
    # Over ||a|| <= r the largest sum_i eps_i a . rho(x_i) is r ||sum_i eps_i rho(x_i)||, r = 2 sqrt(d log d).
    signs = torch.from_numpy(rng.choice([-1.0, 1.0], (p.n, SIGNS))).to(X)
    squares = {
        "first": (signs * (first @ signs)).sum(dim=0) + (psi_1.T @ signs).square().sum(dim=0),
        "second": (signs * (second @ signs)).sum(dim=0) + (psi_2.T @ signs).square().sum(dim=0),
    }
    squares["both"] = squares["first"] + squares["second"]
    radius = 2 * math.sqrt(p.d * math.log(p.d))
    numbers |= {f"rademacher {k}": radius / p.n * squares[k].sqrt().mean() for k in squares}

    numbers["ntk"] = norm(second)
    difference = second - expected_second_layer_ntk(X, phi)
    numbers |= {"concentration": norm(difference), "concentration F": frobenius_norm(difference)}
    del difference
    both = first.add_(second)
    for K, features, name in ((second, (psi_2,), "second"), (both, (psi_1, psi_2), "both")):
        for psi in features:
            subtract_gram_(K, psi)
        numbers[name] = norm(K)
        q = psi_2[
            :, -1
        ].clone()  # K + q q^T - vartheta_0^2 1 1^T: the last feature without vartheta_1, vartheta_2
        K.addr_(q, q).sub_(phi.moments.vartheta_0**2)
        numbers[f"{name} naive"] = norm(K)
    return numbers


def star(cell):
    """Keep all activations on Gaussian data, erf and relu on all; alpha = 0.1 for these two there."""
    main, gaussian = cell["activation"] in ("erf", "relu"), cell["data"] == "gaussian"
    return (main and gaussian) or ((main or gaussian) and cell["alpha"] == 0.2)


def measured(name, quick, standard, cells, trials=(12, 61)):
    """The experiment on one kind of path, for each profile."""
    least = {key: values[:1] for key, values in cells.items()}
    return experiment(
        name=f"hu2020.second_layer.{name}",
        quick=Design(quick, least, trials=trials),
        standard=Design(standard, cells, trials=trials, only=star),
        dtype="float32",
        failure_probability=NORMS * CERTIFIED,
    )(kernels)


ALPHAS = [0.2, 0.1]
BOTH = ["gaussian", "rademacher"]
ONE = {"alpha": [0.2], "data": ["gaussian"]}
SMALL, LARGE = Path(d=geometric(12, 84, 4), **WIDE), Path(d=geometric(12, 120, 5), **WIDE)
# In quick the first case has an m between the two orders, which the theorem admits: with the least order the
# rate is too close to what is measured for a few trials at these sizes.
LEAST = {"n": d ** (1 + alpha), "m": d ** (1 + alpha), "even": ["m"]}
BETWEEN = {"n": d ** (1 + alpha), "m": d ** (1.4 + alpha), "even": ["m"]}

narrow = measured(
    "narrow",
    Path(d=geometric(16, 128, 4), **BETWEEN),
    Path(d=geometric(26, 260, 5), **NARROW),
    {"alpha": ALPHAS, "activation": CENTRED, "data": BOTH},
)
wide = measured("wide", SMALL, LARGE, {"alpha": ALPHAS, "activation": OTHERS, "data": BOTH})
wide_centred = measured("wide_centred", SMALL, LARGE, {**ONE, "activation": ["erf"]})
too_narrow = measured(
    "too_narrow",
    Path(d=geometric(12, 84, 4), **LEAST),
    Path(d=geometric(12, 120, 5), **LEAST),
    {**ONE, "activation": ["softplus"]},
    trials=(12, 27),  # for false twins only
)


def mean_over_signs(K):
    """E sqrt(eps^T K eps) over all sign vectors, for a small positive semidefinite K, shape (n, n)."""
    free = len(K) - 1  # -eps gives what eps gives: let the first sign be +1
    bits = torch.arange(2**free)[:, None].bitwise_right_shift(torch.arange(free)).bitwise_and(1)
    signs = torch.cat((torch.ones(2**free, 1), 2 * bits - 1), dim=1).to(K)  # (2^(n - 1), n)
    return float((signs @ K * signs).sum(dim=1).clamp_min(0).sqrt().mean())


CELLS = {"alpha": [0.2], "activation": ["relu", "erf", "softplus"], "data": ["gaussian", "rademacher"]}


@experiment(
    name="hu2020.second_layer.small",
    quick=Design(Path(d=(6,), **WIDE), {k: v[:1] for k, v in CELLS.items()}, trials=(1020, 1950)),
    standard=Design(Path(d=(5,), **WIDE), CELLS, trials=(1300, 1950), only=star),
)
def small(p, rng, device):
    """At tiny sizes, both sides of the inequalities that hold with known constants, as ratios."""
    X, phi, W, first, second, psi_1, psi_2 = draw(p, rng, device)
    networks = {"first": first, "second": second, "both": first + second}
    linear = {"first": psi_1 @ psi_1.T, "second": psi_2 @ psi_2.T}
    linear["both"] = linear["first"] + linear["second"]
    numbers = {}
    for name, K in networks.items():
        mean = mean_over_signs(K + linear[name])
        numbers[f"complexity {name}"] = mean / (K.trace() + linear[name].trace()).sqrt()
        numbers[f"complexity {name}, one trace"] = mean / K.trace().sqrt()
    a, squares = norm_ratios(X), (X @ W.T).square().mean(dim=1) / p.d  # (n,) each
    zero, steepest = float(phi.phi(X.new_zeros(()))), phi.sup_dphi
    return numbers | {
        "slopes": first.trace() / (steepest**2 * a.sum()),
        "values": (second.diagonal() / (2 * zero**2 + 2 * steepest**2 * squares)).max(),
        "chi-square": (squares / a).max(),
    }
