"""Theorem C.2 as a tool, against other routes to the same training, and where it must say no.

Inputs are random, outcomes are not: identities to rounding, and bounds that hold for any weights.
"""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from whp.ensembles import symmetric_init
from whp.errors import InputError, MeasurementError
from whp.kernels import activation, first_layer_ntk, linear_features
from whp.models import compare_with_linear, measure_closeness
from whp.models.general import CLOSENESS_CONSTANT, MOVEMENT_CONSTANT, output_jacobian


def gaussian(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


class Net(nn.Module):
    """The two-layer network of hu2020 (1) with its second layer held."""

    def __init__(self, init, phi):
        super().__init__()
        self.W, self.v, self.phi = (
            nn.Parameter(init.W.clone()),
            nn.Parameter(init.v, requires_grad=False),
            phi,
        )

    def forward(self, X):
        m, d = self.W.shape
        return self.phi.phi(X @ self.W.T / d**0.5) @ self.v / m**0.5


def network(n=20, d=6, m=40, name="erf"):
    X, phi = gaussian(n, d), activation(name)
    return Net(symmetric_init(np.random.default_rng(1), m, d), phi), X, torch.sign(X[:, 0]), phi


def test_the_constants_are_those_for_which_the_proof_goes_through():
    """The two halves of R in docs/closeness.md, and the factor of the residual."""
    c = MOVEMENT_CONSTANT
    before = math.sqrt(c * (1 + 4 * c * math.exp(2 * c)))
    assert before + math.sqrt(2 * c) * math.exp(c) <= 1
    assert math.exp(c) <= CLOSENESS_CONSTANT
    c *= 1.02
    assert math.sqrt(c * (1 + 4 * c * math.exp(2 * c))) + math.sqrt(2 * c) * math.exp(c) > 1


def test_the_same_numbers_as_the_trainer_of_two_layer_networks():
    net, X, y, phi = network()
    Psi = linear_features(X, phi.moments.zeta, 0.0)
    trace = compare_with_linear(X, y, net.W.detach(), net.v.detach(), phi, 1.5, 12, Psi)
    found = measure_closeness(net, X, y, 1.5, 12, kernel=Psi @ Psi.T)
    assert found.actual == pytest.approx((len(X) * trace.train_gap) ** 0.5, abs=1e-9)
    assert found.displacement == pytest.approx(trace.displacement, abs=1e-9)
    assert found.losses == pytest.approx(trace.network_loss, abs=1e-9)
    assert found.linear_losses == pytest.approx(trace.linear_loss, abs=1e-9)
    start = torch.linalg.matrix_norm(first_layer_ntk(X, net.W.detach(), phi) - Psi @ Psi.T, 2)
    assert found.deviations[0] >= float(start) - 1e-12


def test_jacobian_of_a_network_with_other_shapes():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(9, 1)).double()
    X = gaussian(4, 2, 5)
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    J = output_jacobian(net, parameters, X, chunk=3)
    for i in range(4):
        gradients = torch.autograd.grad(net(X)[i, 0], list(net.parameters()))
        assert torch.allclose(J[i], torch.cat([g.flatten() for g in gradients]))
    found = measure_closeness(net, X, torch.sign(X[:, 0, 0]), 0.05, 5, chunk=3)
    assert np.all(found.actual <= found.guaranteed)


@pytest.mark.parametrize("name", ["erf", "softplus", "relu"])
@pytest.mark.parametrize("every", [1, 4])
def test_the_guarantee_holds(name, every):
    net, X, y, _ = network(name=name)
    found = measure_closeness(net, X, y, 2.0, 20, every=every)
    assert list(found.measured_at) == list(range(0, 20, every))
    assert found.actual[0] == found.guaranteed[0] == found.displacement[0] == 0
    # For relu the quadrature of the Jacobian is not exact; the guarantee is not that tight.
    assert np.all(found.actual <= found.guaranteed)
    assert found.actual[-1] > 1e-6
    assert found.implied_constant <= CLOSENESS_CONSTANT


