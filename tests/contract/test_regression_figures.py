"""Figures 2 and 6 to 9 of caron2023: the comparisons can fail, and tolerance hardly matters."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest
import torch

from whp.engine.discovery import validation_root
from whp.engine.loading import load_file


@pytest.fixture(scope="module")
def figure():
    return load_file(validation_root() / "caron2023" / "fig_2.py")


def course(figure, **changed):
    """What a trial finds where every sentence of Appendix J holds; ``changed`` by setting and statistic."""
    found = {}
    for k, setting in enumerate(figure.SETTINGS):  # from gamma = 1 to gamma = 0
        # The rate is halved from setting to setting.
        for t in (0, *figure.MARKS):
            at = f"{setting.label} {{}} @{t}"
            found[at.format("error")] = 100 * math.exp(-1e-3 * t / 2**k)
            found[at.format("movement")] = 10.0 * 9**k * t / figure.LAST
            found[at.format("change")] = 0.01 * 9**k * max(t, 1) ** 1e-3
            found[at.format("eigenvalue")] = 100.0**-k
    return found | changed


def logs(figure, found):
    return figure.decided(found, dict.fromkeys(figure.SETTINGS, 0.1))


def test_all_comparisons_hold_where_the_sentences_do(figure):
    named = logs(figure, course(figure))
    claims = (figure.learning, figure.weights, figure.rates)
    printed = {check.statistic for claim in claims for check in claim.checks}
    assert printed <= {name for name, value in named.items() if value > 0}
    assert named["weights by gamma, at the end"] == pytest.approx(1 - 1 / 81)
    assert named["weights by gamma, at the end, more"] == pytest.approx(1 / 4 - 1 / 81)
    assert named["weights by alpha, at the end"] == pytest.approx(math.log(9))
    # Rates are as 8, 4, 2 and 1.
    assert named["rate, 1 over 0.5"] == pytest.approx(1 - (16 + 4) / 2 / 64)
    assert named["rate, 0.5 over 1"] == -named["rate, 1 over 0.5"]
    assert named["rate, 0.5 over 0"] == pytest.approx(1 - 1 / 10)


def test_a_reversal_at_the_end_is_seen_there_and_not_by_the_curve(figure):
    found = course(figure)
    last = found[f"{figure.STEEP.label} movement @{figure.LAST}"]
    named = logs(figure, found | {f"{figure.PURE.label} movement @{figure.LAST}": last / 2})
    assert named["weights by gamma, at the end"] == pytest.approx(1 - 4)
    assert named["weights by gamma, early and overall"] > 0
    named = logs(figure, found | {f"{figure.MILD.label} movement @{figure.LAST}": 2 * last})
    assert named["weights by alpha, at the end"] == pytest.approx(-math.log(2))
    assert named["weights by alpha, early and overall"] > 0


def test_one_step_without_order_is_enough_for_the_ntg(figure):
    found = course(figure)
    for more, less, name in ((figure.PURE, figure.STEEP, "gamma"), (figure.STEEP, figure.MILD, "alpha")):
        at = f"{{}} change @{figure.MARKS[2]}"
        wrong = found | {at.format(more.label): found[at.format(less.label)] / 3}
        assert logs(figure, wrong)[f"NTG by {name}, at every step"] == pytest.approx(-math.log(3))


def test_weights_are_not_still_once_they_move_a_third_as_far_as_the_others(figure):
    found = course(figure)
    key = f"{{}} movement @{figure.LAST}"
    least = min(found[key.format(s.label)] for s in (figure.MILD, figure.STEEP, figure.PURE))
    named = logs(figure, found | {key.format(figure.EVEN.label): least / 3})
    assert named["weights still, or learn"] == pytest.approx(math.log(3 / 4))


def test_the_tolerance_of_flow_moves_the_figure_by_less_than_two_per_cent(figure, monkeypatch):
    from whp.ensembles import simulated_regression
    from whp.kernels import activation

    data = simulated_regression(np.random.default_rng(0), 20, 10)
    point = types.SimpleNamespace(method="flow")
    curves = []
    for tolerance in (figure.TOLERANCE, 1e-3):
        monkeypatch.setattr(figure, "TOLERANCE", tolerance)
        for setting in figure.SETTINGS:
            rng = np.random.default_rng(1)
            net = figure.network(rng, data.X, 200, setting, activation("swish"), "float64", "cpu")
            flow = figure.trained(point, net, data.X, data.y)
            change = torch.linalg.matrix_norm(flow.ntg - flow.ntg[0])
            curves.append(torch.stack([flow.movement, change])[:, 1:])
    coarse, fine = torch.stack(curves).reshape(2, -1)
    torch.testing.assert_close(coarse, fine, rtol=0.02, atol=0)


@pytest.fixture(scope="module")
def real():
    return load_file(validation_root() / "caron2023" / "fig_6_9.py")


def test_on_real_data_an_order_that_is_missing_counts_against_the_sentence(real):
    found = {}
    for k, setting in enumerate(real.SETTINGS):
        for t in (0, *real.MARKS):
            for name in ("movement", "change", "eigenvalue"):
                found[f"{setting.label} {name} @{t}"] = 4.0**k if name != "eigenvalue" else 4.0**-k
        found |= {f"{setting.label} transfer, test @{k_}": 2.0**-k for k_ in real.FEW}
    named = real.differences(found, "relu")
    assert named.keys() == real.FACTORS.keys()
    assert min(named.values()) > 0
    for t in real.MARKS:
        key = f"{{}} movement @{t}"
        found[key.format(real.PURE.label)] = found[key.format(real.STEEP.label)] / 2
    assert real.differences(found, "relu")["weights, gamma 0.5 to 0, every set"] == pytest.approx(
        -math.log(2)
    )


def test_every_set_means_the_set_where_the_order_is_least(real, monkeypatch):
    values = dict(zip(real.SETS, (1.0, -0.5, 2.0, 3.5), strict=True))

    def one_set(p, rng, device, name, data):
        return {}, dict.fromkeys(real.FACTORS, values[data])

    monkeypatch.setattr(real, "one_set", one_set)
    found = real.run(types.SimpleNamespace(sets="all"), None, "cpu", "relu")
    for key in real.FACTORS:
        least = math.exp(-1) - 1 if key in real.SQUARED else -0.5
        assert found[key] == pytest.approx(least if "every set" in key else 1.5)
