"""Where tensors live, and in which precision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from whp.errors import UsageError, fail, require

if TYPE_CHECKING:  # torch takes seconds to import; the command line must not wait for it
    import torch

DTYPES = ("float32", "float64")


def as_dtype(name: str) -> torch.dtype:
    """Return the torch dtype called ``"float32"`` or ``"float64"``."""
    import torch

    require(name in DTYPES, "dtype", f"one of {', '.join(DTYPES)}", name)
    return torch.float32 if name == "float32" else torch.float64


def resolve_device(name: str) -> torch.device:
    """Return the torch device for ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:K"``.

    ``auto`` is CUDA where there is one. On CUDA, TF32 is switched off: float32
    then means float32, as the rounding bounds of this package assume. And
    cuBLAS gets a work space of its own for every stream (unless the environment
    says which), so that a product made again has the same bits.

    Raises
    ------
    UsageError
        If the name is unknown, or CUDA is asked for and absent.
    """
    import torch

    kind, _, index = name.partition(":")
    known = name in ("auto", "cpu", "cuda") or (kind == "cuda" and index.isdecimal())
    require(known, "device", "auto, cpu, cuda or cuda:K", name, UsageError)
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if available else "cpu"
    if name.startswith("cuda"):
        if available == 0:
            fail("device", "cpu or auto where no CUDA device is present", name, UsageError)
        if index and int(index) >= available:
            fail("device", f"below cuda:{available}", name, UsageError)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when it first multiplies
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)
