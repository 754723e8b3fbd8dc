"""Many trainings at once give what each gives alone."""

import threading

import pytest
import torch

from whp.ensembles.initialisation import symmetric_init
from whp.errors import InputError, MeasurementError
from whp.kernels import activation, linear_features, nu
from whp.models import compare_with_linear, sweep, train_two_layer
from whp.seeding import generator


def setting(trial, n, d, m):
    rng = generator(6, "sweep", trial)
    X = torch.from_numpy(rng.standard_normal((n, d), dtype="float32"))
    init = symmetric_init(rng, m, d, torch.float32)
    return X, torch.sign(X[:, 0]), init.W, init.v


SETTINGS = [setting(trial, *sizes) for trial, sizes in enumerate([(900, 12, 64), (600, 8, 32)] * 4)]


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
def test_the_number_of_threads_changes_nothing(name):
    def train(setting):
        return train_two_layer(*setting, activation(name), 1.0, 0.5, 5)

    alone, together = (sweep(train, SETTINGS, threads) for threads in (1, 3))
    for one, other, (_, _, W, _) in zip(alone, together, SETTINGS, strict=True):
        assert torch.equal(one.W, other.W)
        assert torch.equal(one.v, other.v)
        assert not torch.equal(one.W, W)


def test_discrepancies_of_a_sweep():
    phi = activation("erf")

    def compare(setting):
        X, y, W, v = setting
        Psi = linear_features(X, phi.moments.zeta, nu(phi, 1.0))
        return compare_with_linear(X, y, W, v, phi, 0.5, 6, Psi)

    together = sweep(compare, SETTINGS, 2)
    for setting, trace in zip(SETTINGS, together, strict=True):
        assert trace.train_gap.shape == (7,)
        assert trace.train_gap[-1] > 0
        assert trace.train_gap == pytest.approx(compare(setting).train_gap, rel=1e-3, abs=1e-12)


def test_torch_has_its_threads_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        inside = sweep(lambda _: (torch.get_num_threads(), threading.get_ident()), range(4), 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {threads for threads, _ in inside} == {1}
    assert threading.get_ident() not in {ident for _, ident in inside}


def test_refusals():
    for threads in (0, 1.5, "x"):
        with pytest.raises(InputError, match=f"threads must be a positive integer, got {threads!r}"):
            sweep(len, [[]], threads)
    diverging = [SETTINGS[0], (*SETTINGS[1][:2], 1e30 * SETTINGS[1][2], SETTINGS[1][3])]
    before = torch.get_num_threads()
    with pytest.raises(MeasurementError, match="network at step"):
        sweep(lambda s: train_two_layer(*s, activation("relu"), 1e30, 1e30, 9), diverging, 2)
    assert torch.get_num_threads() == before
