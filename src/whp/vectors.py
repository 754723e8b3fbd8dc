"""Machine code for loops, with the whole width of the vector unit.

LLVM keeps to 256 bits on Intel's processors with AVX-512, as the first of them slowed down with more.
Measured on a Xeon with two 512-bit units: erf and its slope of a matrix in cache take 56 microseconds with
512 bits and 77 with 256, where torch takes 110. The tuning is a setting of the whole process in numba, so
it is made here, before anything is compiled; ``NUMBA_CPU_FEATURES`` in the environment goes before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and products fused, but what is not finite stays so.
HONEST = {"reassoc", "contract", "nsz", "arcp"}


def full_width(features: dict[str, bool]) -> str | None:
    """Return LLVM's list of the features of a processor with full vectors, or None where that is the default.

    Parameters
    ----------
    features : dict of bool
        Whether the processor has each.
    """
    if not features.get("avx512f"):
        return None
    listed = [f"{'+' if has else '-'}{name}" for name, has in sorted(features.items())]
    return ",".join([*listed, "-prefer-256-bit"])


if numba.config.CPU_FEATURES is None:  # type: ignore[attr-defined]
    numba.config.CPU_FEATURES = full_width(llvm.get_host_cpu_features())  # type: ignore[attr-defined]


def compiled(f: Function) -> Function:
    """Compile to machine code that runs without the interpreter's lock; kept on disk beside the module.

    Sums may be reordered and products fused: no argument may be NaN or infinite.
    """
    machine: Any = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(f)
    return cast(Function, machine)


def compiled_for_any(f: Function) -> Function:
    """Compile as `compiled` does, for arguments that may be NaN or infinite, too."""
    machine: Any = numba.njit(cache=True, nogil=True, fastmath=HONEST, error_model="numpy")(f)
    return cast(Function, machine)
