"""The overview has a row for every check, with the numbers of its worst cell."""

from whp.report.overview import COLUMNS, deciding, overview


def cell(test, verdict, high, estimate=0.1):
    return {
        "test": test,
        "cell": {"alpha": 0.1},
        "verdict": verdict,
        "estimate": estimate,
        "interval": {"low": -1.0, "high": high},
        "slack": 2.0,
        "figure": {},
    }


def record(*cells, formulas=("a", "b")):
    return {
        "id": "p.q",
        "locus": "Theorem 1",
        "title": "T",
        "printed": True,
        "regime": "form",
        "verdict": "PASS",
        "formulas": list(formulas),
        "cells": list(cells),
    }


def test_the_worst_cell_decides_and_among_equals_the_nearest():
    passing, near, failing = cell("x", "PASS", 0.1), cell("x", "PASS", 0.9), cell("x", "FAIL", 0.0)
    assert deciding([passing, near]) is near
    assert deciding([passing, near, failing]) is failing
    assert deciding([cell("x", "PASS", "inf"), near]) is near


def test_a_row_for_every_check():
    text = overview([record(cell("one", "PASS", 0.2), cell("two", "FAIL", 0.3, estimate=0.25))])
    rows = text.strip().splitlines()
    assert len(rows) == 2 + 2
    assert "$a$" in rows[2]
    assert "PASS" in rows[2]
    assert "$b$" in rows[3]
    assert "FAIL" in rows[3]
    assert "0.25" in rows[3]
    assert all(row.count(" | ") == len(COLUMNS) - 1 for row in (rows[0], *rows[2:]))


def test_a_claim_that_measured_nothing_has_a_row():
    assert "nothing" in overview([record()])
    # Formulas that fit no check are not guessed.
    assert "| T |" in overview([record(cell("one", "PASS", 0.2))])
