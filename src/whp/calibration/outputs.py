"""The files of a calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whp.calibration.figure import render_figure
from whp.calibration.table import render_table
from whp.report.writer import write_all


@dataclass(frozen=True)
class CalibrationFiles:
    """Where the result of a calibration lies."""

    record: Path
    table: Path
    figure: Path


def write_calibration(out: Path, record: Mapping[str, Any]) -> CalibrationFiles:
    """Write ``calibration.json``, ``calibration.md`` and ``calibration.svg`` to a folder.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    files = CalibrationFiles(*(out / f"calibration.{suffix}" for suffix in ("json", "md", "svg")))
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_all({files.record: text})  # first: should a figure fail, the numbers are safe
    write_all({files.table: render_table(record), files.figure: render_figure(record)})
    return files
