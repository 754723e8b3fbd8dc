"""What a run tells while it goes on, for a progress display."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from whp.claims.verdict import Verdict


@dataclass(frozen=True)
class RunStarted:
    """Once, before the first trial."""

    claims: int
    cells: int
    trials_known: int
    """Trials that the ledger already has."""
    seed: int


@dataclass(frozen=True)
class Progress:
    """Now and then.

    Planned is what the next look of every open cell needs; it grows while
    cells stay undecided. ``seconds_*`` are of trial time, summed over workers; ``time_left`` is of
    the clock, None until every experiment has been timed.
    """

    trials_done: int
    trials_planned: int
    seconds_done: float
    seconds_planned: float
    time_left: float | None


@dataclass(frozen=True)
class ClaimDecided:
    """All trials that a claim asks for are made; its verdict is final (INCONCLUSIVE included)."""

    verdict: Verdict
    finished: int
    claims: int


Event = RunStarted | Progress | ClaimDecided
Listener = Callable[[Event], None]
