"""What a run would take, and what it could find out, before it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from whp.claims.budget import Budget, Share
from whp.claims.claim import Claim
from whp.claims.experiment import Experiment
from whp.claims.referee import Referee
from whp.claims.verdict import number
from whp.engine.executors import LocalProcesses, SerialExecutor
from whp.engine.fingerprint import fingerprint
from whp.engine.forecast import Forecast, forecast
from whp.engine.ledger import Ledger, Stream, check_file
from whp.engine.needs import missing_needs
from whp.engine.pilots import Clock, Pilot, find_pilot
from whp.engine.refusals import refusal
from whp.engine.runner import device_class, homes
from whp.engine.schedule import Cell
from whp.engine.worker import measure
from whp.errors import UsageError, WhpError

PROBE = 1.0  # seconds that a probe gives to an experiment


@dataclass(frozen=True)
class PlanRow:
    """What one claim asks for.

    Attributes
    ----------
    cells, points : int
        Over all of its experiments.
    trials_least, trials_most : int
        Over all points; a claim ends between the two.
    trials_known : int
        Of those, in the ledger already.
    seconds_least, seconds_most : float or None
        Of trial time still to be spent, over all workers; None where an
        experiment was never timed. Claims that share trials each count them.
    whole_least, whole_most : float or None
        The same with the trials that are in the ledger already.
    checks : tuple of Forecast
        What each of its checks needs and would find.
    """

    id: str
    kind: str
    cells: int
    points: int
    trials_least: int
    trials_most: int
    trials_known: int
    seconds_least: float | None
    seconds_most: float | None
    whole_least: float | None
    whole_most: float | None
    checks: tuple[Forecast, ...]

    @property
    def can_pass(self) -> bool:
        """Whether there are data that PASS."""
        return not any(check.refused or check.elsewhere for check in self.checks)

    def record(self) -> dict[str, Any]:
        """The JSON form, for comparison with what will have been made: trials are those of the verdict."""
        names = (
            "check",
            "least",
            "most",
            "fewest",
            "needed",
            "expected",
            "detectable",
            "in_sd",
            "elsewhere",
            "text",
        )
        return {
            "id": self.id,
            "trials_least": sum(check.places * check.least for check in self.checks),
            "trials_most": sum(check.places * check.most for check in self.checks),
            "trials_known": self.trials_known,
            "seconds_least": self.whole_least,
            "seconds_most": self.whole_most,
            "checks": [
                {name: getattr(check, name) for name in names} | {"detectable": number(check.detectable)}
                for check in self.checks
            ],
        }


@dataclass(frozen=True)
class _Costs:
    """What one experiment asks for; ``whole`` counts the trials that are known too."""

    cells: int
    points: int
    least: int
    most: int
    known: int
    seconds_least: float | None
    seconds_most: float | None
    whole_least: float | None
    whole_most: float | None


@dataclass(frozen=True)
class Plan:
    """What a run of some claims asks for.

    Attributes
    ----------
    rows : tuple of PlanRow
        Of the claims that their share of the budget allows at all.
    refused : mapping of str to str
        Claim that cannot PASS to the sentence that says so and what would do.
    impossible : tuple of str
        Those of the refused that cannot even be run: their certified
        statistics cost more than their share of the budget.
    seconds_least, seconds_most : float or None
        Of the whole run: trials that claims share are counted once.
    """

    rows: tuple[PlanRow, ...]
    refused: Mapping[str, str]
    impossible: tuple[str, ...]
    seconds_least: float | None
    seconds_most: float | None


def plan(
    claims: Sequence[Claim],
    *,
    profile: str,
    budget: Budget,
    seed: int,
    ledger_path: Path,
    device: str = "cpu",
    probe: bool = False,
) -> Plan:
    """Say what a run of the same arguments would take, and which claims it could not PASS.

    Times come from the ledger; between and beyond the sizes that were timed
    they follow a power law. The spread of trials is that seen in this profile,
    or else in another. Without ``probe`` nothing is measured or written.

    Parameters
    ----------
    probe : bool
        Make the first trials of experiments that were never timed, the
        smallest points first, for about a second each. They are kept.

    Raises
    ------
    LedgerError
        If the ledger cannot be used.
    """
    refused = {claim.id: sentence for claim in claims if (sentence := refusal(claim, profile, budget))}
    able = [claim for claim in claims if claim.id not in refused or _affordable(claim, profile, budget)]
    if not able:
        return Plan((), refused, tuple(refused), None, None)
    referee = Referee(able, profile, budget)
    places = homes(able)
    check_file(ledger_path)
    ledger = Ledger(ledger_path) if probe or ledger_path.exists() else None
    costs: dict[str, _Costs] = {}
    pilots: dict[str, Pilot | None] = {}
    try:
        cells: dict[str, list[Cell]] = {}
        for experiment in referee.experiments:
            home = places[experiment.name]
            digest = fingerprint(experiment, home)
            stream = Stream(digest, experiment.name, seed, experiment.dtype, device_class(device))
            values = experiment.design(profile).cells()
            cells[experiment.name] = [Cell(experiment, profile, v, home, stream) for v in values]
        if probe and ledger is not None:
            untimed = [own[0] for own in cells.values() if not _timings(own, ledger)]
            _probe([cell for cell in untimed if not missing_needs(cell.experiment)], ledger, device)
        for experiment in referee.experiments:
            own = cells[experiment.name]
            known = set(ledger.load(own[0].stream)) if ledger else set()
            timings = _timings(own, ledger) if ledger else {}
            costs[experiment.name] = _cost(experiment, profile, own, timings, known)
            pilots[experiment.name] = (
                find_pilot(experiment, profile, own[0].stream, ledger) if ledger else None
            )
    finally:
        if ledger is not None:
            ledger.close()
    return Plan(
        tuple(_row(claim, profile, referee.shares(claim), costs, pilots) for claim in able),
        refused,
        tuple(claim.id for claim in claims if claim not in able),
        _total([cost.seconds_least for cost in costs.values()]),
        _total([cost.seconds_most for cost in costs.values()]),
    )


def _affordable(claim: Claim, profile: str, budget: Budget) -> bool:
    """Whether the claim's share of the budget covers its certified statistics."""
    try:
        Referee([claim], profile, budget)
    except UsageError:
        return False
    return True


