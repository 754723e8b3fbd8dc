r"""The expected first-layer NTK is close to the linear kernel, term by term.

Setting   X: n x d, rows from D (Assumption 3.1); Theta_1^* as in eq. (18), Theta^lin1 as in eq. (20).
Claim     With high probability ||Theta_1^* - Theta^lin1|| <~ n / d^(1 + alpha); in the proof: the
          off-diagonal part is O~(n / d^1.25) (23); its terms in (21): c1 diag(eps) X X^T / d and
          c2 X X^T / d diag(eps) are O~(n / d^1.5), c3 F is O~(n / d^1.25), the remainder E is
          O~(n / d^1.5) in Frobenius norm; the diagonal is gamma I + O~(1 / sqrt d) (24), that of
          Theta^lin1 is zeta^2 I + O~(1 / sqrt d).
Measured  each norm, certified from above, n = d^(1 + alpha). O~ hides powers of log n; those
          that the proof implies are divided out: one factor sqrt(log n) for each eps or off-diagonal
          x_i . x_j / sqrt d, and sqrt(log n) for F.
          The line above (21) prints (x_i . x_j)^2 / d for the third argument of Phi, which is
          x_i . x_j / d; eq. (21) itself is right and is what is measured.
"""

from __future__ import annotations

from dataclasses import replace

import sympy

from whp.claims import Design, Path, Twin, claim, experiment, geometric, rate, symbols
from whp.devices import as_dtype
from whp.ensembles import data_distribution
from whp.kernels import (
    Phi,
    activation,
    expected_first_layer_ntk,
    norm_ratios,
    nu,
    subtract_linear_kernel_,
    taylor_terms,
)
from whp.kernels.quadrature import gaussian_mean
from whp.linalg import frobenius_norm, spectral_norm

from ._setting import DATA, MORE_ACTIVATIONS, PHI_ASSUMPTION, RATES, X_ASSUMPTION, lean, star

d, n, alpha = symbols("d n alpha")
PATH = {"n": d ** (1 + alpha)}


@experiment(
    quick=Design(
        Path(d=geometric(16, 128, 4), **PATH),
        {"alpha": [0.2], "activation": ["erf", "relu"], "data": ["gaussian"]},  # c1 = 0 or c3 = 0 in each
        trials=(24, 274),
    ),
    standard=Design(
        Path(d=geometric(48, 512, 5), **PATH),
        {"alpha": [0.1, 0.2], "activation": MORE_ACTIVATIONS, "data": DATA},
        trials=(8, 40),
        only=lean,
    ),
    paper=Design(
        Path(d=geometric(48, 512, 5), **PATH),
        {"alpha": [0.1, 0.2], "activation": MORE_ACTIVATIONS, "data": DATA},
        trials=(12, 40),
        only=star,
    ),
    failure_probability=6e-10,
)
def expansion(p, rng, device):
    data, phi = data_distribution(p.data), activation(p.activation)
    X = data.sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    moment, moments = data.sigma_moment(p.d), phi.moments

    def norm(A):
        return spectral_norm(A, rng, symmetric=True, failure_probability=1e-10).high

    D = subtract_linear_kernel_(expected_first_layer_ntk(X, phi), X, moments.zeta, nu(phi, moment))
    numbers = {"whole": norm(D)}
    D.fill_diagonal_(0)
    numbers["off"] = norm(D)
    del D
    for name, term in taylor_terms(X, phi, moment):
        if name == "remainder":
            numbers[name] = frobenius_norm(term)
        elif name == "F":
            numbers[name] = norm(term)
        elif name == "row norms":  # not symmetric; "column norms" is its transpose, as c1 = c2
            numbers[name] = spectral_norm(term, rng, symmetric=False, failure_probability=1e-10).high
            numbers["column norms"] = numbers[name]
    return numbers


