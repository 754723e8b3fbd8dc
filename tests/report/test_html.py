"""The page: well formed, self-contained, complete, and safe."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from whp.report import BrokenFile, RunInfo, render_html

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Balance(HTMLParser):
    """Collects tags, ids and links, and complains of a tag that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.attributes = [], set(), [], [], set()
        self.text = []
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        attributes = dict(attrs)
        self.attributes |= set(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"closed but never opened: {tag}"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(records):
    run = RunInfo(
        "whp run hu2020", "standard", 7, 0.01, 0.01, "2025-11-22", 312.0, 1200, 34, False, {"os": "x"}
    )
    papers = {"hu2020": {"title": "Early-Time Learning", "authors": ["A. B.", "C. <D.>"], "year": 2020}}
    return render_html(records, run, papers, [BrokenFile("v/x.py", "no module 'foo' <b>", 12)])


def test_the_check_itself_fails_on_a_broken_page():
    with pytest.raises(AssertionError, match="left open"):
        Balance("<div><p>x</p>")
    with pytest.raises(AssertionError):
        Balance("<p><b>x</p></b>")


def test_well_formed_with_unique_ids_and_live_links(page):
    found = Balance(page)
    assert len(set(found.ids)) == len(found.ids)
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)


def test_self_contained(page):
    bare = re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)
    bare = bare.replace("https://evil.example", "")  # an escaped assumption, shown as text
    assert not re.search(r"https?://|//[a-z]+\.|url\((?!#)|@import", bare)
    assert not Balance(page).tags & {"script", "link", "img", "iframe", "object", "base", "form"}


def test_everything_from_users_is_escaped(page):
    assert not [name for name in Balance(page).attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(&#39;t&#39;)&lt;/script&gt;" in page
    assert "&lt;iframe" in page
    assert "javascript:" not in page


def test_every_claim_has_its_section_formula_and_verdict(page, records):
    for record in records:
        section = page.split(f'id="{record["id"]}"')[1].split("</section>")[0]
        assert record["verdict"] in section
        assert record["command"] in section
        if record["id"] != "hu2020.hostile":
            assert '<math display="block">' in section
        for name in record["twins"]:
            assert name in section or "&lt;" in section
    assert page.count("<details>") >= len(records)


def test_errors_and_failures_come_first(page):
    top = page.split("<main>")[0]
    assert "v/x.py:12" in top
    assert "no module &#39;foo&#39; &lt;b&gt;" in top
    assert "<strong>3 FAIL:</strong>" in top
    assert "A false twin passed" in top
    assert page.index('id="errata"') < page.index('id="claims"')


def test_numbers_are_given_in_words(page):
    section = page.split('id="hu2020.prop_d_4"')[1].split("</section>")[0]
    text = re.sub(r"\s+", " ", "".join(Balance(page).text))
    assert "Growth exponent of Y/r: 0.4 [0.3, 0.5] at alpha = 0.2, the cell that decides" in text
    assert "0.04 in the growth exponent of Y/r, with probability 0.9" in text
    assert "skewed &lt;i&gt;" in section
    assert "3 trials ended in timeout" in text
    assert "in 40 cells" in text
    assert "in 1 cell (" in text


def test_sizes(page, records, run_info):
    assert len(page) < 1_000_000
    big = next(r for r in records if len(r["cells"]) == 40)
    many = [{**big, "id": f"hu2020.c{i}"} for i in range(16)]
    assert len(render_html(many, run_info)) < 3_000_000


def test_an_interrupted_run_says_so(records, run_info):
    assert "Interrupted." not in render_html(records[:1], run_info)
    assert "Interrupted." in render_html(records[:1], dataclasses.replace(run_info, interrupted=True))


def test_nothing_measured(run_info):
    page = render_html([], run_info)
    Balance(page)
    assert "Nothing was measured." in page


def test_same_input_same_bytes(records, run_info):
    assert render_html(records[:3], run_info) == render_html(records[:3], run_info)


def test_every_verdict_says_whether_its_rates_are_exact(page):
    text = re.sub(r"\s+", " ", "".join(Balance(page).text))
    assert "What the error rates rest on" in page
    assert "1 exact, " in text
    assert "nominal 0.001 (asymptotic: Gaussian theory; measured rates: docs/statistics.md)" in text
    exact = page.split('id="hu2020.prop_d_3"')[1].split("</section>")[0]
    assert "at most 0.001 (exact)" in exact
    assert "nominal" not in exact


def test_older_records_render_and_claim_nothing(older, run_info):
    page = render_html(older, run_info)
    Balance(page)
    assert "What the error rates rest on" not in page
    assert "asymptotic:" not in page
    assert "whether exactly so was not recorded" in page
