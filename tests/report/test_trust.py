"""The pages of ``whp twins`` and ``whp repeat``."""

from __future__ import annotations

import json

import pytest

from whp.claims import Outcome
from whp.engine.repeat import Once, Repeated
from whp.report.trust import rate_interval, repeat_markdown, repeat_record, show_rate, write_pages

FACTS = {"command": "whp repeat demo", "profile": "quick", "environment": {"whp": "1"}}
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def record(*rows, corrected=()):
    """Each row: the verdict on a.b and the outcome of its twin."""
    runs = [
        Once(seed, {"a.b": verdict}, {"a.b": {"half": twin}}, 7, 0, 1.0)
        for seed, (verdict, twin) in enumerate(rows, start=1)
    ]
    return repeat_record(Repeated(tuple(runs), frozenset(corrected)), 0.01, FACTS)


def test_intervals_are_clopper_and_pearson():
    # With no event in n the upper end p solves (1 - p)^n = 0.025; with all, the mirror image.
    assert rate_interval(0, 50).high == pytest.approx(1 - 0.025 ** (1 / 50))
    assert rate_interval(0, 50).low == 0
    assert rate_interval(50, 50).low == pytest.approx(0.025 ** (1 / 50))
    assert rate_interval(50, 50).high == 1
    assert (rate_interval(0, 0).low, rate_interval(0, 0).high) == (0, 1)


def test_a_series_without_errors():
    made = record((PASS, FAIL), (OPEN, FAIL))
    assert made["seeds"] == [1, 2]
    assert made["flipped"] == []
    assert made["false_fail"]["count"] == 0
    assert made["inconclusive"]["count"] == 1
    assert made["kill_rate"]["count"] == made["kill_rate"]["of"] == 2
    text = repeat_markdown(made)
    assert "flip between PASS and FAIL: none" in text
    assert "| `a.b` | true | 1 | 0 | 1 | no |" in text
    assert "| `a.b` | half | 2 | 0 | 0 | 15.8 to 100.0 % |" in text


def test_errors_are_shown():
    made = record((PASS, FAIL), (FAIL, PASS), (FAIL, OPEN))
    text = repeat_markdown(made)
    assert made["flipped"] == ["a.b"]
    assert made["false_fail"]["count"] == 2
    assert made["twins_passed"] == 1
    assert "flip between PASS and FAIL: `a.b`" in text
    assert "| `a.b` | true | 1 | 2 | 0 | **yes** |" in text
    assert "| `a.b` | half | 1 | 1 | 1 |" in text


def test_a_claim_with_a_corrected_sibling_is_taken_to_be_false():
    made = record((FAIL, FAIL), (PASS, FAIL), corrected=["a.b"])
    assert made["false_fail"]["count"] == 0
    assert made["false_pass"]["count"] == 1
    assert "false as printed" in repeat_markdown(made)


def test_pages_are_written(tmp_path):
    made = record((PASS, FAIL), (PASS, FAIL))
    page = write_pages(tmp_path, "aa", made, repeat_markdown(made))
    assert page.read_text().startswith("# The same claims 2 times")
    assert json.loads((tmp_path / "aa.json").read_text()) == json.loads(json.dumps(made))


def test_a_rate_in_words():
    rate = {"count": 1, "of": 4, "low": 0.1, "high": 0.5}
    assert show_rate(rate) == "1 of 4 (25.0 %, 95 % interval 10.0 to 50.0 %)"
    assert show_rate({**rate, "count": 0, "of": 0}) == "0 of 0 (95 % interval 10.0 to 50.0 %)"
