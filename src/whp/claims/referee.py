"""Keeps, for a run, what has been decided where; the engine feeds it, the report reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from whp.claims.budget import Budget, Share
from whp.claims.check import Check
from whp.claims.claim import Claim
from whp.claims.experiment import PROFILES, CellSample, Experiment
from whp.claims.path import Value
from whp.claims.verdict import CellVerdict, Outcome, Verdict, combine
from whp.errors import ClaimError, UsageError, require


@dataclass
class _Docket:
    """One check, or one twin, with its share of the budget and its decisions so far.

    A look asks for the decision alone. Its words and figures take longer, and
    are made when somebody asks for them: of twins and of early looks nobody does.
    """

    check: Check
    share: Share
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    samples: dict[str, CellSample] = field(default_factory=dict)  # those of the decisions
    cells: dict[str, CellVerdict] = field(default_factory=dict)  # those in words

    def look(self, key: str, sample: CellSample) -> None:
        """Decide a cell, unless it is decided."""
        if self.outcomes.get(key, Outcome.INCONCLUSIVE) is Outcome.INCONCLUSIVE:
            self.outcomes[key] = self.check.outcome(sample, self.share)
            self.samples[key] = sample
            self.cells.pop(key, None)

    def leave_out(self, key: str, verdict: CellVerdict) -> None:
        """Take a verdict that rests on no trials."""
        self.outcomes[key], self.cells[key] = verdict.outcome, verdict

    def cell(self, key: str) -> CellVerdict:
        """The decision on a cell, in words."""
        if key not in self.cells:
            self.cells[key] = self.check.decide(self.samples[key], self.share)
        return self.cells[key]

    @property
    def refuted(self) -> bool:
        """Whether a cell has failed, which decides the whole."""
        return Outcome.FAIL in self.outcomes.values()


def cell_key(cell: Mapping[str, Value]) -> str:
    """One text for one cell."""
    return repr(sorted(cell.items()))


class Referee:
    """Decides every check and twin of some claims, cell by cell, at each look.

    A decision stands from the first look at which it is made: the rules are
    valid at any number of looks, and a later look at more trials of the same
    cell (made for another check) does not reopen it.

    Parameters
    ----------
    claims : sequence of Claim
        The claims of the run; the budget is split over them.
    profile : str
        quick, standard or paper.
    budget : Budget
        The run's two error rates.
    decide_twins : bool
        Whether a false twin that is nowhere refuted asks for trials too, up to
        the most of the design. The verdicts on the claims are the same.
    """

    def __init__(
        self, claims: Sequence[Claim], profile: str, budget: Budget, *, decide_twins: bool = False
    ) -> None:
        require(profile in PROFILES, "profile", f"one of {', '.join(PROFILES)}", profile, UsageError)
        self.profile = profile
        self.claims = list(claims)
        self._budget = budget
        self.decide_twins = decide_twins
        self._main: dict[str, list[_Docket]] = {}
        self._twins: dict[str, dict[str, _Docket]] = {}
        found: dict[str, Experiment] = {}
        for claim in self.claims:
            require(claim.id not in self._main, "id", "that of one claim in a run", claim.id, ClaimError)
            for experiment in claim.experiments():
                same = found.setdefault(experiment.name, experiment) is experiment
                where = f"{claim.id}: experiment name"
                require(same, where, "used for one experiment", experiment.name, ClaimError)
            shares = self.shares(claim)
            self._main[claim.id] = [_Docket(c, shares[c.experiment.name]) for c in claim.checks]
            self._twins[claim.id] = {
                name: _Docket(check, shares[check.experiment.name])
                for name, (check, _) in claim.twin_checks().items()
            }
        self.experiments = list(found.values())
        plotted = {line.experiment.name for c in self.claims for plot in c.plots for line in plot.lines}
        self._samples: dict[str, dict[str, CellSample]] = {name: {} for name in plotted}

    def shares(self, claim: Claim) -> dict[str, Share]:
        """The share of each decision of a claim, by experiment."""
        decisions = 0
        for check in claim.checks:
            design = check.experiment.design(self.profile)
            for cell in design.cells():
                decisions += check.decisions_per_cell(len(design.points(cell)))
        shares = {}
        for experiment in claim.experiments():
            design = experiment.design(self.profile)
            per_cell = max(len(design.points(cell)) for cell in design.cells()) * design.trials[1]
            certificate = experiment.failure_probability * per_cell
            shares[experiment.name] = self._budget.decision_share(decisions, certificate)
        return shares

    def _dockets(self, experiment: Experiment) -> tuple[list[_Docket], list[_Docket]]:
        """The checks and the twins that rest on an experiment."""
        main = [d for ds in self._main.values() for d in ds]
        twins = [d for ds in self._twins.values() for d in ds.values()]
        name = experiment.name
        return [d for d in main if d.check.experiment.name == name], [
            d for d in twins if d.check.experiment.name == name
        ]

    def look(self, experiment: Experiment, sample: CellSample) -> bool:
        """Try every open decision that rests on these trials.

        Parameters
        ----------
        experiment : Experiment
            Whose trials they are.
        sample : CellSample
            The complete trials 0..N-1 of one cell, N being one of the design's looks.

        Returns
        -------
        bool
            Whether no more trials are asked for in this cell: every check is decided.
            Twins are decided from the same trials but ask for more only where no check
            rests on the experiment, or with ``decide_twins``.
        """
        key = cell_key(sample.cell)
        if experiment.name in self._samples:
            self._samples[experiment.name][key] = sample
        main, twins = self._dockets(experiment)
        for docket in main + twins:
            docket.look(key, sample)
        asking = main or twins
        if self.decide_twins:
            asking = main + [docket for docket in twins if not docket.refuted]
        return all(docket.outcomes[key] is not Outcome.INCONCLUSIVE for docket in asking)

    def leave_out(self, experiment: Experiment, reason: str) -> None:
        """Decide that nothing which rests on an experiment can be decided, as it is not run.

        Parameters
        ----------
        experiment : Experiment
            Of which there are no trials.
        reason : str
            Why, in words; the advice of the verdicts.
        """
        main, twins = self._dockets(experiment)
        for cell in experiment.design(self.profile).cells():
            for docket in main + twins:
                sample = CellSample(experiment, cell, experiment.design(self.profile).points(cell), [])
                verdict = docket.check.verdict(
                    Outcome.INCONCLUSIVE,
                    sample,
                    docket.share,
                    rule="none",
                    validity="not applied",
                    advice=f"Not measured: {reason}.",
                )
                docket.leave_out(cell_key(cell), verdict)

    def _keys(self, docket: _Docket) -> list[str]:
        """The cells of the design, in its order."""
        return [cell_key(cell) for cell in docket.check.experiment.design(self.profile).cells()]

    def _seen(self, docket: _Docket) -> list[CellVerdict]:
        """What has been decided so far, in the order of the design, whatever the order of the looks."""
        return [docket.cell(key) for key in self._keys(docket) if key in docket.outcomes]

    def twin_cells(self, claim: Claim) -> dict[str, tuple[CellVerdict, ...]]:
        """What has been decided so far about each false twin, cell by cell."""
        return {name: tuple(self._seen(docket)) for name, docket in self._twins[claim.id].items()}

    def _complete(self, docket: _Docket) -> bool:
        """Whether every cell has been looked at."""
        return docket.outcomes.keys() >= set(self._keys(docket))

    def _outcome(self, docket: _Docket) -> Outcome:
        """A docket with cells still unseen cannot PASS."""
        outcomes = list(docket.outcomes.values())
        if not self._complete(docket):
            outcomes.append(Outcome.INCONCLUSIVE)
        return combine(outcomes)

    def verdict(
        self, claim: Claim, *, seed: int, seconds: float, environment: Mapping[str, str], command: str
    ) -> Verdict:
        """Combine what has been decided so far into the verdict of a claim."""
        dockets = self._main[claim.id]
        cells = [cell for docket in dockets for cell in self._seen(docket)]
        outcome = combine(self._outcome(docket) for docket in dockets)
        share = self._budget.claim_share()
        paths = []
        for check in claim.checks:
            path = check.experiment.design(self.profile).path
            if path is not None:
                paths.append(path.describe())
        verdict = Verdict(
            id=claim.id,
            title=claim.title,
            paper=claim.paper,
            locus=claim.locus,
            kind=claim.kind,
            printed=claim.printed,
            corrects=claim.corrects,
            outcome=outcome,
            regime=claim.regime(self.profile),
            formulas=[check.formula for check in claim.checks],
            assumptions=claim.assumptions,
            cells=cells,
            twins={name: self._outcome(docket) for name, docket in self._twins[claim.id].items()},
            twin_notes={name: why for name, (_, why) in claim.twin_checks().items()},
            false_fail=share.false_fail,
            false_pass=share.false_pass,
            seed=seed,
            profile=self.profile,
            path="; ".join(dict.fromkeys(paths)),
            seconds=seconds,
            advice="",
            command=command,
            documentation=claim.documentation,
            environment=environment,
            plots=self._plots(claim),
        )
        return _with_advice(verdict, all(self._complete(docket) for docket in dockets))

    def _plots(self, claim: Claim) -> list[dict[str, Any]]:
        """The curves of a claim, from the last trials looked at."""
        samples = {}
        for experiment in {
            line.experiment.name: line.experiment for p in claim.plots for line in p.lines
        }.values():
            seen = self._samples[experiment.name]
            keys = [cell_key(cell) for cell in experiment.design(self.profile).cells()]
            samples[experiment.name] = [seen[key] for key in keys if key in seen]
        return [plot.record(samples) for plot in claim.plots]


def _with_advice(verdict: Verdict, complete: bool) -> Verdict:
    """Put the advice of the deciding cell on the verdict."""
    binding = verdict.binding
    if binding is None:
        advice = "Nothing was measured."
    else:
        advice = binding.advice if not binding.cell else f"[{binding.label}] {binding.advice}"
        if not complete and verdict.outcome is not Outcome.FAIL:
            advice = "Not every cell was measured; run the same command to go on. " + advice
    return replace(verdict, advice=advice)
