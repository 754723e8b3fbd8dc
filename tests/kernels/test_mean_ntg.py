"""The mean NTG, kappa_n, C_0, C_1, g_1 and g_2, against Gauss-Hermite sums, closed forms and mpmath."""

import math

import mpmath
import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import Activation, activation, c_0, c_1, g_1, g_2, kappa, mean_ntg

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / math.sqrt(2 * math.pi)
NUMPY = {  # phi, phi', phi'' in numpy
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2, lambda z: -2 * np.tanh(z) / np.cosh(z) ** 2),
    "softplus": (
        lambda z: np.logaddexp(0, z),
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
}
X2 = torch.tensor([[0.6, 0.8], [0.5, -0.1], [-0.2, 0.7]], dtype=torch.float64)


def means(f):
    """E[f(w)] for w ~ N(0, I_2); f takes (2, N) and returns (..., N)."""
    u, v = np.meshgrid(NODES, NODES)
    return f(np.stack((u.ravel(), v.ravel()))) @ np.outer(WEIGHTS, WEIGHTS).ravel()


def preactivations(X, w):
    return X.numpy() @ w / math.sqrt(X.shape[1])


@pytest.mark.parametrize("name", NUMPY)
def test_mean_ntg_and_c_0(name):
    dphi = NUMPY[name][1]
    slopes = lambda w: dphi(preactivations(X2, w))  # noqa: E731
    gram = X2.numpy() @ X2.numpy().T / 2
    mean = means(lambda w: slopes(w)[:, None] * slopes(w)[None])
    square = means(lambda w: (slopes(w)[:, None] * slopes(w)[None]) ** 2)
    np.testing.assert_allclose(mean_ntg(X2, activation(name)).numpy(), gram * mean, rtol=1e-8)
    assert c_0(X2, activation(name)) == pytest.approx((gram**2 * (square - mean**2)).sum(), rel=1e-6)


@pytest.mark.parametrize("name", NUMPY)
def test_g_1_and_g_2(name):
    phi, dphi, ddphi = NUMPY[name]
    one = means(lambda w: phi(preactivations(X2, w)) * dphi(preactivations(X2, w)))
    found = g_1(X2, activation(name))
    np.testing.assert_allclose(found.value.numpy(), one, rtol=1e-8, atol=1e-12)
    for i, j, k in ((0, 1, 2), (1, 1, 0), (2, 2, 2)):

        def product(w, i=i, j=j, k=k):
            z = preactivations(X2, w)
            return ddphi(z[i]) * dphi(z[j]) * dphi(z[k]) * phi(z[k])

        found = g_2(X2[i], X2[j], X2[k], activation(name))
        assert float(found.value) == pytest.approx(means(product), rel=1e-7)
        assert float(found.error) < 1e-13


def test_g_2_depends_on_inner_products_alone():
    """Three inputs in three dimensions, and the same turned into five; parallel ones and zero too."""
    rng = np.random.default_rng(1)
    X = torch.from_numpy(rng.standard_normal((3, 3)))
    Q = torch.from_numpy(np.linalg.qr(rng.standard_normal((5, 3)))[0])
    softplus = activation("softplus")
    turned = X @ Q.T * math.sqrt(5 / 3)  # keeps x_i . x_k / d
    assert float(g_2(*turned, softplus).value) == pytest.approx(float(g_2(*X, softplus).value), rel=1e-12)
    zero = torch.zeros(3, dtype=torch.float64)
    assert float(g_2(zero, zero, zero, softplus).value) == pytest.approx(
        0.25 * 0.5**2 * math.log(2), rel=1e-12
    )
    with pytest.raises(InputError, match="activation must be smooth"):
        g_2(*X, activation("relu"))


def test_relu_by_its_angles():
    relu = activation("relu")
    norms = X2.norm(dim=1)
    cosines = (X2 @ X2.T / (norms[:, None] * norms)).clamp(-1, 1).numpy()
    p = 0.5 - np.arccos(cosines) / (2 * math.pi)
    gram = X2.numpy() @ X2.numpy().T / 2
    np.testing.assert_allclose(mean_ntg(X2, relu).numpy(), gram * p, rtol=1e-7)
    assert c_0(X2, relu) == pytest.approx((gram**2 * (p - p**2)).sum(), rel=1e-7)
    # Appendix A.2: |x| / sqrt(2 pi d).
    np.testing.assert_allclose(
        g_1(X2, relu).value.numpy(), norms.numpy() / math.sqrt(4 * math.pi), rtol=1e-12
    )


