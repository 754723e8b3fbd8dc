r"""How continuous sin, arcsin and ReLU's dual derivative are.

Setting   real numbers; t(z) = 1/2 + arcsin(z) / pi, the dual of ReLU's derivative (Fact B.1).
Claim     1. sin y - sin y' >= 2 sin^2((y - y') / 2) for -pi/2 <= y' <= y <= pi/2.
          2. sin y >= 2 y / pi on [0, pi/2].
          3. |z - z'| < 2 eps^2 / pi^2 implies |arcsin z - arcsin z'| < eps, for every eps > 0.
          4. |z - z'| < 2 eps^2 implies |t(z) - t(z')| < eps, for every eps > 0.
Measured  How far the right sides exceed the left ones; in 3 and 4 the excess of the difference over eps, for
          pairs as far apart as the premise allows; ends of the intervals included. (In the proof of 2 the
          value of sin(y) / y at pi/2 is printed as "1/2 = 2/pi"; it is 2/pi.)
"""

from __future__ import annotations

import math

from hypothesis import strategies as st

from whp.claims import Twin, always, claim, search

TOLERANCE = 1e-9
HALF_PI = math.pi / 2


def unit(*more: float):
    """Numbers in [0, 1], the ends often."""
    return st.one_of(st.sampled_from([0.0, 1.0, 0.5, *more]), st.floats(0.0, 1.0))


PAIR = {"share": unit(), "other": unit()}
SINGLE = {"share": unit()}
# z from -1 to 1, eps relative to the largest that says something, and z' as a share of what is allowed.
CLOSE = {
    "z": unit(1e-6).map(lambda s: 2 * s - 1),
    "eps": unit(1e-3, 0.99, 0.75).filter(lambda s: s > 0),
    "share": unit(1 - 1e-9),
}


def pair(share, other):
    """y' <= y in [-pi/2, pi/2]."""
    low, high = sorted((share, other))
    return (2 * low - 1) * HALF_PI, (2 * high - 1) * HALF_PI


def sines(share, other):
    low, high = pair(share, other)
    return 2 * math.sin((high - low) / 2) ** 2 - (math.sin(high) - math.sin(low))


def sines_larger(share, other):
    low, high = pair(share, other)
    return 2.2 * math.sin((high - low) / 2) ** 2 - (math.sin(high) - math.sin(low))


def sines_first_power(share, other):
    low, high = pair(share, other)
    return 2 * math.sin((high - low) / 2) - (math.sin(high) - math.sin(low))


def jordan(share):
    return share - math.sin(share * HALF_PI)


def jordan_larger(share):
    return 1.1 * share - math.sin(share * HALF_PI)


def jordan_no_constant(share):
    return share * HALF_PI - math.sin(share * HALF_PI)


def apart(z, allowed, share):
    """|arcsin z - arcsin z'| for the z' in [-1, 1] at ``share < 1`` of the allowed distance, towards 0."""
    other = max(-1.0, min(1.0, z - math.copysign(1.0, z) * min(share, 1 - 1e-12) * allowed))
    return abs(math.asin(z) - math.asin(other))


def arcsine(z, eps, share):
    eps = eps * math.pi
    return apart(z, 2 * eps**2 / math.pi**2, share) - eps


def arcsine_doubled(z, eps, share):
    eps = eps * math.pi
    return apart(z, 4 * eps**2 / math.pi**2, share) - eps


def arcsine_lipschitz(z, eps, share):
    eps = eps * math.pi
    return apart(z, 2 * eps / math.pi, share) - eps


def step(z, eps, share):
    return apart(z, 2 * eps**2, share) / math.pi - eps


def step_without_pi(z, eps, share):
    return apart(z, 2 * eps**2, share) - eps


def step_doubled(z, eps, share):
    return apart(z, 4 * eps**2, share) / math.pi - eps


def item(name, check, given, statement, **twins):
    """One item of the lemma, with its twins (words, check)."""
    return always(
        name=name,
        experiment=search(check, given=given),
        statement=statement,
        tolerance=TOLERANCE,
        twins={
            key: Twin(words, experiment=search(twin, given=given, shrink=False))
            for key, (words, twin) in twins.items()
        },
    )


CLAIM = claim(
    "arora2019.lemma_b_1",
    item(
        "1",
        sines,
        PAIR,
        r"\sin y - \sin y' \ge 2 \sin^2 \frac{y - y'}{2}",
        constant=("2.2 in place of 2", sines_larger),
        power=("first power of the sine", sines_first_power),
    ),
    item(
        "2",
        jordan,
        SINGLE,
        r"\sin y \ge \frac{2 y}{\pi}",
        constant=("2.2 / pi in place of 2 / pi", jordan_larger),
        slope=("y in place of 2 y / pi", jordan_no_constant),
    ),
    item(
        "3",
        arcsine,
        CLOSE,
        r"|z - z'| < \frac{2 \epsilon^2}{\pi^2} \Rightarrow |\arcsin z - \arcsin z'| < \epsilon",
        constant=("4 in place of 2", arcsine_doubled),
        exponent=("eps in place of eps^2: Lipschitz", arcsine_lipschitz),
    ),
    item(
        "4",
        step,
        CLOSE,
        r"|z - z'| < 2 \epsilon^2 \Rightarrow |\hat t_{\dot\sigma}(z) - \hat t_{\dot\sigma}(z')| < \epsilon",
        constant=("4 in place of 2", step_doubled),
        pi=("arcsin in place of arcsin / pi", step_without_pi),
    ),
    title="Uniform continuity of arcsin",
    locus="Lemma B.1",
    regime="met",
)
