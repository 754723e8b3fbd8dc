r"""How far node scales are from the kernel regime: the sum of squares of the Zipf weights.

Setting   lambda~_j = j^(-1/alpha) / zeta(1/alpha), alpha in (0, 1), equation (35).
Claim     1. They are an admissible sequence: they decrease and sum to one; so do 6 / (pi j)^2 (Section 1).
          2. sum_j lambda~_j^2 = zeta(2/alpha) / zeta(1/alpha)^2, drawn against alpha in Figure 1.
          3. As alpha -> 1 it converges to 0, "which corresponds to the kernel regime".
          4. sum_j lambda~_j^2 is in (0, 1], and (1 - gamma)^2 times it in [0, 1] (Section 3).
          5. "More rapid decrease of the lambda~_j as j increases will lead to higher values" of the sum.
Measured  2 against sums of 3,000 terms and integrals that enclose the rest: by search over alpha, how far
          the formula is outside of the enclosure, relative to it (which is narrower than 1e-10). 3 along
          k, alpha = 1 - 1/k, from the enclosed sums, not from the formula; nothing is random there. 5, in
          words only, as: if every ratio lambda~_{j+1} / lambda~_j is smaller, the sum is larger; searched for
          Zipf weights, and for sequences drawn by their ratios. At alpha -> 0, which the figure draws and the
          text leaves out, the sum tends to 1 (one node): it is within 3e-6 at alpha = 0.05.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from hypothesis import strategies as st

from whp.claims import Design, Line, Path, Plot, Twin, always, claim, experiment, geometric, limit, search
from whp.models import zipf_power_sum, zipf_weights

from ._sequences import EXAMPLES

TERMS = 3000
ENCLOSED = 1e-10
CURVE = (*(round(0.05 * k, 2) for k in range(1, 20)), 0.99)
ALPHA = {"alpha": st.one_of(st.sampled_from([1e-3, 0.5, 0.999]), st.floats(1e-3, 0.999))}


def power_series(s):
    """Enclose sum_j j^(-s): 3,000 terms, and the rest between integrals of x^(-s).

    That is convex: trapezoids lie above the integral, and rectangles about midpoints below.
    """
    head = math.fsum(np.arange(1.0, TERMS + 1) ** -s)
    start = TERMS + 1.0
    low = start ** (1 - s) / (s - 1) + 0.5 * start**-s
    high = (start - 0.5) ** (1 - s) / (s - 1)
    return head + low, head + high


@functools.cache
def enclosure(alpha, square=2.0):
    """Enclose the sum of the (``square``)-th powers of the Zipf weights by direct summation."""
    low, high = power_series(square / alpha)
    one_low, one_high = power_series(1 / alpha)
    return low / one_high**square, high / one_low**square


def outside(value, alpha):
    """How far a value is outside of the enclosure, relative to it."""
    low, high = enclosure(alpha)
    return max(low - value, value - high, 0.0) / low


def formula(alpha):
    return outside(zipf_power_sum(alpha, 2.0), alpha)


def formula_without_square(alpha):
    return outside(
        zipf_power_sum(alpha, 2.0) * zipf_power_sum(alpha, 1.0) / float(zipf_weights(1, alpha)[0]), alpha
    )


def formula_other_power(alpha):
    return outside(zipf_power_sum(alpha, 2.01), alpha)


def admissible(alpha):
    """How far the weights are from decreasing and summing to one, the tail enclosed."""
    first = zipf_weights(TERMS, alpha).numpy()
    low, high = power_series(1 / alpha)
    rest = (low - math.fsum(np.arange(1.0, TERMS + 1) ** (-1 / alpha))) * first[0]
    width = (high - low) / low
    return max(float(np.diff(first).max()), abs(math.fsum(first) + rest - 1) - width, -float(first[-1]))


def admissible_truncated(alpha):
    return abs(math.fsum(zipf_weights(TERMS, alpha)) - 1)


EXAMPLE = {"m": st.integers(10, 100_000)}


def example(m, constant=6 / math.pi**2):
    """The sum of c / j^2 to m and the integrals beyond: how far 1 is outside."""
    head = math.fsum(constant / np.arange(1.0, m + 1) ** 2)
    return max(head + constant / (m + 1) - 1, 1 - head - constant / (m + 0.5), 0.0)


def example_six(m):
    return example(m)


def example_half(m):
    return example(m, constant=0.6)


# --- Its range, and how it depends on the sequence

RATIOS = {
    "seed": st.integers(0, 2**32 - 1),
    "length": st.one_of(st.just(2), st.integers(2, 40)),
    "gap": st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
    "gamma": st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
}


def by_ratios(ratios):
    """The sequence with given quotients of neighbours."""
    weights = np.cumprod(np.concatenate([[1.0], ratios]))
    return weights / weights.sum()


def squares(weights, power=2.0):
    return math.fsum(weights**power)


def drawn_pair(seed, length, gap):
    """Two sequences, the second of which decreases more rapidly at every j."""
    rng = np.random.default_rng(seed)
    ratios = rng.uniform(0.0, 1.0, length - 1) ** rng.choice([0.1, 1.0])
    return by_ratios(ratios), by_ratios(ratios * (1 - gap * rng.uniform(0.0, 1.0, length - 1)))


def in_range(seed, length, gap, gamma):
    worst = -1.0
    for weights in drawn_pair(seed, length, gap):
        constant = (1 - gamma) ** 2 * squares(weights)
        worst = max(
            worst, squares(weights) - 1, 0.0 if squares(weights) > 0 else 1.0, constant - 1, -constant
        )
    return worst


def in_smaller_range(seed, length, gap, gamma):
    return max(squares(weights) for weights in drawn_pair(seed, length, gap)) - 0.99


def above_zero(seed, length, gap, gamma):
    """As if it were at least one over the length and a hundredth."""
    return 1.01 / length - min(squares(weights) for weights in drawn_pair(seed, length, gap))


def rapid(seed, length, gap, gamma):
    slow, fast = drawn_pair(seed, length, gap)
    return squares(slow) - squares(fast)


def rapid_largest(seed, length, gap, gamma):
    """As if it grew as fast as the first weight."""
    slow, fast = drawn_pair(seed, length, gap)
    return (fast[0] - slow[0]) - (squares(fast) - squares(slow))


def rapid_last(seed, length, gap, gamma):
    """As if it were enough that the last weight is smaller."""
    rng = np.random.default_rng(seed)
    slow, fast = (by_ratios(rng.uniform(0.0, 1.0, length - 1)) for _ in range(2))
    return squares(slow) - squares(fast) if fast[-1] < slow[-1] else -1.0


PAIR = {"alpha": ALPHA["alpha"], "step": st.one_of(st.just(0.0), st.floats(0.0, 1.0))}


def zipf_pair(alpha, step):
    """Larger alpha, slower decrease."""
    return alpha, alpha + step * (0.999 - alpha)


def zipf_rapid(alpha, step):
    small, large = zipf_pair(alpha, step)
    return zipf_power_sum(large, 2.0) - zipf_power_sum(small, 2.0)


def zipf_rapid_linear(alpha, step):
    small, large = zipf_pair(alpha, step)
    return zipf_power_sum(large, 2.0) - zipf_power_sum(small, 2.0) + (large - small) / 20


def searched(name, check, given, statement, tolerance=1e-12, **twins):
    return always(
        name=name,
        experiment=search(check, given=given, tolerance=tolerance, examples=EXAMPLES),
        statement=statement,
        tolerance=tolerance,
        twins={
            key: Twin(words, experiment=search(twin, given=given, tolerance=tolerance, shrink=False))
            for key, (words, twin) in twins.items()
        },
    )


@experiment(
    quick=Design(Path(k=geometric(3, 300, 4)), trials=(20, 30)),
    standard=Design(Path(k=geometric(3, 900, 5)), trials=(24, 30)),
)
def curve(p, rng, device):
    """The enclosed sum at alpha = 1 - 1/k, and at the alphas of the figure; the same in every trial."""
    middle = {a: math.sqrt(math.prod(enclosure(a))) for a in (1 - 1 / p.k, *CURVE)}
    return {
        "squares": middle[1 - 1 / p.k],
        "squares times k": p.k * p.k * middle[1 - 1 / p.k],
        "distance from 1": 1 - middle[1 - 1 / p.k],
        **{f"sum @{a:g}": middle[a] for a in CURVE},
        **{f"formula @{a:g}": zipf_power_sum(a, 2.0) for a in CURVE},
    }


CLAIM = claim(
    "caron2023.fig_1",
    searched(
        "1 Zipf",
        admissible,
        ALPHA,
        r"\tilde\lambda_1 \ge \tilde\lambda_2 \ge \dots \ge 0,\ \sum_j \tilde\lambda_j = 1",
        tolerance=ENCLOSED,
        truncated=("the first 3,000 alone", admissible_truncated),
    ),
    searched(
        "1 example",
        example_six,
        EXAMPLE,
        r"\sum_j 6 \pi^{-2} j^{-2} = 1",
        half=("0.6 in place of 6 / pi^2 = 0.608", example_half),
    ),
    searched(
        "2 formula",
        formula,
        ALPHA,
        r"\sum_j \tilde\lambda_j^2 = \zeta(2/\alpha) / \zeta(1/\alpha)^2",
        tolerance=ENCLOSED,
        square=("zeta(1/alpha) without the square", formula_without_square),
        power=("2.01 in place of 2", formula_other_power),
    ),
    limit(
        name="3 kernel regime",
        experiment=curve,
        statistic="squares",
        quantity=r"\sum_j \tilde\lambda_j^2,\ \alpha = 1 - 1/k",
        order=1.5,
        rounding=1e-6,
        twins={
            "one": Twin("it converges to 1", statistic="distance from 1"),
            "speed": Twin("times k^2: it falls like 1/k^2", statistic="squares times k"),
        },
    ),
    searched(
        "4 range",
        in_range,
        {
            **RATIOS,
            "length": st.one_of(st.sampled_from([1, 2]), st.integers(2, 40)),
        },  # 1: where it is attained
        r"\sum_j \tilde\lambda_j^2 \in (0, 1],\ (1 - \gamma)^2 \sum_j \tilde\lambda_j^2 \in [0, 1]",
        one=("at most 0.99", in_smaller_range),
        even=("above that of equal weights by a hundredth", above_zero),
    ),
    searched(
        "5 more rapid decrease",
        rapid,
        RATIOS,
        r"\tilde\lambda'_{j+1} / \tilde\lambda'_j \le \tilde\lambda_{j+1} / \tilde\lambda_j \forall j"
        r" \Rightarrow \sum_j \tilde\lambda_j'^2 \ge \sum_j \tilde\lambda_j^2",
        largest=("by as much as the first weight", rapid_largest),
        last=("if the last weight is smaller", rapid_last),
    ),
    searched(
        "5 Zipf",
        zipf_rapid,
        PAIR,
        r"\alpha' \le \alpha \Rightarrow \sum_j \tilde\lambda_j'^2 \ge \sum_j \tilde\lambda_j^2",
        linear=("by a twentieth of the difference of alpha", zipf_rapid_linear),
    ),
    title="The sum of squares of the Zipf weights, and its limit as alpha -> 1",
    locus="Figure 1, Appendix B.2; (35); Section 3",
    regime="met",
    assumptions=(r"$\alpha \in (0, 1)$.",),
    plots=(
        Plot(
            title="Figure 1",
            x="alpha",
            y="sum of lambda~_j^2",
            log_x=False,
            lines=[
                Line("direct sums", curve, statistics={a: f"sum @{a:g}" for a in CURVE}, colour=0),
                Line(
                    "zeta(2/alpha) / zeta(1/alpha)^2",
                    curve,
                    statistics={a: f"formula @{a:g}" for a in CURVE},
                    dashed=True,
                    colour=1,
                ),
            ],
        ),
    ),
)
