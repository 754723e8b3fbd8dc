"""The mutants fit the sources, and the runner can tell a killed one from a survivor."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_tool():
    spec = importlib.util.spec_from_file_location("mutants_run", ROOT / "tools" / "mutants" / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()
MUTANTS = TOOL.load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_mutant_fits_the_sources(mutant):
    source = (ROOT / "src" / "whp" / mutant.file).read_text(encoding="utf-8")
    assert TOOL.mutated(mutant, source) != source
    assert mutant.tests
    for test in mutant.tests:
        assert (ROOT / test).exists()


def test_there_are_enough_of_them():
    assert len(MUTANTS) >= 30
    assert len({mutant.file for mutant in MUTANTS}) >= 15


@pytest.fixture
def tree(tmp_path):
    """A tree with one function and one test."""
    (tmp_path / "src" / "whp").mkdir(parents=True)
    (tmp_path / "src" / "whp" / "__init__.py").write_text("")
    (tmp_path / "src" / "whp" / "area.py").write_text("def area(a, b):\n    return a * b  # of a rectangle\n")
    (tmp_path / "src" / "whp" / "pytest_plugin.py").write_text("")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_area.py").write_text(
        "from whp.area import area\n\n\ndef test_area():\n    assert area(2, 3) == 6\n"
    )
    return tmp_path


def mutant(old, new, name="a mutant"):
    return TOOL.Mutant(name, "why", "area.py", old, new, ("tests/test_area.py",))


def test_a_mutant_is_killed_and_a_harmless_one_survives(tree):
    before = (tree / "src" / "whp" / "area.py").read_text()
    found = TOOL.fates([mutant("a * b", "a + b", "sum"), mutant("a * b", "b * a", "turned")], tree, jobs=1)
    assert [(one.name, one.killed) for one in found] == [("sum", True), ("turned", False)]
    assert found[0].by == "tests/test_area.py::test_area"
    assert (tree / "src" / "whp" / "area.py").read_text() == before  # the tree itself is left alone
    text = TOOL.page(found, "make mutants", 60.0)
    assert "1 of 2 killed; survivors: 1" in text
    assert "- turned (`area.py`): **no excuse**" in text
    assert TOOL.record(found, "make mutants", 60.0)["survived"] == ["turned"]


def test_tests_that_fail_anyway_kill_nothing(tree):
    (tree / "tests" / "test_area.py").write_text("def test_wrong():\n    assert False\n")
    with pytest.raises(RuntimeError, match=r"must pass without a mutant, got a failure of .*test_wrong"):
        TOOL.fates([mutant("a * b", "a + b")], tree, jobs=1)


@pytest.mark.parametrize(("old", "count"), [("a / b", 0), ("a", 6)])
def test_a_mutant_that_does_not_fit_is_no_survivor(tree, old, count):
    with pytest.raises(TOOL.StaleMutantError, match=f"must occur once in area.py, got {count} times"):
        TOOL.fates([mutant(old, "x")], tree, jobs=1)


def test_a_mutant_that_is_no_python_is_refused(tree):
    with pytest.raises(SyntaxError):
        TOOL.fates([mutant("a * b", "a *")], tree, jobs=1)
