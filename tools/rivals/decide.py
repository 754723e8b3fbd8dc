"""Ask the rivals. Runs in their own environment (.venv-rivals) and imports nothing of whp.

Started by ``compare.py``; what each method is, ``methods.py`` says. The first line that it prints is JSON:
the versions of its packages. Then it reads tasks from its standard input, one JSON object a line (``family``,
``facts``, ``limit`` and ``file``, an .npy with the samples of many simulated claims), and prints for each one
line: by method, how many claims were looked at, how many PASSed and how many FAILed.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
import statsmodels.api as sm
import stochtest
from lcb_gate import run_gate, score_gate
from pytest_probability.plugin import Gate, StatsConfig
from statsmodels.stats.proportion import proportion_confint

PACKAGES = ("pytest-probability", "stochtest", "lcb-gate", "numpy", "scipy", "statsmodels")
PASS, UNDECIDED, FAIL = 1, 0, -1
ONE_SIDED = 0.05
"""Error rate a side; an interval with both sides is asked for at twice this."""
CHECKED = 20
"""Claims a cell on which a shortcut is compared with the whole call."""

Outcomes = np.ndarray  # of PASS, UNDECIDED, FAIL, shape (claims,)

FIRST_PEEK = 10
BOOTSTRAPPED = 2000
"""Simulated claims a cell for the bootstrap, which takes a millisecond each."""


def side(low: np.ndarray, high: np.ndarray, limit: float, better: str) -> Outcomes:
    """Decide by an interval for the mean or the probability: above the limit is better, or below."""
    above, below = low > limit, high < limit
    sign = PASS if better == "above" else FAIL
    return np.where(above, sign, np.where(below, -sign, UNDECIDED))


def within(low: np.ndarray, high: np.ndarray, claimed: float, tolerance: float) -> Outcomes:
    """PASS where the interval lies within the tolerance of the claimed value, FAIL where it lies outside."""
    inside = (claimed - tolerance < low) & (high < claimed + tolerance)
    outside = (high < claimed - tolerance) | (claimed + tolerance < low)
    return np.where(inside, PASS, np.where(outside, FAIL, UNDECIDED))


def contains(low: np.ndarray, high: np.ndarray, claimed: float) -> Outcomes:
    """PASS where the interval contains the claimed value, else FAIL."""
    return np.where((low <= claimed) & (claimed <= high), PASS, FAIL)


def asserted(call: Callable[[], object]) -> int:
    """PASS unless the assertion fails; the test has no third outcome."""
    try:
        call()
    except AssertionError:
        return FAIL
    return PASS


def by_count(decide: Callable[[np.ndarray], int], x: np.ndarray, name: str) -> Outcomes:
    """Decide each distinct count once, and compare with the trials in their order on the first claims."""
    trials = x.shape[1]
    counts = x.sum(axis=1, dtype=int)
    table = {k: decide(np.arange(trials) < k) for k in np.unique(counts)}
    for row, k in zip(x[:CHECKED], counts[:CHECKED], strict=True):
        if decide(row.astype(bool)) != table[k]:
            sys.exit(f"{name} must decide by the count alone, got another verdict for {k} of {trials}")
    return np.array([table[k] for k in counts])


def gate(p0: float, trials: int, method: str = "exact") -> Gate:
    """The object that the marker ``probability(min_rate=p0)`` makes, as the plugin makes it."""
    return Gate(rule="rate", stats=StatsConfig(method=method), min_rate=p0, runs=trials)


VERDICTS = {"pass": PASS, "fail": FAIL, "undecided": UNDECIDED}

BENCH = """
import itertools
import numpy as np
import pytest

OUTCOMES = np.load({file!r})
NEXT = [itertools.count() for _ in OUTCOMES]

@pytest.mark.probability(min_rate={p0!r}{method})
@pytest.mark.parametrize("claim", range(len(OUTCOMES)))
def bench_claim(claim):
    assert OUTCOMES[claim][next(NEXT[claim])]
