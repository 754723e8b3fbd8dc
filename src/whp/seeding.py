"""Random streams that depend on names only, never on order, batch or worker.

Every generator of the program is made here.
"""

from __future__ import annotations

import hashlib

import numpy as np

from whp.errors import require


def stream_entropy(root_seed: int, *path: str | int) -> int:
    """Return 256 bits that are a pure function of the root seed and the path.

    Parameters
    ----------
    root_seed : int
        Non-negative seed of the run.
    *path : str or int
        Names of the stream, outermost first: experiment, point, trial, ...
        Each part is hashed with its type and length, so ``("a", "bc")`` and
        ``("ab", "c")``, or ``1`` and ``"1"``, are different streams.
    """
    require(isinstance(root_seed, int) and root_seed >= 0, "seed", "a non-negative integer", root_seed)
    digest = hashlib.sha256()
    for part in (root_seed, *path):
        require(isinstance(part, (str, int)), "stream name", "a string or an integer", part)
        data = f"{type(part).__name__}:{part}".encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest(), "little")


def generator(root_seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator of the stream named by ``path``.

    SHA-256 of the names seeds a ``SeedSequence``, which keys the counter-based
    Philox generator (Salmon et al. 2011), so streams with different names are
    independent for every practical purpose.
    """
    sequence = np.random.SeedSequence(stream_entropy(root_seed, *path))
    return np.random.Generator(np.random.Philox(sequence))
