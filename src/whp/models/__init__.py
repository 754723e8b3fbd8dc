"""Networks and linear models in training: exact where there is a formula, fast where not."""

from whp.models.activation import Activation
from whp.models.ascent import Ascent, Ball, UnitSphere, ascend
from whp.models.closeness import ClosenessTrace, compare_descents, compare_with_linear
from whp.models.finite import FullyConnected, Pass
from whp.models.general import Closeness, measure_closeness
from whp.models.linear import LinearDescent, iterate_linear_descent
from whp.models.two_layer import TwoLayer, TwoLayerDescent, train_first_layer, train_two_layer

__all__ = [
    "Activation",
    "Ascent",
    "Ball",
    "Closeness",
    "ClosenessTrace",
    "FullyConnected",
    "LinearDescent",
    "Pass",
    "TwoLayer",
    "TwoLayerDescent",
    "UnitSphere",
    "ascend",
    "compare_descents",
    "compare_with_linear",
    "iterate_linear_descent",
    "measure_closeness",
    "train_first_layer",
    "train_two_layer",
]
