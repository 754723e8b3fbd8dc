r"""While the NTG matrix keeps its smallest eigenvalue the loss decays exponentially and no node moves far.

Setting   gradient flow of (3) from any weights; inputs as in Assumption 2.1, an activation as in Assumption
          2.2 or relu; zeta > 0 with eig_min(Theta(W_s)) >= zeta / 2 for 0 <= s <= t; u_0 the outputs at 0.
Claim     L(W_t) <= exp(-zeta t) L(W_0), and for all j
          ||w_tj - w_0j|| <= sqrt(n lambda_j / d) ||y - u_0|| 2 / zeta.                                 (15)
Measured  zeta is twice the least eigenvalue that the flow has met up to t, so that the premise holds and no
          zeta is left out. Left side over right side, each at its largest over the steps of a flow, less one.
          For any inputs (n = 1 to 3, d = 1 to 30), far apart or nearly parallel, any weights, gamma and
          residuals, up to twelve nodes; tanh, softplus, sigmoid (Assumption 2.2 checked), relu. Left out are
          eigenvalues below 1e-3 / d, and flows of more than 300 steps. And for weights as in Assumption 2.3
          (m = 200, d = 10, n = 5 unit vectors): zeta t over log(L_0 / L_t) at the last t, and the movement
          over the right side of (15); these say how loose the bounds are.
Attained  Both with equality by n = 1 and a constant sigma' = 1 (relu on its positive side), the second as
          t grows, so the constants cannot be better; for n > 1 the second not at all nearly.
Errors    A step of the flow is held to 1e-3 of the residual at the start for smooth activations and 1e-4 for
          relu, by first order; its kernel may be lower within a step than at its ends, by as much. Hence the
          tolerance of 2e-3; the largest excess in 4600 flows was a fifth of that.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from whp.claims import Design, Path, Twin, always, bound, claim, experiment, search
from whp.errors import MeasurementError
from whp.kernels import activation
from whp.models.node_flow import node_flow

from ._arbitrary import GIVEN, SMOOTH, inputs, network, residual, smooth

EXAMPLES = (10, 150, 4000)
TOLERANCE = 2e-3
LEAST = 1e-3
MOST_STEPS = 300


def flow_of(net, X, y, tolerance):
    """A flow whose premise holds: times, 2 min eig, losses, movements over sqrt lambda_j; or None."""
    start = float(torch.linalg.eigvalsh(net.ntg(X))[0])
    if start * net.dimension <= LEAST:
        return None
    try:
        flow = node_flow(
            net,
            X,
            y,
            stop=1e-2,
            times=[5 / start],
            all_steps=True,
            tolerance=tolerance,
            most_steps=MOST_STEPS,
        )
    except MeasurementError:
        return None
    least = torch.cummin(torch.linalg.eigvalsh(flow.ntg)[:, 0], 0).values  # (k,), up to each time
    upto = int((least * net.dimension > LEAST).sum())
    return (
        None
        if upto < 2
        else tuple(x[:upto] for x in (flow.times, 2 * least, flow.losses, flow.movement_ratio))
    )


def allowed(net, n, zeta, losses):
    """(15) without sqrt lambda_j."""
    return (n / net.dimension) ** 0.5 * (2 * losses[0]).sqrt() * 2 / zeta


def along(seed, n, d, m, gamma, apart, scale, equal, name):
    """A flow from any weights, and (15) at its times; n is cut to 3."""
    rng = np.random.default_rng(seed)
    X = inputs(rng, min(n, 3), d, apart)
    smooth_one = name in SMOOTH
    phi = smooth(name)[0] if smooth_one else activation(name)
    scale = scale if smooth_one else max(scale, 0.1)  # at its kink relu has no gradient flow
    net, r = network(rng, phi, X, m, gamma, scale), residual(rng, len(X), equal, rng.choice([1e-2, 0.3, 3.0]))
    flow = flow_of(net, X, net.outputs(X) + r, 1e-3 if smooth_one else 1e-4)
    return None if flow is None else (*flow, allowed(net, len(X), flow[1], flow[2]))


def excess(faster=1.0, shorter=1.0, **given):
    """The largest of L_t / (exp(-zeta t) L_0) and of the movement over (15), less one; or of false ones."""
    flow = along(**given)
    if flow is None:
        return -1.0
    times, zeta, losses, moved, allowed_move = flow
    decay = torch.expm1(faster * zeta * times + (losses / losses[0]).log())[1:]
    return max(float(decay.max()), float((moved / (shorter * allowed_move)).max()) - 1)


def excess_tenth(**given):
    return excess(faster=1.1, **given)


def excess_double(**given):
    return excess(faster=2.0, **given)


def excess_shorter(**given):
    return excess(shorter=0.9, **given)


def excess_dimension(**given):
    return excess(shorter=given["d"] ** -0.5, **given)


EVERYWHERE = {**GIVEN, "name": st.sampled_from((*SMOOTH, "relu"))}
# Where both are nearly attained, so that false ones have their counterexamples there.
NEAR = {
    **GIVEN,
    "d": st.sampled_from([2, 4, 30]),
    **{k: st.just(v) for k, v in {"n": 1, "apart": 1.0, "scale": 0.0, "name": "tanh"}.items()},
}


def near(check):
    return search(check, given=NEAR, examples=EXAMPLES, tolerance=TOLERANCE, shrink=False)


@experiment(
    standard=Design(Path(n=(5,), d=10, m=200), over={"activation": ["tanh", "relu"]}, trials=(60, 150)),
    quick=Design(Path(n=(3,), d=10, m=60), over={"activation": ["tanh"]}, trials=(60, 150)),
)
def from_start(p, rng, device):
    """Both quotients of a flow from an initialisation as in Assumption 2.3, gamma = 0.5."""
    X = inputs(rng, p.n, p.d, 1e3)
    X = X / X.norm(dim=1, keepdim=True)
    phi = smooth(p.activation)[0] if p.activation in SMOOTH else activation(p.activation)
    net = network(rng, phi, X, p.m, 0.5, p.d**-0.5)
    flow = flow_of(net, X, torch.from_numpy(rng.uniform(-1, 1, p.n)), 3e-2)
    if flow is None:
        return {"decay": 0.0, "movement": 0.0}
    times, zeta, losses, moved = flow
    return {
        "decay": float(zeta[-1] * times[-1] / (losses[0] / losses[-1]).log()),
        "movement": float((moved / allowed(net, p.n, zeta, losses)).max()),
    }


def loose(name, quantity, **twins):
    """How often one of the quotients passes one, and by how much it stays below."""
    return bound(
        name=f"{name} from the start",
        experiment=from_start,
        statistic=name,
        quantity=quantity,
        bound=1,
        delta=0.2,
        twins=twins,
    )


lemma = claim(
    "caron2023.lemma_e_1",
    always(
        name="any weights",
        experiment=search(excess, given=EVERYWHERE, examples=EXAMPLES, tolerance=TOLERANCE),
        statement=r"L_m(W_t) \le e^{-\zeta t} L_m(W_0), \qquad"
        r" \|w_{tj} - w_{0j}\| \le \sqrt{n \lambda_{m,j} / d}\, \|y - u_0\|\, 2 / \zeta",
        tolerance=TOLERANCE,
        twins={
            "faster": Twin("1.1 zeta in place of zeta, in the first", experiment=near(excess_tenth)),
            "double": Twin("2 zeta in place of zeta, in the first", experiment=near(excess_double)),
            "shorter": Twin("9/10 of the second bound", experiment=near(excess_shorter)),
            "dimension": Twin("d in place of sqrt d, in the second", experiment=near(excess_dimension)),
        },
    ),
    loose(
        "decay",
        r"\zeta t / \log(L_m(W_0) / L_m(W_t)) \text{ at the last } t",
        double=Twin("2 zeta in place of zeta", bound=0.5),
    ),
    loose(
        "movement",
        r"\sup_t \max_j \|w_{tj} - w_{0j}\| \Big/"
        r" \Big(\sqrt{n \lambda_{m,j} / d}\, \|y - u_0\|\, 2 / \zeta\Big)",
        tenth=Twin("a tenth of the bound", bound=0.1),
    ),
    title="While the NTG matrix keeps its smallest eigenvalue the loss decays and no node moves far",
    locus="Lemma E.1, (15)",
    regime="met",
    assumptions=(
        r"Assumption 2.1, and 2.2 but for relu: checked by computation. $\zeta / 2$ is the least eigenvalue"
        r" that the flow has met, so the premise holds as integrated.",
    ),
)
