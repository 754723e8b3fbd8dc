"""What is random: data distributions and initial weights."""

from whp.ensembles.data import DataDistribution, data_distribution, two_level_spectrum
from whp.ensembles.initialisation import SymmetricInit, symmetric_init

__all__ = [
    "DataDistribution",
    "SymmetricInit",
    "data_distribution",
    "symmetric_init",
    "two_level_spectrum",
]
