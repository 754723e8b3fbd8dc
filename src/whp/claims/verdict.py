"""Verdicts: what was decided, by which rule, at which error rates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from whp.claims.path import Value
from whp.interval import Interval


class Outcome(StrEnum):
    """The three words of the program; each carries what a reader should take from it."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def meaning(self) -> str:
        """One sentence for a reader who sees the word for the first time."""
        return {
            Outcome.PASS: "The measurement agrees with the statement; a statement that is off by the stated"
            " discrepancy would have passed with at most the stated probability, exactly or nominally as is"
            " said beside it.",
            Outcome.FAIL: "The measurement contradicts the statement; a true statement would have failed with"
            " at most the stated probability, exactly or nominally as is said beside it.",
            Outcome.INCONCLUSIVE: "The trials made so far do not decide; the advice says what would.",
        }[self]


RANK = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASS: 2}
"""The worst first: the outcome that decides is the smallest."""


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """Return FAIL if any is FAIL, PASS if all are PASS, else INCONCLUSIVE."""
    listed = list(outcomes)
    if Outcome.FAIL in listed:
        return Outcome.FAIL
    if listed and all(outcome is Outcome.PASS for outcome in listed):
        return Outcome.PASS
    return Outcome.INCONCLUSIVE


class Guarantee(StrEnum):
    """What stands behind the error rates of a verdict, the best first."""

    EXACT = "exact"
    ASYMPTOTIC = "asymptotic"
    SEARCH = "search"
    NONE = "none"

    @property
    def meaning(self) -> str:
        """One sentence."""
        return {
            Guarantee.EXACT: "The error rates hold for any distribution that the rule allows, at any number"
            " of looks.",
            Guarantee.ASYMPTOTIC: "The error rates are exact for Gaussian values only; for others they are"
            " nominal, and what they come to is measured.",
            Guarantee.SEARCH: "A search refutes and does not prove: there is no error rate.",
            Guarantee.NONE: "No rule was applied.",
        }[self]


class Regime(StrEnum):
    """How the sizes stand to the hypotheses of the theorem."""

    MET = "met"
    FORM = "form"
    BEYOND = "beyond"

    @property
    def meaning(self) -> str:
        """One sentence."""
        return {
            Regime.MET: "The theorem's own hypotheses hold, with their own constants.",
            Regime.FORM: "The hypotheses hold up to constants that the paper leaves open;"
            " the path says which were chosen.",
            Regime.BEYOND: "The hypotheses do not hold at these sizes; the claim is extrapolated.",
        }[self]


@dataclass(frozen=True)
class CellVerdict:
    """The decision of one test in one cell.

    Attributes
    ----------
    estimate, interval
        Of the decided quantity (an exponent, a probability, a mean, ...).
    threshold : str
        What the interval was compared with, in words.
    detectable : float
        Smallest discrepancy that these trials would find with probability 0.9.
    guarantee : Guarantee
        Whether the error rates are exact.
    slack : float
        Implied constant of a rate (``sup E Y / r`` along the path), or the
        factor ``B / Y`` by which a bound is loose.
    figure : mapping
        Series for the report: sizes, per-point statistics, local slopes, ...
    """

    outcome: Outcome
    test: str
    cell: Mapping[str, Value]
    estimate: float
    interval: Interval
    rule: str
    validity: str
    threshold: str
    advice: str
    trials: int
    points: int
    guarantee: Guarantee = Guarantee.NONE
    detectable: float = math.nan
    slack: float = math.nan
    false_fail: float = 0.0
    false_pass: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    figure: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The cell in words, e.g. ``alpha=0.1, activation=erf``."""
        return ", ".join(f"{k}={v}" for k, v in self.cell.items()) or "all"


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim: its cells, combined."""

    id: str
    title: str
    paper: str
    locus: str
    kind: str
    printed: bool
    corrects: str | None
    outcome: Outcome
    regime: Regime
    formulas: Sequence[str]
    assumptions: Sequence[str]
    cells: Sequence[CellVerdict]
    twins: Mapping[str, Outcome]
    twin_notes: Mapping[str, str]
    false_fail: float
    false_pass: float
    seed: int
    profile: str
    path: str
    seconds: float
    advice: str
    command: str
    documentation: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    plots: Sequence[Mapping[str, Any]] = ()

    @property
    def binding(self) -> CellVerdict | None:
        """The cell that decides: the worst outcome, and among equals the one nearest its threshold."""
        if not self.cells:
            return None
        first = self.cells[0].test

        def key(cell: CellVerdict) -> tuple[int, bool, float]:
            high = cell.interval.high
            return (RANK[cell.outcome], cell.test != first, -(high if math.isfinite(high) else math.inf))

        return min(self.cells, key=key)

    @property
    def guarantee(self) -> Guarantee:
        """The weakest of its cells, of those to which a rule was applied."""
        order = list(Guarantee)
        applied = [cell.guarantee for cell in self.cells if cell.guarantee is not Guarantee.NONE]
        return max(applied, key=order.index, default=Guarantee.NONE)

    @property
    def trials(self) -> int:
        """Trials over all cells and points; those that serve several checks are counted for each."""
        return sum(cell.trials * cell.points for cell in self.cells)


