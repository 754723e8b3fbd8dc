"""How many trials common and antithetic draws save: ratios of variances, where each is valid.

*Common draws*: an order is decided by differences within a trial, between networks that share weights, signs
and data. The mean of the difference does not change, whatever is shared.

*Antithetic draws*: a mean is averaged within a trial over weights W and -W and over signs a and -a. Each of
the four has the law of a fresh draw, so the mean does not change either; and trials stay independent, so
every interval keeps its error rate. Of norms, which are even in W and in a, antithetic draws save nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from whp.benchmarks.harness import Context, Measurement, Work
from whp.kernels import activation
from whp.kernels.mean_ntg import kappa
from whp.models.node_flow import node_flow
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

N = 4  # inputs
SIGMA = activation("softplus")


def order(trials: int, m: int) -> dict[str, float]:
    """By how much a flow with gamma = 3/4 moves more than one with gamma = 1, common and independent draws.

    Returns
    -------
    dict of float
        ``saved``, the variance of independent differences over that of common ones.
    """
    B = torch.linalg.cholesky(0.2 + 0.8 * torch.eye(N, dtype=torch.float64))  # (N, N)
    y = torch.tensor([2.0, -2.0] * (N // 2), dtype=torch.float64)
    stop = 2 / kappa(B, SIGMA).value

    def moved(seed: int, gamma: float) -> float:
        scales = node_scales(m, gamma, None if gamma == 1 else 0.5)
        network = NodeScaled.draw(np.random.default_rng(seed), B, N, scales, SIGMA)
        return float(node_flow(network, B, y, stop=None, times=(stop,)).movement.max().log())

    more = np.array([moved(seed, 0.75) for seed in range(trials)])
    less = np.array([moved(seed, 1.0) for seed in range(trials)])
    other = np.roll(less, 1)  # the same numbers, each from another trial's draws: the mean is the same
    return {"saved": float((more - other).var(ddof=1) / (more - less).var(ddof=1))}


def mean(trials: int, m: int) -> dict[str, float]:
    """The first move of the weights, from four independent networks a trial and from four antithetic ones."""
    rng = np.random.default_rng(0)
    B = torch.from_numpy(np.abs(rng.standard_normal((N, N)))) / N**0.5
    y = torch.from_numpy(rng.uniform(1.0, 3.0, N))
    scales = node_scales(m, 0.5, 0.5)

    def rate(network: NodeScaled) -> float:
        return float((network.velocity(B, y) / scales.values[:, None]).mean())

    def draw() -> NodeScaled:
        return NodeScaled.draw(rng, B, N, scales, SIGMA)

    def four() -> list[NodeScaled]:
        one = draw()
        flipped = [replace(one, signs=-one.signs), one.moved_to(-one.weights)]
        return [one, *flipped, replace(flipped[1], signs=-one.signs)]

    def averages(nets: Callable[[], list[NodeScaled]]) -> np.ndarray:
        return np.array([statistics.fmean(rate(network) for network in nets()) for _ in range(trials)])

    fresh, antithetic = averages(lambda: [draw() for _ in range(4)]), averages(four)
    return {
        "saved": float(fresh.var(ddof=1) / antithetic.var(ddof=1)),
        "independent mean": float(fresh.mean()),
        "antithetic mean": float(antithetic.mean()),
        "standard error": float(np.hypot(fresh.std(ddof=1), antithetic.std(ddof=1)) / trials**0.5),
    }


def run(context: Context) -> Measurement:
    """Measure both; trials are counted, not seconds: the draws cost the same either way."""
    trials, m = (10, 8) if context.small else (200, 300)
    found = {"order": order(trials, m), "mean": mean(10 * trials, 8)}
    figures = {
        "common draws, trials saved": found["order"]["saved"],
        "antithetic draws, trials saved": found["mean"]["saved"],
    }
    sizes = {"n": N, "m": m, "trials": trials, "activation": SIGMA.name}
    return Measurement(figures, sizes=sizes, facts=found)


WORK = (
    Work(
        name="pairing",
        title="variance of independent draws over that of common (an order) and antithetic ones (a mean)",
        wanted={},
        run=run,
    ),
)
