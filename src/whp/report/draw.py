"""What is drawn of a cell: along a path, against levels, against accepted means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from whp.report.svg import CLAIM, COLOURS, FIT, INK, MARKERS, MUTED, PAPER
from whp.report.words import power, show, value

Figure = Mapping[str, Any]


def numbers(values: Sequence[Any] | None) -> np.ndarray:
    """Read a list of JSON numbers, NaN where there is none."""
    return np.array([value(x) for x in values or []], dtype=float)


def axis_sizes(figure: Figure) -> np.ndarray:
    """The lead size at the points, or their number where there is no path."""
    sizes = numbers(figure.get("sizes"))
    count = len(figure.get("median") or figure.get("means") or [])
    return sizes if len(sizes) else np.arange(1.0, count + 1)


def along_path(top: Axes, bottom: Axes, figure: Figure) -> None:
    """Data, fit with band and printed rate on log-log axes; below, the local slopes of Y/r."""
    sizes = axis_sizes(figure)
    rate = numbers(figure["bound"])
    data(top, sizes, figure)
    fit = {key: value(x) for key, x in figure["fit"].items()}
    logs = np.log(sizes)
    centre = float(logs.mean())
    level = fit["intercept"] + fit["slope"] * centre

    def line(slope: float) -> np.ndarray:
        points: np.ndarray = np.log10(rate) + (level + slope * (logs - centre)) / math.log(10)
        return points

    x = np.log10(sizes)
    if math.isfinite(fit["low"]) and math.isfinite(fit["high"]):
        top.fill_between(x, line(fit["low"]), line(fit["high"]), color=FIT, alpha=0.18, linewidth=0)
    top.plot(x, line(fit["slope"]), color=FIT, linewidth=1.3)
    start = math.log10(value(figure["median"][0]))
    top.plot(x, start + np.log10(rate / rate[0]), color=CLAIM, linewidth=1.5, dashes=(4, 2))
    log_axis(top, "y")
    top.set_ylabel("Y")
    size_axis(top, sizes, "")
    top.tick_params(labelbottom=False)

    _slopes(bottom, figure.get("local_slopes", []), fit, 0.0, figure.get("accepted"))
    size_axis(bottom, sizes, str(figure.get("lead", "")))
    bottom.set_xlim(top.get_xlim())
    bottom.set_ylabel("slope of Y" if bool(np.all(rate == 1)) else "slope of Y/r")


def printed_slope(top: Axes, bottom: Axes, figure: Figure) -> None:
    """Data with the printed and the measured slope over the range it is printed for; below, local slopes."""
    sizes = axis_sizes(figure)
    data(top, sizes, figure)
    stated, mean = figure["slope"], figure["means"][0]
    inside = (sizes >= value(stated["from"])) & (sizes <= value(stated["to"]))
    x, y = np.log10(sizes[inside]), np.log10(numbers(figure["median"])[inside])
    for slope, colour, dashes in (
        (value(mean["estimate"]), FIT, ()),
        (value(stated["printed"]), CLAIM, (4, 2)),
    ):
        top.plot(x, y.mean() + slope * (x - x.mean()), color=colour, linewidth=1.4, dashes=dashes or (1, 0))
    log_axis(top, "y")
    top.set_ylabel("Y")
    size_axis(top, sizes, "")
    top.tick_params(labelbottom=False)

    fit = {"slope": value(mean["estimate"]), "low": value(mean["low"]), "high": value(mean["high"])}
    accepted = {"low": mean["accept_low"], "high": mean["accept_high"]}
    _slopes(bottom, figure.get("local_slopes", []), fit, value(stated["printed"]), accepted)
    size_axis(bottom, sizes, str(figure.get("lead", "")))
    bottom.set_xlim(top.get_xlim())
    bottom.set_ylabel("slope of Y")


def _slopes(
    axes: Axes,
    local: Sequence[Figure],
    fit: Mapping[str, float],
    claimed: float,
    accepted: Mapping[str, Any] | None,
) -> None:
    """Local slopes with their intervals, the whole slope as a band, the claimed one as a line."""
    centres = [value(s["estimate"]) for s in local]
    ends = [value(s[key]) for s in local for key in ("low", "high")]
    edges = [value(accepted[key]) for key in ("low", "high")] if accepted else []
    finite = [x for x in [claimed, *centres, fit["slope"], *edges] if math.isfinite(x)]
    # An interval much wider than what it is about runs out of the panel.
    reach = max(0.25, 1.5 * (max(finite) - min(finite)))
    floor, ceiling = min(finite) - reach, max(finite) + reach
    shown = [
        min(max(x, floor), ceiling) for x in [*finite, *ends, fit["low"], fit["high"]] if not math.isnan(x)
    ]
    low, high = min(shown), max(shown)
    pad = 0.08 * (high - low) or 0.05
    axes.set_ylim(low - pad, high + pad)
    if math.isfinite(fit["low"]) and math.isfinite(fit["high"]):
        axes.axhspan(fit["low"], fit["high"], color=FIT, alpha=0.18, linewidth=0)
    axes.axhline(fit["slope"], color=FIT, linewidth=1.0)
    axes.axhline(claimed, color=CLAIM, linewidth=1.5, dashes=(4, 2))
    for edge in edges:
        if math.isfinite(edge) and edge != claimed:
            axes.axhline(edge, color=MUTED, linewidth=0.9, linestyle=":")
    for slope, centre in zip(local, centres, strict=True):
        a, b = (math.log10(value(slope[key])) for key in ("size_low", "size_high"))
        whisker = [_within(value(slope[key]), low - 2 * pad, high + 2 * pad) for key in ("low", "high")]
        axes.plot([(a + b) / 2] * 2, whisker, color=INK, linewidth=0.9)
        axes.plot([a, b], [centre, centre], color=INK, linewidth=0.9, alpha=0.5)
        axes.plot([(a + b) / 2], [centre], "s", color=INK, markersize=3.2)
    linear_axis(axes, 4)


def _within(x: float, low: float, high: float) -> float:
    """The nearest value between the ends; the low end where there is none."""
    return low if math.isnan(x) else min(max(x, low), high)


def data(axes: Axes, sizes: np.ndarray, figure: Figure) -> None:
    """Median with a whisker from the smallest to the largest trial, on log axes."""
    x = np.log10(sizes)
    median, low, high = (numbers(figure[key]) for key in ("median", "minimum", "maximum"))
    floor = _floor(median, low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        axes.vlines(
            x, np.log10(np.maximum(low, floor)), np.log10(np.maximum(high, floor)), color=INK, linewidth=0.9
        )
        axes.plot(x, np.where(median > 0, np.log10(np.maximum(median, floor)), np.nan), "o", color=INK)


def _floor(*series: np.ndarray) -> float:
    """A tenth of the smallest positive value: where zero is put on a log axis."""
    positive = [x for values in series for x in values if math.isfinite(x) and x > 0]
    return min(positive) / 10 if positive else 1e-300


def against_bound(top: Axes, bottom: Axes, figure: Figure) -> None:
    """Data under the bound along the path; below, how often it was broken, against delta."""
    sizes = axis_sizes(figure)
    data(top, sizes, figure)
    bound = numbers(figure.get("bound"))
    top.plot(np.log10(sizes), np.log10(bound), color=CLAIM, linewidth=1.5, dashes=(4, 2))
    log_axis(top, "y")
    top.set_ylabel("Y and bound B")
    size_axis(top, sizes, "")
    top.tick_params(labelbottom=False)
    levels = figure["levels"]
    _probabilities(bottom, [math.log10(sizes[int(level["point"])]) for level in levels], levels)
    bottom.axhline(math.log10(value(levels[0]["delta"])), color=CLAIM, linewidth=1.5, dashes=(4, 2))
    size_axis(bottom, sizes, str(figure.get("lead", "")))
    bottom.set_xlim(top.get_xlim())
    bottom.set_ylabel("P(Y > B)")


def against_levels(axes: Axes, figure: Figure) -> None:
    """Measured failure probability at every level of a tail bound, against the level itself."""
    levels = figure["levels"]
    deltas = np.log10([value(level["delta"]) for level in levels])
    points = sorted({int(level["point"]) for level in levels})
    distinct = np.unique(deltas)
    gap = float(np.diff(distinct).min()) if len(distinct) > 1 else 0.2
    shift = {p: 0.6 * gap * ((i + 0.5) / len(points) - 0.5) for i, p in enumerate(points)}
    _probabilities(axes, [d + shift[int(v["point"])] for d, v in zip(deltas, levels, strict=True)], levels)
    ends = [float(distinct[0]) - gap / 2, float(distinct[-1]) + gap / 2]
    axes.plot(ends, ends, color=CLAIM, linewidth=1.5, dashes=(4, 2))
    axes.set_xlim(*ends)
    log_axis(axes, "x")
    axes.set_xlabel("level δ")
    axes.set_ylabel("measured P(U ≤ δ)")


def _probabilities(axes: Axes, places: Sequence[float], levels: Sequence[Figure]) -> None:
    """Estimates with intervals on a log axis; zero, and what is too small for it, lies at its lower edge."""
    known = [value(v[key]) for v in levels for key in ("delta", "high", "estimate")]
    floor = math.log10(min(x for x in known if x > 0)) - 0.4
    highest = floor
    for x, level in zip(places, levels, strict=True):
        chances = (value(level[key]) for key in ("low", "high", "estimate"))
        low, high, centre = (max(math.log10(p), floor) if p > 0 else floor for p in chances)
        mark(axes, x, centre, low, high, str(level["verdict"]))
        highest = max(highest, high, math.log10(value(level["delta"])))
    axes.set_ylim(floor - 0.12, highest + 0.12)
    log_axis(axes, "y")
    if any(value(level["estimate"]) == 0 for level in levels):
        names = [text.get_text() for text in axes.get_yticklabels()]
        kept = [(t, n) for t, n in zip(axes.get_yticks(), names, strict=True) if t > floor + 0.2]
        axes.set_yticks([floor, *(t for t, _ in kept)], ["0", *(n for _, n in kept)])


def against_target(axes: Axes, figure: Figure) -> None:
    """Means with intervals at every point, and what would be accepted."""
    means = figure["means"]
    sizes = axis_sizes(figure)
    x = np.log10(sizes)
    inside = [
        value(m[key]) for m in means for key in ("estimate", "low", "high", "accept_low", "accept_high")
    ]
    finite = [v for v in inside if math.isfinite(v)]
    low, high = min(finite), max(finite)
    pad = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - pad, high + pad
    half = 0.35 * float(np.diff(x).min()) if len(x) > 1 else 0.2
    for at, mean in zip(x, means, strict=True):
        accept = [_within(value(mean[key]), low, high) for key in ("accept_low", "accept_high")]
        axes.fill_between([at - half, at + half], accept[0], accept[1], color=CLAIM, alpha=0.3, linewidth=0)
        ends = [_within(value(mean[key]), low, high) for key in ("low", "high")]
        mark(axes, at, value(mean["estimate"]), ends[0], ends[1], str(mean["verdict"]))
    axes.set_ylim(low, high)
    axes.set_xlim(x[0] - 1.6 * half, x[-1] + 1.6 * half)
    linear_axis(axes, 5)
    size_axis(axes, sizes, str(figure.get("lead", "")), keep=True)
    if not figure.get("sizes"):
        axes.set_xticks([])
        axes.set_xlabel("")
    axes.set_ylabel("mean of Y")


def only_data(axes: Axes, figure: Figure) -> None:
    """The statistic along the path, where nothing was fitted."""
    sizes = axis_sizes(figure)
    x = np.log10(sizes)
    median, low, high = (numbers(figure[key]) for key in ("median", "minimum", "maximum"))
    axes.vlines(x, low, high, color=INK, linewidth=0.9)
    axes.plot(x, median, "o", color=INK)
    linear_axis(axes, 5)
    size_axis(axes, sizes, str(figure.get("lead", "")))
    axes.set_ylabel("Y")


def mark(axes: Axes, x: float, centre: float, low: float, high: float, verdict: str) -> None:
    """An estimate with its interval, in the colour and shape of its verdict."""
    colour = COLOURS[verdict]
    axes.plot([x, x], [low, high], color=colour, linewidth=1.1)
    axes.plot(
        [x],
        [centre],
        MARKERS[verdict],
        color=colour,
        markersize=4.4,
        markeredgecolor=PAPER,
        markeredgewidth=0.4,
    )


def size_axis(axes: Axes, sizes: np.ndarray, name: str, keep: bool = False) -> None:
    """Label the sizes themselves, as many as fit."""
    x = np.log10(sizes)
    span = float(x[-1] - x[0]) or 1.0
    ticks: list[int] = []
    for i in reversed(range(len(x))):
        if not ticks or x[ticks[-1]] - x[i] > 0.13 * span:
            ticks.append(i)
    axes.set_xticks([float(x[i]) for i in ticks], [f"{sizes[i]:g}" for i in ticks])
    if not keep:
        axes.set_xlim(float(x[0]) - 0.06 * span, float(x[-1]) + 0.06 * span)
    axes.set_xlabel(name)


def log_axis(axes: Axes, which: str) -> None:
    """Ticks for an axis that holds decimal logarithms: decades, or 1-2-5, or round numbers, by its span."""
    low, high = axes.get_ylim() if which == "y" else axes.get_xlim()
    span = high - low
    if span >= 2:
        step = math.ceil(span / 5)
        ticks = [float(k) for k in range(math.ceil(low), math.floor(high) + 1) if k % step == 0]
        names = [show(10.0**t) if -3 < t < 4 else power(int(t)) for t in ticks]
    else:
        ticks, names = _inside_decades(low, high)
    setter: Callable[..., Any] = axes.set_yticks if which == "y" else axes.set_xticks
    setter(ticks, names)
    limits = axes.set_ylim if which == "y" else axes.set_xlim
    limits(low, high)


def _inside_decades(low: float, high: float) -> tuple[list[float], list[str]]:
    """Ticks for less than two decades: 1-2-5 or 1-2-3-5-7 if three of them fit, else round numbers."""
    for leading in ((1, 2, 5), (1, 2, 3, 5, 7)):
        values = [m * 10.0**k for k in range(math.floor(low), math.ceil(high) + 1) for m in leading]
        ticks = [math.log10(v) for v in values if low <= math.log10(v) <= high]
        if len(ticks) >= 3:
            return ticks, [show(10**t) for t in ticks]
    values, names = _round(10**low, 10**high, 5)
    return [math.log10(v) for v in values if v > 0], names[-sum(v > 0 for v in values) :]


def linear_axis(axes: Axes, count: int) -> None:
    """Round numbers, with a true minus sign."""
    low, high = axes.get_ylim()
    ticks, names = _round(low, high, count)
    axes.set_yticks(ticks, names)
    axes.set_ylim(low, high)


def _round(low: float, high: float, count: int) -> tuple[list[float], list[str]]:
    """At most so many round numbers between two, and their names."""
    ticks = [float(t) for t in MaxNLocator(count).tick_values(low, high) if low <= t <= high]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(high - low) or 1.0
    digits = 3
    while digits < 8 and len({show(t, digits) for t in ticks}) < len(ticks):
        digits += 1
    return ticks, [show(0.0 if abs(t) < 1e-9 * step else t, digits) for t in ticks]
