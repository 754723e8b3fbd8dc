"""What the claims of this folder have in common: the inputs that Assumptions 3.1 and 3.2 admit."""

from __future__ import annotations

from whp.claims.path import Value

ACTIVATIONS = ["erf", "relu", "tanh", "softplus"]
MORE_ACTIVATIONS = [*ACTIVATIONS, "leaky_relu", "sigmoid"]
DATA = ["gaussian", "rademacher", "uniform", "gaussian_two_level"]

X_ASSUMPTION = (
    r"Assumption 3.1: rows of $X$ are $\Sigma^{1/2}\bar x$, $\bar x$ with independent centred"
    r" subgaussian entries of variance one, $\mathrm{Tr}\,\Sigma = d$, $\|\Sigma\| = O(1)$."
)
PHI_ASSUMPTION = (
    r"Assumption 3.2: $\phi$ has bounded $\phi'$, $\phi''$, or is piecewise linear with $\phi'(0) = 1$."
)
W_ASSUMPTION = (
    r"Initialisation (3): $w_r \sim \mathcal{N}(0, I_d)$, $v_r = \pm 1$, and the second half of the"
    r" neurons repeats the first with the opposite $v_r$."
)
RATES = (
    r"The paper asks for $n, m \gtrsim d^{1+\alpha}$ and leaves the constants open; the path says the choice."
)
WHP = 'The paper: "high probability" means a large constant probability (such as 0.99).'


def lean(cell: dict[str, Value]) -> bool:
    """Four activations on Gaussian data, relu on two others; at alpha = 0.2, which costs more, one."""
    relu, gaussian = cell["activation"] == "relu", cell["data"] == "gaussian"
    if cell["alpha"] != 0.1:
        return relu and gaussian
    return (gaussian and cell["activation"] in ACTIVATIONS) or (relu and cell["data"] != "uniform")


def star(cell: dict[str, Value]) -> bool:
    """Keep every activation on Gaussian data, and erf and relu on all data."""
    return cell["data"] == "gaussian" or cell["activation"] in ("erf", "relu")
