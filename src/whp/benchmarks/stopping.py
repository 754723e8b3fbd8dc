"""Trials that sequential stopping takes, against a number fixed beforehand, at the same error rates.

Two comparisons, both from the committed standard runs:

- *the same power*: the fixed number with which Student's interval (for a bound: the binomial tail), at the
  same two error rates, finds the discrepancy that the sequential design finds with its most trials, with the
  same probability 0.9. This is how group-sequential designs are compared; the spread cancels.
- *the stated discrepancy*: the fixed number that would have done for the discrepancy that the claim states,
  had the spread of a trial been known beforehand to the last digit. For a bound: the fewest clean trials
  with which any test at all can PASS it. No planner has that number; it favours the fixed side.

What sequential stopping costs where the truth lies at the edge is simulated beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, nct
from scipy.stats import t as student

from whp import stats
from whp.benchmarks.harness import AtLeast, BenchmarkError, Context, Measurement, Work
from whp.claims import Claim, Design
from whp.engine.discovery import resolve
from whp.report import load_verdict_records

POWER = 0.9
PROFILE = "standard"
REFERENCE = Path("reports/reference")
PAPERS = ("hu2020", "arora2019", "caron2023")
LIMIT = 10_000_000
ORACLE = "fewer than a planner needs who knows the spread beforehand"

# Of the simulation: error rate, looks, and true means in units of what the most trials find.
RATE, TRIALS, REPEATS = 2e-4, (8, 40), 4000
TRUTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True)
class Decision:
    """One decision of a committed run: trials that it took, and two numbers fixed beforehand.

    Attributes
    ----------
    kind : str
        ``exponent``, ``mean`` or ``bound``.
    used : int
        Trials a point.
    same_power : float
        Fixed trials of the same power; infinite where ten million do not suffice.
    stated : float or None
        Fixed trials for the stated discrepancy; None where the claim states none.
    decided : bool
        Whether the decision was PASS or FAIL.
    """

    kind: str
    used: int
    same_power: float
    stated: float | None
    decided: bool


@cache
def fixed_trials(effect: float, alpha: float, power: float = POWER) -> float:
    """Trials after which one end of Student's two-sided interval excludes a value ``effect`` sd away."""

    def enough(n: int) -> bool:
        return bool(nct.sf(student.isf(alpha / 2, n - 1), n - 1, effect * math.sqrt(n)) >= power)

    return _smallest(enough, 2)


@cache
def fixed_trials_of_design(most: int, alpha: float, power: float = POWER) -> float:
    """Fixed trials that find what ``most`` sequential ones find with the same power."""
    effect = stats.detectable(1.0, most, alpha, power)
    return fixed_trials(effect, alpha, power) if math.isfinite(effect) else math.inf


@cache
def fixed_trials_of_bound(level: float, most: int, alpha: float, power: float = POWER) -> float:
    """Fixed trials whose binomial tail shows ``p < level``, at the p at which ``most`` sequential ones do."""
    prior = stats.prior_below(level)
    seen = stats.bernoulli_detectable(level, most, alpha, power, prior).low

    def enough(n: int) -> bool:
        allowed = int(binom.ppf(alpha / 2, n, level))
        while allowed >= 0 and binom.cdf(allowed, n, level) > alpha / 2:
            allowed -= 1
        return allowed >= 0 and bool(binom.cdf(allowed, n, max(seen, 0.0)) >= power)

    return _smallest(enough, 1)


def clean_trials(level: float, alpha: float) -> float:
    """Fewest trials without a success that show ``p < level``, by any test of two-sided error rate alpha."""
    return math.ceil(math.log(alpha / 2) / math.log1p(-level))


def _smallest(enough: Callable[[int], bool], start: int) -> float:
    low, high = start - 1, start
    while not enough(high):
        if high >= LIMIT:
            return math.inf
        low, high = high, min(2 * high, LIMIT)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def decisions(claims: Sequence[Claim], records: Sequence[Mapping[str, Any]], profile: str) -> list[Decision]:
    """Every decision of some verdicts that rests on a sequence, with the designs of its claims.

    Parameters
    ----------
    claims : sequence of Claim
        As they are now.
    records : sequence of mapping
        Verdict files.
    profile : str
        Of the run that they are from.
    """
    designs: dict[str, dict[str, Design]] = {
        claim.id: {check.label: check.experiment.design(profile) for check in claim.checks}
        for claim in claims
    }
    found: list[Decision] = []
    for record in records:
        of_checks = designs.get(record["id"], {})
        for cell in record["cells"]:
            design = of_checks.get(cell["test"])
            if design is not None and cell["verdict"] is not None:
                found += _decision(cell, design.trials[1])
    return found


def _decision(cell: Mapping[str, Any], most: int) -> Iterator[Decision]:
    alpha, used, figure, rule = cell["false_pass"], cell["trials"], cell["figure"], cell["rule"]
    decided = cell["verdict"] != "INCONCLUSIVE"
    if rule == stats.BERNOULLI_SEQUENCE.name and "levels" in figure:
        level = min(row["delta"] for row in figure["levels"])
        same = fixed_trials_of_bound(level, most, alpha)
        yield Decision("bound", used, same, clean_trials(level, alpha), decided)
    elif rule.startswith(stats.T_SEQUENCE.name) and ("fit" in figure or "means" in figure):
        kind = "exponent" if "fit" in figure else "mean"
        stated = _for_stated(cell, alpha)
        yield Decision(kind, used, fixed_trials_of_design(most, alpha), stated, decided)


