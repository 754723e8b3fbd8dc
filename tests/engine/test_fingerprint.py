"""The fingerprint changes with what makes the numbers, and with nothing else."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from whp.engine import fingerprint as module
from whp.engine.fingerprint import fingerprint, sources

MEASURE = '''
"""Doc."""
from whp.claims import Design, Path, Twin, claim, experiment, order
from whp.kernels.probe import half
from ._help import double

SCALE = 3.0

def scaled(x):
    """Doc."""
    return SCALE * x  # a comment

@experiment(standard=Design(Path(d=(5,)), trials=(4, 4)))
def value(p, rng, device):
    """Doc."""
    return half(double(scaled(rng.standard_normal())))

CLAIM = claim("toy.value", order(experiment=value, quantity="Y", twins={"w": Twin("t", statistic="other")}),
              title="t", locus="l")
'''


@pytest.fixture
def tree(toy, tmp_path, monkeypatch):
    """A claim, its sibling, and a small copy of whp in which modules can be edited."""
    package = tmp_path / "whp"
    for name, text in {
        "kernels/__init__.py": "",
        "kernels/probe.py": "from whp.linalg.base import one\ndef half(x):\n    return x / 2 * one()\n",
        "linalg/__init__.py": "",
        "linalg/base.py": "from whp.report.page import title\ndef one():\n    return 1\n",
        "linalg/unused.py": "x = 1\n",
        "report/page.py": "title = 'a'\n",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(module, "_WHP", package)
    toy.write("value", MEASURE.replace("from whp.kernels.probe import half", "half = abs"))
    toy.write("_help", "def double(x):\n    return 2 * x\n")
    (claim,) = toy.claims()
    toy.write("value", MEASURE)  # whp.kernels.probe exists for the analysis only

    def digest() -> str:
        return fingerprint(claim.checks[0].experiment, toy.folder / "value.py")

    return toy, package, digest, claim.checks[0].experiment


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("toy/value.py", "half(double(", "double(half("),
        ("toy/value.py", "SCALE = 3.0", "SCALE = 4.0"),
        ("toy/value.py", "SCALE * x", "SCALE + x"),
        (
            "toy/value.py",
            "from ._help import double",
            "import os\nos.environ['X'] = '1'\nfrom ._help import double",
        ),
        ("toy/_help.py", "2 * x", "3 * x"),
        ("whp/kernels/probe.py", "x / 2", "x / 3"),
        ("whp/linalg/base.py", "return 1", "return 2"),
    ],
)
def test_it_changes_with_what_makes_the_numbers(tree, name, old, new):
    toy, _, digest, _ = tree
    before = digest()
    edit(toy.root / name, old, new)
    assert digest() != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("whp/report/page.py", "'a'", "'b'"),
        ("whp/linalg/unused.py", "1", "2"),
        ("toy/value.py", "a comment", "another"),
        ("toy/value.py", "Doc.", "More."),
        ("toy/value.py", 'title="t"', 'title="u"'),
        ("toy/value.py", "trials=(4, 4)", "trials=(4, 8)"),
        ("toy/_help.py", "2 * x", "(2\n  * x)"),
    ],
)
def test_it_does_not_change_with_anything_else(tree, name, old, new):
    toy, _, digest, _ = tree
    before = digest()
    edit(toy.root / name, old, new)
    assert digest() == before


def test_it_changes_with_limits_and_versions_but_not_with_the_place(tree, monkeypatch, tmp_path):
    toy, _, digest, experiment = tree
    before = digest()
    limited = dataclasses.replace(experiment, time_limit=1.0)
    assert fingerprint(limited, toy.folder / "value.py") != before
    moved = tmp_path / "moved" / "toy"
    shutil.copytree(toy.folder, moved)
    assert len(sources(experiment, toy.folder / "value.py")) == 3
    monkeypatch.setattr(module, "_version", lambda name: "0")
    assert digest() != before


def test_each_file_is_read_once_and_again_when_it_has_changed(tree, monkeypatch):
    toy, _, digest, _ = tree
    read, whole = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda file: read.append(file) or whole(file))
    digest()
    read.clear()
    before = digest()
    assert read == []
    edit(toy.folder / "_help.py", "2 * x", "3 * x")
    assert digest() != before
    assert [file.name for file in read] == ["_help.py"]


def test_sources_are_laboratory_and_siblings_only(tree):
    toy, _, _, experiment = tree
    assert sources(experiment, toy.folder / "value.py") == ["_help.py", "kernels/probe.py", "linalg/base.py"]


def test_a_wheel_names_the_files_as_a_checkout_does(tree):
    toy, package, _, experiment = tree
    shipped = package / "validation" / "toy"
    shutil.copytree(toy.folder, shipped)
    here = sources(experiment, toy.folder / "value.py")
    assert sources(experiment, shipped / "value.py") == here


def test_a_search_counts_the_module_that_searches(toy):
    toy.write(
        "search",
        "from hypothesis import strategies as st\n"
        "from whp.claims import Twin, always, claim, search\n"
        "def excess(x):\n    return -1.0\n"
        "SEARCH = search(excess, given={'x': st.integers()})\n"
        "TWINS = {'w': Twin('t', statistic='examples')}\n"
        "CHECK = always(experiment=SEARCH, statement='x', twins=TWINS)\n"
        "CLAIM = claim('toy.search', CHECK, title='t', locus='l')\n",
    )
    (claim,) = toy.claims()
    file = toy.folder / "search.py"
    before = fingerprint(claim.checks[0].experiment, file)
    edit(file, "-1.0", "-2.0")
    assert fingerprint(claim.checks[0].experiment, file) != before


def test_a_package_of_the_laboratory_counts_with_what_it_imports(toy):
    toy.flat("norms", "from whp.linalg import spectral_norm\n    from whp.claims import Path\n    return 1.0")
    (claim,) = toy.claims()
    used = sources(claim.checks[0].experiment, toy.folder / "norms.py")
    assert {"linalg/__init__.py", "linalg/norms.py"} <= set(used)
    assert not any(name.startswith(("claims", "engine", "report", "errors")) for name in used)
