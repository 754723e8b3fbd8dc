"""What every kind of check has in common: statistic, formula, twins, and the form of its decision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import sympy

from whp.claims.budget import Share
from whp.claims.experiment import PROFILES, CellSample, Experiment
from whp.claims.path import evaluate, evaluate_nearly
from whp.claims.verdict import CellVerdict, Outcome
from whp.errors import ClaimError, require
from whp.interval import Interval

EVERYTHING = Interval(-np.inf, np.inf)


class Twin:
    """A deliberately wrong version of a check, which must not PASS.

    Parameters
    ----------
    why : str
        What is wrong with it, in words.
    **changes
        Fields of the check that differ: ``bound``, ``statistic``, ``target``, ``experiment``, ...
    """

    def __init__(self, why: str, **changes: Any) -> None:
        require(bool(why), "twin", "explained in words", why, ClaimError)
        require(bool(changes), f"twin ({why})", "different from the claim in some field", changes, ClaimError)
        self.why = why
        self.changes = changes


@dataclass(frozen=True, kw_only=True)
class Check(ABC):
    """One statement about one statistic of one experiment.

    Attributes
    ----------
    experiment : Experiment
        What is measured.
    quantity : str
        LaTeX of the left-hand side.
    statistic : str
        Which of the experiment's statistics it is.
    name : str
        Distinguishes the checks of a claim that has several.
    twins : mapping of str to Twin
        Wrong versions, by name.
    """

    kind: ClassVar[str]
    needs_path: ClassVar[bool] = False
    shown: ClassVar[frozenset[str]] = frozenset({"name", "quantity", "twins"})
    """Fields that are shown and decide nothing; a twin must differ in another one."""

    experiment: Experiment
    quantity: str
    statistic: str = "value"
    name: str = ""
    twins: Mapping[str, Twin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = self.where
        require(
            isinstance(self.experiment, Experiment),
            f"{where}: experiment",
            "declared with @experiment",
            self.experiment,
            ClaimError,
        )
        require(bool(self.quantity), f"{where}: quantity", "a LaTeX formula", self.quantity, ClaimError)
        for profile in PROFILES:
            design = self.experiment.design(profile)
            if self.needs_path:
                length = 0 if design.path is None else len(design.path)
                require(
                    length >= 3,
                    f"{where}: path in profile {profile}",
                    "of at least three points",
                    length,
                    ClaimError,
                )
            for values in design.distinct_values():
                self.check_point(values)
        for twin_name, twin in self.twins.items():
            self.twin(twin_name, twin)

    @property
    def label(self) -> str:
        """What tells it from the other checks of a claim."""
        return self.name or self.kind

    @property
    def where(self) -> str:
        """How an error calls it."""
        return f"{self.kind} check {self.name}".strip()

    def check_point(self, values: Mapping[str, Any]) -> None:
        """Evaluate at declaration whatever will be evaluated at ``values`` later."""
        return

    def twin(self, twin_name: str, twin: Twin) -> Check:
        """Return the check with the twin's changes.

        Raises
        ------
        ClaimError
            If the twin names an unknown field, or does not differ.
        """
        where = f"twin {twin_name!r}"
        known = [f.name for f in fields(self) if f.name not in self.shown]
        unknown = sorted(set(twin.changes) - {f.name for f in fields(self)})
        require(not unknown, where, f"a change of {', '.join(known)}", unknown, ClaimError)
        changes = {"name": f"{self.label} [{twin_name}]", **twin.changes, "twins": {}}
        other: Check = replace(self, **changes)
        differs = any(not self.same_field(other, key) for key in known)
        require(differs, where, "different from the claim in what it decides", twin.changes, ClaimError)
        return other

    def same_field(self, other: Check, name: str) -> bool:
        """Whether a twin decides by the same value of this field."""
        a, b = getattr(self, name), getattr(other, name)
        return a is b or bool(a == b)

    def same_values(self, other: Check, name: str, *, factor: bool = False) -> bool:
        """Whether an expression takes the twin's values all along the path (up to a factor, if allowed)."""
        if other.experiment is not self.experiment:
            return False  # then the experiment differs, which is enough
        if (getattr(self, name) is None) or (getattr(other, name) is None):
            return getattr(self, name) is getattr(other, name)
        for profile in PROFILES:
            design = self.experiment.design(profile)
            for cell in design.cells():
                points = design.points(cell)
                mine, its = (
                    np.array([evaluate_nearly(getattr(check, name), p.values, name) for p in points])
                    for check in (self, other)
                )
                if factor:
                    mine, its = mine / mine[0], its / its[0]
                if not np.allclose(mine, its, rtol=1e-9, atol=0.0):
                    return False
        return True

    @property
    @abstractmethod
    def formula(self) -> str:
        """LaTeX of the whole statement."""

    @abstractmethod
    def decide(self, sample: CellSample, share: Share) -> CellVerdict:
        """Decide from all trials made so far in one cell; valid at any number of looks."""

    def outcome(self, sample: CellSample, share: Share) -> Outcome:
        """Return what `decide` decides, without its words and figures."""
        return self.decide(sample, share).outcome

    def decisions_per_cell(self, points: int) -> int:
        """How many decisions in a cell can each FAIL the claim."""
        return 1

    def verdict(self, outcome: Outcome, sample: CellSample, share: Share, **fields: Any) -> CellVerdict:
        """Fill in what every cell verdict has."""
        fields.setdefault("estimate", np.nan)
        fields.setdefault("interval", EVERYTHING)
        fields.setdefault("threshold", "")
        return CellVerdict(
            outcome=outcome,
            test=self.label,
            cell=dict(sample.cell),
            trials=len(sample.trials),
            points=len(sample.points),
            false_fail=share.false_fail,
            false_pass=share.false_pass,
            failures=sample.failures,
            **fields,
        )

    def unmeasured(self, sample: CellSample, share: Share, rule: str, validity: str) -> CellVerdict | None:
        """INCONCLUSIVE where trials failed: a mean over the ones that did not would be biased."""
        failures = sample.failures
        if not failures:
            return None
        total = len(sample.trials) * len(sample.points)
        listed = ", ".join(f"{count} {status}" for status, count in failures.items())
        first = next((r.message for row in sample.trials for r in row if r.message), "no message")
        return self.verdict(
            Outcome.INCONCLUSIVE,
            sample,
            share,
            rule=rule,
            validity=validity,
            advice=f"{listed} of {total} trials gave no number ({first}); they count against a PASS and are"
            " never dropped. Raise the limit or mend the measurement.",
        )


