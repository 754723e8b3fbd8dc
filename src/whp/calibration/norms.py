r"""The study of norms: how often ``||A|| <= B`` is wrong when B comes from an iterative method.

Every matrix here is diagonal.  That loses nothing: all methods start from a Gaussian vector, whose law is the
same in every orthonormal basis, and use A through products only, so on ``Q D Q^T`` each of them makes the
numbers that it makes on D from the start ``Q^T v``, which has the law of v.  The product costs O(n), and the
norm is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, svds

from whp.calibration.study import StudyCell
from whp.errors import MeasurementError
from whp.linalg import spectral_norm
from whp.linalg.lanczos import LanczosRuns
from whp.stats.sequences import Array

STUDY = "norms"
ROUNDING = 1e-12
"""A value that is below the norm by less than this part of it is right: n roundoffs, for n up to 2000."""

WRONG = "B below the norm"
BEYOND = "by more than the tolerance"
NO_ANSWER = "no answer"
FAILED = "wrong or no answer"
WIDE = "B more than 1 % above"
EXCESS = "mean of B / norm - 1"
PRODUCTS = "products"

LANCZOS_STEPS = 20
POWER_TOLERANCE, POWER_STEPS = 1e-3, 100
ARPACK_TOLERANCE = 1e-2


def _clustered(n: int) -> Array:
    """A tenth of the eigenvalues within 1e-6 of the top, the others spread below 0.9."""
    j = np.arange(n) / n
    return np.where(j < 0.1, 1.0 - 1e-5 * j, 1.0 - j)


def _below(n: int, gap: float) -> Array:
    """One eigenvalue 1, the others from ``1 - gap`` down to 0."""
    return np.concatenate([[1.0], np.linspace(1.0 - gap, 0.0, n - 1)])


def _isolated(n: int) -> Array:
    """One eigenvalue 1, far from the others, which lie as the nodes of Chebyshev in [-0.5, 0.5].

    All that a random start says of the norm is its overlap with one vector, of about 1 / sqrt(n).
    """
    return np.concatenate([[1.0], 0.5 * np.cos(np.pi * (np.arange(n - 1) + 0.5) / max(n - 1, 1))])


def _both_ends(n: int) -> Array:
    """Nodes of Chebyshev in [-1, 1], those below zero smaller by 1e-3: power iteration swings."""
    nodes = np.cos(np.pi * np.arange(n) / max(n - 1, 1))
    return np.where(nodes < 0.0, (1.0 - 1e-3) * nodes, nodes)


SPECTRA: Mapping[str, Callable[[int], Array]] = {
    "clustered top": _clustered,
    "gap 1e-8": lambda n: _below(n, 1e-8),
    "gap 0.02": lambda n: _below(n, 0.02),
    "isolated top": _isolated,
    "flat": lambda n: np.linspace(1.0, 0.999, n),
    "geometric": lambda n: np.power(0.8, np.arange(n, dtype=np.float64)),
    "both ends": _both_ends,
}
TIGHT = "isolated top"


@dataclass(frozen=True, eq=False)
class Diagonal:
    """A diagonal matrix as an operator; ``values`` has shape (n,)."""

    values: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, n)``."""
        return (len(self.values), len(self.values))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Where the products are computed."""
        return self.values.device

    def matmat(self, V: torch.Tensor) -> torch.Tensor:
        """``A @ V`` for V of shape (n, s)."""
        return self.values[:, None] * V


@dataclass(frozen=True)
class Answer:
    """What a method says: ``||A|| <= bound`` (None: it gave up), after so many products with a vector."""

    bound: float | None
    products: int


Method = Callable[[Array, np.random.Generator], Answer]
"""Spectrum, shape (n,), and generator to an answer."""


def certified(failure_probability: float) -> Method:
    """The upper end of `whp.linalg.spectral_norm`."""

    def method(values: Array, rng: np.random.Generator) -> Answer:
        operator = Diagonal(torch.from_numpy(values))
        try:
            bounds = spectral_norm(operator, rng, failure_probability=failure_probability)
        except MeasurementError:
            # The bound failed, and a later Ritz value showed it: the two ends have crossed.
            return Answer(None, 0)
        return Answer(bounds.high, bounds.matvecs)

    return method


def lanczos_value(values: Array, rng: np.random.Generator) -> Answer:
    """The largest Ritz value after a fixed number of steps from one start, with full reorthogonalisation."""
    spectrum = torch.from_numpy(values)
    runs = LanczosRuns(lambda V: spectrum[:, None] * V, len(values), rng, spectrum.device, starts=1)
    while runs.steps < min(LANCZOS_STEPS, len(values)):
        runs.step()
    ends = runs.extremes(0, 0.0)
    return Answer(max(ends.ritz_max, -ends.ritz_min), runs.steps)


def arpack_value(values: Array, rng: np.random.Generator) -> Answer:
    """The Ritz value of `scipy.sparse.linalg.eigsh` at one per cent, as the certified bound by default."""
    count = _Counter(values)
    try:
        found = eigsh(
            count.operator,
            k=1,
            which="LM",
            tol=ARPACK_TOLERANCE,
            v0=rng.standard_normal(len(values)),
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        return Answer(None, count.products)
    return Answer(float(abs(found[0])), count.products)


def svds_value(values: Array, rng: np.random.Generator) -> Answer:
    """`scipy.sparse.linalg.svds` with its default tolerance, which is machine precision."""
    count = _Counter(values)
    try:
        found = svds(count.operator, k=1, v0=rng.standard_normal(len(values)), return_singular_vectors=False)
    except ArpackNoConvergence:
        return Answer(None, count.products)
    return Answer(float(found[0]), count.products)


def power_value(values: Array, rng: np.random.Generator) -> Answer:
    """Power iteration until ``||A v||`` moves by less than 1e-3 of itself, 100 products at most."""
    v = rng.standard_normal(len(values))
    value, products = 0.0, 0
    while products < POWER_STEPS:
        v = values * (v / np.linalg.norm(v))
        products += 1
        before, value = value, float(np.linalg.norm(v))
        if abs(value - before) < POWER_TOLERANCE * value:
            break
    return Answer(value, products)


class _Counter:
    """A diagonal matrix as SciPy takes it, which counts its products."""

    def __init__(self, values: Array) -> None:
        self.products = 0

        def product(v: Array) -> Array:
            self.products += 1
            return values * v.ravel()

        shape = (len(values), len(values))
        self.operator = LinearOperator(shape, matvec=product, rmatvec=product, dtype=np.float64)


@dataclass(frozen=True)
class Contender:
    """A method, what it promises, and on which sizes it is asked how often: {n: (full, quick, batch)}.

    ``tolerance`` is the relative error that its settings ask for.
    """

    name: str
    method: Method
    tolerance: float
    events: Mapping[str, float | None]
    guarantee: str
    counts: Mapping[int, tuple[int, int, int]]
    spectra: tuple[str, ...] = tuple(SPECTRA)


def tally(
    method: Method, values: Array, tolerance: float, rng: np.random.Generator, count: int
) -> dict[str, float]:
    """Ask ``count`` times: how often each event happened, and sums of the other figures."""
    norm = float(np.abs(values).max())
    sums = dict.fromkeys((WRONG, BEYOND, NO_ANSWER, FAILED, WIDE, EXCESS, PRODUCTS), 0.0)
    for _ in range(count):
        answer = method(values, rng)
        sums[PRODUCTS] += answer.products
        if answer.bound is None:
            sums[NO_ANSWER] += 1
            sums[FAILED] += 1
            continue
        excess = answer.bound / norm - 1.0
        sums[WRONG] += excess < -ROUNDING
        sums[FAILED] += excess < -ROUNDING
        sums[BEYOND] += excess < -max(tolerance, ROUNDING)
        sums[WIDE] += excess > 0.01
        sums[EXCESS] += excess
    return sums


def contenders() -> list[Contender]:
    """The certified bound at three failure probabilities, and four values that are not certified."""
    plain: Mapping[str, float | None] = {WRONG: None, BEYOND: None, NO_ANSWER: None}
    fewer = {2: (200, 0, 20), 100: (200, 20, 20), 2000: (10, 0, 10)}
    others = {2: (200, 0, 200), 10: (400, 200, 200), 100: (200, 0, 50), 500: (200, 0, 50), 2000: (200, 0, 25)}
    # The spectrum that comes closest to the stated probability needs more, and shows two other ones.
    largest = {500: (2400, 0, 200), 2000: (1600, 0, 200)}
    tight = {2: (200, 0, 200), 10: (400, 0, 200), 100: (1600, 400, 200), **largest}
    certain = (
        (0.05, others, tuple(name for name in SPECTRA if name != TIGHT)),
        (0.05, tight, (TIGHT,)),
        (0.2, largest, (TIGHT,)),
        (0.01, largest, (TIGHT,)),
    )
    return [
        *(
            Contender(
                f"whp.linalg, failing with {level:g}",
                certified(level),
                0.0,
                {FAILED: level, WRONG: None, NO_ANSWER: None, WIDE: None},
                "exact",
                sizes,
                spectra,
            )
            for level, sizes, spectra in certain
        ),
        Contender(f"Lanczos, {LANCZOS_STEPS} steps", lanczos_value, 0.0, plain, "none", fewer),
        Contender(
            f"SciPy eigsh, tol={ARPACK_TOLERANCE:g}", arpack_value, ARPACK_TOLERANCE, plain, "none", fewer
        ),
        Contender("SciPy svds, default", svds_value, 0.0, plain, "none", fewer),
        Contender(
            f"power iteration, tol={POWER_TOLERANCE:g}", power_value, POWER_TOLERANCE, plain, "none", fewer
        ),
    ]


def _cell(contender: Contender, spectrum: str, n: int, count: int, quick: int, batch: int) -> StudyCell:
    keys = [*contender.events, EXCESS, PRODUCTS]

    def simulate(rng: np.random.Generator, claims: int) -> dict[str, float]:
        sums = tally(contender.method, SPECTRA[spectrum](n), contender.tolerance, rng, claims)
        return {key: sums[key] for key in keys}

    return StudyCell(
        STUDY,
        f"{contender.name}; {spectrum}; n = {n}",
        simulate,
        contender.events,
        contender.guarantee,
        count,
        quick,
        batch,
        {"group": spectrum, "method": contender.name, "size": n},
    )


def cells() -> list[StudyCell]:
    """Every method on every spectrum at its sizes."""
    return [
        _cell(contender, spectrum, n, *counts)
        for spectrum in SPECTRA
        for contender in contenders()
        if spectrum in contender.spectra
        for n, counts in contender.counts.items()
    ]
