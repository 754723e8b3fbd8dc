"""What a claim owes its false twins: at least two, different ones, and none of its checks without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from whp.claims.check import Check
from whp.claims.claim import Claim
from whp.errors import ClaimError

LEAST = 2
"""One twin can be refuted for a reason that has nothing to do with what the check is about."""


def require_twins(claim: Claim) -> None:
    """Require of a claim enough false twins to have shown that it can fail.

    Not part of :func:`whp.claims.claim`: a claim that is being written may be
    run with one twin. ``whp check`` and the contract suite ask for all.

    Raises
    ------
    ClaimError
        If it has fewer than two; if two of a check are the same; or if a check
        has none and does not repeat another check that has.
    """
    for fault in twin_faults(claim):
        raise ClaimError(fault)


def twin_faults(claim: Claim) -> Iterator[str]:
    """Everything that is wrong with the twins of a claim, a sentence each."""
    count = len(claim.twin_checks())
    if count < LEAST:
        yield f"{claim.id}: twins must be at least two false versions, got {count}"
    twinned = [check for check in claim.checks if check.twins]
    for check in claim.checks:
        if not check.twins and not any(_repeats(check, other) for other in twinned):
            yield (
                f"{claim.id}: check {check.label!r} must have a false twin, or repeat another check that has"
                " for another statistic, got neither"
            )
        made = [(name, check.twin(name, twin)) for name, twin in check.twins.items()]
        for index, (name, one) in enumerate(made):
            same = [other for other, two in made[:index] if not _differ(one, two)]
            if same:
                yield (
                    f"{claim.id}: twins of check {check.label!r} must be different,"
                    f" got the same statement as {same[0]!r} and {name!r}"
                )


def _decisive(check: Check) -> list[str]:
    return [field.name for field in fields(check) if field.name not in check.shown]


def _differ(one: Check, two: Check) -> bool:
    return any(not one.same_field(two, name) for name in _decisive(one))


def _repeats(check: Check, other: Check) -> bool:
    """Whether a check says of one statistic what another says of another."""
    names = [name for name in _decisive(check) if name != "statistic"]
    return type(check) is type(other) and all(check.same_field(other, name) for name in names)
