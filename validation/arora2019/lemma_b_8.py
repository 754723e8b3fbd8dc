r"""The dual of ReLU's derivative is continuous in the covariance.

Setting   sigma(z) = max(0, z); Lambda = Lambda^(h)(x, x'), whose diagonal is |x|^2, |x'|^2 at every h;
          G = G^(h)(x, x'), the Gram matrix of g^(h)(x), g^(h)(x'); t(M) = c E[sigma'(u) sigma'(v)]
          for (u, v) ~ N(0, M), c = 2. In Theorem 3.1, which this serves, |x|, |x'| <= 1.
Claim     max |G - Lambda| <= eps^2 / 2 implies |t(G) - t(Lambda)| <= eps, for every 0 <= eps <= 1.
Measured  The excess of |t(G) - t(Lambda)| over eps, t by Fact B.1, over all Lambda of inputs of norm at
          most 1 and all positive semidefinite G as close as the premise allows, the off-diagonal entry not
          negative, as those of ReLU's features are. Short inputs break it: the premise is absolute, and
          t depends on the angle alone. The proof takes Lambda_11 = Lambda_22 = 1; the corrected sibling has
          the premise that this gives for other norms, max |G - Lambda| <= eps^2 / 2 min(|x|^2, |x'|^2).
          (G^(h) tends to Lambda^(h+1), not to Lambda^(h); for a statement about two matrices this does not
          matter. The proof prints 1/2 + arcsin for 1/2 + arcsin / pi.)
"""

from __future__ import annotations

import math

from hypothesis import strategies as st

from whp.claims import Twin, always, claim, search

TOLERANCE = 1e-9

UNIT = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0.0, 1.0))
SIGNED = UNIT.map(lambda s: 2 * s - 1)
NORM = st.one_of(st.sampled_from([1.0, 0.1]), st.floats(1e-3, 1.0))
MOVES = st.tuples(SIGNED, SIGNED, SIGNED)
EPS = UNIT.filter(lambda s: s > 1e-3)
SHORT = {"x": NORM, "z": NORM, "cosine": SIGNED, "eps": EPS, "moves": MOVES}


def dual(first: float, second: float, inner: float) -> float:
    """t of [[first, inner], [inner, second]]."""
    edge = math.sqrt(first * second)
    return 0.5 + math.asin(max(-1.0, min(1.0, inner / edge))) / math.pi


def excess(x, z, cosine, eps, moves, *, distance=0.5, power=2.0, kept=1.0, relative=False):
    """|t(G) - t(Lambda)| less ``kept`` eps; the entries of G are within ``distance`` eps^``power``.

    ``relative`` multiplies that by the smaller squared norm.
    """
    allowed = distance * eps**power * (min(x * x, z * z) if relative else 1.0)
    first, second, inner = x * x, z * z, x * z * cosine
    g1, g2, g12 = (m + move * allowed for m, move in zip((first, second, inner), moves, strict=True))
    if min(g1, g2) <= 0:
        return 0.0  # no Gram matrix, or an input on which all units are off
    edge = math.sqrt(g1 * g2)
    g12 = max(0.0, min(edge, g12))
    if abs(g12 - inner) > allowed:
        return 0.0  # no Gram matrix of features is that close
    return abs(dual(g1, g2, g12) - dual(first, second, inner)) - kept * eps


def any_norm(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves)


def any_norm_third(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves, kept=1 / 3)


def any_norm_lipschitz(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves, distance=1.0, power=1.0)


def relative(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves, relative=True)


def relative_third(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves, kept=1 / 3, relative=True)


def relative_lipschitz(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves, distance=1.0, power=1.0, relative=True)


def relative_wide(x, z, cosine, eps, moves):
    return excess(x, z, cosine, eps, moves, distance=4.0, relative=True)


PREMISE = r"\|G - \Lambda\|_\infty \le \tfrac{\epsilon^2}{2}"
CONCLUSION = r" \Rightarrow |t_{\dot\sigma}(G) - t_{\dot\sigma}(\Lambda)| \le \epsilon"


def false(why, check):
    """A twin of the corrected lemma; its search is longer."""
    return Twin(why, experiment=search(check, given=SHORT, examples=(400, 1500, 5000), shrink=False))


printed = claim(
    "arora2019.lemma_b_8",
    always(
        experiment=search(any_norm, given=SHORT),
        statement=PREMISE + CONCLUSION + r" \quad (\|x\|, \|x'\| \le 1)",
        tolerance=TOLERANCE,
        twins={
            "third": Twin(
                "eps / 3 on the right", experiment=search(any_norm_third, given=SHORT, shrink=False)
            ),
            "lipschitz": Twin(
                "eps in place of eps^2 / 2",
                experiment=search(any_norm_lipschitz, given=SHORT, shrink=False),
            ),
        },
    ),
    title="The dual of ReLU's derivative is continuous in the covariance (fails for short inputs)",
    locus="Lemma B.8",
    regime="met",
    assumptions=(r"$\|x\|, \|x'\| \le 1$, as in Theorem 3.1; $0 \le \epsilon \le 1$.",),
)

corrected = claim(
    "arora2019.lemma_b_8_corrected",
    always(
        experiment=search(relative, given=SHORT, examples=(200, 1500, 5000)),
        statement=PREMISE + r" \min(\|x\|^2, \|x'\|^2)" + CONCLUSION,
        tolerance=TOLERANCE,
        twins={
            "third": false("eps / 3 on the right", relative_third),
            "lipschitz": false("eps in place of eps^2 / 2", relative_lipschitz),
            "wide": false("4 eps^2 in place of eps^2 / 2", relative_wide),
        },
    ),
    title="The dual of ReLU's derivative is continuous in the covariance, relative to the inputs' norms",
    locus="Lemma B.8",
    regime="met",
    assumptions=(r"$0 < \|x\|, \|x'\| \le 1$; $0 \le \epsilon \le 1$.",),
    printed=False,
    corrects="arora2019.lemma_b_8",
)
