r"""The fast way to the convolutional tangent kernel of ReLU networks is exact, and its cost.

Setting   Section 4.1's recursion for a pair of images; A^(h) the 2PQ x 2PQ matrix of the blocks
          Sigma^(h-1)(x, x), Sigma^(h-1)(x, x'), Sigma^(h-1)(x', x), Sigma^(h-1)(x', x').
Claim     (a) With D the square roots of the diagonal of A^(h) = D Lambda^(h) D, (19) and (20) applied to
          each entry give K^(h) and K-dot^(h).
          (b) Only the diagonals of Sigma^(h-1)(x, x) and Sigma^(h-1)(x', x'), and Sigma^(h-1)(x, x') itself,
          need to be stored.
          (c) The kernel of n samples takes time O(n^2 P^2 Q^2 L), most of it in entry-wise operations.
Measured  (a) the two steps written out with whole matrices A^(h), against the recursion that takes its
          expectations elsewhere; (b) the fast kernels of this package, fused (float32) and of whole tensors
          (float32, float64), which store no more than (b) says, against that recursion. Both are searches
          over images of any size with zero patches, parallel and equal ones, filters of size 1, 3 and 5,
          both paddings, both readouts, and all or the middle layers trained. The largest difference is
          taken relative to sqrt(k(x, x) k(x', x')), the scale on which kernel regression feels it.
          (c) how many entries of tensors the operations of the fast method write, counted as they are
          dispatched (a clock would not give the same number twice), along a path on which n, P, Q and L
          grow together. It is not random.
Choice    Where a diagonal entry is zero, Lambda^(h) is not defined; its row and column are set to zero. Any
          value does: Theta^(h-1) is zero there.
"""

from __future__ import annotations

import math

import numpy as np
import sympy
import torch
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from whp.claims import Design, Path, Twin, always, claim, experiment, geometric, rate, search, symbols
from whp.kernels.cntk import cntk
from whp.kernels.cntk_reference import cntk_tensors
from whp.kernels.cntk_torch import torch_cntk

n, P, Q, L = symbols("n P Q L")
ROUNDING = 2e-6
"""What float32 explains: some twenty units of rounding."""
STEPS = 1e-7
"""What float64 explains: the angle of parallel images is of the order of the root of a unit of rounding."""

# --- the two steps


@st.composite
def image_pairs(draw):
    """Two images, shape (2, C, P, Q): normal entries, some of them zero, parallel, or equal."""
    shape = [draw(st.integers(1, high)) for high in (3, 5, 5)]
    X = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal((2, *shape))
    X[:, :, : draw(st.integers(0, 2))] *= draw(st.sampled_from((1.0, 0.0)))
    relation = draw(st.sampled_from(("independent", "equal", "parallel", "close")))
    if relation == "close":
        X[1] = X[0] + 1e-3 * X[1]
    elif relation != "independent":
        X[1] = X[0] * (3.0 if relation == "parallel" else 1.0)
    return torch.from_numpy(X)


NETWORK = {
    "X": image_pairs(),
    "layers": st.integers(1, 4),
    "filter_size": st.sampled_from((1, 3, 5)),
    "padding": st.sampled_from(("zero", "circular")),
}


def inverse(a):
    """1 / a, and 0 where a is 0."""
    return torch.where(a > 0, 1 / a, 0.0)


def steps(X, layers, filter_size, padding, normalise=True, rescale=True, right="own"):
    """The largest difference of K^(h) and K-dot^(h) by steps 1 and 2 from those of the recursion."""
    P, Q = X.shape[-2:]
    size = P * Q
    options = {"layers": layers, "filter_size": filter_size, "padding": padding}
    plain = cntk_tensors(X[0], X[1], **options)
    first = {**options, "layers": 1}
    sigma = [[cntk_tensors(a, b, **first).Sigma[0].reshape(size, size) for b in X] for a in X]
    worst = 0.0
    for h in range(layers):
        A = torch.cat([torch.cat(row, dim=1) for row in sigma])  # (2PQ, 2PQ)
        D = A.diagonal().sqrt()
        D_right = D if right == "own" else torch.cat((D[:size], D[:size]))
        Lambda = (inverse(D)[:, None] * A * inverse(D_right) if normalise else A).clamp(-1, 1)
        angles = torch.arccos(Lambda)
        K = (Lambda * (math.pi - angles) + (1 - Lambda**2).sqrt()) / (2 * math.pi)  # (19)
        K_dot = (math.pi - angles) / (2 * math.pi)  # (20)
        if rescale:
            K = K * D[:, None] * D_right
        units = D[:size, None] * D[size:]
        errors = (K[:size, size:] - plain.K[h + 1].reshape(size, size)).abs()
        slopes = (K_dot[:size, size:] - plain.K_dot[h].reshape(size, size)).abs()
        worst = max(worst, float((errors * inverse(units)).max()), float((slopes * (units > 0)).max()))
        convolved = [plain.convolve(K[rows, columns].reshape(P, Q, P, Q)) for rows, columns in _blocks(size)]
        flat = [M.reshape(size, size) for M in convolved]
        sigma = [flat[:2], flat[2:]]
    return worst


