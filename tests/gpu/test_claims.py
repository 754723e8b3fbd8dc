"""Measurements of claims on a device: the same trials, by the engine, in one process or in several."""

from __future__ import annotations

import math

import pytest
import torch

from whp.devices import resolve_device
from whp.engine.choice import make_executor
from whp.engine.discovery import discover
from whp.engine.executors import LocalProcesses, SerialExecutor
from whp.engine.needs import missing_needs
from whp.engine.worker import run_trial
from whp.errors import UsageError

FOUND = discover(None)
EXPERIMENTS = {e.name: e for claim in FOUND.claims for e in claim.experiments() if not missing_needs(e)}
# One of every kind of measurement that computes on the device, and those that once did not.
HU2020 = (
    *("prop_3_4.square", "prop_d_4.diagonals", "prop_d_4.swapped", "fig_5.kernel_norms"),
    *("lemma_d_12.second_worst", "lemma_d_12.smooth_worst", "lemma_d_5_smooth.smooth_worst"),
    *("sign_flips.suprema", "thm_3_2", "prop_4_1.finite", "claim_3_1.concentration"),
    *("second_layer.wide", "thm_c_2.closeness"),
)
CHOSEN = (
    *(f"hu2020.{name}" for name in HU2020),
    *("arora2019.training.shallow", "arora2019.training.points", "caron2023.thm_4_1.half"),
)
# Relative. What is measured may be a difference that cancels: float32 leaves three digits of some.
TOLERANCE = {"float32": 5e-3, "float64": 1e-8}


def both(name, device, worst):
    """Require that one trial at the first point has the same numbers on the device and on the CPU."""
    experiment = EXPERIMENTS[name]
    design = experiment.design("quick")
    point = design.points(design.cells()[0], experiment.dtype)[0]
    found = run_trial(experiment, point, 0, 0, device)
    expected = run_trial(experiment, point, 0, 0, torch.device("cpu"))
    assert found.status == expected.status, found.message
    assert found.statistics.keys() == expected.statistics.keys()
    for key, value in expected.statistics.items():
        assert math.isclose(found.statistics[key], value, rel_tol=worst, abs_tol=1e-9), key


@pytest.mark.parametrize("name", CHOSEN)
def test_a_trial_is_the_same(name, device):
    both(name, device, TOLERANCE[EXPERIMENTS[name].dtype])


# Their numbers are not compared, as gains of searches and tails of small sums amplify rounding.
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_measurement_runs_on_the_device(name, device):
    experiment = EXPERIMENTS[name]
    design = experiment.design("quick")
    point = design.points(design.cells()[0], experiment.dtype)[0]
    found = run_trial(experiment, point, 0, 0, device)
    assert found.status == run_trial(experiment, point, 0, 0, torch.device("cpu")).status, found.message


class TestTrialsInFlight:
    def test_one_process_has_the_device_unless_more_are_asked_for(self, monkeypatch):
        monkeypatch.setattr("whp.engine.choice.LocalProcesses", lambda jobs: jobs)
        assert isinstance(make_executor("auto", None, "cuda:0"), SerialExecutor)
        assert isinstance(make_executor("auto", 1, "cuda:0"), SerialExecutor)
        assert make_executor("auto", 2, "cuda:0") == 2
        assert make_executor("auto", 1, "cpu") == 1

    @pytest.mark.gpu
    def test_several_processes_give_the_same_numbers(self):
        if not torch.cuda.is_available():
            pytest.skip("this machine has no CUDA device")
        experiment = EXPERIMENTS["hu2020.prop_3_4.square"]
        design = experiment.design("quick")
        point = design.points(design.cells()[0], experiment.dtype)[0]
        device = resolve_device("cuda:0")
        expected = [run_trial(experiment, point, t, 0, device).statistics for t in range(4)]
        with LocalProcesses(2) as workers:
            futures = [workers.submit(run_trial, experiment, point, t, 0, device) for t in range(4)]
            found = [future.result().statistics for future in futures]
        for one, other in zip(found, expected, strict=True):
            assert one == pytest.approx(other, rel=1e-6)


class TestDevices:
    def test_the_device_that_is_asked_for(self, imitate):
        with imitate():
            assert [resolve_device(name).type for name in ("auto", "cuda", "cuda:0", "cpu")] == [
                *("cuda", "cuda", "cuda"),
                "cpu",
            ]
            with pytest.raises(UsageError, match="device must be below cuda:1"):
                resolve_device("cuda:1")

    def test_float32_is_float32(self, imitate):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        with imitate():
            resolve_device("cuda")
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "highest"
