r"""Sums of powers of the node scales.

Setting   lambda_{m,j} = lambda^(1)_{m,j} + lambda^(2)_{m,j} as in (1): gamma / m, and (1 - gamma) lambda~_j
          over sum_{k <= m} lambda~_k; gamma in [0, 1].
Claim     For all m >= 1: (9) sum_j lambda_{m,j} = 1;
          (10) sqrt(gamma m) <= sum_j sqrt(lambda_{m,j}) <= sqrt(m).
          (11) For r > 1, as m grows, sum_j lambda_{m,j}^r ~ sum_j (lambda^(2)_{m,j})^r, and both tend to
          (1 - gamma)^r sum_j lambda~_j^r.
Measured  (9) and (10) by search over m = 1..300, gamma, and Zipf, equal, geometric and drawn sequences; both
          sides of (10) are attained at gamma = 1, and the left one is neared as lambda~ gathers in one node.
          (11) for r = 1.3, 1.5, 2, 3 along m, with Zipf weights and the limit by zeta functions; nothing is
          random there. The relation ~ as |1 - ratio| -> 0, for gamma <= 1/2. For gamma = 0.8 too and r = 1.1
          and 1.3, where gamma^r m^(1 - r) falls slowly, along widths from 1e5 to 1e15: the first 4,096 terms
          one by one, and the others by the midpoint rule backwards (terms are convex in j, so that the error
          is at most |f'| / 8 at the 4,096.5th, below 1e-7 of the sum).
Corrected At gamma = 1, which the paper admits and names throughout (the NTK scaling), the relation ~ in (11)
          is false: all lambda^(2) are zero, so the ratio of the two sums is 0, not 1, at every m.
          The limits of both sums are right there. The sibling asks for gamma < 1 in the relation.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.special import zeta

from whp.claims import Design, Path, Twin, always, claim, experiment, geometric, limit, search
from whp.models import node_scales, zipf_power_sum

from ._sequences import EXAMPLES, SCALES, parts, scales

EXACT = 1e-12
POWERS = (1.3, 1.5, 2.0, 3.0)
SLOWEST = 0.12
FAR, ONE_BY_ONE = (1.1, 1.3), 4096

# --- (9), (10) by search


def nine(**case):
    return abs(scales(**case).power_sum(1.0) - 1)


def nine_unweighted(**case):
    first, second = parts(**case)
    return abs(float((case["gamma"] * first + second).sum()) - 1)


def nine_squares(**case):
    """As if the sum were of (gamma^2, 1 - gamma^2) in place of (gamma, 1 - gamma): right at both ends."""
    first, second = parts(**case)
    gamma = case["gamma"]
    return abs(float((gamma**2 * first + (1 - gamma) * second).sum()) - 1)


def roots(case):
    """The sum of roots over sqrt(m)."""
    return scales(**case).power_sum(0.5) / math.sqrt(case["m"])


def ten_left(**case):
    return math.sqrt(case["gamma"]) - roots(case)


def ten_left_power(**case):
    return case["gamma"] ** 0.45 - roots(case)


def ten_left_with_rest(**case):
    """As if a twentieth of the asymmetrical part's share were left as well."""
    return math.sqrt(case["gamma"] + 0.05 * (1 - case["gamma"])) - roots(case)


def ten_right(**case):
    return roots(case) - 1


def ten_right_smaller(**case):
    return roots(case) - 0.99


def ten_right_by_gamma(**case):
    """As if the sum were below the square root of gamma m + 1: right at gamma = 1."""
    return roots(case) - math.sqrt(case["gamma"] + 1 / case["m"])


def searched(name, check, statement, **twins):
    return always(
        name=name,
        experiment=search(check, given=SCALES, tolerance=EXACT, examples=EXAMPLES),
        statement=statement,
        tolerance=EXACT,
        twins={
            key: Twin(words, experiment=search(twin, given=SCALES, tolerance=EXACT, shrink=False))
            for key, (words, twin) in twins.items()
        },
    )


# --- (11) along the width


