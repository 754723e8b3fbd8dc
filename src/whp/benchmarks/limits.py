"""The limits of the machine: matrix products by every library, and copies."""

from __future__ import annotations

import torch

from whp.benchmarks.harness import Context, Measurement, Work, copy_rate
from whp.linalg.products import product_rate, route_rates


def run(context: Context) -> Measurement:
    """Rates of products by the route that is used, by each route, and of copies."""
    size = 256 if context.small else 4096
    figures = {
        f"product, {dtype}, 10^9 operations a second": product_rate(
            getattr(torch, dtype), context.threads, context.device, size=size
        )
        / 1e9
        for dtype in ("float32", "float64")
    }
    figures["copy, 10^9 bytes a second"] = (
        copy_rate(context.device, megabytes=1 if context.small else 256, rounds=context.rounds) / 1e9
    )
    facts: dict[str, object] = {}
    if context.device == "cpu":
        shape = (size // 4, size // 2)
        rates = route_rates(shape, context.rounds)
        facts["products A A^T, float32, 10^9 operations a second"] = {
            name: rate / 1e9 for name, rate in rates.items()
        }
    return Measurement(figures, {}, {"size": size}, facts)


WORK = (Work("limits", "rates of products and copies on this machine", {}, run, ("cpu", "cuda")),)
