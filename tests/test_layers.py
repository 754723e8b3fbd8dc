"""The structure of DESIGN.md: what may import what, no circles, no long files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "whp"

ROWS = [
    {"errors", "interval", "seeding", "devices", "machine", "memory", "vectors"},
    {"ensembles", "bounds", "linalg", "stats"},
    {"models", "kernels", "claims"},
    {"engine"},
    {"report"},
    {"calibration"},
    {"benchmarks"},
    {
        "cli",
        "cli_bench",
        "cli_data",
        "cli_run",
        "cli_trust",
        "options",
        "console",
        "__main__",
        "pytest_plugin",
        "strategies",
    },
]
LABORATORY = {"ensembles", "bounds", "linalg", "models", "kernels"}
COURT = {"stats", "claims"}
# Layer 0 is the ground that its own modules share, and the doors share the terminal.
GROUND = {("seeding", "errors"), ("interval", "errors"), ("devices", "errors"), ("memory", "errors")}
DOORS = {
    *(("cli", name) for name in ("console", "options", "cli_bench", "cli_data", "cli_run", "cli_trust")),
    *(
        (door, name)
        for door in ("cli_bench", "cli_data", "cli_run", "cli_trust")
        for name in ("console", "options")
    ),
    ("__main__", "cli"),
    ("pytest_plugin", "console"),
}
LONGEST = 400


def imports(source: str, module: str) -> Iterator[str]:
    """Yield the absolute name of everything that a module imports, wherever in the file it does so.

    ``from a import b`` yields ``a.b``: b may be a module, and if it is not, its first parts still tell.
    """
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called.endswith(("import_module", "__import__")):
                yield str(node.args[0].value)


def part(name: str) -> str | None:
    """The package or module directly below whp that a name lies in; None outside of whp."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "whp" and len(pieces) > 1 else None


def row(name: str) -> int:
    """The layer of a part."""
    return next(k for k, names in enumerate(ROWS) if name in names)


def violations(sources: dict[str, str]) -> list[str]:
    """Say which imports of which modules break the layers; sources by module name."""
    known = set().union(*ROWS)
    found = []
    for module, source in sorted(sources.items()):
        here = part(module)
        for name in imports(source, module):
            there = part(name)
            if name.split(".")[0] in ("validation", "tests"):
                found.append(f"{module} imports {name}")
            if here is None or there is None or there == here or there not in known:
                continue  # whp/__init__.py, other packages, the package itself, a name such as __version__
            allowed = row(there) < row(here) or (here, there) in GROUND | DOORS
            wings = {here, there} & LABORATORY and {here, there} & COURT
            if not allowed or wings:
                found.append(f"{module} imports {name}")
    return found


def circles(sources: dict[str, str]) -> list[list[str]]:
    """Return the circles of imports between modules that happen while they load."""
    graph = {module: set(loaded(source, module, set(sources))) for module, source in sources.items()}
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(module: str, trail: list[str]) -> None:
        if module in trail:
            found.append([*trail[trail.index(module) :], module])
            return
        if module in done:
            return
        for other in sorted(graph[module]):
            walk(other, [*trail, module])
        done.add(module)

    for module in sorted(graph):
        walk(module, [])
    return found


def loaded(source: str, module: str, known: set[str]) -> Iterator[str]:
    """Yield the modules that a module imports, in functions too, but not for the type checker alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    for name in imports(ast.unparse(tree), module):
        pieces = name.split(".")
        longest = next((c for k in range(len(pieces), 0, -1) if (c := ".".join(pieces[:k])) in known), None)
        # A package's own __init__ gathers its modules; that they find each other through it is no circle.
        if longest is not None and longest != module and not f"{module}.".startswith(f"{longest}."):
            yield longest


def read(folder: Path) -> dict[str, str]:
    """Every module below src/whp, by name."""
    files = {f.relative_to(folder.parent).with_suffix(""): f for f in sorted(folder.rglob("*.py"))}
    return {".".join(name.parts).removesuffix(".__init__"): f.read_text() for name, f in files.items()}


def too_long(lengths: dict[str, int]) -> list[str]:
    """Say which files are longer than they may be."""
    return [f"{name}: {lines} lines" for name, lines in sorted(lengths.items()) if lines > LONGEST]


class TestTheSource:
    def test_every_part_has_its_place(self):
        parts = {part(name) for name in read(SOURCE)} - {None}
        assert parts <= set().union(*ROWS), "a new package needs a row in DESIGN.md and in ROWS"

    def test_imports_point_down(self):
        assert violations(read(SOURCE)) == []

    def test_there_are_no_circles(self):
        assert circles(read(SOURCE)) == []

    def test_no_file_is_long(self):
        files = [f for folder in ("src", "validation", "tests") for f in (ROOT / folder).rglob("*.py")]
        assert len(files) > 50
        assert too_long({str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files}) == []


class TestTheChecker:
    """It must catch what it is there to catch."""

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("whp.stats.x", "from whp.claims import rate"),  # upward
            ("whp.stats.x", "import whp.claims.path"),
            ("whp.stats.x", "from whp import claims"),
            ("whp.linalg.x", "from whp.bounds import MatrixBernstein"),  # sideways
            ("whp.models.x", "from whp.kernels.ntk import first_layer_ntk"),
            ("whp.claims.x", "from whp.linalg import spectral_norm"),  # from wing to wing
            ("whp.kernels.x", "from whp.stats import t_sequence"),
            ("whp.errors", "from whp.interval import Interval"),
            ("whp.engine.x", "from whp.report import html"),
            ("whp.report.x", "from whp.cli import main"),
            ("whp.claims.x", "from validation.hu2020 import prop_3_4"),
            ("whp.claims.x", "import validation"),
            ("whp.stats.x", "def f():\n    from whp.claims import rate"),
            ("whp.stats.x", "if TYPE_CHECKING:\n    from whp.claims import rate"),
            ("whp.stats.x", "try:\n    pass\nfinally:\n    import whp.engine"),
            ("whp.stats.x", "from ..claims import rate"),
            ("whp.stats.x", "from .. import claims"),
            ("whp.stats.x", "importlib.import_module('whp.claims')"),
            ("whp.stats.x", "__import__('whp.claims')"),
        ],
    )
    def test_catches(self, module, source):
        assert len(violations({module: source})) == 1

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("whp.claims.x", "from whp import stats\nfrom whp.errors import require\nimport numpy"),
            ("whp.claims.x", "from whp.claims.path import Path\nfrom .path import Path\nfrom . import path"),
            ("whp.models.x", "from whp.ensembles import data_distribution"),
            ("whp.engine.x", "from whp.claims import Claim\nfrom whp.kernels import activation"),
            ("whp.report.x", "from whp import __version__"),
            ("whp", "__version__ = '1'"),
        ],
    )
    def test_lets_pass(self, module, source):
        assert violations({module: source}) == []

    def test_catches_circles(self):
        a, b, c = "whp.a.x", "whp.a.y", "whp.a.z"
        sources = {a: "from whp.a import y", b: "def f():\n    from .z import g", c: "import whp.a.x"}
        assert circles(sources) == [[a, b, c, a]]
        assert circles({**sources, c: "if TYPE_CHECKING:\n    import whp.a.x"}) == []
        assert circles({**sources, c: "import numpy", "whp.a": "from whp.a.x import f"}) == []

    def test_catches_long_files(self):
        assert too_long({"a.py": LONGEST, "b.py": LONGEST + 1}) == [f"b.py: {LONGEST + 1} lines"]

    def test_a_new_part_is_missed_by_no_one(self):
        with pytest.raises(StopIteration):
            row("novelty")
