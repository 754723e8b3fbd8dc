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


class TestSides:
    def test_two_integrators_agree(self):
        """The exponential method, as in claims, and Dormand and Prince's at a hundredth of its error."""
        where = shared.narrow(SETTING, 3000)
        one = node_flow(drawn(where), where.B, where.y, tolerance=shared.TOLERANCE)
        two = node_flow(
            drawn(where), where.B, where.y, method="dopri5", tolerance=1e-5, stop=None, times=one.times[1:]
        )
        found = [shared.sides(flow, where.theorem, where.scales) for flow in (one, two)]
        for name in ("a", "b", "c", "d"):
            assert found[0][name] == pytest.approx(found[1][name], rel=0.03), name

    def test_each_part_can_fail(self):
        """A flow that was tampered with, one part at a time: only that side exceeds one."""
        where = shared.narrow(SETTING, 3000)
        flow = node_flow(drawn(where), where.B, where.y)
        at, k = where.theorem, len(flow.times) // 2

        def parts(changed):
            found = shared.sides(changed, at, where.scales)
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