def test_the_guarantee_is_nearly_attained_and_a_smaller_epsilon_would_be_wrong():
    """K = 0 and J = sqrt(epsilon) I: the linear model stays, and the other goes at the guaranteed speed."""

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.theta = nn.Parameter(torch.zeros(3, dtype=torch.float64))

        def forward(self, X):
            return 0.1 * X @ self.theta

    X, y = torch.eye(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    found = measure_closeness(Line(), X, y, 1.0, 20, kernel=torch.zeros(3, 3))
    assert found.epsilon == pytest.approx(0.01)
    assert np.all(found.actual <= found.guaranteed)
    assert np.all(found.actual[1:] > 0.9 * found.guaranteed[1:])
    assert found.implied_constant == pytest.approx(1, rel=0.01)


def test_a_linear_model_is_its_own_linear_model():
    model = nn.Linear(4, 1).double()
    X = gaussian(9, 4)
    before = [p.detach().clone() for p in model.parameters()]
    found = measure_closeness(model, X, torch.sign(X[:, 1]), 0.5, 30)
    assert found.actual.max() < 1e-12
    assert found.epsilon < 1e-12
    assert found.implied_constant == 0.0
    assert found.losses[-1] < found.losses[0]
    assert found.holds
    assert found.horizon == 30
    assert all(torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))


def test_hypotheses_that_fail_are_named():
    net, X, y, _ = network()
    fine = measure_closeness(net, X, y, 0.5, 3, radius=1.0)
    assert fine.holds
    assert fine.horizon == 0
    far = measure_closeness(net, X, y, 0.5, 3, radius=1e3)
    assert [name for name, good in far.hypotheses.items() if not good] == ["R^2 epsilon < n"]
    assert far.horizon == 3
    fast = measure_closeness(net, X, y, 500.0, 2)
    assert not fast.hypotheses["eta <= n / |K|"]
    assert fast.guaranteed[0] == 0
    assert math.isinf(fast.guaranteed[1])
    assert not measure_closeness(net, X, 3 * y, 0.5, 3).hypotheses["|y| <= sqrt n"]
    small = measure_closeness(net, X, y, 0.5, 3, kernel=1e-6 * torch.eye(20))
    assert not small.hypotheses["epsilon < |K|"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": torch.ones(3)}, "y must be of shape"),
        ({"y": torch.full((20,), math.nan)}, "y must be finite"),
        ({"eta": 0.0}, "eta must be positive and finite"),
        ({"steps": 0}, "steps, every must be positive"),
        ({"every": 0}, "steps, every must be positive"),
        ({"radius": -1.0}, "radius must be positive"),
        ({"kernel": torch.ones(3, 3)}, "kernel must be of shape"),
        ({"kernel": torch.full((20, 20), math.inf)}, "kernel must be finite"),
        ({"kernel": torch.ones(20, 20).tril()}, "kernel must be symmetric"),
        ({"kernel": -torch.eye(20)}, "kernel must be positive semi-definite"),
        ({"model": nn.Tanh()}, "model must be with parameters"),
        ({"model": nn.Linear(6, 2).double()}, "model's output must be of shape"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    net, X, y, _ = network()
    given = {"model": net, "X": X, "y": y, "eta": 0.5, "steps": 2} | arguments
    with pytest.raises(InputError, match=message):
        measure_closeness(**given)


def test_training_that_diverges_says_where():
    net, X, y, _ = network(name="relu")
    with pytest.raises(MeasurementError, match="model at step"):
        measure_closeness(net, 1e150 * X, y, 1e100, 5)


def test_the_example_of_the_document_runs():
    text = (Path(__file__).parents[2] / "docs" / "closeness.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    names = {}
    exec(code, names)
    found = names["found"]
    assert found.actual[-1] <= found.guaranteed[-1]
    assert found.horizon == 20
    for name in re.findall(r"^found\.(\w+)", code, re.M):
        assert hasattr(found, name)
