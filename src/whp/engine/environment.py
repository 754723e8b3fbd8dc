"""What a run was made with: versions and hardware, nothing about people or places."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import whp


def environment(device: str = "cpu") -> dict[str, str]:
    """Return versions, processor and device as text.

    No user name, host name or path is among them.

    Parameters
    ----------
    device : str
        A torch device, ``cpu`` or ``cuda:K``.
    """
    return {
        "whp": whp.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "torch")},
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": str(available_cores()),
        "device": device_name(device),
    }


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name(device: str) -> str:
    """``cpu``, or the name of the GPU."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"
