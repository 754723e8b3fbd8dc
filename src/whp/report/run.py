"""What a report says of the run as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from whp.errors import UsageError, require

Record = Mapping[str, Any]
"""A verdict as read from its JSON file; see ``verdict.schema.json``."""


@dataclass(frozen=True)
class RunInfo:
    """Facts of one run.

    Attributes
    ----------
    command : str
        The line that was typed.
    false_fail, false_pass : float
        The run's whole budget, over all of its claims.
    started : str
        ISO date, with or without the time of day.
    seconds : float
        Wall time.
    measured, reused : int
        Trials made in this run, and trials taken from the ledger.
    interrupted : bool
        Whether the run was stopped before every claim was decided or out of trials.
    environment : mapping of str to str
        Versions and machine.
    """

    command: str
    profile: str
    seed: int
    false_fail: float
    false_pass: float
    started: str
    seconds: float
    measured: int
    reused: int
    interrupted: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "environment": dict(self.environment)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RunInfo:
        """Read the JSON form.

        Raises
        ------
        UsageError
            If a fact is missing.
        """
        missing = [f.name for f in fields(cls) if f.name not in record]
        require(not missing, "run.json", "complete", f"no {', '.join(missing)}", UsageError)
        return cls(**{f.name: record[f.name] for f in fields(cls)})

    @classmethod
    def from_verdicts(cls, records: Sequence[Record], command: str) -> RunInfo:
        """What verdict files alone tell of the run that made them.

        The error rates are the sums of the claims' shares; of the date and of
        what was reused they say nothing.
        """
        require(bool(records), "verdicts", "at least one", len(records), UsageError)
        profiles = list(dict.fromkeys(str(record["profile"]) for record in records))
        return cls(
            command=command,
            profile=" + ".join(profiles),
            seed=int(records[0]["seed"]),
            false_fail=sum(float(record["false_fail"]) for record in records),
            false_pass=sum(float(record["false_pass"]) for record in records),
            started="",
            seconds=sum(float(record["seconds"]) for record in records),
            measured=sum(int(record["trials"]) for record in records),
            reused=0,
            environment=dict(records[0]["environment"]),
        )


@dataclass(frozen=True)
class BrokenFile:
    """A claim file that could not be read: the others still run, and the report says so."""

    file: str
    message: str
    line: int | None = None

    @property
    def where(self) -> str:
        """``FILE:LINE``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"
