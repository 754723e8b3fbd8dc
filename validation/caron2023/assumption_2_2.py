r"""The activation of the experiments is steeper than the theorems allow.

Setting   Assumption 2.2: sigma is analytic, not a polynomial, with |sigma'(x)| <= 1 and |sigma''(x)| <= M.
          Appendix J: "experiments to illustrate the theoretical results, under a smooth activation", swish,
          sigma(z) = z / (1 + e^(-z)).
Claim     Implied, not printed: swish satisfies Assumption 2.2 (with M = 1/2, the supremum of |sigma''|).
Measured  A search for z with |sigma'(z)| > 1 or |sigma''(z)| > M, by examples, and on finer and finer
          grids about the worst.
Error     sup|sigma'| = 1.0998, at z = 2.3994. swish / 1.1 satisfies the assumption, with M = 1/2.2: so do the
          experiments with all outputs and targets divided by 1.1, and time multiplied by 1.21. The constants
          of the theorems can also be adapted: sigma' <= 1 enters through powers of sup|sigma'|.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Regime, Twin, always, claim, search
from whp.kernels import activation

SWISH = activation("swish")
Z = st.floats(-50.0, 50.0)


def over(divisor, M, steepest=1.0):
    """The search for a z at which swish / divisor breaks one of the two bounds."""

    def violated(z):
        """By how much the worse of both bounds is violated at each z, shape of z."""
        at = torch.as_tensor(z, dtype=torch.float64)
        slope, curvature = SWISH.dphi(at).abs() / divisor, SWISH.ddphi(at).abs() / divisor
        return torch.maximum(slope - steepest, curvature - M).numpy()

    def excess(z):
        """The same for one z."""
        return float(violated(z))

    def climb(rng):
        """From the best point of a grid to that of finer and finer ones about it."""
        best, width = float(rng.uniform(-0.01, 0.01)), 20.0
        for _ in range(9):
            grid = best + width * np.linspace(-1, 1, 4001)
            best, width = float(grid[violated(grid).argmax()]), width / 100
        return excess(best), f"z = {best:.9g}"

    excess.__name__ = f"excess_{divisor:g}_{M:.4f}_{steepest:g}".replace(".", "_")
    return search(excess, given={"z": Z}, ascend=climb, examples=(50, 200, 1000))


STATEMENT = r"|\sigma'(z)| \le 1,\ |\sigma''(z)| \le M"
ASSUMPTIONS = ("M is the supremum of the modulus of the second derivative.",)

printed = claim(
    "caron2023.assumption_2_2",
    always(
        experiment=over(1.0, 0.5),
        statement=STATEMENT + r",\ \sigma(z) = z / (1 + e^{-z})",
        twins={
            "nine": Twin("slopes at most 0.9", experiment=over(1.0, 0.5, 0.9)),
            "M": Twin("a smaller M", experiment=over(1.0, 0.45)),
        },
    ),
    title="Implied: swish, the activation of Appendix J, satisfies Assumption 2.2",
    locus="Assumption 2.2 and Appendix J (implied)",
    regime=Regime.MET,
    assumptions=ASSUMPTIONS,
)

corrected = claim(
    "caron2023.assumption_2_2_corrected",
    always(
        experiment=over(1.1, 0.5 / 1.1),
        statement=STATEMENT + r",\ \sigma(z) = z / (1.1 (1 + e^{-z})),\ M = 1/2.2",
        twins={
            "1.09": Twin("divided by 1.09", experiment=over(1.09, 0.5 / 1.09)),
            "M": Twin("M smaller by one percent", experiment=over(1.1, 0.99 * 0.5 / 1.1)),
        },
    ),
    title="swish / 1.1 satisfies Assumption 2.2",
    locus="Assumption 2.2 and Appendix J, corrected",
    regime=Regime.MET,
    assumptions=ASSUMPTIONS,
    printed=False,
    corrects="caron2023.assumption_2_2",
)
