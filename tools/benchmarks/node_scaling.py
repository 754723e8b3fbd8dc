"""Node-scaled networks: a flow at a width that Theorem 4.1 asks for, and steps a second against autograd.

    python tools/benchmarks/node_scaling.py --out reports/benchmarks/node_scaling.json

The flow is one initialisation at m = 10^7 (and 2 x 10^7), n = d = 2 with orthonormal inputs and |y| <= 0.1,
to a loss of 1e-6 of its start, in a process of its own whose largest resident memory counts. The loop is
gradient descent at m = 2000, n = 100, d = 50 in single precision on one thread, whole trainings in turn; the
fastest of each side counts. And errors of the flow's outputs at its tolerances, against another integrator.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from whp.engine.environment import environment
from whp.kernels import activation
from whp.models.node_flow import node_descent, node_flow
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

WIDTHS = (10**7, 2 * 10**7)
N, D, M, STEPS, RATE = 100, 50, 2000, 200, 0.5 / 100
ROUNDS = 7
BY_HAND = {
    "swish": lambda z: z * torch.sigmoid(z),
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": torch.nn.functional.softplus,
}


def wide(m: int) -> dict:
    """One flow, with its seconds and the largest resident memory of this process."""
    B, y = torch.eye(2, dtype=torch.float64), torch.tensor([0.1, -0.1], dtype=torch.float64)
    start = time.perf_counter()
    network = NodeScaled.draw(
        np.random.default_rng(0), B, 2, node_scales(m, 0.9, 0.5), activation("tanh"), torch.float32
    )
    flow = node_flow(network, B, y, stop=1e-6)
    seconds = time.perf_counter() - start
    return {
        "m": m,
        "seconds": seconds,
        "resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss_ratio": float(flow.losses[-1] / flow.losses[0]),
        "steps": len(flow.times) - 1,
    }


def accuracy() -> dict:
    """Errors of the outputs over a flow at m = 2000, n = d = 4, at each tolerance, against dopri5 at 1e-8."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 4))
    X = torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True))
    y = torch.from_numpy(rng.uniform(-1, 1, 4))
    times, found = [1.0, 5.0, 25.0, 100.0], {}
    for name in ("tanh", "swish"):
        network = NodeScaled.draw(rng, X, 4, node_scales(2000, 0.5, 0.5), activation(name))
        exact = node_flow(network, X, y, times=times, tolerance=1e-8, method="dopri5").outputs
        for tolerance in (1e-1, 1e-2, 1e-3):
            flow = node_flow(network, X, y, times=times, tolerance=tolerance)
            found[f"{name}, tolerance {tolerance:g}"] = float((flow.outputs - exact).abs().max())
    return found


def by_autograd(network: NodeScaled, X: torch.Tensor, y: torch.Tensor, phi) -> torch.Tensor:
    """The loop that one would write: loss, backward, step."""
    W = network.weights.clone(memory_format=torch.contiguous_format).requires_grad_()
    readout = network.scales.values.sqrt().to(W.dtype) * network.signs
    optimiser = torch.optim.SGD([W], lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        f = phi(X @ W.T / math.sqrt(D)) @ readout
        (0.5 * (y - f).square().sum()).backward()
        optimiser.step()
    return W.detach()


def loop(name: str, rounds: int = ROUNDS) -> dict:
    """Steps a second of both sides, and their ratio."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D), dtype="f")
    X = torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True))
    y = torch.from_numpy(rng.uniform(-1, 1, N).astype("f"))
    network = NodeScaled.draw(rng, X, D, node_scales(M, 0.5, 0.5), activation(name), torch.float32)
    sides = {
        "autograd": lambda: by_autograd(network, X, y, BY_HAND[name]),
        "whp": lambda: node_descent(network, X, y, rate=RATE, steps=STEPS, ntg=False).network.weights,
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(rounds):  # in turn, so that a slow moment of the machine hits both
            ends = []
            for side, run in sides.items():
                start = time.perf_counter()
                ends.append(run())
                seconds[side].append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    apart = float((ends[0] - ends[1]).abs().max())
    fastest = {side: min(times) / STEPS for side, times in seconds.items()}
    return {
        "activation": name,
        "steps_per_second": {side: 1 / s for side, s in fastest.items()},
        "ratio": fastest["autograd"] / fastest["whp"],
        "largest_difference_of_weights": apart,
    }


def main() -> None:
    """Measure everything and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--wide", type=int, help="one flow at this width, in this process")
    given = parser.parse_args()
    if given.wide:
        print(json.dumps(wide(given.wide)))
        return
    command = [sys.executable, __file__, "--wide"]
    flows = [
        json.loads(subprocess.run([*command, str(m)], check=True, capture_output=True, text=True).stdout)
        for m in WIDTHS
    ]
    record = {
        "command": "python tools/benchmarks/node_scaling.py --out reports/benchmarks/node_scaling.json",
        "flow": {"n": 2, "d": 2, "gamma": 0.9, "alpha": 0.5, "activation": "tanh", "dtype": "float32"},
        "flows": flows,
        "errors_of_outputs": accuracy(),
        "loop": {"n": N, "d": D, "m": M, "steps": STEPS, "dtype": "float32", "threads": 1},
        "loops": [loop(name) for name in BY_HAND],
        "threads_of_flows": os.environ.get("OMP_NUM_THREADS", "all"),
        "environment": environment(),
    }
    text = json.dumps(record, indent=2) + "\n"
    if given.out:
        given.out.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