def test_leaky_relu_by_sampling():
    # A standard error is below 4e-4 of the value for each; ten of them have probability below 1e-20.
    leaky, rng = activation("leaky_relu"), np.random.default_rng(2)
    z = torch.from_numpy(rng.standard_normal((400_000, 2))) @ X2.T / math.sqrt(2)
    slopes = leaky.dphi(z)
    gram = X2 @ X2.T / 2
    pairs = slopes[:, :, None] * slopes[:, None]
    sampled = float((gram**2 * pairs.var(0)).sum())
    assert c_0(X2, leaky) == pytest.approx(sampled, rel=0.02)
    np.testing.assert_allclose(g_1(X2, leaky).value, (leaky.phi(z) * slopes).mean(0), rtol=0.02)


@pytest.mark.parametrize("name", ["tanh", "erf", "relu", "swish"])
def test_kappa_of_orthogonal_inputs_is_exact(name):
    """For orthogonal inputs the matrix is diagonal: E[phi'(z / sqrt d)^2] / d, here with 40 digits."""
    derivative = {
        "tanh": lambda z: mpmath.sech(z) ** 2,
        "erf": lambda z: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(z**2)),
        "relu": lambda z: mpmath.mpf(z > 0),
        "swish": lambda z: (1 + z / (1 + mpmath.exp(z))) / (1 + mpmath.exp(-z)),
    }[name]
    d = 3
    with mpmath.workdps(30):
        exact = (
            mpmath.quad(lambda u: derivative(u / mpmath.sqrt(d)) ** 2 * mpmath.npdf(u), [-12, -4, 0, 4, 12])
            / d
        )
    found = kappa(torch.eye(2, d), activation(name))
    assert found.low <= float(exact) <= found.high
    assert found.interval.width < 1e-10
    assert found.value == pytest.approx(float(exact), rel=1e-11)


def test_kappa_is_certified_where_it_is_lost_in_rounding():
    X = torch.tensor([[1.0, 0.0], [1.0, 1e-9]], dtype=torch.float64)
    for name in ("tanh", "relu"):
        found = kappa(X, activation(name))
        assert found.low <= 0 < found.high < 1e-6
    # Not so close, the interval of ReLU is wider for nearly parallel inputs than for others.
    near, apart = (kappa(torch.tensor([[1.0, 0.0], [1.0, e]], dtype=torch.float64), activation("relu"))
                   for e in (1e-5, 1.0))  # fmt: skip
    assert near.low > 0
    assert near.interval.width > 100 * apart.interval.width


@pytest.mark.parametrize(("name", "d"), [("tanh", 1), ("softplus", 2), ("sigmoid", 50)])
def test_c_1_of_what_grows_with_c(name, d):
    """E[sigma(c z / sqrt d)^2] grows with c for these, so that c = 1 is the largest."""
    sigma = {"sigmoid": lambda z: 1 / (1 + np.exp(-z))}.get(name) or NUMPY[name][0]
    exact = sigma(NODES / math.sqrt(d)) ** 2 @ WEIGHTS
    assert exact * (1 - 1e-9) <= c_1(activation(name), d) <= exact * (1 + 1e-7)


def test_c_1_where_the_largest_is_inside():
    """A bump whose mean square is largest at c < 1, and one at c -> 0: a grid of c in numpy agrees."""
    for f, inside in ((lambda z: z * torch.exp(-(z**2)), True), (torch.cos, False)):
        sigma = Activation("own", "own", f, f, f, smooth=True, sup_dphi=1.0)
        grid = np.linspace(0, 1, 2001)
        z = torch.from_numpy(grid[:, None] * NODES)
        values = (f(z).numpy() ** 2) @ WEIGHTS
        best = int(values.argmax())
        assert (0 < best < 2000) is inside
        assert values[best] <= c_1(sigma, 1) <= values[best] + 1e-5
