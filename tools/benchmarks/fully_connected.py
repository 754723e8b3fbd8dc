"""Deep fully-connected tangent kernels against neural-tangents: seconds, and rounding.

    python tools/benchmarks/fully_connected.py --peer VENV/bin/python --out FILE

The committed FILE is reports/benchmarks/tangent_kernels.json. The peer runs in its own environment
(neural-tangents 0.6.5 needs jax 0.4.23), on the same inputs and with as many threads, in float32, jitted;
compiling is not counted on either side. The sides take turns, and the fastest call counts. Both give the
tangent kernel alone, of n normal inputs of norm one with themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

from whp.engine.environment import environment
from whp.kernels import activation, fc_ntk

# What is asked for: ratio of seconds.
CASES = [
    {"activation": "relu", "layers": 3, "wanted": 10},
    {"activation": "relu", "layers": 10, "wanted": 30},
    {"activation": "erf", "layers": 3, "wanted": 5},
    {"activation": "erf", "layers": 10, "wanted": 5},
]
SIZE = {"n": 2000, "d": 192}
REPEATS, ROUNDS = 7, 2


def inputs(n: int, d: int) -> torch.Tensor:
    """Normal inputs of norm one, the same as the peer's."""
    X = np.random.default_rng(0).standard_normal((n, d)).astype("f")
    return torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True))


def measure(case: dict) -> dict:
    """Seconds of some calls, a corner of the kernel, and its largest relative error off the diagonal."""
    X, phi = inputs(case["n"], case["d"]), activation(case["activation"])
    fc_ntk(X[:10], phi, case["layers"])  # compiles
    seconds = []
    for _ in range(case["repeats"]):
        start = time.perf_counter()
        kernel = fc_ntk(X, phi, case["layers"])
        seconds.append(time.perf_counter() - start)
    exact = fc_ntk(X.double(), phi, case["layers"])
    errors = (kernel.double() / exact - 1).abs()
    return {
        "seconds": seconds,
        "corner": kernel[:4, :4].tolist(),
        "diagonal_error": float(errors.diagonal().max()),
        "off_diagonal_error": float(errors.fill_diagonal_(0).max()),
    }


def measure_peer(python: str, threads: int, cases: list[dict]) -> dict:
    """The same by the peer, in a process of its own."""
    limits = {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [python, str(Path(__file__).with_name("peer_fully_connected.py"))],
        input=json.dumps({"cases": cases}),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **limits},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", required=True, help="Python of an environment with neural-tangents")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = [case | SIZE | {"repeats": REPEATS} for case in CASES]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append([measure(case) for case in cases])
        theirs.append(measure_peer(arguments.peer, arguments.threads, cases))
    results = []
    for k, case in enumerate(cases):
        mine, others = [turn[k] for turn in ours], [turn["cases"][k] for turn in theirs]
        fastest, fastest_peer = (min(s for turn in side for s in turn["seconds"]) for side in (mine, others))
        results.append(
            {
                **case,
                "ms": 1000 * fastest,
                "peer_ms": 1000 * fastest_peer,
                "ratio": fastest_peer / fastest,
                "all_ms": [[1000 * s for s in turn["seconds"]] for turn in mine],
                "peer_all_ms": [[1000 * s for s in turn["seconds"]] for turn in others],
                "off_diagonal_error": mine[0]["off_diagonal_error"],
                "diagonal_error": mine[0]["diagonal_error"],
                "largest_difference_to_peer": float(
                    np.abs(np.array(mine[0]["corner"]) - np.array(others[0]["corner"])).max()
                ),
            }
        )
        print(f"{case['activation']}, L = {case['layers']}: {results[-1]['ratio']:.1f} x", flush=True)
    record = {
        "command": "python tools/benchmarks/fully_connected.py --peer VENV/bin/python --out FILE",
        "threads": arguments.threads,
        "environment": environment(),
        "peer": theirs[0]["versions"],
        "load": os.getloadavg()[0],
        "cases": results,
    }
    arguments.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
