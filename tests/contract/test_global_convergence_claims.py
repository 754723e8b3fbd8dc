"""What the claims about global convergence rest on: the bounds for later times, and that they can FAIL."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from whp.bounds import DescentConvergence
from whp.claims import Point
from whp.engine.discovery import validation_root
from whp.engine.loading import load_file
from whp.errors import MeasurementError
from whp.models.node_flow import node_descent, node_flow

FOLDER = validation_root() / "caron2023"
shared = load_file(FOLDER / "_convergence.py")
thm_h_1 = load_file(FOLDER / "thm_h_1.py")

SETTING = shared.Setting("tanh", 2, 50, 0.5, 0.5, "tilted", C=0.1, delta=0.5)
DOUBLE = Point({}, "float64")
CPU = torch.device("cpu")


def drawn(where, seed=0):
    return where.draw(np.random.default_rng(seed), DOUBLE, CPU)


class TestLaterTimes:
    def test_flow_stays_within_what_is_said_to_come(self):
        """Continued from a millionth to 10^(-14) of the loss, weights and NTG move less than bounded."""
        where = shared.narrow(SETTING, 4000)
        early = node_flow(drawn(where), where.B, where.y, stop=1e-6)
        moved, changed = shared.after(early, where.theorem, where.scales)
        late = node_flow(early.network, where.B, where.y, stop=1e-8)
        assert 0.05 * moved < float(late.movement_ratio.max()) < moved
        assert 0 < float(torch.linalg.matrix_norm(late.ntg - late.ntg[0], 2).max()) < changed
        assert (
            float(torch.linalg.eigvalsh(late.ntg)[:, 0].min())
            > float(torch.linalg.eigvalsh(early.ntg[-1])[0]) / 2
        )

    def test_descent_keeps_the_rate_that_is_said(self):
        where = shared.narrow(SETTING, 4000)
        at = DescentConvergence.at_limit(where.theorem)
        early = node_descent(drawn(where), where.B, where.y, rate=at.eta, steps=300)
        rate = thm_h_1.after(early, at, where)
        late = node_descent(early.network, where.B, where.y, rate=at.eta, steps=300).every_loss
        assert rate < float(torch.log(late[:-1] / late[1:]).min()) < 1.3 * rate

    def test_too_early_is_an_error(self):
        """At the start of training nothing bounds what a narrow network will do."""
        where = shared.narrow(replace(SETTING, C=1.0), 20)
        with pytest.raises(MeasurementError, match="at most half of its least eigenvalue"):
            shared.after(node_flow(drawn(where), where.B, where.y, stop=0.9), where.theorem, where.scales)


class TestBetweenTimes:
    @pytest.mark.parametrize(
        "setting", [SETTING, replace(SETTING, gamma=0.2, alpha=0.3, inputs="orthonormal")]
    )
    def test_a_finer_look_stays_within_the_bounds_of_a_coarse_one(self, setting):
        """Dormand and Prince's method at 120 times against bounds from sixteen times."""
        where = shared.narrow(setting, 4000)
        kappa = where.theorem.kappa
        coarse = node_flow(drawn(where), where.B, where.y, stop=1e-6, times=[t / kappa for t in shared.TIMES])
        often = [0.075 * k / kappa for k in range(1, 121)]
        fine = shared.seen(
            node_flow(drawn(where), where.B, where.y, method="dopri5", tolerance=1e-5, stop=None, times=often)
        )
        few, bounds = shared.seen(coarse), shared.throughout(coarse, where.theorem, where.scales)
        assert 0.9 * fine.least < bounds.least < fine.least
        assert 0.9 * fine.rate < bounds.rate < fine.rate
        assert fine.moved < bounds.moved < 1.1 * fine.moved
        assert fine.changed < bounds.changed
        # What the times miss, and the error of the integrator with it: without the bounds it would be this.
        assert few.least == pytest.approx(fine.least, rel=1e-3)
        assert few.rate == pytest.approx(fine.rate, rel=0.01)
        assert few.moved == pytest.approx(fine.moved, rel=0.01)
        assert few.changed == pytest.approx(fine.changed, rel=0.01)

    def test_bounds_are_those_worked_out_by_hand(self):
        """A flow of three times, its numbers made up: what is worst lies between the first two."""
        where = shared.narrow(replace(SETTING, gamma=1.0), 10**6)
        one = torch.eye(2, dtype=torch.float64) / 50
        flow = replace(
            node_flow(drawn(shared.narrow(SETTING, 20)), where.B, where.y, times=[1.0, 2.0]),
            times=torch.tensor([0.0, 10.0, 400.0], dtype=torch.float64),
            losses=torch.tensor([0.02, 0.01, 1e-9], dtype=torch.float64),
            ntg=torch.stack((one, 0.9 * one, one)),
            movement_ratio=torch.tensor([0.0, 0.3, 0.2], dtype=torch.float64),
        )
        sizes = replace(where.theorem, M=0.5)
        slope = 2 * 2 * 0.5 / 50**1.5 / 1000  # m^(-1/2) is the sum of the scales to the power 3/2
        first, second = 0.2 * 0.2 * 5, 0.2 * math.sqrt(0.02) * 195  # half of the gaps
        found = shared.throughout(flow, sizes, where.scales)
        assert found.moved == pytest.approx(0.3 + second)
        assert found.changed == pytest.approx(0.002 + slope * second)
        assert found.least == pytest.approx(0.018 - slope * second)
        assert found.rate == pytest.approx(2 * found.least)
        assert second > first

    def test_a_narrow_network_seen_twice_is_not_bounded(self):
        """The bound of the eigenvalue falls below zero, and (a) and (b) cannot hold."""
        where = shared.narrow(replace(SETTING, C=1.0), 2000)
        flow = node_flow(drawn(where), where.B, where.y, times=[3000.0], stop=None)
        found = shared.sides(
            shared.throughout(flow, where.theorem, where.scales), where.theorem, where.scales
        )
        assert min(found["a"], found["joint"]) > 1


