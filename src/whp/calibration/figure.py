"""The result of a calibration as a figure: every promised rate, measured over nominal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from whp.calibration.study import FACTOR, Standing
from whp.calibration.table import grouped
from whp.report.draw import log_axis
from whp.report.svg import BAD, CLAIM, GOOD, GRID, INK, MUTED, OPEN, PAPER, style, to_svg

Record = Mapping[str, Any]

COLOURS = {Standing.HOLDS: GOOD, Standing.EXCEEDS: BAD, Standing.OPEN: OPEN}
MARKERS = {Standing.HOLDS: "o", Standing.EXCEEDS: "X", Standing.OPEN: "D"}
TITLES = {
    "exact": "rules that claim an exact rate",
    "asymptotic": "rules that claim it asymptotically",
    "none": "no rate claimed: assumptions broken on purpose, and methods shown for contrast",
}
FLOOR, CEILING = 0.01, 30.0
"""Ratios that the axis shows; what is smaller, zero too, lies at its lower edge."""
WIDTH, LEFT, RIGHT, TITLE, PANEL, LABELS = 10.0, 1.4, 0.1, 0.35, 1.9, 1.15  # inches
LEAST_SHARE = 40
"""A group takes at least this part of all points, so that its label has room."""
KEY = f"dashed: nominal, dotted: {FACTOR:g} times; ● holds, ✕ exceeds, ◆ too few simulated claims"


def render_figure(record: Record) -> str:
    """The SVG text: one panel for each guarantee, one point for each promised rate."""
    panels = {key: points for key in TITLES if (points := _points(record["cells"], key))}
    height = len(panels) * (TITLE + PANEL + LABELS)
    with style():
        figure = Figure(figsize=(WIDTH, height))
        for place, (guarantee, points) in enumerate(panels.items()):
            bottom = height - (place + 1) * (TITLE + PANEL + LABELS) + LABELS
            axes = figure.add_axes(
                (LEFT / WIDTH, bottom / height, (WIDTH - LEFT - RIGHT) / WIDTH, PANEL / height)
            )
            _panel(axes, points)
            axes.set_title(TITLES[guarantee], loc="left", fontsize=9, color=INK)
            if place == 0:
                axes.set_title(KEY, loc="right", fontsize=7.5, color=MUTED)
        return to_svg(figure, description(record), standalone=True)


def description(record: Record) -> str:
    """What a screen reader says."""
    count = sum(rate["nominal"] is not None for cell in record["cells"] for rate in cell["rates"])
    return (
        f"{count} measured error rates over their nominal ones, with 95 % Clopper-Pearson intervals;"
        f" the rates that are claimed to be exact: {record['standing']}."
    )


def _points(cells: Sequence[Record], guarantee: str) -> dict[str, list[Record]]:
    """The promised rates of the cells with a guarantee that are above zero, by group."""
    found = {}
    for (study, group), rows in grouped(cells).items():
        rates = [
            rate for row in rows if row["guarantee"] == guarantee for rate in row["rates"] if rate["nominal"]
        ]
        if rates:
            found[group if group and group not in found else f"{study}: {group}".strip(": ")] = rates
    return found


def _panel(axes: Axes, groups: Mapping[str, Sequence[Record]]) -> None:
    low, high = math.log10(FLOOR), math.log10(CEILING)
    x, ticks, edges = 0, [], [-0.5]
    room = math.ceil(sum(map(len, groups.values())) / LEAST_SHARE)
    for rates in groups.values():
        start = x
        for rate in sorted(rates, key=lambda r: (float(r["ratio"]), r["high"] / r["nominal"])):
            colour, marker = (table[Standing(rate["standing"])] for table in (COLOURS, MARKERS))
            bottom, centre, top = (_place(rate[key] / rate["nominal"]) for key in ("low", "rate", "high"))
            axes.plot([x, x], [bottom, top], color=colour, linewidth=0.8)
            axes.plot(
                [x],
                [centre],
                marker,
                color=colour,
                markersize=3.4,
                markeredgecolor=PAPER,
                markeredgewidth=0.3,
            )
            x += 1
        x = max(x, start + room)
        ticks.append((start + x - 1) / 2)
        edges.append(x - 0.5)
    axes.axhline(0.0, color=CLAIM, linewidth=1.4, dashes=(4, 2))
    axes.axhline(math.log10(FACTOR), color=MUTED, linewidth=0.8, linestyle=":")
    for edge in edges[1:-1]:
        axes.axvline(edge, color=GRID, linewidth=0.8)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(low - 0.1, high)
    log_axis(axes, "y")
    axes.grid(visible=False, axis="x")
    axes.set_xticks(ticks, list(groups), rotation=30, ha="right", rotation_mode="anchor")
    axes.set_ylabel("measured / nominal rate")


def _place(ratio: float) -> float:
    return math.log10(min(max(ratio, FLOOR), CEILING))
