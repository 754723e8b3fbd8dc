r"""Gradient descent on linear least squares in closed form.

Setting   G(w) = |Phi w - y|^2 / (2n); w(t+1) = w(t) - (eta/n) Phi^T (Phi w(t) - y); u(t) = Phi w(t),
          K = Phi Phi^T; any Phi, y, w(0).
Claim     u(t) - y = (I - eta K / n)^t (u(0) - y) for all t >= 0; and if eta <= 2n / ||K||,
          then |u(t) - y| <= |u(0) - y| for all t >= 0.
Measured  the largest difference of the two sides over t <= 30, and the largest growth of the residual,
          both relative to |u(0) - y|; eta from 0 to the edge 2n / ||K||, the edge included.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, search
from whp.strategies import matrices, vectors

TOLERANCE = 1e-8
T = 30


def inputs(largest):
    """Phi (n, M), y (n,), w(0) (M,), and eta as a share of 2n / ||K||, from 0 to ``largest``."""
    shares = st.one_of(st.sampled_from([0.0, 0.5, 1.0, largest]), st.floats(0.0, largest))
    problems = matrices().flatmap(lambda A: st.tuples(st.just(A), vectors(A.shape[0]), vectors(A.shape[1])))
    return {"problem": problems, "share": shares}


def descend(problem, share):
    """Residuals u(t) - y for t = 0..T by the iteration, eta, and K; rescaled so that ||Phi|| = 1."""
    Phi, y, w = problem
    scale = np.linalg.norm(Phi, 2)
    Phi = Phi / scale if scale > 0 else Phi  # the statement is homogeneous: eta scales by 1 / ||Phi||^2
    n = len(y)
    K = Phi @ Phi.T
    top = np.linalg.norm(K, 2)
    eta = share * 2 * n / top if top > 0 else share
    first = Phi @ w - y
    size = np.linalg.norm(first)
    if size > 0:
        y, w = y / size, w / size
    residuals = []
    for _ in range(T + 1):
        residuals.append(Phi @ w - y)
        w = w - eta / n * Phi.T @ residuals[-1]
    # Rounding of u(0) - y, where the two nearly cancel, is rounding of the input.
    noise = np.finfo(float).eps * (np.abs(y).max() + np.linalg.norm(w))
    return residuals, eta, K, n, noise


def gap(problem, share, closed_form):
    """Largest |u(t) - y - closed form| over t, less what rounding of the inputs explains."""
    residuals, eta, K, n, noise = descend(problem, share)
    worst = max(np.abs(r - closed_form(eta, K, n, t, residuals[0])).max() for t, r in enumerate(residuals))
    return worst - 1e3 * noise


def power(eta, K, n, t, first):
    return np.linalg.matrix_power(np.eye(n) - eta * K / n, t) @ first


def closed_form(problem, share):
    return gap(problem, share, power)


def closed_form_shifted(problem, share):
    return gap(problem, share, lambda eta, K, n, t, first: power(eta, K, n, t + 1, first))


def closed_form_unscaled(problem, share):
    return gap(problem, share, lambda eta, K, n, t, first: power(eta * n, K, n, t, first))


def growth(problem, share):
    """Largest |u(t) - y| less |u(0) - y|, less what rounding of the inputs explains."""
    residuals, *_, noise = descend(problem, share)
    sizes = [np.linalg.norm(r) for r in residuals]
    return max(sizes) - sizes[0] - 1e3 * noise


def growth_doubled(problem, share):
    """As ``growth``; its own name is that of another search, in which eta goes up to twice the edge."""
    return growth(problem, share)


def climb_growth(rng):
    """Gradient ascent of the growth of the residual over Phi, y and the step size."""
    best, where = -np.inf, ""
    for _ in range(4):
        Phi, y = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((5, 4), (5,)))
        share = torch.tensor(2.0)  # its sigmoid is the share of 2n / ||K||
        variables = [v.requires_grad_() for v in (Phi, y, share)]
        optimiser = torch.optim.Adam(variables, lr=0.05)
        for _ in range(200):
            optimiser.zero_grad()
            value = torch_growth(Phi, y, torch.sigmoid(share))
            (-value).backward()
            optimiser.step()
        with torch.no_grad():
            value = float(torch_growth(Phi, y, torch.ones(())))
        if value > best:
            best, where = (
                value,
                f"found by gradient ascent, at the edge: Phi = {Phi.detach().numpy().round(3).tolist()}",
            )
    return best, where


def torch_growth(Phi, y, share):
    """|u(T) - y| / |y| - 1 from w(0) = 0, by the eigenvalues of K."""
    values, vectors = torch.linalg.eigh(Phi @ Phi.T)
    factors = (1 - 2 * share * values / values[-1]) ** T
    return torch.linalg.vector_norm(factors * (vectors.T @ y)) / torch.linalg.vector_norm(y) - 1


statement = claim(
    "hu2020.claim_c_1",
    always(
        name="closed form",
        experiment=search(closed_form, given=inputs(1.0), tolerance=TOLERANCE),
        statement=r"u(t) - y = (I - \tfrac{\eta}{n} K)^t (u(0) - y)",
        tolerance=TOLERANCE,
        twins={
            "shifted": Twin(
                "power t + 1",
                experiment=search(closed_form_shifted, given=inputs(1.0), tolerance=TOLERANCE, shrink=False),
            ),
            "unscaled": Twin(
                "without the factor 1/n",
                experiment=search(closed_form_unscaled, given=inputs(1.0), tolerance=TOLERANCE, shrink=False),
            ),
        },
    ),
    always(
        name="no growth",
        experiment=search(growth, given=inputs(1.0), tolerance=TOLERANCE, ascend=climb_growth),
        statement=r"\eta \le \frac{2n}{\|K\|} \;\Rightarrow\; \|u(t) - y\| \le \|u(0) - y\|",
        tolerance=TOLERANCE,
        twins={
            "edge": Twin(
                "edge at 4n / ||K||",
                experiment=search(growth_doubled, given=inputs(2.0), tolerance=TOLERANCE, shrink=False),
            )
        },
    ),
    title="Linear dynamics in closed form; the residual does not grow",
    locus="Claim C.1",
    regime="met",
)
