"""Kind always: a true statement passes, a false one is refuted by a counterexample that is shown."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import strategies as st

from whp.claims import CellSample, Outcome, Share, Twin, always, claim, search
from whp.errors import MeasurementError

NUMBERS = {"a": st.floats(-1e3, 1e3), "b": st.floats(-1e3, 1e3)}
SHARE = Share(1e-3, 1e-3)


def means(a, b):
    return abs(a * b) - (a * a + b * b) / 2


def quarter(a, b):
    return abs(a * b) - (a * a + b * b) / 4


def undefined(a, b):
    return math.nan if a > 1 else -1.0


def nothing(a, b):
    return -math.inf


def slight(a, b):
    return 5e-9


def decide(experiment, **fields):
    """The verdict on trials 0 and 1 of a search."""
    check = always(experiment=experiment, statement="x", **fields)
    return check.decide(measured(experiment), SHARE)


def measured(experiment, seed=0):
    where = experiment.design("quick").points(experiment.design("quick").cells()[0])
    rows = [[experiment.run(where[0], np.random.default_rng([seed, s]), "cpu")] for s in range(2)]
    return CellSample(experiment, {"examples": 100}, where, rows)


def test_true_statement_passes_and_its_twin_fails(simulate):
    twins = {"constant": Twin("a quarter instead of a half", experiment=search(quarter, given=NUMBERS))}
    check = always(experiment=search(means, given=NUMBERS), statement=r"|ab| \le (a^2+b^2)/2", twins=twins)
    verdict = simulate.run([claim("test.means", check, title="T", locus="L")])["test.means"]
    assert (verdict.outcome, verdict.twins["constant"]) == (Outcome.PASS, Outcome.FAIL)
    assert verdict.advice.endswith("No counterexample in 1000 inputs.")
    assert "does not prove" in verdict.cells[0].validity


def test_counterexample_is_shown_shrunk():
    verdict = decide(search(quarter, given={k: st.integers(-1000, 1000) for k in "ab"}))
    assert verdict.outcome is Outcome.FAIL
    assert verdict.notes["counterexample"] == "a = 1, b = 1"  # the smallest there is
    assert "a = 1, b = 1" in verdict.advice
    assert verdict.estimate >= 0.5


def test_nan_is_no_measurement_and_no_counterexample():
    with pytest.raises(MeasurementError, match=r"^excess must be a number, got 'nan at a = .*, b = .*'$"):
        measured(search(undefined, given=NUMBERS))
    with pytest.raises(
        MeasurementError, match=r"^excess must be a number, got 'nan at the top of the hill'$"
    ):
        measured(search(means, given=NUMBERS, ascend=lambda rng: (math.nan, "the top of the hill")))


@pytest.mark.parametrize(("climbed", "outcome"), [(0.5, Outcome.FAIL), (-0.5, Outcome.PASS)])
def test_gradient_ascent_counts(climbed, outcome):
    verdict = decide(search(means, given=NUMBERS, ascend=lambda rng: (climbed, "the top of the hill")))
    assert verdict.outcome is outcome
    assert verdict.notes == ({} if outcome is Outcome.PASS else {"counterexample": "the top of the hill"})


def test_what_rounding_explains_is_excused_and_hides_nothing():
    excused = decide(search(slight, given=NUMBERS, tolerance=1e-8), tolerance=1e-8)
    assert (excused.outcome, excused.figure["examples"]) == (Outcome.PASS, 100)  # the search went on
    assert decide(search(slight, given=NUMBERS, tolerance=1e-8), tolerance=1e-9).outcome is Outcome.FAIL


def test_a_search_without_inputs_is_no_measurement():
    with pytest.raises(MeasurementError, match=r"^excess must be above -inf for some input, got -inf$"):
        measured(search(nothing, given=NUMBERS))


SCRIPT = """
import contextlib, sys
import numpy as np
from hypothesis import strategies as st
from whp.claims import search

if sys.argv[1] == "unguarded":
    sys.modules["whp.claims.search"]._same_examples_everywhere = contextlib.nullcontext
for name in sys.argv[2:]:
    __import__(name)
seen = []

def f(a):
    seen.append(a)
    return -1.0

made = search(f, given={"a": st.floats(-1e3, 1e3)})
point = made.design("quick").points({"examples": 300})[0]
made.run(point, np.random.default_rng(0), "cpu")
print(seen)
"""


def test_inputs_do_not_depend_on_what_else_is_loaded(tmp_path):
    # hypothesis mixes in constants of the project's modules that are loaded, and a worker loads fewer.
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "extra.py").write_text("X = [0.5, 7.25, 123.0, -0.125, 0.1, 1e-9, 33.0, 34.0, 35.0]\n")

    def inputs(*arguments, hash_seed="1"):
        command = [sys.executable, "script.py", *arguments]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    plain = inputs("guarded", hash_seed="2")
    assert len(plain.split(",")) > 250
    assert inputs("guarded", "extra") == plain
    assert not (tmp_path / ".hypothesis").exists()  # and nothing is left in the user's folder
    assert inputs("unguarded", "extra") != plain
