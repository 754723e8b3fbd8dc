r"""Whether gamma < 1 makes every weight move on average.

Setting   As in Theorem 4.3, under Assumptions 2.1 to 2.3; g_1(x) = E[sigma(z |x| / sqrt d) sigma'(z |x| /
          sqrt d)].
Claim     "So if gamma < 1 and lambda~_j > 0, the expected change of w_j for an infinitesimal update is
          non-zero in the infinite-width limit" (below Theorem 4.3).
Measured  A search over activations that satisfy Assumption 2.2, inputs that satisfy Assumption 2.1, gamma and
          lambda~_1 for a limit -((1 - gamma) lambda~_1 / sqrt d) sum_i x_i g_1(x_i) that vanishes: below 1e-6
          of its unit, the same with |x_i| E[(sigma sigma')^2]^(1/2) for the terms of the sum.
Error     The sum can vanish: for odd sigma, such as tanh, g_1 = 0 and no expected change is other than zero;
          for softplus three inputs of one norm at angles of 120 degrees do. Both are admitted.
Corrected The expected change is not zero if gamma < 1, lambda~_j > 0 and sum_i x_i g_1(x_i) is not zero, as
          for inputs with positive entries and softplus; else it is zero. Measured in whole networks of
          growing width: the mean of dw_1/dt against its direction, over its unit at infinite width, which is
          above zero, or zero.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Design, Path, Regime, Twin, always, claim, experiment, mean, order, search
from whp.kernels import check_inputs, g_1
from whp.kernels.quadrature import gaussian_mean
from whp.models import zipf_weights

from ._rates import admitted, mean_rates, positive_inputs, scaled

FLOOR = 1e-6
ALPHA = 0.5  # as in the scales of _rates
EVEN = ["softplus", "reduced_swish"]


def fan(count, norm):
    """Inputs of one norm in the plane, at equal angles all around: their sum is zero for three or more."""
    angles = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    return norm * torch.stack((torch.cos(angles), torch.sin(angles)), dim=1)


def unit(X, sigma):
    """What the terms of the sum over inputs could add up to, over sqrt d."""
    s = X.norm(dim=1, keepdim=True) / math.sqrt(X.shape[1])
    square, _ = gaussian_mean(lambda u: (sigma.phi(s * u) * sigma.dphi(s * u)) ** 2)
    return float(X.norm(dim=1) @ square.sqrt()) / math.sqrt(X.shape[1])


def terms(X, sigma):
    """sum_i x_i g_1(x_i) / sqrt d, shape (d,)."""
    return g_1(X, sigma).value @ X / math.sqrt(X.shape[1])


def vanishing(activations, counts, floor):
    """The search for an expected change below ``floor`` of its unit."""

    def excess(name, count, norm, gamma, alpha):
        """How far below the floor it is."""
        sigma, X = admitted(name), fan(count, norm)
        check_inputs(X)
        share = (1 - gamma) * float(zipf_weights(1, alpha)[0])
        return floor - share * float(terms(X, sigma).norm()) / (share * unit(X, sigma))

    excess.__name__ = f"below_{floor:g}".replace("-", "_").replace(".", "_")
    return search(
        excess,
        given={
            "name": st.sampled_from(activations),
            "count": st.sampled_from(counts),
            "norm": st.floats(0.1, 1.0),
            "gamma": st.floats(0.0, 0.99),
            "alpha": st.floats(0.1, 0.9),
        },
        examples=(50, 200, 1000),
    )


def along(p, rng, X, sigma, direction, nets=None):
    """The mean of dw_1/dt along a direction, over its unit at infinite width."""
    y = torch.from_numpy(rng.uniform(-1, 1, len(X)))
    moved, lam = mean_rates(p, rng, X, y, sigma, even=False, nets=nets)
    limit = (1 - p.gamma) * (0.5 if p.gamma == 0 else float(zipf_weights(1, ALPHA)[0]))
    return float(moved.weights[0] @ direction) / (limit * unit(X, sigma)), float(lam[0]) / limit


@experiment(
    quick=Design(
        Path(m=(4,)), {"activation": ["softplus"], "gamma": [0.5], "d": [2], "nets": [4]}, trials=(16, 40)
    ),
    standard=Design(
        Path(m=(4, 8)),
        {"activation": EVEN, "gamma": [0.0, 0.5], "d": [2], "nets": [4]},
        trials=(20, 60),
    ),
)
def moving(p, rng, device):
    """Where the sum is not zero, for inputs that are the same in all trials: minus the change along it."""
    sigma, X = admitted(p.activation), positive_inputs(np.random.default_rng(p.d), 3, p.d)
    total = terms(X, sigma)
    direction = -total / total.norm()
    change, scale = along(p, rng, X, sigma, direction)
    expected = scale * float(total.norm()) / unit(X, sigma)
    return {"change": change, "above": change - 1.05 * expected, "whole": change - scale}


@experiment(
    quick=Design(
        Path(m=(4,)), {"case": ["odd", "fan"], "gamma": [0.5], "d": [2], "nets": [4]}, trials=(16, 40)
    ),
    standard=Design(
        Path(m=(4, 8)),
        {"case": ["odd", "fan"], "gamma": [0.0, 0.5], "d": [2], "nets": [8]},
        trials=(20, 60),
    ),
)
def still(p, rng, device):
    """Where the sum is zero: the change along the first input; also with the last input left out."""
    sigma = admitted("softplus" if p.case == "fan" else "tanh")
    if p.case == "fan":
        X = fan(3, float(rng.uniform(0.3, 1)))
    else:
        X = scaled(torch.from_numpy(rng.standard_normal((3, p.d))), torch.from_numpy(rng.uniform(0.3, 1, 3)))
    turn = float(rng.uniform(0, 2 * math.pi))
    X = X @ torch.tensor(np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]))
    direction = X[0] / X[0].norm()
    change, _ = along(p, rng, X, sigma, direction)
    less, _ = along(p, rng, X[:1], admitted("softplus"), direction, nets=1)
    return {"change": change, "softplus, one input": less}


SENTENCE = "Assumptions 2.1 and 2.2, checked by computation."

printed = claim(
    "caron2023.feature_learning_weights_mean",
    always(
        experiment=vanishing(["softplus", "sigmoid", "reduced_swish", "tanh", "sin"], [1, 3, 5], FLOOR),
        statement=r"\lim_m \mathbb{E}\left[\tfrac{d\mathbf{w}_{t1}}{dt}\big|_{t=0}\right] \ne 0",
        twins={
            "tenth": Twin(
                "at least a tenth of the unit, for the same inputs",
                experiment=vanishing(["softplus", "tanh"], [1, 3, 5], 0.1),
            ),
            "even": Twin(
                "for softplus alone, at least a thousandth of the unit",
                experiment=vanishing(["softplus"], [1, 3], 1e-3),
            ),
        },
    ),
    title="Every weight with lambda~_j > 0 moves on average when gamma < 1",
    locus="below Theorem 4.3",
    regime=Regime.MET,
    assumptions=(SENTENCE,),
)

corrected = claim(
    "caron2023.feature_learning_weights_mean_corrected",
    order(
        name="moves",
        experiment=moving,
        statistic="change",
        quantity=r"\text{the mean of } \tfrac{d\mathbf{w}_{t1}}{dt} \text{ along } -\sum_i x_i g_1(x_i)"
        r" \text{, where that is not zero, over its unit}",
        twins={
            "more": Twin("more than 1.05 times what Theorem 4.3 says", statistic="above"),
            "unit": Twin("more than the whole unit", statistic="whole"),
        },
    ),
    mean(
        name="stays",
        experiment=still,
        statistic="change",
        quantity=r"\text{the mean of } \tfrac{d\mathbf{w}_{t1}}{dt} \text{ along } x_1"
        r" \text{, where } \sum_i x_i g_1(x_i) = 0 \text{, over its unit}",
        target=0,
        tolerance=0.02,
        twins={
            "one input": Twin("softplus with the first input alone", statistic="softplus, one input"),
            "some": Twin("a tenth of the unit", target=0.1, tolerance=0.2),
        },
    ),
    title="A weight with lambda~_j > 0 moves on average when gamma < 1 and sum_i x_i g_1(x_i) is not zero",
    locus="below Theorem 4.3, corrected",
    regime=Regime.MET,
    assumptions=(SENTENCE,),
    printed=False,
    corrects="caron2023.feature_learning_weights_mean",
)