@experiment(
    quick=Design(
        Path(d=geometric(16, 256, 5), **PATH),
        {"alpha": [0.2], "activation": ["erf", "relu"], "data": ["gaussian"]},
        trials=(24, 122),
    ),
    standard=Design(
        Path(d=geometric(64, 1024, 5), **PATH),
        {"alpha": [0.1, 0.2], "activation": MORE_ACTIVATIONS, "data": DATA},
        trials=(24, 122),
        only=lean,
    ),
)
def diagonals(p, rng, device):
    data, phi = data_distribution(p.data), activation(p.activation)
    X = data.sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    moments = phi.moments
    a = norm_ratios(X).cpu()  # (n,)
    if phi.smooth:  # Phi(a, a, a) is one integral, E[phi'(sqrt(a) g)^2]
        slopes = gaussian_mean(lambda g: phi.dphi(a.sqrt()[:, None] * g) ** 2)[0]
    else:
        slopes = Phi(phi, a, a, a).value
    linear = moments.zeta**2 * a + nu(phi, data.sigma_moment(p.d)) ** 2 / p.d
    return {
        "diagonal": (a * slopes - moments.gamma).abs().max(),
        "linear diagonal": (linear - moments.zeta**2).abs().max(),
    }


@experiment(standard=Design(Path(d=geometric(64, 512, 4), **PATH), {"alpha": [0.2]}, trials=(24, 40)))
def swapped(p, rng, device):
    """For the false twins: the diagonals of relu less each other's limit, zeta^2 for gamma."""
    data, phi = data_distribution("gaussian"), activation("relu")
    X = data.sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    moments, a = phi.moments, norm_ratios(X).cpu()  # (n,)
    linear = moments.zeta**2 * a + nu(phi, data.sigma_moment(p.d)) ** 2 / p.d
    return {
        "diagonal": (a * Phi(phi, a, a, a).value - moments.zeta**2).abs().max(),
        "linear diagonal": (linear - moments.gamma).abs().max(),
    }


log = sympy.log(n)


def term(name, quantity, expression, twin, why, measured=expansion):
    """The rate of one term; its false twin is a rate better by ``twin``."""
    return rate(
        name=name,
        experiment=measured,
        statistic=name,
        quantity=quantity,
        bound=expression,
        floor=1e-9,
        twins={"exponent": Twin(why, bound=expression / twin)},
    )


def with_wrong_moment(check, why):
    """Add the false twin in which the limit of the diagonal is the other moment."""
    return replace(check, twins={**check.twins, "moment": Twin(why, experiment=swapped)})


proposition = claim(
    "hu2020.prop_d_4",
    term(
        "whole", r"\|\Theta_1^* - \Theta^{\mathrm{lin}1}\|", n / d ** (1 + alpha), d**0.5, "better by d^(1/2)"
    ),
    term(
        "off",
        r"\|(\Theta_1^* - \Theta^{\mathrm{lin}1})_{\mathrm{off}}\|",
        sympy.sqrt(log) * n / d**1.25,
        d**0.75,
        "better by d^(3/4)",
    ),
    term(
        "row norms",
        r"\|c_1 (\mathrm{diag}(\varepsilon) G)_{\mathrm{off}}\|",
        sympy.sqrt(log) * n / d**1.5,
        d**0.75,
        "better by d^(3/4)",
    ),
    term(
        "column norms",
        r"\|c_2 (G\, \mathrm{diag}(\varepsilon))_{\mathrm{off}}\|",
        sympy.sqrt(log) * n / d**1.5,
        d**0.75,
        "better by d^(3/4)",
    ),
    term("F", r"\|c_3 F\|", sympy.sqrt(log) * n / d**1.25, d**0.75, "better by d^(3/4)"),
    term("remainder", r"\|E\|_F", log**1.5 * n / d**1.5, d**0.75, "better by d^(3/4)"),
    with_wrong_moment(
        term(
            "diagonal",
            r"\|(\Theta_1^*)_{\mathrm{diag}} - \gamma I\|",
            sympy.sqrt(log / d),
            d**0.5,
            "better by d^(1/2)",
            diagonals,
        ),
        "zeta^2 for gamma",
    ),
    with_wrong_moment(
        term(
            "linear diagonal",
            r"\|\Theta^{\mathrm{lin}1}_{\mathrm{diag}} - \zeta^2 I\|",
            sympy.sqrt(log / d),
            d**0.5,
            "better by d^(1/2)",
            diagonals,
        ),
        "gamma for zeta^2",
    ),
    title="The expected first-layer NTK is close to the linear kernel",
    locus="Proposition D.4, eqs (21)-(25)",
    assumptions=[
        X_ASSUMPTION,
        PHI_ASSUMPTION,
        RATES,
        r"$G = X X^\top / d$, $\varepsilon_i = \|x_i\|^2/d - 1$, $(c_1, c_2, c_3) = \nabla\Phi(1, 1, 0)$.",
    ],
)
