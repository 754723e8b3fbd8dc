"""A digest of everything that a trial's numbers depend on besides its key.

It covers, by static analysis of the imports:

- of the experiment's own file, the statements that its measurement reaches, so
  that a new bound, twin or title does not cost the trials already made;
- the files of the same folder that those import, and all laboratory modules of
  ``whp`` in use, whole and transitively;
- the limits of a trial, the versions of numpy, scipy, torch and numba, and the content of the data sets it
  needs.

Comments, layout and docstrings do not count. Court, engine and report do not
either: they decide about numbers, they do not make them.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

import whp
from whp.claims.experiment import Experiment
from whp.engine.needs import contents

LABORATORY = ("ensembles", "bounds", "linalg", "models", "kernels", "seeding", "devices", "memory")
LIBRARIES = ("numpy", "scipy", "torch", "numba")

_WHP = Path(whp.__file__).resolve().parent
_version = cache(version)  # what is imported stays as it is


def fingerprint(experiment: Experiment, home: Path) -> str:
    """Return the digest, 64 hexadecimal digits.

    Parameters
    ----------
    experiment : Experiment
        What is measured.
    home : Path
        The file that declares it.
    """
    home = home.resolve()
    body = _reached(_parse(_source(home)), _root(experiment, home))
    files: set[Path] = set()
    _collect(body, home, files)
    code = Path(experiment.measure.__code__.co_filename).resolve()  # e.g. the search of kind always
    if code != home and code.is_file():
        files.add(code)
    limits = f"{experiment.dtype} {experiment.time_limit!r} {experiment.memory_limit!r}"
    parts = [limits, *_libraries(), *contents(experiment), home.name]
    chunks = [*map(_framed, parts), *map(_dump, body)]
    for file in sorted(files - {home}, key=_label):
        chunks += [_framed(_label(file)), _dumps(_source(file))]
    return hashlib.sha256(b"".join(chunks)).hexdigest()


def module_digest(file: Path) -> str:
    """Return the digest of a module of ``whp`` and of all that it imports from there, transitively.

    For numbers that the court makes, too: every module counts, and the versions
    of numpy, scipy, torch and numba.
    """
    files = {file.resolve()}
    _collect(_parse(_source(file)), file.resolve(), files, lambda target: True)
    chunks = [*map(_framed, _libraries())]
    for path in sorted(files, key=_label):
        chunks += [_framed(_label(path)), _dumps(_source(path))]
    return hashlib.sha256(b"".join(chunks)).hexdigest()


def _framed(part: str) -> bytes:
    """A text with its length before it, so that where one ends counts too."""
    data = part.encode()
    return len(data).to_bytes(8, "little") + data


def sources(experiment: Experiment, home: Path) -> list[str]:
    """Labels of the other files that the digest covers, sorted; for people and tests."""
    files: set[Path] = set()
    _collect(_reached(_parse(_source(home)), _root(experiment, home)), home.resolve(), files)
    return sorted(_label(file) for file in files)


def _libraries() -> tuple[str, ...]:
    """The versions of what computes."""
    return tuple(f"{name} {_version(name)}" for name in LIBRARIES)


def _source(file: Path) -> bytes:
    """What is in a file now; read again where its time or its size has changed."""
    state = file.stat()
    return _read(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=512)
def _read(file: Path, time: int, size: int) -> bytes:
    return file.read_bytes()


@lru_cache(maxsize=1024)
def _label(file: Path) -> str:
    """A name that depends neither on where whp lies nor on whether its claim files lie in it (a wheel)."""
    code = file.is_relative_to(_WHP) and not file.is_relative_to(_WHP / "validation")
    return file.relative_to(_WHP).as_posix() if code else file.name


def _root(experiment: Experiment, home: Path) -> str | None:
    """The top-level name that the measurement starts from; None where that cannot be told."""
    code, name = experiment.measure.__code__, experiment.measure.__qualname__
    if Path(code.co_filename).resolve() != home.resolve() or "<locals>" in name:
        return None  # made by another file, or by a function whose arguments matter
    return name.split(".")[0]


@lru_cache(maxsize=512)
def _parse(source: bytes) -> list[ast.stmt]:
    """Parse and drop the docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree.body


# Experiments of a file share its statements, which `_parse` keeps: each is looked into once.
@lru_cache(maxsize=8192)
def _dump(statement: ast.stmt) -> bytes:
    return _framed(ast.dump(statement))


