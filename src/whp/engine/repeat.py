"""The same claims again and again, each time with a fresh seed: what chance does to the verdicts.

Nothing differs between two runs but the seed, so every difference is an error
of the decisions: an A/A test. The runs share their workers, since starting
those takes longer than some of the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whp.claims.budget import Budget
from whp.claims.claim import Claim
from whp.claims.verdict import Outcome
from whp.devices import resolve_device
from whp.engine.choice import check_executor, make_executor
from whp.engine.lasting import Lasting
from whp.engine.runner import BrokenClaim, RunResult, run
from whp.errors import UsageError, require


@dataclass(frozen=True)
class Once:
    """One of the runs.

    Attributes
    ----------
    seed : int
        Its root seed; ``whp run ... --seed SEED`` makes it again.
    claims : mapping of str to Outcome
        The verdict on every claim.
    twins : mapping
        Claim id and name of a false twin to its outcome.
    measured, reused : int
        Trials made, and taken from the ledger.
    seconds : float
        Of the clock.
    """

    seed: int
    claims: Mapping[str, Outcome]
    twins: Mapping[str, Mapping[str, Outcome]]
    measured: int
    reused: int
    seconds: float

    @classmethod
    def of(cls, result: RunResult) -> Once:
        """What is kept of a run."""
        return cls(
            result.seed,
            {verdict.id: verdict.outcome for verdict in result.verdicts},
            {verdict.id: dict(verdict.twins) for verdict in result.verdicts},
            result.measured,
            result.reused,
            result.seconds,
        )


@dataclass(frozen=True)
class Repeated:
    """All runs that were finished.

    Attributes
    ----------
    corrected : frozenset of str
        Claims of which a corrected sibling exists: these are taken to be false
        as printed, all others to be true.
    interrupted : bool
        Whether Ctrl-C ended the series; the same call goes on where it stopped.
    broken : tuple of BrokenClaim
        Claims that could not be carried through; then the series ends.
    """

    runs: tuple[Once, ...]
    corrected: frozenset[str]
    interrupted: bool = False
    broken: tuple[BrokenClaim, ...] = ()

    def tally(self, id: str) -> dict[Outcome, int]:
        """How often a claim had each verdict."""
        return _count(once.claims[id] for once in self.runs)

    def tally_twin(self, id: str, name: str) -> dict[Outcome, int]:
        """How often a false twin had each outcome; FAIL is what it should have."""
        return _count(once.twins[id][name] for once in self.runs)

    @property
    def flipped(self) -> list[str]:
        """Claims that PASS in one run and FAIL in another."""
        tallies = {id: self.tally(id) for id in (self.runs[0].claims if self.runs else ())}
        return [id for id, tally in tallies.items() if tally[Outcome.PASS] and tally[Outcome.FAIL]]

    @property
    def false_fails(self) -> int:
        """Runs in which some claim that is taken to be true FAILs."""
        return sum(
            any(outcome is Outcome.FAIL and id not in self.corrected for id, outcome in once.claims.items())
            for once in self.runs
        )

    @property
    def false_passes(self) -> int:
        """Runs in which some claim that is taken to be false PASSes."""
        return sum(
            any(outcome is Outcome.PASS and id in self.corrected for id, outcome in once.claims.items())
            for once in self.runs
        )


def _count(outcomes: Any) -> dict[Outcome, int]:
    listed = list(outcomes)
    return {outcome: listed.count(outcome) for outcome in Outcome}


def repeat(
    claims: Sequence[Claim],
    *,
    profile: str,
    runs: int,
    seed: int,
    jobs: int | None = None,
    device: str = "cpu",
    ledger_path: Path,
    budget: Budget,
    on_run: Callable[[Once], None] | None = None,
    executor: str = "auto",
) -> Repeated:
    """Run the claims with the root seeds ``seed``, ``seed + 1``, ...

    Root seeds are hashed, so the streams of neighbouring ones have nothing in
    common. Trials are kept in the ledger: the same call resumes.

    Parameters
    ----------
    runs : int
        How many, at least 2.
    seed : int
        The first root seed. Designs are tuned on seed 0, so another one is fair.
    on_run : callable, optional
        Is told of every run when it is done.
    executor : str
        Where tasks run; see :func:`whp.engine.choice.make_executor`.

    Raises
    ------
    UsageError, LedgerError, ClaimError
        As :func:`whp.engine.runner.run`.
    """
    require(runs >= 2, "runs", "at least 2", runs, UsageError)
    check_executor(executor, jobs)
    where = str(resolve_device(device))
    corrected = frozenset(claim.corrects for claim in claims if claim.corrects)
    done: list[Once] = []
    workers = Lasting(lambda: make_executor(executor, jobs, where))
    try:
        for root in range(seed, seed + runs):
            result = run(
                claims,
                profile=profile,
                seed=root,
                device=where,
                ledger_path=ledger_path,
                budget=budget,
                executor=workers,
            )
            if result.interrupted or result.broken:
                return Repeated(tuple(done), corrected, result.interrupted, result.broken)
            done.append(Once.of(result))
            if on_run is not None:
                on_run(done[-1])
    except KeyboardInterrupt:  # between two runs
        return Repeated(tuple(done), corrected, interrupted=True)
    finally:
        workers.close()
    return Repeated(tuple(done), corrected)
