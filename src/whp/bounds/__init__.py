"""Concentration inequalities: tail, quantile and expectation from parameters, and estimators of these."""

from whp.bounds.matrix_bernstein import BernsteinEstimate, HermitianBernstein, MatrixBernstein, estimate_L_v

__all__ = ["BernsteinEstimate", "HermitianBernstein", "MatrixBernstein", "estimate_L_v"]