def _row(
    claim: Claim,
    profile: str,
    shares: Mapping[str, Share],
    costs: Mapping[str, _Costs],
    pilots: Mapping[str, Pilot | None],
) -> PlanRow:
    own = [costs[experiment.name] for experiment in claim.experiments()]
    return PlanRow(
        id=claim.id,
        kind=claim.kind,
        cells=sum(cost.cells for cost in own),
        points=sum(cost.points for cost in own),
        trials_least=sum(cost.least for cost in own),
        trials_most=sum(cost.most for cost in own),
        trials_known=sum(cost.known for cost in own),
        seconds_least=_total([cost.seconds_least for cost in own]),
        seconds_most=_total([cost.seconds_most for cost in own]),
        whole_least=_total([cost.whole_least for cost in own]),
        whole_most=_total([cost.whole_most for cost in own]),
        checks=tuple(
            _reachable(forecast(check, e.design(profile), shares[e.name], pilots[e.name]), e)
            for check, e in ((check, check.experiment) for check in claim.checks)
        ),
    )


def _reachable(made: Forecast, experiment: Experiment) -> Forecast:
    """A forecast, if what the experiment needs is there."""
    absent = missing_needs(experiment)
    return replace(made, elsewhere=absent, text=f"not measured: {absent}") if absent else made


def _cost(
    experiment: Experiment,
    profile: str,
    cells: Sequence[Cell],
    timings: Mapping[str, float],
    known: set[tuple[str, int]],
) -> _Costs:
    """Count the trials of an experiment, and the time of those that are not known."""
    looks = experiment.design(profile).looks()
    keys = [lane.point.key for cell in cells for lane in cell.lanes]
    clock = Clock.of(experiment, profile, timings)
    left: list[float | None] = []
    whole: list[float | None] = []
    for count in (looks[0], looks[-1]):
        waiting = [sum((key, trial) not in known for trial in range(count)) for key in keys]
        for seconds, counts in ((left, waiting), (whole, [count] * len(keys))):
            each = [clock.seconds(key) if n else 0.0 for key, n in zip(keys, counts, strict=True)]
            seconds.append(_total([None if s is None else n * s for n, s in zip(counts, each, strict=True)]))
    have = sum((key, trial) in known for key in keys for trial in range(looks[-1]))
    least, most = looks[0] * len(keys), looks[-1] * len(keys)
    return _Costs(len(cells), len(keys), least, most, have, *left, *whole)


def _timings(cells: Sequence[Cell], ledger: Ledger) -> dict[str, float]:
    """Mean seconds of a trial at the points of an experiment that were ever timed."""
    stream = cells[0].stream
    return ledger.timings(stream.fingerprint, stream.device)


def _probe(cells: Sequence[Cell], ledger: Ledger, device: str) -> None:
    """Make the first trials of some cells, smallest points first, and keep them.

    The very first of a cell is slow (imports, compilation), so its first point has two.
    """
    with SerialExecutor() if device.startswith("cuda") else LocalProcesses(1) as workers:
        for cell in cells:
            spent = 0.0
            for index, lane in enumerate(cell.lanes):
                trials = (0, 1) if index == 0 and cell.most > 1 else (0,)
                try:
                    results = workers.submit(measure, cell.task(lane, device, trials)).result()
                except (BrokenExecutor, WhpError):
                    break  # the run will find out and say so
                ledger.put_many((cell.stream, lane.point.key, trial, result) for trial, result in results)
                spent += results[-1][1].seconds
                if spent > PROBE:
                    break
    ledger.flush()


def _total(parts: Sequence[float | None]) -> float | None:
    """The sum; None if a part is unknown."""
    known = [part for part in parts if part is not None]
    return math.fsum(known) if len(known) == len(parts) else None
