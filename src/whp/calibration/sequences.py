"""The study of the confidence sequences by themselves: how often they miss the truth at any look.

On other than Gaussian trials the t-sequence alone promises nothing; it is shown there for contrast with the
study of decisions, where values that are too skewed for it, or that depend on each other, are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from whp.calibration.noise import (
    EXPONENTIAL,
    LOGNORMALS,
    NEAR_EDGES,
    NORMAL,
    STUDENT,
    UNIFORM,
    Noise,
    autoregressive,
    bernoulli,
    twice,
)
from whp.calibration.simulated import batches
from whp.calibration.study import StudyCell
from whp.stats import bernoulli_sequence, betting_sequence, t_limits
from whp.stats.sequences import Array

TRIALS = 200

Missed = Callable[[np.random.Generator, int], Array]
"""Generator and claims to whether each interval ever missed the truth."""


def t_missed(noise: Noise, level: float, trials: int) -> Missed:
    """The t-sequence at every number of trials, all claims at once."""

    def missed(rng: np.random.Generator, claims: int) -> Array:
        values = noise.centred(rng, (claims, trials)).T  # (trials, claims)
        ever = np.zeros(claims, dtype=bool)
        for n in range(2, trials + 1):
            low, high = t_limits(values[:n], level)
            ever |= (low > 0.0) | (high < 0.0)
        return ever.astype(np.float64)

    return missed


@cache
def _bernoulli_covers(successes: int, n: int, level: float, p: float) -> bool:
    return bernoulli_sequence(successes, n, level).contains(p)


def bernoulli_missed(p: float, level: float, trials: int) -> Missed:
    """The beta-binomial sequence at every number of trials; an interval depends on the counts only."""

    def missed(rng: np.random.Generator, claims: int) -> Array:
        counts = np.cumsum(rng.random((claims, trials)) < p, axis=1)  # (claims, trials)
        ever = np.zeros(claims, dtype=bool)
        for n in range(1, trials + 1):
            seen = counts[:, n - 1]
            out = [s for s in np.unique(seen).tolist() if not _bernoulli_covers(s, n, level, p)]
            ever |= np.isin(seen, out)
        return ever.astype(np.float64)

    return missed


def betting_missed(noise: Noise, level: float, trials: int) -> Missed:
    """The betting sequence, in batches; the wealth of a gambler needs the whole path of one claim."""
    looks = batches(8, trials).looks

    def missed(rng: np.random.Generator, claims: int) -> Array:
        values = noise.raw(rng, (claims, trials))
        return np.array(
            [any(not betting_sequence(x[:n], level).contains(noise.mean) for n in looks) for x in values],
            dtype=np.float64,
        )

    return missed


def _cell(
    rule: str,
    noise: str,
    missed: Missed,
    guarantee: str,
    *,
    looks: str,
    trials: int,
    level: float,
    count: int,
    quick: int = 0,
    batch: int,
) -> StudyCell:
    return StudyCell(
        "sequences",
        f"{rule}; {noise}; {looks} to {trials}; {level:g}",
        lambda rng, claims: {"truth missed": float(missed(rng, claims).sum())},
        {"truth missed": level},
        guarantee,
        count,
        quick,
        batch,
        {
            "group": rule,
            "kind": rule,
            "noise": noise,
            "truth": "the mean",
            "looks": looks,
            "trials": trials,
            "level": level,
        },
    )


def cells() -> list[StudyCell]:
    """Every cell."""
    return [*_t_cells(), *_exact_cells()]


def _t_cells() -> Iterator[StudyCell]:
    shapes = (NORMAL, STUDENT, UNIFORM, EXPONENTIAL, *LOGNORMALS, *NEAR_EDGES)
    for noise in (*shapes, autoregressive(0.5), twice(NORMAL)):
        yield _cell(
            "t-sequence",
            noise.name,
            t_missed(noise, 0.05, TRIALS),
            "exact" if noise is NORMAL else "none",
            looks="every trial",
            trials=TRIALS,
            level=0.05,
            count=10_000,
            quick=2_000 if noise in (NORMAL, EXPONENTIAL) else 0,
            batch=1_000,
        )
    for level, count in ((0.01, 20_000), (0.001, 60_000)):
        yield _cell(
            "t-sequence",
            NORMAL.name,
            t_missed(NORMAL, level, TRIALS),
            "exact",
            looks="every trial",
            trials=TRIALS,
            level=level,
            count=count,
            batch=2_000,
        )


def _exact_cells() -> Iterator[StudyCell]:
    for p in (0.01, 0.05, 0.5, 0.95, 0.99):
        yield _cell(
            "beta-binomial sequence",
            f"Bernoulli {p:g}",
            bernoulli_missed(p, 0.05, TRIALS),
            "exact",
            looks="every trial",
            trials=TRIALS,
            level=0.05,
            count=10_000,
            quick=1_000 * (p == 0.05),
            batch=1_000,
        )
    for noise in (UNIFORM, bernoulli(0.05), bernoulli(0.5), bernoulli(0.95)):
        yield _cell(
            "betting sequence",
            noise.name,
            betting_missed(noise, 0.05, 100),
            "exact",
            looks="batches",
            trials=100,
            level=0.05,
            count=2_500,
            quick=500 * (noise is UNIFORM),
            batch=500,
        )
