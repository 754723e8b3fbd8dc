"""Convolutional tangent kernels against neural-tangents: pairs a second, rounding, memory.

    python tools/benchmarks/cntk.py --peer VENV/bin/python --out reports/benchmarks/cntk.json

The peer runs in its own environment (neural-tangents 0.6.5 needs jax 0.4.23), on the same images and with as
many threads, in float32, jitted; compiling is not counted on either side, nor is symmetry used.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from whp.engine.environment import environment
from whp.ensembles.datasets import MissingDataError
from whp.ensembles.labelled import labelled_images
from whp.kernels import cntk

# What is asked for: ratio of pairs a second.
CASES = [
    {"name": "pooled, 8 x 8 x 3, L = 3", "side": 8, "layers": 3, "pooling": "average", "wanted": 50},
    {"name": "pooled, 32 x 32 x 3, L = 10", "side": 32, "layers": 10, "pooling": "average", "wanted": 200},
    {"name": "vanilla, 32 x 32 x 3, L = 5", "side": 32, "layers": 5, "pooling": "none", "wanted": 15},
]
SIZES = {
    "pooled, 8 x 8 x 3, L = 3": {"images": (64, 128), "repeats": 10, "peer_images": 16, "peer_repeats": 5},
    "pooled, 32 x 32 x 3, L = 10": {"images": (4, 32), "repeats": 3, "peer_images": 1, "peer_repeats": 2},
    "vanilla, 32 x 32 x 3, L = 5": {
        "images": (128, 128),
        "repeats": 10,
        "peer_images": 32,
        "peer_repeats": 10,
    },
}
MEMORY = {"images": 2000, "side": 8, "layers": 3}


def normal_images(n: int, side: int, seed: int) -> torch.Tensor:
    """Normal pixels, shape (n, 3, side, side), the same as the peer's."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, side, side)).astype("f"))


def speed(case: dict) -> dict:
    """Pairs a second of the fastest of some calls, and the kernel of the first images."""
    n, m = case["images"]
    X, Z = normal_images(n, case["side"], 0), normal_images(m, case["side"], 1)
    options = {"layers": case["layers"], "pooling": case["pooling"]}
    cntk(X[:1], Z[:1], **options)  # compiles
    seconds = []
    for _ in range(case["repeats"]):
        start = time.perf_counter()
        cntk(X, Z, **options)
        seconds.append(time.perf_counter() - start)
    first = [normal_images(case["peer_images"], case["side"], seed)[:1] for seed in (0, 1)]
    return {
        "seconds": min(seconds),
        "pairs": n * m,
        "first": float(cntk(*first, **options)),
        "first_float64": float(cntk(*(image.double() for image in first), **options)),
    }


def rounding(X: torch.Tensor) -> dict:
    """Largest relative error in float32 off the diagonal, and on it, at 10 layers with pooling."""
    options = {"layers": 10, "pooling": "average", "train": "middle"}
    exact = cntk(X.double(), **options)
    errors = (cntk(X, **options).double() / exact - 1).abs()
    diagonal = errors.diagonal().max()
    return {
        "images": len(X),
        "off_diagonal": float(errors.fill_diagonal_(0).max()),
        "diagonal": float(diagonal),
    }


def memory() -> dict:
    """Peak resident size of a process that computes the pooled kernel of 2000 images, and its seconds."""
    X = normal_images(MEMORY["images"], MEMORY["side"], 0)
    start = time.perf_counter()
    cntk(X, layers=MEMORY["layers"], pooling="average")
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()  # getrusage counts what the parent held, too
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {**MEMORY, "seconds": seconds, "peak_gb": peak / 1e6}


def subprocess_json(command: list[str], threads: int, given: object = None) -> dict:
    """Run a command that prints JSON."""
    limits = {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
    if threads == 1:
        limits["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    done = subprocess.run(
        command,
        input=json.dumps(given),
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
    parser.add_argument("--peer", help="Python of an environment with neural-tangents")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", action="store_true", help="measure memory alone, and print it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        print(json.dumps(memory()))
        return
    cases = [case | SIZES[case["name"]] for case in CASES]
    mine = [speed(case) for case in cases]
    here = Path(__file__)
    peer = subprocess_json(
        [arguments.peer, str(here.with_name("peer_cntk.py"))], arguments.threads, {"cases": cases}
    )
    results = []
    for case, own, other in zip(cases, mine, peer["cases"], strict=True):
        rates = {"whp": own["pairs"] / own["seconds"], "peer": other["pairs"] / other["seconds"]}
        exact = own.pop("first_float64")
        results.append(
            {
                "case": case["name"],
                "pairs_per_second": rates,
                "ratio": rates["whp"] / rates["peer"],
                "wanted": case["wanted"],
                "relative_error_of_one_entry": {
                    "whp": abs(own["first"] / exact - 1),
                    "peer": abs(other["first"] / exact - 1),
                },
                "pairs": {"whp": own["pairs"], "peer": other["pairs"]},
            }
        )
    errors = {"normal pixels": rounding(normal_images(3, 32, 2))}
    try:
        errors["cifar10"] = rounding(labelled_images(np.random.default_rng(0), "cifar10", 3, part="train").X)
    except MissingDataError:
        print("CIFAR-10 is not in the cache: its rounding is not measured", file=sys.stderr)
    record = {
        "command": "python tools/benchmarks/cntk.py --peer PYTHON --out reports/benchmarks/cntk.json",
        "what": "tangent kernels of convolutional ReLU networks, 3 x 3 filters, zero padding, all layers"
        f" trained, float32, {arguments.threads} threads; neural-tangents jitted",
        "speed": results,
        "rounding at 32 x 32, L = 10, pooled": errors,
        "memory, pooled": subprocess_json(
            [sys.executable, str(here), "--memory", "--threads", str(arguments.threads)], arguments.threads
        ),
        "peer": peer["versions"],
        "environment": environment(),
    }
    text = json.dumps(record, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
