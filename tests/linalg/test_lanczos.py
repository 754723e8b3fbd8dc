"""The pieces of the certificate: the overlap of a random start, the polynomial's root, the basis."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from whp.errors import InputError
from whp.linalg.lanczos import STARTS, LanczosRuns, log_inverse_overlap, root_above, spectrum_edges
from whp.seeding import generator

CPU = torch.device("cpu")


@pytest.mark.parametrize("n", [2, 3, 10, 1000, 10**7])
@pytest.mark.parametrize("probability", [0.9, 0.1, 1e-5, 1e-20])
def test_overlap_has_the_stated_probability(n: int, probability: float) -> None:
    delta = mpmath.exp(-mpmath.mpf(log_inverse_overlap(n, probability)))
    with mpmath.workdps(40):
        half = mpmath.mpf(n - 1) / 2
        density = mpmath.gamma(half + 0.5) / (mpmath.sqrt(mpmath.pi) * mpmath.gamma(half))
        # P(|g| < delta) = 2 density * integral_0^delta (1 - x^2)^((n-3)/2) dx, as a hypergeometric series.
        mass = 2 * density * delta * mpmath.hyp2f1(0.5, 1 - half, 1.5, delta**2)
    ratio = float(mass / probability)
    assert ratio == pytest.approx(1.0, rel=1e-6)


def test_overlap_against_random_starts() -> None:
    rng = generator(0, "overlap")
    for n, probability in ((1, 0.5), (2, 0.3), (5, 0.3), (40, 0.3)):
        g = rng.standard_normal((20000, n))
        overlap = np.abs(g[:, 0]) / np.linalg.norm(g, axis=1)
        below = int((overlap < np.exp(-log_inverse_overlap(n, probability))).sum())
        expected = 0.0 if n == 1 else probability
        # Two-sided binomial limits at 1e-8 each.
        assert stats.binom.ppf(1e-8, 20000, expected) <= below <= stats.binom.isf(1e-8, 20000, expected)


@pytest.mark.parametrize("level", [-3.0, 0.0, 10.0, 400.0])
def test_root_is_the_root_from_above(level: float) -> None:
    rng = generator(1, "root")
    for k in (1, 2, 7, 60):
        theta = rng.uniform(-1, 1, k)
        log_betas = float(np.log(rng.uniform(0.7, 1.5, k)).sum())
        t = root_above(theta, log_betas, level)
        value = np.log(t - theta).sum() - log_betas
        assert t > theta.max()
        assert value >= level - 1e-9
        assert value == pytest.approx(level, abs=1e-6)


def test_root_next_to_an_isolated_or_double_value() -> None:
    # Products of betas at the roundoff push the root into the Ritz value; the answer stays finite and above.
    for theta in (np.r_[1.0, np.zeros(40)], np.r_[1.0, 1.0, np.zeros(40)]):
        t = root_above(theta, theta.size * np.log(2.0**-53), 25.0)
        assert 1.0 <= t <= 1.0 + 1e-12


@pytest.mark.parametrize("spread", [1.0, 1e-3, 0.0], ids=["full", "clustered", "identity"])
def test_basis_stays_orthonormal_through_breakdowns(spread: float) -> None:
    n = 60
    values = torch.from_numpy(1.0 - spread * np.linspace(0, 1, n).round(1))  # eleven different values at most
    runs = LanczosRuns(lambda V: values[:, None] * V, n, generator(2, "basis"), CPU, starts=3)
    for _ in range(n):
        runs.step()
    assert runs.exhausted
    gram = runs._basis[:, :n] @ runs._basis[:, :n].transpose(1, 2)
    assert float((gram - torch.eye(n, dtype=torch.float64)).abs().max()) < 1e-13
    for run in range(3):
        edges = runs.extremes(run, 20.0)
        assert (edges.ritz_min, edges.ritz_max) == pytest.approx((1.0 - spread, 1.0), rel=1e-12)
        assert (edges.lower, edges.upper) == (edges.ritz_min, edges.ritz_max)


def test_basis_stays_orthonormal_where_only_rounding_is_left() -> None:
    # Rank three and norm 30: from the fifth step on, what is normalised is the rounding error of the product.
    n = 60
    rng = generator(8, "low rank")
    Q = torch.from_numpy(np.linalg.qr(rng.standard_normal((n, 3)))[0])
    A = (Q * torch.tensor([30.0, -29.0, 17.0], dtype=torch.float64)) @ Q.T
    runs = LanczosRuns(lambda V: A @ V, n, rng, CPU, starts=3)
    for _ in range(n):
        runs.step()
    gram = runs._basis[:, :n] @ runs._basis[:, :n].transpose(1, 2)
    assert float((gram - torch.eye(n, dtype=torch.float64)).abs().max()) < 1e-13


def test_recurrence_holds() -> None:
    n, k = 80, 8
    A = torch.from_numpy(generator(3, "A").standard_normal((n, n))) / n**0.5
    A = A + A.T
    runs = LanczosRuns(lambda V: A @ V, n, generator(4, "start"), CPU, starts=2)
    for _ in range(k):
        runs.step()
    for run in range(2):
        V = runs._basis[run, :k].T
        T = V.T @ A @ V
        alpha = torch.tensor([a[run] for a in runs._alpha], dtype=torch.float64)
        beta = torch.tensor([b[run] for b in runs._beta], dtype=torch.float64)
        tridiagonal = torch.diag(alpha) + torch.diag(beta[:-1], 1) + torch.diag(beta[:-1], -1)
        assert float((T - tridiagonal).abs().max()) < 1e-13
        # v_{k+1} = p_k(A) v_1 with p_k from the Ritz values: the identity that the certificate rests on.
        w = runs._basis[run, 0].clone()
        for theta, b in zip(torch.linalg.eigvalsh(tridiagonal), beta, strict=True):
            w = (A @ w - theta * w) / b
        assert float((w - runs._basis[run, k]).abs().max()) < 1e-10


def test_looks_only_improve_and_enclose() -> None:
    values = torch.from_numpy(np.linspace(-1, 2, 500))
    previous = None
    for edges in spectrum_edges(
        lambda V: values[:, None] * V,
        500,
        generator(5, "looks"),
        CPU,
        failure_probability=1e-10,
        max_steps=60,
    ):
        assert edges.lower <= -1.0 <= edges.ritz_min <= edges.ritz_max <= 2.0 <= edges.upper
        if previous is not None:
            assert previous.lower <= edges.lower
            assert edges.upper <= previous.upper
            assert previous.ritz_max <= edges.ritz_max + 1e-12
        previous = edges
    assert previous is not None
    assert previous.steps == 60


class _Starts:
    """A generator whose first block is given."""

    def __init__(self, first: np.ndarray, rng: np.random.Generator) -> None:
        self.first: np.ndarray | None = first
        self.rng = rng

    def standard_normal(self, shape: tuple[int, int]) -> np.ndarray:
        if self.first is None:
            return self.rng.standard_normal(shape)
        block, self.first = self.first, None
        return block


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("probability", [1e-10, 0.3])
def test_every_start_with_the_overlap_gives_a_bound(probability: float, dtype: torch.dtype) -> None:
    # Nothing random is left: with |g| = 1.0001 delta in every run, all looks must enclose the norm. With
    # |g| = 0.2 delta they need not, and on a rank-one matrix they do not: the overlap carries the proof.
    n = 300
    rng = generator(7, "edge")
    delta = np.exp(-log_inverse_overlap(n, probability ** (1 / STARTS)))
    spectra = [
        np.r_[1.0, np.zeros(n - 1)],
        np.r_[1.0, np.linspace(-0.999, 0.999, n - 1)],
        np.r_[1.0, 1 - 1e-8, 0.9 ** np.arange(n - 2)],
        np.r_[-1.0, np.ones(n - 1) * 0.5],
    ]
    missed = 0
    for values in spectra:
        A = torch.diag(torch.from_numpy(values)).to(dtype)
        for factor in (1.0001, 0.2):
            rest = rng.standard_normal((STARTS, n - 1))
            rest *= np.sqrt(1 - (factor * delta) ** 2) / np.linalg.norm(rest, axis=1, keepdims=True)
            starts = _Starts(np.c_[np.full(STARTS, factor * delta), rest], rng)
            looks = spectrum_edges(
                lambda V, A=A: (A @ V.to(A.dtype)).double(),
                n,
                starts,
                CPU,
                failure_probability=probability,
                max_steps=80,
            )
            outer = [max(edges.upper, -edges.lower) for edges in looks]
            if factor > 1:
                assert min(outer) >= 1.0 - 1e-6 * (dtype == torch.float32) - 1e-13
            else:
                missed += min(outer) < 1.0 - 1e-4
    assert missed > 0


def test_products_that_are_not_finite() -> None:
    runs = LanczosRuns(lambda V: V / 0.0, 5, generator(6, "x"), CPU)
    with pytest.raises(InputError, match="scaled so that A v is finite"):
        runs.step()
