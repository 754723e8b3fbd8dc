"""The kernel of Figure 5 at its printed size, with its norms, against one full product of the same shape."""

from __future__ import annotations

import numpy as np
import torch

from whp.benchmarks.harness import AtLeast, AtMost, Context, Measurement, Work, alternate, times_faster
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import activation, first_layer_ntk, subtract_linear_kernel_
from whp.linalg import frobenius_norm, spectral_norm

N, M, D = 10_000, 20_000, 512


def run(context: Context) -> Measurement:
    """First-layer kernel minus linear kernel, spectral and Frobenius norm: half the work of the product."""
    n, m, d = (60, 80, 10) if context.small else (N, M, D)
    rng, device, phi = np.random.default_rng(0), torch.device(context.device), activation("erf")
    X = data_distribution("gaussian").sample(rng, n, d, torch.float32, device)  # (n, d)
    W = symmetric_init(rng, m, d, torch.float32, device).W_half  # (m / 2, d)
    left, right = torch.randn(n, m, device=device), torch.randn(m, n, device=device)
    whole = torch.empty(n, n, device=device)
    widths: list[float] = []

    def kernel_and_norms() -> None:
        deviation = subtract_linear_kernel_(first_layer_ntk(X, W, phi), X, phi.moments.zeta, 0.0)
        widths.append(spectral_norm(deviation, rng, symmetric=True).relative_width)
        frobenius_norm(deviation)

    # Seconds a call: no warm-up, the first round shows as well as any what is slow at first.
    seconds = alternate(
        {"whp": kernel_and_norms, "one product": lambda: torch.mm(left, right, out=whole)},
        context.rounds,
        warm=False,
    )
    figures = {
        "times one full product": times_faster(seconds, "one product"),
        "width of the norm": max(widths),
    }
    return Measurement(figures, seconds, {"n": n, "m": m, "d": d})


WORK = (
    Work(
        "fig_5_kernel",
        f"first-layer kernel less its linear kernel and both norms, n = {N}, m = {M}, d = {D}, float32",
        {"times one full product": AtLeast(2), "width of the norm": AtMost(0.02)},
        run,
        ("cpu", "cuda"),
    ),
)
