r"""Hanson-Wright inequalities: the tail of a quadratic form ``x^T A x - E x^T A x``.

Three forms, all for x with independent centred entries.

- `gaussian_chaos`: x standard normal. In the eigenbasis of the symmetric part of A the form is
  ``sum_k lambda_k (g_k^2 - 1)``, and ``-log(1 - 2 s l)/2 - s l <= s^2 l^2 / (1 - 2 s |l|)``: sub-gamma
  with ``V = 2 ||A||_F^2`` and ``c = 2 ||A||``, which is Lemma 1 of Laurent and Massart (2000) with signs.
- `hanson_wright`: entries sub-Gaussian with variance factor v, explicit constants. Off the diagonal,
  decoupling (Vershynin 2018, Theorem 6.1.1) and comparison with Gaussians give
  ``log E exp(s S) <= log E exp(4 s v g^T A g') <= 8 s^2 v^2 ||A||_F^2 / (1 - 4 s v ||A||)``: sub-gamma with
  ``V = 16 v^2 ||A||_F^2``, ``c = 4 v ||A||``. On it, ``E x^(2p) <= 2 p! (2 v)^p`` gives ``V = 16 v^2 sum
  a_ii^2``, ``c = 2 v max |a_ii|``. The two are dependent: by Cauchy-Schwarz V and c of both are doubled and
  the variances add, ``V = 32 v^2 ||A||_F^2``, ``c = max(8 v ||A_off||, 4 v max |a_ii|)``.
- `HansonWright`: the printed form, ``2 exp(-C min(t^2 / (K^4 ||A||_F^2), t / (K^2 ||A||)))`` (Rudelson and
  Vershynin 2013, Theorem 1.1). The absolute constant C is not printed: it is a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
import torch

from whp.bounds.scalar import Floats, SubGamma, check_delta, check_not_negative, levels
from whp.errors import require


def gaussian_chaos(A: torch.Tensor, *, sides: int = 1) -> SubGamma:
    """Return the bound for ``g^T A g - Tr A``, g standard normal.

    Parameters
    ----------
    A : Tensor, shape (d, d)
        Need not be symmetric.
    sides : {1, 2}
        2 for the absolute value.
    """
    frobenius, spectral, _, _ = _norms(A)
    require(sides in (1, 2), "sides", "1 or 2", sides)
    return SubGamma(2.0 * frobenius**2, 2.0 * spectral, sides)


def hanson_wright(A: torch.Tensor, v: float, *, sides: int = 1) -> SubGamma:
    """Return the bound for ``x^T A x - E x^T A x``, x sub-Gaussian, with explicit constants.

    Parameters
    ----------
    A : Tensor, shape (d, d)
        Need not be symmetric. Without a diagonal, or with nothing else, the constants are better.
    v : float
        Variance factor of every entry: ``log E exp(s x_i) <= s^2 v / 2``; see `estimate_subgaussian`.
    sides : {1, 2}
        2 for the absolute value.
    """
    check_not_negative("v", v)
    require(sides in (1, 2), "sides", "1 or 2", sides)
    frobenius, _, off, diagonal = _norms(A)
    both = 2.0 if off > 0.0 and diagonal > 0.0 else 1.0
    c = max(4.0 * v * off, 2.0 * v * diagonal)
    return SubGamma(both * 16.0 * v**2 * frobenius**2, both * c, sides)


@dataclass(frozen=True)
class HansonWright:
    """The printed two-sided tail, ``2 exp(-C min(t^2 / (K^4 F^2), t / (K^2 S)))``.

    Parameters
    ----------
    K : float
        Largest psi_2 norm of the entries, ``inf {K : E exp(x^2 / K^2) <= 2}``; see `estimate_psi`.
    frobenius, spectral : float
        F and S, norms of A.
    constant : float
        C. The source does not print it: a bound with a C of one's own is no theorem.
    """

    K: float
    frobenius: float
    spectral: float
    constant: float

    def __post_init__(self) -> None:
        for name in ("K", "frobenius", "spectral"):
            require(0.0 < getattr(self, name) < np.inf, name, "finite and positive", getattr(self, name))
        require(0.0 < self.constant < np.inf, "constant", "finite and positive", self.constant)

    @overload
    def tail(self, t: float) -> float: ...
    @overload
    def tail(self, t: Floats) -> Floats: ...
    def tail(self, t: float | Floats) -> float | Floats:
        """Return the bound of ``P(|x^T A x - E x^T A x| >= t)``, at most 1."""
        u = np.maximum(levels(t), 0.0) / self.K**2
        exponent = self.constant * np.minimum((u / self.frobenius) ** 2, u / self.spectral)
        bound = np.minimum(1.0, 2.0 * np.exp(-exponent))
        return float(bound) if bound.ndim == 0 else bound

    def quantile(self, delta: float) -> float:
        """Return the t with ``tail(t) = delta``; 0 at ``delta = 1``."""
        check_delta(delta)
        if delta == 1.0:
            return 0.0
        x = float(np.log(2.0 / delta)) / self.constant
        return float(self.K**2 * max(self.frobenius * np.sqrt(x), self.spectral * x))

    def expectation(self) -> float:
        """Return a bound of the expected absolute value: the tail integrated, the min taken as a sum.

        ``int 2 exp(-C t^2 / (K^4 F^2)) dt + int 2 exp(-C t / (K^2 S)) dt``.
        """
        gauss = self.frobenius * float(np.sqrt(np.pi / self.constant))
        return self.K**2 * (gauss + 2.0 * self.spectral / self.constant)


def _norms(A: torch.Tensor) -> tuple[float, float, float, float]:
    """Frobenius and spectral norms of the symmetric part, spectral off the diagonal, largest |a_ii|."""
    square = A.ndim == 2 and A.shape[0] == A.shape[1] and len(A) > 0
    require(square, "A", "a square matrix", tuple(A.shape))
    require(bool(torch.isfinite(A).all()), "A", "finite in every entry", "NaN or inf")
    S = (A + A.T).to(torch.float64) / 2
    off = S - torch.diag(S.diagonal())
    return (
        float(torch.linalg.matrix_norm(S)),
        float(torch.linalg.eigvalsh(S).abs().max()),
        float(torch.linalg.eigvalsh(off).abs().max()),
        float(S.diagonal().abs().max()),
    )
