"""The committed reference runs are valid, complete, and what the README shows."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from whp.engine.discovery import discover
from whp.report import verdict_schema

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "reports" / "reference"
FILES = sorted(REFERENCE.glob("*/verdicts/*.json"))
RECORDS = {f"{file.parents[1].name}/{file.stem}": json.loads(file.read_text()) for file in FILES}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_reference_verdict_follows_the_schema(record):
    jsonschema.validate(record, verdict_schema())


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_no_false_twin_passes(record):
    assert "PASS" not in record["twins"].values()


def test_every_claim_has_a_reference_verdict():
    claims = discover(None).claims
    standard = {f"{claim.paper}/{claim.id}" for claim in claims}
    assert standard == {key for key in RECORDS if key.partition("/")[0] in {claim.paper for claim in claims}}
    assert "fig_5/hu2020.fig_5" in RECORDS


def test_figure_5_is_at_the_printed_size_with_the_printed_exponents():
    record = RECORDS["fig_5/hu2020.fig_5"]
    assert record["profile"] == "paper"
    assert record["verdict"] == "PASS"
    slopes = {cell["test"]: cell["estimate"] for cell in record["cells"]}
    assert abs(slopes["spectral"] + 1.263) < 0.03
    assert abs(slopes["frobenius"] + 0.718) < 0.04
    sizes = record["cells"][0]["figure"]["points"]
    assert {(p["n"], p["m"]) for p in sizes} == {(10_000, 20_000)}


def load_tool(name="update_readme"):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_shows_the_reference_run():
    readme, figure = load_tool().generated()
    assert readme == (ROOT / "README.md").read_text(encoding="utf-8"), "run `make readme`"
    assert figure == load_tool().FIGURE.read_text(encoding="utf-8"), "run `make readme`"


def test_summary_and_figures_show_the_reference_run():
    made = load_tool("update_summary").generated()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, "run `make readme`"
    assert set((REFERENCE / "figures").glob("*/*.svg")) == {path for path in made if path.suffix == ".svg"}


def test_readme_lists_the_exit_codes_of_the_program():
    from whp.options import Exit

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for code in Exit:
        assert f"| {int(code)} | " in text
