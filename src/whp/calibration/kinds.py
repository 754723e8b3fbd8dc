"""Every kind and rule as a real check, with laws of trials for which the truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import sympy

from whp.calibration.noise import NORMAL, Noise, bernoulli
from whp.calibration.simulated import Draw, Simulated
from whp.claims import (
    Check,
    Design,
    Experiment,
    Outcome,
    Path,
    Point,
    bound,
    decay,
    experiment,
    forall,
    geometric,
    limit,
    mean,
    order,
    rate,
    reproduction,
    symbols,
)
from whp.errors import fail
from whp.stats.sequences import Array

SIZES = geometric(64, 1024, 5)
TOLERANCE = 0.1
"""Of exponents, and of means as a share of the target."""
SPREAD = 0.1
"""Standard deviation of log Y over trials, and of Y for means: small against the tolerance of a mean, so that
one edge matters at a time."""
TARGET = 10.0
PRINTED = 0.5

WRONG = {
    "inside": (Outcome.FAIL,),
    "edge": (Outcome.FAIL, Outcome.PASS),
    "beyond": (Outcome.PASS,),
}

symbol = symbols("d")
"""The lead size."""


def _drawn_elsewhere(p: Point, rng: np.random.Generator, device: object) -> float:
    """Trials of simulated claims are drawn many at a time, not one by one."""
    fail("simulated claim", "drawn as an array", p)


@cache
def path_experiment(sizes: Sequence[int] = SIZES) -> Experiment:
    """An experiment along a path."""
    name = f"calibration.path_{sizes[0]}_{sizes[-1]}_{len(sizes)}"
    return experiment(standard=Design(Path(d=tuple(sizes))), name=name)(_drawn_elsewhere)


def guarantee(noise: Noise, exact: bool = False) -> str:
    """What the rule claims on such trials; ``exact`` for a rule that does not need Gaussian values."""
    if not noise.independent:
        return "none"
    return "exact" if exact or noise.gaussian else "asymptotic"


def _side(value: float, low: float, high: float) -> str:
    """Where a truth lies: inside what is accepted, at its edge, or beyond it."""
    if any(math.isclose(value, end, abs_tol=1e-12) for end in (low, high)):
        return "edge"
    return "inside" if low < value < high else "beyond"


# Kinds that are decided by an exponent.


def along_path(
    noise: Noise,
    exponent: float,
    *,
    growth_of_spread: float = 0.0,
    correction: float = 0.0,
    log_power: float = 0.0,
    sizes: Sequence[int] = SIZES,
) -> Draw:
    """``Y = d^exponent (1 + correction d^(-1/2)) log(d)^log_power exp(noise)``; the spread may grow."""
    lead = np.array(sizes, dtype=float)
    centre = exponent * np.log(lead) + np.log1p(correction / np.sqrt(lead))
    centre = centre + log_power * np.log(np.log(lead))
    spread = SPREAD * (lead / lead[0]) ** growth_of_spread

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        values: Array = np.exp(centre + spread * noise.centred(rng, (claims, trials, len(lead))))
        return values

    return draw


def rate_claim(
    noise: Noise = NORMAL,
    excess: float = 0.0,
    *,
    direction: str = "upper",
    growth_of_spread: float = 0.0,
    correction: float = 0.0,
    log_power: float = 0.0,
    printed_log: float = 0.0,
    soft: Any = 1,
    kind: str = "rate",
    sizes: Sequence[int] = SIZES,
) -> Simulated:
    """``Y <~ d^(-1/2) log(d)^printed_log`` where the exponent of Y / r is ``excess``."""
    make = forall if kind == "forall" else rate
    check = make(
        experiment=path_experiment(tuple(sizes)),
        quantity="Y",
        name=f"{kind}, {direction}",
        bound=symbol**-0.5 * sympy.log(symbol) ** printed_log,
        direction=direction,
        tolerance=TOLERANCE,
        soft=soft,
    )
    low = -math.inf if direction == "upper" else -TOLERANCE
    high = math.inf if direction == "lower" else TOLERANCE
    words = [f"exponent {excess:g}"]
    words += [f"correction {correction:g} d^-1/2"] if correction else []
    if log_power:
        stated = "printed" if printed_log else ("hidden" if soft != 1 else "left out")
        words.append(f"log factor, {stated}")
    draw = along_path(
        noise,
        excess - 0.5,
        growth_of_spread=growth_of_spread,
        correction=correction,
        log_power=log_power,
        sizes=sizes,
    )
    label = noise.name + (f", spread d^{growth_of_spread:g}" if growth_of_spread else "")
    wrong = WRONG[_side(excess, low, high)]
    if log_power and not printed_log and soft == 1:
        wrong = ()  # the statement is off by a logarithm: neither outcome is promised
    return Simulated(check, draw, ", ".join(words), wrong, label, guarantee(noise))


def decay_claim(noise: Noise, exponent: float) -> Simulated:
    """``Y <= d^(-Omega(1))``."""
    check = decay(experiment=path_experiment(), quantity="Y", name="decay")
    wrong = WRONG[_side(exponent, -math.inf, 0.0)]
    return Simulated(
        check, along_path(noise, exponent), f"exponent {exponent:g}", wrong, noise.name, guarantee(noise)
    )


def limit_claim(remainder: float, power: float = 1.0, spread: float = 0.01) -> Simulated:
    """The distance ``remainder + (1 - remainder) (d / d_0)^(-power)``, Gaussian noise on the distance.

    The rule assumes a power between half and twice its order of 1/2; at 1 its error of PASSing is largest,
    and at 1/4 that of FAILing.
    """
    check = limit(experiment=path_experiment(), quantity="|Y_d - Y|", name="limit")
    lead = np.array(SIZES, dtype=float)
    centre = remainder + (1.0 - remainder) * (lead / lead[0]) ** -power

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        values: Array = centre + spread * rng.standard_normal((claims, trials, len(lead)))
        return values

    wrong = WRONG[_side(remainder, -math.inf, check.remainder)]
    assumed = 0.5 * check.order <= power <= 2.0 * check.order
    truth = f"{remainder:g} of the distance is left, the rest falls like d^-{power:g}"
    return Simulated(check, draw, truth, wrong, "normal", "exact" if assumed else "none")


# Kinds that are decided by a mean.


def _single(noise: Noise, centre: float, points: int, spread: float) -> Draw:
    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        return centre + spread * noise.centred(rng, (claims, trials, points))

    return draw


def mean_claim(noise: Noise = NORMAL, at: float = 1.0, *, points: int = 1) -> Simulated:
    """``E[Y] = 10`` within ten per cent, by the t-sequence; the true mean lies ``at`` tolerances from it."""
    check = mean(
        experiment=path_experiment(tuple(range(64, 64 + points))),
        quantity="Y",
        name="mean, t-sequence",
        target=TARGET,
        tolerance=TOLERANCE,
    )
    centre = TARGET * (1.0 + at * TOLERANCE)
    truth = _position(at) + (f", at {points} points" if points > 1 else "")
    return Simulated(
        check,
        _single(noise, centre, points, SPREAD),
        truth,
        WRONG[_side(at, -1.0, 1.0)],
        noise.name,
        guarantee(noise),
    )


def _position(at: float) -> str:
    names = {0.0: "as claimed", 1.0: "at the upper edge", -1.0: "at the lower edge"}
    return names.get(at, f"off by {at:g} tolerances")


def order_claim(noise: Noise, difference: float) -> Simulated:
    """``E[A - B] > 0``; the difference in standard deviations."""
    check = order(experiment=path_experiment((64,)), quantity="A - B", name="order")
    side = {0: "edge", 1: "inside", -1: "beyond"}[int(np.sign(difference))]
    truth = f"difference {difference:g} sd" if difference else "no difference"
    return Simulated(
        check, _single(noise, difference, 1, 1.0), truth, WRONG[side], noise.name, guarantee(noise)
    )


def reproduced_value(noise: Noise, at: float) -> Simulated:
    """A printed number, 10 within 1."""
    check = reproduction(
        experiment=path_experiment((64,)),
        quantity="Y",
        name="reproduction of a value",
        printed=TARGET,
        tolerance=TARGET * TOLERANCE,
    )
    draw = _single(noise, TARGET * (1.0 + at * TOLERANCE), 1, SPREAD)
    return Simulated(check, draw, _position(at), WRONG[_side(at, -1.0, 1.0)], noise.name, guarantee(noise))


def reproduced_slope(noise: Noise, at: float) -> Simulated:
    """A printed slope, 0.5 within 0.1."""
    check = reproduction(
        experiment=path_experiment(),
        quantity="Y",
        name="reproduction of a slope",
        printed=PRINTED,
        tolerance=TOLERANCE,
        slope_between=(SIZES[0], SIZES[-1]),
    )
    draw = along_path(noise, PRINTED + at * TOLERANCE)
    return Simulated(check, draw, _position(at), WRONG[_side(at, -1.0, 1.0)], noise.name, guarantee(noise))


def deterministic_mean(at: float) -> Simulated:
    """A statistic that is not random."""
    check = mean(
        experiment=path_experiment((64,)),
        quantity="Y",
        name="mean, deterministic",
        target=TARGET,
        tolerance=TOLERANCE,
        deterministic=True,
    )

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        return np.full((claims, trials, 1), TARGET * (1.0 + at * TOLERANCE))

    return Simulated(check, draw, _position(at), WRONG[_side(at, -1.0, 1.0)], "none", "exact")


def betting_claim(noise: Noise, at: float) -> Simulated:
    """A mean of values in [0, 1], by betting; the true mean lies ``at`` tolerances from the target."""
    half = 0.5
    check = mean(
        experiment=path_experiment((64,)),
        quantity="Y",
        name="mean, betting",
        target=noise.mean / (1.0 + half * at),
        tolerance=half,
        support=(0.0, 1.0),
    )

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        return noise.raw(rng, (claims, trials, 1))

    wrong = WRONG[_side(at, -1.0, 1.0)]
    return Simulated(check, draw, _position(at), wrong, noise.name, guarantee(noise, exact=True))


# Kind bound.


def bound_claim(
    delta: float, p: float, *, points: int = 1, noise: Noise | None = None, name: str = "bound"
) -> Simulated:
    """``P(Y > B) <= delta`` where it is p at every point."""
    sizes = tuple(range(64, 64 + points))
    check = bound(experiment=path_experiment(sizes), quantity="Y", name=name, bound=0.5, delta=delta)
    law = noise or bernoulli(p)

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        return law.raw(rng, (claims, trials, points))

    at = f"probability {p:g} against {delta:g}" + (f", at {points} points" if points > 1 else "")
    wrong = WRONG[_side(p, -math.inf, delta)]
    return Simulated(check, draw, at, wrong, law.name, guarantee(law, exact=True))


def tail_claim(levels: tuple[float, ...], power: float, truth: str, wrong: str) -> Simulated:
    """A printed tail bound at several levels: ``P(U <= delta) = delta^power``."""
    check: Check = bound(
        experiment=path_experiment((64,)), quantity="U", name="bound, tail levels", delta=levels, tail_of=True
    )

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        values: Array = rng.random((claims, trials, 1)) ** (1.0 / power)
        return values

    return Simulated(check, draw, truth, WRONG[wrong], "uniform", "exact")


# Statistics that are not continuous.


def half_zero_claim() -> Simulated:
    """A statistic that grows, and vanishes in half of the trials."""
    check = rate(
        experiment=path_experiment(),
        quantity="Y",
        name="rate, identically zero",
        bound=symbol**-0.5,
        tolerance=TOLERANCE,
    )
    grows = along_path(NORMAL, 0.0)

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        alive = rng.random((claims, trials, 1)) < 0.5
        return np.where(alive, grows(rng, claims, trials), 0.0)

    return Simulated(
        check,
        draw,
        "zero in half of the trials, else exponent 0.5",
        WRONG["beyond"],
        "normal or zero",
        "exact",
    )


def half_tied_claim() -> Simulated:
    """Slopes that agree exactly in half of the trials, and lie far beyond the tolerance in the others."""
    check = rate(
        experiment=path_experiment(), quantity="Y", name="rate, ties", bound=symbol**-0.5, tolerance=TOLERANCE
    )
    lead = np.array(SIZES, dtype=float)

    def draw(rng: np.random.Generator, claims: int, trials: int) -> Array:
        slopes = np.where(rng.random((claims, trials, 1)) < 0.5, 0.0, 0.5)
        values: Array = np.exp((slopes - 0.5) * np.log(lead))
        return values

    return Simulated(
        check,
        draw,
        "exponent 0 or 0.5, each in half of the trials",
        WRONG["beyond"],
        "two values",
        "asymptotic",
    )
