"""The study of decisions: a star around one centre, an arm for each thing that may matter.

The centre is a mean decided by the t-sequence on normal trials, at most 100 of them, looked at in batches, at
a budget of 0.05. The full product of the arms would be thousands of cells that say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import sympy

from whp.calibration.kinds import (
    betting_claim,
    bound_claim,
    decay_claim,
    deterministic_mean,
    half_tied_claim,
    half_zero_claim,
    limit_claim,
    mean_claim,
    order_claim,
    rate_claim,
    reproduced_slope,
    reproduced_value,
    symbol,
    tail_claim,
)
from whp.calibration.noise import (
    EXPONENTIAL,
    LOGNORMALS,
    NEAR_EDGES,
    NORMAL,
    SKEWED,
    STUDENT,
    UNIFORM,
    autoregressive,
    bernoulli,
    twice,
)
from whp.calibration.simulated import batches, decision_cell, every_trial, once, resumed
from whp.calibration.study import StudyCell

CENTRE = batches(8, 100)
MANY, SLOW, FEW = 5_000, 2_500, 1_000
"""Simulated claims where one takes more than a millisecond, some milliseconds, and tens of them."""
LEVELS = {0.01: 10_000, 0.001: 15_000}
"""Smaller budgets, and the simulated claims that bring the upper confidence limit below 1.2 of them."""


def cells() -> list[StudyCell]:
    """Every cell."""
    return [
        *_shapes(),
        *_kinds(),
        *_exponents(),
        *_schedules(),
        *_corrections(),
        *_levels(),
        *_dependent(),
    ]


def _shapes() -> Iterator[StudyCell]:
    """Means of every shape of trials, at both edges where they differ, and at several numbers of trials."""
    group = "shape of the trials"
    for noise in (NORMAL, STUDENT, UNIFORM):
        yield decision_cell(mean_claim(noise), CENTRE, group=group, quick=2000 if noise is NORMAL else 0)
    for noise, at in product((*SKEWED, *NEAR_EDGES), (1.0, -1.0)):
        quick = 1000 if (noise, at) == (EXPONENTIAL, 1.0) else 0
        yield decision_cell(mean_claim(noise, at), CENTRE, group=group, quick=quick)
    for noise, trials in product((NORMAL, EXPONENTIAL, LOGNORMALS[1]), (5, 20, 1000)):
        schedule, count = batches(min(8, trials), trials), MANY if trials == 1000 else 10_000
        yield decision_cell(mean_claim(noise), schedule, group="number of trials", count=count)
    for trials in (5, 20, 1000):
        schedule, count = batches(min(8, trials), trials), MANY if trials == 1000 else 10_000
        yield decision_cell(rate_claim(NORMAL, 0.1), schedule, group="number of trials", count=count)
    yield decision_cell(mean_claim(NORMAL, points=5), CENTRE, group="several decisions", count=MANY)


def _kinds() -> Iterator[StudyCell]:
    """Every kind and rule: inside, at the edge, off by the discrepancy, and far."""
    group = "kinds and rules"
    for at in (0.0, 3.0):
        yield decision_cell(mean_claim(NORMAL, at), CENTRE, group=group, quick=500)
    for at in (0.0, 1.0, -1.0, 3.0):
        yield decision_cell(reproduced_value(NORMAL, at), CENTRE, group=group)
        yield decision_cell(reproduced_slope(NORMAL, at), CENTRE, group=group, quick=500 * (at == 1.0))
    for at in (0.0, 0.999, 1.001, 3.0):
        yield decision_cell(deterministic_mean(at), once(2), group=group, quick=500)
    for difference in (0.0, 0.5, 2.0, -0.5):
        yield decision_cell(
            order_claim(NORMAL, difference), CENTRE, group=group, quick=500 * (not difference)
        )
    yield decision_cell(order_claim(EXPONENTIAL, 0.0), CENTRE, group=group)
    for noise, at in product((*NEAR_EDGES, bernoulli(0.5), UNIFORM), (1.0, -1.0)):
        yield decision_cell(
            betting_claim(noise, at),
            CENTRE,
            group=group,
            count=SLOW,
            quick=500 * (noise is UNIFORM and at > 0),
        )
    for at in (0.0, 3.0):
        yield decision_cell(betting_claim(UNIFORM, at), CENTRE, group=group)
    for p in (0.01, 0.05, 0.1, 0.5, 0.95, 0.99):
        yield decision_cell(
            bound_claim(p, p), batches(8, 1000), group=group, count=MANY, quick=500 * (p == 0.95)
        )
    for delta, p in ((0.05, 0.001), (0.05, 0.01), (0.05, 0.1), (0.05, 0.3), (0.5, 0.3), (0.5, 0.8)):
        yield decision_cell(bound_claim(delta, p), batches(8, 300), group=group)
    yield decision_cell(
        bound_claim(0.1, 0.1, points=5), batches(8, 300), group="several decisions", count=SLOW
    )
    levels = (0.5, 0.1, 0.02)
    for power, truth, wrong in (
        (1.0, "P(U <= delta) = delta", "edge"),
        (1.5, "P(U <= delta) = delta^1.5", "inside"),
        (0.5, "P(U <= delta) = delta^0.5", "beyond"),
    ):
        yield decision_cell(
            tail_claim(levels, power, truth, wrong), batches(8, 500), group="several decisions", count=SLOW
        )
    for remainder, power in ((0.0, 1.0), (0.0, 0.25), (0.4, 1.0), (0.4, 0.25), (0.7, 1.0), (1.0, 1.0)):
        quick = 250 * (remainder == 0.4 and power == 1.0)
        yield decision_cell(
            limit_claim(remainder, power), CENTRE, group=group, count=1_000, quick=quick, batch=250
        )
    for remainder, power in ((0.0, 0.125), (0.4, 2.0)):  # outside of what the rule assumes
        yield decision_cell(
            limit_claim(remainder, power), CENTRE, group="limits at other orders", count=500, batch=250
        )
    for exponent in (-0.3, 0.0, 0.3):
        yield decision_cell(decay_claim(NORMAL, exponent), CENTRE, group=group, quick=500 * (not exponent))


def _exponents() -> Iterator[StudyCell]:
    """Rates in each direction and of every shape of log Y, with even and uneven spread along the path."""
    group = "rates"
    for direction, excess in (
        *product(("upper",), (-0.3, 0.0, 0.1, 0.3)),
        *product(("lower",), (-0.3, -0.1, 0.0)),
        *product(("both",), (-0.3, -0.1, 0.1, 0.3)),
    ):
        quick = 500 * (direction == "upper" and excess in (0.0, 0.1))
        yield decision_cell(rate_claim(NORMAL, excess, direction=direction), CENTRE, group=group, quick=quick)
    for excess in (0.0, 0.1):
        yield decision_cell(rate_claim(NORMAL, excess, kind="forall"), CENTRE, group=group)
    group = "rates by shape"
    for noise in (STUDENT, UNIFORM, *SKEWED):
        yield decision_cell(rate_claim(noise, 0.1), CENTRE, group=group, count=MANY)
    for noise in (NORMAL, STUDENT, *SKEWED, *(n.mirrored() for n in SKEWED)):
        yield decision_cell(
            rate_claim(noise, 0.1, growth_of_spread=0.5),
            CENTRE,
            group=group,
            count=MANY,
            quick=500 * (noise in (NORMAL, EXPONENTIAL)),
        )
    for noise in (EXPONENTIAL, EXPONENTIAL.mirrored()):
        yield decision_cell(decay_claim(noise, 0.0), CENTRE, group=group, count=MANY)
    yield decision_cell(half_zero_claim(), every_trial(20), group="ties")
    yield decision_cell(half_tied_claim(), every_trial(20), group="ties")


def _schedules() -> Iterator[StudyCell]:
    """Looks after every trial, once, and in a run that was resumed with other looks."""
    group = "looks"
    for noise in (NORMAL, EXPONENTIAL):
        for schedule in (once(100), once(20), resumed(8, 20, 100)):
            quick = 500 * (schedule.name == "resumed at 20")
            yield decision_cell(mean_claim(noise), schedule, group=group, quick=quick)
        yield decision_cell(mean_claim(noise), every_trial(100), group=group, count=SLOW)
    for claim in (rate_claim(NORMAL, 0.1), betting_claim(bernoulli(0.05), 1.0), bound_claim(0.1, 0.1)):
        for schedule in (once(100), resumed(8, 20, 100)):
            yield decision_cell(claim, schedule, group=group, count=SLOW)
        yield decision_cell(claim, every_trial(100), group=group, count=FEW, batch=50)
    yield decision_cell(mean_claim(NORMAL), every_trial(1000), group=group, count=500, batch=50)


def _corrections() -> Iterator[StudyCell]:
    """A true rate with a correction to scaling, and one that is off by a logarithm."""
    group = "corrections to scaling"
    for correction, trials in product((0.0, 0.5, 1.0, 2.0), (5, 20, 100)):
        claim = rate_claim(NORMAL, 0.0, direction="both", correction=correction)
        quick = 500 * (correction == 2.0 and trials == 100)
        yield decision_cell(claim, batches(min(8, trials), trials), group=group, quick=quick)
    logarithm = sympy.log(symbol)
    for options in ({"printed_log": 1.0}, {"soft": logarithm}, {}):
        yield decision_cell(rate_claim(NORMAL, 0.0, log_power=1.0, **options), CENTRE, group=group)


def _levels() -> Iterator[StudyCell]:
    """Smaller budgets, as a run of many claims gives to each."""
    group = "smaller budgets"
    for level, count in LEVELS.items():
        for claim in (mean_claim(NORMAL), rate_claim(NORMAL, 0.1), mean_claim(EXPONENTIAL)):
            yield decision_cell(claim, CENTRE, level=level, group=group, count=count)
        yield decision_cell(bound_claim(0.3, 0.3), batches(8, 100), level=level, group=group, count=count)
    yield decision_cell(betting_claim(bernoulli(0.5), 1.0), CENTRE, level=0.01, group=group, count=3_000)


def _dependent() -> Iterator[StudyCell]:
    """Trials that are not independent: no rate is promised, they are to be held."""
    group = "trials that depend on each other"
    for noise in (autoregressive(0.5), autoregressive(0.9), twice(NORMAL)):
        for at in (0.0, 1.0):
            yield decision_cell(
                mean_claim(noise, at), CENTRE, group=group, count=MANY, quick=500 * (at == 1.0)
            )
        yield decision_cell(mean_claim(noise, 0.0), once(100), group=group)
        yield decision_cell(rate_claim(noise, 0.1), CENTRE, group=group, count=SLOW)
    for law in (bernoulli(0.1), UNIFORM):
        yield decision_cell(betting_claim(twice(law), 1.0), CENTRE, group=group, count=FEW)
    yield decision_cell(
        bound_claim(0.1, 0.1, noise=twice(bernoulli(0.1))), batches(8, 300), group=group, count=FEW
    )
