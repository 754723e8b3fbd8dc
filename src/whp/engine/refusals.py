"""Why a claim cannot PASS with its budget, and what would do, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from whp.claims.budget import Budget, Share
from whp.claims.check import Check
from whp.claims.claim import Claim
from whp.claims.experiment import PROFILES, CellSample
from whp.claims.referee import Referee
from whp.engine.forecast import Forecast, fewest, forecast
from whp.errors import UsageError

HIGHEST = 0.1  # no larger error rate of a run is ever advised


def forecasts(claim: Claim, profile: str, budget: Budget) -> list[Forecast]:
    """Of every check, without a look at the ledger.

    Raises
    ------
    UsageError
        If the claim's share of the budget does not even cover its certified statistics.
    """
    shares = Referee([claim], profile, budget).shares(claim)
    return [
        forecast(check, check.experiment.design(profile), shares[check.experiment.name])
        for check in claim.checks
    ]


def possible(claim: Claim, profile: str, budget: Budget) -> bool:
    """Whether the claim can PASS with this profile and budget."""
    try:
        return not any(f.refused or f.elsewhere for f in forecasts(claim, profile, budget))
    except UsageError:
        return False


def refusal(claim: Claim, profile: str, budget: Budget) -> str:
    """Say why the most trials of a profile cannot make a claim PASS, and what would do; or nothing."""
    try:
        shares = Referee([claim], profile, budget).shares(claim)
    except UsageError as error:
        words = ["a smaller failure_probability of its experiment", *_remedies(claim, profile, budget)]
        return f"{claim.id}: {error}; {_either(words)} would do"
    found = forecasts(claim, profile, budget)
    refused = [(check, f) for check, f in zip(claim.checks, found, strict=True) if f.refused]
    if not refused:
        return ""
    needs = [trials_that_do(check, profile, budget, shares[check.experiment.name]) for check, _ in refused]
    listed = dict.fromkeys(
        "more than a million" if need is None else f"at least {need}"
        for need in sorted(needs, key=lambda n: math.inf if n is None else n)
    )
    most = sorted({f.most for _, f in refused})
    tests = f" ({', '.join(f.check for _, f in refused)})" if len(found) > 1 else ""
    rate = min(shares[check.experiment.name].false_pass for check, _ in refused)
    words = _remedies(claim, profile, budget)
    too = f"; {_either(words)} would do too" if words else ""
    return (
        f"{claim.id}: the most trials a point must be {' and '.join(listed)} to PASS{tests} at its share"
        f" {rate:.2g} of the false-PASS rate, got {' and '.join(map(str, most))} in profile {profile}{too}"
    )


def trials_that_do(check: Check, profile: str, budget: Budget, share: Share) -> int | None:
    """Most trials a point with which the check can PASS; None where there is no such number.

    A certified statistic is charged for each trial, so that more trials leave a smaller share.
    """
    design = check.experiment.design(profile)
    samples = [CellSample(check.experiment, cell, design.points(cell), []) for cell in design.cells()]
    charge = check.experiment.failure_probability * max(len(sample.points) for sample in samples)
    most = design.trials[1]
    whole = (share.false_fail + charge * most, share.false_pass + charge * most)
    while min(whole) > charge * most:
        need = fewest(check, samples, whole[1] - charge * most)
        if need is None or need <= most:
            return None if need is None else most
        most = need
    return None


def _remedies(claim: Claim, profile: str, budget: Budget) -> list[str]:
    """What else the user could type."""
    found = []
    alpha = _alpha_that_does(claim, profile, budget)
    if alpha is not None:
        found.append(f"--alpha {alpha:g}")
    if budget.claims > 1 and possible(claim, profile, replace(budget, claims=1)):
        found.append("a run of this claim alone")
    others = [
        f"--profile {other}" for other in PROFILES if other != profile and possible(claim, other, budget)
    ]
    return found + others[:1]


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _alpha_that_does(claim: Claim, profile: str, budget: Budget) -> float | None:
    """The smallest rate of the run, to two digits, with which the trials are enough."""

    def enough(alpha: float) -> bool:
        return possible(claim, profile, Budget(budget.claims, alpha, alpha))

    low, high = math.log10(budget.false_pass), math.log10(HIGHEST)
    if low >= high or not enough(HIGHEST):
        return None
    while high - low > 0.004:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(10**middle) else (middle, high)
    unit = 10.0 ** (math.floor(high) - 1)
    return min(HIGHEST, float(f"{math.ceil(10**high / unit - 1e-9) * unit:.2g}"))
