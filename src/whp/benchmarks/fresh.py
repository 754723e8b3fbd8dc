"""Call a function and print what it returns and the memory that took: a process for ``fresh_process``."""

from __future__ import annotations

import importlib
import json
import resource
import sys
from pathlib import Path


def peak_memory_gb() -> float:
    """Largest resident size of this process so far, in 10^9 bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux; there getrusage counts what the parent held, too
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def main(target: str, arguments: str) -> None:
    """Call ``module:function``; its answer is the last line."""
    module, _, function = target.partition(":")
    answer = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print(json.dumps({**answer, "peak_memory_gb": peak_memory_gb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
