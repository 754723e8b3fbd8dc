r"""The discrepancy between network and linear model becomes smaller as d increases.

Setting   as in Figure 1a, width 256, for various d.
Claim     The mean squared difference of the outputs becomes smaller as d increases.
Measured  The largest mean square over fresh points up to T = c d log(d) / eta, which is 1,000 steps at
          d = 50, looked at every fourth step. The paper's range of d is not printed; d = 50 is, so the
          path is d = 25..200 around it.
Corrected Theorem D.1 asks for m >~ d^(2 + alpha). With the width held at 256 the discrepancy falls until d
          is about 32 and then rises, as the kernel of 256 neurons is ever further from its mean. The
          sentence holds for d well below the width (6..24 at 256), and for a width that grows with d; if
          the paper's range lies there, its figure is right and its text lacks the condition.
"""

from __future__ import annotations

import math

from whp.claims import Design, Line, Path, Plot, Twin, claim, decay, experiment, geometric, symbols

from .fig_1a import EARLY, loss, train

d = symbols("d")


def by_dimension(p, rng, device):
    """The largest mean square over the test data up to T = c d log(d) / eta, 1,000 steps at d = 50."""
    gaps = []

    def watch(step, state, X, y, models):
        if step % (4 * p.speed) == 0:
            ((Psi, model),) = models
            line = model.predictions(Psi[p.n :], step // p.speed)
            gaps.append(2 * loss(state.network.forward(X[p.n :]).double(), line))

    train(p, rng, device, EARLY * math.log(p.d) / math.log(50), watch)
    gap = max(gaps)
    return {"gap": gap, "gap times d": p.d * gap, "gap times d^2": p.d**2 * gap}


def dimensions(name, m, quick, standard, paper):
    """The discrepancy along a path of dimensions."""
    sizes = {"m": m, "even": ["m"]}
    return experiment(
        name=f"hu2020.fig_1c.{name}",
        quick=Design(Path(d=geometric(*quick), n=1000, tests=500, **sizes), {"speed": [20]}, trials=(8, 18)),
        standard=Design(
            Path(d=geometric(*standard), n=5000, tests=1000, **sizes), {"speed": [20]}, trials=(8, 18)
        ),
        paper=Design(
            Path(d=geometric(*paper), n=20_000, tests=1000, **sizes), {"speed": [1]}, trials=(8, 18)
        ),
        dtype="float32",
        time_limit=1800,
    )(by_dimension)


printed_width = dimensions("printed_width", 256, (25, 100, 3), (25, 200, 4), (25, 200, 4))
below = dimensions("below", 256, (6, 24, 4), (6, 24, 5), (6, 24, 5))
growing_width = dimensions("growing_width", d**2, (6, 24, 4), (5, 40, 5), (5, 64, 6))

MSE = r"\sup_{t \le T} \mathbb{E}_x (f_t(x) - f_t^{\mathrm{lin}}(x))^2"
CHOICES = [
    "phi = erf, both layers trained; n = 5,000 in standard, 20,000 in paper, as in Figure 1a.",
    r"$T = c\, d \log(d) / \eta$, 1,000 steps at d = 50.",
]


def falls(name, measured, **twins):
    """The discrepancy becomes smaller along a path."""
    return decay(
        name=name,
        experiment=measured,
        statistic="gap",
        quantity=MSE,
        power="c",
        rounding=1e-4,
        twins={"square": Twin("the mean square multiplied by d^2", statistic="gap times d^2"), **twins},
    )


discrepancy = claim(
    "hu2020.fig_1c",
    falls(
        "width 256",
        printed_width,
        sum=Twin("the mean square multiplied by d", statistic="gap times d"),
    ),
    title="The discrepancy becomes smaller as d increases (d = 25..200: the range is ours)",
    locus="Figure 1c, Section 3.4",
    regime="beyond",
    assumptions=[*CHOICES, "Width 256 as printed; d = 25..200, around the printed 50."],
)

corrected = claim(
    "hu2020.fig_1c_corrected",
    falls("width 256, d to 24", below, above=Twin("d from 25 to 200", experiment=printed_width)),
    falls("width d^2", growing_width, width=Twin("width 256, d from 25 to 200", experiment=printed_width)),
    title="The discrepancy becomes smaller as d increases, if d is well below the width or it grows",
    locus="Figure 1c, Section 3.4",
    assumptions=[
        *CHOICES,
        "Width 256 as printed with d = 6..24; and width d^2, a little less than Theorem D.1 asks for.",
    ],
    printed=False,
    corrects="hu2020.fig_1c",
    plots=[
        Plot(
            title="(c) Discrepancy",
            x="d",
            y="largest mean square difference",
            log_y=True,
            caption="The paper's axis is the step, with a curve for each d; here is the largest of each.",
            lines=[
                Line("width 256, d = 6..24", below, statistic="gap", along="d", colour=0),
                Line("width 256, d = 25..200", printed_width, statistic="gap", along="d", colour=1),
                Line("width d^2", growing_width, statistic="gap", along="d", colour=2),
            ],
        )
    ],
)
