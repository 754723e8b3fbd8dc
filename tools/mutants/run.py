"""Apply deliberately wrong changes to a copy of the tree, one at a time, and see which tests notice.

    python tools/mutants/run.py              # all of mutants.toml; writes reports/calibration/mutants.*
    python tools/mutants/run.py zeta norm    # those whose names contain one of the words; writes nothing

The working tree is never changed. Exits with 1 if a mutant survives for which there is no excuse.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.toml")
OUT = ROOT / "reports" / "calibration"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", ".whp", ".*_cache", ".hypothesis", "__pycache__", "run-*", "build", "dist"
)
TIMEOUT = 1800.0  # seconds; a mutant that makes a test hang has been noticed
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.M)


@dataclass(frozen=True)
class Mutant:
    """One change: ``old``, which occurs exactly once in ``file`` (below src/whp/), becomes ``new``."""

    name: str
    why: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    excuse: str = ""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant."""

    name: str
    why: str
    file: str
    killed: bool
    by: str
    seconds: float
    excuse: str


class StaleMutantError(Exception):
    """The text that a mutant changes is not there, or is there twice."""


def load(path: Path = LIST) -> list[Mutant]:
    """Read the list."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    mutants = [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]
    names = [mutant.name for mutant in mutants]
    if len(set(names)) < len(names):
        raise StaleMutantError("names must be distinct")
    return mutants


def mutated(mutant: Mutant, source: str) -> str:
    """The text of its file with the change.

    Raises
    ------
    StaleMutantError
        If the old text does not occur exactly once, or the new one is no Python.
    """
    count = source.count(mutant.old)
    if count != 1:
        raise StaleMutantError(f"{mutant.name}: old text must occur once in {mutant.file}, got {count} times")
    changed = source.replace(mutant.old, mutant.new)
    compile(changed, mutant.file, "exec")
    return changed


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[bool, str]:
    """Run tests of a tree until one fails; whether all passed, and the one that did not.

    Raises
    ------
    RuntimeError
        If pytest could not run them.
    """
    words = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark", *tests]
    environment = {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no end within {TIMEOUT:g} s"
    if done.returncode == 0:
        return True, ""
    found = FAILED.search(done.stdout)
    if done.returncode not in (1, 2) or found is None:
        raise RuntimeError(f"pytest {' '.join(tests)} exited with {done.returncode}: {done.stdout[-2000:]}")
    return False, found.group(1)


def fate(mutant: Mutant, tree: Path) -> Fate:
    """Change the tree, run the mutant's tests, and change it back."""
    file = tree / "src" / "whp" / mutant.file
    source = file.read_text(encoding="utf-8")
    start = time.monotonic()
    file.write_text(mutated(mutant, source), encoding="utf-8")
    try:
        passed, by = run_tests(tree, mutant.tests)
    finally:
        file.write_text(source, encoding="utf-8")
    return Fate(mutant.name, mutant.why, mutant.file, not passed, by, time.monotonic() - start, mutant.excuse)


def fates(
    mutants: Sequence[Mutant], root: Path, jobs: int, tell: Callable[[Fate], None] = lambda fate: None
) -> list[Fate]:
    """The fates of all, each worker with a copy of the tree of its own.

    Raises
    ------
    StaleMutantError
        If a mutant does not fit the tree.
    RuntimeError
        If the tests fail without any mutant: then they could not tell one.
    """
    for mutant in mutants:
        mutated(mutant, (root / "src" / "whp" / mutant.file).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            tree = Path(folder) / str(number)
            shutil.copytree(root, tree, ignore=NOT_COPIED)
            trees.put(tree)

        def sound(test: str) -> None:
            tree = trees.get()
            try:
                passed, by = run_tests(tree, [test])
            finally:
                trees.put(tree)
            if not passed:
                raise RuntimeError(f"tests must pass without a mutant, got a failure of {by}")

        def made(mutant: Mutant) -> Fate:
            tree = trees.get()
            try:
                found = fate(mutant, tree)
            finally:
                trees.put(tree)
            tell(found)
            return found

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(sound, dict.fromkeys(test for mutant in mutants for test in mutant.tests)))
            return list(pool.map(made, mutants))


def record(found: Sequence[Fate], command: str, seconds: float) -> dict[str, object]:
    """What is written as JSON."""
    return {
        "command": command,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "seconds": seconds,
        "mutants": len(found),
        "killed": sum(one.killed for one in found),
        "survived": [one.name for one in found if not one.killed],
        "fates": [asdict(one) for one in found],
    }


def page(found: Sequence[Fate], command: str, seconds: float) -> str:
    """What is written as Markdown."""
    survivors = [one for one in found if not one.killed]
    lines = [
        "# Mutants of the library",
        "",
        "Each is one deliberate mistake in a copy of `src/whp/`; the tests named are the first to fail.",
        "",
        f"- {sum(one.killed for one in found)} of {len(found)} killed; survivors: {len(survivors)}",
        f"- Command: `{command}`, {seconds / 60:.1f} min; Python {platform.python_version()}",
        "",
    ]
    if survivors:
        lines += ["## Survivors", ""]
        lines += [f"- {one.name} (`{one.file}`): {one.excuse or '**no excuse**'}" for one in survivors]
        lines += [""]
    lines += ["| Mutant | What is wrong | File | Killed by | s |", "|---|---|---|---|---|"]
    for one in found:
        by = f"`{one.by}`" if one.killed else "**survived**"
        cells = (one.name, one.why, f"`{one.file}`", by, f"{one.seconds:.0f}")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", help="only mutants whose names contain one of these")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    chosen = [m for m in load() if not options.words or any(word in m.name for word in options.words)]
    start = time.monotonic()

    def tell(one: Fate) -> None:
        print(
            f"{'killed  ' if one.killed else 'SURVIVED'} {one.name} ({one.seconds:.0f} s) {one.by}",
            flush=True,
        )

    found = fates(chosen, ROOT, options.jobs, tell)
    seconds = time.monotonic() - start
    if not options.words:
        OUT.mkdir(parents=True, exist_ok=True)
        made = record(found, "make mutants", seconds)
        (OUT / "mutants.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        (OUT / "mutants.md").write_text(page(found, "make mutants", seconds), encoding="utf-8")
    print(f"{sum(one.killed for one in found)} of {len(found)} killed")
    return 1 if any(not one.killed and not one.excuse for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
