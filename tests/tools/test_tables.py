"""The table of accuracies is made from its numbers, and says what is missing or could not be computed."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "tools" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_committed_is_what_is_made(tool):
    record = json.loads(tool.NUMBERS.read_text())
    assert tool.page(record) == tool.PAGE.read_text(encoding="utf-8"), "run `make tables`"
    assert len(record["entries"]) == len(tool.COLUMNS) * len(tool.PRINTED["V"])


def test_an_accuracy_lies_in_its_interval(tool):
    for entry in json.loads(tool.NUMBERS.read_text())["entries"].values():
        assert entry["low"] < entry["correct"] / tool.IMAGES < entry["high"]


def test_what_is_missing_or_failed_is_said(tool):
    fault = "kernel matrix must be positive definite, got smallest eigenvalue -1"
    rounding = {name: [0.9, 0.8, 0.5] for name in tool.NETWORKS}
    text = tool.page(
        {"entries": {"V 8 3": {"fault": fault}}, "environment": {"whp": "0"}, "rounding": rounding}
    )
    assert fault in text
    assert "| 4 | 42.5 | – | – | 51.1 | – |" in text
