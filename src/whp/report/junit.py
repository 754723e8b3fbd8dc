"""The verdicts as JUnit XML, which continuous integration knows how to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from whp.claims.verdict import Outcome
from whp.report import words
from whp.report.run import BrokenFile, Record, RunInfo

ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(records: Sequence[Record], run: RunInfo, broken: Sequence[BrokenFile] = ()) -> str:
    """Return ``junit.xml``: a test case a claim.

    FAIL is a failure, INCONCLUSIVE is skipped with its reason, never passed,
    and a claim file that could not be read is an error.
    """
    counts = words.counts(records)
    totals = {
        "tests": str(len(records) + len(broken)),
        "failures": str(counts[Outcome.FAIL.value]),
        "errors": str(len(broken)),
        "skipped": str(counts[Outcome.INCONCLUSIVE.value]),
        "time": f"{run.seconds:.3f}",
    }
    root = Element("testsuites", {"name": "whp", **totals})
    suite = SubElement(root, "testsuite", {"name": "whp", **totals})
    if run.started:
        suite.set("timestamp", _text(run.started))
    properties = SubElement(suite, "properties")
    facts = {"command": run.command, "profile": run.profile, "seed": str(run.seed), **run.environment}
    for name, value in facts.items():
        SubElement(properties, "property", {"name": _text(name), "value": _text(str(value))})
    for record in records:
        case = SubElement(
            suite,
            "testcase",
            {
                "classname": _text(record["paper"]),
                "name": _text(record["id"]),
                "time": f"{float(record['seconds']):.3f}",
            },
        )
        sentence = _text(words.verdict_sentence(record))
        rates = _text(f"Error rates: {words.error_rates(record)}")
        if record["verdict"] == Outcome.FAIL.value:
            failure = SubElement(case, "failure", {"message": sentence, "type": "FAIL"})
            failure.text = _text(
                f"{record['title']} ({record['locus']})\n{sentence}\n{rates}\nReproduce: {record['command']}"
            )
        elif record["verdict"] == Outcome.INCONCLUSIVE.value:
            SubElement(case, "skipped", {"message": sentence})
        SubElement(case, "system-out").text = f"{sentence}\n{rates}"
    for file in broken:
        case = SubElement(
            suite, "testcase", {"classname": "broken", "name": _text(file.where), "time": "0.000"}
        )
        SubElement(case, "error", {"message": _text(file.message), "type": "ClaimError"})
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _text(text: str) -> str:
    """Drop the characters that XML cannot hold; the rest is escaped on writing."""
    return ILLEGAL.sub("", str(text))
