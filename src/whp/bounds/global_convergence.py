r"""Global convergence of node-scaled networks: the printed thresholds and bounds, with all constants.

Source: caron2023, Theorem 4.1 (gradient flow, smooth activation), Theorem A.1 (gradient flow, ReLU) and
Theorem H.1 (gradient descent, smooth activation). Each class evaluates what its theorem prints, from
numbers that describe the data and the activation (:mod:`whp.kernels.mean_ntg` computes them):

- n, d: number and dimension of the inputs, whose norms are at most 1;
- kappa: the smallest eigenvalue of the mean NTG matrix at initialisation;
- gamma: the symmetric part of the node scaling, in (0, 1];
- delta: the failure probability, in (0, 1);
- C: a bound of the targets;
- C_1: the largest second moment of a hidden node, (8);
- M: a bound of the second derivative of the activation.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whp.bounds.matrix_bernstein import check_dimension
from whp.errors import require

Floats = NDArray[np.float64]

_LEAST_KAPPA = 1e-30
"""Least kappa d that is taken: below, powers of it could leave the range of double precision."""


@dataclass(frozen=True, kw_only=True)
class _Convergence:
    """What the three theorems share: sizes, their checks, and what follows from a width."""

    n: int
    d: int
    kappa: float
    gamma: float
    delta: float
    C: float

    def __post_init__(self) -> None:
        check_dimension("n", self.n)
        check_dimension("d", self.d)
        for name in ("kappa", "gamma", "delta", "C"):
            value = getattr(self, name)
            number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            require(number, name, "a number", value)
        # The diagonal of the mean NTG matrix is at most 1/d, and its smallest eigenvalue no larger.
        scaled = self.kappa * self.d
        good = _LEAST_KAPPA <= scaled <= 1 + 1e-9
        require(good, "kappa", f"in [{_LEAST_KAPPA:g} / d, 1 / d]", self.kappa)
        require(0 < self.gamma <= 1, "gamma", "in (0, 1]", self.gamma)
        require(0 < self.delta < 1, "delta", "in (0, 1)", self.delta)
        require(0 < self.C < math.inf, "C", "a positive number", self.C)

    @property
    def ratio(self) -> float:
        """n / (kappa d), at least n: all thresholds are made of its powers."""
        return self.n / (self.kappa * self.d)

    @property
    def terms(self) -> tuple[float, float, float]:
        """The three terms of which the threshold is the largest, in the order of print."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """The least width m that the theorem admits."""
        try:
            largest = max(self.terms)
        except (OverflowError, ZeroDivisionError):
            largest = math.inf
        require(largest < math.inf, "threshold of the width", "within double precision", largest)
        return math.ceil(largest)

    def memory(self, rank: int, itemsize: int = 8) -> int:
        """Return the bytes that a network of that width takes.

        Parameters
        ----------
        rank : int
            Of the inputs: a node needs as many coordinates (`whp.models.node_network`).
        itemsize : int
            Bytes a number.

        Notes
        -----
        Counted are the initial weights, what they moved by, the sign and the scale of each node.
        """
        check_dimension("rank", rank)
        return self.width * (2 * rank + 2) * itemsize

    def held_width(self, rank: int, available: int | None = None, itemsize: int = 8) -> int:
        """Return the width, where a network of it can be held in memory.

        Parameters
        ----------
        rank, itemsize : int
            As in :meth:`memory`.
        available : int, optional
            Bytes that may be taken; by default all that the machine has.

        Raises
        ------
        InputError
            If it cannot; the message has the width and the memory.
        """
        need = self.memory(rank, itemsize)
        room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if available is None else available
        what = f"gigabytes that the threshold, a width of {self.width} nodes, takes"
        require(need <= room, what, f"at most {room / 1e9:.3g}", need / 1e9)
        return self.width


@dataclass(frozen=True, kw_only=True)
class _FlowConvergence(_Convergence):
    """(a) and (b), which Theorems 4.1 and A.1 print alike."""

    @property
    def eigenvalue(self) -> float:
        """(a): the smallest eigenvalue of the NTG matrix is at least this at all times."""
        return self.gamma * self.kappa / 4

    def loss(self, t: float) -> float:
        """(b): the loss at time t is at most this many times the first one."""
        require(t >= 0, "t", "at least 0", t)
        return math.exp(-self.gamma * self.kappa * t / 2)


@dataclass(frozen=True, kw_only=True)
class GlobalConvergence(_FlowConvergence):
    r"""Theorem 4.1: gradient flow of a smooth network.

    For a width of at least `width`, with probability at least ``1 - delta``, at all times: the smallest
    eigenvalue of the NTG matrix is at least `eigenvalue`, the loss at most ``loss(t)`` times the first
    one, a node moves by at most ``movement(lambda_j)``, the NTG matrix changes in spectral norm by at most
    ``ntg_change(sum of lambda_j^2)``.

    Parameters
    ----------
    n, d : int
    kappa, gamma, delta, C : float
        See the module.
    C_1, M : float
        See the module; C_1 not negative, M positive.
    """

    C_1: float
    M: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_smooth(self.C_1, self.M)

    @property
    def moment(self) -> float:
        """C^2 + C_1."""
        return self.C**2 + self.C_1

    @property
    def terms(self) -> tuple[float, float, float]:
        """The three terms of which the threshold is the largest, in the order of print."""
        common = self.M**2 * self.moment / (self.gamma**2 * self.delta)
        return (
            8 * self.ratio * math.log(2 * self.n / self.delta),
            2**10 * self.ratio**3 * common,
            2**15 * self.ratio**4 * common,
        )

    def movement(self, lambda_j: float | Floats) -> float | Floats:
        """(c): the bound of ``||w_tj - w_0j||``, for one scale or an array of them."""
        factor = math.sqrt(2**7 * self.moment / (self.gamma**2 * self.delta))
        return np.sqrt(lambda_j) * (self.n / (self.kappa * math.sqrt(self.d)) * factor)

    def ntg_change_terms(self, power_sum: float) -> tuple[float, float]:
        """Return the two terms of (d), from the sum of the squares of the scales."""
        n, d, M = self.n, self.d, self.M
        root = self.n * math.sqrt(self.moment / self.delta) / (self.kappa * self.gamma)
        first = 2**7 * n * M**2 / d**3 * root**2 * power_sum
        second = 2**5 * n * M / d**2 * root * math.sqrt(power_sum)
        return first, second

    def ntg_change(self, power_sum: float) -> float:
        """(d): the bound of the change of the NTG matrix, from the sum of the squares of the scales."""
        return sum(self.ntg_change_terms(power_sum))


@dataclass(frozen=True, kw_only=True)
class ReluGlobalConvergence(_FlowConvergence):
    """Theorem A.1: gradient flow of a ReLU network.

    As `GlobalConvergence`, without C_1 and M; ``ntg_change`` takes the sum of ``lambda_j^(3/2)``.

    Parameters
    ----------
    n, d : int
    kappa, gamma, delta, C : float
        See the module.
    """

    @property
    def D_0(self) -> float:
        """``sqrt(2 C^2 + 2 / d)``."""
        return math.sqrt(2 * self.C**2 + 2 / self.d)

    @property
    def terms(self) -> tuple[float, float, float]:
        """The three terms of which the threshold is the largest, in the order of print."""
        # kappa^4 d^3 = (kappa d)^4 / d and kappa^6 d^5 = (kappa d)^6 / d.
        common = self.d * self.D_0**2 / (self.gamma**2 * self.delta**5)
        return (
            8 * self.ratio * math.log(4 * self.n / self.delta),
            2**25 * self.ratio**4 * common,
            2**35 * self.ratio**6 * common,
        )

    def movement(self, lambda_j: float | Floats) -> float | Floats:
        """(c): the bound of ``||w_tj - w_0j||``, for one scale or an array of them."""
        scale = 2**3 * self.n * self.D_0 / (self.kappa * self.gamma * math.sqrt(self.d * self.delta))
        return np.sqrt(lambda_j) * scale

    def ntg_change_terms(self, power_sum: float) -> tuple[float, float]:
        """Return the two terms of (d), from the sum of the powers 3/2 of the scales."""
        # n (...) is what stands below the root of the second term, over d^(5/2).
        inner = self.n * self.D_0 / (self.kappa * self.gamma * self.delta**2.5) * power_sum
        first = 2**9 * self.n / self.d**1.5 * inner
        second = 2**6 * self.n / self.d**1.25 * math.sqrt(inner)
        return first, second

    def ntg_change(self, power_sum: float) -> float:
        """(d): the bound of the change of the NTG matrix, from the sum of the powers 3/2 of the scales."""
        return sum(self.ntg_change_terms(power_sum))


@dataclass(frozen=True, kw_only=True)
class DescentConvergence(_Convergence):
    r"""Theorem H.1: gradient descent of a smooth network.

    For a learning rate below :meth:`rate_limit` and a width of at least `width`, with probability at least
    ``1 - delta``, the squared residual after s steps is at most ``loss(s)`` times the first one.

    Parameters
    ----------
    n, d : int
    kappa, gamma, delta, C, C_1, M : float
        As in `GlobalConvergence`.
    eta : float
        The learning rate.

    Raises
    ------
    InputError
        If the learning rate is not positive and below the printed limit, among others.
    """

    C_1: float
    M: float
    eta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_smooth(self.C_1, self.M)
        rule = f"above zero and below the limit of the theorem, {self.rate_limit:.6g}"
        require(0 < self.eta < self.rate_limit, "eta", rule, self.eta)

    @classmethod
    def at_limit(cls, flow: GlobalConvergence, share: float = 0.99) -> DescentConvergence:
        """Return the theorem for the setting of `flow`, its learning rate a share in (0, 1) of the limit."""
        require(0 < share < 1, "share", "in (0, 1)", share)
        limit = _rate_limit(flow)
        return cls(
            n=flow.n,
            d=flow.d,
            kappa=flow.kappa,
            gamma=flow.gamma,
            delta=flow.delta,
            C=flow.C,
            C_1=flow.C_1,
            M=flow.M,
            eta=share * limit,
        )

    @property
    def moment(self) -> float:
        """C^2 + C_1."""
        return self.C**2 + self.C_1

    @property
    def rate_limit(self) -> float:
        """The learning rate must be below this."""
        return _rate_limit(self)

    @property
    def alpha(self) -> float:
        """eta gamma kappa / 2: the share of the squared residual that a step takes away."""
        return self.eta * self.gamma * self.kappa / 2

    @property
    def beta(self) -> float:
        """``sqrt(1 - alpha)``."""
        return math.sqrt(1 - self.alpha)

    @property
    def terms(self) -> tuple[float, float, float]:
        """The three terms of which the threshold is the largest, in the order of print."""
        # eta / (1 - beta) = eta (1 + beta) / alpha, without the cancellation in 1 - beta.
        reach = (self.eta * (1 + self.beta) / self.alpha) ** 2
        common = reach * self.M**2 * self.moment / self.delta
        return (
            8 * self.ratio * math.log(2 * self.n / self.delta),
            2**5 * self.n**3 / (self.kappa * self.d**3) * common,
            2**11 * self.n**4 / (self.kappa**2 * self.d**4) * common,
        )

    def loss(self, s: int) -> float:
        """(27): the squared residual after s steps is at most this many times the first one."""
        require(s >= 0, "s", "at least 0", s)
        return (1 - self.alpha) ** s


def _rate_limit(at: GlobalConvergence | DescentConvergence) -> float:
    """The printed limit of the learning rate."""
    rate = at.gamma * at.kappa
    last = rate * at.d**2 * math.sqrt(at.delta) / (2**4.5 * at.n**2 * at.M * math.sqrt(at.moment))
    return min(2 / rate, rate * at.d**2 / (8 * at.n**2), last)


def _check_smooth(C_1: float, M: float) -> None:
    require(0 <= C_1 < math.inf, "C_1", "finite and not negative", C_1)
    require(0 < M < math.inf, "M", "a positive number", M)