def _blocks(size):
    """The four blocks of A, by rows."""
    halves = (slice(size), slice(size, None))
    return [(rows, columns) for rows in halves for columns in halves]


def without_normalisation(**network):
    return steps(**network, normalise=False)


def without_rescaling(**network):
    return steps(**network, rescale=False)


def left_deviations(**network):
    return steps(**network, right="left")


# --- the fast kernels

METHODS = {
    "fused": ("fused", torch.float32),
    "torch, float32": ("torch", torch.float32),
    "torch, float64": ("torch", torch.float64),
}
FAST = NETWORK | {
    "pooling": st.sampled_from(("none", "average")),
    "train": st.sampled_from(("all", "middle")),
    "method": st.sampled_from(list(METHODS)),
}


def fast(X, method, pooling, train, layers, filter_size, padding, wrong=None):
    """The largest difference between a fast kernel of a pair and the plain one."""
    name, dtype = METHODS[method]
    images = X.to(dtype)
    options = {"layers": layers, "filter_size": filter_size, "padding": padding}
    choices = {**options, "pooling": pooling, "train": train, **(wrong or {})}
    result = cntk(images, method=name, **choices).double()
    exact = images.double()
    plain = torch.tensor(
        [[cntk_tensors(a, b, **options).kernel(pooling, train) for b in exact] for a in exact],
        dtype=torch.float64,
    )
    deviations = plain.diagonal().sqrt()
    units = deviations[:, None] * deviations
    return float(((result - plain).abs() * inverse(units)).max())


def going_round(**network):
    return fast(**network, wrong={"padding": "circular"})


def shallow(layers, **network):
    return fast(layers=layers, **network, wrong={"layers": max(1, layers - 1)})


def ends_fixed(**network):
    return fast(**network, wrong={"train": "middle"})


# --- the cost


class Count(TorchDispatchMode):
    """Counts the entries that operations write; views write none."""

    def __init__(self):
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for output, returned in zip([result], func._schema.returns, strict=False):
            view = returned.alias_info is not None and not returned.alias_info.is_write
            if isinstance(output, torch.Tensor) and not view:
                self.entries += output.numel()
        return result


SIZES = {"P": 2 * sympy.sqrt(n), "Q": P + 1, "L": n / 2}


@experiment(
    quick=Design(Path(n=geometric(3, 18, 4), **SIZES), trials=(17, 17)),
    standard=Design(Path(n=geometric(4, 40, 5), **SIZES), trials=(17, 17)),
)
def entries(p, rng, device):
    """Entries written for the pooled kernel of n images: 3 channels, filters of size 3, zero padding."""
    X = torch.empty(p.n, 3, p.P, p.Q, device="meta")  # sizes without numbers: nothing is computed
    with Count() as count:
        torch_cntk(X, None, p.L, 3, "average", "zero", "middle")
    return count.entries


def refute(check, given, tolerance):
    """The search of a false twin."""
    return search(check, given=given, tolerance=tolerance, shrink=False)


fast_computation = claim(
    "arora2019.sec_4_3",
    always(
        name="steps 1 and 2",
        experiment=search(steps, given=NETWORK, examples=(40, 600, 4000), tolerance=STEPS),
        statement=r"K^{(h)},\ \dot K^{(h)} \text{ by (19) and (20) on } A^{(h)} = D \Lambda^{(h)} D",
        tolerance=STEPS,
        twins={
            "unnormalised": Twin(
                "(17) and (18) on A as it is",
                experiment=refute(without_normalisation, NETWORK, STEPS),
            ),
            "unscaled": Twin("(19) without c_1 c_2", experiment=refute(without_rescaling, NETWORK, STEPS)),
            "one side": Twin(
                "the deviations of x on both sides",
                experiment=refute(left_deviations, NETWORK, STEPS),
            ),
        },
    ),
    always(
        name="fast kernels",
        experiment=search(fast, given=FAST, examples=(40, 600, 4000), tolerance=ROUNDING),
        statement=r"\text{fast} = \text{plain}, \text{ up to rounding}",
        tolerance=ROUNDING,
        twins={
            "padding": Twin("patches go round", experiment=refute(going_round, FAST, ROUNDING)),
            "depth": Twin("one layer less", experiment=refute(shallow, FAST, ROUNDING)),
            "ends": Twin(
                "the first and the last layer count as fixed",
                experiment=refute(ends_fixed, FAST, ROUNDING),
            ),
        },
    ),
    rate(
        name="cost",
        experiment=entries,
        quantity=r"\text{entries written}",
        bound=n**2 * P**2 * Q**2 * L,
        twins={
            "layers": Twin("no L", bound=n**2 * P**2 * Q**2),
            "positions": Twin("PQ and not its square", bound=n**2 * P * Q * L),
            "samples": Twin("n and not its square", bound=n * P**2 * Q**2 * L),
        },
    ),
    title="The kernel of ReLU networks is computed exactly from diagonals, at a cost of n^2 P^2 Q^2 L",
    locus="Section 4.3",
    regime="met",
    assumptions=[
        r"$\sigma(z) = \max(0, z)$, $c_\sigma = 2$; stride 1.",
        "The kernel is that of the network, whose last layer has no patch trace.",
    ],
)
