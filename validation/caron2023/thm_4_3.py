r"""The expected first move of every weight, in closed form.

Setting   Model (2), weights from N(0, I_d), independent signs a_j, scales lambda_{m,j} by (1), any inputs
          and targets, gradient flow; g_1(x) = E[sigma(z |x| / sqrt d) sigma'(z |x| / sqrt d)].
Claim     E[dw_tjk/dt at t = 0] = -(lambda_{m,j} / sqrt d) sum_i x_ik g_1(x_i) for all j and k. For ReLU
          (Appendix A.2) it is -(lambda_{m,j} / (d sqrt(2 pi))) sum_i x_ik |x_i|.
Measured  dw_jk/dt of whole networks (its definition, with the outputs of all m nodes), averaged over a batch
          of draws, over the right-hand side. `all` is the mean of this ratio over j and k; `ends` its
          difference between (j, k) = (1, 1) and (m, d), so that no node or coordinate makes up for another.
          Inputs have positive entries, so that no sum over i is small, and norms from 0.3 to 1; targets
          go up to 3; all are new in every trial. `signed` takes inputs of any sign, and the mean over j of
          the error along sum_i x_i, in units of lambda_{m,j} / sqrt d times the sum of
          |x_i| E[(sigma sigma')^2]^(1/2):
          tanh is odd, so that both sides are zero and there is no ratio.
          lambda: gamma = 1, gamma = 1/2 with the weights (35), and gamma = 0 with lambda~ = (1/2, 1/2),
          where nodes j > 2 have lambda = 0 and do not move. Draws are spread evenly (see `_rates`), each with
          its own law, so that the mean is unbiased. Those of the signs cancel the targets in each batch;
          `plain` is one cell with independent draws, where targets from 1 to 3 cancel in the mean alone.
Regime    Assumption 2.2 is checked by computation in every trial. swish breaks it (sup|sigma'| = 1.0998)
          and has a claim of its own in regime beyond; with it the same is measured for swish / 1.1, which
          satisfies it: the ratio does not know the factor. For ReLU the appendix drops the assumption.
"""

from __future__ import annotations

import math

import torch

from whp.claims import Design, Path, Regime, Twin, claim, experiment, mean
from whp.kernels import g_1
from whp.kernels.quadrature import gaussian_mean

from ._rates import admitted, initial_rates, known, mean_rates, positive_inputs, scaled, scales_for

GRID = {"n": [1, 4], "gamma": [0.0, 0.5, 1.0], "m": [4], "nets": [4]}
SMALL = {"n": [4], "gamma": [0.5], "m": [4], "nets": [4]}
BIGGEST_TARGET = 3.0
HALF = 0.5


def scales_once(values):
    """All three scales with four inputs, one of them with a single input."""
    return values["n"] > 1 or values["gamma"] == HALF


def designs(activations, few):
    """Three dimensions for all activations; in quick one for a few of them."""
    quick = Design(Path(d=(3,)), {"activation": few, **SMALL}, trials=(16, 60))
    grid = {"activation": activations, **GRID}
    return {
        "quick": quick,
        "standard": Design(Path(d=(1, 3, 10)), grid, trials=(20, 80), only=scales_once),
    }


def ratios(p, rng, sigma, X, printed):
    """The measured mean over lambda_{m,j} times ``printed`` (d,); also with other weights for lambda."""
    y = torch.from_numpy(rng.uniform(-BIGGEST_TARGET, BIGGEST_TARGET, p.n))
    moved, lam = mean_rates(p, rng, X, y, sigma)
    used = lam > 0
    ratio, lam = moved.weights[used] / (lam[used, None] * printed), lam[used]  # (m', d), (m',)
    root, equal = ratio * lam.sqrt()[:, None], ratio * p.m * lam[:, None]
    return {
        "all": float(ratio.mean()),
        "ends": float(ratio[0, 0] - ratio[-1, -1]),
        "all, root of lambda": float(root.mean()),
        "ends, root of lambda": float(root[0, 0] - root[-1, -1]),
        "ends, equal lambda": float(equal[0, 0] - equal[-1, -1]),
    }


