"""The FAILs of Claims B.1 and B.2 by a second route: one network by automatic differentiation.

L = 1 and orthogonal inputs, where <b^(2), b^(2)> = 1 and the limit of <b^(1), b^(1)> is 1/2; gradients by
torch, projections by QR. No code of the claims.
"""

import math

import numpy as np
import pytest
import torch

D = 100_000
DELTA_2 = 0.1


@pytest.fixture(scope="module")
def network():
    """b = df/df^(1), W^T b^(2), G and D of a network with one hidden layer; both inputs as rows.

    The events of the claims hold: A^1 with 1/2, and |f| <= 1.
    """
    rng = np.random.default_rng(22)
    W, w = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((D, 2), (1, D)))
    f = (torch.eye(2, dtype=torch.float64) @ W.T).requires_grad_()  # (2, D)
    g = math.sqrt(2 / D) * torch.relu(f)
    outputs = g @ w.T
    assert outputs.abs().max() <= 1
    assert (g @ g.T - torch.tensor([[1, 1 / math.pi], [1 / math.pi, 1]])).abs().max() <= 0.5
    (b,) = torch.autograd.grad(outputs.sum(), f)
    return b.numpy(), w.expand(2, D).numpy(), g.detach().numpy(), (f > 0).double().detach().numpy()


def test_claim_b_1_is_off_by_a_quarter_as_printed_and_holds_for_the_layer_above(network):
    """epsilon_2 is zero. All deviations below are 6 standard deviations or more (1 to 2 over sqrt(d))."""
    b, _, _, on = network
    trace, limit = 2 * on[0] @ on[1] / D, 0.5
    epsilon_4 = max(abs(trace - limit), *(abs(2 * np.sum(o) / D - 1) for o in on))
    assert epsilon_4 < 0.02  # sd 0.0032
    assert abs(trace * (b[0] @ b[1]) - limit) == pytest.approx(0.25, abs=0.05)
    assert abs(trace * (b[0] @ b[1]) - limit) > 2 * epsilon_4
    assert abs(trace * 1.0 - limit) <= epsilon_4


def test_claim_b_2_is_off_by_a_quarter_as_printed_and_holds_for_the_layer_above(network):
    """The standard deviation of the quadratic form is below 2/sqrt(d) = 0.0064, and the right side 0.10."""
    b, w, g, on = network
    Q = np.linalg.qr(g.T)[0]  # (D, 2), a basis of the features
    across = w - w @ Q @ Q.T
    quadratic, trace = 2 / D * np.sum(across[0] * across[1] * on[0] * on[1]), 2 * on[0] @ on[1] / D
    right = 16 * math.sqrt(math.log(6 / DELTA_2) / D)
    assert abs(quadratic - trace * (b[0] @ b[1])) == pytest.approx(0.25, abs=0.06)
    assert right < 0.11
    assert abs(quadratic - trace) < right / 2


def test_the_by_product_is_one_and_not_small(network):
    _, w, g, on = network
    Q = np.linalg.qr(g.T)[0]
    norms = math.sqrt(2 / D) * np.linalg.norm((w - w @ Q @ Q.T) * on, axis=1)
    assert norms == pytest.approx([1, 1], abs=0.03)  # sd 0.0032
    share = math.log(6 / DELTA_2) / D
    assert 4 * math.sqrt(share) < 0.03
    assert norms.max() < 2 + 4 * math.sqrt(share)
