"""Drawing what a report shows, here or by processes that are there already.

Drawing takes longer than all the rest of a report, and every figure is a function
of its record alone: workers that have nothing left to measure share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from dataclasses import dataclass

from whp.report.figures import panel_svg
from whp.report.plots import plot_svg
from whp.report.run import Record

SHARE = 8  # figures to a task: about a third of a second


@dataclass(frozen=True)
class Drawing:
    """One figure of the page: a panel of a cell, or else a plot of a claim.

    Attributes
    ----------
    record : mapping
        Of the cell, or of the plot.
    prefix : str
        Begins the ids of the figure.
    panel : bool
        Which of the two it is.
    """

    record: Record
    prefix: str
    panel: bool = True


def draw(drawings: Sequence[Drawing]) -> list[str]:
    """Draw in this process; the SVG text of each."""
    return [(panel_svg if each.panel else plot_svg)(each.record, each.prefix) for each in drawings]


def draw_all(drawings: Sequence[Drawing], workers: Executor | None = None) -> list[str]:
    """Draw, by the workers if there are any; the texts are the same.

    What workers do not bring back is drawn here.
    """
    if workers is None or len(drawings) <= SHARE:
        return draw(drawings)
    parts = [drawings[start : start + SHARE] for start in range(0, len(drawings), SHARE)]
    futures = [workers.submit(draw, part) for part in parts]
    drawn: list[str] = []
    for future, part in zip(futures, parts, strict=True):
        try:
            drawn += future.result()
        except (BrokenExecutor, CancelledError):
            drawn += draw(part)
    return drawn