@lru_cache(maxsize=512)
def _dumps(source: bytes) -> bytes:
    """All of a file: most experiments rest on the same modules."""
    return b"".join(_dump(statement) for statement in _parse(source))


def _reached(body: list[ast.stmt], root: str | None) -> list[ast.stmt]:
    """The top-level statements that ``root`` uses, transitively, in order.

    Statements that bind no name (a call for its effect), that change an object
    (``os.environ["X"] = "1"``) and star imports are always in. The decorators
    of the root are out: they declare designs, which are in the key of a trial
    or do not matter to it.
    """
    binders: dict[str, list[int]] = {}
    always: list[int] = []
    for index, statement in enumerate(body):
        names = _bound(statement)
        if not names or "*" in names:
            always.append(index)
        for name in names:
            binders.setdefault(name, []).append(index)
    if root not in binders:
        return body
    reached: set[int] = set()
    waiting = [*always, *binders[root]]
    while waiting:
        index = waiting.pop()
        if index in reached:
            continue
        reached.add(index)
        statement = body[index]
        for name in _used(statement, decorators=index not in binders[root]):
            waiting.extend(binders.get(name, ()))
    kept = []
    for index in sorted(reached):
        statement = body[index]
        kept.append(_plain(statement) if index in binders[root] else statement)
    return kept


@lru_cache(maxsize=1024)
def _plain(statement: ast.stmt) -> ast.stmt:
    """A function without its decorators; anything else as it is."""
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return statement
    fields = {**dict(ast.iter_fields(statement)), "decorator_list": []}
    return ast.copy_location(type(statement)(**fields), statement)


@lru_cache(maxsize=8192)
def _bound(statement: ast.stmt) -> frozenset[str]:
    return frozenset(_binds(statement))


def _binds(statement: ast.stmt) -> Iterator[str]:
    """Names that a top-level statement binds; ``*`` where there is more to it than names."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            yield (node.asname or node.name.split(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.id
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            yield "*"


@lru_cache(maxsize=8192)
def _used(statement: ast.stmt, decorators: bool) -> frozenset[str]:
    """Names that a statement mentions."""
    skipped: set[int] = set()
    if not decorators and isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        skipped = {id(n) for d in statement.decorator_list for n in ast.walk(d)}
    nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name) and id(node) not in skipped)
    return frozenset(node.id for node in nodes)


def _collect(
    body: Iterable[ast.stmt], file: Path, files: set[Path], counts: Callable[[Path], bool] | None = None
) -> None:
    """Add the files that statements of ``file`` import, and theirs, where they count."""
    _add(_imported(body, file.parent), files, counts or _counts)


def _add(targets: Iterable[Path], files: set[Path], counts: Callable[[Path], bool]) -> None:
    for target in targets:
        if counts(target) and target not in files:
            files.add(target)
            _add(_imports(_source(target), target.parent), files, counts)


@lru_cache(maxsize=512)
def _imports(source: bytes, folder: Path) -> tuple[Path, ...]:
    """The files that a whole file in this folder imports."""
    return tuple(dict.fromkeys(_imported(_parse(source), folder)))


def _imported(body: Iterable[ast.stmt], folder: Path) -> Iterator[Path]:
    for statement in body:
        yield from _named(statement, folder)


@lru_cache(maxsize=8192)
def _named(statement: ast.stmt, folder: Path) -> tuple[Path, ...]:
    """The files that a statement imports."""
    return tuple(target for node in ast.walk(statement) for target in _targets(node, folder))


def _targets(node: ast.AST, folder: Path) -> Iterator[Path]:
    """The files of whp, or beside the importing file, that an import statement reads."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            parts = alias.name.split(".")
            if parts[0] == "whp":
                yield from _module_file(_WHP.joinpath(*parts[1:]))
    elif isinstance(node, ast.ImportFrom):
        parts = node.module.split(".") if node.module else []
        if node.level:
            base = folder.joinpath(*[".."] * (node.level - 1), *parts).resolve()
        elif parts and parts[0] == "whp":
            base = _WHP.joinpath(*parts[1:])
        else:
            return
        yield from _module_file(base)
        for alias in node.names:
            yield from _module_file(base / alias.name)


def _module_file(base: Path) -> Iterator[Path]:
    for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if file.is_file():
            yield file
            return


@lru_cache(maxsize=1024)
def _counts(file: Path) -> bool:
    """Laboratory modules and files outside whp (or in its shipped catalogue) count."""
    if not file.is_relative_to(_WHP):
        return True
    return file.relative_to(_WHP).parts[0].removesuffix(".py") in (*LABORATORY, "validation")
