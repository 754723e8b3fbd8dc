"""Kind always: an inequality or identity for all inputs, searched for a counterexample."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, ClassVar
from unittest import mock

import hypothesis
import numpy as np
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from whp.claims.budget import Share
from whp.claims.check import Check, latex, require_in
from whp.claims.experiment import PROFILES, CellSample, Design, Experiment, default_name
from whp.claims.path import Point
from whp.claims.verdict import CellVerdict, Guarantee, Outcome
from whp.errors import ClaimError, MeasurementError, fail, require
from whp.interval import Interval


@dataclass(frozen=True)
class Search(Experiment):
    """An experiment that looks for a counterexample: an excess above ``tolerance``."""

    tolerance: float = 0.0


Ascent = Callable[[np.random.Generator], tuple[float, str]]


def search(
    check: Callable[..., float],
    *,
    given: Mapping[str, SearchStrategy[Any]],
    ascend: Ascent | None = None,
    examples: tuple[int, int, int] = (50, 500, 5000),
    tolerance: float = 1e-9,
    shrink: bool = True,
    time_limit: float = 600.0,
) -> Search:
    """Declare a search for a counterexample.

    Parameters
    ----------
    check : callable
        Takes the inputs by name and returns the *excess*: how far the
        statement is violated (``lhs - rhs`` for an inequality, ``|lhs - rhs|``
        for an identity), scaled so that rounding is below ``tolerance``.
    given : mapping of str to strategy
        Hypothesis strategies for the inputs: all that the statement admits.
    ascend : callable, optional
        Where inputs are continuous: ``ascend(rng)`` climbs the excess by
        gradients and returns the largest that it found and the input in words.
    examples : (int, int, int)
        Examples a trial in the profiles quick, standard, paper.
    tolerance : float
        Largest excess that rounding explains.
    shrink : bool
        Whether a counterexample is made small before it is shown. A false
        twin, whose counterexamples nobody reads, can do without.
    """
    named = isinstance(given, Mapping) and all(isinstance(s, SearchStrategy) for s in given.values())
    require(named and bool(given), "given", "hypothesis strategies by name", given, ClaimError)
    require_in(tolerance, 0.0, 1.0, "search tolerance")
    counts = isinstance(examples, (tuple, list)) and [type(x) for x in examples] == [int] * len(PROFILES)
    positive = counts and min(examples) >= 1
    require(positive, "examples", f"three positive integers ({', '.join(PROFILES)})", examples, ClaimError)
    source = FilePath(check.__code__.co_filename)

    def measure(p: Point, rng: np.random.Generator, device: Any) -> dict[str, Any]:
        worst = [-math.inf]
        seen = [0]
        undefined: list[str] = []

        def violated(inputs: dict[str, Any]) -> bool:
            excess = _excess(check(**inputs))
            seen[0] += 1
            if math.isnan(excess):
                undefined.append(_describe(inputs))
                return False
            worst[0] = max(worst[0], excess)
            return excess > tolerance

        result: dict[str, Any] = {}
        settings = hypothesis.settings(
            max_examples=p.examples,
            database=None,
            deadline=None,
            derandomize=False,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])],
        )
        stream = random.Random(int(rng.integers(2**63)))
        strategy = hypothesis.strategies.fixed_dictionaries(dict(given))
        try:
            with _same_examples_everywhere():
                shrunk = hypothesis.find(strategy, violated, settings=settings, random=stream)
        except hypothesis.errors.NoSuchExample:
            pass
        else:
            result["counterexample"] = _describe(shrunk)
            result["shrunk_excess"] = _excess(check(**shrunk))
        excess = worst[0]
        if ascend is not None:
            climbed, where = ascend(rng)
            climbed = _excess(climbed)
            if math.isnan(climbed):
                undefined.append(where)
            else:
                if climbed > max(excess, tolerance):
                    result["counterexample"] = where
                excess = max(excess, climbed)
        if undefined and excess <= tolerance:  # a slip of the check, more likely than of the statement
            fail("excess", "a number", f"nan at {undefined[0]}", MeasurementError)
        require(excess > -math.inf, "excess", "above -inf for some input", excess, MeasurementError)
        return {"excess": excess, "examples": seen[0], **result}

    designs = {
        profile: Design(None, {"examples": [count]}, trials=(2, 2))
        for profile, count in zip(PROFILES, examples, strict=True)
    }
    label = default_name(source, check)
    return Search(measure, label, designs, source, "float64", time_limit, tolerance=tolerance)


def _excess(value: Any) -> float:
    """Return an excess that a trial may return: infinity is large, a NaN is left to the caller."""
    excess = float(value)
    return excess if math.isnan(excess) else min(excess, 1e300)


@contextmanager
def _same_examples_everywhere() -> Iterator[None]:
    """Keep hypothesis from mixing in constants that it reads from whatever modules are loaded.

    They differ between processes, and a trial must be a function of its names alone.
    """
    with (
        mock.patch.object(providers, "_get_local_constants", return_value=Constants()),
        mock.patch.object(providers, "CONSTANTS_CACHE", LRUCache(1024)),
    ):
        yield


def _describe(inputs: Mapping[str, Any]) -> str:
    """The shrunk inputs in one short line."""
    with np.printoptions(precision=6, threshold=30, linewidth=10_000):
        text = ", ".join(f"{name} = {value!r}" for name, value in inputs.items())
    text = " ".join(text.split())
    return text if len(text) <= 600 else text[:597] + "..."


@dataclass(frozen=True, kw_only=True)
class Always(Check):
    """An inequality or identity for all inputs.

    ``statement`` is its LaTeX. An excess above ``tolerance`` (at most that of
    the search) is a counterexample: FAIL, with the shrunk input; else PASS "no
    counterexample in N". Nothing is random about the statement; the search can
    refute, not prove.
    """

    kind: ClassVar[str] = "always"
    shown: ClassVar[frozenset[str]] = Check.shown | {"statement"}

    experiment: Search
    statistic: str = "excess"
    quantity: str = "x"
    statement: Any = None
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        stated = self.statement is not None and self.statement != ""
        require(stated, f"{self.where}: statement", "a LaTeX formula", self.statement, ClaimError)
        searched = isinstance(self.experiment, Search)
        require(
            searched, f"{self.where}: experiment", "declared with search(...)", self.experiment, ClaimError
        )
        # A search ends at its first counterexample: one that the check then excused would hide the others.
        limit = self.experiment.tolerance
        good = isinstance(self.tolerance, (int, float)) and 0 <= self.tolerance <= limit
        rule = f"at most that of the search ({limit:g})"
        require(good, f"{self.where}: tolerance", rule, self.tolerance, ClaimError)
        super().__post_init__()

    @property
    def formula(self) -> str:
        """LaTeX of the statement."""
        return self.statement if isinstance(self.statement, str) else latex(self.statement)

    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """A counterexample fails; none found passes."""
        rule, validity = "search for a counterexample", "a search refutes; it does not prove"
        failures = self.unmeasured(sample, share, rule, validity)
        values = sample.values(self.statistic)
        worst = float(np.nanmax(values, initial=-math.inf))
        good = [r for row in sample.trials for r in row if self.statistic in r.statistics]
        count = int(sum(r.statistics.get("examples", 1) for r in good))
        found = [r.notes["counterexample"] for r in good if "counterexample" in r.notes]
        if worst > self.tolerance:
            outcome, advice = Outcome.FAIL, f"Counterexample: {found[0] if found else 'see the excess'}."
        elif failures is not None:
            return failures
        else:
            outcome, advice = Outcome.PASS, f"No counterexample in {count} inputs."
        return self.verdict(
            outcome,
            sample,
            share,
            estimate=worst,
            interval=Interval(worst, math.inf),
            rule=rule,
            validity=validity,
            guarantee=Guarantee.SEARCH,
            threshold=f"largest violation at most {self.tolerance:g} (rounding)",
            advice=advice,
            notes={"counterexample": found[0]} if found else {},
            figure={"examples": count, "worst": worst},
        )