def require_in(value: Any, low: float, high: float, what: str) -> None:
    """Require a number strictly between two others."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and low < value < high
    rule = "a positive number" if (low, high) == (0.0, np.inf) else f"a number in ({low:g}, {high:g})"
    require(good, what, rule, value, ClaimError)


def bound_values(expression: Any, sample: CellSample, what: str) -> np.ndarray:
    """Evaluate an expression at every point of the sample, shape (points,)."""
    return np.array([evaluate(expression, {**p.values}, what) for p in sample.points])


def latex(expression: Any) -> str:
    """LaTeX of a bound as one would print it: short decimals as fractions, negative powers below the line."""
    expr = sympy.sympify(expression)
    for decimal in expr.atoms(sympy.Float):
        short = sympy.Rational(str(decimal)).limit_denominator(1000)
        if abs(short - decimal) < 1e-12:
            expr = expr.xreplace({decimal: short})
    above, below = sympy.fraction(expr)
    if below == 1:
        return str(sympy.latex(expr))
    return f"\\frac{{{sympy.latex(above)}}}{{{sympy.latex(below)}}}"


def points_figure(sample: CellSample, values: np.ndarray) -> dict[str, Any]:
    """What the report draws of a statistic along the path: quartiles and extremes per point."""
    path_lead = lead_name(sample)
    return {
        "lead": path_lead,
        "sizes": [float(p.values[path_lead]) for p in sample.points] if path_lead else [],
        "points": [{k: v for k, v in p.values.items() if k not in sample.cell} for p in sample.points],
        "median": np.median(values, axis=0).tolist(),
        "minimum": values.min(axis=0).tolist(),
        "maximum": values.max(axis=0).tolist(),
        "mean": values.mean(axis=0).tolist(),
        "sd": spread(values).tolist(),
    }


def spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation at every point: NaN for one trial, infinite where its square overflows."""
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    with np.errstate(over="ignore"):
        sd: np.ndarray = values.std(axis=0, ddof=1)
    return sd


def lead_name(sample: CellSample) -> str:
    """The size against which exponents are fitted."""
    extra = [name for name in sample.points[0].values if name not in sample.cell]
    return extra[0] if extra else ""


def lead_sizes(sample: CellSample) -> np.ndarray:
    """The values of the lead size, shape (points,)."""
    name = lead_name(sample)
    return np.array([float(p.values[name]) for p in sample.points])


def join(parts: Sequence[str]) -> str:
    """Join the non-empty sentences."""
    return " ".join(part for part in parts if part)
