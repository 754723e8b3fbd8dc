"""Find the works, measure them, and keep what was found: one JSON file a work."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import whp.benchmarks
from whp.benchmarks.harness import AtLeast, Context, Measurement, Work, use_threads
from whp.engine.environment import environment
from whp.errors import OutputError, UsageError, require
from whp.linalg.products import VARIABLE, choose_product

Record = dict[str, Any]


def works() -> dict[str, Work]:
    """Every work of every module of this package, by name, module by module in alphabetical order."""
    found: dict[str, Work] = {}
    for module in pkgutil.iter_modules(whp.benchmarks.__path__):
        loaded = importlib.import_module(f"whp.benchmarks.{module.name}")
        for work in getattr(loaded, "WORK", ()):
            require(work.name not in found, "name of a work", "used once", work.name)
            found[work.name] = work
    return found


def select(names: Sequence[str], device: str | None = "cpu") -> list[Work]:
    """Return the works that are named, or all that are for the device.

    Parameters
    ----------
    names : sequence of str
        Names or globs over names; empty: all.
    device : str or None
        ``cpu`` or ``cuda:K``; None: whichever.

    Raises
    ------
    UsageError
        If a name fits none, or fits works that are not for this device only.
    """
    known, kind = works(), device and device.partition(":")[0]
    usable = {name: work for name, work in known.items() if kind is None or kind in work.devices}
    if not names:
        require(bool(usable), "--device", "one that some work is for", device, UsageError)
        return list(usable.values())
    for pattern in names:
        if not any(fnmatchcase(name, pattern) for name in usable):
            other = any(fnmatchcase(name, pattern) for name in known)
            rule = f"one of {', '.join(usable)}" + (f" with --device {kind}" if other else "")
            require(False, "NAME", rule, pattern, UsageError)
    return [work for name, work in usable.items() if any(fnmatchcase(name, pattern) for pattern in names)]


def measure(work: Work, context: Context, command: str = "") -> Record:
    """Run a work and return its record, as it is kept in its file."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with use_threads(context.threads), best_product(context):
        found = work.run(context)
        system = environment(context.device)
    record: Record = {
        "name": work.name,
        "title": work.title,
        "bounded_by": work.bounded_by,
        "command": command,
        "wanted": wanted(work, found),
        "figures": dict(found.figures),
        "sizes": dict(found.sizes),
        "facts": dict(found.facts),
        "seconds": {side: list(times) for side, times in found.seconds.items()},
        "threads": context.threads,
        "rounds": context.rounds,
        "peer": None if context.peer is None else context.peer.versions,
        "load_before": load,
        "environment": system,
    }
    if context.small:
        record["small"] = True
    return record


@contextmanager
def best_product(context: Context) -> Iterator[None]:
    """Multiply by the library that is the fastest on this machine, as runs do, unless one is named."""
    if os.environ.get(VARIABLE) or context.small:
        yield
        return
    os.environ[VARIABLE] = choose_product(context.threads)
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def wanted(work: Work, found: Measurement) -> list[Record]:
    """What is wanted of each figure, and whether it is reached: None where it was not measured."""
    rows = []
    for name, rule in work.wanted.items():
        figure = found.figures.get(name)
        rows.append(
            {
                "figure": name,
                "at_least" if isinstance(rule, AtLeast) else "at_most": rule.value,
                "unit": rule.unit,
                "words": str(rule),
                "measured": figure,
                "met": None if figure is None else rule.met(figure),
                "of_the_machine": rule.of_the_machine,
            }
        )
    return rows


def shortfalls(record: Mapping[str, Any]) -> list[str]:
    """Say which numbers are missed, a sentence each."""
    return [
        f"{record['name']}: {row['figure']} must be {row['words']}, got {row['measured']:.3g}"
        for row in record["wanted"]
        if row["met"] is False
    ]


def unmeasured(record: Mapping[str, Any]) -> list[str]:
    """Say which numbers are wanted and were not measured."""
    reason = record["facts"].get("not measured") or (None if record["peer"] else "there is no --peer")
    return [
        f"{record['name']}: {row['figure']} was not measured{f' ({reason})' if reason else ''}"
        for row in record["wanted"]
        if row["met"] is None
    ]


def fails(record: Mapping[str, Any]) -> bool:
    """Whether a number is missed that does not depend on how fast the machine is."""
    return any(row["met"] is False and not row["of_the_machine"] for row in record["wanted"])


def write(folder: Path, record: Record) -> Path:
    """Keep a record in ``folder/NAME.json``, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    file = folder / f"{record['name']}.json"
    partial = file.with_suffix(".json.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise OutputError(f"{file} must be a file that can be written, got {error}") from None
    return file


def load(folder: Path) -> list[Record]:
    """Every record in a folder, by name of the work."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
