"""Write reports/exponents.md and .svg: how fast networks come close to linear models, against alpha.

From the committed verdicts alone: what the paper proves, what was measured, and the sharpest rate that
the data support. Run by ``make exponents``; a test compares the result with what is committed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from whp.report import load_verdict_records
from whp.report.svg import BAD, CLAIM, FIT, GOOD, INK, MUTED, OPEN, PAPER, style, to_svg

ROOT = Path(__file__).resolve().parent.parent
STANDARD = ROOT / "reports" / "reference" / "hu2020"
REPORTS = ROOT / "reports"


@dataclass(frozen=True)
class Statement:
    """A claim with decays, and the multiple of alpha that its proof has as exponent."""

    id: str
    title: str
    proved: float
    where: str


STATEMENTS = (
    Statement("thm_3_2_train", "first layer, training data", 1 / 4, "Proposition D.7"),
    Statement("thm_3_5_train", "second layer, training data", 1 / 2, "D.5.2"),
    Statement("thm_d_1_train", "both layers, training data", 1 / 2, "D.6.2"),
    Statement("thm_3_2_dist", "first layer, distribution", 1 / 4, "D.3.3"),
    Statement("thm_3_5_dist", "second layer, distribution", 1 / 2, "D.5.3"),
    Statement("thm_d_1_dist", "both layers, distribution", 1 / 2, "D.6.3"),
)
FIGURE_1C = ("fig_1c", "fig_1c_corrected")
COLOURS = {
    "erf": FIT,
    "relu": BAD,
    "tanh": GOOD,
    "softplus": OPEN,
    "centred_softplus": CLAIM,
    "leaky_relu": MUTED,
    "sigmoid": INK,
}


@dataclass(frozen=True)
class Measured:
    """One decay: the exponent of the distance in d, with the interval that decides it."""

    check: str
    activation: str
    data: str
    alpha: float | None
    estimate: float
    low: float
    high: float

    @property
    def label(self) -> str:
        """What was trained, and on what."""
        return f"{self.activation}, {self.data}" if self.activation else self.check


def decays(records: Sequence[dict], name: str) -> list[Measured] | None:
    """The decays of a claim by alpha, or None if the run does not have it."""
    found = [record for record in records if record["id"] == f"hu2020.{name}"]
    if not found:
        return None
    return sorted(
        (
            Measured(
                cell["test"].removeprefix("decay, "),
                str(cell["cell"].get("activation", "")),
                str(cell["cell"].get("data", "")),
                cell["cell"].get("alpha"),
                cell["estimate"],
                float(cell["interval"]["low"]),
                float(cell["interval"]["high"]),
            )
            for cell in found[0]["cells"]
            if (cell["test"].startswith("decay") and "unequal" not in cell["test"])
            or (name in FIGURE_1C and cell["test"].startswith("width"))
        ),
        key=lambda one: (one.alpha or 0.0, one.activation, one.data),
    )


def supported(measured: Sequence[Measured]) -> float:
    """The largest multiple c for which d^(-c alpha) is no faster than surely measured, at every alpha."""
    return min(-one.high / one.alpha for one in measured if one.alpha)


def sharpest(measured: Sequence[Measured]) -> str:
    """What `supported` says, in words."""
    c = supported(measured)
    if c > 0:
        return f"d^(−{c:.2f} α), at every α and for all that was trained"
    kept = [one for one in measured if one.high < 0]
    if not kept:
        return "none: no decay is sure"
    alphas = sorted({one.alpha for one in measured if one.alpha and one.high >= 0})
    return f"d^(−{supported(kept):.2f} α) where decay is sure; not sure at α = {', '.join(map(str, alphas))}"


def table(records: Sequence[dict]) -> str:
    """Markdown: one row a claim, then one row a decay."""
    heads, rows, missing = [], [], []
    for statement in STATEMENTS:
        measured = decays(records, statement.id)
        if not measured:
            missing.append(statement.id)
            continue
        proved = f"d^(−{statement.proved:g} α)"
        heads.append(f"| `{statement.id}` | {statement.title} | {proved} | {sharpest(measured)} |")
        rows += [
            f"| `{statement.id}` | {one.alpha:g} | {one.label} | {-statement.proved * one.alpha:.3f}"
            f" | {one.estimate:.3f} | [{one.low:.3f}, {one.high:.3f}] | d^({one.high:+.3f}) |"
            for one in measured
            if one.alpha
        ]
    for name in FIGURE_1C:
        rows += [
            f"| `{name}` | | {one.check} | | {one.estimate:.3f} | [{one.low:.3f}, {one.high:.3f}]"
            f" | d^({one.high:+.3f}) |"
            for one in decays(records, name) or []
        ]
    lines = [
        "# How fast networks come close to linear models",
        "",
        "Made by `make exponents` from the verdicts in `reference/hu2020`. The distance is the largest over"
        " t ≤ T of the mean squared difference of the outputs; its exponent in d is measured at each α along"
        " the claim's own path, with the interval that decides the claim. The sharpest rate that the data"
        " support is the upper end of the interval: along this path, the distance surely falls so fast.",
        "",
        "![exponents against alpha](exponents.svg)",
        "",
        "| claim | trained | proved | sharpest rate that the data support |",
        "|---|---|---|---|",
        *heads,
        "",
        "| claim | α | what | proved | measured | interval | surely at most |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    if missing:
        lines += [f"Not in the committed run: {', '.join(f'`{name}`' for name in missing)}.", ""]
    return "\n".join(lines)


def figure(records: Sequence[dict]) -> str:
    """SVG: a panel a claim, exponents against alpha, the proved line dashed."""
    with style():
        drawing = Figure(figsize=(9.0, 5.6))
        grid = drawing.subplots(2, 3, sharex=True, sharey="row")
        for axes, statement in zip(grid.flat, STATEMENTS, strict=True):
            measured = decays(records, statement.id) or []
            axes.set_title(f"{statement.title} ({statement.where})", loc="left", fontsize=8, color=INK)
            axes.plot(
                [0, 0.25],
                [0, -statement.proved * 0.25],
                color=INK,
                linestyle="--",
                linewidth=1.0,
                label=f"proved: −{statement.proved:g} α",
            )
            axes.axhline(0.0, color=MUTED, linewidth=0.8)
            seen = set()
            for place, one in enumerate(measured):
                if one.alpha is None:
                    continue
                # Points of one alpha side by side.
                x = one.alpha + 0.002 * (place % 5 - 2)
                colour = COLOURS.get(one.activation, MUTED)
                axes.plot([x, x], [one.low, one.high], color=colour, linewidth=0.9)
                name = one.activation if one.activation not in seen else None
                seen.add(one.activation)
                marker = "o" if one.data == "gaussian" else "s"
                axes.plot([x], [one.estimate], marker, color=colour, markeredgecolor=PAPER, label=name)
            axes.legend(fontsize=6.5, loc="lower left", frameon=False)
        curves = [one for name in FIGURE_1C for one in decays(records, name) or []]
        for one, line in zip(curves, (":", "-.", "--"), strict=False):
            grid[1, 2].axhline(one.estimate, color=MUTED, linestyle=line, linewidth=1.0)
            grid[1, 2].annotate(
                f"Figure 1c, {one.check}", (0.0, one.estimate), fontsize=6.5, color=MUTED, va="bottom"
            )
        for axes in grid[:, 0]:
            axes.set_ylabel("exponent of the distance in d")
        for axes in grid[1]:
            axes.set_xlabel("α")
        drawing.tight_layout()
        text = (
            "Exponents of the distance between network and linear model against alpha, measured and proved."
        )
        return to_svg(drawing, text, standalone=True)


def generated(folder: Path = STANDARD) -> dict[Path, str]:
    """Return the page and the figure, by file."""
    records = load_verdict_records(folder)
    if not any(decays(records, statement.id) for statement in STATEMENTS):
        sys.exit(f"{folder} must have a verdict of {', '.join(s.id for s in STATEMENTS)}, got none")
    return {REPORTS / "exponents.md": table(records), REPORTS / "exponents.svg": figure(records)}


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
