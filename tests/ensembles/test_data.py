"""Data distributions: moments by z-tests, exactness of signs, and refusal of a wrong Sigma."""

import math

import numpy as np
import pytest
import torch

from whp.ensembles import DataDistribution, data_distribution, two_level_spectrum
from whp.errors import InputError
from whp.seeding import generator

NAMES = ["gaussian", "rademacher", "uniform", "gaussian_two_level"]
N, D = 20_000, 5

# Every z-test below compares at most 25 sums of N = 20,000 bounded or Gaussian terms with 7 standard
# errors: nominal false-alarm probability 25 * 2.6e-12 per test, which leaves a wide margin below 1e-6 for
# the error of the normal approximation in the tail.
Z = 7.0


def dense_sigma(d: int) -> np.ndarray:
    """Return a full, singular covariance of trace d."""
    loadings = np.cos(np.arange(d * (d - 1)).reshape(d, d - 1))
    sigma = loadings @ loadings.T
    return sigma * d / np.trace(sigma)


DENSE = DataDistribution("dense", "uniform", dense_sigma)


def sigma_of(distribution: DataDistribution, d: int) -> np.ndarray:
    """Return Sigma as a matrix, from the declaration and not from the sampler."""
    if distribution.covariance is None:
        return np.eye(d)
    sigma = np.asarray(distribution.covariance(d))
    return np.diag(sigma) if sigma.ndim == 1 else sigma


def z_scores(X: np.ndarray, sigma: np.ndarray) -> float:
    """Return the largest studentised deviation of the first two moments."""
    n = len(X)
    worst = np.abs(X.mean(0)) / (np.sqrt(np.diag(sigma)) / math.sqrt(n) + 1e-12)
    products = np.einsum("ni,nj->nij", X, X)
    spread = products.std(0) / math.sqrt(n)
    second = np.abs(products.mean(0) - sigma) / (spread + 1e-9)
    return float(max(worst.max(), second.max()))


@pytest.mark.parametrize("distribution", [*map(data_distribution, NAMES), DENSE], ids=lambda x: x.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_and_covariance(distribution, dtype):
    X = distribution.sample(generator(1, distribution.name), N, D, dtype)
    assert X.shape == (N, D)
    assert X.dtype == dtype
    tolerance = Z + (0.05 if dtype == torch.float32 else 0)
    assert z_scores(X.double().numpy(), sigma_of(distribution, D)) < tolerance


def test_wrong_covariance_is_noticed():
    # The z-test can fail: this is no sample of Sigma = I, a variance is off by over 20 standard errors.
    X = data_distribution("gaussian_two_level").sample(generator(1, "negative"), N, D)
    assert z_scores(X.numpy(), np.eye(D)) > 2 * Z


@pytest.mark.parametrize("name", ["gaussian", "rademacher", "uniform"])
def test_fourth_moment_of_the_base(name):
    # E x^4 = 3, 1, 9/5; the variance of x^4 is at most 96 (Gaussian). Z as above.
    X = data_distribution(name).sample(generator(1, name, "fourth"), N, D)
    expected = {"gaussian": 3.0, "rademacher": 1.0, "uniform": 1.8}[name]
    assert abs(float((X**4).mean()) - expected) < Z * math.sqrt(96 / (N * D))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_entries_stay_in_their_support(dtype):
    signs = data_distribution("rademacher").sample(generator(0, "s"), 100, 7, dtype)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    uniform = data_distribution("uniform").sample(generator(0, "u"), 1000, 7, dtype)
    assert float(uniform.abs().max()) <= math.sqrt(3) * (1 + 1e-7)


@pytest.mark.parametrize("d", [1, 2, 7, 64])
def test_two_level_spectrum_has_trace_d(d):
    spectrum = two_level_spectrum(d)
    assert spectrum.sum() == pytest.approx(d, rel=1e-14)
    if d > 1:
        assert spectrum.max() / spectrum.min() == pytest.approx(3)


@pytest.mark.parametrize("distribution", [*map(data_distribution, NAMES), DENSE], ids=lambda x: x.name)
def test_sigma_moment_is_the_trace_of_sigma_squared(distribution):
    sigma = sigma_of(distribution, 8)
    assert distribution.sigma_moment(8) == pytest.approx(np.trace(sigma @ sigma) / 8, rel=1e-12)


def test_the_two_level_moment_is_known():
    assert data_distribution("gaussian_two_level").sigma_moment(64) == pytest.approx((1.5**2 + 0.5**2) / 2)
    assert data_distribution("rademacher").sigma_moment(64) == 1.0


def test_same_stream_same_sample():
    law = data_distribution("gaussian")
    first, again, other = (law.sample(generator(0, name), 4, 3) for name in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def flat(value: float):
    return lambda d: np.full(d, value)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (flat(1.1), "Tr Sigma must be equal to d = 4"),
        (flat(1 + 1e-8), "Tr Sigma must be equal to d = 4"),
        (lambda d: np.array([2.5, 2.5, -0.5, -0.5]), "positive semi-definite"),
        (lambda d: np.array([[1.0, 3, 0, 0], [3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "semi-definite"),
        (lambda d: np.eye(4) + np.eye(4, k=1), "symmetric"),
        (flat(np.nan), "finite"),
        (lambda d: np.full(d + 1, 0.8), "of shape"),
    ],
)
def test_wrong_sigma_is_refused(covariance, message):
    law = DataDistribution("wrong", "gaussian", covariance)
    with pytest.raises(InputError, match=message):
        law.sample(generator(0), 3, 4)
    with pytest.raises(InputError, match=message):
        law.sigma_moment(4)


def test_unknown_names_are_refused():
    with pytest.raises(
        InputError, match="one of gaussian, rademacher, uniform, gaussian_two_level, got 'cauchy'"
    ):
        data_distribution("cauchy")
    with pytest.raises(InputError, match="base must be one of"):
        DataDistribution("x", "laplace")


@pytest.mark.parametrize(("n", "d"), [(0, 3), (3, 0), (2.5, 3)])
def test_sizes_are_checked(n, d):
    with pytest.raises(InputError, match="positive integer"):
        data_distribution("gaussian").sample(generator(0), n, d)


def test_dtype_is_checked():
    with pytest.raises(InputError, match=r"torch\.float32 or torch\.float64"):
        data_distribution("gaussian").sample(generator(0), 2, 2, torch.float16)
