"""A pair of ends."""

from __future__ import annotations

from dataclasses import dataclass

from whp.errors import require


@dataclass(frozen=True)
class Interval:
    """A closed interval ``[low, high]``; the ends may be infinite, never NaN."""

    low: float
    high: float

    def __post_init__(self) -> None:
        require(self.low <= self.high, "interval", "a pair low <= high", (self.low, self.high))

    @property
    def width(self) -> float:
        """``high - low``."""
        return self.high - self.low

    @property
    def midpoint(self) -> float:
        """The centre; NaN when both ends are infinite."""
        return 0.5 * (self.low + self.high)

    def contains(self, x: float) -> bool:
        """Whether ``low <= x <= high``."""
        return self.low <= x <= self.high

    def intersects(self, other: Interval) -> bool:
        """Whether the two intervals share a point."""
        return self.low <= other.high and other.low <= self.high

    def __str__(self) -> str:
        return f"[{self.low:.4g}, {self.high:.4g}]"
