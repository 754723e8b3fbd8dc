r"""What breaks outside Assumption 3.1, and what breaks first.

Setting   X: n x d with centred rows, Tr Sigma = d, that break Assumption 3.1 in one respect: heavy tails
          (independent entries with Student's t law of 3 or 5 degrees of freedom), dependent entries (a
          common random factor; correlation 1/2 between any two), low effective rank (sqrt(d) equal
          eigenvalues, no others), one huge eigenvalue (sqrt(d)). The rest as in the claims named below.
Claim     Nothing is claimed by the paper. Stated here: which of its claims break, in which order. The
          candidates are the three parts of Claim 3.1 (norms, inner products, Gram matrix),
          Proposition 3.4 (kernel) and Theorem 3.2 (training).
Measured  for each candidate, its statistic over its printed rate, and log of the ratio of that outside to
          that on standard Gaussian data of the same size: the *excess*, at d/8, d/4, d/2 and d. A
          candidate breaks if the excess grows with d (least-squares slope against log d), and one
          breaks before another if its excess at d is larger. For training the excess is
          measured at d/4: it "breaks" if that is positive, "stands" if it is below log 2; the Gram
          matrix "stands" if its excess at d is below log 1.25. Both draws are made in the same trial.
          erf; n = 4 d for Claim 3.1, n = m = d^1.2 for the kernel, n = 2 d^1.2, m = d^1.2 for training.
Found     Heavy tails break the norms first, before the kernel and the Gram matrix. A common factor breaks
          the norms first, and training too; the Gram matrix stands. A low rank or one huge eigenvalue
          break the Gram matrix before the norms; under the huge eigenvalue training stands, and at norm
          d/2 (correlation 1/2) the kernel breaks even before the Gram matrix.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from whp.claims import Design, Line, Path, Plot, Twin, claim, experiment, order
from whp.devices import as_dtype
from whp.ensembles import data_distribution, outside_distribution, symmetric_init
from whp.kernels import activation, first_layer_ntk, linear_features, nu, subtract_linear_kernel_
from whp.linalg import spectral_norm
from whp.models import compare_with_linear

from ._setting import PHI_ASSUMPTION, W_ASSUMPTION

ALPHA = 0.2
SHARES = (0.125, 0.25, 0.5, 1.0)  # sizes, as shares of the largest d
INSIDE = data_distribution("gaussian")
ERF = activation("erf")
CANDIDATES = ("norms", "inner", "gram", "kernel")
NAMES = {
    "norms": r"\max_i |\|x_i\|^2/d - 1|",
    "inner": r"\max_{i \ne j} |\langle x_i, x_j \rangle| / d",
    "gram": r"\|X X^\top\|",
    "kernel": r"\|\Theta_1(W(0)) - \Theta^{\mathrm{lin}1}\|",
    "training": r"\sup_{t \le T} \frac1n \sum_i (f_t(x_i) - f_t^{\mathrm{lin}1}(x_i))^2",
}


def ratios(law, rng, d, dtype, device):
    """Each statistic over its printed rate."""
    n = 4 * d
    X = law.sample(rng, n, d, dtype, device)  # (n, d)
    r = math.sqrt(math.log(n) / d)
    G = X @ X.T
    squares = G.diagonal().clone()
    G.fill_diagonal_(0)
    found = {
        "norms": float((squares / d - 1).abs().max()) / r,
        "inner": float(G.abs().max()) / d / r,
        "gram": float(torch.linalg.matrix_norm(X, 2)) ** 2 / n,
    }
    n = 2 * round(d ** (1 + ALPHA) / 2)
    X, W = X[:n], symmetric_init(rng, n, d, dtype, device).W_half
    D = subtract_linear_kernel_(first_layer_ntk(X, W, ERF), X, ERF.moments.zeta, nu(ERF, law.sigma_moment(d)))
    norm = spectral_norm(D, rng, symmetric=True, failure_probability=1e-10).high
    return {**found, "kernel": norm / (n / d ** (1 + ALPHA))}


def training(law, rng, d, dtype, device):
    """sup over t of the mean squared difference of network and linear model, as in Theorem 3.2."""
    n, m = round(2 * d ** (1 + ALPHA)), 2 * round(d ** (1 + ALPHA) / 2)
    X = law.sample(rng, n, d, dtype, device)  # (n, d)
    teacher = torch.from_numpy(rng.standard_normal((5, d))).to(X)
    signs = torch.from_numpy(rng.standard_normal(5)).to(X)
    y = torch.sign(torch.erf(X @ teacher.T / d**0.5) @ signs)  # (n,)
    init = symmetric_init(rng, m, d, dtype, device)
    Psi = linear_features(X, ERF.moments.zeta, nu(ERF, law.sigma_moment(d)))
    steps = math.ceil(10 * math.log(d))
    trace = compare_with_linear(X, y, init.W, init.v, ERF, d / 20, steps, Psi)
    return float(trace.train_gap.max())


def excesses(law, p, rng, device):
    """Log of outside over inside: at each size, its slope, and differences between the candidates."""
    dtype = as_dtype(p.dtype)
    sizes = [round(share * p.d) for share in SHARES]
    found = {}
    rows = []
    for share, size in zip(SHARES, sizes, strict=True):
        outside, inside = (ratios(data, rng, size, dtype, device) for data in (law, INSIDE))
        rows.append([math.log(outside[name] / inside[name]) for name in CANDIDATES])
        found |= {f"{name} @{share:g}": value for name, value in zip(CANDIDATES, rows[-1], strict=True)}
    slopes = np.polyfit(np.log(sizes), np.array(rows), 1)[0]  # (candidates,)
    last = dict(zip(CANDIDATES, rows[-1], strict=True))
    for name, slope in zip(CANDIDATES, slopes, strict=True):
        found |= {name: last[name], f"{name} grows": slope, f"{name} shrinks": -slope}
        found |= {f"{name} - {other}": last[name] - last[other] for other in CANDIDATES if other != name}
        found[f"{name} below 1.25"] = math.log(1.25) - last[name]
    return found


def training_excess(law, p, rng, device):
    """The excess of training, at d/4."""
    outside, inside = (training(data, rng, p.d // 4, as_dtype(p.dtype), device) for data in (law, INSIDE))
    trained = math.log(outside / inside)
    return {"training": trained, "training negated": -trained, "training below 2": math.log(2) - trained}


def excess(name):
    """LaTeX of the excess of a candidate."""
    return rf"\log \frac{{[{NAMES[name]}]_{{\text{{outside}}}}}}{{[{NAMES[name]}]_{{\text{{inside}}}}}}"


def grows(name):
    """The excess grows with d."""
    slope = rf"\frac{{\mathrm d}}{{\mathrm d \log d}} {excess(name)}"
    return f"{name} breaks", f"{name} grows", slope, Twin("it shrinks", statistic=f"{name} shrinks")


def before(first, second):
    """One excess is larger than another."""
    return (
        f"{first} before {second}",
        f"{first} - {second}",
        f"{excess(first)} - {excess(second)}",
        Twin("the other way round", statistic=f"{second} - {first}"),
    )


def stands(name, broken):
    """The excess is below log 1.25, where that of another candidate is not."""
    return (
        f"{name} stands",
        f"{name} below 1.25",
        rf"\log 1.25 - {excess(name)}",
        Twin(f"{broken} stands", statistic=f"{broken} below 1.25"),
    )


def trained(breaks):
    """The excess of training is positive, or below log 2."""
    if breaks:
        return (
            "training breaks",
            "training",
            excess("training"),
            Twin("training is better outside", statistic="training negated"),
        )
    return (
        "training stands",
        "training below 2",
        rf"\log 2 - {excess('training')}",
        Twin("the Gram matrix stands", statistic="gram below 1.25"),
    )


FOUND = {
    "student_3": [grows("norms"), before("norms", "inner"), before("norms", "gram")],
    "student_5": [before("norms", "kernel"), before("norms", "gram")],
    "common_scale": [
        before("norms", "kernel"),
        before("norms", "inner"),
        stands("gram", "norms"),
        trained(breaks=True),
    ],
    "low_rank": [grows("gram"), grows("norms"), before("gram", "norms"), trained(breaks=True)],
    "spike": [grows("gram"), before("gram", "kernel"), before("gram", "norms"), trained(breaks=False)],
    "equicorrelated": [grows("gram"), before("kernel", "gram"), before("gram", "norms")],
}


def measure(name, checks):
    """The experiment on one distribution; training is run only where a check looks at it."""
    law = outside_distribution(name)
    trains = any(title.startswith("training") for title, *_ in checks)

    def measured(p, rng, device):
        found = excesses(law, p, rng, device)
        return found | training_excess(law, p, rng, device) if trains else found

    return experiment(
        name=f"hu2020.edges_assumption_3_1.{name}",
        # The kernel overtakes the Gram matrix between d = 64 and 128. Logs of maxima of heavy tails are
        # skewed as a Gumbel law is, for which Gaussian theory takes a hundred trials.
        quick=Design(Path(d=(128 if name == "equicorrelated" else 64,)), trials=(12, 205)),
        standard=Design(Path(d=(192,)), trials=(27, 205)),
        dtype="float32",
        failure_probability=8e-10,
    )(measured)


EXPERIMENTS = {name: measure(name, checks) for name, checks in FOUND.items()}

edges = claim(
    "hu2020.edges_assumption_3_1",
    *(
        order(
            name=f"{name}: {title}",
            experiment=EXPERIMENTS[name],
            statistic=statistic,
            quantity=quantity,
            twins={"reversed": twin},
        )
        for name, checks in FOUND.items()
        for title, statistic, quantity, twin in checks
    ),
    title="What breaks outside Assumption 3.1: norms under heavy tails, the Gram matrix under a large Sigma",
    locus="Assumption 3.1",
    regime="beyond",
    assumptions=[
        *(f"{name}: breaks {outside_distribution(name).breaks}." for name in FOUND),
        PHI_ASSUMPTION,
        W_ASSUMPTION,
    ],
    plots=[
        Plot(
            title=f"{name}: {outside_distribution(name).breaks}",
            x="size, as a share of the largest d",
            y="log of outside over inside",
            log_x=True,
            log_y=False,
            caption="Zero is what Gaussian data of the same size give. The paper has no such figure.",
            lines=[
                Line(
                    label,
                    experiment=EXPERIMENTS[name],
                    statistics={share: f"{label} @{share:g}" for share in SHARES},
                    colour=colour,
                )
                for colour, label in enumerate(CANDIDATES)
            ],
        )
        for name in FOUND
    ],
)
