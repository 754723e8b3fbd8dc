r"""The sample covariance of Gaussian data is close to the identity.

Setting   X: n x d with independent standard normal entries, n >= d.
Claim     With high probability  ||X^T X / n - I|| <= C sqrt(d / n).
Measured  The spectral norm of the difference, from all eigenvalues.
"""

# Copy this file to PAPER/NAME.py: the claim's id is then PAPER.NAME, and `whp check PAPER` says
# whether everything fits. Above: what the paper says, in the order Setting, Claim, Measured.

import numpy as np

from whp.claims import Design, Path, Point, Regime, Twin, claim, experiment, geometric, rate, symbols

# Names of the sizes. They are tied together in the path, and the bound is written in them once:
# the same object is printed in the report and evaluated in the test.
d, n = symbols("d n")


# Where it is measured: sizes that grow together (five points or more, over a decade or more), and
# (least, most) trials a point. `quick` takes seconds; `standard` takes the sizes you would publish.
@experiment(
    quick=Design(Path(d=geometric(32, 256, 5), n=d**1.5), trials=(12, 40)),
    standard=Design(Path(d=geometric(32, 512, 5), n=d**1.5), trials=(12, 60)),
)
def deviation(p: Point, rng: np.random.Generator, device: object) -> float:
    """Draw once at one point and return the quantity, never a verdict on it."""
    X = rng.standard_normal((p.n, p.d))  # (n, d)
    return np.abs(np.linalg.eigvalsh(X.T @ X / p.n - np.eye(p.d))).max()


# What is claimed, and at least two false twins: wrong versions that must not PASS, wrong in
# different ways (exponent, constant, a term or a factor missing). They show that this check can fail.
CLAIM = claim(
    "mypaper.thm_1",
    rate(
        experiment=deviation,
        quantity=r"\left\|\tfrac1n X^\top X - I\right\|",
        bound=(d / n) ** 0.5,
        twins={
            "exponent": Twin("d/n without the square root", bound=d / n),
            "factor": Twin("sqrt(1/n): d is missing", bound=(1 / n) ** 0.5),
        },
    ),
    title="The sample covariance is within a constant times sqrt(d/n) of the identity",
    locus="Theorem 1",
    regime=Regime.FORM,
    assumptions=(r"$X \in \mathbb{R}^{n \times d}$ has independent standard normal entries.", r"$n \ge d$."),
)