def power_sums(p, rng, device):
    """Distances from the limits of (11), and of the sums' ratio from one; the same in every trial."""
    found, drawn = {}, node_scales(p.m, p.gamma, p.alpha)
    values, second = drawn.values, drawn.second
    for r in POWERS:
        whole, part = float((values**r).sum()), float((second**r).sum())
        sequence = zipf_power_sum(p.alpha, r)
        limiting = (1 - p.gamma) ** r * sequence
        found |= {
            f"sum, r = {r:g}": abs(whole - limiting),
            f"second, r = {r:g}": abs(part - limiting),
            f"ratio, r = {r:g}": abs(1 - part / whole),
            f"second, r = {r:g}, no factor": abs(part - sequence),
            f"sum, r = {r:g}, no power": abs(whole - (1 - p.gamma) * sequence),
            f"sum, r = {r:g}, no factor": abs(whole - sequence),
        }
    part = float(second.sum())
    found |= {"sum, r = 1": abs(1 - (1 - p.gamma)), "ratio, r = 1": abs(1 - part)}
    return found


@functools.cache  # nothing is random: all trials ask for the same
def far_sums(m, gamma, alpha, powers):
    """sum_j lambda_{m,j}^r and sum_j (lambda^(2)_{m,j})^r for each r, at any width above ONE_BY_ONE."""
    total = float(zeta(1 / alpha)) - float(zeta(1 / alpha, m + 1.0))
    # In log j a term times j is smooth, so that few nodes do for all the decades.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    half = math.log((m + 0.5) / (ONE_BY_ONE + 0.5)) / 2
    j = np.exp(math.log(ONE_BY_ONE + 0.5) + half * (1 + nodes))
    j, weights = (
        np.append(np.arange(1, ONE_BY_ONE + 1), j),
        np.append(np.ones(ONE_BY_ONE), half * weights * j),
    )
    second = (1 - gamma) * j ** (-1 / alpha) / total
    return [(float(weights @ (gamma / m + second) ** r), float(weights @ second**r)) for r in powers]


def far_power_sums(p, rng, device):
    """As `power_sums`, at widths that no memory holds."""
    found = {}
    for r, (whole, part) in zip(FAR, far_sums(p.m, p.gamma, p.alpha, FAR), strict=True):
        limiting = (1 - p.gamma) ** r * zipf_power_sum(p.alpha, r)
        found |= {
            f"sum, r = {r:g}": abs(whole - limiting),
            f"ratio, r = {r:g}": abs(1 - part / whole),
            f"sum, r = {r:g}, no factor": abs(whole - zipf_power_sum(p.alpha, r)),
        }
    return {**found, "ratio, r = 1": p.gamma}  # by (9)


def along(name, gammas, alphas):
    """(11) at some gamma; quick takes the outer ones."""
    ends = list(dict.fromkeys([gammas[0], gammas[-1]]))
    return experiment(
        name=f"caron2023.prop_b_2.{name}",
        quick=Design(
            Path(m=geometric(100, 10_000, 4)), {"gamma": ends, "alpha": alphas[:2]}, trials=(24, 30)
        ),
        standard=Design(
            Path(m=geometric(100, 100_000, 5)), {"gamma": gammas, "alpha": alphas}, trials=(24, 30)
        ),
    )(power_sums)


far = experiment(
    name="caron2023.prop_b_2.far",
    quick=Design(Path(m=geometric(10**5, 10**15, 5)), {"gamma": [0.8], "alpha": [0.4]}, trials=(24, 30)),
    standard=Design(
        Path(m=geometric(10**5, 10**15, 6)), {"gamma": [0.5, 0.8], "alpha": [0.4, 0.7]}, trials=(24, 30)
    ),
)(far_power_sums)

below_one = along("below_one", [0.0, 0.2, 0.5], [0.4, 0.7, 0.9])
at_one = along("at_one", [1.0], [0.7])


def tends(name, measured, statistic, quantity, order=SLOWEST, **twins):
    return limit(
        name=name,
        experiment=measured,
        statistic=statistic,
        quantity=quantity,
        order=order,
        rounding=1e-3,
        twins={key: Twin(words, **changes) for key, (words, changes) in twins.items()},
    )


SUM = r"\left|\sum_j \lambda_{m,j}^r - (1 - \gamma)^r \sum_j \tilde\lambda_j^r\right|,\ r = "
SECOND = r"\left|\sum_j (\lambda^{(2)}_{m,j})^r - (1 - \gamma)^r \sum_j \tilde\lambda_j^r\right|,\ r = "
RATIO = r"\left|1 - \sum_j (\lambda^{(2)}_{m,j})^r / \sum_j \lambda_{m,j}^r\right|,\ r = "