def _for_stated(cell: Mapping[str, Any], alpha: float) -> float | None:
    """Fixed trials for what a claim accepts on either side of the middle; None where it states no width."""
    figure, trials = cell["figure"], cell["trials"]
    if "fit" in figure:
        half = stats.t_half_width_factor(trials, alpha) * math.sqrt((trials - 1) / trials)
        accepted = [float(figure["accepted"][end]) for end in ("low", "high")]
        margin, power = min(abs(end) for end in accepted), POWER
        widths = [float(figure[part]["high"]) - float(figure[part]["low"]) for part in ("fit", "tail")]
        effects = [margin / (width / 2 / half) for width in widths if width > 0]
    else:
        power = 0.5 * (1 + POWER)  # both ends have to lie inside
        pairs = zip(figure["means"], figure["sd"], strict=False)
        spread = [(float(row["accept_high"]) - float(row["accept_low"]), float(sd)) for row, sd in pairs]
        effects = [width / 2 / sd for width, sd in spread if sd > 0]
    if not effects or not 0 < min(effects) < math.inf:
        return None
    return fixed_trials(min(effects), alpha, power)


def simulate(rng: np.random.Generator) -> list[dict[str, float]]:
    """Sequential stopping on Gaussian trials of known mean: trials taken, and how often it decided.

    The claim accepts means below 0; the discrepancy is what the most trials find with probability 0.9.

    Returns
    -------
    list of dict
        ``truth`` (below the edge, in units of the discrepancy), ``trials`` (mean), ``decided``, ``wrong``
        (shares of the runs), and ``ratio`` of the fixed number of the same power to the mean.
    """
    looks = Design(None, trials=TRIALS).looks()
    effect = stats.detectable(1.0, TRIALS[1], RATE, POWER)
    fixed = fixed_trials_of_design(TRIALS[1], RATE)
    rows = []
    for truth in TRUTHS:
        x = rng.standard_normal((REPEATS, TRIALS[1])) - truth * effect
        used, side = np.full(REPEATS, TRIALS[1]), np.zeros(REPEATS)
        for n in reversed(looks):
            half = stats.t_half_width_factor(n, RATE) * x[:, :n].std(axis=1)
            mean = x[:, :n].mean(axis=1)
            outside = np.abs(mean) > half
            used[outside], side[outside] = n, np.sign(mean[outside])
        rows.append(
            {
                "truth": truth,
                "trials": float(used.mean()),
                "decided": float((side != 0).mean()),
                "wrong": float((side > 0).mean()),
                "fixed": fixed,
                "ratio": fixed / float(used.mean()),
            }
        )
    return rows


def run(context: Context) -> Measurement:
    """Compare over the committed runs; with ``small`` over one of them."""
    papers = PAPERS[-1:] if context.small else PAPERS
    if not all((REFERENCE / paper).is_dir() for paper in papers):
        raise BenchmarkError(f"the folder must be a checkout, with {REFERENCE}, got {Path.cwd()}")
    found: list[Decision] = []
    for paper in papers:
        _, claims = resolve([paper])
        found += decisions(claims, load_verdict_records(REFERENCE / paper), PROFILE)

    def ratios(number: str, kind: str | None = None) -> list[float]:
        """An undecided decision never ended: it counts as infinitely many trials."""
        chosen = [d for d in found if kind in (None, d.kind) and getattr(d, number) is not None]
        return [getattr(d, number) / d.used if d.decided else 0.0 for d in chosen]

    facts: dict[str, object] = {
        "profile": PROFILE,
        "decisions": len(found),
        "undecided": sum(not d.decided for d in found),
        "quartiles": {
            f"{number} {kind}": [float(q) for q in np.quantile(values, (0.25, 0.5, 0.75))]
            for number in ("same_power", "stated")
            for kind in ("exponent", "mean", "bound")
            if (values := ratios(number, kind))
        },
        "simulated": simulate(np.random.default_rng(0)),
    }
    figures = {"fewer trials": statistics.median(ratios("same_power"))}
    figures[ORACLE] = statistics.median(ratios("stated"))
    return Measurement(figures, sizes={"papers": list(papers)}, facts=facts)


def tables(record: Mapping[str, Any]) -> str:
    """Return what a file of this work says, in Markdown, for docs/statistics.md."""
    facts = record["facts"]
    lines = [
        "| fixed trials divided by sequential ones | quarter | median | three quarters |",
        "|---|---|---|---|",
    ]
    for name, quartiles in facts["quartiles"].items():
        number, kind = name.split()
        row = " | ".join(f"{q:.2f}" for q in quartiles)
        lines.append(f"| {number.replace('_', ' ')}, {kind} | {row} |")
    lines += [
        "",
        f"{facts['decisions']:,} decisions; {facts['undecided']} were not taken, and count as infinitely many"
        " trials. Simulated on Gaussian trials, looks from"
        f" {TRIALS[0]} to {TRIALS[1]}, error rate {RATE:g}; the truth is in units of the discrepancy that the"
        " most trials find:",
        "",
        "| truth from the edge | mean trials | decided | fixed trials of the same power | fixed / mean |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['truth']:g} | {row['trials']:.1f} | {row['decided']:.1%} | {row['fixed']:.0f} |"
        f" {row['ratio']:.2f} |"
        for row in facts["simulated"]
    ]
    return "\n".join(lines)


WORK = (
    Work(
        name="stopping",
        title="trials of a decision in the standard runs, against a fixed number of the same rates and power",
        wanted={"fewer trials": AtLeast(2.0), ORACLE: AtLeast(1.0)},
        run=run,
        bounded_by="a planner who knows the spread of a trial, or that nothing will ever break a bound, needs"
        " neither the price of looking nor the 8 trials that show the shape of the values",
    ),
)
