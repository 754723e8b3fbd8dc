"""This machine and its user: the processor's name, and where things that outlive a run are kept."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def cpu_model() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def user_cache_folder() -> Path:
    """The folder ``whp`` in the user's cache folder of the system; it need not exist."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "whp"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "whp"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whp"
