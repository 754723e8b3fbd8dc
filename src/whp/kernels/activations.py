"""Activation functions of Assumption 3.2 (hu2020), their derivatives and Gaussian moments."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from numbers import Real

import torch

from whp.errors import require
from whp.kernels import closed_forms
from whp.kernels.closed_forms import ClosedForm, Moments
from whp.kernels.quadrature import gaussian_mean

Elementwise = Callable[[torch.Tensor], torch.Tensor]

SQRT_2 = math.sqrt(2)
LOG_TWO_OVER_SQRT_PI = math.log(2 / math.sqrt(math.pi))
SQRT_2PI = math.sqrt(2 * math.pi)
# E log(1 + exp(g)), to 1e-16 (mpmath's quadrature with 40 digits).
SOFTPLUS_MEAN = 0.8060591833474398
# The root of t tanh t = 1, to 1e-16; see the supremum of swish' below.
SWISH_ROOT = 1.1996786402577338


@dataclass(frozen=True)
class Activation:
    """An activation function phi, elementwise on tensors of any shape and device.

    Two activations are equal when their names are.

    Attributes
    ----------
    name, latex : str
        Its name in the registry, and in formulas.
    phi, dphi, ddphi : callable
        phi, phi' and phi''. For the piecewise-linear ones phi'(0) = 1 (hu2020,
        footnote 8) and phi'' is 0. All are differentiable by autograd.
    smooth : bool
        Assumption 3.2 (i), bounded phi' and phi''; else (ii), piecewise linear.
    sup_dphi : float
        An upper bound of sup |phi'|, sharp to 1e-15.
    closed : ClosedForm or None
        Closed forms of the Gaussian expectations, where there are any.
    form : (str, float) or None
        What it is, for code that has a fast route for it: ``("erf", 0)``, or ``("piecewise", slope)`` for
        max(z, 0) + slope min(z, 0).
    """

    name: str
    latex: str = field(compare=False)
    phi: Elementwise = field(compare=False, repr=False)
    dphi: Elementwise = field(compare=False, repr=False)
    ddphi: Elementwise = field(compare=False, repr=False)
    smooth: bool = field(compare=False)
    sup_dphi: float = field(compare=False)
    closed: ClosedForm | None = field(default=None, compare=False, repr=False)
    form: tuple[str, float] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def moments(self) -> Moments:
        """Gaussian moments: closed forms, else quadrature with an error estimate (about 1e-15)."""
        if self.closed is not None:
            return self.closed.moments

        def integrands(u: torch.Tensor) -> torch.Tensor:
            d = self.dphi(u)
            return torch.stack((d, d**2, u * d, (u**2 - 1) * d, self.phi(u), (u**3 / 2 - u) * d))

        values, error = gaussian_mean(integrands)
        zeta, gamma, g_dphi, he2_dphi, mean, third = (
            0.0 if abs(value) <= error else value for value in values.tolist()
        )
        return Moments(zeta, gamma, g_dphi, he2_dphi, mean, g_dphi, third, error)


def nu(activation: Activation, sigma_moment: float) -> float:
    """Return nu = E[g phi'(g)] sqrt(sigma_moment) (hu2020, eq. (5)); ``sigma_moment`` is Tr[Sigma^2] / d."""
    good = isinstance(sigma_moment, Real) and 0 <= sigma_moment < math.inf
    require(good, "Tr[Sigma^2]/d", "finite and at least 0", sigma_moment)
    return activation.moments.g_dphi * math.sqrt(sigma_moment)


def leaky_relu(slope: float = 0.1) -> Activation:
    """Return phi(z) = z (z >= 0), slope z (z < 0): Assumption 3.2 (ii); slope 0 is ReLU.

    Raises
    ------
    InputError
        If the slope is not finite.
    """
    require(math.isfinite(slope), "slope", "finite", slope)
    name = {0.0: "relu", 0.1: "leaky_relu"}.get(slope, f"leaky_relu({slope!r})")
    return Activation(
        name=name,
        latex=r"\mathrm{ReLU}" if slope == 0 else rf"\mathrm{{LeakyReLU}}_{{{slope:g}}}",
        phi=partial(_piecewise, slope=slope),
        dphi=partial(_piecewise_d, slope=slope),
        ddphi=torch.zeros_like,
        smooth=False,
        sup_dphi=max(1.0, abs(slope)),
        closed=ClosedForm(
            closed_forms.piecewise_moments(slope),
            partial(closed_forms.piecewise_Phi, slope=slope),
            partial(closed_forms.piecewise_Gamma, slope=slope),
        ),
        form=("piecewise", slope),
    )


def activation(name: str) -> Activation:
    """Return the registered activation called ``name``.

    Raises
    ------
    InputError
        If there is none of that name; the message lists the names.
    """
    require(name in _REGISTRY, "activation", f"one of {', '.join(_REGISTRY)}", name)
    return _REGISTRY[name]


def activation_names() -> tuple[str, ...]:
    """Return the names in the registry."""
    return tuple(_REGISTRY)


def _erf_d(z: torch.Tensor) -> torch.Tensor:
    # exp(log c - z^2) in two passes over z, where c exp(-z^2) takes four; this is half of a training step.
    return torch.addcmul(z.new_tensor(LOG_TWO_OVER_SQRT_PI), z, z, value=-1).exp_()


def _erf_dd(z: torch.Tensor) -> torch.Tensor:
    return -2 * z * _erf_d(z)


def _piecewise(z: torch.Tensor, slope: float) -> torch.Tensor:
    return torch.nn.functional.leaky_relu(z, slope)  # vectorised, where torch.where is not


def _piecewise_d(z: torch.Tensor, slope: float) -> torch.Tensor:
    # Writing the comparison into a float tensor avoids a slow conversion from bool.
    step = torch.ge(z, 0, out=torch.empty_like(z))
    return step.mul_(1 - slope).add_(slope) if slope else step


def _tanh_d(z: torch.Tensor) -> torch.Tensor:
    t = torch.tanh(z)
    return torch.addcmul(z.new_ones(()), t, t, value=-1)


def _tanh_dd(z: torch.Tensor) -> torch.Tensor:
    return -2 * torch.tanh(z) * _tanh_d(z)


def _sigmoid_d(z: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(z) * torch.sigmoid(-z)


def _sigmoid_dd(z: torch.Tensor) -> torch.Tensor:
    return _sigmoid_d(z) * (torch.sigmoid(-z) - torch.sigmoid(z))


def _softplus(z: torch.Tensor) -> torch.Tensor:
    # torch's own softplus is the identity beyond 20, which is wrong by 2e-9 there.
    return torch.logaddexp(z, torch.zeros_like(z))


def _centred_softplus(z: torch.Tensor) -> torch.Tensor:
    return _softplus(z) - SOFTPLUS_MEAN


def _swish(z: torch.Tensor) -> torch.Tensor:
    return z * torch.sigmoid(z)


def _swish_d(z: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(z) * (1 + z * torch.sigmoid(-z))


def _swish_dd(z: torch.Tensor) -> torch.Tensor:
    return 2 * _sigmoid_d(z) + z * _sigmoid_dd(z)


def _normal_cdf(z: torch.Tensor) -> torch.Tensor:
    return 0.5 * torch.erfc(-z / SQRT_2)


def _normal_pdf(z: torch.Tensor) -> torch.Tensor:
    return torch.exp(-0.5 * z * z) / SQRT_2PI


def _gelu(z: torch.Tensor) -> torch.Tensor:
    return z * _normal_cdf(z)


def _gelu_d(z: torch.Tensor) -> torch.Tensor:
    return _normal_cdf(z) + z * _normal_pdf(z)


def _gelu_dd(z: torch.Tensor) -> torch.Tensor:
    return (2 - z * z) * _normal_pdf(z)


def _rounded_up(x: float) -> float:
    """Return ``x`` plus four units of rounding, so that rounding cannot make a supremum too small."""
    return x + 4 * math.ulp(x)


# swish' is largest where z tanh(z/2) = 2, that is z = 2t with t tanh t = 1; its value there is (1 + t)/2.
# gelu'' = (2 - z^2) times the normal density, so gelu' is largest at sqrt(2), where it is
# (1 + erf(1))/2 + 1/(e sqrt(pi)).
# The least values of both are those that mirror them, phi'(-z) = 1 - phi'(z), and smaller in modulus.
_GELU_SUP = (1 + math.erf(1)) / 2 + math.exp(-1) / math.sqrt(math.pi)

_REGISTRY = {
    entry.name: entry
    for entry in (
        Activation(
            "erf",
            r"\mathrm{erf}",
            torch.erf,
            _erf_d,
            _erf_dd,
            smooth=True,
            sup_dphi=_rounded_up(2 / math.sqrt(math.pi)),
            closed=ClosedForm(closed_forms.ERF_MOMENTS, closed_forms.erf_Phi, closed_forms.erf_Gamma),
            form=("erf", 0.0),
        ),
        leaky_relu(0.0),
        leaky_relu(),
        Activation("tanh", r"\tanh", torch.tanh, _tanh_d, _tanh_dd, smooth=True, sup_dphi=1.0),
        Activation(
            "sigmoid", r"\mathrm{sigmoid}", torch.sigmoid, _sigmoid_d, _sigmoid_dd, smooth=True, sup_dphi=0.25
        ),
        Activation(
            "softplus", r"\mathrm{softplus}", _softplus, torch.sigmoid, _sigmoid_d, smooth=True, sup_dphi=1.0
        ),
        # vartheta_0 = 0, and vartheta_1 is not: the one among these that is centred and not odd.
        Activation(
            "centred_softplus",
            r"\mathrm{softplus} - \mathbb{E}\,\mathrm{softplus}(g)",
            _centred_softplus,
            torch.sigmoid,
            _sigmoid_d,
            smooth=True,
            sup_dphi=1.0,
        ),
        Activation(
            "swish",
            r"\mathrm{swish}",
            _swish,
            _swish_d,
            _swish_dd,
            smooth=True,
            sup_dphi=_rounded_up((1 + SWISH_ROOT) / 2),
        ),
        Activation(
            "gelu", r"\mathrm{gelu}", _gelu, _gelu_d, _gelu_dd, smooth=True, sup_dphi=_rounded_up(_GELU_SUP)
        ),
    )
}
