"""What is random: data distributions and initial weights."""

from whp.ensembles.data import DataDistribution, data_distribution, two_level_spectrum
from whp.ensembles.initialisation import SymmetricInit, symmetric_init
from whp.ensembles.outside import OutsideDistribution, outside_distribution, outside_names
from whp.ensembles.regression import Regression, simulated_regression

__all__ = [
    "DataDistribution",
    "OutsideDistribution",
    "Regression",
    "SymmetricInit",
    "data_distribution",
    "outside_distribution",
    "outside_names",
    "simulated_regression",
    "symmetric_init",
    "two_level_spectrum",
]
