"""Every kernel and norm gives on a device what it gives on the CPU, in both precisions."""

from __future__ import annotations

import pytest
import torch

from whp import kernels as k
from whp import linalg
from whp.kernels.expected_operator import ExpectedOperator
from whp.kernels.matrix_free import LinearOperator, TangentOperator

SMOOTH, FORMULA, BENT = "tanh", "erf", "relu"
MOMENT = 1.0


def each(i, function, names=(FORMULA, BENT, SMOOTH)):
    """The results of a function for several activations."""
    return {name: function(i, k.activation(name)) for name in names}


def two_layer_differences(i, phi):
    features = k.combined_features(i.X, phi, MOMENT, (1.0, 1.0))
    return (
        k.feature_difference(i.X, i.W, phi, features, (1.0, 1.0)),
        k.expected_difference(i.X, i.W, phi, (1.0, 1.0)),
    )


def in_place(i, phi):
    X = i.X / 3
    K = X @ X.T
    return (
        k.subtract_linear_kernel_(K.clone(), X, 0.5, 0.2),
        k.subtract_gram_(K.clone(), X),
        k.subtract_deep_linear_kernel_(K.clone(), X, k.deep_taylor(phi, 2), MOMENT),
    )


def one_dimensional(i, phi):
    filters, V = i.W[:, :4].contiguous(), i.normal("V", 40, 9)
    return k.cnn1d(i.X, filters, V, phi), k.cnn1d_ntk(i.X, filters, V, phi)


BY_ACTIVATION = {
    "first layer": lambda i, phi: k.first_layer_ntk(i.X, i.W, phi),
    "second layer": lambda i, phi: k.second_layer_ntk(i.X, i.W, phi),
    "layer by layer": lambda i, phi: k.layer_ntks(i.X, i.W, phi),
    "both layers": lambda i, phi: k.combined_ntk(i.X, i.W, phi, (0.3, 2.0)),
    "two-layer differences": two_layer_differences,
    "expected, first layer": lambda i, phi: k.expected_first_layer_ntk(i.X, phi),
    "expected, second layer": lambda i, phi: k.expected_second_layer_ntk(i.X, phi),
    "combined features": lambda i, phi: k.combined_features(i.X, phi, MOMENT, (0.5, 1.0)),
    "linear kernel": lambda i, phi: k.linear_kernel(i.X, phi, MOMENT, (1.0, 1.0)),
    "norm feature": lambda i, phi: k.norm_feature(i.X, phi),
    "deep, arora2019": lambda i, phi: k.fc_ntk(i.X[:12] / 3, phi, 2),
    "deep, two sides": lambda i, phi: k.fc_kernels(i.X[:7] / 3, phi, 2, Z=i.X[5:12] / 3),
    "one-dimensional network": one_dimensional,
    "mean ntg": lambda i, phi: k.mean_ntg(i.X[:6], phi),
}


@pytest.mark.parametrize("name", BY_ACTIVATION)
def test_kernels(name, compare):
    compare(lambda i: each(i, BY_ACTIVATION[name]))


def test_activations(compare):
    compare(
        lambda i: each(
            i, lambda i, phi: (phi.phi(3 * i.X), phi.dphi(3 * i.X), phi.ddphi(3 * i.X)), k.activation_names()
        )
    )


def test_deep_kernels_and_expansions(compare):
    compare(lambda i: k.deep_ntks(i.X[:12] / 3, k.activation(SMOOTH), [2, 3], strip=8))
    compare(lambda i: in_place(i, k.activation(SMOOTH)))
    compare(lambda i: k.taylor_terms(i.X, k.activation(FORMULA), MOMENT))
    compare(lambda i: k.second_layer_taylor_terms(i.X, k.activation(FORMULA), MOMENT))


def test_what_needs_no_activation(compare):
    compare(lambda i: k.norm_ratios(i.X))
    compare(lambda i: k.linear_features(i.X, 0.5, 0.2))
    compare(lambda i: k.local_correlations(i.X, i.X.flip(0), 3))
    compare(lambda i: k.infinite_cnn1d_ntk(i.X, 3, tile=32))


@pytest.mark.parametrize("pooling", ["none", "average"])
@pytest.mark.parametrize(("padding", "train"), [("zero", "all"), ("zero", "middle"), ("circular", "all")])
def test_convolutional_kernels(pooling, padding, train, compare):
    options = {"pooling": pooling, "padding": padding, "train": train}
    compare(lambda i: k.cntk(i.images, layers=3, **options))
    compare(lambda i: k.cntk(i.images[:2], i.images[2:], layers=2, **options))


def test_the_reference_of_convolutional_kernels(compare):
    compare(lambda i: k.cntk_tensors(i.images[0], i.images[1], layers=2).kernel("average"))


OPERATORS = {
    "tangent": lambda i, phi: TangentOperator(i.X, i.W, phi, (1.0, 0.5)),
    "linear": lambda i, phi: LinearOperator(i.X, phi, MOMENT, (1.0, 0.5)),
    "expected": lambda i, phi: ExpectedOperator(i.X, phi, (1.0, 0.5)),
    "difference": lambda i, phi: TangentOperator(i.X, i.W, phi) - ExpectedOperator(i.X, phi),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_products_without_the_matrix(name, compare):
    compare(lambda i: each(i, lambda i, phi: OPERATORS[name](i, phi).matmat(i.normal("V", 70, 3))))


# Its float64 iterations, by which the two sides of a norm are found, take the rounding of the products in.
NORMS = {
    "symmetric": lambda i, A: linalg.spectral_norm(A, i.rng(), exact_below=10, rtol=1e-4),
    "decomposed": lambda i, A: linalg.spectral_norm(A, i.rng()),
    "rectangular": lambda i, A: linalg.spectral_norm(A[:, :20], i.rng(), exact_below=10, rtol=1e-4),
    "operator": lambda i, A: linalg.spectral_norm(linalg.DenseSymmetric(A), i.rng(), rtol=1e-4),
    "both ends": lambda i, A: linalg.extreme_eigenvalues(A, i.rng(), exact_below=10, rtol=1e-4),
    "Frobenius": lambda i, A: linalg.frobenius_norm(A),
    "product": lambda i, A: linalg.product(A, A, out=torch.empty_like(A)),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms(name, compare):
    def norm(i):
        return NORMS[name](i, k.first_layer_ntk(i.X, i.W, k.activation(FORMULA)))

    # Between a bound and the largest eigenvalue lie the last products: bounds may differ by their width.
    compare(norm, loosened=10.0)
