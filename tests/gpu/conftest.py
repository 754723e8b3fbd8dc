"""The device of these tests: a real GPU where there is one, and anywhere a stand-in for it.

The stand-in has the rules of CUDA, with the arithmetic done on the CPU.

Tensors "on" it say that they are on ``cuda:0``. What a real device refuses is refused here: a tensor of the
CPU in one operation with one of the device (but for a number, of shape ``()``, where torch takes one),
``.numpy()`` of a tensor of the device, and what exists on the CPU only. Everything that looks at the type of
a device goes the way that it goes on CUDA. So the code that runs on a GPU is run, and its results compared,
where there is none. What this cannot show is speed, the order in which a GPU adds, and what else its
libraries lack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from whp.devices import resolve_device
from whp.seeding import generator

DEVICE = torch.device("cuda", 0)
CPU = torch.device("cpu")
COPIES = ("copy_", "_to_copy")
# A tensor of the device may be indexed by one of the CPU.
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
# Beside elementwise operations, these may have a number, of shape (), from the CPU.
TAKE_NUMBERS = ("where", "fill", "fill_", "masked_fill", "masked_fill_")
# New tensors from Python's numbers: torch makes these by a route that no dispatch mode sees.
LITERALS = (torch.tensor, torch.as_tensor, torch.asarray)


class StandIn(torch.Tensor):
    """A tensor that says it is on ``cuda:0``; what it holds is on the CPU.

    To torch's own C++ code it is on the device "meta", for which any build of torch has device guards.
    """

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> StandIn:
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="meta",
            requires_grad=inner.requires_grad,
        )
        tensor.inner = inner
        return tensor

    def __repr__(self, *args: Any, **kwargs: Any) -> str:
        return f"StandIn({self.inner!r})"

    @property
    def device(self) -> torch.device:
        return DEVICE

    @property
    def is_cuda(self) -> bool:
        return True

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatch(func, args, kwargs or {})


def refuse(func: Any, name: str, args: Any, kwargs: dict[str, Any], tensors: list[torch.Tensor]) -> None:
    """Raise what CUDA raises for an operation with one tensor of the device at least."""
    if func.namespace not in ("aten", "prim", "prims"):
        raise NotImplementedError(f"{func} is not there on CUDA")
    if name == "linalg_lstsq" and kwargs.get("driver") != "gels":
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels) on CUDA")
    if name in INDEXING:
        written = [a for a in args[2:3] if not isinstance(a, StandIn) and a.ndim > 0]
        if written or not isinstance(args[0], StandIn):
            raise RuntimeError(f"indices and values should be where the tensor is ({func})")
    elif name not in COPIES:
        takes_numbers = torch.Tag.pointwise in func.tags or name in TAKE_NUMBERS
        if any(not isinstance(a, StandIn) and (a.ndim > 0 or not takes_numbers) for a in tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device ({func})")


def dispatch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run one operation on the CPU if CUDA would accept it, and say where its results are."""
    tensors = [a for a in pytree.tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
    there = any(isinstance(a, StandIn) for a in tensors)
    name = func.overloadpacket.__name__
    if there:
        refuse(func, name, args, kwargs, tensors)
    given = kwargs.get("device")
    results_there = there if given is None else torch.device(given).type != "cpu"
    bare_args, bare = pytree.tree_map(lambda a: a.inner if isinstance(a, StandIn) else a, (args, kwargs))
    if given is not None:
        bare["device"] = CPU
    out = func(*bare_args, **bare)
    if name == "copy_":
        return args[0]
    if not results_there:
        return out
    out = pytree.tree_map(lambda a: StandIn(a) if isinstance(a, torch.Tensor) else a, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if there else out


class _Dispatch(TorchDispatchMode):
    """Catches the making of new tensors on the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatch(func, args, kwargs or {})


class _Function(TorchFunctionMode):
    """Catches what is not dispatched."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in LITERALS and torch.device(kwargs.get("device") or "cpu").type == "cuda":
            del kwargs["device"]
            return func(*args, **kwargs).to(DEVICE)
        if func is torch.Tensor.new_tensor and isinstance(args[0], StandIn):
            kwargs.setdefault("dtype", args[0].dtype)
            return torch.tensor(*args[1:], **kwargs).to(DEVICE)
        if func is torch.Tensor.to and isinstance(args[0], StandIn):  # already there: not copied
            args = tuple("meta" if _is_device(a) else a for a in args)
            kwargs = {key: "meta" if _is_device(a) else a for key, a in kwargs.items()}
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[0], StandIn):
            args = (args[0], _index(args[1]), *args[2:])
        return func(*args, **kwargs)


def _index(index: Any) -> Any:
    """Make tensors of the lists and arrays in an index; torch would make them on "meta", without content."""
    if isinstance(index, tuple):
        return tuple(_index(part) for part in index)
    return torch.as_tensor(index) if isinstance(index, (list, np.ndarray)) else index


def _is_device(argument: Any) -> bool:
    if isinstance(argument, str):
        return argument.startswith("cuda")
    return isinstance(argument, torch.device) and argument.type == "cuda"


@contextmanager
def stand_in_device(free: int = 1 << 40) -> Iterator[torch.device]:
    """Make ``cuda:0`` usable while the context lasts; ``free`` is what its driver says is free."""
    patches = [
        patch("torch.cuda._lazy_init", lambda: None),
        patch("torch.cuda.is_available", lambda: True),
        patch("torch.cuda.device_count", lambda: 1),
        patch("torch.cuda.current_device", lambda: 0),
        patch("torch.cuda.mem_get_info", lambda device=None: (free, free)),
        patch("torch.cuda.memory_allocated", lambda device=None: 0),
        patch("torch.cuda.memory_reserved", lambda device=None: 0),
        patch("torch.cuda.max_memory_allocated", lambda device=None: 0),
        patch("torch.cuda.reset_peak_memory_stats", lambda device=None: None),
        patch("torch.cuda.get_per_process_memory_fraction", lambda device=None: 1.0),
        patch("torch.cuda.set_per_process_memory_fraction", lambda fraction, device=None: None),
        patch("torch.cuda.get_device_properties", lambda device=None: SimpleNamespace(total_memory=free)),
        patch("torch.cuda.get_device_name", lambda device=None: "stand-in"),
        patch("torch.cuda.synchronize", lambda device=None: None),
        patch("torch.cuda.manual_seed_all", lambda seed: None),
    ]
    for each in patches:
        each.start()
    try:
        with _Function(), _Dispatch():
            yield DEVICE
    finally:
        for each in patches:
            each.stop()


@pytest.fixture(params=["stand-in", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """``cuda:0``, once as it is imitated on the CPU, and once as it is."""
    if request.param == "stand-in":
        with stand_in_device() as there:
            yield there
        return
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    yield resolve_device("cuda:0")


@pytest.fixture
def imitate() -> Any:
    """The stand-in as a context, for tests of what CUDA refuses and of how memory is planned."""
    return stand_in_device


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """The precisions in which everything is computed."""
    return request.param


# Of the largest entry. Inputs are equal, as draws are made on the CPU and moved; results differ by rounding,
# and this allows for sums of some thousand terms in any order.
TOLERANCE = {torch.float32: 3e-5, torch.float64: 1e-11}


@dataclass(frozen=True)
class Inputs:
    """The same numbers on any device."""

    device: torch.device
    dtype: torch.dtype

    def rng(self) -> np.random.Generator:
        return generator(1, "gpu")

    def normal(self, name: str, *shape: int) -> torch.Tensor:
        return torch.from_numpy(generator(0, "gpu", name).standard_normal(shape)).to(self.device, self.dtype)

    @property
    def X(self) -> torch.Tensor:
        return self.normal("X", 70, 9)

    @property
    def W(self) -> torch.Tensor:
        return self.normal("W", 40, 9)

    @property
    def y(self) -> torch.Tensor:
        return self.normal("y", 70).sign()

    @property
    def images(self) -> torch.Tensor:
        return self.normal("images", 5, 3, 6, 6)


def leaves(result: Any, device: torch.device) -> list[np.ndarray]:
    """All numbers of a result; tensors must be on the device, or on the CPU."""
    if isinstance(result, torch.Tensor):
        assert result.device in (device, CPU)
        return [result.detach().cpu().numpy()]
    if isinstance(result, str):
        return []
    if isinstance(result, (int, float, np.ndarray)):
        return [np.asarray(result)]
    if is_dataclass(result):
        result = [getattr(result, field.name) for field in fields(result)]
    if isinstance(result, dict):
        result = list(result.values())
    return [leaf for part in result for leaf in leaves(part, device)] if isinstance(result, Iterable) else []


@pytest.fixture
def compare(device: torch.device, dtype: torch.dtype) -> Callable[..., None]:
    """Require that a function of `Inputs` gives on the device what it gives on the CPU."""

    def check(function: Callable[[Inputs], Any], loosened: float = 1.0) -> None:
        found = leaves(function(Inputs(device, dtype)), device)
        expected = leaves(function(Inputs(CPU, dtype)), CPU)
        assert len(found) == len(expected) > 0
        for one, other in zip(found, expected, strict=True):
            most = loosened * TOLERANCE[dtype] * np.abs(other).max(initial=0.0)
            np.testing.assert_allclose(one, other, rtol=0.0, atol=most)

    return check
