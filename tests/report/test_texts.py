"""Markdown and JUnit."""

from xml.etree.ElementTree import fromstring

import pytest

from whp.report import BrokenFile, findings, overview, render_junit, render_markdown

BROKEN = [BrokenFile("v/x.py", "no module 'foo' <b>\x07", 12)]


def rows(text, first):
    """The cells of the rows of the table whose head begins so, bars escaped within a cell apart."""
    lines = text[text.index(first) :].split("\n\n")[0].strip().splitlines()
    return [line.replace(r"\|", "").strip("|").split("|") for line in lines]


def test_summary_has_a_row_for_each_claim(records, run_info):
    text = render_markdown(records, run_info, BROKEN)
    table = rows(text, "| Claim |")
    assert len(table) == len(records) + 2
    assert {len(row) for row in table} == {9}
    for record in records:
        assert any(f"`{record['id']}`" in row[0] and record["verdict"] in row[4] for row in table)


def test_summary_says_how_it_was_made(records, run_info):
    text = render_markdown(records, run_info, BROKEN)
    assert text.startswith("# Verdicts on hu2020\n")
    for fact in (
        "`whp run hu2020 --profile standard --seed 7`",
        "seed 7",
        "1,200 measured",
        "python 3.11.9",
        "2025-11-22",
        "`v/x.py:12`",
        "## Errata",
    ):
        assert fact in text
    assert "<script" not in text
    assert "<b>" not in text


def test_formulas_survive_a_table(records):
    text = overview(records)
    assert {len(row) for row in rows(text, "| Claim |")} == {6}
    assert r"$\left\Vert \Theta_1 - \Theta^{\mathrm{lin1}}\right\Vert \lesssim" in text


def test_findings_are_counts_errata_and_what_did_not_pass(records):
    text = findings(records)
    assert text.startswith(f"{sum(r['verdict'] == 'PASS' for r in records)} PASS, ")
    assert ("As printed, and corrected" in text) == any(r["corrects"] for r in records)
    for record in records:
        bullets = [
            line for line in text.splitlines() if line.startswith("- ") and f"`{record['id']}`" in line
        ]
        assert bool(bullets) == (record["verdict"] != "PASS" or bool(record["corrects"]))


def test_findings_of_nothing_but_passes_are_one_line(records):
    passed = [r for r in records if r["verdict"] == "PASS" and not r["corrects"]]
    assert len(findings(passed).strip().splitlines()) == 1


def test_nothing_measured(run_info):
    assert "Nothing was measured." in render_markdown([], run_info)


@pytest.fixture
def suite(records, run_info):
    return fromstring(render_junit(records, run_info, BROKEN).encode()).find("testsuite")


def test_junit_counts_are_those_of_its_cases(suite, records):
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.get("tests")) == len(records) + 1
    for tag, count in (("failure", "failures"), ("skipped", "skipped"), ("error", "errors")):
        assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(count))
    assert all(float(case.get("time")) >= 0 and case.get("classname") for case in cases)


def test_junit_outcomes(suite, records):
    by_name = {case.get("name"): case for case in suite.findall("testcase")}
    wanted = {"FAIL": "failure", "INCONCLUSIVE": "skipped", "PASS": None}
    for record in records:
        case = by_name[record["id"]]
        marks = [child.tag for child in case if child.tag != "system-out"]
        assert marks == ([wanted[record["verdict"]]] if wanted[record["verdict"]] else [])
        assert all(child.get("message") for child in case if child.tag != "system-out")
    assert by_name["v/x.py:12"].find("error").get("message") == "no module 'foo' <b>"


def test_junit_elements_are_in_the_order_of_the_common_schema(suite):
    assert suite[0].tag == "properties"
    assert {child.tag for child in suite[1:]} == {"testcase"}
    for case in suite.findall("testcase"):
        tags = [child.tag for child in case]
        assert tags == sorted(tags, key=["skipped", "error", "failure", "system-out"].index)


def test_a_test_report_says_whether_the_rates_are_exact(suite, records):
    by_name = {case.get("name"): case.find("system-out").text for case in suite.findall("testcase")[:-1]}
    assert "at most 0.001 (exact)" in by_name["hu2020.prop_d_3"]
    assert "nominal 0.001 (asymptotic" in by_name["hu2020.prop_3_4"]


def test_the_summary_says_whether_the_rates_are_exact(records, older, run_info):
    text = render_markdown(records, run_info)
    assert "✓ PASS<br>exact |" in text
    assert "✗ **FAIL**<br>asymptotic |" in text
    assert "- What the error rates rest on: 1 exact" in text
    earlier = render_markdown(older, run_info)
    assert "✓ PASS |" in earlier
    assert "rest on" not in earlier
