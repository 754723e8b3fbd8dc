r"""The gradient of the loss in the weights of a node is no larger than the residual allows.

Setting   the loss (3), any weights W, inputs of norm at most one, |sigma'| <= 1.
Claim     For all W and j, ||dL/dw_j|| <= sqrt(lambda_j n / d) ||y - u(W)||.
Measured  Left side over right side, less one, at its worst over the nodes: for inputs that Assumption 2.1
          admits (n = 1 to 6, d = 1 to 30), far apart or nearly parallel, any weights, residuals and gamma,
          tanh, softplus and sigmoid, which are checked against Assumption 2.2, and relu. And for weights as
          in Assumption 2.3 (m = 200, d = 10, n unit vectors), where the quotient itself says how loose the
          bound is.
Attained  In the limit of parallel inputs of norm one with equal residuals where sigma' = 1, so the constants
          cannot be better. For independent unit vectors the quotient is 1 at n = 1 and falls with n.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Design, Path, Twin, always, bound, claim, experiment, search, symbols
from whp.kernels import activation

from ._arbitrary import GIVEN, SMOOTH, inputs, network, residual, smooth

n = symbols("n")
EXAMPLES = (25, 250, 20000)


def quotient(net, X, y, r):
    """The largest of ||dL/dw_j|| / (sqrt(lambda_j n / d) ||y - u||) over nodes with lambda_j > 0."""
    gradients = net.velocity(X, y).norm(dim=1)
    right = (net.scales.values * len(X) / net.dimension).sqrt() * r.norm()
    return float((gradients[right > 0] / right[right > 0]).max())


def excess(seed, n, d, m, gamma, apart, scale, equal, name, factor=lambda n, d: 1.0):
    """The quotient over a factor, less one."""
    rng = np.random.default_rng(seed)
    X = inputs(rng, n, d, apart)
    phi = smooth(name)[0] if name in SMOOTH else activation(name)
    net, r = (
        network(rng, phi, X, m, gamma, scale),
        residual(rng, len(X), equal, rng.choice([1e-2, 1.0, 50.0])),
    )
    return quotient(net, X, net.outputs(X) + r, r) / factor(len(X), d) - 1


def excess_tenth(**given):
    return excess(**given, factor=lambda n, d: 0.9)


def excess_root(**given):
    return excess(**given, factor=lambda n, d: n**-0.5)


def excess_dimension(**given):
    return excess(**given, factor=lambda n, d: d**-0.5)


EVERYWHERE = {**GIVEN, "name": st.sampled_from((*SMOOTH, "relu"))}
# Where the bound is nearly attained, so that a false one has its counterexamples there.
NEAR = {
    **EVERYWHERE,
    "n": st.integers(2, 4),
    "d": st.sampled_from([2, 4, 30]),
    **{k: st.just(v) for k, v in {"apart": 1e-3, "scale": 0.0, "equal": True, "name": "tanh"}.items()},
}


def near(check):
    return search(check, given=NEAR, examples=EXAMPLES, shrink=False)


@experiment(
    standard=Design(
        Path(n=(1, 8, 64), d=10, m=200), over={"activation": ["tanh", "softplus"]}, trials=(60, 150)
    ),
    quick=Design(Path(n=(1, 8), d=10, m=50), over={"activation": ["tanh"]}, trials=(60, 150)),
)
def at_start(p, rng, device):
    """The quotient at an initialisation as in Assumption 2.3, targets uniform on (-1, 1)."""
    X = inputs(rng, p.n, p.d, 1e3)
    X = X / X.norm(dim=1, keepdim=True)
    net = network(rng, smooth(p.activation)[0], X, p.m, 0.5, p.d**-0.5)
    y = torch.from_numpy(rng.uniform(-1, 1, p.n))
    return quotient(net, X, y, y - net.outputs(X))


lemma = claim(
    "caron2023.lemma_h_2",
    always(
        name="all weights",
        experiment=search(excess, given=EVERYWHERE, examples=EXAMPLES),
        statement=r"\Big\|\frac{\partial L_m(W)}{\partial w_j}\Big\| \le"
        r" \frac{\sqrt{\lambda_{m,j} n}}{\sqrt d} \|y - u(W)\|",
        twins={
            "nearest": Twin("9/10 of the bound", experiment=near(excess_tenth)),
            "root": Twin("without sqrt n", experiment=near(excess_root)),
            "dimension": Twin("d in place of sqrt d", experiment=near(excess_dimension)),
        },
    ),
    bound(
        name="at the start",
        experiment=at_start,
        quantity=r"\max_j \Big\|\frac{\partial L_m(W_0)}{\partial w_j}\Big\| \Big/"
        r" \Big(\sqrt{\lambda_{m,j} n / d} \; \|y - u(W_0)\|\Big)",
        bound=1,
        delta=0.2,
        twins={"root": Twin("without sqrt n", bound=n**-0.5)},
    ),
    title="The gradient of a node is at most sqrt(lambda_j n / d) times the residual",
    locus="Lemma H.2",
    regime="met",
    assumptions=(
        r"$0 < \|x_i\| \le 1$, no two parallel, and $|\sigma'| \le 1$: both checked by computation.",
    ),
)