"""


def session(x: np.ndarray, p0: float, method: str = "", stop: str = "off") -> Outcomes:
    """Run pytest with the plugin on the claims in ``x``, as its README does, and read its JSON report."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        np.save(folder / "x.npy", x)
        chosen = f", method={method!r}" if method else ""
        text = BENCH.format(file=str(folder / "x.npy"), p0=p0, method=chosen)
        (folder / "bench_claims.py").write_text(text, encoding="utf-8")
        options = [f"--prob-runs={x.shape[1]}", f"--prob-stop={stop}", "--prob-json=report.json"]
        command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "--rootdir=.", *options, "."]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
        rows = json.loads((folder / "report.json").read_text(encoding="utf-8"))["rows"]
    found = {row["case"].rsplit("::", 1)[1]: VERDICTS[row["gate"]["verdict"]] for row in rows}
    return np.array([found[str(claim)] for claim in range(len(x))])


def same_in_a_session(decided: Outcomes, x: np.ndarray, p0: float, facts: dict, **options: str) -> Outcomes:
    """Return the decisions after comparing the first ones with a whole pytest session."""
    if facts["session"]:
        seen = session(x[:CHECKED], p0, **options)
        if not np.array_equal(seen, decided[:CHECKED]):
            sys.exit(f"a pytest session must decide as its gate does, got {seen} for {decided[:CHECKED]}")
    return decided


def proportions(k: np.ndarray, n: int, p0: float, method: str) -> Outcomes:
    """By an interval of statsmodels."""
    low, high = proportion_confint(k, n, alpha=2 * ONE_SIDED, method=method)
    return side(low, high, p0, "above")


def probability(x: np.ndarray, p0: float, facts: dict) -> dict[str, Outcomes]:
    """P(success) >= p0, one look at all trials; x of shape (claims, trials)."""
    trials = x.shape[1]
    k = x.sum(axis=1, dtype=int)

    def gated(method: str) -> Outcomes:
        made = gate(p0, trials, method)
        return by_count(lambda row: VERDICTS[made.verdict(int(row.sum()), trials)], x, "pytest-probability")

    def stochtested(row: np.ndarray) -> int:
        return asserted(lambda: stochtest.assert_that(row).has_acceptance_rate_greater_than(p0))

    return {
        "pytest-probability, exact": same_in_a_session(gated("exact"), x, p0, facts),
        "pytest-probability, wilson": same_in_a_session(gated("wilson"), x, p0, facts, method="wilson"),
        "stochtest": by_count(stochtested, x, "stochtest"),
        "lcb-gate": by_count(lambda row: lcb(row, p0), x, "lcb-gate"),
        "Wilson interval": proportions(k, trials, p0, "wilson"),
        "Wald interval": proportions(k, trials, p0, "normal"),
        "Clopper-Pearson interval": proportions(k, trials, p0, "beta"),
    }


def lcb(row: np.ndarray, p0: float) -> int:
    """As the README of lcb-gate: the trial number in, a truth value out."""
    result = run_gate(lambda i: bool(row[i]), n=len(row), threshold=p0)
    return PASS if result.passed else FAIL


def first_decision(looks: np.ndarray) -> Outcomes:
    """The first decision along the looks, shape (claims, looks); UNDECIDED where there is none."""
    at = (looks != UNDECIDED).argmax(axis=1)
    return looks[np.arange(len(looks)), at]


def peeked_probability(x: np.ndarray, p0: float, facts: dict) -> dict[str, Outcomes]:
    """P(success) >= p0 with a look after every trial."""
    trials = x.shape[1]
    k = x.cumsum(axis=1, dtype=int)  # (claims, trials)
    made = gate(p0, trials).as_sequential()
    table = np.zeros((trials + 1, trials + 1), dtype=int)  # by runs and passes
    for t, passes in itertools.product(range(1, trials + 1), range(trials + 1)):
        if passes <= t:
            table[t, passes] = VERDICTS[made.verdict(passes, t)]
    sequential = first_decision(table[np.arange(1, trials + 1), k])

    def peeking(method: str) -> Outcomes:
        looks = range(FIRST_PEEK, trials + 1)
        return first_decision(np.stack([proportions(k[:, t - 1], t, p0, method) for t in looks], axis=1))

    return {
        "pytest-probability, sequential": same_in_a_session(sequential, x, p0, facts, stop="sequential"),
        "lcb-gate": by_count(lambda row: lcb(row, p0), x, "lcb-gate"),
        "Wilson interval, peeking": peeking("wilson"),
        "Clopper-Pearson, peeking": peeking("beta"),
    }


