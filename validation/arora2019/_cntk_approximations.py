"""The approximations of Appendix E.2 on drawn networks: both sides of each, the tensors from Section 4.1."""

from __future__ import annotations

import math

import torch

from whp.claims import Design, Path, experiment
from whp.kernels.cntk_reference import cntk_tensors, patch_trace

from ._cntk import COLOURS, pair, scale

DRAWN = 24
"""Networks drawn for one pair of images, whose two sides are averaged."""


def sides_of(X, q, t):
    """A function of the weights of two convolutions and a readout: both sides of each approximation."""
    s, padding = scale(t), q // 2
    inner = [patch_trace(K, q, t.padding) for K in t.K[:2]]  # tr([K^(h-1)]_D), h = 1, 2
    G = [T * K_dot for T, K_dot in zip(inner, t.K_dot, strict=True)]  # G^(h),(h)
    G_12 = t.K_dot[1] * t.convolve(G[0])
    corrected_2 = s * t.K_dot[1] * t.convolve(t.K[1])
    wrapped_2, wrapped_12 = (
        s * t.K_dot[1] * (s * patch_trace(T, q, "circular")) for T in (t.K[1], G[0])
    )  # patches that wrap around the border

    def against(b, T):
        """The sum of b b' T over all places, averaged over channels; b (2, C, P, Q)."""
        one, two = b
        return torch.einsum("cij,ijkl,ckl->", one, T, two) / one.shape[0]

    def sides(W_1, W_2, readout):
        C = W_1.shape[0]
        z_1 = torch.conv2d(X, W_1, padding=padding)
        x_1 = math.sqrt(s / C) * torch.relu(z_1)
        z_2 = torch.conv2d(x_1, W_2, padding=padding)
        D_1, D_2 = (z_1 > 0).to(X.dtype), (z_2 > 0).to(X.dtype)
        b_2 = readout.expand_as(z_2)
        b_1 = torch.nn.functional.conv_transpose2d(math.sqrt(s / C) * D_2 * b_2, W_2, padding=padding)

        def kernel(x, b, D):
            """(35), of one layer."""
            u = torch.nn.functional.unfold(x, q, padding=padding)
            one, two = (b * D).flatten(2)
            return s / C * ((one.mT @ two) * (u[0].mT @ u[1])).sum()

        first, second = kernel(X, b_1, D_1), kernel(x_1, b_2, D_2)
        u = torch.nn.functional.unfold(x_1, q, padding=padding)
        spread, wrapped = (patch_trace(G[0], q, kind) for kind in ("zero", "circular"))
        return {
            "patches": torch.stack([(u[0] * u[1]).sum(), trace_of(inner[1])]),
            "patches corrected": torch.stack([(u[0] * u[1]).sum(), s * trace_of(inner[1])]),
            "patches circular": torch.stack(
                [(u[0] * u[1]).sum(), s * trace_of(patch_trace(t.K[1], q, "circular"))]
            ),
            "slopes": torch.stack([s / C * (D_2[0] * D_2[1]).sum(), trace_of(t.K_dot[1])]),
            "slopes corrected": torch.stack([s / C * (D_2[0] * D_2[1]).sum(), s * trace_of(t.K_dot[1])]),
            "slopes below": torch.stack([s / C * (D_2[0] * D_2[1]).sum(), s * trace_of(t.K_dot[0])]),
            "(36)": torch.stack([against(b_1, G[0]), s * against(b_2 * D_2, spread)]),
            "(36) circular": torch.stack([against(b_1, G[0]), s * against(b_2 * D_2, wrapped)]),
            "(37)": torch.stack([second, against(b_2, G[1])]),
            "(37) corrected": torch.stack([second, against(b_2, corrected_2)]),
            "(37) circular": torch.stack([second, against(b_2, wrapped_2)]),
            "(38), a channel": torch.stack([first, s / C * against(b_2 * D_2, spread)]),
            "(38), first line circular": torch.stack([first, s * s * against(b_2 * D_2, wrapped)]),
            "(38), all channels": torch.stack([first, s * s * against(b_2 * D_2, spread)]),
            "(38)": torch.stack([first, against(b_2, G_12)]),
            "(38) corrected": torch.stack([first, s * against(b_2, G_12)]),
            "(38) circular": torch.stack([first, against(b_2, wrapped_12)]),
        }

    return sides


def trace_of(T):
    """tr(T) as a tensor."""
    return torch.einsum("ijij->", T)


@experiment(
    quick=Design(Path(C=(32,)), {"side": [4], "q": [3]}, trials=(50, 300)),
    standard=Design(
        Path(C=(64,)),
        {"side": [4, 6], "q": [1, 3, 5]},
        trials=(50, 400),
        only=lambda cell: (cell["side"] == 6) == (cell["q"] == 5),
    ),
)
def approximations(p, rng, device):
    """The left side over the right one of each approximation, both averaged over networks."""
    X = pair(rng, p.side)
    t = cntk_tensors(X[0], X[1], layers=2, filter_size=p.q)
    shapes = [(p.C, COLOURS, p.q, p.q), (p.C, p.C, p.q, p.q), (p.C, p.side, p.side)]
    weights = [torch.from_numpy(rng.standard_normal((DRAWN, *shape))) for shape in shapes]
    sums = torch.func.vmap(sides_of(X, p.q, t))(*weights)
    return {name: float(left / right) for name, (left, right) in ((n, v.mean(0)) for n, v in sums.items())}
