"""Commands that measure whp itself: its error rates, its false twins, its repeatability."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
