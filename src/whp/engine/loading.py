"""Import claim files by path, under synthetic package names.

A claim file is imported as ``whp_validation.FOLDER.STEM``, so that it can say
``from ._training import trajectory`` although its folder is no installed
package. The same function serves the coordinator and the workers.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from whp.claims.claim import Claim
from whp.claims.experiment import Experiment
from whp.errors import ClaimError, require

ROOT = "whp_validation"

_folders: dict[str, Path] = {}
_states: dict[str, dict[str, tuple[int, int]]] = {}


class _Loader(SourceFileLoader):
    """Compiles from source, never from a ``.pyc``.

    A cached file is recognised by size and whole seconds, so an edit within a
    second of the last could be missed; nor do we write into a user's folder.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _Finder(MetaPathFinder):
    """Finds ``whp_validation``, the folders registered under it, and the files in them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parts = fullname.split(".")
        if parts[0] != ROOT or len(parts) > 3:
            return None
        if len(parts) == 1:
            return _package(fullname, [])
        folder = _folders.get(parts[1])
        if folder is None:
            return None
        if len(parts) == 2:
            return _package(fullname, [str(folder)])
        file = folder / f"{parts[2]}.py"
        if not file.is_file():
            return None
        spec = ModuleSpec(fullname, _Loader(fullname, str(file)), origin=str(file))
        spec.has_location = True
        return spec


def _package(name: str, locations: list[str]) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = locations
    return spec


def package_name(folder: Path) -> str:
    """Return the name under which a folder is imported, and register it.

    The folder's own name, unless another folder has taken it: then a digest of
    the path is added.
    """
    base = folder.name.replace(".", "_") or "root"
    if _folders.get(base, folder) != folder:
        base = f"{base}_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    _folders[base] = folder
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    return base


def load_file(path: Path) -> ModuleType:
    """Import a claim file; the same module as long as no file of its folder has changed.

    Raises
    ------
    ClaimError
        If the file's name is no Python name.
    Exception
        Whatever the file raises while it is imported.
    """
    path = path.resolve()
    require(path.stem.isidentifier(), "file name", "a Python name followed by .py", path.name, ClaimError)
    package = package_name(path.parent)
    state = {
        file.name: (file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(path.parent.glob("*.py"))
    }
    if _states.get(package) != state:
        prefix = f"{ROOT}.{package}"
        for name in [n for n in sys.modules if n == prefix or n.startswith(f"{prefix}.")]:
            del sys.modules[name]
        _states[package] = state
    return importlib.import_module(f"{ROOT}.{package}.{path.stem}")


def claims_in(module: ModuleType) -> list[Claim]:
    """The claims at the top level of a module, alone or in a list or tuple, each once, in order."""
    found = [value for value in _values(module) if isinstance(value, Claim)]
    return list({id(claim): claim for claim in found}.values())


def all_experiments(claim: Claim) -> list[Experiment]:
    """The experiments of a claim's checks and twins, with repetitions, not merged by name."""
    checks = [*claim.checks, *(check for check, _ in claim.twin_checks().values())]
    return [check.experiment for check in checks]


def find_experiment(path: Path, name: str) -> Experiment:
    """Load a claim file and return its experiment called ``name``.

    Raises
    ------
    ClaimError
        If the file has none of that name.
    """
    module = load_file(path)
    for value in _values(module):
        if isinstance(value, Experiment) and value.name == name:
            return value
    for claim in claims_in(module):
        for experiment in all_experiments(claim):
            if experiment.name == name:
                return experiment
    raise ClaimError(f"experiment must be declared in {path.name}, got {name!r}, which is not")


def holds(path: Path, experiment: Experiment) -> bool:
    """Whether the experiment can be found again in that file."""
    try:
        return find_experiment(path, experiment.name) is experiment
    except ClaimError:
        return False


def _values(module: ModuleType) -> Iterator[Any]:
    for value in list(vars(module).values()):
        if isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value
