"""Networks and linear models in training: exact where there is a formula, fast where not."""

from whp.models.activation import Activation
from whp.models.ascent import Ascent, Ball, UnitSphere, ascend
from whp.models.closeness import ClosenessTrace, compare_descents, compare_with_linear
from whp.models.finite import FullyConnected, Pass
from whp.models.finite_cnn import Convolutional
from whp.models.general import Closeness, measure_closeness
from whp.models.hierarchy import nth_kernel
from whp.models.kernel_regression import (
    Accuracy,
    KernelRegression,
    NotPositiveDefiniteError,
    classification_accuracy,
    encode_labels,
    kernel_regression,
)
from whp.models.linear import LinearDescent, iterate_linear_descent
from whp.models.node_flow import NodeDescent, NodeFlow, node_descent, node_flow
from whp.models.node_network import NodeScaled, span_coordinates
from whp.models.node_scales import NodeScales, node_scales, zipf_power_sum, zipf_weights
from whp.models.sweep import sweep
from whp.models.transfer import External, importance, most_important, standardised, train_external
from whp.models.two_layer import TwoLayer, TwoLayerDescent, train_first_layer, train_two_layer

__all__ = [
    "Accuracy",
    "Activation",
    "Ascent",
    "Ball",
    "Closeness",
    "ClosenessTrace",
    "Convolutional",
    "External",
    "FullyConnected",
    "KernelRegression",
    "LinearDescent",
    "NodeDescent",
    "NodeFlow",
    "NodeScaled",
    "NodeScales",
    "NotPositiveDefiniteError",
    "Pass",
    "TwoLayer",
    "TwoLayerDescent",
    "UnitSphere",
    "ascend",
    "classification_accuracy",
    "compare_descents",
    "compare_with_linear",
    "encode_labels",
    "importance",
    "iterate_linear_descent",
    "kernel_regression",
    "measure_closeness",
    "most_important",
    "node_descent",
    "node_flow",
    "node_scales",
    "nth_kernel",
    "span_coordinates",
    "standardised",
    "sweep",
    "train_external",
    "train_first_layer",
    "train_two_layer",
    "zipf_power_sum",
    "zipf_weights",
]
