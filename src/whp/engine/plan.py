"""What a run would take, and what it could find out, before it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path

from whp import stats
from whp.claims.budget import Budget, Share
from whp.claims.check import Check
from whp.claims.claim import Claim
from whp.claims.experiment import Experiment
from whp.claims.exponents import ExponentCheck
from whp.claims.levels import Bound
from whp.claims.means import MeanCheck
from whp.claims.referee import Referee
from whp.claims.reproduction import Reproduction
from whp.claims.search import Always
from whp.engine.executors import LocalProcesses, SerialExecutor
from whp.engine.fingerprint import fingerprint
from whp.engine.ledger import Ledger, Stream, check_file
from whp.engine.runner import device_class, homes
from whp.engine.schedule import Cell
from whp.engine.worker import measure
from whp.errors import WhpError

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
    can_pass : bool
        False where even the most trials, all of them good, would not do.
    detectable : tuple of str
        For each check, what discrepancy the most trials would find.
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
    can_pass: bool
    detectable: tuple[str, ...]


@dataclass(frozen=True)
class _Costs:
    """What one experiment asks for."""

    cells: int
    points: int
    least: int
    most: int
    known: int
    seconds_least: float | None
    seconds_most: float | None


@dataclass(frozen=True)
class Plan:
    """The rows, and the time of the whole run: trials that claims share are counted once."""

    rows: tuple[PlanRow, ...]
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
    """Say what a run of the same arguments would take.

    Times come from the ledger; between and beyond the sizes that were timed
    they follow a power law. Without ``probe`` nothing is measured or written.

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
    referee = Referee(claims, profile, budget)
    places = homes(claims)
    check_file(ledger_path)
    ledger = Ledger(ledger_path) if probe or ledger_path.exists() else None
    costs: dict[str, _Costs] = {}
    try:
        cells: dict[str, list[Cell]] = {}
        for experiment in referee.experiments:
            home = places[experiment.name]
            digest = fingerprint(experiment, home)
            stream = Stream(digest, experiment.name, seed, experiment.dtype, device_class(device))
            values = experiment.design(profile).cells()
            cells[experiment.name] = [Cell(experiment, profile, v, home, stream) for v in values]
        if probe and ledger is not None:
            _probe([own[0] for own in cells.values() if not _timings(own, ledger)], ledger, device)
        for experiment in referee.experiments:
            own = cells[experiment.name]
            known = set(ledger.load(own[0].stream)) if ledger else set()
            timings = _timings(own, ledger) if ledger else {}
            costs[experiment.name] = _cost(experiment, profile, own, timings, known)
    finally:
        if ledger is not None:
            ledger.close()
    rows = tuple(_row(claim, profile, referee.shares(claim), costs) for claim in claims)
    return Plan(
        rows,
        _total([cost.seconds_least for cost in costs.values()]),
        _total([cost.seconds_most for cost in costs.values()]),
    )


def _row(claim: Claim, profile: str, shares: Mapping[str, Share], costs: Mapping[str, _Costs]) -> PlanRow:
    own = [costs[experiment.name] for experiment in claim.experiments()]
    found = [_found(check, profile, shares[check.experiment.name]) for check in claim.checks]
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
        can_pass=all(possible for possible, _ in found),
        detectable=tuple(text for _, text in found),
    )


def _cost(
    experiment: Experiment,
    profile: str,
    cells: Sequence[Cell],
    timings: Mapping[str, float],
    known: set[tuple[str, int]],
) -> _Costs:
    """Count the trials of an experiment, and the time of those that are not known."""
    looks = experiment.design(profile).looks()
    points = [lane.point for cell in cells for lane in cell.lanes]
    clock = Clock.of(experiment, profile, cells, timings)
    seconds: list[float | None] = []
    for count in (looks[0], looks[-1]):
        left = [sum((p.key, trial) not in known for trial in range(count)) for p in points]
        each = [clock.seconds(p.key) if n else 0.0 for p, n in zip(points, left, strict=True)]
        seconds.append(_total([None if s is None else n * s for n, s in zip(left, each, strict=True)]))
    have = sum((p.key, trial) in known for p in points for trial in range(looks[-1]))
    least, most = looks[0] * len(points), looks[-1] * len(points)
    return _Costs(len(cells), len(points), least, most, have, seconds[0], seconds[1])


