"""From a matplotlib figure to a small, deterministic SVG that follows the page's colour scheme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from whp.claims.verdict import Outcome

# Stand-ins, drawn by matplotlib and replaced below: each is a CSS variable on the page, and a fixed
# colour in a file of its own. The hues are those of Okabe and Ito, which the colour-blind can tell apart.
INK, MUTED, GRID, PAPER = "#010201", "#010202", "#010203", "#010204"
FIT, CLAIM, GOOD, BAD, OPEN = "#010205", "#010206", "#010207", "#010208", "#010209"
VARIABLES = {
    INK: ("ink", "#1b1f24"),
    MUTED: ("muted", "#59636e"),
    GRID: ("grid", "#d9dee4"),
    PAPER: ("paper", "#ffffff"),
    FIT: ("fit", "#0072b2"),
    CLAIM: ("claim", "#cc79a7"),
    GOOD: ("pass", "#009e73"),
    BAD: ("fail", "#d55e00"),
    OPEN: ("open", "#e69f00"),
}
# Colour is never alone: each verdict has its own shape too.
COLOURS = {Outcome.PASS.value: GOOD, Outcome.FAIL.value: BAD, Outcome.INCONCLUSIVE.value: OPEN}
MARKERS = {Outcome.PASS.value: "o", Outcome.FAIL.value: "X", Outcome.INCONCLUSIVE.value: "D"}
STYLE = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "svg.hashsalt": "whp",
    "font.size": 8.0,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "none",
    "lines.markersize": 4.0,
    "path.simplify": True,
}
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

ID = re.compile(r"(#|id=\")([A-Za-z][\w.-]*)")
"""A mention of an id, or the id itself."""


@contextmanager
def style() -> Iterator[None]:
    """Draw with the report's style, whatever the user's own settings are."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def to_svg(figure: Figure, description: str, prefix: str = "p", standalone: bool = False) -> str:
    """Return the SVG text: the same bytes for the same figure.

    Parameters
    ----------
    figure : Figure
        Drawn inside :func:`style`.
    description : str
        What a screen reader says.
    prefix : str
        Begins every id, so that a page can hold many figures.
    standalone : bool
        A file of its own, with fixed colours on white, instead of a part of a page.
    """
    stream = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = dict.fromkeys(re.findall(r"#([A-Za-z][\w.-]*)", text))
    text = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", text)
    short = {name: f"{prefix}-{index}" for index, name in enumerate(used)}
    text = ID.sub(lambda match: match[1] + short.get(match[2], match[2]), text)
    text = re.sub(r"font-family: [^;\"]*", f"font-family: {SANS if standalone else 'inherit'}", text)
    text = re.sub(
        r"(font: [^;\"]*?[0-9.]+px )[^;\"]*", rf"\g<1>{SANS if standalone else 'system-ui, sans-serif'}", text
    )
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), text)  # 0.01 pt is enough
    text = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r"> <", "><", text)
    for stand_in, (name, colour) in VARIABLES.items():
        text = text.replace(stand_in, colour if standalone else f"var(--{name})")
    width, height = (f"{72 * inches:.0f}" for inches in figure.get_size_inches())
    background = f'<rect width="{width}" height="{height}" fill="#fff"/>' if standalone else ""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' viewBox="0 0 {width} {height}" width="{width}pt" height="{height}pt" role="img"'
        f' aria-label="{_attribute(description)}">'
    )
    return opening + background + text[text.index(">") + 1 :].strip() + ("\n" if standalone else "")


def _attribute(text: str) -> str:
    """Escape an attribute, and drop what XML cannot hold."""
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(plain, entity)
    return text
