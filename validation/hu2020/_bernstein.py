r"""The matrix Bernstein step in the proof of Proposition D.10, for the data at hand.

For either half of the neurons, S = sum_{r <= m/2} (Theta_2^(r) - Theta_2^*) is a sum of unbounded
independent terms. The proof bounds two parameters, and so does this file, of the actual X:

- the psi_1 norm K of ||Theta_2^(r) - Theta_2^*||, which is at most rho = max(||p||^2, ||Theta_2^*||) for
  p = phi(X w_r / sqrt d), as both matrices are positive semidefinite;
- the matrix variance of one term, which the proof cuts at ||p|| <= B:
  v / (m/2) <= B^2 ||Theta_2^*|| + ||Theta_2^*||^2 + sqrt(P(||p|| > B) E ||p||^8), with B = M + s,
  M = E ||p||, and P(||p|| > M + s) <= n^-10 because ||p|| is a Lipschitz function of w.

Klochkov and Zhivotovskiy print no constant. The tails here are those of
`whp.bounds.SubExponentialBernstein`, explicit and proved: once with K and v, which has the two regimes of
Klochkov and Zhivotovskiy, and once with v and the scale R of the higher moments, which is sharper since rho
hardly varies. K, R, v, M and E ||p||^8 are means over FRESH weights of their own. The constant that the
printed form would need is recorded beside them.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from whp.bounds import KlochkovZhivotovskiy, SubExponentialBernstein, estimate_psi, gaussian_lipschitz
from whp.claims import Design, Path, Twin, bound, experiment, symbols
from whp.devices import as_dtype
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import activation, expected_second_layer_ntk

d, alpha = symbols("d alpha")
FRESH = 400  # weights from which the parameters are estimated
LEVELS = tuple(float(x) for x in np.geomspace(0.01, 0.5, 20))
N_SIZE = 2 * d ** (1 + alpha)


def moment_scale(third, v, largest):
    """R of Tropp's theorem, E S^p <= (p!/2) R^(p-2) v, from the third moment and the largest norm."""
    return max(
        (2 * third * largest ** (p - 3) / (math.factorial(p) * v)) ** (1 / (p - 2)) for p in range(3, 30)
    )


def tails(p, rng, device):
    """The tail bound at the measured ||S|| of either half, and the proof's bound of the variance."""
    phi = activation(p.activation)
    X = data_distribution(p.data).sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    init = symmetric_init(rng, p.m, p.d, X.dtype, device)
    expected, half = expected_second_layer_ntk(X, phi), p.m // 2
    mean = float(torch.linalg.eigvalsh(expected)[-1])  # ||Theta_2^*||

    def features(W):
        return phi.phi(X @ W.T / p.d**0.5)  # (n, len(W))

    fresh = features(torch.from_numpy(rng.standard_normal((FRESH, p.d))).to(X))
    squares = fresh.square().sum(dim=0)  # ||p||^2, (FRESH,)
    rho = squares.clamp(min=mean)
    second = (fresh * squares) @ fresh.T / FRESH  # E ||p||^2 p p^T
    v = half * float(torch.linalg.eigvalsh(second - expected @ expected)[-1])
    # E rho (p p^T - Theta_2^*)^2, multiplied out
    first = (fresh * rho) @ fresh.T / FRESH @ expected
    third = (fresh * (rho * squares)) @ fresh.T / FRESH - first - first.T + rho.mean() * expected @ expected
    R = moment_scale(half * float(torch.linalg.eigvalsh(third)[-1]), v, float(rho.max()))
    K = estimate_psi(rho.cpu().numpy())

    lipschitz = phi.sup_dphi * float(torch.linalg.matrix_norm(X, 2)) / p.d**0.5
    B = float(squares.sqrt().mean()) + gaussian_lipschitz(lipschitz).quantile(float(p.n) ** -10)
    printed = B**2 * mean + mean**2 + (float(p.n) ** -10 * float(squares.pow(4).mean())) ** 0.5

    norms = []
    for W in (init.W[:half], init.W[half:]):
        P = features(W)
        norms.append(float(torch.linalg.eigvalsh(P @ P.T - half * expected).abs().max()))
    moments = SubExponentialBernstein(R, v, p.n, p.n)
    explicit = SubExponentialBernstein.truncated(K, v, half, p.n, p.n)
    unit = KlochkovZhivotovskiy(K, v, half, p.n, p.n, 1.0)
    wrong = {
        "divided": SubExponentialBernstein(R / half, v / half, p.n, p.n),
        "mean": SubExponentialBernstein(R / half, v / half**2, p.n, p.n),
        "Gaussian": SubExponentialBernstein(0.0, v / half**2, p.n, p.n),
    }
    return {
        "first half": moments.tail(norms[0]),
        "second half": moments.tail(norms[1]),
        "K and v": explicit.tail(norms[0]),
        **{name: other.tail(norms[0]) for name, other in wrong.items()},
        "slack": moments.quantile(0.01) / max(norms),
        "slack of K and v": explicit.quantile(0.01) / max(norms),
        "variance": v / half / printed,
        "needed constant": max(norms) / unit.quantile(0.01),
    }