def limits(gamma, measured):
    """Both sums have the printed limit, for every power."""
    for r in POWERS:
        twins = {
            "factor": ("without (1 - gamma)^r", {"statistic": f"sum, r = {r:g}, no factor"}),
            "one": ("r = 1", {"statistic": "sum, r = 1"}),
        }
        if gamma != "1" and r > POWERS[0]:  # near r = 1 the power changes little
            words = "(1 - gamma) without the power r"
            twins["power"] = (words, {"statistic": f"sum, r = {r:g}, no power"})
        yield tends(
            f"(11) limit, r = {r:g}, gamma {gamma}", measured, f"sum, r = {r:g}", SUM + f"{r:g}", **twins
        )
    yield tends(
        f"(11) limit of the second sum, gamma {gamma}",
        measured,
        "second, r = 2",
        SECOND + "2",
        factor=("without (1 - gamma)^r", {"statistic": "second, r = 2, no factor"}),
    )


def relation(gamma, measured, powers):
    """The two sums are asymptotically equal."""
    for r in powers:
        yield tends(
            f"(11) relation, r = {r:g}, gamma {gamma}",
            measured,
            f"ratio, r = {r:g}",
            RATIO + f"{r:g}",
            one=("r = 1", {"statistic": "ratio, r = 1"}),
        )


FAR_LIMITS = tuple(
    check
    for r in FAR
    for check in (
        tends(
            f"(11) limit, r = {r:g}, m to 1e15",
            far,
            f"sum, r = {r:g}",
            SUM + f"{r:g}",
            order=(r - 1) / 2,
            factor=("without (1 - gamma)^r", {"statistic": f"sum, r = {r:g}, no factor"}),
        ),
        tends(
            f"(11) relation, r = {r:g}, m to 1e15",
            far,
            f"ratio, r = {r:g}",
            RATIO + f"{r:g}",
            order=(r - 1) / 2,
            one=("r = 1", {"statistic": "ratio, r = 1"}),
        ),
    )
)

NINE_TEN = (  # (9) and (10)
    searched(
        "(9)",
        nine,
        r"\sum_{j=1}^m \lambda_{m,j} = 1",
        weight=("without the factor 1 - gamma", nine_unweighted),
        square=("gamma^2 in place of gamma, right at both ends", nine_squares),
    ),
    searched(
        "(10) left",
        ten_left,
        r"\sqrt{\gamma m} \le \sum_{j=1}^m \sqrt{\lambda_{m,j}}",
        power=("gamma^0.45 in place of gamma^0.5", ten_left_power),
        rest=("a twentieth of 1 - gamma added to gamma", ten_left_with_rest),
    ),
    searched(
        "(10) right",
        ten_right,
        r"\sum_{j=1}^m \sqrt{\lambda_{m,j}} \le \sqrt m",
        smaller=("0.99 sqrt(m)", ten_right_smaller),
        gamma=("sqrt(gamma m + 1)", ten_right_by_gamma),
    ),
)

ASSUMPTIONS = (
    r"$\tilde\lambda_j$ decreases, is not negative and sums to one.",
    r"Along $m$: $\tilde\lambda$ of (35), $\alpha = 0.4, 0.7, 0.9$.",
)

printed = claim(
    "caron2023.prop_b_2",
    *NINE_TEN,
    *limits("below 1", below_one),
    *limits("1", at_one),
    *relation("below 1", below_one, POWERS),
    *FAR_LIMITS,
    *relation("1", at_one, [2.0]),
    title="Sums of powers of the node scales, for all gamma",
    locus="Proposition B.2, (9) to (11)",
    regime="met",
    assumptions=(r"$\gamma \in [0, 1]$.", *ASSUMPTIONS),
)

corrected = claim(
    "caron2023.prop_b_2_corrected",
    *NINE_TEN,
    *limits("below 1", below_one),
    *limits("1", at_one),
    *relation("below 1", below_one, POWERS),
    *FAR_LIMITS,
    title="Sums of powers of the node scales; the two sums of (11) are asymptotically equal if gamma < 1",
    locus="Proposition B.2, (9) to (11)",
    regime="met",
    assumptions=(
        r"$\gamma \in [0, 1]$ in (9), (10) and the limits; $\gamma < 1$ in the relation.",
        *ASSUMPTIONS,
    ),
    printed=False,
    corrects="caron2023.prop_b_2",
)
