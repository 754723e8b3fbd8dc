"""What regression in Appendices J and K shares: the four settings, how a network is drawn, their curves."""

from __future__ import annotations

from dataclasses import dataclass

from whp.claims import Line
from whp.devices import as_dtype
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales


@dataclass(frozen=True)
class Setting:
    """One of the four pairs (gamma, alpha); without alpha for gamma = 1."""

    gamma: float
    alpha: float | None
    colour: int

    @property
    def label(self) -> str:
        """How legends and statistics call it."""
        return f"gamma {self.gamma:g}" + ("" if self.alpha is None else f", alpha {self.alpha:g}")


EVEN, MILD, STEEP, PURE = SETTINGS = (
    Setting(1.0, None, 0),
    Setting(0.5, 0.7, 1),
    Setting(0.5, 0.5, 2),
    Setting(0.0, 0.4, 4),
)


def network(rng, X, m, setting, activation, dtype, device):
    """Draw a network for inputs X; equal streams give all settings the same weights."""
    scales = node_scales(m, setting.gamma, setting.alpha)
    d = X.shape[1]
    return NodeScaled.draw(rng, d, d, scales, activation, as_dtype(dtype), device=device)


def curves(experiment, statistic, marks, prefix="", at=None):
    """One line a setting, over the steps that are looked at."""
    return [
        Line(
            setting.label,
            experiment=experiment,
            statistics={t: f"{prefix}{setting.label} {statistic} @{t}" for t in marks},
            at=at or {},
            colour=setting.colour,
        )
        for setting in SETTINGS
    ]


def difference(values, more, fewer):
    """Mean of the values of the settings ``more`` less that of ``fewer``."""
    return sum(values[s] for s in more) / len(more) - sum(values[s] for s in fewer) / len(fewer)


def mean_of(curve):
    """Mean over steps of each setting's value; one mapping a step."""
    return {s: sum(values[s] for values in curve) / len(curve) for s in SETTINGS}
