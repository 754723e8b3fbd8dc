r"""Three inequalities for matrix norms.

Setting   any matrices, real, of any shape that the statement admits.
Claim     B.1: a submatrix A_1 of A has ||A_1|| <= ||A||.
          B.2: a square A has ||A_diag|| <= ||A|| and ||A_off|| <= 2 ||A||.
          B.3 (Schur): positive semidefinite A, B have ||A o B|| <= ||A|| max_i B_ii.
Measured  the excess of the left side over the right, relative to the right; a search by hypothesis
          over matrices of many spectra and scales, and by gradient ascent on the ratio of the sides.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, search
from whp.strategies import matrices, psd_matrices

TOLERANCE = 1e-10


def norm(A):
    """Spectral norm."""
    return float(np.linalg.norm(A, 2))


def excess(left, right):
    """How far left <= right is violated, relative to the right side."""
    return left / right - 1 if right > 0 else (0.0 if left == 0 else np.inf)


def climb(ratio, shape, steps=200, starts=2):
    """Return an ascent of ``ratio(A)`` over matrices (or pairs of them) of a shape, by gradients."""

    def ascend(rng):
        best, where = -np.inf, ""
        for _ in range(starts):
            A = torch.from_numpy(rng.standard_normal(shape)).requires_grad_()
            optimiser = torch.optim.Adam([A], lr=0.05)
            for _ in range(steps):
                optimiser.zero_grad()
                value = ratio(A)
                (-value).backward()
                optimiser.step()
            value = float(ratio(A.detach())) - 1
            if value > best:
                best, where = (
                    value,
                    f"found by gradient ascent: {np.array2string(A.detach().numpy(), precision=3)}",
                )
        return best, " ".join(where.split())[:600]

    return ascend


def top(A):
    """Spectral norm, differentiable."""
    return torch.linalg.matrix_norm(A, 2)


def off(A):
    """The off-diagonal part."""
    return A - torch.diag_embed(A.diagonal())


# --- Lemma B.1

SUBSETS = {
    "A": matrices(),
    "rows": st.sets(st.integers(0, 7), min_size=1),
    "columns": st.sets(st.integers(0, 7), min_size=1),
}


def cut(A, rows, columns):
    """The submatrix, with indices folded into range."""
    return A[np.ix_(sorted({i % A.shape[0] for i in rows}), sorted({j % A.shape[1] for j in columns}))]


def submatrix(A, rows, columns):
    return excess(norm(cut(A, rows, columns)), norm(A))


def submatrix_share(A, rows, columns):
    B = cut(A, rows, columns)
    return excess(norm(B), norm(A) * (B.size / A.size) ** 0.5)


def submatrix_frobenius(A, rows, columns):
    return excess(float(np.linalg.norm(cut(A, rows, columns))), norm(A))


b_1 = claim(
    "hu2020.lemma_b_1",
    always(
        experiment=search(submatrix, given=SUBSETS, ascend=climb(lambda A: top(A[:3, 1:5]) / top(A), (6, 7))),
        statement=r"\|A_1\| \le \|A\|",
        tolerance=TOLERANCE,
        twins={
            "share": Twin(
                "scaled by the share of entries kept",
                experiment=search(submatrix_share, given=SUBSETS, shrink=False),
            ),
            "frobenius": Twin(
                "Frobenius norm on the left",
                experiment=search(submatrix_frobenius, given=SUBSETS, shrink=False),
            ),
        },
    ),
    title="A submatrix has no larger norm",
    locus="Lemma B.1",
    regime="met",
)

# --- Lemma B.2

SQUARE = {"A": matrices(square=True)}


def diagonal_part(A):
    return excess(norm(np.diag(A.diagonal())), norm(A))


def diagonal_part_small(A):
    return excess(norm(np.diag(A.diagonal())), 0.9 * norm(A))


def diagonal_part_frobenius(A):
    return excess(float(np.linalg.norm(A.diagonal())), norm(A))


def off_diagonal_part(A):
    return excess(norm(A - np.diag(A.diagonal())), 2 * norm(A))


def off_diagonal_part_small(A):
    return excess(norm(A - np.diag(A.diagonal())), 1.5 * norm(A))


def off_diagonal_part_entry(A):
    return excess(norm(A - np.diag(A.diagonal())), 2 * np.abs(A).max())


b_2 = claim(
    "hu2020.lemma_b_2",
    always(
        name="diagonal",
        experiment=search(
            diagonal_part, given=SQUARE, ascend=climb(lambda A: A.diagonal().abs().max() / top(A), (6, 6))
        ),
        statement=r"\|A_{\mathrm{diag}}\| \le \|A\|",
        tolerance=TOLERANCE,
        twins={
            "constant": Twin(
                "0.9 instead of 1", experiment=search(diagonal_part_small, given=SQUARE, shrink=False)
            ),
            "frobenius": Twin(
                "Frobenius norm on the left",
                experiment=search(diagonal_part_frobenius, given=SQUARE, shrink=False),
            ),
        },
    ),
    always(
        name="off-diagonal",
        experiment=search(
            off_diagonal_part, given=SQUARE, ascend=climb(lambda A: top(off(A)) / (2 * top(A)), (8, 8))
        ),
        statement=r"\|A_{\mathrm{off}}\| \le 2 \|A\|",
        tolerance=TOLERANCE,
        twins={
            "constant": Twin(
                "1.5 instead of 2",
                experiment=search(
                    off_diagonal_part_small,
                    given=SQUARE,
                    ascend=climb(lambda A: top(off(A)) / (1.5 * top(A)), (8, 8)),
                    shrink=False,
                ),
            ),
            "entry": Twin(
                "largest entry on the right",
                experiment=search(off_diagonal_part_entry, given=SQUARE, shrink=False),
            ),
        },
    ),
    title="The diagonal part has at most the norm, the off-diagonal part at most twice the norm",
    locus="Lemma B.2",
    regime="met",
)

# --- Lemma B.3

PAIRS = {"pair": st.integers(1, 8).flatmap(lambda n: st.tuples(psd_matrices(side=n), psd_matrices(side=n)))}


def schur(pair):
    A, B = pair
    return excess(norm(A * B), norm(A) * B.diagonal().max())


def schur_smallest(pair):
    A, B = pair
    return excess(norm(A * B), norm(A) * B.diagonal().min())


def schur_signed(A):
    return excess(norm(A * A), norm(A) * np.abs(A.diagonal()).max())


def gram_ratio(factors):
    """Ratio of the sides of B.3 at A = F F^T, B = G G^T for factors = (F, G)."""
    A, B = factors @ factors.mT
    return top(A * B) / (top(A) * B.diagonal().max())


b_3 = claim(
    "hu2020.lemma_b_3",
    always(
        experiment=search(schur, given=PAIRS, ascend=climb(gram_ratio, (2, 5, 5))),
        statement=r"\|A \odot B\| \le \|A\| \max_i B_{ii} \quad (A, B \succeq 0)",
        tolerance=TOLERANCE,
        twins={
            "smallest": Twin(
                "smallest diagonal entry of B", experiment=search(schur_smallest, given=PAIRS, shrink=False)
            ),
            "indefinite": Twin(
                "without semidefiniteness", experiment=search(schur_signed, given=SQUARE, shrink=False)
            ),
        },
    ),
    title="Schur: the norm of a Hadamard product of semidefinite matrices",
    locus="Lemma B.3",
    regime="met",
)
