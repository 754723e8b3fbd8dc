"""Verdicts to JSON, HTML, Markdown, JUnit and figures."""