def number(x: float | None) -> float | str | None:
    """JSON has no infinities and no NaN: they become ``"inf"``, ``"-inf"`` and null."""
    if x is None or math.isnan(x):
        return None
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return x


def _interval(interval: Interval) -> dict[str, Any]:
    return {"low": number(interval.low), "high": number(interval.high)}


def _clean(value: Any) -> Any:
    """Replace non-finite floats in nested lists and mappings, and numpy scalars by Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    return value


def cell_record(cell: CellVerdict) -> dict[str, Any]:
    """The JSON form of a cell."""
    return {
        "test": cell.test,
        "cell": dict(cell.cell),
        "verdict": cell.outcome.value,
        "estimate": number(cell.estimate),
        "interval": _interval(cell.interval),
        "threshold": cell.threshold,
        "rule": cell.rule,
        "validity": cell.validity,
        "guarantee": cell.guarantee.value,
        "false_fail": cell.false_fail,
        "false_pass": cell.false_pass,
        "trials": cell.trials,
        "points": cell.points,
        "detectable": number(cell.detectable),
        "slack": number(cell.slack),
        "failures": dict(cell.failures),
        "warnings": list(cell.warnings),
        "notes": dict(cell.notes),
        "advice": cell.advice,
        "figure": cell.figure,
    }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """The JSON form of a verdict, as published in ``verdict.schema.json``."""
    binding = verdict.binding
    record: dict[str, Any] = {
        "schema": 1,
        "id": verdict.id,
        "title": verdict.title,
        "paper": verdict.paper,
        "locus": verdict.locus,
        "kind": verdict.kind,
        "printed": verdict.printed,
        "corrects": verdict.corrects,
        "verdict": verdict.outcome.value,
        "regime": verdict.regime.value,
        "formulas": list(verdict.formulas),
        "assumptions": list(verdict.assumptions),
        "documentation": verdict.documentation,
        "path": verdict.path,
        "estimate": number(binding.estimate) if binding else None,
        "interval": _interval(binding.interval) if binding else {"low": None, "high": None},
        "rule": f"{binding.rule} ({binding.validity})" if binding else "none: nothing was measured",
        "guarantee": verdict.guarantee.value,
        "false_fail": verdict.false_fail,
        "false_pass": verdict.false_pass,
        "trials": verdict.trials,
        "detectable": number(binding.detectable) if binding else None,
        "slack": number(binding.slack) if binding else None,
        "twins": {name: outcome.value for name, outcome in verdict.twins.items()},
        "twin_notes": dict(verdict.twin_notes),
        "advice": verdict.advice,
        "command": verdict.command,
        "seed": verdict.seed,
        "profile": verdict.profile,
        "environment": dict(verdict.environment),
        "seconds": verdict.seconds,
        "cells": [cell_record(cell) for cell in verdict.cells],
        "plots": list(verdict.plots),
    }
    cleaned: dict[str, Any] = _clean(record)
    return cleaned
