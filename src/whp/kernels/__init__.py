"""Activations, their Gaussian expectations, and neural tangent kernels."""

from whp.kernels.activations import Activation, activation, activation_names, leaky_relu, nu
from whp.kernels.closed_forms import Moments
from whp.kernels.expectations import ExpectationResult, Gamma, Phi, PhiGradient, phi_gradient
from whp.kernels.ntk import (
    expected_first_layer_ntk,
    first_layer_ntk,
    linear_features,
    norm_ratios,
    subtract_linear_kernel_,
)
from whp.kernels.second_layer import (
    combined_features,
    expected_second_layer_ntk,
    layer_ntks,
    linear_kernel,
    norm_feature,
    second_layer_ntk,
    subtract_gram_,
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
    "combined_features",
    "expected_first_layer_ntk",
    "expected_second_layer_ntk",
    "first_layer_ntk",
    "layer_ntks",
    "leaky_relu",
    "linear_features",
    "linear_kernel",
    "norm_feature",
    "norm_ratios",
    "nu",
    "phi_gradient",
    "second_layer_ntk",
    "subtract_gram_",
    "subtract_linear_kernel_",
    "taylor_terms",
]
