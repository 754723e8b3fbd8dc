"""What the lemmas for all weights show: along d, how far the worst weights go and what they look like."""

from __future__ import annotations

from whp.claims import Line, Plot

SHAPE = {
    "rank one": "rank-one share of |W - W(0)|_F^2",
    "neurons": "share of the neurons that take part",
    "data direction": "cosine with the top singular vector of X",
    "data point": "largest cosine with a data point",
}
PAIR = {"alike": "cosine of W - W(0) and W~ - W(0)", "points": "share of the data points in u"}


def along_d(experiment, statistics, **at):
    """One line along d for each statistic, with its label, in the colours in turn."""
    return [
        Line(label, experiment, statistic=name, along="d", colour=colour, at=at)
        for colour, (name, label) in enumerate(statistics.items())
    ]


def looks(experiment, which, statistics, **at):
    """What the worst weights look like."""
    title = f"What the {which} look like"
    return Plot(title=title, x="d", y="share", lines=along_d(experiment, statistics, **at))


def distances(experiment):
    """The kernel's distance from the linear one at the worst pair of weights and at the start."""
    lines = [
        Line(f"{phi}, {label}", experiment, statistic=name, along="d", colour=colour, at={"activation": phi})
        for colour, phi in enumerate(("erf", "relu"))
        for name, label in (("worst", "worst pair of weights"), ("start", "W(0)"))
    ]
    return Plot(
        title="The distance from the linear kernel", x="d", y="spectral norm", lines=lines, log_y=True
    )