@experiment(**designs(["softplus", "sigmoid"], ["softplus"]))
def smooth(p, rng, device):
    """Ratios to the right-hand side, for activations that Assumption 2.2 admits."""
    sigma, X = admitted(p.activation), positive_inputs(rng, p.n, p.d)
    return ratios(p, rng, sigma, X, -(g_1(X, sigma).value @ X) / math.sqrt(p.d))


@experiment(**designs(["swish"], ["swish"]))
def swish(p, rng, device):
    """The same for swish, without Assumption 2.2."""
    sigma, X = known("swish"), positive_inputs(rng, p.n, p.d)
    return ratios(p, rng, sigma, X, -(g_1(X, sigma).value @ X) / math.sqrt(p.d))


@experiment(**designs(["relu"], ["relu"]))
def relu(p, rng, device):
    """The same for ReLU, to the form of Appendix A.2; also with its norms left out."""
    sigma, X = known("relu"), positive_inputs(rng, p.n, p.d)
    printed = -(X.norm(dim=1) @ X) / (p.d * math.sqrt(2 * math.pi))
    found = ratios(p, rng, sigma, X, printed)
    without = -X.sum(0) / (p.d * math.sqrt(2 * math.pi))
    return {**found, "all, no norms": found["all"] * float((printed / without).mean())}


@experiment(
    quick=Design(Path(d=(3,)), {"activation": ["tanh"], **SMALL}, trials=(16, 60)),
    standard=Design(
        Path(d=(1, 3, 10)),
        {"activation": ["tanh", "centred_softplus"], **GRID, "nets": [8]},
        trials=(20, 80),
        only=scales_once,
    ),
)
def signed(p, rng, device):
    """Error along the sum of inputs of any sign, in units of what the terms could add up to."""
    sigma = admitted(p.activation)
    X = scaled(torch.from_numpy(rng.standard_normal((p.n, p.d))), torch.from_numpy(rng.uniform(0.3, 1, p.n)))
    y = torch.from_numpy(rng.uniform(-BIGGEST_TARGET, BIGGEST_TARGET, p.n))
    moved, lam = mean_rates(p, rng, X, y, sigma, even=False)
    used = lam > 0
    s = X.norm(dim=1, keepdim=True) / math.sqrt(p.d)  # (n, 1)
    square, _ = gaussian_mean(lambda u: (sigma.phi(s * u) * sigma.dphi(s * u)) ** 2)
    unit = float(X.norm(dim=1) @ square.sqrt()) / math.sqrt(p.d)
    along = X.sum(0) / X.sum(0).norm()
    left = float((moved.weights[used] / lam[used, None] @ along).mean()) / unit
    right = -float(g_1(X, sigma).value @ X @ along) / math.sqrt(p.d) / unit
    moment, _ = gaussian_mean(lambda u: sigma.dphi(s * u) ** 2)
    wrong = -float((s[:, 0] * moment) @ X @ along) / math.sqrt(p.d) / unit
    return {"error": left - right, "error, z for sigma": left - wrong}


@experiment(
    quick=Design(Path(d=(2,)), {"n": [2], "gamma": [HALF], "m": [2], "draws": [2**14]}, trials=(16, 60)),
    standard=Design(Path(d=(2,)), {"n": [2], "gamma": [HALF], "m": [2], "draws": [2**18]}, trials=(16, 60)),
)
def plain(p, rng, device):
    """The ratio for softplus and targets above zero, from independent weights with independent signs.

    Also with signs that are all +1, for a sixteenth of the draws: then targets matter.
    """
    sigma, X = admitted("softplus"), positive_inputs(rng, p.n, p.d)
    lam = scales_for(p.m, p.gamma)
    W = torch.from_numpy(rng.standard_normal((p.draws, p.m, p.d)))
    signs = torch.from_numpy(rng.integers(0, 2, (p.draws, 1, p.m)) * 2.0 - 1)
    y = torch.from_numpy(rng.uniform(1, BIGGEST_TARGET, p.n))
    printed = -lam[:, None] * (g_1(X, sigma).value @ X) / math.sqrt(p.d)
    found = initial_rates(W, signs, lam, X, y, sigma)
    some = len(W) // 16
    fixed = initial_rates(W[:some], torch.ones_like(signs[:some]), lam, X, y, sigma)
    return {
        "all": float((found.weights.mean(0) / printed).mean()),
        "all, signs +1": float((fixed.weights.mean(0) / printed).mean()),
    }


