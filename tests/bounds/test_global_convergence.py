"""Thresholds and bounds of caron2023 against the print in many digits and against its proofs."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest

from whp.bounds import DescentConvergence, GlobalConvergence, ReluGlobalConvergence
from whp.errors import InputError

mp = mpmath.mpf
SIZES = {"n": 3, "d": 7, "kappa": 0.031, "gamma": 0.4, "delta": 0.15, "C": 0.2}
SMOOTH = GlobalConvergence(**SIZES, C_1=0.17, M=0.77)
RELU = ReluGlobalConvergence(**SIZES)
DESCENT = DescentConvergence.at_limit(SMOOTH, 0.9)


def exact(of):
    """The numbers of an object as mpmath's."""
    return {name: mp(value) for name, value in vars(of).items()}


def threshold_by_proof(at: GlobalConvergence) -> list[float]:
    """Appendix G: the three terms by way of sum_j c_j^2, for scales that sum to one."""
    n, d, k, C_1, M, delta = at.n, at.d, at.kappa, at.C_1, at.M, at.delta
    c_squared = n**2 * (at.C**2 + C_1) * 2 * 64**2 / (at.gamma**2 * delta**3 * k**2 * d)
    return [
        8 * n / (k * d) * np.log(2 * n / delta),
        n * M**2 * delta**2 / (8 * d**2 * k) * c_squared,
        4 * n**2 * M**2 * delta**2 / (d**3 * k**2) * c_squared,
    ]


class TestPrint:
    def test_theorem_4_1(self) -> None:
        v = exact(SMOOTH)
        n, d, k, g, delta, M = (v[name] for name in ("n", "d", "kappa", "gamma", "delta", "M"))
        moment = v["C"] ** 2 + v["C_1"]
        terms = (
            2**3 * n * mpmath.log(2 * n / delta) / (k * d),
            2**10 * n**3 * M**2 * moment / (k**3 * d**3 * g**2 * delta),
            2**15 * n**4 * M**2 * moment / (k**4 * d**4 * g**2 * delta),
        )
        assert SMOOTH.terms == pytest.approx([float(t) for t in terms], rel=1e-13)
        assert SMOOTH.width == int(mpmath.ceil(max(terms)))
        moved = mpmath.sqrt(mp(0.3)) * n / (k * mpmath.sqrt(d)) * mpmath.sqrt(2**7 * moment / (g**2 * delta))
        assert SMOOTH.movement(0.3) == pytest.approx(float(moved), rel=1e-13)
        changed = 2**7 * n**3 * M**2 * moment / (k**2 * d**3 * g**2 * delta) * mp(0.01)
        changed += 2**5 * n**2 * M * mpmath.sqrt(moment) / (k * d**2 * g * mpmath.sqrt(delta)) * mp("0.1")
        assert SMOOTH.ntg_change(0.01) == pytest.approx(float(changed), rel=1e-13)
        assert SMOOTH.eigenvalue == pytest.approx(float(g * k / 4), rel=1e-14)
        assert SMOOTH.loss(11.0) == pytest.approx(float(mpmath.exp(-g * k * 11 / 2)), rel=1e-14)

    def test_theorem_a_1(self) -> None:
        v = exact(RELU)
        n, d, k, g, delta = (v[name] for name in ("n", "d", "kappa", "gamma", "delta"))
        D_0 = mpmath.sqrt(2 * v["C"] ** 2 + 2 / d)
        terms = (
            2**3 * n * mpmath.log(4 * n / delta) / (k * d),
            2**25 * n**4 * D_0**2 / (k**4 * d**3 * g**2 * delta**5),
            2**35 * n**6 * D_0**2 / (k**6 * d**5 * g**2 * delta**5),
        )
        assert RELU.terms == pytest.approx([float(t) for t in terms], rel=1e-13)
        moved = 2**3 * n * D_0 / (k * mpmath.sqrt(d) * g * mpmath.sqrt(delta)) * mpmath.sqrt(mp(0.3))
        assert RELU.movement(0.3) == pytest.approx(float(moved), rel=1e-13)
        changed = 2**9 * n**2 * D_0 / (k * d ** mp(1.5) * g * delta ** mp(2.5)) * mp(0.01)
        changed += (
            2**6 * n ** mp(1.5) * mpmath.sqrt(D_0) * mp("0.1")
            / (mpmath.sqrt(k) * d ** mp(1.25) * mpmath.sqrt(g) * delta ** mp(1.25))
        )  # fmt: skip
        assert RELU.ntg_change(0.01) == pytest.approx(float(changed), rel=1e-13)

    def test_theorem_h_1(self) -> None:
        v = exact(DESCENT)
        n, d, k, g, delta, M, eta = (v[name] for name in ("n", "d", "kappa", "gamma", "delta", "M", "eta"))
        moment = v["C"] ** 2 + v["C_1"]
        limits = (
            2 / (g * k),
            g * k * d**2 / (8 * n**2),
            g * k * d**2 * mpmath.sqrt(delta) / (2 ** mp(4.5) * n**2 * M * mpmath.sqrt(moment)),
        )
        assert DESCENT.rate_limit == pytest.approx(float(min(limits)), rel=1e-13)
        assert DESCENT.eta == pytest.approx(0.9 * float(min(limits)), rel=1e-13)
        alpha = eta * g * k / 2
        beta = mpmath.sqrt(1 - alpha)
        terms = (
            2**3 * n * mpmath.log(2 * n / delta) / (k * d),
            2**5 * eta**2 * n**3 * M**2 * moment / (k * d**3 * (1 - beta) ** 2 * delta),
            2**11 * eta**2 * n**4 * M**2 * moment / (k**2 * d**4 * (1 - beta) ** 2 * delta),
        )
        assert DESCENT.terms == pytest.approx([float(t) for t in terms], rel=1e-11)
        assert DESCENT.loss(5) == pytest.approx(float((1 - alpha) ** 5), rel=1e-13)

    def test_no_digits_are_lost_at_a_small_rate(self) -> None:
        """(1 - beta)^2 cancels; as eta vanishes they tend to those of Theorem 4.1, the second to half."""
        slow = replace(DESCENT, eta=1e-13)
        log, cube, fourth = SMOOTH.terms
        assert slow.terms == pytest.approx((log, cube / 2, fourth), rel=1e-12)
        with mpmath.workdps(40):
            beta = mpmath.sqrt(1 - mp(slow.eta) * mp(slow.gamma) * mp(slow.kappa) / 2)
            factor = (mp(slow.eta) / (1 - beta)) ** 2
        last = 2**11 * 3**4 * slow.M**2 * slow.moment / (slow.kappa**2 * 7**4 * slow.delta) * float(factor)
        assert slow.terms[2] == pytest.approx(last, rel=1e-12)


