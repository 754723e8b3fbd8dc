"""Verdicts and reports to files: all of a file or nothing of it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whp.claims.verdict import Outcome, Regime, Verdict, verdict_record
from whp.errors import OutputError, UsageError, require
from whp.report import words
from whp.report.html import render_html
from whp.report.junit import render_junit
from whp.report.markdown import render_markdown
from whp.report.run import BrokenFile, Record, RunInfo

SCHEMA_FILE = Path(__file__).parent / "verdict.schema.json"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
PROBE = 1 << 20  # bytes: less room than this, and the report would not fit


@dataclass(frozen=True)
class ReportFiles:
    """Where a report lies."""

    folder: Path
    html: Path
    summary: Path
    junit: Path
    schema: Path
    verdicts: tuple[Path, ...]


def verdict_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a verdict file."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def check_writable(out: Path) -> None:
    """Make the folder and try to write in it, before anything is measured.

    Raises
    ------
    OutputError
        If it cannot be made, written to, or has no room for a report.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as probe:
            probe.write(bytes(PROBE))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise _output_error(out, error) from error


def write_report(
    out: Path,
    verdicts: Sequence[Verdict],
    *,
    run: RunInfo,
    papers: Mapping[str, Mapping[str, Any]] | None = None,
    broken: Sequence[BrokenFile] = (),
    planned: Sequence[Mapping[str, Any]] = (),
    workers: Executor | None = None,
) -> ReportFiles:
    """Write ``verdicts/<id>.json``, the schema, ``run.json`` and the reports to a folder.

    Parameters
    ----------
    out : Path
        The folder; it is made if need be. Files of the same name are replaced,
        each at once; others are left alone, and ``run.json`` lists the verdicts
        that are of this run.
    verdicts : sequence of Verdict
        In any order; they are written in the order of their ids.
    run : RunInfo
        Facts of the run.
    papers : mapping
        Paper key to its ``title``, ``authors``, ``year``, ``arxiv``, where known.
    broken : sequence of BrokenFile
        Claim files that could not be read.
    planned : sequence of mapping
        What was planned for each claim before the run, for comparison.
    workers : Executor, optional
        Processes that draw the figures; by default this one does.

    Raises
    ------
    OutputError
        If a file cannot be written; those before it are whole, and none is half-written.
    """
    records = [verdict_record(verdict) for verdict in verdicts]
    return write_records(
        out, records, run=run, papers=papers, broken=broken, planned=planned, workers=workers
    )


def write_records(
    out: Path,
    records: Sequence[Record],
    *,
    run: RunInfo,
    papers: Mapping[str, Mapping[str, Any]] | None = None,
    broken: Sequence[BrokenFile] = (),
    planned: Sequence[Mapping[str, Any]] = (),
    workers: Executor | None = None,
) -> ReportFiles:
    """As :func:`write_report`, from verdicts in their JSON form (``whp report``)."""
    records = sorted(records, key=lambda record: words.natural(record["id"]))
    for record in records:
        safe = bool(FILE_NAME.fullmatch(record["id"]))
        require(safe, "claim id", "made of letters, digits and ._-", record["id"], UsageError)
    files = ReportFiles(
        folder=out,
        html=out / "report.html",
        summary=out / "summary.md",
        junit=out / "junit.xml",
        schema=out / "verdict.schema.json",
        verdicts=tuple(out / "verdicts" / f"{record['id']}.json" for record in records),
    )
    texts = {path: _json(record) for path, record in zip(files.verdicts, records, strict=True)}
    texts[files.schema] = SCHEMA_FILE.read_text(encoding="utf-8")
    texts[out / "run.json"] = _json(
        {
            "run": run.record(),
            "claims": [record["id"] for record in records],
            "papers": papers or {},
            "broken": [vars(file) for file in broken],
            "planned": list(planned),
        }
    )
    write_all(texts)  # the verdicts first: should a figure fail, they are safe
    write_all(
        {
            files.html: render_html(records, run, papers, broken, planned, workers=workers),
            files.summary: render_markdown(records, run, broken, planned),
            files.junit: render_junit(records, run, broken),
        }
    )
    return files


