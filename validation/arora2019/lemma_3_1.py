r"""Under gradient flow the outputs on the training data follow du/dt = -H(t) (u - y).

Setting   any network f(theta, x); n inputs x_i, targets y_i; the loss (1/2) sum_i (f(theta, x_i) - y_i)^2,
          d theta / dt = -grad of the loss; u(t) = (f(theta(t), x_i))_i.
Claim     du/dt = -H(t) (u(t) - y), where H(t), of entries <df(theta, x_i)/d theta, df(theta, x_j)/d theta>,
          is positive semidefinite. With a multiplier, f_nn = kappa f (Section 3.2), H is kappa^2 times that
          of f.
Measured  du/dt as the derivative of the outputs along minus the gradient of the loss; H from features
          and back-propagated vectors, without automatic differentiation of f by theta. A search over
          fully connected and convolutional networks (both architectures of Section 4) with one to three
          hidden layers, at weights of many scales, since the lemma holds at all times, not at the start
          alone; repeated inputs included.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Twin, always, claim, search
from whp.kernels import activation, c_sigma
from whp.models import Convolutional, FullyConnected

TOLERANCE = 1e-9
IMAGE = (3, 2)
COUNTS = (25, 150, 2000)


def network(rng, kind, depth, width, sigma, scale):
    """A network at weights of a scale, its outputs as a function of weights and inputs, and those weights."""
    if kind == "fully connected":
        net = FullyConnected.draw(rng, (4, *[width] * depth), sigma, c_sigma=c_sigma(sigma))
        net = replace(net, weights=tuple(scale * W for W in net.weights))
        return net, lambda weights, X: replace(net, weights=weights).outputs(X)
    channels = (2, *[width] * depth)
    net = Convolutional.draw(rng, channels, IMAGE, activation=sigma, c_sigma=c_sigma(sigma), pooling=kind)
    net = replace(net, filters=tuple(scale * W for W in net.filters), readout=scale * net.readout)
    return net, lambda weights, X: replace(net, filters=weights[:-1], readout=weights[-1]).outputs(X)


def setting(seed, kind, depth, width, name, scale, n, repeated):
    """A network, its outputs as a function, the inputs and the targets."""
    rng = np.random.default_rng(seed)
    net, outputs = network(rng, kind, depth, width, activation(name), scale)
    shape = (4,) if kind == "fully connected" else (2, *IMAGE)
    X = torch.from_numpy(rng.standard_normal((n, *shape)))
    if repeated:
        X[-1] = X[0]
    return net, outputs, X, torch.from_numpy(rng.standard_normal(n))


def speed(net, outputs, X, y, kappa, share=1.0):
    """du/dt for u = kappa f, where the loss is ``share`` times half of the sum of squares, and u - y.

    J d, for d minus the gradient, is the derivative by v of J^T v along d: two passes back, none forward.
    """
    weights = tuple(W.clone().requires_grad_() for W in net.weights)
    u = kappa * outputs(weights, X)
    residual = u.detach() - y
    v = torch.zeros_like(residual, requires_grad=True)
    pulled = torch.autograd.grad(u, weights, v, create_graph=True)  # J^T v
    loss = share * 0.5 * (u - y).square().sum()
    gradient = torch.autograd.grad(loss, weights, retain_graph=True)
    (velocity,) = torch.autograd.grad(pulled, v, tuple(-g for g in gradient))
    return velocity, residual


def gap(velocity, kernel, residual):
    """How far du/dt is from -H (u - y), relative to what rounding could make of the sum."""
    size = float((kernel.abs() @ residual.abs()).max())
    return float((velocity + kernel @ residual).abs().max()) / (size or 1.0)


def flow(**where):
    net, outputs, X, y = setting(**where)
    velocity, residual = speed(net, outputs, X, y, 1.0)
    return gap(velocity, net.ntk(X), residual)


def flow_of_mean(**where):
    net, outputs, X, y = setting(**where)
    velocity, residual = speed(net, outputs, X, y, 1.0, share=1 / len(y))
    return gap(velocity, net.ntk(X), residual)


def flow_without_first_layer(**where):
    net, outputs, X, y = setting(**where)
    velocity, residual = speed(net, outputs, X, y, 1.0)
    return gap(velocity, net.ntk(X) - net.layer_ntks(X)[0], residual)


def scaled_flow(kappa, power=2, **where):
    net, outputs, X, y = setting(**where)
    velocity, residual = speed(net, outputs, X, y, kappa)
    return gap(velocity, kappa**power * net.ntk(X), residual)


def scaled_flow_once(kappa, **where):
    return scaled_flow(kappa, power=1, **where)


def negative_share(H, share=0.0):
    """Minus the smallest eigenvalue of H over its trace, and ``share``; H is zero where all units are off."""
    values = torch.linalg.eigvalsh(H)
    total = float(values.abs().sum())
    return share - float(values[0]) / total if total else 0.0


def semidefinite(**where):
    net, _, X, _ = setting(**where)
    return negative_share(net.ntk(X))


def definite(**where):
    net, _, X, _ = setting(**where)
    return negative_share(net.ntk(X), share=1e-6)


def off_diagonal(**where):
    net, _, X, _ = setting(**where)
    H = net.ntk(X)
    return negative_share(1.01 * H - 0.01 * torch.diag(H.diagonal()))


INPUTS = {
    "seed": st.integers(0, 2**32 - 1),
    "kind": st.sampled_from(["fully connected", "none", "average"]),
    "depth": st.integers(1, 3),
    "width": st.integers(1, 5),
    "name": st.sampled_from(["relu", "erf", "tanh"]),
    "scale": st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    "n": st.integers(1, 6),
    "repeated": st.booleans(),
}
SCALED = {**INPUTS, "kappa": st.floats(0.01, 10.0)}


def over(excess, given=INPUTS, **options):
    """A search over networks and data."""
    return search(excess, given=given, examples=COUNTS, tolerance=TOLERANCE, **options)


def wrong(why, excess, given=INPUTS):
    """A false twin of a search."""
    return Twin(why, experiment=over(excess, given, shrink=False))


CLAIM = claim(
    "arora2019.lemma_3_1",
    always(
        name="flow",
        experiment=over(flow),
        statement=r"\frac{du}{dt} = -H(t)\, (u - y)",
        twins={
            "mean": wrong("the loss divided by n, as in Appendices C and D", flow_of_mean),
            "first layer": wrong("H without the first layer", flow_without_first_layer),
        },
    ),
    always(
        name="semidefinite",
        experiment=over(semidefinite),
        statement=r"H(t) \succeq 0",
        twins={
            "definite": wrong("no eigenvalue below a millionth of the trace", definite),
            "off-diagonal": wrong("entries off the diagonal larger by 1 %", off_diagonal),
        },
    ),
    always(
        name="multiplier",
        experiment=over(scaled_flow, SCALED),
        statement=r"\frac{d (\kappa f)}{dt} = -\kappa^2 H(t)\, (\kappa f - y)",
        twins={"once": wrong("kappa in place of its square", scaled_flow_once, SCALED)},
    ),
    title="Under gradient flow the outputs on the training data follow du/dt = -H (u - y)",
    locus="Lemma 3.1",
    regime="met",
    assumptions=(
        r"$\ell(\theta) = \frac12 \sum_i (f(\theta, x_i) - y_i)^2$ and $\dot\theta = -\nabla \ell(\theta)$.",
        "Where ReLU has a corner the derivative is that from the right; no draw lands there.",
    ),
)
