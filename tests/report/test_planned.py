"""What was planned beside what was made."""

import re

from whp.report import comparison, render_html, render_markdown
from whp.report.planned import COLUMNS


def test_a_row_for_each_claim_that_was_planned_and_made(records, planned):
    rows = comparison(planned, records)
    assert rows == [
        ("hu2020.eq_7", "FAIL", "40", "40", "–", "8", "not timed", "12 s", "0.56 sd", "0.04"),
        (
            "hu2020.prop_d_4",
            "FAIL",
            "80 to 400 (30 known)",
            "80",
            "14",
            "8",
            "3 s to 15 s",
            "12 s",
            "0.05",
            "0.04",
        ),
    ]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert comparison(planned, []) == comparison([], records) == []


def test_both_reports_show_it_where_there_is_a_plan(records, planned, run_info):
    page = render_html(records, run_info, planned=planned)
    section = page.split('id="planned"')[1].split("</section>")[0]
    assert re.search(r">80 to 400 \(30 known\)</td>.*>3 s to 15 s</td>", section)
    assert 'id="planned"' not in render_html(records, run_info)
    text = render_markdown(records, run_info, planned=planned)
    assert "| `hu2020.eq_7` | FAIL | 40 | 40 | – |" in text
    assert "Planned and made" not in render_markdown(records, run_info)
