r"""Lanczos from random starts, with upper bounds that hold with known probability.

After k steps from a unit vector ``v_1``, the next basis vector is
``v_{k+1} = p_k(A) v_1`` with ``p_k(t) = prod_i (t - theta_i) / prod_j beta_j``,
where ``theta_i`` are the Ritz values. Let x be a unit eigenvector of the largest
eigenvalue and ``g = <x, v_1>``. Then

    1 = ||v_{k+1}||^2 >= g^2 p_k(lambda_max)^2,

so ``|p_k(lambda_max)| <= 1 / |g|``. For ``v_1`` uniform on the sphere, ``g^2`` is
Beta(1/2, (n-1)/2), so ``|g| >= delta`` except with a probability eps that fixes
delta. Beyond the largest Ritz value ``p_k`` increases: the point t there with
``p_k(t) = 1 / delta`` is an upper bound of ``lambda_max`` (Hochstenbach 2013,
"Probabilistic upper bounds for the matrix two-norm"; van Dorsselaer, Hochstenbach
and van der Vorst 2000, "Computing probabilistic bounds for extreme eigenvalues of
symmetric matrices with the Lanczos method").

*Looks.* ``|g| >= delta`` is one event for all k, so the bound may be looked at
after every step, and the smallest one kept, at no charge.

*Multiple eigenvalues.* x is any one fixed eigenvector; the others only help.

*Several starts.* Runs from s independent starts advance in lockstep (one product
with an (n, s) block costs about as much as two with a vector). The largest of
their s bounds fails only if every run fails, so each may use ``eps^(1/s)``: delta
is far larger, fewer steps are needed, and at eps = 1e-10 it stands above the rounding
errors of float32.

*Rounding.* In floating point ``A v_j = beta_{j-1} v_{j-1} + alpha_j v_j + beta_j
v_{j+1} - f_j``, and the same steps bound ``|g + h_k| p_k(lambda_max)`` by 1, with
``h_k`` a combination of the ``<x, f_j>``. The density of g is largest at 0, so a
shift that is independent of g makes ``|g + h| < delta`` less likely, not more:
under that model of rounding errors the bounds keep their probability. Callers widen
them by an allowance for ``f_j`` all the same. The basis is float64 and is fully
reorthogonalised, so ``f_j`` is the rounding of one product with A.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigvalsh_tridiagonal
from scipy.special import betaincinv

from whp.errors import require
from whp.linalg.operators import ROUNDOFF64
from whp.memory import allocate

Product = Callable[[torch.Tensor], torch.Tensor]
Floats = NDArray[np.float64]

STARTS = 4  # independent runs in lockstep
_LOOK_EVERY = 4  # steps between two looks
_NEGLIGIBLE = -60.0  # log of a distance far below the roundoff of a matrix with norm of order one
_CHUNK = 32  # basis vectors allocated at a time


@dataclass(frozen=True)
class Edges:
    """Both ends of a spectrum: best Ritz values inside, probable bounds outside."""

    steps: int
    ritz_min: float
    ritz_max: float
    lower: float
    upper: float


def log_inverse_overlap(n: int, probability: float) -> float:
    r"""Return ``log(1 / delta)`` with ``P(|g| < delta) <= probability``.

    g is one coordinate of a uniformly random point of the unit sphere in n dimensions.
    """
    if n == 1:
        return 0.0
    return -0.5 * float(np.log(betaincinv(0.5, 0.5 * (n - 1), probability)))


def root_above(theta: Floats, log_betas: float, log_level: float) -> float:
    """Return (from above) the t beyond all Ritz values with ``log p_k(t) = log_level``.

    Parameters
    ----------
    theta : (k,) array
        Ritz values.
    log_betas : float
        ``sum_j log beta_j`` over j = 1..k.
    log_level : float
        ``log(1 / delta)``.
    """
    top = float(theta.max())
    gaps = top - theta  # (k,)
    target = log_level + log_betas
    # In s = log(t - top), log p_k is convex and increasing, and s = target / k is beyond the root,
    # so Newton descends to the root and every iterate on the way is an upper bound.
    s = max(target / theta.size, _NEGLIGIBLE)
    for _ in range(200):
        shift = np.exp(s)
        step = (np.log(shift + gaps).sum() - target) / (shift / (shift + gaps)).sum()
        if not step > 1e-10:
            break
        s = max(s - step, _NEGLIGIBLE)
    return top + float(np.exp(s))


class LanczosRuns:
    """Independent Lanczos runs on one symmetric product, step by step.

    Parameters
    ----------
    product : callable
        Maps float64 (n, s) to float64 (n, s); its norm should be of order one.
    n : int
        Dimension.
    rng : numpy.random.Generator
        Draws the starts, and new directions where a Krylov space is exhausted.
    device : torch.device
        Where the basis lives.
    starts : int
        Number of runs, s.
    """

    def __init__(
        self, product: Product, n: int, rng: np.random.Generator, device: torch.device, starts: int = STARTS
    ) -> None:
        self._product = product
        self._rng = rng
        self._basis = torch.empty((starts, 0, n), dtype=torch.float64, device=device)
        self._alpha: list[Floats] = []  # one (s,) array a step
        self._beta: list[Floats] = []
        first = self._gaussian()
        self._append(first / first.norm(dim=1, keepdim=True))

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self._alpha)

    @property
    def exhausted(self) -> bool:
        """Whether the bases span the whole space."""
        return self.steps == self._basis.shape[2]

    def step(self) -> None:
        """Advance every run by one product."""
        k = self.steps
        v = self._basis[:, k]  # (s, n)
        w = self._product(v.T).T.contiguous()  # (s, n)
        alpha = (v * w).sum(1, keepdim=True)
        require(bool(torch.isfinite(alpha).all()), "A", "scaled so that A v is finite", "A v with NaN or inf")
        self._alpha.append(alpha[:, 0].cpu().numpy())
        if self.exhausted:
            return
        w -= alpha * v
        if k:
            w -= torch.from_numpy(self._beta[-1]).to(w.device)[:, None] * self._basis[:, k - 1]
        self._next_direction(w)

    def extremes(self, run: int, log_level: float) -> Edges:
        """Return Ritz values and bounds of one run at its present step."""
        alpha = np.array([a[run] for a in self._alpha])
        beta = np.array([b[run] for b in self._beta])
        theta = np.asarray(eigvalsh_tridiagonal(alpha, beta[: alpha.size - 1]), dtype=np.float64)
        low, high = float(theta.min()), float(theta.max())
        if self.exhausted:
            return Edges(self.steps, low, high, low, high)
        log_betas = float(np.log(beta).sum())
        upper = root_above(theta, log_betas, log_level)
        lower = -root_above(-theta, log_betas, log_level)
        return Edges(self.steps, low, high, lower, upper)

    def _gaussian(self) -> torch.Tensor:
        shape = (self._basis.shape[0], self._basis.shape[2])
        return torch.from_numpy(self._rng.standard_normal(shape)).to(self._basis.device)

    def _append(self, v: torch.Tensor) -> None:
        filled = self.steps + 1
        if filled > self._basis.shape[1]:
            starts, _, n = self._basis.shape
            longer = (starts, self._basis.shape[1] + _CHUNK, n)
            what = f"the basis of {filled} Lanczos steps in dimension {n}"
            basis = allocate(longer, self._basis.dtype, self._basis.device, what=what)
            basis[:, : filled - 1] = self._basis
            self._basis = basis
        self._basis[:, filled - 1] = v

    def _orthogonalise(self, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return w made orthogonal to the bases, its norms, and which rows vanished."""
        used = self._basis[:, : self.steps]  # (s, k, n)
        before = w.norm(dim=1)
        for _ in range(4):
            coefficients = torch.bmm(used, w[:, :, None])  # (s, k, 1)
            w = w - torch.bmm(coefficients.transpose(1, 2), used)[:, 0]
            after = w.norm(dim=1)
            # A pass that removes little has left an orthogonal vector (Kahan and Parlett: "twice is enough").
            settled = after >= 0.5 * before
            if bool(settled.all()):
                break
            before = after
        return w, after, ~settled | (after <= ROUNDOFF64)

    def _next_direction(self, w: torch.Tensor) -> None:
        w, beta, vanished = self._orthogonalise(w)
        if bool(vanished.any()):
            # The Krylov space is exhausted to working precision. Going on in a fresh direction, with
            # beta at the roundoff, is Lanczos on a matrix that differs from A by that roundoff.
            fresh = self._gaussian()
            fresh, norms, _ = self._orthogonalise(fresh / fresh.norm(dim=1, keepdim=True))
            fresh, _, _ = self._orthogonalise(fresh / norms[:, None])
            fresh /= fresh.norm(dim=1, keepdim=True)
            w = torch.where(vanished[:, None], fresh * ROUNDOFF64, w)
            beta = torch.where(vanished, torch.full_like(beta, ROUNDOFF64), beta)
        self._beta.append(beta.cpu().numpy())
        self._append(w / beta[:, None])


def spectrum_edges(
    product: Product,
    n: int,
    rng: np.random.Generator,
    device: torch.device,
    *,
    failure_probability: float,
    max_steps: int,
) -> Iterator[Edges]:
    """Yield ever better edges of the spectrum, every few steps.

    Each end taken alone, over all looks together, is outside its bound with at most
    ``failure_probability``. So is the end of larger modulus: it is one fixed
    eigenvalue, and needs only the bound at its own end.
    """
    runs = LanczosRuns(product, n, rng, device)
    log_level = log_inverse_overlap(n, failure_probability ** (1.0 / STARTS))
    lower = np.full(STARTS, -np.inf)
    upper = np.full(STARTS, np.inf)
    last = min(n, max_steps)
    while runs.steps < last:
        runs.step()
        if runs.steps % _LOOK_EVERY and runs.steps < last:
            continue
        looks = [runs.extremes(run, log_level) for run in range(STARTS)]
        lower = np.maximum(lower, [look.lower for look in looks])
        upper = np.minimum(upper, [look.upper for look in looks])
        yield Edges(
            runs.steps,
            min(look.ritz_min for look in looks),
            max(look.ritz_max for look in looks),
            float(lower.min()),
            float(upper.max()),
        )
