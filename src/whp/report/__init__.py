"""Verdicts to JSON, HTML, Markdown, JUnit and figures."""

from whp.report.figures import claim_svg
from whp.report.html import render_html
from whp.report.junit import render_junit
from whp.report.markdown import findings, render_markdown
from whp.report.overview import overview
from whp.report.planned import comparison
from whp.report.plots import plots_svg
from whp.report.run import BrokenFile, RunInfo
from whp.report.writer import (
    ReportFiles,
    RunContext,
    check_writable,
    leftovers,
    load_run,
    load_verdict_records,
    verdict_schema,
    write_records,
    write_report,
)

__all__ = [
    "BrokenFile",
    "ReportFiles",
    "RunContext",
    "RunInfo",
    "check_writable",
    "claim_svg",
    "comparison",
    "findings",
    "leftovers",
    "load_run",
    "load_verdict_records",
    "overview",
    "plots_svg",
    "render_html",
    "render_junit",
    "render_markdown",
    "verdict_schema",
    "write_records",
    "write_report",
]
