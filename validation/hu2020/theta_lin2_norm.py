r"""The largest eigenvalue of the second layer's kernels, in the two cases of Theorem 3.5.

Setting   X: n x d, rows from D (Assumption 3.1); Theta^lin2 as in eq. (20), Theta_2(W) as in eq. (17).
Claim     With high probability ||Theta^lin2|| = O(n) if vartheta_0 is not zero and O(n log(n) / d) if it is
          (Appendix D.5); "when vartheta_0 is not zero, the second layer NTK has a large eigenvalue of size
          Theta(n), while when vartheta_0 = 0, its largest eigenvalue is only O(n log(n) / d)" (Section 3.2).
Measured  the norm of Theta^lin2 by all singular values of its d + 2 features, n = d^(1 + alpha); that of
          Theta_2(W) along the paths of Proposition D.8. Theta(n) is tested from both sides; the O(n) for
          Theta^lin2 too, as the two differ by less than n.
          No logarithm is seen in the second case: the norm grows like n / d, as each e_i^2 is of order 1 / d.
"""

from __future__ import annotations

import sympy
import torch

from whp.claims import Design, Path, Twin, claim, experiment, geometric, rate, symbols
from whp.devices import as_dtype
from whp.ensembles import data_distribution
from whp.kernels import activation, combined_features

from ._second_layer import CENTRED, OTHERS, TWO_CASES, narrow, wide
from ._setting import DATA, PHI_ASSUMPTION, X_ASSUMPTION

d, n, alpha = symbols("d n alpha")
PATH = {"n": d ** (1 + alpha)}
SMALL = n * sympy.log(n) / d


def star(cell):
    """Keep every activation on Gaussian data; relu and softplus less its mean, with vartheta_1, on all."""
    return cell["data"] == "gaussian" or cell["activation"] in ("relu", "centred_softplus")


def largest_eigenvalue(p, rng, device):
    law, phi = data_distribution(p.data), activation(p.activation)
    X = law.sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    psi_2 = combined_features(X, phi, law.sigma_moment(p.d), (0.0, 1.0))  # (n, d + 2)
    return torch.linalg.eigvalsh(psi_2.T @ psi_2)[-1]


centred, other = (
    experiment(
        name=f"hu2020.theta_lin2_norm.{name}",
        quick=Design(
            Path(d=geometric(24, 192, 4), **PATH),
            {"alpha": [0.2], "activation": activations[:1], "data": ["gaussian"]},
            trials=(8, 40),
        ),
        standard=Design(
            Path(d=geometric(24, 240, 5), **PATH),
            {"alpha": [0.2], "activation": activations, "data": DATA},
            trials=(8, 40),
            only=star,
        ),
    )(largest_eigenvalue)
    for name, activations in (("centred", CENTRED[::-1]), ("other", OTHERS))
)

LIN, NTK = r"\|\Theta^{\mathrm{lin}2}\|", r"\|\Theta_2(W)\|"


def large(name, measured, statistic, quantity, **more):
    """Theta(n)."""
    return rate(
        name=name,
        experiment=measured,
        statistic=statistic,
        quantity=quantity,
        bound=n,
        direction="both",
        # A part of order 1 / d, zeta^2 X X^T / d, is felt at these sizes; the other case is off by d.
        tolerance=0.2,
        twins={"the other case": Twin("n log(n) / d, as for vartheta_0 = 0", bound=SMALL)},
        **more,
    )


def small(name, measured, statistic, quantity, **more):
    """O(n log n / d)."""
    return rate(
        name=name,
        experiment=measured,
        statistic=statistic,
        quantity=quantity,
        bound=SMALL,
        twins={"exponent": Twin("better by d^(3/4)", bound=SMALL / d**0.75)},
        **more,
    )


norms = claim(
    "hu2020.theta_lin2_norm",
    large("Theta^lin2, vartheta_0 not 0", other, "value", LIN),
    large("Theta_2, vartheta_0 not 0", wide, "ntk", NTK, rounding=1e-5),
    small("Theta^lin2, vartheta_0 = 0", centred, "value", LIN),
    small("Theta_2, vartheta_0 = 0", narrow, "ntk", NTK, rounding=1e-5),
    title="The second layer's kernel has an eigenvalue of order n if and only if E phi(g) is not zero",
    locus="below Theorem 3.5; beginning of Appendix D.5",
    assumptions=[X_ASSUMPTION, PHI_ASSUMPTION, TWO_CASES],
)
