"""Certified norms and eigenvalues, and matrix-free operators."""

from whp.linalg.norms import ExtremeEigenvalues, NormBounds, extreme_eigenvalues, spectral_norm
from whp.linalg.operators import DenseSymmetric, SymmetricOperator, frobenius_norm

__all__ = [
    "DenseSymmetric",
    "ExtremeEigenvalues",
    "NormBounds",
    "SymmetricOperator",
    "extreme_eigenvalues",
    "frobenius_norm",
    "spectral_norm",
]
