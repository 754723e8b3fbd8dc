"""The comparison with other tools: the committed table, what is credited, and whp's side of it.

Nothing here needs the rivals' own environment.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from whp.claims import Guarantee, Outcome

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "rivals"
REPORTS = ROOT / "reports" / "calibration"


@pytest.fixture(scope="module")
def rivals() -> Iterator[SimpleNamespace]:
    """The modules of tools/rivals that run in the project's own environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        names = ("draws", "methods", "judge", "ours")
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads((REPORTS / "rivals.json").read_text(encoding="utf-8"))


def key(row: Any) -> tuple[str, str, str]:
    return row.family, row.cell, row.truth


class TestTheCommittedTable:
    def test_is_made_from_the_record(self, rivals, record):
        assert (REPORTS / "rivals.md").read_text(encoding="utf-8") == rivals.judge.markdown(record)

    def test_every_judgement_follows_from_the_counts(self, rivals, record):
        rows = rivals.judge.rows_of(record)
        again = [rivals.judge.record_of(row, rivals.methods.METHODS[row.method]) for row in rows]
        assert again == record["rows"]
        changed = rivals.judge.Row(**{**vars(rows[0]), "passed": rows[0].passed + 1})
        assert rivals.judge.record_of(changed, rivals.methods.METHODS[changed.method]) != record["rows"][0]

    def test_describes_the_methods_as_they_are(self, rivals, record):
        assert record["methods"] == rivals.methods.METHODS

    def test_has_every_cell_and_whp_with_a_rival_in_it(self, rivals, record):
        rows = rivals.judge.rows_of(record)
        cells = rivals.draws.cells()
        assert {key(row) for row in rows} == {(c.family, c.name, c.truth) for c in cells}
        for cell in cells:
            mine = {r.method for r in rows if key(r) == (cell.family, cell.name, cell.truth)}
            assert {method.startswith("whp") for method in mine} == {True, False}, cell

    def test_simulates_at_least_two_thousand_claims_where_an_error_is_possible(self, rivals, record):
        for row in rivals.judge.rows_of(record):
            assert 0 <= row.passed <= row.passed + row.failed <= row.claims
            if row.truth in ("edge", "off"):
                assert row.claims >= 2000, row

    def test_names_the_versions_that_are_installed(self, record):
        pinned = re.findall(r"^([\w-]+)==(\S+)$", (TOOLS / "requirements.txt").read_text(), re.M)
        compared = {name: version for name, version in pinned if name in record["versions"]}
        assert len(compared) == 6
        assert compared.items() <= record["versions"].items()


class TestWhoIsCredited:
    METHODS = {"tool": {"states_pass": 0.05, "states_fail": None}}  # noqa: RUF012

    def standing(self, rivals: SimpleNamespace, passed: int, decided: int = 900, claims: int = 10_000) -> str:
        def row(truth: str, count: int, passed: int, failed: int) -> Any:
            return rivals.judge.Row("mean", "normal", truth, "tool", count, passed, failed)

        rows = [
            row("edge", claims, passed, 0),
            row("holds", 1000, decided, 0),
            row("fails", 1000, 0, decided),
        ]
        return rivals.judge.standing_of(rivals.judge.rates_of(rows, self.METHODS, "mean"), "tool")

    def test_a_sound_method(self, rivals):
        assert self.standing(rivals, 500) == "sound"

    def test_not_one_that_exceeds(self, rivals):
        assert self.standing(rivals, 700) == "**not sound**: exceeds in 1 of 1 cells"

    def test_not_one_that_was_tried_too_seldom(self, rivals):
        assert self.standing(rivals, 5, claims=100) == "open in 1 of 1 cells"

    def test_not_one_that_never_decides(self, rivals):
        assert self.standing(rivals, 0, decided=10) == "keeps its rates, but hardly ever decides"

    def test_a_fail_is_charged_only_to_who_states_a_rate(self, rivals):
        row = rivals.judge.Row("mean", "normal", "edge", "tool", 1000, 40, 960)
        assert list(rivals.judge.judged(row, self.METHODS["tool"])) == ["false PASS"]
        three_valued = {"states_pass": 0.05, "states_fail": 0.05}
        assert list(rivals.judge.judged(row, three_valued)) == ["false PASS", "false FAIL"]

    def test_a_true_exponent_must_not_fail_and_one_that_is_off_must_not_pass(self, rivals):
        methods = {"states_pass": None, "states_fail": 0.05}
        found = {
            truth: list(
                rivals.judge.judged(rivals.judge.Row("exponent", "c", truth, "tool", 9, 1, 1), methods)
            )
            for truth in ("holds", "off", "fails")
        }
        assert found == {
            "holds": ["false FAIL", "right PASS"],
            "off": ["false PASS"],
            "fails": ["right FAIL"],
        }


