"""Certified norms and eigenvalues, and matrix-free operators."""

from whp.linalg.norms import ExtremeEigenvalues, NormBounds, extreme_eigenvalues, spectral_norm
from whp.linalg.operators import (
    DenseSymmetric,
    Difference,
    RoundedOperator,
    SymmetricOperator,
    frobenius_norm,
)
from whp.linalg.products import choose_product, product, product_rate

__all__ = [
    "DenseSymmetric",
    "Difference",
    "ExtremeEigenvalues",
    "NormBounds",
    "RoundedOperator",
    "SymmetricOperator",
    "choose_product",
    "extreme_eigenvalues",
    "frobenius_norm",
    "product",
    "product_rate",
    "spectral_norm",
]