TAIL = r"\Pr\left[\left\|\sum_{r}(\Theta_2^{(r)} - \Theta_2^*)\right\| \ge u\right] \le 2n \exp"
MOMENTS = TAIL + r"\left(\frac{-u^2/2}{v + R u}\right)"
EXPLICIT = TAIL + r"\left(\frac{-u^2/2}{1.1 v + c K \log(m K^2 / v) u}\right)"
VARIANCE = (
    r"\frac{\|\mathbb{E}(\Theta_2^{(r)} - \Theta_2^*)^2\|}"
    r"{B^2 \|\Theta_2^*\| + \|\Theta_2^*\|^2 + \sqrt{\Pr[\|p\| > B]\, \mathbb{E}\|p\|^8}}"
)


def case(name, width, main, other):
    """The checks of one of the two cases, on an experiment of their own."""
    sizes = {"n": N_SIZE, "m": width, "even": ["m"]}
    measured = experiment(
        name=f"hu2020.prop_d_10.tails, {name}",
        quick=Design(
            Path(d=(6,), **sizes),
            {"alpha": [0.1], "activation": [main], "data": ["gaussian"]},
            trials=(1020, 2880),
        ),
        standard=Design(
            Path(d=(12, 24), **sizes),
            {"alpha": [0.1], "activation": [main, *other], "data": ["gaussian", "rademacher"]},
            trials=(1280, 4320),
            only=lambda cell: cell["data"] == "gaussian" or cell["activation"] == main,
        ),
    )(tails)

    def tail(label, statistic, quantity, slack, twins):
        return bound(
            name=f"{label}, {name}",
            experiment=measured,
            statistic=statistic,
            quantity=quantity,
            delta=LEVELS,
            tail_of=True,
            slack_statistic=slack,
            twins=twins,
        )

    return [
        tail(
            "Bernstein, first half",
            "first half",
            MOMENTS,
            "slack",
            {
                "divided": Twin("R and v divided by the number of neurons", statistic="divided"),
                "mean": Twin("R and v of the mean over neurons for their sum", statistic="mean"),
            },
        ),
        tail("Bernstein, second half", "second half", MOMENTS, "slack", {}),
        tail(
            "Bernstein with K",
            "K and v",
            EXPLICIT,
            "slack of K and v",
            {"Gaussian": Twin("without K, and v of the mean over neurons", statistic="Gaussian")},
        ),
        bound(
            name=f"variance, {name}",
            experiment=measured,
            statistic="variance",
            quantity=VARIANCE,
            bound=1,
            delta=0.01,
            twins={"constant": Twin("1/200 of the proof's bound", bound=0.005)},
        ),
    ]


BERNSTEIN = [
    *case("vartheta_0 = 0", 2 * d ** (1 + alpha), "erf", ["centred_softplus"]),
    *case("vartheta_0 not 0", 2 * d ** (2 + alpha), "relu", []),
]
"""Checks for the claim of Proposition D.10."""