class TestOurSide:
    def cell(self, rivals: SimpleNamespace, family: str, name: str, truth: str) -> Any:
        found = [c for c in rivals.draws.cells() if (c.family, c.name, c.truth) == (family, name, truth)]
        assert len(found) == 1
        return found[0]

    @pytest.mark.parametrize(
        ("family", "name"),
        [
            ("probability", "p0 = 0.5, n = 100"),
            ("mean", "normal, n = 100"),
            ("mean", "uniform, n = 100"),
            ("exponent", "c = 0, 100 seeds"),
        ],
    )
    def test_decides_the_clear_claims_by_the_real_checks(self, rivals, family, name):
        # Sound trials are held at 1e-3 a claim, so five of 20 with probability 2e-11; the interval misses
        # by chance with less: six standard errors at the nearest (p = 0.8 against 0.5).
        for truth in ("holds", "fails"):
            cell = self.cell(rivals, family, name, truth)
            for found in rivals.ours.ours(cell, cell.samples(0, 20 / cell.count)).values():
                right, wrong = found["passed"], found["failed"]
                if truth == "fails":
                    right, wrong = wrong, right
                assert found["claims"] == 20
                assert right >= 16
                assert wrong == 0

    def test_looks_after_every_trial_take_the_first_decision(self, rivals):
        # By 100 trials the gap of one sd is ten standard errors, and the interval three: only a hold keeps a
        # claim from a PASS at every look, and four of ten are held so with probability below 1e-9.
        looked = self.cell(rivals, "mean, looks", "normal, n = 100", "holds")
        assert rivals.ours.looks_of(looked, 100) == tuple(range(2, 101))
        assert rivals.ours.looks_of(self.cell(rivals, "mean", "normal, n = 20", "edge"), 20) == (20,)
        x = looked.samples(0, 10 / looked.count)
        assert rivals.ours.ours(looked, x)["whp, order"]["passed"] >= 6

    @pytest.mark.parametrize(
        ("family", "name"), [("probability", "p0 = 0.9, n = 100"), ("mean", "uniform, n = 100")]
    )
    def test_states_the_guarantee_that_the_verdict_has(self, rivals, family, name):
        cell = self.cell(rivals, family, name, "edge")
        for method, (check, values) in rivals.ours.checks(cell, cell.samples(0, 1 / cell.count)).items():
            points = check.experiment.design("standard").points({})
            sample = rivals.ours.ArraySample.of(check.experiment, points, values[0])
            verdict = check.decide(sample, rivals.ours.SHARE)
            words = {Guarantee.EXACT: "; exact", Guarantee.ASYMPTOTIC: "; asymptotic"}
            assert words[verdict.guarantee] in rivals.methods.METHODS[method]["states"]
            assert verdict.outcome in Outcome

    def test_the_numbers_depend_on_the_seed_and_the_name_alone(self, rivals):
        cell = self.cell(rivals, "mean", "exponential, n = 20", "edge")
        few, more = cell.samples(3, 10 / cell.count), cell.samples(3, 20 / cell.count)
        assert np.array_equal(few, more[:10])
        assert not np.array_equal(few, cell.samples(4, 10 / cell.count))

    def test_the_truth_is_where_it_is_said_to_be(self, rivals):
        # Means of n values lie within 6 standard errors of the limit except with probability 2e-9 each.
        for cell in rivals.draws.cells():
            if cell.truth == "edge" and "n = 1000" in cell.name:
                x = cell.samples(1, 100 / cell.count).astype(float)
                assert abs(x.mean() - cell.limit) < 6 * x.std() / x.size**0.5 or "lognormal" in cell.name
