r"""Matrix Chernoff inequalities.

Setting   X_1, ..., X_p independent, random, positive semi-definite n x n, eig_max(X_j) <= R; mu_min and
          mu_max the extreme eigenvalues of E S, S = sum_j X_j.
Claim     For delta in [0, 1): P(eig_min(S) <= (1 - delta) mu_min)
          <= n [e^-delta / (1 - delta)^(1 - delta)]^(mu_min / R) <= n exp(-delta^2 mu_min / (2 R));
          and for delta >= 0: P(eig_max(S) >= (1 + delta) mu_max)
          <= n [e^delta / (1 + delta)^(1 + delta)]^(mu_max / R) <= n exp(-delta^2 mu_max / ((2 + delta) R)).
Measured  Exact laws: sums of diagonal matrices of independent Bernoulli entries, n = 1..50, and of
          projections on one of two coordinates; p to 10^9, probabilities to exp(-600). The first form of the
          lower tail is attained in the limit of rare entries and delta -> 1; the twins are the nearest that
          these laws refute. The inequalities between the forms, by search over delta. Simulation, at the
          delta where each bound is 10 %: rank-one matrices, sparse, of unequal means, and of random
          directions; the deviation of the eigenvalue over the allowed one.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy import stats

from whp.bounds import MatrixChernoff
from whp.bounds.matrix_chernoff import lower_exponent, upper_exponent
from whp.claims import Design, Path, Twin, always, bound, claim, experiment, search, symbols

n = symbols("n")
LEVEL = 0.1
ROUNDING = 1e-7  # of the logarithm of an exact tail

# --- Exact laws

LAWS = {
    "p": st.one_of(st.integers(1, 40), st.floats(0.0, 9.0).map(lambda e: round(10**e))),
    "q": st.one_of(st.just(0.5), st.floats(-7.0, 0.0).map(lambda e: 10**e)),
    "n": st.one_of(st.sampled_from([1, 2, 50]), st.integers(1, 50)),
    "exponent": st.one_of(st.just(math.inf), st.floats(-3.0, 6.2).map(math.exp)),
    "simple": st.booleans(),
    "projection": st.booleans(),
}

# Many rare entries and small deviations, where the second form is at its best.
MANY = {
    **LAWS,
    "p": st.floats(6.0, 9.0).map(lambda e: round(10**e)),
    "q": st.floats(-2.0, -1.0).map(lambda e: 10**e),
    "exponent": st.floats(3.0, 6.0).map(math.exp),
    "projection": st.just(False),
}


def below(p, q, n, k, projection):
    """P(smallest of n independent Bin(p, q) <= k); or of the two counts of p coordinates drawn among two."""
    if projection:
        return min(1.0, 2 * float(stats.binom.cdf(k, p, 0.5))) if 2 * k < p else 1.0
    one = float(stats.binom.cdf(k, p, q))
    return -math.expm1(n * math.log1p(-one)) if one < 1 else 1.0


def above(p, q, n, k, projection):
    """P(largest >= k)."""
    if projection:
        return min(1.0, 2 * float(stats.binom.sf(k - 1, p, 0.5))) if 2 * k > p else 1.0
    one = float(stats.binom.sf(k - 1, p, q))
    return -math.expm1(n * math.log1p(-one)) if one < 1 else 1.0


def excess(tail, n, exponent):
    """log of a tail over n exp(-exponent), where that is below one and above exp(-600)."""
    log_bound = math.log(n) - exponent
    return math.log(tail) - log_bound if tail > 0 and -600 < log_bound < 0 else -1.0


def lower(p, q, n, exponent, simple, projection, factor=1.0, dimension=True):
    """At the atom next to the level where the simple exponent is as asked for."""
    q, n = (0.5, 2) if projection else (q, n)
    mu = p * q
    k = math.floor(mu * max(0.0, 1 - math.sqrt(2 * exponent / mu)))
    delta = 1 - k / mu if k else 1 - 1e-12  # the proposition leaves out delta = 1
    printed = float(lower_exponent(delta, simple=simple)) * mu * factor
    return excess(below(p, q, n, k, projection), n if dimension else 1, printed)


def upper(p, q, n, exponent, simple, projection, factor=1.0, dimension=True):
    q, n = (0.5, 2) if projection else (q, n)
    mu = p * q
    share = exponent / mu
    k = p if share > 1e6 else min(p, math.ceil(mu * (1 + (share + math.sqrt(share * (share + 8))) / 2)))
    printed = float(upper_exponent(max(0.0, k / mu - 1), simple=simple)) * mu * factor
    return excess(above(p, q, n, k, projection), n if dimension else 1, printed)


def lower_more(**case):
    return lower(**case, factor=1.02)


def lower_no_n(**case):
    return lower(**case, dimension=False)


def lower_simple_more(**case):
    return lower(**{**case, "simple": True}, factor=1.2)


def upper_more(**case):
    return upper(**case, factor=1.1)


def upper_no_n(**case):
    return upper(**case, dimension=False)


def upper_simple_more(**case):
    return upper(**{**case, "simple": True}, factor=1.2)


# --- The printed forms against each other

UNIT = {"delta": st.one_of(st.floats(0.0, 1.0, exclude_max=True), st.floats(1e-3, 0.1))}
LINE = {"delta": st.floats(-6.0, 12.0).map(lambda e: 10**e)}


def lower_forms(delta, two=2.0):
    return delta**2 / two - float(lower_exponent(delta))


def upper_forms(delta, slope=1.0):
    """The excess relative to the first exponent, which is large far out."""
    exact = float(upper_exponent(delta))
    if delta < 1e-3:  # it is a small difference of large numbers there
        exact = delta**2 / 2 - delta**3 / 6 + delta**4 / 12 - delta**5 / 20
    return delta * (delta / (2 + slope * delta)) / exact - 1


def lower_forms_more(delta):
    return lower_forms(delta, two=1.99)


def lower_forms_cubic(delta):
    return delta**2 / 2 + delta**3 / 5 - float(lower_exponent(delta))


def upper_forms_half(delta):
    return upper_forms(delta, slope=0.5)


def upper_forms_bernstein(delta):
    return upper_forms(delta, slope=0.64)


def searched(name, check, given, statement, tolerance=ROUNDING, **twins):
    return always(
        name=name,
        experiment=search(check, given=given, tolerance=tolerance, examples=(40, 400, 5000)),
        statement=statement,
        tolerance=tolerance,
        twins={
            key: Twin(
                words,
                experiment=search(
                    twin,
                    given=MANY if key == "simple" else given,
                    tolerance=tolerance,
                    examples=(400, 800, 5000),
                    shrink=False,
                ),
            )
            for key, (words, twin) in twins.items()
        },
    )


# --- Simulation


def draw(kind, rng, n, p):
    """S and its inequality: (n, n), MatrixChernoff."""
    if kind == "sparse":  # n b e_I e_I^T, b Bernoulli: the counts of the coordinates
        mu, R = p * 0.1, n
        return np.diag(R * rng.multinomial(rng.binomial(p, 0.1), np.full(n, 1 / n)).astype(float)), (
            mu,
            mu,
            R,
        )
    if kind == "unequal":
        means = np.linspace(0.1, 0.3, n)
        return np.diag(rng.binomial(p, means).astype(float)), (p * means[0], p * means[-1], 1.0)
    V = rng.standard_normal((p, n))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    squares = rng.beta(0.2, 0.8, p) if kind == "spread" else (rng.random(p) < 0.2).astype(float)
    return (V * squares[:, None]).T @ V, (0.2 * p / n, 0.2 * p / n, 1.0)


@experiment(
    quick=Design(Path(n=(32,), p=150 * n), {"kind": ["sparse"]}, trials=(102, 1200)),
    standard=Design(
        Path(n=(1, 32), p=150 * n),
        {"kind": ["sparse", "unequal", "spread", "directions"]},
        trials=(150, 1200),
    ),
)
def deviations(p, rng, device):
    """How far the extreme eigenvalues deviate, over what each form allows with probability 90 %."""
    S, (low, high, R) = draw(p.kind, rng, p.n, p.p)
    eigenvalues = np.linalg.eigvalsh(S)
    found = {}
    for words, n, range_ in (("", p.n, R), (", without n", 1, R), (", R / 3", p.n, R / 3)):
        chernoff = MatrixChernoff(n, low, high, range_)
        for form in (False, True):
            name = f"simple{words}" if form else f"first{words}"
            down = low - chernoff.lower_quantile(LEVEL, simple=form)
            up = chernoff.upper_quantile(LEVEL, simple=form) - high
            found[f"lower, {name}"] = float(low - eigenvalues[0]) / down
            found[f"upper, {name}"] = float(eigenvalues[-1] - high) / up
    return found


def simulated(side, form, quantity):
    """One tail in one form, at the delta where the bound is 10 %."""
    name, tight = f"{side}, {form}", form == "first"
    return bound(
        name=f"simulation: {name}",
        experiment=deviations,
        statistic=name,
        quantity=quantity,
        bound=1,
        delta=LEVEL,
        twins={
            "range": Twin("a third of R", statistic=f"{name}, R / 3"),
            **({"dimension": Twin("without the factor n", statistic=f"{name}, without n")} if tight else {}),
        },
    )


DOWN = r"(\mu_{\min} - \mathrm{eig}_{\min}(S)) / (\delta \mu_{\min})"
UP = r"(\mathrm{eig}_{\max}(S) - \mu_{\max}) / (\delta \mu_{\max})"

CLAIM = claim(
    "caron2023.prop_b_1",
    searched(
        "exact laws, lower tail",
        lower,
        LAWS,
        r"\Pr(\mathrm{eig}_{\min}(S) \le (1 - \delta) \mu_{\min})"
        r" \le n [e^{-\delta} / (1 - \delta)^{1 - \delta}]^{\mu_{\min} / R}"
        r" \le n e^{-\delta^2 \mu_{\min} / (2R)}",
        more=("2 % more in the exponent", lower_more),
        dimension=("without the factor n", lower_no_n),
        simple=("20 % more in the exponent of the second form", lower_simple_more),
    ),
    searched(
        "exact laws, upper tail",
        upper,
        LAWS,
        r"\Pr(\mathrm{eig}_{\max}(S) \ge (1 + \delta) \mu_{\max})"
        r" \le n [e^\delta / (1 + \delta)^{1 + \delta}]^{\mu_{\max} / R}"
        r" \le n e^{-\delta^2 \mu_{\max} / ((2 + \delta) R)}",
        more=("10 % more in the exponent", upper_more),
        dimension=("without the factor n", upper_no_n),
        simple=("20 % more in the exponent of the second form", upper_simple_more),
    ),
    searched(
        "forms of the lower tail",
        lower_forms,
        UNIT,
        r"\delta + (1 - \delta) \log(1 - \delta) \ge \delta^2 / 2",
        tolerance=1e-12,
        constant=("1.99 in place of 2", lower_forms_more),
        cubic=("delta^3 / 5 more", lower_forms_cubic),
    ),
    searched(
        "forms of the upper tail",
        upper_forms,
        LINE,
        r"(1 + \delta) \log(1 + \delta) - \delta \ge \delta^2 / (2 + \delta)",
        tolerance=1e-9,
        half=("2 + delta / 2", upper_forms_half),
        bernstein=("2 + 0.64 delta, where 2/3 holds", upper_forms_bernstein),
    ),
    simulated("lower", "first", DOWN),
    simulated("lower", "simple", DOWN),
    simulated("upper", "first", UP),
    simulated("upper", "simple", UP),
    title="Both tails of matrix Chernoff, in both forms",
    locus="Proposition B.1",
    regime="met",
    assumptions=(
        "Independent, positive semi-definite, bounded by R: by construction.",
        "In simulation delta is where the bound in question is 10 %; R, and the means, are exact.",
    ),
)
