"""Node-scaled networks against autograd and plain sums."""

import math

import numpy as np
import pytest
import torch

from whp.errors import InputError
from whp.kernels import activation
from whp.models import node_network
from whp.models.node_network import NodeScaled, gram, span_coordinates
from whp.models.node_scales import node_scales


def inputs(n, d, seed=0):
    X = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))
    return X / X.norm(dim=1, keepdim=True)


def network(n=4, d=3, m=50, name="tanh", *, gamma=0.4, dtype=torch.float64, outputs=None, seed=1):
    rng = np.random.default_rng(seed)
    X = inputs(n, d)
    net = NodeScaled.draw(rng, X, d, node_scales(m, gamma, 0.5), activation(name), dtype, outputs=outputs)
    return net, X


def plain(net, X, W):
    """The outputs as printed in (2)."""
    phi = net.activation.phi(X @ W.T / math.sqrt(net.dimension))
    root = net.scales.values.sqrt()
    return phi @ (net.signs * (root if net.signs.ndim == 1 else root[:, None]))


@pytest.mark.parametrize("name", ["tanh", "swish", "relu"])
def test_outputs_kernel_and_velocity_are_those_of_autograd(name, monkeypatch):
    monkeypatch.setattr(node_network, "CPU_CACHE", 4 * 8 * 64)  # several blocks
    net, X = network(name=name, m=150)
    W = net.weights.clone().requires_grad_()
    out = plain(net, X, W)
    torch.testing.assert_close(net.outputs(X), out.detach())
    rows = [torch.autograd.grad(u, W, retain_graph=True)[0].flatten() for u in out]
    J = torch.stack(rows)
    torch.testing.assert_close(net.ntg(X), J @ J.T)
    torch.testing.assert_close(net.ntg(X, 1) + net.ntg(X, 2), net.ntg(X))
    y = torch.tensor([1.0, -0.5, 0.3, 0.0], dtype=torch.float64)
    (0.5 * (y - out).square().sum()).backward()
    torch.testing.assert_close(net.velocity(X, y), -W.grad)
    torch.testing.assert_close(net.preactivations(X), X @ net.weights.T / math.sqrt(3))


def test_several_outputs():
    net, X = network(outputs=3)
    W = net.weights.clone().requires_grad_()
    out = plain(net, X, W)
    torch.testing.assert_close(net.outputs(X), out.detach())
    y = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(4, 3)
    (0.5 * (y - out).square().sum()).backward()
    torch.testing.assert_close(net.velocity(X, y), -W.grad)
    one = NodeScaled(net.weights, net.signs[:, 1].contiguous(), net.scales, net.activation, 3)
    torch.testing.assert_close(one.ntg(X), net.ntg(X))


def test_parts_of_the_kernel_have_the_scales_of_their_names():
    net, X = network(gamma=0.4)
    s = net.activation.dphi(net.preactivations(X))
    first = 0.4 / 50 * (s @ s.T) * gram(X, 3)
    torch.testing.assert_close(net.ntg(X, 1), first)


def test_single_precision_sums_in_double():
    double, X = network(m=4000)
    single = NodeScaled(
        double.weights.float(), double.signs.float(), double.scales, double.activation, double.dimension
    )
    assert single.ntg(X).dtype == torch.float64
    torch.testing.assert_close(single.ntg(X), double.ntg(X), rtol=1e-6, atol=0)
    torch.testing.assert_close(single.outputs(X), double.outputs(X), rtol=0, atol=1e-6)


def test_coordinates_keep_inner_products_and_have_the_rank():
    X = inputs(5, 40)
    X[4] = X[0] + X[1]
    B = span_coordinates(X)
    assert B.shape == (5, 4)
    torch.testing.assert_close(B @ B.T, X @ X.T)
    tall = inputs(9, 3)
    assert span_coordinates(tall) is tall


def test_coordinates_keep_the_law():
    # 4000 draws of u^T Theta u in both coordinates; means differ by less than 6 standard errors but with
    # probability 2e-9, and by more than that where d is taken to be r.
    X = 2 * inputs(2, 30)
    B, a = span_coordinates(X), activation("tanh")
    scales = node_scales(4000, 1.0)
    values = {}
    for key, rows, d in [("X", X, 30), ("B", B, 30), ("r", B, 2)]:
        net = NodeScaled.draw(np.random.default_rng(3), rows, d, scales, a)
        slopes = a.dphi(net.preactivations(rows))
        values[key] = (slopes[0] * slopes[1]) / d
    spread = torch.stack([values["X"], values["B"]]).std(dim=1).square().sum().sqrt() / math.sqrt(4000)
    assert abs(values["X"].mean() - values["B"].mean()) < 6 * spread
    assert abs(values["X"].mean() - values["r"].mean()) > 6 * spread


def test_a_wider_network_of_the_same_stream_begins_the_same():
    narrow, _ = network(m=50)
    wide, _ = network(m=300000)
    assert torch.equal(narrow.weights, wide.weights[:50])
    assert set(wide.signs.tolist()) == {-1.0, 1.0}
    # 3e5 fair signs: 6 standard deviations, false alarm 2e-9
    assert abs(float(wide.signs.sum())) < 6 * math.sqrt(300000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": torch.zeros(3, 2)}, "weights must be of shape"),
        ({"signs": torch.ones(3)}, "signs must be of shape"),
        ({"signs": torch.ones(50, dtype=torch.float32)}, "both float32 or both float64"),
        ({"weights": torch.full((50, 3), math.nan, dtype=torch.float64)}, "finite"),
        ({"dimension": 0}, "dimension must be a positive integer"),
    ],
)
def test_bad_networks_are_refused(change, message):
    net, _ = network()
    parts = {k: getattr(net, k) for k in ("weights", "signs", "scales", "activation", "dimension")}
    with pytest.raises(InputError, match=message):
        NodeScaled(**{**parts, **change})


def test_bad_arguments_are_refused():
    net, X = network()
    with pytest.raises(InputError, match="part must be 1, 2 or None"):
        net.ntg(X, 3)
    with pytest.raises(InputError, match=r"B must be of shape \(n, 3\)"):
        net.outputs(X[:, :2])
    with pytest.raises(InputError, match="X must be other than zero"):
        span_coordinates(torch.zeros(2, 3))
    with pytest.raises(InputError, match="X must be finite"):
        span_coordinates(torch.full((2, 3), math.inf))
    with pytest.raises(InputError, match="r must be between 1 and"):
        NodeScaled.draw(np.random.default_rng(0), 4, 3, net.scales, net.activation)
    for y in (torch.ones(1), torch.ones(len(X), 1)):
        with pytest.raises(InputError, match=r"y must be of shape"):
            net.velocity(X, y)
    with pytest.raises(InputError, match=r"X must be a torch.Tensor"):
        span_coordinates(X.numpy())
    with pytest.raises(InputError, match="activation must be with phi and dphi"):
        NodeScaled.draw(np.random.default_rng(0), 3, 3, net.scales, "tanh")
    with pytest.raises(
        InputError, match=r"gigabytes that 1000000000000 nodes take must be at most .*, got 24"
    ):
        NodeScaled.draw(np.random.default_rng(0), 3, 3, node_scales(10**12, 1.0), net.activation)
