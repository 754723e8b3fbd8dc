"""Activations, their Gaussian expectations, and neural tangent kernels."""

from whp.kernels.activations import Activation, activation, activation_names, leaky_relu, nu
from whp.kernels.closed_forms import Moments
from whp.kernels.expectations import ExpectationResult, Gamma, Phi, PhiGradient, phi_gradient
from whp.kernels.ntk import (
    expected_first_layer_ntk,
    first_layer_ntk,
    linear_features,
    linear_kernel,
    norm_ratios,
    subtract_linear_kernel_,
)
from whp.kernels.taylor import TERMS, taylor_terms

__all__ = [
    "TERMS",
    "Activation",
    "ExpectationResult",
    "Gamma",
    "Moments",
    "Phi",
    "PhiGradient",
    "activation",
    "activation_names",
    "expected_first_layer_ntk",
    "first_layer_ntk",
    "leaky_relu",
    "linear_features",
    "linear_kernel",
    "norm_ratios",
    "nu",
    "phi_gradient",
    "subtract_linear_kernel_",
    "taylor_terms",
]
