r"""The data concentrate: norms, inner products, and the norm of the Gram matrix.

Setting   X: n x d, rows x_i from D (Assumption 3.1), n >> d.
Claim     With high probability, |x_i|^2 / d = 1 +- O(sqrt(log n / d)) for all i,
          |<x_i, x_j>| / d = O(sqrt(log n / d)) for all i != j, and ||X X^T|| = Theta(n).
Measured  the largest deviation over i, the largest |<x_i, x_j>| / d over i < j, and the
          norm of X X^T from below and from above (certified). On Rademacher data
          |x_i|^2 = d exactly, and the first statistic is zero.
"""

from __future__ import annotations

import sympy
import torch

from whp.claims import Design, Path, Twin, claim, experiment, geometric, rate, symbols
from whp.devices import as_dtype
from whp.ensembles import data_distribution
from whp.linalg import spectral_norm

from ._setting import DATA, X_ASSUMPTION

d, n = symbols("d n")
BLOCK = 1024


QUICK = Path(d=geometric(16, 256, 5), n=4 * d)
STANDARD = Path(d=geometric(64, 2048, 6), n=4 * d)


@experiment(
    quick=Design(QUICK, {"data": ["gaussian", "rademacher"]}, trials=(24, 122)),
    standard=Design(STANDARD, {"data": DATA}, trials=(24, 81)),
    dtype="float32",
)
def lengths(p, rng, device):
    X = data_distribution(p.data).sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    return (torch.linalg.vecdot(X, X).double() / p.d - 1).abs().max()


@experiment(
    quick=Design(QUICK, {"data": ["gaussian", "rademacher"]}, trials=(12, 60)),
    standard=Design(STANDARD, {"data": ["gaussian", "rademacher", "gaussian_two_level"]}, trials=(8, 40)),
    paper=Design(STANDARD, {"data": DATA}, trials=(8, 40)),
    dtype="float32",
    failure_probability=2e-10,
)
def concentration(p, rng, device):
    X = data_distribution(p.data).sample(rng, p.n, p.d, as_dtype(p.dtype), device)  # (n, d)
    inner = 0.0
    for start in range(0, p.n, BLOCK):  # the lower triangle, block by block
        G = X[start : start + BLOCK] @ X[: start + BLOCK].T  # (block, start + block)
        G.diagonal(start).zero_()
        inner = max(inner, float(torch.maximum(G.max(), -G.min())))
    norm = spectral_norm(X, rng, failure_probability=1e-10)
    return {
        "inner": inner / p.d,
        "gram_low": norm.low**2,
        "gram_high": norm.high**2,
    }


r = sympy.sqrt(sympy.log(n) / d)
PATH = "Path: $n = 4d$; the paper asks for $n \\gg d$."

norms = claim(
    "hu2020.claim_3_1_norms",
    rate(
        experiment=lengths,
        quantity=r"\max_i \left| \|x_i\|^2/d - 1 \right|",
        bound=r,
        rounding=1e-6,
        floor=1e-5,
        twins={
            "rate of the mean": Twin(
                "sqrt(log n) / d instead of sqrt(log n / d)", bound=sympy.sqrt(sympy.log(n)) / d
            ),
            "exponent": Twin("better by d^(1/4)", bound=r / d**0.25),
            "factor": Twin("the factor 1/d dropped on the left", bound=r / d),
            "direction": Twin("of that order, where signs have norm sqrt(d) exactly", direction="both"),
        },
    ),
    title="Squared norms of the data concentrate around d",
    locus="Claim 3.1, first part",
    assumptions=[X_ASSUMPTION, PATH],
)

inner = claim(
    "hu2020.claim_3_1_inner",
    rate(
        experiment=concentration,
        statistic="inner",
        quantity=r"\max_{i \ne j} |\langle x_i, x_j \rangle| / d",
        bound=r,
        rounding=1e-6,
        twins={
            "rate of the mean": Twin(
                "sqrt(log n) / d instead of sqrt(log n / d)", bound=sympy.sqrt(sympy.log(n)) / d
            ),
            "exponent": Twin("better by d^(1/4)", bound=r / d**0.25),
        },
    ),
    title="Different data points are nearly orthogonal",
    locus="Claim 3.1, second part",
    assumptions=[X_ASSUMPTION, PATH],
)

gram = claim(
    "hu2020.claim_3_1_gram",
    rate(
        name="upper",
        experiment=concentration,
        statistic="gram_high",
        quantity=r"\|X X^\top\|",
        bound=n,
        rounding=1e-6,
        twins={
            "exponent": Twin("n^(3/4) instead of n", bound=n**0.75),
            "factor": Twin("||X|| for ||X X^T||", bound=n**0.5),
        },
    ),
    rate(
        name="lower",
        experiment=concentration,
        statistic="gram_low",
        quantity=r"\|X X^\top\|",
        bound=n,
        direction="lower",
        rounding=1e-6,
        twins={
            "log factor": Twin("n log(n)^2 instead of n", bound=n * sympy.log(n) ** 2),
            "trace": Twin("of the order of the trace, n d", bound=n * d),
        },
    ),
    title="The Gram matrix of the data has norm of order n",
    locus="Claim 3.1, third part",
    assumptions=[X_ASSUMPTION, PATH],
)
