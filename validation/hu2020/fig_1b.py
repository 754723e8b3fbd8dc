r"""A two-layer network learns a linear model early in training: the outputs on test examples.

Setting   as in Figure 1a.
Claim     On random test examples the outputs of network and linear model agree excellently in early time.
Measured  The root mean square difference over the test data, the largest up to step 1,000, on the scale
          of the linear model's outputs at step 1,000.
"""

from __future__ import annotations

from whp.claims import Line, Plot, Twin, claim, reproduction

from .fig_1a import AXIS, RANKS, REGIME, SETTING, curve, run

logits = claim(
    "hu2020.fig_1b",
    reproduction(
        name="outputs agree",
        experiment=run,
        statistic="outputs",
        quantity=r"\max_{t \le 1000} (\mathbb{E} (f_t - f_t^{\mathrm{lin}})^2)^{1/2}"
        r" / (\mathbb{E} (f_{1000}^{\mathrm{lin}})^2)^{1/2}",
        printed=0.0,
        tolerance=0.2,
        twins={
            "half": Twin("the linear model of the first layer alone", statistic="outputs, first layer"),
            "exactly": Twin("a hundredth of the tolerance", tolerance=0.002),
        },
    ),
    title="Outputs of network and linear model agree on test examples",
    locus="Figure 1b",
    regime=REGIME,
    assumptions=[*SETTING, "Decided over all test points, of which the figure shows five at random."],
    plots=[
        Plot(
            title="(b) Evolution of logits",
            x=AXIS,
            y="output",
            caption="Where the paper shows 5 random examples of one run, these are the test examples at"
            " ranks 2, 25, 50, 75 and 98 % of the optimal linear model's outputs, so that the mean over"
            " trials means something. Solid: network; dashed: linear model.",
            lines=[
                Line(
                    f"{model}, rank {rank:.0%}",
                    run,
                    curve(f"{model} logit {k}"),
                    dashed=model == "linear",
                    colour=k,
                )
                for k, rank in enumerate(RANKS)
                for model in ("network", "linear")
            ],
        )
    ],
)
