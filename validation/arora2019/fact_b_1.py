r"""Facts about dual activations.

Setting   c = 1 / E[sigma(g)^2]; t(M) = c E[sigma(u) sigma(v)] for (u, v) ~ N(0, M), and that(rho) is t of
          [[1, rho], [rho, 1]].
Claim     1. t([[1, 1], [1, 1]]) = 1 for every activation.
          2. that(1) = 1 and t([[a, a], [a, a]]) = a^k for homogeneous ones (printed "1-homogeneous";
          the k is that of k-homogeneous ones: 0 <= k <= 3 is tested, k = 1 included).
          3. For ReLU that(rho) = (sqrt(1 - rho^2) + rho arcsin rho) / pi + rho / 2, for its derivative
          that(rho) = 1/2 + arcsin(rho) / pi, and c = 2 for both.
          The sentence before: for k-homogeneous sigma, with rho = M_12 / sqrt(M_11 M_22),
          t(M) = c (M_11 M_22)^(k/2) that(rho), "that" without a subscript; the display above it is right.
Measured  The difference of the sides, relative to the right one. Expectations by quadrature in the angle of
          (u, v), whose radius and angle are independent; item 1 by one-dimensional integrals for the
          activations of the program, with its c. The sentence before has one factor c too many if its
          "that" is that of sigma, which contains it, and no other is defined.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gamma

from whp.claims import Twin, always, claim, search
from whp.kernels import activation, activation_names, c_sigma, leaky_relu

TOLERANCE = 1e-8
NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)

UNIT = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 1e-6, 1 - 1e-6]), st.floats(0.0, 1.0))
RHO = UNIT.map(lambda s: 2 * s - 1)
VARIANCE = st.one_of(st.just(1.0), st.floats(-12.0, 12.0).map(math.exp))
# sigma(z) = up z^k for z > 0 and down |z|^k for z < 0.
DEGREE = st.one_of(st.sampled_from([1.0, 0.0, 2.0]), st.floats(0.0, 3.0))
SLOPES = st.tuples(st.floats(0.25, 2.0), st.floats(-2.0, 2.0))
SIGMA = {"slopes": SLOPES, "degree": DEGREE}


def homogeneous(z, slopes, degree):
    up, down = slopes
    return np.where(z >= 0, up, down) * np.abs(z) ** degree


def moment(slopes, degree, first, second, rho):
    """E[sigma(u) sigma(v)] for variances ``first``, ``second`` and correlation ``rho``.

    u = r cos(phi) and v = r cos(phi - alpha), cos(alpha) = rho; pieces between the zeros of u and of v.
    """
    alpha = math.acos(rho)
    cuts = sorted(
        x % (2 * math.pi) for x in (math.pi / 2, -math.pi / 2, alpha + math.pi / 2, alpha - math.pi / 2)
    )
    cuts.append(cuts[0] + 2 * math.pi)
    total = 0.0
    for low, high in itertools.pairwise(cuts):
        # An end where a factor is a power of the distance, not an integer one, becomes smooth.
        s = (NODES + 1) / 2
        bend = s**4 * (35 - 84 * s + 70 * s**2 - 20 * s**3)
        slope = 140 * s**3 * (1 - s) ** 3
        phi = low + (high - low) * bend
        product = homogeneous(np.cos(phi), slopes, degree) * homogeneous(np.cos(phi - alpha), slopes, degree)
        total += (high - low) / 2 * float(WEIGHTS @ (slope * product))
    radius = 2**degree * gamma(degree + 1)  # E[r^(2k)]
    return (first * second) ** (degree / 2) * radius * total / (2 * math.pi)


def constant(slopes, degree):
    """c by a one-dimensional integral: E|g|^(2k) times the mean of the squared slopes."""
    size = 2**degree * gamma(degree + 0.5) / math.sqrt(math.pi)
    return 2 / ((slopes[0] ** 2 + slopes[1] ** 2) * size)


def apart(left, right):
    return abs(left - right) / max(abs(right), 1e-3)


# --- 1

FUNCTIONS = [*map(activation, activation_names()), leaky_relu(-0.5), leaky_relu(2.0)]
NAMED = {"which": st.integers(0, len(FUNCTIONS) - 1)}


def square_mean(which, power=2):
    """E[|sigma(g)|^power]."""

    def integrand(z):
        value = FUNCTIONS[which].phi(torch.tensor(z, dtype=torch.float64)).abs() ** power
        return float(value) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    return sum(quad(integrand, *ends, epsabs=1e-12)[0] for ends in ((-12, 0), (0, 12)))


def ones(which):
    return abs(c_sigma(FUNCTIONS[which]) * square_mean(which) - 1)


def ones_first_power(which):
    return abs(square_mean(which) / square_mean(which, 1) - 1)


def ones_relu(which):
    return abs(2 * square_mean(which) - 1)


# --- 2


def power(slopes, degree, a):
    return apart(constant(slopes, degree) * moment(slopes, degree, a, a, 1.0), a**degree)


def power_doubled(slopes, degree, a):
    return apart(constant(slopes, degree) * moment(slopes, degree, a, a, 1.0), a ** (2 * degree))


def power_relu(slopes, degree, a):
    return apart(2 * moment(slopes, degree, a, a, 1.0), a**degree)


# --- 3


def relu(rho):
    right = (math.sqrt(1 - rho**2) + rho * math.asin(rho)) / math.pi + rho / 2
    return abs(2 * moment((1.0, 0.0), 1.0, 1.0, 1.0, rho) - right)


def relu_half(rho):
    right = (math.sqrt(1 - rho**2) + rho * math.asin(rho)) / math.pi + 0.5
    return abs(2 * moment((1.0, 0.0), 1.0, 1.0, 1.0, rho) - right)


def step(rho):
    return abs(2 * moment((1.0, 0.0), 0.0, 1.0, 1.0, rho) - (0.5 + math.asin(rho) / math.pi))


def step_without_pi(rho):
    return abs(2 * moment((1.0, 0.0), 0.0, 1.0, 1.0, rho) - (0.5 + math.asin(rho)))


def constants(degree):
    """c = 2 for ReLU (degree 1) and its derivative (0)."""
    return abs(1 / moment((1.0, 0.0), degree, 1.0, 1.0, 1.0) - 2)


def constants_one(degree):
    return abs(1 / moment((1.0, 0.0), degree, 1.0, 1.0, 1.0) - 1)


# --- the sentence before

SCALED = {**SIGMA, "a": VARIANCE, "b": VARIANCE, "rho": RHO}


def scaling(slopes, degree, a, b, rho, *, factors=2, exponent=0.5):
    """t(M) against c^(factors - 1) (ab)^(k exponent) that(rho), in units of (ab)^(k/2)."""
    c = constant(slopes, degree)
    left = c * moment(slopes, degree, a, b, rho)
    right = c**factors * (a * b) ** (degree * exponent) * moment(slopes, degree, 1.0, 1.0, rho)
    return abs(left - right) / (a * b) ** (degree / 2)


def scaling_once(slopes, degree, a, b, rho):
    return scaling(slopes, degree, a, b, rho, factors=1)


def scaling_none(slopes, degree, a, b, rho):
    return scaling(slopes, degree, a, b, rho, factors=0)


def scaling_exponent(slopes, degree, a, b, rho):
    return scaling(slopes, degree, a, b, rho, factors=1, exponent=1.0)


def false(check, given):
    """The search of a twin."""
    return search(check, given=given, tolerance=TOLERANCE, shrink=False)


EQUAL = {**SIGMA, "a": VARIANCE}
ANGLE = {"rho": RHO}
BOTH = {"degree": st.sampled_from([0.0, 1.0])}

CLAIM = claim(
    "arora2019.fact_b_1",
    always(
        name="1",
        experiment=search(ones, given=NAMED, examples=(30, 100, 100), tolerance=TOLERANCE),
        statement=r"t_\sigma(1\,1;\,1\,1) = 1",
        tolerance=TOLERANCE,
        twins={
            "power": Twin("c = 1 / E|sigma|", experiment=false(ones_first_power, NAMED)),
            "relu": Twin("c = 2 for all", experiment=false(ones_relu, NAMED)),
        },
    ),
    always(
        name="2",
        experiment=search(power, given=EQUAL, tolerance=TOLERANCE),
        statement=r"t_\sigma(a\,a;\,a\,a) = a^k",
        tolerance=TOLERANCE,
        twins={
            "exponent": Twin("a^(2k)", experiment=false(power_doubled, EQUAL)),
            "relu": Twin("c = 2 for all", experiment=false(power_relu, EQUAL)),
        },
    ),
    always(
        name="3, ReLU",
        experiment=search(relu, given=ANGLE, tolerance=TOLERANCE),
        statement=r"\hat t_\sigma(\rho) = \frac{\sqrt{1 - \rho^2} + \rho \arcsin\rho}{\pi} + \frac{\rho}{2}",
        tolerance=TOLERANCE,
        twins={"half": Twin("1/2 in place of rho / 2", experiment=false(relu_half, ANGLE))},
    ),
    always(
        name="3, derivative",
        experiment=search(step, given=ANGLE, tolerance=TOLERANCE),
        statement=r"\hat t_{\dot\sigma}(\rho) = \frac12 + \frac{\arcsin\rho}{\pi}",
        tolerance=TOLERANCE,
        twins={
            "pi": Twin("arcsin, as the proof of Lemma B.8 has it", experiment=false(step_without_pi, ANGLE))
        },
    ),
    always(
        name="3, constants",
        experiment=search(constants, given=BOTH, examples=(2, 2, 2), tolerance=TOLERANCE),
        statement=r"c_\sigma = c_{\dot\sigma} = 2",
        tolerance=TOLERANCE,
        twins={"one": Twin("1 in place of 2", experiment=false(constants_one, BOTH))},
    ),
    title="Dual activations: normalisation, homogeneity, ReLU in closed form",
    locus="Fact B.1",
    regime="met",
)

SENTENCE = r"t_\sigma(\Sigma) = {} (\Sigma_{{11}} \Sigma_{{22}})^{{k/2}}\, \hat t{}(\rho)"
READING = r"$\hat t$ is read as $\hat t_\sigma$, the only one defined; $0 \le k \le 3$."
TWINS = {
    "none": Twin("divided by c", experiment=false(scaling_none, SCALED)),
    "exponent": Twin("exponent k in place of k/2", experiment=false(scaling_exponent, SCALED)),
}

sentence = claim(
    "arora2019.fact_b_1_scaling",
    always(
        experiment=search(scaling, given=SCALED, tolerance=TOLERANCE),
        statement=SENTENCE.format(r"c_\sigma", ""),
        tolerance=TOLERANCE,
        twins=TWINS,
    ),
    title="The dual of a homogeneous activation by its normalised one, with t-hat read as t-hat_sigma",
    locus="Section B.1, the sentence before Fact B.1",
    regime="met",
    assumptions=(READING,),
)

corrected = claim(
    "arora2019.fact_b_1_scaling_corrected",
    always(
        experiment=search(scaling_once, given=SCALED, tolerance=TOLERANCE),
        statement=SENTENCE.format("", r"_\sigma"),
        tolerance=TOLERANCE,
        twins=TWINS,
    ),
    title="The dual of a homogeneous activation by its normalised one, without the second factor",
    locus="Section B.1, the sentence before Fact B.1",
    regime="met",
    assumptions=(r"$0 \le k \le 3$.",),
    printed=False,
    corrects="arora2019.fact_b_1_scaling",
)
