"""Node-scaled classifiers: both layers in training, against autograd, and what is left when pruned."""

import numpy as np
import pytest
import torch

from whp.errors import InputError, MeasurementError
from whp.kernels import activation
from whp.models.node_classifier import movement, pruned, train_classifier
from whp.models.node_network import NodeScaled
from whp.models.node_scales import node_scales

N, D, M, K = 12, 5, 30, 4


def network(name="swish", dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    return NodeScaled.draw(rng, D, D, node_scales(M, 0.3, 0.6), activation(name), dtype, outputs=K)


def data(dtype=torch.float64):
    rng = np.random.default_rng(1)
    X = torch.from_numpy(rng.standard_normal((N, D))).to(dtype)
    return X, torch.from_numpy(rng.integers(0, K, N)), [torch.tensor([0, 3, 5]), torch.tensor([7, 1, 2])] * 4


def by_autograd(start, X, labels, batches, rate):
    """The same steps by torch's own optimiser, loss and gradients."""
    W = start.weights.clone().requires_grad_()
    A = start.signs.clone().requires_grad_()
    root = start.scales.values.sqrt().to(X)
    optimiser = torch.optim.SGD([W, A], lr=rate)
    for rows in batches:
        outputs = (start.activation.phi(X[rows] @ W.T / D**0.5) * root) @ A
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(outputs, labels[rows]).backward()
        optimiser.step()
    return W.detach(), A.detach()


@pytest.mark.parametrize("name", ["swish", "relu"])
def test_steps_are_those_of_autograd(name):
    X, labels, batches = data()
    start = network(name)
    before = start.weights.clone(), start.signs.clone()
    found = train_classifier(start, X, labels, rate=2.0, batches=batches, record=[0, 3, 8])
    for steps, here in zip((0, 3, 8), found, strict=True):
        W, A = by_autograd(start, X, labels, batches[:steps], 2.0)
        torch.testing.assert_close(here.weights, W, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(here.signs, A, rtol=1e-11, atol=1e-12)
    # Each layer has moved by far more than that tolerance, and what was given stays as it was.
    assert float((found[-1].signs - found[0].signs).abs().max()) > 0.01
    assert float(movement(found[-1], start).max()) > 0.01
    torch.testing.assert_close(start.weights, before[0], rtol=0, atol=0)
    torch.testing.assert_close(start.signs, before[1], rtol=0, atol=0)


def test_the_last_step_is_returned_by_default_and_single_precision_will_do():
    X, labels, batches = data(torch.float32)
    (found,) = train_classifier(network(dtype=torch.float32), X, labels, rate=1.0, batches=batches)
    wide = train_classifier(network(), *data()[:2], rate=1.0, batches=batches)[0]
    assert found.weights.dtype == torch.float32
    # The two draws differ as float32 and float64 streams do, so only the same shape can be asked for.
    assert found.weights.shape == wide.weights.shape


def test_movement_is_the_length_of_each_row():
    start = network()
    moved = start.moved_to(start.weights + torch.arange(M)[:, None])
    expected = torch.arange(M, dtype=torch.float64) * D**0.5
    torch.testing.assert_close(movement(moved, start), expected, rtol=1e-12, atol=1e-12)


class TestPruned:
    def test_outputs_are_the_sum_over_what_is_kept(self):
        start, (X, _, _) = network(), data()
        nodes = torch.tensor([4, 17, 0])
        hidden = start.activation.phi(X @ start.weights[nodes].T / D**0.5)
        expected = (hidden * start.scales.values[nodes].sqrt()) @ start.signs[nodes]
        torch.testing.assert_close(pruned(start, nodes).outputs(X), expected)
        torch.testing.assert_close(pruned(start, torch.arange(M)).outputs(X), start.outputs(X))
        # The comparison can fail: other nodes give other outputs.
        assert float((pruned(start, torch.tensor([4, 17, 1])).outputs(X) - expected).abs().max()) > 1e-3

    @pytest.mark.parametrize("nodes", [[], [0, 0], [M], [-1]])
    def test_mistakes_are_said(self, nodes):
        with pytest.raises(InputError, match=f"nodes must be one or more different nodes from 0 to {M - 1}"):
            pruned(network(), torch.tensor(nodes, dtype=torch.int64))


class TestMistakes:
    def refused(self, message, **changes):
        X, labels, batches = data()
        given = {"network": network(), "X": X, "labels": labels, "rate": 1.0, "batches": batches, **changes}
        with pytest.raises(InputError, match=message):
            train_classifier(**given)

    def test_of_shape_and_kind(self):
        one = NodeScaled.draw(np.random.default_rng(0), D, D, node_scales(M, 1.0), activation("tanh"))
        self.refused("network must be with one column of signs a class", network=one)
        self.refused(rf"X must be of shape \(n, {D}\)", X=torch.zeros(N, D + 1).double())
        self.refused("X must be of torch.float64", X=data(torch.float32)[0])
        self.refused(rf"labels must be of shape \({N},\)", labels=torch.zeros(N + 1, dtype=torch.int64))
        for wrong in (torch.full((N,), K), torch.full((N,), -1), torch.zeros(N)):
            self.refused(f"labels must be integers from 0 to {K - 1}", labels=wrong)

    def test_of_the_steps(self):
        for rate in (0.0, -1.0, float("nan"), float("inf")):
            self.refused("rate must be positive and finite", rate=rate)
        for record in ([], [2, 1], [9], [-1]):
            self.refused("record must be increasing steps from 0 to 8", record=record)

    def test_what_is_not_finite_any_more_is_said(self):
        X, labels, batches = data(torch.float32)
        with pytest.raises(MeasurementError, match="network at step 8 must be finite"):
            train_classifier(network(dtype=torch.float32), X, labels, rate=1e38, batches=batches)