def t_ends(x: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The t interval of the mean along the last axis."""
    n = x.shape[-1]
    return scipy.stats.t.interval(level, n - 1, loc=x.mean(axis=-1), scale=scipy.stats.sem(x, axis=-1))


def mean(x: np.ndarray, limit: float, facts: dict) -> dict[str, Outcomes]:
    """E[X] < limit, one look at all trials; x of shape (claims, trials)."""

    def stochtested(row: np.ndarray) -> int:
        return asserted(lambda: stochtest.assert_that(row).has_expected_value_less_than(limit))

    def scored(row: np.ndarray) -> int:
        n, threshold = len(row), 1.0 - limit
        gated = score_gate(lambda i: float(1.0 - row[i]), n=n, threshold=threshold, stop_early=False)
        return PASS if gated.passed else FAIL

    found = {
        "t interval": side(*t_ends(x, 1 - 2 * ONE_SIDED), limit, "below"),
        "stochtest": np.array([stochtested(row) for row in x]),
    }
    if facts["support"] is not None:
        found["lcb-gate, score_gate"] = np.array([scored(row) for row in x])
    return found


def peeked_mean(x: np.ndarray, limit: float, facts: dict) -> dict[str, Outcomes]:
    """E[X] < limit with a look after every trial."""
    looks = range(FIRST_PEEK, x.shape[1] + 1)
    ends = [t_ends(x[:, :t], 1 - 2 * ONE_SIDED) for t in looks]
    return {
        "t interval, peeking": first_decision(np.stack([side(*e, limit, "below") for e in ends], axis=1)),
    }


ENDS: dict[str, np.ndarray] = {}
"""The last numbers that had exponents, and their intervals: several claims are made of the same numbers."""


def exponent_ends(y: np.ndarray, facts: dict) -> dict[str, np.ndarray]:
    """Intervals of the exponent by method, shape (claims, 2); y of shape (claims, seeds, points)."""
    if "y" not in ENDS or not np.array_equal(ENDS["y"][: len(y)], y):
        at = np.log(np.array(facts["sizes"], dtype=float))
        logs = np.log(y)
        design = sm.add_constant(np.tile(at, y.shape[1]))  # (seeds * points, 2)
        slopes = logs @ ((at - at.mean()) / ((at - at.mean()) ** 2).sum())  # (claims, seeds)
        options = {"method": "percentile", "n_resamples": 999, "rng": np.random.default_rng(0)}
        resampled = (scipy.stats.bootstrap((row,), np.mean, **options) for row in slopes[:BOOTSTRAPPED])
        ENDS["y"] = y
        ENDS["OLS interval contains"] = np.array(
            [sm.OLS(row.ravel(), design).fit().conf_int(0.05)[1] for row in logs]
        )
        ENDS["t interval of slopes contains"] = np.stack(t_ends(slopes, 0.95), axis=1)
        ENDS["t interval of slopes within"] = np.stack(t_ends(slopes, 1 - 2 * ONE_SIDED), axis=1)
        ENDS["percentile bootstrap of slopes contains"] = np.array([b.confidence_interval for b in resampled])
    return {name: ends[: len(y)] for name, ends in ENDS.items() if name != "y"}


def exponent(y: np.ndarray, claimed: float, facts: dict) -> dict[str, Outcomes]:
    """Y grows as d^claimed; y of shape (claims, seeds, points)."""
    return {
        name: within(*ends.T, claimed, facts["tolerance"])
        if name.endswith("within")
        else contains(*ends.T, claimed)
        for name, ends in exponent_ends(y, facts).items()
    }


FAMILIES = {
    "probability": probability,
    "probability, looks": peeked_probability,
    "mean": mean,
    "mean, looks": peeked_mean,
    "exponent": exponent,
}


def main() -> None:
    """Answer tasks until there are none."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    versions["python"] = platform.python_version()
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        x = np.load(task["file"])
        found = FAMILIES[task["family"]](x, task["limit"], task["facts"])
        counts = {
            name: {
                "claims": len(decided),
                "passed": int((decided == PASS).sum()),
                "failed": int((decided == FAIL).sum()),
            }
            for name, decided in found.items()
        }
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