class TestProofs:
    def test_threshold_by_the_proof(self) -> None:
        for at in (SMOOTH, replace(SMOOTH, n=1, d=1, kappa=0.7, delta=0.9)):
            assert at.terms == pytest.approx(threshold_by_proof(at), rel=1e-12)

    def test_a_wrong_power_is_noticed(self) -> None:
        """The route through the proof can disagree: at delta^2 in place of delta it does."""
        wrong = replace(SMOOTH, delta=SMOOTH.delta**2)
        assert wrong.terms[2] != pytest.approx(threshold_by_proof(SMOOTH)[2], rel=0.5)

    def test_conclusions_by_lemma_e_5(self) -> None:
        """(c) is delta c_j / 8, (d) is that of Lemma E.5."""
        at, scales = SMOOTH, np.array([0.5, 0.3, 0.2])
        c = np.sqrt(
            scales * at.n**2 * at.moment * 2 * 64**2 / (at.gamma**2 * at.delta**3 * at.kappa**2 * at.d)
        )
        assert at.movement(scales) == pytest.approx(at.delta * c / 8, rel=1e-12)
        weighted = scales @ c**2
        change = at.n * at.M**2 * at.delta**2 / (64 * at.d**2) * weighted
        change += at.n * at.M * at.delta / (2**1.5 * at.d**1.5) * np.sqrt(weighted)
        assert at.ntg_change(scales @ scales) == pytest.approx(change, rel=1e-12)

    def test_relu_by_lemma_e_3(self) -> None:
        """The proof sets c_j = D sqrt(lambda_j); (d) is n/d sum lambda c + 2^(3/2) n/d sqrt(sum lambda c)."""
        at, scales = RELU, np.array([0.5, 0.3, 0.2])
        D = np.sqrt(
            at.n**2 * (at.C**2 + 1 / at.d) * 2 * 512**2 / (at.gamma**2 * at.delta**5 * at.kappa**2 * at.d)
        )
        c = np.sqrt(scales) * D
        assert at.movement(scales) == pytest.approx(at.delta**2 * c / 64, rel=1e-12)
        weighted = scales @ c
        change = at.n / at.d * weighted + 2**1.5 * at.n / at.d * np.sqrt(weighted)
        assert at.ntg_change(np.sum(scales**1.5)) == pytest.approx(change, rel=1e-12)
        # Twice what the proof asks for: (8 n D / (d kappa))^2 and (16^2 n^2 D / (d^2 kappa^2))^2.
        proof = [(8 * at.n * D / (at.d * at.kappa)) ** 2, (256 * at.n**2 * D / (at.d * at.kappa) ** 2) ** 2]
        assert at.terms[1:] == pytest.approx([2 * t for t in proof], rel=1e-12)


