"""The stand-in must refuse what CUDA refuses, or the other tests here show nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

ROWS = torch.arange(2)


def here(*shape):
    return torch.ones(shape)


MISTAKES = {
    "two devices": lambda X: X + here(5, 3),
    "a product over two devices": lambda X: here(2, 5) @ X,
    "out on the CPU": lambda X: torch.mm(X, X.T, out=here(5, 5)),
    "concatenation": lambda X: torch.cat((X, here(5, 3))),
    "a mask of the device for the CPU": lambda X: here(5)[X[:, 0] > 0],
    "values of the CPU": lambda X: X.index_put_((ROWS,), here(2, 3)),
    "an index that is no index": lambda X: X.index_fill_(0, torch.tensor(0), 1.0),
    "to numpy": lambda X: X.numpy(),
    "to numpy by itself": lambda X: np.asarray(X),
    "oneDNN": lambda X: torch.ops.mkldnn._linear_pointwise(X, here(3, 3), None, "none", [], ""),
    "a driver of LAPACK": lambda X: torch.linalg.lstsq(X, X, driver="gelsd"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_refuses(device, mistake):
    X = here(5, 3).to(device)
    with pytest.raises((RuntimeError, TypeError, NotImplementedError)):
        MISTAKES[mistake](X)


def test_it_computes_where_it_says(device):
    X = torch.arange(15.0).reshape(5, 3)
    there = X.to(device)
    assert there.device == device
    assert there.to(device) is there
    made = [
        torch.zeros(2, device=there.device),
        there.new_tensor([1.0]),
        torch.tensor([1.0], device=device),
        torch.from_numpy(np.ones(3)).to(there),
        there[[0, 2]],
        there @ there.T,
        there + torch.tensor(1.0),
        torch.linalg.eigvalsh(there.T @ there),
    ]
    assert all(tensor.device == device for tensor in made)
    assert there.cpu().device.type == "cpu"
    assert torch.equal(there[[0, 2]].cpu(), X[[0, 2]])
    assert there.tolist() == X.tolist()


def test_views_and_results_are_shared(device):
    X = torch.zeros(4, 4, device=device)
    X[1:3].add_(1.0)
    X[0, [1, 2]] = torch.ones(2, device=device)
    torch.mm(X, X, out=X[:].T.clone())
    assert X.cpu().sum() == 10


def test_gradients_and_maps(device):
    W = torch.ones(3, device=device, requires_grad=True)
    X = torch.arange(6.0).reshape(2, 3).to(device)
    (X @ W).square().sum().backward()
    rows = torch.func.vmap(torch.func.grad(lambda w, x: (w @ x) ** 2), in_dims=(None, 0))(W.detach(), X)
    assert torch.allclose(W.grad.cpu(), rows.sum(0).cpu())


def test_the_device_is_gone_afterwards(imitate):
    with imitate():
        assert torch.cuda.is_available()
    assert torch.cuda.is_available() == (torch.version.cuda is not None and torch.cuda.device_count() > 0)