def load_verdict_records(folder: Path) -> list[dict[str, Any]]:
    """Read the verdict files of a report folder, or of its ``verdicts`` folder, in the order of their ids.

    Where ``run.json`` lists the claims of the run, others, which an earlier run
    has left in the folder, are not read; see :func:`leftovers`.

    Raises
    ------
    UsageError
        If there is none, one is missing, or one is no verdict of this schema.
    """
    listed, paths = _listed(folder), _verdict_files(folder)
    require(bool(paths), "report folder", "one that holds verdicts/*.json", str(folder), UsageError)
    if listed is not None:
        there = {path.stem for path in paths}
        missing = [name for name in listed if name not in there]
        rule = "complete with the verdicts that its run.json lists"
        require(not missing, f"{folder}", rule, f"no {', '.join(missing)}", UsageError)
        paths = [path for path in paths if path.stem in listed]
    schema = verdict_schema()
    records = []
    for path in paths:
        record = _read(path)
        is_object = isinstance(record, dict) and "id" in record
        require(is_object, f"{path}", "a verdict file", type(record).__name__, UsageError)
        require(record.get("schema") == 1, f"{path}: schema", "1", record.get("schema"), UsageError)
        _check_form(record, schema, path)
        for cell in record["cells"]:
            _check_form(cell, schema["$defs"]["cell"], path)
        records.append(record)
    return sorted(records, key=lambda record: words.natural(record["id"]))


def leftovers(folder: Path) -> list[str]:
    """Return the ids of verdict files that are not of the folder's last run, which ``run.json`` lists."""
    listed = _listed(folder)
    return [] if listed is None else [p.stem for p in _verdict_files(folder) if p.stem not in listed]


def _verdict_files(folder: Path) -> list[Path]:
    inside = folder / "verdicts"
    return sorted((inside if inside.is_dir() else folder).glob("*.json"))


def _listed(folder: Path) -> list[str] | None:
    """The claims of the last run; None where nothing says so."""
    path = folder / "run.json"
    kept = _read(path) if path.exists() else None
    listed = kept.get("claims") if isinstance(kept, dict) else None
    return [str(name) for name in listed] if isinstance(listed, list) else None


def _check_form(record: Mapping[str, Any], schema: Mapping[str, Any], path: Path) -> None:
    """Require the fields of the schema, and a known verdict and regime: what the reports rely on."""
    missing = [key for key in schema["required"] if key not in record]
    require(not missing, f"{path}", "complete", f"no {', '.join(missing)}", UsageError)
    for key, known in (("verdict", Outcome), ("regime", Regime)):
        if key in schema["required"]:
            names = [member.value for member in known]
            require(
                record[key] in names, f"{path}: {key}", f"one of {', '.join(names)}", record[key], UsageError
            )


@dataclass(frozen=True)
class RunContext:
    """What ``run.json`` keeps beside the verdicts."""

    run: RunInfo
    papers: Mapping[str, Mapping[str, Any]]
    broken: tuple[BrokenFile, ...]
    planned: tuple[Mapping[str, Any], ...] = ()


def load_run(folder: Path, records: Sequence[Record], command: str) -> RunContext:
    """Read ``run.json``, or make do with what the verdicts tell.

    Parameters
    ----------
    folder : Path
        The report folder.
    records : sequence of mapping
        Its verdicts.
    command : str
        Shown as the command where there is no ``run.json``.

    Raises
    ------
    UsageError
        If there is a ``run.json`` that cannot be read.
    """
    path = folder / "run.json"
    if not path.exists():
        return RunContext(RunInfo.from_verdicts(records, command), {}, ())
    kept = _read(path)
    whole = isinstance(kept, dict) and {"run", "papers", "broken"} <= set(kept)
    require(whole, f"{path}", "the facts of a run", type(kept).__name__, UsageError)
    broken = tuple(BrokenFile(**file) for file in kept["broken"])
    return RunContext(
        RunInfo.from_record(kept["run"]), kept["papers"], broken, tuple(kept.get("planned", ()))
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} must be readable JSON, got {type(error).__name__}: {error}") from error


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def write_all(texts: Mapping[Path, str]) -> None:
    """Write each text beside its place and move it there: a reader sees the old file or the new one."""
    for path, text in texts.items():
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException as error:  # Ctrl-C too must leave no half file
            with suppress(OSError):
                temporary.unlink()
            if isinstance(error, OSError):
                raise _output_error(path, error) from error
            raise


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(f"output place must be writable, got {path}: {error.strerror or error}")
