"""Answer questions, one JSON line each: runs in the peer's environment, started by whp.benchmarks.peers.

Arguments: the folder of the scripts, and the number of cores to use.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version


def versions(names):
    """Versions by name; None for what is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def answer(question):
    """The answer to one question; an error is an answer too."""
    if "versions" in question:
        return versions(question["versions"])
    try:
        function = getattr(importlib.import_module(question["script"]), question["function"])
        return {"answer": function(**question["arguments"])}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main(scripts, threads):
    # XLA makes as many threads as it may use cores, whatever the variables say.
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[: int(threads)])
    sys.path.insert(0, scripts)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
