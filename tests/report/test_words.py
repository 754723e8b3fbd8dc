"""Numbers and sentences."""

import pytest

from whp.report import words
from whp.report.figures import choose_cells


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (None, "–"),
        ("inf", "∞"),
        ("-inf", "−∞"),
        (0.0, "0"),
        (-0.0123456, "−0.0123"),
        (12345.0, "12345"),
        (3.0, "3"),
        (1.23456e-7, "1.23 × 10⁻⁷"),
        (1e-16, "1 × 10⁻¹⁶"),
        (2.5e12, "2.5 × 10¹²"),
        (0.9999, "1"),
    ],
)
def test_show(x, text):
    assert words.show(x) == text


def test_intervals_and_durations():
    assert words.show_interval({"low": "-inf", "high": 0.5}) == "[−∞, 0.5]"
    assert words.show_interval({"low": None, "high": None}) == "–"
    assert [words.show_seconds(s) for s in (0.5, 42, 300, 9000, None)] == [
        "0.5 s",
        "42 s",
        "5 min",
        "2.5 h",
        "–",
    ]


def test_natural_order():
    assert sorted(["p.prop_3_10", "p.prop_3_4", "p.a"], key=words.natural) == [
        "p.a",
        "p.prop_3_4",
        "p.prop_3_10",
    ]


def test_binding_cell_is_the_one_whose_numbers_the_claim_shows(records):
    by_id = {record["id"]: record for record in records}
    failed = by_id["hu2020.prop_d_4"]
    assert words.binding(failed)["cell"] == {"alpha": 0.2}
    assert words.binding(by_id["hu2020.lemma_none"]) is None


def test_sentences_name_the_quantity(records):
    said = {record["id"]: words.verdict_sentence(record) for record in records}
    assert said["hu2020.prop_d_4"].startswith("FAIL: growth exponent of Y/r 0.4 [0.3, 0.5]; to pass:")
    assert said["hu2020.prop_d_3"].startswith("PASS: failure probability 0 [0, 0.008]")
    assert said["hu2020.claim_c_1"].startswith("PASS: largest violation 1 × 10⁻¹⁶;")
    assert said["hu2020.lemma_none"] == "INCONCLUSIVE: nothing was measured. Nothing was measured."


def test_a_passing_twin_is_never_counted_as_refuted():
    assert words.twins_summary({"a": "FAIL", "b": "PASS"}) == "1/2 (1 PASSED)"
    assert words.twins_summary({"a": "FAIL", "b": "INCONCLUSIVE"}) == "1/2"


def test_errata_need_both_of_a_pair(records):
    assert [(a["id"], b["id"]) for a, b in words.errata(records)] == [
        ("hu2020.prop_d_4", "hu2020.prop_d_4_corrected")
    ]
    assert words.errata([r for r in records if r["printed"]]) == []


def test_panels_show_the_binding_cell_first_and_no_more_than_asked(records):
    by_id = {record["id"]: record for record in records}
    chosen = choose_cells(by_id["hu2020.prop_d_4"])
    assert [c["verdict"] for c in chosen] == ["FAIL", "PASS"]
    many = choose_cells(by_id["hu2020.prop_3_4"])
    assert len(many) == 6
    assert len({c["cell"]["alpha"] for c in many}) == 6
    assert choose_cells(by_id["hu2020.lemma_none"]) == []


def test_a_nominal_rate_is_not_called_exact(records, older):
    by_id = {record["id"]: record for record in records}
    said = {key: words.error_rates(record) for key, record in by_id.items()}
    assert said["hu2020.prop_d_3"] == (
        "FAIL though true: at most 0.001; PASS though off by the stated discrepancy: at most 0.001 (exact)"
    )
    nominal = said["hu2020.prop_3_4"]
    assert nominal.startswith("FAIL though true: nominal 0.001; PASS though")
    assert nominal.endswith("nominal 0.001 (asymptotic: Gaussian theory; measured rates: docs/statistics.md)")
    assert "at most" not in nominal
    assert "no error rate" in said["hu2020.claim_c_1"]
    assert said["hu2020.lemma_none"] == "none: no rule was applied"
    earlier = {record["id"]: words.error_rates(record) for record in older}
    assert earlier["hu2020.prop_3_4"].endswith("(whether exactly so was not recorded)")
    assert earlier["hu2020.claim_c_1"] == said["hu2020.claim_c_1"]


def test_the_weakest_cell_that_decided_anything_labels_the_claim(records):
    by_id = {record["id"]: record for record in records}
    bound, rate = by_id["hu2020.prop_d_3"], by_id["hu2020.prop_3_4"]
    both = {**bound, "cells": [*bound["cells"], rate["cells"][0]]}
    assert words.guarantee_name(bound) == "exact"
    assert words.guarantee_name(both) == "asymptotic"
    assert "(asymptotic: Gaussian theory, but exact for the test bound;" in words.error_rates(both)
    # A cell without a number takes nothing away from the others.
    assert words.guarantee_name(by_id["hu2020.thm_wide"]) == "asymptotic"
    alone = {**bound, "cells": [by_id["hu2020.thm_wide"]["cells"][1]]}
    assert words.guarantee_name(alone) == "no rule applied"


def test_the_header_counts_what_rates_rest_on(records, older):
    assert words.guarantees(records[:8]) == (
        "1 exact, 6 asymptotic (nominal by Gaussian theory; measured rates: docs/statistics.md),"
        " 1 by search (a FAIL is certain, a PASS has no error rate)"
    )
    assert words.guarantees(older) == ""
    assert words.guarantees([*older[:2], *records[4:5]]) == (
        "1 exact, 2 from an older record, which does not say"
    )
