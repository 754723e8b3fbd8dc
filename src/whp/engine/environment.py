"""What a run was made with: versions and hardware, nothing about people or places."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import version

import whp
from whp.machine import cpu_model


def environment(device: str = "cpu") -> dict[str, str]:
    """Return versions, processor, device and the route of matrix products as text.

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
        "product": product_route(),
    }


PRODUCT = "WHP_PRODUCT"


def product_route() -> str:
    """The route of matrix products in trials: what ``WHP_PRODUCT`` says, or the fastest on this machine.

    Executors hand it to their workers, wherever these are, so that numbers do
    not depend on where a trial is made.

    Raises
    ------
    UsageError
        If there is no route of that name here.
    """
    return named_route() or _fastest_route()


def named_route() -> str | None:
    """Return the route that ``WHP_PRODUCT`` names, if it does; raises as `product_route` does."""
    if not os.environ.get(PRODUCT):
        return None
    from whp.linalg.products import current_route

    return current_route()


@cache
def _fastest_route() -> str:
    from whp.linalg.products import choose_product

    return choose_product(threads=1)


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name(device: str) -> str:
    """``cpu``, or the name of the GPU."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"
