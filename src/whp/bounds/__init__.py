"""Concentration inequalities: tail, quantile and expectation from parameters, and estimators of these."""

from whp.bounds.global_convergence import (
    DescentConvergence,
    GlobalConvergence,
    ReluGlobalConvergence,
)
from whp.bounds.hanson_wright import HansonWright, gaussian_chaos, hanson_wright
from whp.bounds.matrix_bernstein import BernsteinEstimate, HermitianBernstein, MatrixBernstein, estimate_L_v
from whp.bounds.matrix_chernoff import ChernoffEstimate, MatrixChernoff, estimate_R_mu
from whp.bounds.quadratic_forms import QuadraticForm, TailEstimate, chaos_tail
from whp.bounds.scalar import (
    Markov,
    SubGamma,
    chi_square,
    estimate_chi_square,
    estimate_lipschitz,
    estimate_moment,
    estimate_psi,
    estimate_subgaussian,
    estimate_widths,
    gaussian_lipschitz,
    hoeffding,
)
from whp.bounds.unbounded_bernstein import (
    KlochkovZhivotovskiy,
    SubExponentialBernstein,
    UnboundedEstimate,
    estimate_unbounded,
    psi_1_chi_square,
)

__all__ = [
    "BernsteinEstimate",
    "ChernoffEstimate",
    "DescentConvergence",
    "GlobalConvergence",
    "HansonWright",
    "HermitianBernstein",
    "KlochkovZhivotovskiy",
    "Markov",
    "MatrixBernstein",
    "MatrixChernoff",
    "QuadraticForm",
    "ReluGlobalConvergence",
    "SubExponentialBernstein",
    "SubGamma",
    "TailEstimate",
    "UnboundedEstimate",
    "chaos_tail",
    "chi_square",
    "estimate_L_v",
    "estimate_R_mu",
    "estimate_chi_square",
    "estimate_lipschitz",
    "estimate_moment",
    "estimate_psi",
    "estimate_subgaussian",
    "estimate_unbounded",
    "estimate_widths",
    "gaussian_chaos",
    "gaussian_lipschitz",
    "hanson_wright",
    "hoeffding",
    "psi_1_chi_square",
]
