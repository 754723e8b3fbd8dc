"""The one place where a run's error rates are split."""

from __future__ import annotations

from dataclasses import dataclass

from whp.errors import UsageError, require
from whp.stats import split


@dataclass(frozen=True)
class Share:
    """The part of the budget that one decision may spend.

    Attributes
    ----------
    false_fail : float
        Probability that a true statement FAILs by this decision.
    false_pass : float
        Probability that a statement off by the stated discrepancy PASSes.
    """

    false_fail: float
    false_pass: float


@dataclass(frozen=True)
class Budget:
    """A run's two error rates, over all of its claims.

    Both are split by the union bound, evenly over claims: claims share trials,
    so nothing about their dependence may be assumed. Within a claim a false
    FAIL in any decision fails the claim, so ``false_fail`` is split again over
    its decisions (tests, cells, levels); a false PASS of the claim needs every
    decision to pass, the false one included, so each decision may spend the
    claim's whole ``false_pass``.
    """

    claims: int
    false_fail: float = 0.01
    false_pass: float = 0.01

    def __post_init__(self) -> None:
        for name in ("false_fail", "false_pass"):
            value = getattr(self, name)
            require(0 < value < 0.5, name, "in (0, 0.5)", value, UsageError)
        require(self.claims >= 1, "number of claims", "at least 1", self.claims, UsageError)

    def claim_share(self) -> Share:
        """The share of one claim."""
        return Share(split(self.false_fail, self.claims), split(self.false_pass, self.claims))

    def decision_share(self, decisions: int, certificate: float = 0.0) -> Share:
        """The share of one of ``decisions`` decisions of a claim.

        ``certificate`` is the probability that any certified statistic that
        the decision rests on is wrong; it is taken from both rates first.
        """
        require(decisions >= 1, "number of decisions", "at least 1", decisions, UsageError)
        share = self.claim_share()
        false_fail = split(share.false_fail, decisions)
        fail_rate = false_fail - certificate
        pass_rate = share.false_pass - certificate
        require(
            min(fail_rate, pass_rate) > 0,
            "failure probability of the certified statistics",
            f"below the claim's share of the budget ({false_fail:.3g})",
            certificate,
            UsageError,
        )
        return Share(fail_rate, pass_rate)
