"""Whether a check can PASS with the trials of a profile, how many it would need, and what they would find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from whp import stats
from whp.claims.budget import Share
from whp.claims.check import Check, lead_sizes
from whp.claims.experiment import CellSample, Design
from whp.claims.exponents import ExponentCheck
from whp.claims.growth import Limit
from whp.claims.levels import Bound, trials_at
from whp.claims.means import MeanCheck
from whp.claims.reproduction import Reproduction
from whp.claims.ruling import functionals
from whp.claims.search import Always
from whp.engine.pilots import Pilot
from whp.interval import Interval

LIMIT = 1_000_000  # trials beyond which nobody is told to go


@dataclass(frozen=True)
class Forecast:
    """What one check asks for, and what it would find.

    Attributes
    ----------
    check : str
        Its label.
    places : int
        Points over all cells.
    least, most : int
        Trials a point at the first and at the last look.
    fewest : int or None
        Trials a point below which no data would PASS, however good; None
        where not even a million would do.
    elsewhere : str
        Why it is not decided in this profile, by design; or nothing.
    needed : int or None
        Trials a point after which a true statement in the middle of what is
        accepted PASSes with probability 0.9, where that can be told: at the
        spread of a pilot, or for a bound that is never broken.
    expected : int or None
        Trials a point that decide, were the truth what the pilot has seen.
    detectable : float
        Discrepancy that the most trials find with probability 0.9, in the
        units of the verdict's; NaN where there is none to tell.
    in_sd : bool
        Whether it is in standard deviations of one trial, for want of a pilot.
    text : str
        This in words.
    """

    check: str
    places: int
    least: int
    most: int
    fewest: int | None
    elsewhere: str = ""
    needed: int | None = None
    expected: int | None = None
    detectable: float = math.nan
    in_sd: bool = False
    text: str = ""

    @property
    def refused(self) -> bool:
        """Whether the most trials are too few for a PASS, although the profile is meant to decide."""
        return not self.elsewhere and (self.fewest is None or self.fewest > self.most)


@dataclass(frozen=True)
class _Spread:
    """Of one trial, against what trials must tell.

    Attributes
    ----------
    margin : float
        The stated discrepancy; where a kind states none (a decay, an order), ``seen``.
    sides : int
        On how many sides it has to be told.
    seen : float
        The distance of what was seen from the edge of what is accepted.
    rate : float
        Error rate of the decision that what was seen points to.
    false_pass : float
        Error rate of a PASS.
    """

    sd: float
    margin: float
    sides: int
    seen: float
    rate: float
    false_pass: float

    @property
    def needed(self) -> int | None:
        power = 1.0 - 0.1 / self.sides
        return stats.trials_needed(self.sd, self.margin, self.false_pass, power) if self.margin > 0 else None

    @property
    def expected(self) -> int | None:
        return stats.trials_needed(self.sd, self.seen, self.rate) if self.seen > 0 else None


def forecast(check: Check, design: Design, share: Share, pilot: Pilot | None = None) -> Forecast:
    """Say what a check can decide with the trials of a design, at its share of the budget."""
    samples = [CellSample(check.experiment, cell, design.points(cell), []) for cell in design.cells()]
    looks = design.looks()
    made = Forecast(
        check=check.label,
        places=sum(len(sample.points) for sample in samples),
        least=looks[0],
        most=looks[-1],
        fewest=fewest(check, samples, share.false_pass),
    )
    if isinstance(check, Reproduction) and any(check.away(sample) for sample in samples):
        text = "not at the printed sizes in this profile"
        return replace(made, elsewhere=text, text=text)
    if made.refused:
        least = "more than a million" if made.fewest is None else f"at least {made.fewest}"
        return replace(
            made, text=f"cannot PASS: that takes {least} trials a point, at most {made.most} are made"
        )
    if isinstance(check, Always):
        return replace(
            made,
            needed=made.least,
            expected=made.least,
            text=f"a counterexample among {made.most} searches a cell",
        )
    if isinstance(check, Bound):
        return _of_bound(check, made, share, pilot)
    if isinstance(check, MeanCheck) and check.deterministic:
        text = "any difference: the statistic is not random"
        return replace(made, needed=made.fewest, expected=made.least, text=text)
    if isinstance(check, MeanCheck) and check.support is not None:
        return replace(
            made,
            text=f"a bounded mean: at least {made.fewest} trials a point, more as they spread; at most"
            f" {made.most} are made",
        )
    return _of_mean(check, made, share, pilot, samples)


def fewest(check: Check, samples: Sequence[CellSample], false_pass: float) -> int | None:
    """Trials a point below which no data PASS; None where not even a million would do."""
    if isinstance(check, Always):
        return 1
    if isinstance(check, Bound):
        return trials_at(min(check.levels), 0.0, false_pass, LIMIT)
    if isinstance(check, MeanCheck) and check.deterministic:
        return 2
    if isinstance(check, MeanCheck) and check.support is not None:
        accepted = {(a.low, a.high) for sample in samples for a in check.accepted(sample)}
        needs = [stats.betting_trials_needed(Interval(*a), false_pass, *check.support) for a in accepted]
        return _largest(needs)
    finite = stats.trials_needed(0.0, 1.0, false_pass)  # before that, no interval is bounded
    slopes_only = isinstance(check, ExponentCheck) and not isinstance(check, Limit)
    return finite if finite is None or slopes_only else max(finite, stats.FEWEST)


def _of_bound(check: Bound, made: Forecast, share: Share, pilot: Pilot | None) -> Forecast:
    """At the share of trials that broke the bound so far."""
    level = min(check.levels)
    seen = {(level, 0.0)}
    for sample in pilot.samples if pilot else ():
        for row in check.decide(sample, share).figure.get("levels", ()):
            seen.add((row["delta"], row["estimate"]))
    needed = _largest([trials_at(lv, at, share.false_pass, LIMIT) for lv, at in seen])
    worse = stats.bernoulli_detectable(level, made.most, share.false_fail).high
    finds = f"finds a failure probability above {worse:.2g}" if worse <= 1 else "finds no excess"
    broken = max(at for _, at in seen)
    if needed is None:
        text = f"no number of trials is sure to decide, as {broken:.2g} of {pilot} broke it"
    elif broken:
        text = f"about {needed} trials a point decide, as {broken:.2g} of {pilot} broke it"
    else:
        text = f"{needed} clean trials certify {level:g}"
    text += f"; at most {made.most} are made; {finds}"
    expected = None if needed is None else max(needed, made.least)
    return replace(made, needed=needed, expected=expected, detectable=worse - level, text=text)


def _of_mean(
    check: Check, made: Forecast, share: Share, pilot: Pilot | None, samples: Sequence[CellSample]
) -> Forecast:
    """At the spread of the trials known; where none are, in its units."""
    what = "an exponent" if isinstance(check, ExponentCheck) else "a mean"
    known = pilot.samples if pilot else ()
    spreads = [spread for sample in known for spread in _spreads(check, sample, share, samples[0])]
    if not spreads or made.fewest is None:
        finds = stats.detectable(1.0, made.most, share.false_fail)
        text = (
            f"{what} off by {finds:.2g} standard deviations of one trial; at least {made.fewest} trials a"
            f" point, at most {made.most} are made"
        )
        return replace(made, detectable=finds, in_sd=True, text=text)
    worst = max(spreads, key=lambda spread: spread.needed or math.inf)
    needed = _largest([worst.needed, made.fewest])
    expected = _largest([spread.expected for spread in spreads] + [made.fewest, made.least])
    finds = stats.detectable(worst.sd, made.most, share.false_fail)
    many = (
        "no number of trials is sure to decide" if needed is None else f"needs about {needed} trials a point"
    )
    looks = "too near the edge to tell" if expected is None else f"about {expected} decide"
    return replace(
        made,
        needed=needed,
        expected=expected,
        detectable=finds,
        text=f"{many} for the discrepancy {worst.margin:.2g} at the spread seen (sd {worst.sd:.2g}, {pilot});"
        f" as it looks, {looks}; at most {made.most} are made, which find {what} off by {finds:.2g}",
    )


def _spreads(check: Check, sample: CellSample, share: Share, planned: CellSample) -> list[_Spread]:
    """Of everything that must lie within a margin; none where the trials give no numbers."""
    if isinstance(check, ExponentCheck):
        values = sample.values(check.statistic)
        if sample.failures or not (values > check.floor).all():
            return []
        weights = functionals(lead_sizes(sample))  # (points, 2)
        series = (np.log(values) - np.log(check.scale(sample))) @ weights  # (trials, 2)
        accepted, middles = [check.accepted] * 2, [0.0] * 2
        # Noise that is the same at all points gives a slope along another path another spread.
        along = functionals(lead_sizes(planned))
        scale = np.linalg.norm(along, axis=0) / np.linalg.norm(weights, axis=0)
    elif isinstance(check, MeanCheck) and check.refusal(sample, share) is None:
        series, accepted = check.columns(sample), check.accepted(sample)
        middles, scale = [(a.low + a.high) / 2 for a in accepted], np.ones(len(accepted))
    else:
        return []
    found = []
    for column, accept, middle, factor in zip(series.T, accepted, middles, scale, strict=True):
        mean = float(np.mean(column))
        seen, ideal = (min(abs(x - accept.low), abs(x - accept.high)) for x in (mean, middle))
        stated = accept.low < middle < accept.high
        found.append(
            _Spread(
                sd=float(factor * np.std(column, ddof=1)),
                margin=ideal if stated else seen,
                sides=2 if stated and math.isfinite(accept.width) else 1,
                seen=seen,
                rate=share.false_pass if accept.contains(mean) else share.false_fail,
                false_pass=share.false_pass,
            )
        )
    return found


def _largest(needs: Sequence[int | None]) -> int | None:
    """None is more than any number."""
    return None if None in needs else max((n for n in needs if n is not None), default=None)
