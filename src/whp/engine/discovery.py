"""Find claims: in the shipped catalogue, or in a user's own files and folders."""

from __future__ import annotations

import difflib
import fnmatch
import os
import tomllib
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import whp
from whp.claims.claim import Claim, check_id
from whp.claims.experiment import Experiment
from whp.engine.loading import all_experiments, claims_in, load_file
from whp.engine.needs import check_needs
from whp.errors import ClaimError, UsageError, WhpError, fail, require

NO_CLAIM_FILES = ("conftest.py", "setup.py", "test_*.py", "*_test.py")


@dataclass(frozen=True)
class Paper:
    """What ``paper.toml`` says of the paper whose claims a folder holds."""

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    folder: Path


@dataclass(frozen=True)
class BrokenFile:
    """A file that could not be used, and why, in one sentence; ``line`` is 0 where no line is to blame."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}{f', line {self.line}' if self.line else ''}: {self.message}"


@dataclass(frozen=True)
class Discovery:
    """Everything that was found: claims in order of paper, file and declaration."""

    claims: list[Claim] = field(default_factory=list)
    broken: list[BrokenFile] = field(default_factory=list)
    papers: dict[str, Paper] = field(default_factory=dict)


def validation_root() -> Path:
    """The shipped catalogue: inside the installed package, else beside ``src`` in a checkout.

    Raises
    ------
    UsageError
        If there is neither.
    """
    package = Path(whp.__file__).resolve().parent
    places = (package / "validation", package.parents[1] / "validation")
    root = next((folder for folder in places if folder.is_dir()), None)
    if root is None:
        fail("validation folder", "shipped in the package or beside src/", str(package), UsageError)
    return root


def discover(paths: Iterable[Path | str] | None = None) -> Discovery:
    """Import claim files and collect their claims.

    Parameters
    ----------
    paths : iterable of paths, optional
        Claim files; folders of claim files; folders of such folders (those
        with a ``paper.toml``). By default the shipped catalogue.

    Returns
    -------
    Discovery
        A file that cannot be imported, declares nothing, or repeats an id is
        listed as broken, and the others are used.

    Raises
    ------
    UsageError
        If a path does not exist or holds no claim file.
    """
    found = Discovery()
    seen: dict[Path, None] = {}
    for path in [validation_root()] if paths is None else [Path(p) for p in paths]:
        require(path.exists(), "path", "an existing claim file or folder", str(path), UsageError)
        files = [path.resolve()] if path.is_file() else _files_below(path.resolve())
        require(bool(files), "path", "a claim file, or a folder with claim files", str(path), UsageError)
        seen.update(dict.fromkeys(files))
    ids: dict[str, Path] = {}
    experiments: dict[str, Experiment] = {}
    for folder in dict.fromkeys(file.parent for file in seen):
        _read_paper(folder, found)
        for file in (f for f in seen if f.parent == folder):
            _read_file(file, found, ids, experiments)
    return found


def _files_below(folder: Path) -> list[Path]:
    """The claim files of a folder and of the paper folders directly in it, sorted."""
    files = sorted(
        file
        for file in folder.glob("*.py")
        if not file.name.startswith("_") and not any(file.match(p) for p in NO_CLAIM_FILES)
    )
    for below in sorted(p.parent for p in folder.glob("*/paper.toml")):
        files += _files_below(below)
    return files


def _read_paper(folder: Path, found: Discovery) -> None:
    file = folder / "paper.toml"
    if not file.is_file():
        return
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        for name, type_ in {"key": str, "title": str, "authors": list, "year": int, "venue": str}.items():
            require(
                isinstance(data.get(name), type_),
                name,
                f"given ({type_.__name__})",
                data.get(name),
                ClaimError,
            )
        require(
            data["key"] == folder.name, "key", f"the folder's name ({folder.name})", data["key"], ClaimError
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, ClaimError) as error:
        found.broken.append(BrokenFile(file, 0, _sentence(error)))
        return
    found.papers[data["key"]] = Paper(
        data["key"], data["title"], tuple(map(str, data["authors"])), data["year"], data["venue"], folder
    )


def _read_file(
    file: Path, found: Discovery, ids: dict[str, Path], experiments: dict[str, Experiment]
) -> None:
    """Import one claim file and append its claims, or say what is wrong with it."""
    try:
        claims = [c for c in claims_in(load_file(file)) if c.source.resolve() == file]
        if not claims:
            raise ClaimError(
                "file must declare a claim at its top level (NAME = claim(...)),"
                " or start with an underscore if it only helps others, got no claim"
            )
        for claim in claims:
            check_id(claim, file.parent.name, file.stem)
            first = ids.get(claim.id)
            require(
                first is None, "id", f"declared once (first in {first and first.name})", claim.id, ClaimError
            )
            ids[claim.id] = file
        _check_experiments(claims, experiments)
    except (Exception, SystemExit) as error:
        found.broken.append(BrokenFile(file, _line(error, file), _sentence(error)))
        return
    found.claims.extend(claims)


def _check_experiments(claims: Iterable[Claim], known: dict[str, Experiment]) -> None:
    """Two experiments of one name would share their trials in the ledger; a data set must be a known one."""
    new: dict[str, Experiment] = {}
    for claim in claims:
        for experiment in all_experiments(claim):
            other = known.get(experiment.name) or new.setdefault(experiment.name, experiment)
            same = other is experiment
            rule = f"used for one experiment (first in {other.source.name}); give another name=..."
            require(same, f"{claim.id}: experiment name", rule, experiment.name, ClaimError)
            check_needs(experiment)
    known.update(new)


def _line(error: BaseException, file: Path) -> int:
    """The line of the claim file that is to blame: its last one in the traceback."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file) and frame.lineno]
    return lines[-1] if lines else 0


