"""Plots that a claim declares beside its decisions, as SVG."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from whp.report.draw import numbers
from whp.report.run import Record
from whp.report.svg import BAD, CLAIM, FIT, GOOD, MUTED, OPEN, style, to_svg
from whp.report.words import show

COLOURS = (FIT, BAD, GOOD, OPEN, CLAIM, MUTED)
WIDTH, HEIGHT, LEGEND = 4.3, 2.9, 0.17  # inches; the legend's height a row


def drawn(record: Record) -> list[Record]:
    """The plots of a claim that have something to show."""
    return [plot for plot in record.get("plots", []) if any(line["x"] for line in plot["lines"])]


def plot_svg(plot: Record, prefix: str = "q") -> str:
    """One plot, to be put in a page; ``prefix`` begins its ids."""
    with style():
        figure = Figure(figsize=(WIDTH, _height(plot)))
        _panel(figure, plot, 0)
        return to_svg(figure, plot["title"], prefix)


def plots_svg(record: Record) -> str:
    """All plots of a claim side by side, as a file of its own; empty where there is none."""
    plots = drawn(record)
    if not plots:
        return ""
    with style():
        figure = Figure(figsize=(WIDTH * len(plots), max(_height(plot) for plot in plots)))
        for index, plot in enumerate(plots):
            _panel(figure, plot, index)
        return to_svg(figure, f"{record['id']}: {'; '.join(p['title'] for p in plots)}", standalone=True)


def _rows(plot: Record) -> int:
    return (sum(bool(line["x"]) for line in plot["lines"]) + 1) // 2


def _height(plot: Record) -> float:
    return HEIGHT + LEGEND * _rows(plot)


def _panel(figure: Figure, plot: Record, index: int) -> None:
    """Draw in the ``index``-th column of the figure."""
    width, height = figure.get_size_inches()
    below = LEGEND * _rows(plot) + 0.08
    box = (
        (index * WIDTH + 0.62) / width,
        (below + 0.45) / height,
        (WIDTH - 0.75) / width,
        (height - below - 0.45 - 0.3) / height,
    )
    axes = figure.add_axes(box)
    for line in plot["lines"]:
        _curve(axes, plot, line)
    if plot["log_x"]:
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
    if plot["log_y"]:
        axes.set_yscale("log")
        _plain_ticks(axes.yaxis)
    axes.minorticks_off()
    axes.set_xlabel(plot["x"])
    axes.set_ylabel(plot["y"])
    axes.set_title(plot["title"], fontsize=8.5, loc="left")
    handles, labels = axes.get_legend_handles_labels()
    anchor = ((index * WIDTH + 0.5) / width, 0.01)
    figure.legend(
        handles, labels, loc="lower left", bbox_to_anchor=anchor, ncols=2, frameon=False, fontsize=7.5
    )


def _plain_ticks(axis: Axis) -> None:
    """Numbers in words of the report, as formulas are not drawn; more than one where there is no decade."""
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda x, position: show(x)))


def _curve(axes: Axes, plot: Record, line: Record) -> None:
    x, mean, low, high = (numbers(line[key]) for key in ("x", "mean", "low", "high"))
    keep = np.ones(len(x), bool)
    if plot["log_x"]:
        keep &= x > 0
    if plot["log_y"]:
        keep &= mean > 0  # a loss of exactly zero has no place on a logarithmic axis
    if not keep.any():
        return
    colour = COLOURS[line["colour"] % len(COLOURS)]
    dashes = (4, 2) if line["dashed"] else (None, None)
    marker = "o" if keep.sum() <= 12 else ""
    axes.plot(
        x[keep],
        mean[keep],
        color=colour,
        dashes=dashes,
        label=line["label"],
        linewidth=1.3,
        marker=marker,
        markersize=3,
    )
    if line["trials"] > 1:
        bottom = np.where(low > 0, low, mean) if plot["log_y"] else low
        axes.fill_between(x[keep], bottom[keep], high[keep], color=colour, alpha=0.15, linewidth=0)