RATIO = (
    r"\frac1{md} \sum_{j,k} \mathbb{E}\left[\tfrac{dw_{tjk}}{dt}\big|_{t=0}\right] \Big/"
    r" \left(-\tfrac{\lambda_{m,j}}{\sqrt d} \sum_i x_{ik}\, g_1(x_i)\right)"
)
ENDS = r"\text{the same ratio at } (j, k) = (1, 1) \text{ less that at } (m, d)"


def checks(measured, ratio=RATIO, **more):
    """The ratio is one on average, and the same at both ends."""
    return [
        mean(
            name="all",
            experiment=measured,
            statistic="all",
            quantity=ratio,
            target=1,
            tolerance=0.01,
            twins={
                "root": Twin("the square root of lambda in place of lambda", statistic="all, root of lambda"),
                "percent": Twin("larger by three percent", target=1.03),
                **more,
            },
        ),
        mean(
            name="ends",
            experiment=measured,
            statistic="ends",
            quantity=ENDS,
            target=0,
            tolerance=0.05,
            twins={
                "root": Twin("the square root of lambda", statistic="ends, root of lambda"),
                "equal": Twin("1/m in place of lambda_{m,j}", statistic="ends, equal lambda"),
            },
        ),
    ]


ANY_SIGN = mean(
    name="signed",
    experiment=signed,
    statistic="error",
    quantity=r"\text{error along } \sum_i x_i, \text{ in units of the sum of the sizes of its terms}",
    target=0,
    tolerance=0.01,
    twins={
        "linear": Twin("z |x| / sqrt d in place of sigma in g_1", statistic="error, z for sigma"),
        "off": Twin("off by two percent of the unit", target=0.02, tolerance=0.005),
    },
)
INDEPENDENT = mean(
    name="plain",
    experiment=plain,
    statistic="all",
    quantity=RATIO,
    target=1,
    tolerance=0.05,
    twins={
        "signs": Twin("signs a_j that are all +1", statistic="all, signs +1"),
        "larger": Twin("larger by fifteen percent", target=1.15),
    },
)
INPUTS = "Inputs and targets are arbitrary, and fixed when the network is drawn."

smooth_claim = claim(
    "caron2023.thm_4_3",
    *checks(smooth),
    ANY_SIGN,
    INDEPENDENT,
    title="Each weight moves by -lambda_j / sqrt(d) sum_i x_i g_1(x_i) on average",
    locus="Theorem 4.3",
    regime=Regime.MET,
    assumptions=("Assumption 2.2, checked by computation.", INPUTS),
)

swish_claim = claim(
    "caron2023.thm_4_3_swish",
    *checks(swish),
    title="Each weight moves by -lambda_j / sqrt(d) sum_i x_i g_1(x_i) on average: swish",
    locus="Theorem 4.3 with the activation of Appendix J",
    regime=Regime.BEYOND,
    assumptions=(r"$\sigma(z) = z / (1 + e^{-z})$, for which $\sup|\sigma'| = 1.0998$.", INPUTS),
)

relu_claim = claim(
    "caron2023.thm_4_3_relu",
    *checks(
        relu,
        RATIO.replace(
            r"\tfrac{\lambda_{m,j}}{\sqrt d} \sum_i x_{ik}\, g_1(x_i)",
            r"\tfrac{\lambda_{m,j}}{d \sqrt{2\pi}} \sum_i x_{ik} \|x_i\|",
        ),
        norms=Twin("without the norms of the inputs", statistic="all, no norms"),
    ),
    title="With ReLU each weight moves by -lambda_j / (d sqrt(2 pi)) sum_i x_i |x_i| on average",
    locus="Appendix A.2",
    regime=Regime.MET,
    assumptions=(r"ReLU with $\sigma'(z) = 1[z > 0]$.", INPUTS),
)