class TestMemory:
    def test_too_wide_is_said(self) -> None:
        said = r"gigabytes that the threshold, a width of \d{10,} nodes, takes must be at most 8, got \d+"
        with pytest.raises(InputError, match=said):
            RELU.held_width(rank=3, available=8 * 10**9)

    def test_what_fits_is_returned(self) -> None:
        small = GlobalConvergence(n=2, d=500, kappa=1.9e-3, gamma=1, delta=0.5, C=0.1, C_1=0.002, M=0.77)
        assert small.held_width(rank=2) == small.width < 20_000
        assert small.memory(2) == small.width * 48
        assert small.memory(2, itemsize=4) == small.width * 24

    def test_the_machine_is_the_default(self) -> None:
        with pytest.raises(InputError, match="threshold"):
            replace(RELU, kappa=1e-12).held_width(rank=3)


class TestInput:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"n": 0}, "n must be a positive integer"),
            ({"d": 2.0}, "d must be a positive integer"),
            ({"kappa": 0.0}, "kappa must be in"),
            ({"kappa": 0.2}, "kappa must be in"),
            ({"kappa": float("nan")}, "kappa must be in"),
            ({"gamma": 0.0}, r"gamma must be in \(0, 1\]"),
            ({"gamma": 1.01}, r"gamma must be in \(0, 1\]"),
            ({"delta": 0.0}, r"delta must be in \(0, 1\)"),
            ({"delta": 1.0}, r"delta must be in \(0, 1\)"),
            ({"C": 0.0}, "C must be a positive number"),
            ({"C_1": -1e-9}, "C_1 must be finite and not negative"),
            ({"M": 0.0}, "M must be a positive number"),
        ],
    )
    def test_refused(self, change: dict[str, float], message: str) -> None:
        with pytest.raises(InputError, match=message):
            replace(SMOOTH, **change)

    def test_a_rate_at_the_limit_is_refused(self) -> None:
        with pytest.raises(InputError, match="eta must be above zero and below the limit"):
            replace(DESCENT, eta=DESCENT.rate_limit)
        with pytest.raises(InputError, match="share must be in"):
            DescentConvergence.at_limit(SMOOTH, 1.0)

    def test_times_before_the_start_are_refused(self) -> None:
        with pytest.raises(InputError, match="t must be at least 0"):
            SMOOTH.loss(-1e-9)
        with pytest.raises(InputError, match="s must be at least 0"):
            DESCENT.loss(-1)


def test_numbers_that_leave_double_precision_are_refused():
    with pytest.raises(InputError, match="threshold of the width must be within double precision"):
        _ = replace(SMOOTH, C=1e200).width
    with pytest.raises(InputError, match="threshold of the width must be within double precision"):
        _ = replace(SMOOTH, gamma=1e-300).width
    for name in ("kappa", "gamma", "delta", "C"):
        with pytest.raises(InputError, match=f"{name} must be a number"):
            replace(SMOOTH, **{name: "a"})
        with pytest.raises(InputError, match=f"{name} must be a number"):
            replace(SMOOTH, **{name: True})
