"""How much memory is free on a device, and how large the blocks of a computation may be there."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from whp.errors import ResourceError, require

if TYPE_CHECKING:  # torch takes seconds to import; the command line must not wait for it
    import torch

T = TypeVar("T")

# Share of the free memory that is planned for: the rest is for what is not planned, and for fragments.
SHARE = 0.8
# What allocators say when there is no memory. Torch has a type of its own for CUDA alone.
SIGNS = ("can't allocate memory", "DefaultCPUAllocator", "out of memory", "Cannot allocate memory")

# Bytes that are asked for without a look at what is free.
SMALL = 1 << 28

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")
_STATM = Path("/proc/self/statm")
_ADVICE = "take a smaller problem, end what else uses this memory, or go to a device that has more"


def free_bytes(device: torch.device | str) -> int:
    """Return how many bytes this process may still allocate on a device.

    On CUDA what the driver has free and what torch has reserved and does not use, within the limit that
    `torch.cuda.set_per_process_memory_fraction` sets. On a CPU what the system can give without swapping,
    within the limits of the process (``RLIMIT_DATA``) and of its control group.

    Parameters
    ----------
    device : torch.device or str
        As torch has it: ``cpu``, ``cuda`` or ``cuda:K``.

    Returns
    -------
    int
        Never negative. Other processes may take of it at any time.
    """
    import torch

    device = torch.device(device)
    if device.type == "cuda":
        return max(0, _free_on_cuda(device))
    import psutil

    free = [int(psutil.virtual_memory().available)]
    if sys.platform == "linux":
        free += [left for left in (_left_by_limit(), _left_by_group()) if left is not None]
    return max(0, min(free))


def rows_that_fit(
    device: torch.device | str,
    bytes_per_row: float,
    *,
    default: int,
    fixed: float = 0,
    least: int = 1,
    what: str = "a block of rows",
) -> int:
    """Return the rows of a block: ``default``, halved until the block fits into 0.8 of the free memory.

    Where memory is plenty the answer is always ``default``, so that results, which depend on the size of
    blocks by rounding, depend on neither load nor machine. For less than `SMALL` nothing is looked up.

    Parameters
    ----------
    device : torch.device or str
        Where the block is to be allocated.
    bytes_per_row : float
        What each row takes, work space included.
    default : int
        Rows of the block where memory does not matter.
    fixed : float
        Bytes that are needed whatever the number of rows, and not yet allocated.
    least : int
        Rows below which there is no point in going on; at most ``default``.
    what : str
        What the memory is for, as in ``"the features of Theta_1"``; for the message.

    Raises
    ------
    ResourceError
        If not even ``least`` rows fit; the message says what was needed, what is free, and what to do.
    InputError
        If the sizes are not ``default >= least >= 1`` and bytes not negative.
    """
    require(default >= least >= 1, "default and least", "default >= least >= 1", (default, least))
    require(bytes_per_row >= 0 and fixed >= 0, "bytes", "not negative", (bytes_per_row, fixed))
    rows = default
    if fixed + rows * bytes_per_row <= SMALL:
        return rows
    free = free_bytes(device)
    while fixed + rows * bytes_per_row > SHARE * free:
        if rows == least:
            needed = fixed + least * bytes_per_row
            raise ResourceError(
                f"{what} must fit into the free memory of {device}, got {_gigabytes(needed)} needed at least"
                f" where {_gigabytes(free)} are free: {_ADVICE}"
            )
        rows = max(least, rows // 2)
    return rows


def allocate(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | str, *, what: str
) -> torch.Tensor:
    """Return an uninitialised tensor that must be there whole, such as a result.

    Small ones are asked for at once; for large ones the free memory is looked at before, as a CPU promises
    more than it has and then ends the process that takes it.

    Parameters
    ----------
    shape, dtype, device
        As for `torch.empty`.
    what : str
        What it is, as in ``"a kernel of 100000 points"``; for the message.

    Raises
    ------
    ResourceError
        If it does not fit.
    """
    import torch

    rows_that_fit(device, math.prod(shape) * dtype.itemsize, default=1, what=what)
    return with_smaller_blocks(lambda _: torch.empty(shape, dtype=dtype, device=device), 1, what=what)


def with_smaller_blocks(work: Callable[[int], T], block: int, *, least: int = 1, what: str = "a block") -> T:
    """Return ``work(block)``, in blocks half as large as often as memory runs out.

    For what no plan can know: other processes on the device, fragments, work space of libraries. ``work``
    is called again from its beginning, so it must not have changed what it was given.

    Parameters
    ----------
    work : callable
        Takes the size of its blocks.
    block : int
        The size to begin with.
    least : int
        The size below which there is no point in going on; at most ``block``.
    what : str
        What the memory is for; for the message.

    Raises
    ------
    ResourceError
        If memory runs out with ``least`` too.
    InputError
        If the sizes are not ``block >= least >= 1``.
    """
    require(block >= least >= 1, "block and least", "block >= least >= 1", (block, least))
    while True:
        try:
            return work(block)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, ResourceError) or not out_of_memory(error):
                raise
            said = " ".join(str(error).split())[:200]
        # Only here are the frames of the failed call gone, and with them the tensors that they held.
        release()
        if block == least:
            raise ResourceError(
                f"{what} must fit into memory, got none for blocks of {least} either ({said}): {_ADVICE}"
            )
        block = max(least, block // 2)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory has run out, on the CPU or on CUDA."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(sign in str(error) for sign in SIGNS)


def release() -> None:
    """Give what torch keeps on CUDA devices and does not use back to the driver, for other processes."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _free_on_cuda(device: torch.device) -> int:
    import torch

    free, total = torch.cuda.mem_get_info(device)
    allocated, reserved = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    mine = free + reserved - allocated
    fraction = getattr(torch.cuda, "get_per_process_memory_fraction", None)  # torch 2.4 cannot say
    return mine if fraction is None else min(mine, int(fraction(device) * total) - allocated)


def _left_by_limit() -> int | None:
    """What RLIMIT_DATA leaves of private writable memory; None where it sets no limit."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    return limit - int(_STATM.read_text().split()[5]) * resource.getpagesize()  # data and stack


def _left_by_group() -> int | None:
    """What the control groups of this process leave it (cgroup v2: containers, SLURM); None without any."""
    left = []
    try:
        own = next(line[3:] for line in _OWN_GROUP.read_text().splitlines() if line.startswith("0::"))
        place = _GROUPS / own.strip("/")
        for group in (place, *place.parents):
            limit = group / "memory.max"
            if limit.is_file() and (most := limit.read_text().strip()) != "max":
                numbers = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                used = int((group / "memory.current").read_text())
                # Pages of files that were read count as used, but are given up when memory is asked for.
                left.append(int(most) - used + int(numbers["inactive_file"]))
    except (OSError, StopIteration, KeyError, ValueError):  # another layout: nothing is known
        return None
    return min(left, default=None)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
