r"""The node scales, and what Section 2 says of them.

Setting   lambda_{m,j} = gamma / m + (1 - gamma) lambda~_j / sum_{k <= m} lambda~_k, j = 1..m, gamma in
          [0, 1]; lambda~_1 >= lambda~_2 >= ... >= 0 with sum one.
Claim     1. For all m >= 1 they sum to one and lambda_{m,1} > 0; they decrease in j.
          2. gamma = 1 is the NTK scaling: all are 1 / m.
          3. gamma = 0 with lambda~_j = 1/K for j <= K, K <= m, is a network of width K.
          4. lambda_{m,j} -> (1 - gamma) lambda~_j as m grows (below Theorem 4.3), uniformly in j.
          5. If gamma < 1 they are asymmetrical at large m: lambda_{m,1} - lambda_{m,m} has the limit
          (1 - gamma) lambda~_1.
Measured  1-3 by search over m = 1..300, gamma, and Zipf, equal, geometric and drawn sequences. 4 and 5 along
          m, with the Zipf weights (35); nothing is random there. Their distances fall like
          m^(1 - 1/alpha), or 1/m if that is slower: m^(-0.11) at alpha = 0.9. In 5 the words are the
          paper's and the limit is ours.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from whp.claims import Design, Path, Twin, always, claim, experiment, geometric, limit, search
from whp.models import node_scales, zipf_weights

from ._sequences import EXAMPLES, SCALES, parts, scales, sequence

EXACT = 1e-12
SLOWEST = 0.12  # the order of the slowest cell, and cautious for the others

# --- By search


def total(**case):
    return abs(float(scales(**case).values.sum()) - 1)


def total_without_sum(**case):
    """As if lambda~ summed to one over j <= m."""
    m, gamma = case["m"], case["gamma"]
    given = sequence(case["kind"], case["shape"], case["length"], case["seed"])
    tilde = zipf_weights(m, given["alpha"]).numpy() if "alpha" in given else given["tilde"][:m]
    return abs(gamma + (1 - gamma) * tilde.sum() - 1)


def total_unweighted(**case):
    first, second = parts(**case)
    return abs(float((case["gamma"] * first + second).sum()) - 1)


def shape(**case):
    values = scales(**case).values.numpy()
    positive = 0.0 if values[0] > 0 else 1.0
    rises = max(0.0, float(np.diff(values).max(initial=0.0)))
    return max(positive, rises, -float(values.min()), float(values.max()) - 1 - EXACT)


def all_positive(**case):
    return 0.0 if float(scales(**case).values[-1]) > 0 else 1.0


def first_the_largest_by_far(**case):
    """As if lambda_{m,1} were at least 1/m and a tenth of the asymmetrical part more."""
    m, gamma = case["m"], case["gamma"]
    return (1 + 0.1 * (1 - gamma)) / m - float(scales(**case).values[0])


SYMMETRICAL = {name: SCALES[name] for name in SCALES if name != "gamma"}


def ntk(gamma, **case):
    return float((scales(gamma=gamma, **case).values * case["m"] - 1).abs().max())


def ntk_at_one(**case):
    return ntk(1.0, **case)


def ntk_near_one(**case):
    return ntk(0.999, **case)


FINITE = {"K": st.integers(1, 200), "more": st.integers(0, 200)}


def finite(m, K, gamma):
    """How far the scales are from those of a network of width K, K times."""
    values = node_scales(m, gamma, tilde=[1.0 / K] * K).values.numpy()
    wanted = np.where(np.arange(m) < K, 1.0 / K, 0.0)
    return K * float(np.abs(values - wanted).max())


def width_K(K, more):
    return finite(K + more, K, 0.0)


def width_below_K(K, more):
    return finite(max(1, K - more), K, 0.0)


def width_K_with_gamma(K, more):
    return finite(K + more, K, 0.001)


def searched(name, check, given, statement, **twins):
    return always(
        name=name,
        experiment=search(check, given=given, tolerance=EXACT, examples=EXAMPLES),
        statement=statement,
        tolerance=EXACT,
        twins={
            key: Twin(words, experiment=search(twin, given=given, tolerance=EXACT, shrink=False))
            for key, (words, twin) in twins.items()
        },
    )


# --- Along the width


def below_one(cell):
    """gamma = 1 does not depend on alpha."""
    return cell["gamma"] < 1 or cell["alpha"] == 0.7


@experiment(
    quick=Design(
        Path(m=geometric(100, 30_000, 4)), {"gamma": [0.0, 0.5], "alpha": [0.5, 0.9]}, trials=(24, 30)
    ),
    standard=Design(
        Path(m=geometric(100, 100_000, 5)),
        {"gamma": [0.0, 0.5, 0.9, 1.0], "alpha": [0.4, 0.7, 0.9]},
        trials=(24, 30),
        only=below_one,
    ),
)
def widths(p, rng, device):
    """Distances of the scales at width m from their limits; the same in every trial."""
    values, tilde = node_scales(p.m, p.gamma, p.alpha).values, zipf_weights(p.m, p.alpha)
    asymmetry = float(values[0] - values[-1])
    lead = float(tilde[0])
    return {
        "scales": float((values - (1 - p.gamma) * tilde).abs().max()),
        "scales, without 1 - gamma": float((values - tilde).abs().max()),
        "scales, squared": float((values - (1 - p.gamma) ** 2 * tilde).abs().max()),
        "asymmetry": abs(asymmetry - (1 - p.gamma) * lead),
        "asymmetry, without 1 - gamma": abs(asymmetry - lead),
        "asymmetry, none": asymmetry,
    }


def tends(name, quantity, statistic, **twins):
    return limit(
        name=name,
        experiment=widths,
        statistic=statistic,
        quantity=quantity,
        order=SLOWEST,
        rounding=1e-3,
        twins={key: Twin(words, statistic=other) for key, (words, other) in twins.items()},
    )


CLAIM = claim(
    "caron2023.eq_1",
    searched(
        "1 sum",
        total,
        SCALES,
        r"\sum_{j=1}^m \lambda_{m,j} = 1",
        normaliser=("without the sum over k <= m", total_without_sum),
        weight=("without the factor 1 - gamma", total_unweighted),
    ),
    searched(
        "1 order",
        shape,
        SCALES,
        r"1 \ge \lambda_{m,1} \ge \dots \ge \lambda_{m,m} \ge 0,\ \lambda_{m,1} > 0",
        positive=("all positive, where only the first is", all_positive),
        gap=("the first above 1/m by a tenth of its asymmetrical part", first_the_largest_by_far),
    ),
    searched(
        "2 NTK",
        ntk_at_one,
        SYMMETRICAL,
        r"\gamma = 1 \Rightarrow \lambda_{m,j} = 1/m",
        near=("gamma = 0.999", ntk_near_one),
    ),
    searched(
        "3 width K",
        width_K,
        FINITE,
        r"\gamma = 0,\ \tilde\lambda_j = 1_{j \le K}/K \Rightarrow \lambda_{m,j} = 1_{j \le K}/K,\ K \le m",
        narrow=("m < K as well", width_below_K),
        gamma=("gamma = 0.001", width_K_with_gamma),
    ),
    tends(
        "4 limit",
        r"\max_j |\lambda_{m,j} - (1 - \gamma) \tilde\lambda_j|",
        "scales",
        weight=("without the factor 1 - gamma", "scales, without 1 - gamma"),
        square=("(1 - gamma)^2 in place of 1 - gamma", "scales, squared"),
    ),
    tends(
        "5 asymmetry",
        r"|\lambda_{m,1} - \lambda_{m,m} - (1 - \gamma) \tilde\lambda_1|",
        "asymmetry",
        weight=("without the factor 1 - gamma", "asymmetry, without 1 - gamma"),
        none=("no asymmetry is left", "asymmetry, none"),
    ),
    title="Node scales sum to one, and their limit is asymmetrical if and only if gamma < 1",
    locus="Equation (1), Section 2",
    regime="met",
    assumptions=(
        r"$\gamma \in [0, 1]$; $\tilde\lambda_j$ decreases, is not negative and sums to one.",
        r"Along $m$: $\tilde\lambda$ of (35), $\alpha = 0.4, 0.7, 0.9$.",
    ),
)
