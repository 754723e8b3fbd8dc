"""Activations, their Gaussian expectations, and neural tangent kernels."""

from whp.kernels.activations import Activation, activation, activation_names, leaky_relu, nu
from whp.kernels.assumptions import (
    Assumptions,
    Suprema,
    c_1,
    check_activation,
    check_assumptions,
    check_inputs,
    check_targets,
    sup_derivatives,
)
from whp.kernels.closed_forms import Moments
from whp.kernels.cnn1d import (
    CnnKernel,
    InfiniteCnnKernel,
    cnn1d,
    cnn1d_ntk,
    infinite_cnn1d_ntk,
    local_correlations,
)
from whp.kernels.cntk import cntk
from whp.kernels.cntk_reference import CntkTensors, cntk_tensors, patch_trace
from whp.kernels.convergence import global_convergence, narrowest, relu_global_convergence
from whp.kernels.deep import (
    DeepTaylor,
    deep_ntk_function,
    deep_ntks,
    deep_taylor,
    subtract_deep_linear_kernel_,
)
from whp.kernels.enclosure import supremum
from whp.kernels.expectations import ExpectationResult, Gamma, Phi, PhiGradient, phi_gradient
from whp.kernels.expected_operator import ExpectedOperator
from whp.kernels.finite import KernelDifference, combined_ntk, expected_difference, feature_difference
from whp.kernels.fully_connected import FcKernels, FcLayers, c_sigma, fc_kernels, fc_layers, fc_ntk
from whp.kernels.matrix_free import KernelOperator, LinearOperator, TangentOperator
from whp.kernels.mean_ntg import Kappa, c_0, g_1, g_2, kappa, mean_ntg
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
from whp.kernels.taylor import SECOND_LAYER_TERMS, TERMS, second_layer_taylor_terms, taylor_terms

__all__ = [
    "SECOND_LAYER_TERMS",
    "TERMS",
    "Activation",
    "Assumptions",
    "CnnKernel",
    "CntkTensors",
    "DeepTaylor",
    "ExpectationResult",
    "ExpectedOperator",
    "FcKernels",
    "FcLayers",
    "Gamma",
    "InfiniteCnnKernel",
    "Kappa",
    "KernelDifference",
    "KernelOperator",
    "LinearOperator",
    "Moments",
    "Phi",
    "PhiGradient",
    "Suprema",
    "TangentOperator",
    "activation",
    "activation_names",
    "c_0",
    "c_1",
    "c_sigma",
    "check_activation",
    "check_assumptions",
    "check_inputs",
    "check_targets",
    "cnn1d",
    "cnn1d_ntk",
    "cntk",
    "cntk_tensors",
    "combined_features",
    "combined_ntk",
    "deep_ntk_function",
    "deep_ntks",
    "deep_taylor",
    "expected_difference",
    "expected_first_layer_ntk",
    "expected_second_layer_ntk",
    "fc_kernels",
    "fc_layers",
    "fc_ntk",
    "feature_difference",
    "first_layer_ntk",
    "g_1",
    "g_2",
    "global_convergence",
    "infinite_cnn1d_ntk",
    "kappa",
    "layer_ntks",
    "leaky_relu",
    "linear_features",
    "linear_kernel",
    "local_correlations",
    "mean_ntg",
    "narrowest",
    "norm_feature",
    "norm_ratios",
    "nu",
    "patch_trace",
    "phi_gradient",
    "relu_global_convergence",
    "second_layer_ntk",
    "second_layer_taylor_terms",
    "subtract_deep_linear_kernel_",
    "subtract_gram_",
    "subtract_linear_kernel_",
    "sup_derivatives",
    "supremum",
    "taylor_terms",
]
