"""Figures of a claim: one panel a cell, as SVG."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from whp.claims.verdict import RANK, Outcome
from whp.report import draw
from whp.report.run import Record
from whp.report.svg import CLAIM, COLOURS, FIT, INK, style, to_svg
from whp.report.words import binding, cell_label, estimate_name, show, show_interval, value

# Inches: a panel's width, its height by what it shows, and its margins.
WIDTH = 3.3
HEIGHT = {"path": 3.3, "slope": 3.3, "bound": 3.3, "levels": 2.7, "means": 2.3, "data": 2.3}
LEFT, RIGHT, TOP, FOOT = 0.64, 0.08, 0.08, 0.4
TITLE, KEY = 0.56, 0.34


def mode(cell: Record) -> str:
    """What can be drawn of a cell: path, bound, levels, slope, means, data, or an empty string."""
    figure = cell["figure"]
    if "fit" in figure and figure.get("bound"):
        return "path"
    if figure.get("levels"):
        several = len({level["delta"] for level in figure["levels"]}) > 1
        return "levels" if several or not figure.get("bound") else "bound"
    if figure.get("means"):
        return "slope" if "slope" in figure else "means"
    several = len(figure.get("median", [])) > 1
    return "data" if several and any(value(x) for x in figure["maximum"]) else ""  # not where all is zero


def choose_cells(record: Record, limit: int = 6) -> list[Record]:
    """The cells to draw: the binding one, others that do not pass, one a test, then some spread evenly."""
    cells = [cell for cell in record["cells"] if mode(cell)]
    first = binding(record)
    order = sorted(
        range(len(cells)), key=lambda i: (cells[i] is not first, RANK[Outcome(cells[i]["verdict"])], i)
    )
    bad = [i for i in order if cells[i] is first or cells[i]["verdict"] != "PASS"]
    chosen = bad[: max(1, limit // 2)]
    tests = dict.fromkeys(str(cell["test"]) for cell in cells)
    for test in tests:
        if not any(cells[i]["test"] == test for i in chosen):
            chosen.append(next(i for i in order if cells[i]["test"] == test))
    chosen = chosen[:limit]
    rest = [i for i in range(len(cells)) if i not in chosen]
    room = min(limit - len(chosen), len(rest))
    chosen += [rest[(2 * k + 1) * len(rest) // (2 * room)] for k in range(room)]
    return [cells[i] for i in chosen]


def panel_svg(cell: Record, prefix: str = "p") -> str:
    """The panel of a cell, to be put in a page; empty where there is nothing to draw.

    ``prefix`` begins its ids, which must differ from all others of the page.
    """
    if not mode(cell):
        return ""
    with style():
        figure = Figure(figsize=(WIDTH, HEIGHT[mode(cell)]))
        _panel(figure, cell, 0.0, 0.0)
        return to_svg(figure, _description(cell), prefix)


def claim_svg(record: Record, limit: int = 3) -> str:
    """A file of its own: up to ``limit`` panels side by side, with a key; empty where nothing is drawn."""
    cells = choose_cells(record, limit)
    if not cells:
        return ""
    height = max(HEIGHT[mode(cell)] for cell in cells)
    several = len({cell["test"] for cell in record["cells"]}) > 1
    with style():
        figure = Figure(figsize=(WIDTH * len(cells), height + TITLE + KEY))
        for i, cell in enumerate(cells):
            base = KEY + height - HEIGHT[mode(cell)]
            _panel(figure, cell, i * WIDTH, base)
            place = (
                (i * WIDTH + LEFT) / (WIDTH * len(cells)),
                (KEY + height + 0.05) / (height + TITLE + KEY),
            )
            label = textwrap.fill(f"{cell['test']}: {cell_label(cell)}" if several else cell_label(cell), 46)
            drop = 1.25 * (label.count("\n") + 1) * 7.5 / 72 / (height + TITLE + KEY)  # a line's height each
            figure.text(*place, label, fontsize=7.5, verticalalignment="bottom")
            verdict = cell["verdict"]
            figure.text(place[0], place[1] + drop, verdict, fontweight="bold", color=COLOURS[verdict])
        handles = [handle for handle, modes in _key() if modes & {mode(cell) for cell in cells}]
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=8)
        description = f"{record['id']}: {'; '.join(_description(cell) for cell in cells)}"
        return to_svg(figure, description, standalone=True)


def _panel(figure: Figure, cell: Record, left: float, base: float) -> None:
    """Draw a cell with its lower left corner at a place, in inches."""
    what = mode(cell)
    low, high = base + FOOT, base + HEIGHT[what] - TOP
    two = {"path": draw.along_path, "slope": draw.printed_slope, "bound": draw.against_bound}
    if what in two:
        lower = _axes(figure, left, low, low + 0.95)
        upper = _axes(figure, left, low + 1.1, high)
        two[what](upper, lower, cell["figure"])
    else:
        axes = _axes(figure, left, low, high)
        drawing = {"levels": draw.against_levels, "means": draw.against_target, "data": draw.only_data}[what]
        drawing(axes, cell["figure"])


def _axes(figure: Figure, left: float, low: float, high: float) -> Axes:
    """Axes of the common width between two heights, in inches."""
    width, height = figure.get_size_inches()
    box = ((left + LEFT) / width, low / height, (WIDTH - LEFT - RIGHT) / width, (high - low) / height)
    axes = figure.add_axes(box)
    axes.yaxis.set_label_coords(-(LEFT - 0.22) / (WIDTH - LEFT - RIGHT), 0.5)
    return axes


def _description(cell: Record) -> str:
    """What a reader who cannot see the panel is told."""
    said = f"{estimate_name(cell)} {show(cell['estimate'])} {show_interval(cell['interval'])}"
    return f"{cell['test']}, {cell_label(cell)}: {cell['verdict']}, {said}"


def _key() -> list[tuple[Line2D, set[str]]]:
    """Keys of a file of its own, with the kinds of panel that they serve."""
    point = Line2D([], [], color=INK, marker="o", linewidth=0.9, label="trials: median, smallest to largest")
    fit = Line2D([], [], color=FIT, linewidth=1.5, label="fit, with band")
    claim = Line2D([], [], color=CLAIM, linewidth=1.5, dashes=(4, 2), label="as stated")
    return [
        (point, {"path", "bound", "data"}),
        (fit, {"path"}),
        (claim, {"path", "bound", "levels", "means"}),
    ]
