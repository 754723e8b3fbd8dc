"""How cost grows with the sizes: measured exponents beside those that the counts of operations predict.

Each size is varied alone. All its values are timed in turn, and each round gives a slope of log seconds
against log size; the interval is that of the mean of the slopes (Student, 95 %), over rounds of one run: what
another machine would show is not in it. Predicted is the slope of log operations over the same values, where
only products and entries of the result are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
import torch

from whp.benchmarks.harness import Context, Measurement, Work, alternate
from whp.ensembles import symmetric_init
from whp.kernels import activation, cntk, first_layer_ntk
from whp.kernels.matrix_free import TangentOperator
from whp.models import train_two_layer

Sizes = Mapping[str, int]
STEPS = 5  # of each training
VECTORS = 8  # of each product by an operator


@dataclass(frozen=True)
class Subject:
    """Something whose cost grows.

    Attributes
    ----------
    base : Mapping of int
        The sizes, where they are not varied.
    varied : Mapping of tuples
        Values by size.
    prepare : callable
        From sizes and context, what is timed; a few milliseconds at least.
    operations : callable
        What is counted, up to a factor, from sizes.
    """

    base: Sizes
    varied: Mapping[str, tuple[int, ...]]
    prepare: Callable[[Sizes, Context], Callable[[], object]]
    operations: Callable[[Sizes], float]


def drawn(sizes: Sizes, context: Context) -> tuple[torch.Tensor, Any]:
    """Normal data, shape (n, d), and a symmetric initialisation of m neurons."""
    rng, device = np.random.default_rng(0), torch.device(context.device)
    X = torch.from_numpy(rng.standard_normal((sizes["n"], sizes["d"]), dtype="float32")).to(device)
    return X, symmetric_init(rng, sizes["m"], sizes["d"], torch.float32, device)


def kernel(sizes: Sizes, context: Context) -> Callable[[], object]:
    """The first-layer kernel of half the neurons, as a matrix."""
    X, init = drawn(sizes, context)
    return lambda: first_layer_ntk(X, init.W_half, activation("erf"))


def matrix_free(sizes: Sizes, context: Context) -> Callable[[], object]:
    """The same applied to vectors, with features computed again each time, as where they do not fit."""
    X, init = drawn(sizes, context)
    operator = TangentOperator(X, init.W_half, activation("erf"), keep=0)
    V = torch.ones(sizes["n"], VECTORS, device=X.device)
    return lambda: operator.matmat(V)


def training(sizes: Sizes, context: Context) -> Callable[[], object]:
    """Some steps on both layers, for each trial."""
    X, init = drawn(sizes, context)
    y = torch.sign(X[:, 0])

    def run() -> None:
        for _ in range(sizes["trials"]):
            train_two_layer(X, y, init.W, init.v, activation("erf"), 1.0, 1.0, STEPS)

    return run


def convolutional(sizes: Sizes, context: Context) -> Callable[[], object]:
    """The pooled convolutional kernel of images with others."""
    shape = (sizes["n"], 3, sizes["side"], sizes["side"])
    rng = np.random.default_rng(0)
    X, Z = (torch.from_numpy(rng.standard_normal(shape, dtype="float32")) for _ in range(2))
    return lambda: cntk(X, Z, layers=sizes["layers"], pooling="average")


# Values are so large that the products weigh more than entrywise work, and calls more than their overhead.
SUBJECTS = {
    "first-layer kernel": Subject(
        {"n": 2000, "m": 4000, "d": 50},
        {"n": (2000, 4000, 6000, 8000), "m": (2000, 4000, 8000, 16_000), "d": (1024, 2048, 4096, 8192)},
        kernel,
        lambda s: s["n"] * s["m"] * (s["n"] / 2 + s["d"]),
    ),
    "the same by its products": Subject(
        {"n": 8000, "m": 1024, "d": 50},
        {"n": (4000, 8000, 16_000, 32_000), "m": (1024, 2048, 4096, 8192), "d": (128, 256, 512, 1024)},
        matrix_free,
        lambda s: s["n"] * s["m"] * s["d"] * (1 + 2 * VECTORS),
    ),
    "training": Subject(
        {"n": 2000, "m": 256, "d": 50, "trials": 1},
        {
            "n": (2000, 4000, 8000, 16_000),
            "m": (256, 512, 1024, 2048),
            "d": (256, 512, 1024, 2048),
            "trials": (1, 2, 4, 8),
        },
        training,
        lambda s: s["trials"] * s["n"] * s["m"] * s["d"],
    ),
    "convolutional kernel": Subject(
        {"n": 16, "side": 8, "layers": 2},
        {"n": (32, 64, 128, 256), "side": (12, 16, 24, 32), "layers": (8, 16, 32, 64)},
        convolutional,
        lambda s: s["n"] ** 2 * s["layers"] * s["side"] ** 4,
    ),
}
TINY = {"n": (4, 8), "m": (4, 8), "d": (4, 8), "side": (4, 6), "layers": (2, 3), "trials": (1, 2)}


def exponent(name: str, size: str, context: Context) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Measured and predicted exponent of one subject in one size, and the seconds."""
    subject = SUBJECTS[name]
    base = {key: TINY[key][0] for key in subject.base} if context.small else dict(subject.base)
    values = TINY[size] if context.small else subject.varied[size]
    points = [{**base, size: value} for value in values]
    routes = {f"{name}, {size} = {point[size]}": subject.prepare(point, context) for point in points}
    seconds = alternate(routes, context.rounds)
    logs = np.log(values)
    slopes = np.polyfit(logs, np.log(list(seconds.values())), 1)[0]  # of each round
    predicted = np.polyfit(logs, np.log([subject.operations(point) for point in points]), 1)[0]
    half = student_half_width(slopes)
    row = {
        "what": name,
        "against": size,
        "values": list(values),
        "others": {key: value for key, value in base.items() if key != size},
        "measured": float(slopes.mean()),
        "low": float(slopes.mean() - half),
        "high": float(slopes.mean() + half),
        "predicted": float(predicted),
    }
    return row, seconds


def student_half_width(values: np.ndarray[Any, np.dtype[np.floating]], level: float = 0.95) -> float:
    """Half the interval of Student's t for a mean; infinite for one value."""
    if len(values) < 2:
        return math.inf
    quantile = float(scipy.stats.t.ppf((1 + level) / 2, len(values) - 1))
    return quantile * float(values.std(ddof=1)) / math.sqrt(len(values))


def run(context: Context) -> Measurement:
    """Every subject in each of its sizes."""
    rows: list[dict[str, Any]] = []
    seconds: dict[str, list[float]] = {}
    for name, subject in SUBJECTS.items():
        for size in subject.varied:
            row, taken = exponent(name, size, context)
            rows.append(row)
            seconds |= taken
    figures = {f"{row['what']}, against {row['against']}": row["measured"] for row in rows}
    return Measurement(figures, seconds, {}, {"exponents": rows})


WORK = (Work("growth", "how seconds grow with each size", {}, run),)
