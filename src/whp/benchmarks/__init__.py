"""What the program costs: works that are timed, beside other programs and the limits of the machine.

Every module here that has a ``WORK`` is found by ``whp bench``; :mod:`whp.benchmarks.harness` has what they
share. Scripts of ``peer/`` run in an environment of their own, with neural-tangents.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def thread_limits(threads: int) -> Iterator[None]:
    """Set the variables for libraries that are imported, and processes that are started, from here on.

    This module imports none of them: numpy's BLAS reads its variable when it is imported, and never again.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
