"""Figure 2 of caron2023: gamma = 0.5 trains faster than gamma = 1, and its eigenvalue overtakes.

The network, its loss and its scales are written out again; gradients and tangent kernel come from autograd,
and training is plain gradient descent, where the claim follows gradient flow with formulas.
"""

import math

import numpy as np
import pytest
import torch

N, D, M = 100, 50, 1000  # inputs and dimension as printed; half the width
RATE, STEPS = 10.0, 500  # 5,000 steps at the printed rate of 1


def scales(gamma, alpha):
    """Equations (1) and (35); the zeta of (35) cancels."""
    tilde = np.arange(1, M + 1) ** (-1 / alpha)
    return torch.from_numpy(gamma / M + (1 - gamma) * tilde / tilde.sum())


def course(X, y, W, a, lam):
    """First and last of: the loss (3), and the smallest eigenvalue of the Gram matrix of the gradients."""
    readout = lam.sqrt() * a
    W = W.clone().requires_grad_()

    def outputs():
        return torch.nn.functional.silu(X @ W.T / math.sqrt(D)) @ readout

    def seen():
        rows = [torch.autograd.grad(f, W, retain_graph=True)[0].flatten() for f in outputs()]
        J = torch.stack(rows)  # (N, M D)
        loss = 0.5 * float((y - outputs()).detach().square().sum())
        return loss, float(torch.linalg.eigvalsh(J @ J.T)[0])

    first = seen()
    for _ in range(STEPS):
        (gradient,) = torch.autograd.grad(0.5 * (y - outputs()).square().sum(), W)
        with torch.no_grad():
            W -= RATE * gradient
    return first, seen()


@pytest.fixture(scope="module")
def logs():
    """Logarithms of the rate, and of the first and last eigenvalue, less those of gamma = 1; two draws."""
    found = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((N, D))
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        y = torch.from_numpy(5 / D * np.sin(np.pi * X).sum(1) + rng.standard_normal(N))
        W = torch.from_numpy(rng.standard_normal((M, D)))
        a = torch.from_numpy(rng.choice([-1.0, 1.0], M))
        rows = []
        for gamma, alpha in ((1, 0.5), (0.5, 0.7)):
            (loss, lowest), (last_loss, last) = course(torch.from_numpy(X), y, W, a, scales(gamma, alpha))
            rows.append([math.log(math.log(loss / last_loss)), math.log(lowest), math.log(last)])
        found.append(np.subtract(rows[1], rows[0]))
    return np.mean(found, axis=0)


# Over 12 draws the differences had means 0.49, -0.16 and 0.58 and standard deviations 0.11, 0.024 and 0.083:
# a mean of two has another sign with probability below 1e-9, by Gaussian theory.
def test_the_training_rate_is_higher(logs):
    assert logs[0] > 0


def test_the_smallest_eigenvalue_is_lower_before_training_and_higher_after(logs):
    assert logs[1] < 0 < logs[2]
