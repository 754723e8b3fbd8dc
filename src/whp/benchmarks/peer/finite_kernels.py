"""Tangent kernels of two-layer networks by neural-tangents' empirical NTK, structured derivatives, jitted."""

from __future__ import annotations

import time
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np

PHI = {"erf": jax.scipy.special.erf, "relu": jax.nn.relu}


@cache
def kernel_function(activation: str, layers: str):
    """Return the jitted function that gives the kernel of weights W^T (d, m) and v (m, 1) on inputs (n, d).

    ``layers`` is ``"first"`` or ``"both"``: those whose weights are trained. The weights come transposed, as
    in its own Dense layer: of a product with W^T it would not see the structure, and make the Jacobian.
    """

    def network(W, v, X):
        return jnp.dot(PHI[activation](jnp.dot(X, W) / X.shape[1] ** 0.5), v) / len(v) ** 0.5  # (n, 1)

    build = partial(
        nt.empirical_ntk_fn,
        trace_axes=(-1,),
        vmap_axes=0,
        implementation=nt.NtkImplementation.STRUCTURED_DERIVATIVES,
    )

    @jax.jit
    def kernel(W, v, X):
        if layers == "first":
            return build(lambda weights, x: network(weights, v, x))(X, None, W)
        return build(lambda weights, x: network(*weights, x))(X, None, (W, v))

    return kernel


@cache
def inputs(n: int, d: int, m: int):
    """Return W^T (d, m), v (m, 1) and X (n, d), drawn as on the other side; the neurons are mirrored."""
    rng = np.random.default_rng(0)
    X, half = (rng.standard_normal(shape).astype("f") for shape in ((n, d), (m // 2, d)))
    v = np.repeat(np.float32([1, -1]), m // 2)[:, None]
    return tuple(jnp.asarray(a) for a in (np.ascontiguousarray(np.tile(half, (2, 1)).T), v, X))


@cache
def compiled(activation: str, layers: str, n: int, d: int, m: int):
    """Return the kernel function, compiled for these sizes."""
    return kernel_function(activation, layers).lower(*inputs(n, d, m)).compile()


def kernel(activation: str, layers: str, n: int, d: int, m: int) -> dict:
    """Return the seconds of one call after compilation, a corner of the kernel, and the memory so far."""
    arguments, function = inputs(n, d, m), compiled(activation, layers, n, d, m)
    start = time.perf_counter()
    found = function(*arguments).block_until_ready()
    seconds = time.perf_counter() - start
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return {
        "seconds": seconds,
        "corner": np.asarray(found[:4, :4]).tolist(),
        "peak_memory_gb": int(peak.split()[1]) * 1024 / 1e9,
    }