class TestSides:
    def test_two_integrators_agree(self):
        """The exponential method, as in claims, and Dormand and Prince's at a hundredth of its error."""
        where = shared.narrow(SETTING, 3000)
        one = node_flow(drawn(where), where.B, where.y, tolerance=shared.TOLERANCE)
        two = node_flow(
            drawn(where), where.B, where.y, method="dopri5", tolerance=1e-5, stop=None, times=one.times[1:]
        )
        found = [shared.sides(shared.seen(flow), where.theorem, where.scales) for flow in (one, two)]
        for name in ("a", "b", "c", "d"):
            assert found[0][name] == pytest.approx(found[1][name], rel=0.03), name

    def test_each_part_can_fail(self):
        """A flow that was tampered with, one part at a time: only that side exceeds one."""
        where = shared.narrow(SETTING, 3000)
        flow = node_flow(drawn(where), where.B, where.y)
        at, k = where.theorem, len(flow.times) // 2

        def parts(changed):
            found = shared.sides(shared.seen(changed), at, where.scales)
            return {name for name in "abcd" if found[name] > 1}

        assert parts(flow) == set()
        slow = flow.losses.clone()
        slow[k] = slow[0] * math.exp(-0.49 * at.gamma * at.kappa * float(flow.times[k]))
        assert parts(replace(flow, losses=slow)) == {"b"}
        growing = flow.losses.clone()
        growing[1] = 2 * growing[0]
        assert parts(replace(flow, losses=growing)) == {"b"}
        moved = flow.movement_ratio.clone()
        moved[k] = 1.01 * float(at.movement(1.0))
        assert parts(replace(flow, movement_ratio=moved)) == {"c"}
        small = flow.ntg.clone()
        small[k] *= 0.99 * at.eigenvalue / torch.linalg.eigvalsh(small[k])[0]
        assert parts(replace(flow, ntg=small)) == {"a"}
        changed = flow.ntg.clone()
        squares = where.scales.power_sum(2)
        changed[k] += 1.01 * at.ntg_change(squares) * torch.eye(2, dtype=torch.float64)
        assert parts(replace(flow, ntg=changed)) == {"d"}


class TestSettings:
    def test_the_extreme_sequence_is_one_node(self):
        """alpha = 0 stands for lambda~ = (1, 0, 0, ...), the limit of (35)."""
        scales = shared.narrow(replace(SETTING, gamma=0.25, alpha=0.0), 100).scales
        assert scales.values[:3].tolist() == pytest.approx([0.7525, 0.0025, 0.0025])

    def test_sine_and_four_tanh_are_their_own_derivatives(self):
        z = torch.linspace(-9, 9, 1001, dtype=torch.float64, requires_grad=True)
        for sigma in (shared.SINE, shared.FLAT_TANH):
            (slope,) = torch.autograd.grad(sigma.phi(z).sum(), z, create_graph=True)
            (curve,) = torch.autograd.grad(slope.sum(), z)
            torch.testing.assert_close(sigma.dphi(z), slope)
            torch.testing.assert_close(sigma.ddphi(z), curve)

    def test_regime_met_is_at_the_threshold(self):
        where = shared.met(SETTING)
        assert where.scales.m == where.theorem.width
        assert where.theorem.d == 50
        X, y = SETTING.data()
        assert torch.linalg.vector_norm(X, dim=1).tolist() == pytest.approx([1.0, 0.95])
        assert float(X[0] @ X[1]) == pytest.approx(0.2 * 0.95)
        assert y.tolist() == [0.1, -0.1]

    def test_relu_is_out_of_reach(self):
        """Theorem A.1 asks for 2.7 10^16 nodes and more where it is measured, and for 2^42 for any data."""
        thm_a_1 = load_file(FOLDER / "thm_a_1.py")
        widths = []
        for measured in (thm_a_1.square, thm_a_1.sphere):
            design = measured.design("standard")
            for values in design.cells():
                (point,) = design.points(values)
                theorem = thm_a_1.cell(shared.Setting.at(point, C=1.0, delta=thm_a_1.DELTA)).theorem
                widths.append(theorem.width)
                floor = 2**42 * theorem.n**6 * (1 + theorem.d * theorem.C**2)
                assert theorem.width >= 0.999 * floor / (theorem.gamma**2 * theorem.delta**5)
        assert min(widths) == pytest.approx(2.7e16, rel=0.01)