def _sentence(error: BaseException) -> str:
    """The error in one line; the type is said where the text alone would not tell."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    text = " ".join(text.split())
    return text if isinstance(error, WhpError) else f"{type(error).__name__}: {text}".rstrip(": ")


def is_path(word: str, discovery: Discovery | None = None) -> bool:
    """Whether a word of a selection means a file or folder rather than a paper, an id or a glob over ids."""
    if discovery is not None and word in {claim.paper for claim in discovery.claims}:
        return False
    return _explicit(word) or Path(word).is_dir()


def _explicit(word: str) -> bool:
    """Whether a word can mean nothing but a path."""
    return os.sep in word or word.endswith(".py") or word in (".", "..")


def select(discovery: Discovery, selection: Sequence[str]) -> list[Claim]:
    """Return the selected claims, in order of discovery; all of them for an empty selection.

    Parameters
    ----------
    discovery : Discovery
        What there is.
    selection : sequence of str
        Each a paper key (``hu2020``), an id (``hu2020.prop_3_4``), a glob over
        ids (``hu2020.prop_*``), or a path to a claim file or folder.

    Raises
    ------
    UsageError
        If a word selects nothing; close matches are named. A word that means a
        broken file selects nothing and raises nothing: the file is reported.
    """
    chosen: set[str] = set() if selection else {claim.id for claim in discovery.claims}
    for word in selection:
        matched = [
            claim.id for claim in discovery.claims if _matches(claim.id, claim.source, word, discovery)
        ]
        broken = any(
            _matches(f"{b.path.parent.name}.{b.path.stem}", b.path, word, discovery)
            or word.startswith(f"{b.path.parent.name}.{b.path.stem}_")
            for b in discovery.broken
        )
        if not matched and not broken:
            _unknown(discovery, word)
        chosen.update(matched)
    return [claim for claim in discovery.claims if claim.id in chosen]


def as_typed(discovery: Discovery, claims: Sequence[Claim], selection: Sequence[str]) -> list[Claim]:
    """Return selected claims paper by paper, in the order in which the words first name the papers."""
    papers: dict[str, None] = {}
    for word in selection:
        named = (claim for claim in claims if _matches(claim.id, claim.source, word, discovery))
        papers.update(dict.fromkeys(claim.paper for claim in named))
    order = {paper: index for index, paper in enumerate(papers)}
    return sorted(claims, key=lambda claim: order.get(claim.paper, 0))


def _matches(id_: str, source: Path, word: str, discovery: Discovery) -> bool:
    if is_path(word, discovery):
        path, source = Path(word).resolve(), source.resolve()
        return path == source or path in source.parents
    return word in (id_, id_.partition(".")[0]) or fnmatch.fnmatchcase(id_, word)


def _unknown(discovery: Discovery, word: str) -> None:
    if is_path(word, discovery):
        fail("path", "a claim file, or a folder with claim files", word, UsageError)
    known = sorted({name for claim in discovery.claims for name in (claim.id, claim.paper)})
    names = {claim.name: claim.id for claim in discovery.claims}
    close = difflib.get_close_matches(word, known, n=3) or [
        names[name] for name in difflib.get_close_matches(word.rpartition(".")[2], list(names), n=3)
    ]
    hint = f" (did you mean {' or '.join(close)}?)" if close else " (whp list shows them)"
    fail("selection", f"a paper, a claim id, a glob over ids or a path{hint}", word, UsageError)


def resolve(selection: Sequence[str]) -> tuple[Discovery, list[Claim]]:
    """Discover what a selection needs, and select from it.

    Words that are paths are discovered themselves. A paper, an id or a glob that
    begins with a paper's key needs that paper's folder of the shipped catalogue;
    any other word, and an empty selection, all of it. A paper of the catalogue goes
    before a folder of the same name.
    """
    root = validation_root()
    shipped = {file.parent.name: file.parent for file in sorted(root.glob("*/paper.toml"))}
    outside = [word for word in selection if word not in shipped and is_path(word)]
    keys = {word.partition(".")[0] for word in selection if word not in outside}
    needed = [folder for key, folder in shipped.items() if key in keys]
    if selection and keys <= set(shipped):
        found = discover([*needed, *outside])
        with suppress(UsageError):  # another paper may have what was meant
            return found, select(found, selection)
    found = discover([root, *outside])
    return found, select(found, selection)
