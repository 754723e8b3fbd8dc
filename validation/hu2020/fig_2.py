r"""The feature that depends on the norm is needed.

Setting   phi = ReLU, x from N(0, I), y = |x| / sqrt d + ReLU(a . x) with |a| = 1; both layers trained; the
          linear model (11), and a naive one: (11) with vartheta_1 = vartheta_2 = 0.
Claim     The linear model is a much better approximation to the network than the naive one.
Measured  On fresh data, at the last step: the mean squares of the outputs' differences from the network's,
          with "much" as a factor of two; and the differences of the test losses.
Choices   Width, d, n, a and the rate are not printed: d = 20, width 256, a uniform on the
          sphere, eta = 1/2, to 600 steps.
"""

from __future__ import annotations

import numpy as np
import torch

from whp.claims import Design, Line, Path, Plot, Twin, claim, experiment, order
from whp.devices import as_dtype
from whp.ensembles import data_distribution, symmetric_init
from whp.kernels import activation, combined_features
from whp.models import LinearDescent, train_two_layer

ETA = 0.5
LAST = 600
SHOWN = sorted({int(step) for step in np.rint(np.geomspace(1, LAST, 20))})


@experiment(
    quick=Design(Path(d=(20,), n=600, m=256, tests=400), trials=(8, 18)),
    standard=Design(Path(d=(20,), n=4000, m=256, tests=1000), trials=(8, 18)),
    paper=Design(Path(d=(20,), n=20_000, m=256, tests=2000), trials=(8, 18)),
    dtype="float32",
    time_limit=1800,
)
def norm_dependent(p, rng, device):
    phi, dtype = activation("relu"), as_dtype(p.dtype)
    X = data_distribution("gaussian").sample(rng, p.n + p.tests, p.d, dtype, device)  # (n + test, d)
    a = torch.from_numpy(rng.standard_normal(p.d)).to(X)
    y = torch.linalg.vector_norm(X, dim=1) / p.d**0.5 + torch.relu(X @ (a / torch.linalg.vector_norm(a)))
    init = symmetric_init(rng, p.m, p.d, dtype, device)
    Psi = combined_features(X, phi, 1.0)  # (n + test, d + 2)
    naive = Psi.clone()
    naive[:, -1] = phi.moments.vartheta_0
    models = {
        name: (LinearDescent(features[: p.n], y[: p.n], ETA), features[p.n :])
        for name, features in (("linear", Psi), ("naive", naive))
    }
    found, fresh = {}, y[p.n :]

    def observe(t, state):
        if t not in SHOWN:
            return
        f = state.network.forward(X[p.n :])
        found[f"network @{t}"] = 0.5 * (f - fresh).square().mean()
        for name, (model, features) in models.items():
            line = model.predictions(features, t)
            found[f"{name} @{t}"] = 0.5 * (line - fresh).square().mean()
            found[f"{name} outputs"] = (line - f).square().mean()
            found[f"{name} loss"] = (found[f"{name} @{t}"] - found[f"network @{t}"]).abs()

    train_two_layer(X[: p.n], y[: p.n], init.W, init.v, phi, ETA, ETA, LAST, observe)
    for kind in ("outputs", "loss"):
        for factor in (1, 2, 1000):
            found[f"{kind}, {factor}"] = found[f"naive {kind}"] - factor * found[f"linear {kind}"]
        found[f"{kind}, reverse"] = found[f"linear {kind}"] - found[f"naive {kind}"]
    return found


def nearer(kind, factor, quantity):
    """The linear model is nearer, by a factor."""
    return order(
        name=kind,
        experiment=norm_dependent,
        statistic=f"{kind}, {factor}",
        quantity=quantity,
        twins={
            "reverse": Twin("the naive model is nearer", statistic=f"{kind}, reverse"),
            "thousand": Twin("by a factor of 1,000", statistic=f"{kind}, 1000"),
        },
    )


figure = claim(
    "hu2020.fig_2",
    nearer(
        "outputs",
        2,
        r"\mathbb{E}_x (f_T(x) - f_T^{\mathrm{naive}}(x))^2"
        r" - 2\, \mathbb{E}_x (f_T(x) - f_T^{\mathrm{lin}}(x))^2",
    ),
    nearer("loss", 1, r"|L(f_T) - L(f_T^{\mathrm{naive}})| - |L(f_T) - L(f_T^{\mathrm{lin}})|"),
    title="The feature that depends on the norm is needed for a target that does",
    locus="Figure 2",
    regime="form",
    assumptions=[
        "phi = ReLU, x from N(0, I), y = |x| / sqrt(d) + ReLU(a . x) with |a| = 1, both layers trained.",
        "d = 20, width 256, n = 4,000 (600 in quick, 20,000 in paper), learning rate 1/2: none is printed.",
    ],
    plots=[
        Plot(
            title="Test losses",
            x="step",
            y="test loss",
            caption="As Figure 2, at sizes and a rate that the paper does not print.",
            log_y=True,
            lines=[
                Line(name, norm_dependent, {t: f"{key} @{t}" for t in SHOWN}, colour=k)
                for k, (name, key) in enumerate(
                    (("network", "network"), ("linear model", "linear"), ("naive linear model", "naive"))
                )
            ],
        )
    ],
)