def _timings(cells: Sequence[Cell], ledger: Ledger) -> dict[str, float]:
    """Mean seconds of a trial at the points of an experiment that were ever timed."""
    stream = cells[0].stream
    return ledger.timings(stream.fingerprint, stream.device)


class Clock:
    """Seconds of a trial at any point of an experiment, from those that were timed.

    Parameters
    ----------
    sizes : mapping of str to float
        Point key to the leading size.
    timings : mapping of str to float
        Point key to mean seconds, for some of the points.
    """

    def __init__(self, sizes: Mapping[str, float], timings: Mapping[str, float]) -> None:
        self._sizes = sizes
        self._timings = {key: timings[key] for key in sizes if key in timings}
        by_size: dict[float, list[float]] = {}
        for key, seconds in self._timings.items():
            by_size.setdefault(sizes[key], []).append(max(seconds, 1e-6))
        self._curve = sorted((size, sum(s) / len(s)) for size, s in by_size.items())

    @classmethod
    def of(
        cls, experiment: Experiment, profile: str, cells: Sequence[Cell], timings: Mapping[str, float]
    ) -> Clock:
        """The clock of an experiment; without a path every point has size 1."""
        path = experiment.design(profile).path
        points = [lane.point for cell in cells for lane in cell.lanes]
        return cls({p.key: float(p.values[path.lead]) if path else 1.0 for p in points}, timings)

    def seconds(self, key: str) -> float | None:
        """Of one trial at a point; None if no point was ever timed."""
        if key in self._timings or not self._curve:
            return self._timings.get(key)
        size = self._sizes[key]
        same = dict(self._curve).get(size)
        if same is not None:
            return same
        near = sorted(self._curve, key=lambda pair: abs(math.log(pair[0] / size)))[:2]
        (size0, seconds0), (size1, seconds1) = near[0], near[-1]
        slope = math.log(seconds1 / seconds0) / math.log(size1 / size0) if size1 != size0 else 2.0
        return seconds0 * float((size / size0) ** min(max(slope, 0.0), 4.0))


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


def _found(check: Check, profile: str, share: Share) -> tuple[bool, str]:
    """Whether the most trials can make a check PASS, and what they would find."""
    design = check.experiment.design(profile)
    most = design.looks()[-1]
    name = f"{check.name}: " if check.name else ""
    if isinstance(check, Bound):
        level = min(check.levels)
        need = stats.bernoulli_trials_needed(level, 0.0, share.false_pass)
        worse = stats.bernoulli_detectable(level, most, share.false_fail).high
        finds = f"finds a failure probability above {worse:.2g}" if worse <= 1 else "finds no excess"
        clean = need or "more than a million"
        text = f"{clean} clean trials certify {level:g}, at most {most} are made; {finds}"
        return need is not None and need <= most, name + text
    if isinstance(check, Always):
        return True, name + f"a counterexample among {most} searches a cell"
    if isinstance(check, Reproduction):
        values = design.points(design.cells()[0])[0].values
        if any(values.get(size) != printed for size, printed in (check.at or {}).items()):
            return False, name + "not at the printed sizes in this profile"
    if isinstance(check, MeanCheck) and check.deterministic:
        return True, name + "any difference: the statistic is not random"
    if isinstance(check, MeanCheck) and check.support is not None:
        return True, name + "a bounded mean: depends on how the trials spread"
    effect = stats.detectable(1.0, most, share.false_pass)
    if isinstance(check, (ExponentCheck, MeanCheck)) and math.isfinite(effect):
        what = "an exponent" if isinstance(check, ExponentCheck) else "a mean"
        return True, name + f"{what} off by {effect:.2g} standard deviations of one trial"
    return False, name + f"nothing: {most} trials are too few for any interval at these error rates"


def _total(parts: Sequence[float | None]) -> float | None:
    """The sum; None if a part is unknown."""
    known = [part for part in parts if part is not None]
    return math.fsum(known) if len(known) == len(parts) else None
