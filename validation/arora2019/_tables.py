"""What Tables 1 and 2 share: the two architectures at a printed depth, and the accuracy of a kernel."""

from __future__ import annotations

import statistics

from whp.kernels import cntk
from whp.models import Accuracy, classification_accuracy, encode_labels, kernel_regression

DEPTHS = (3, 4, 6, 11, 21)
"""Layers of the printed networks, the fully connected one included."""

ARCHITECTURES = {
    "V": {"pooling": "none", "train": "all"},
    "GAP": {"pooling": "average", "train": "middle"},
}
"""Vanilla, every layer trained (Section 4.1); pooled, first and last layer fixed (Section 4.2)."""

ASSUMPTIONS = (
    "Colours are normalised over the data set, as in the authors' program; the paper leaves it open.",
    r"Kernel regression without regularisation; labels $-0.1 \cdot \mathbf{1} + \mathbf{e}_c$.",
    "Kernels are those of the networks as defined, without the last patch trace of Sections 4.1 and 4.2.",
)
REGIME = {"quick": "beyond", "standard": "beyond", "paper": "met"}


def exact_kernel(X, architecture, depth):
    """The kernel of the infinitely wide network among images, shape (n, n)."""
    return cntk(X, layers=depth - 1, filter_size=3, padding="zero", **ARCHITECTURES[architecture])


def accuracy(H, labels, classes) -> Accuracy:
    """How many images get their class from a regression on all the others."""
    fit = kernel_regression(H, encode_labels(labels, classes))
    return classification_accuracy(fit.left_out, labels)


def average_margin(better, worse):
    """Mean over depths of the difference."""
    return statistics.mean(x - y for x, y in zip(better, worse, strict=True))


def largest_error(measured, printed):
    """The largest difference from a printed column, over the depths that are measured."""
    return max(abs(x - y) for x, y in zip(measured, printed, strict=False))
