"""Labelled images of any of the classes of a data set, with every colour normalised over the data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from whp.ensembles.datasets import (
    CLASSES,
    Installed,
    MissingDataError,
    averaged,
    installed,
    load,
    part_range,
)
from whp.errors import fail, require


@dataclass(frozen=True)
class LabelledImages:
    """Images as a classification problem.

    Attributes
    ----------
    X : Tensor, shape (n, colours, height, width)
    labels : Tensor of int64, shape (n,)
        Positions in the list of classes that was asked for.
    """

    X: torch.Tensor
    labels: torch.Tensor


def labelled_images(
    rng: np.random.Generator,
    name: str,
    n: int,
    *,
    part: str,
    classes: Sequence[int] = tuple(range(10)),
    pool: int = 1,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> LabelledImages:
    """Draw ``n`` images without replacement, every one as likely as any other, in random order.

    Colours have mean 0 and variance 1 over all pixels of all images of the training part, before pixels
    are averaged.

    Parameters
    ----------
    rng : Generator
    name : str
        A data set of the cache.
    n : int
        Number of images.
    part : {"train", "test"}
        From which part of the data set.
    classes : sequence of int
        Labels of the classes to draw from; all ten by default.
    pool : int
        Side of the squares of pixels that are averaged; divides height and width.
    dtype, device
        Of the result; computed in float64 and then rounded.

    Raises
    ------
    MissingDataError
        If the data set is not in the cache.
    InputError
        If an argument is wrong, or there are not as many images.

    Notes
    -----
    Source: arora2019, Section 5; the paper does not print its normalisation, this one is that of the
    authors' published program.
    """
    data = load(name)
    first, last = part_range(data, part)
    wanted = list(classes)
    known = len(wanted) >= 2 and len(set(wanted)) == len(wanted) and set(wanted) <= set(range(10))
    require(known, "classes", "two or more different labels from 0 to 9", wanted)
    there = first + np.flatnonzero(np.isin(data.labels[first:last], wanted))
    what = f"number of {', '.join(CLASSES[name][c] for c in wanted)} in the {part} part of {name} to draw"
    require(1 <= n <= len(there), what, f"from 1 to {len(there)}", n)
    chosen = rng.choice(there, n, replace=False)
    mean, spread = _colours(installed(name))
    X = (averaged(data.images[chosen], pool) - mean[:, None, None]) / spread[:, None, None]
    positions = np.full(10, -1)
    positions[wanted] = np.arange(len(wanted))
    return LabelledImages(
        torch.from_numpy(np.ascontiguousarray(X)).to(device, dtype),
        torch.from_numpy(positions[data.labels[chosen]]).to(device),
    )


@lru_cache(maxsize=4)
def _colours(found: Installed | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every colour over the training part; kept, as they take a second."""
    if found is None:
        fail("data set", "in the cache while it is used", "none", MissingDataError)
    data = load(found.name)
    counts = np.zeros((data.images.shape[3], 256))  # how often each value occurs
    for start in range(0, data.train, 1000):
        part = data.images[start : min(start + 1000, data.train)]
        for colour, row in enumerate(counts):
            row += np.bincount(part[..., colour].ravel(), minlength=256)
    values, total = np.arange(256.0), counts[0].sum()
    mean = counts @ values / total  # (colours,)
    spread = np.sqrt(counts @ values**2 / total - mean**2)
    require(bool((spread > 0).all()), f"colours of {found.name}", "not constant", spread.tolist())
    return mean, spread
