"""Machine code for loops, with the whole width of the vector unit.

LLVM keeps to 256 bits on Intel's processors with AVX-512, as the first of them slowed down with more.
Measured on a Xeon with two 512-bit units: erf and its slope of a matrix in cache take 56 microseconds with
512 bits and 77 with 256, where torch takes 110; the erf pass of a step 59 to 69 against 82. Convolutional
kernels gain nothing that stands out of the noise (nanoseconds an entry and layer, two runs, 512 and then 256
bits: pooled 8 x 8 2.3, 2.1 and 2.2, 2.5; pooled 32 x 32 2.7, 2.6 and 2.4, 2.6). The tuning is a setting of
the whole process in numba, so it is made here, before anything is compiled; ``NUMBA_CPU_FEATURES`` in the
environment goes before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.codegen import get_host_cpu_features

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and products fused, but what is not finite stays so.
HONEST = {"reassoc", "contract", "nsz", "arcp"}


def full_width(features: str) -> str:
    """Return LLVM's list of the features of a processor, with full vectors."""
    return f"{features},-prefer-256-bit" if "+avx512f" in features else features


if numba.config.CPU_FEATURES is None:  # type: ignore[attr-defined]
    host: str = get_host_cpu_features()  # type: ignore[no-untyped-call]
    numba.config.CPU_FEATURES = full_width(host)  # type: ignore[attr-defined]


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
