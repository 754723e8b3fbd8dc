"""Memory is planned: smaller blocks where it is short, then a sentence, never a crash."""

from __future__ import annotations

import sys

import pytest
import torch

import whp.memory as memory
from whp.errors import InputError, ResourceError, WhpError
from whp.kernels import activation, cntk, first_layer_ntk
from whp.linalg import DenseSymmetric, spectral_norm
from whp.memory import allocate, free_bytes, out_of_memory, rows_that_fit, with_smaller_blocks
from whp.seeding import generator

GB = 10**9


@pytest.fixture
def free(monkeypatch):
    """Set what is free, and let nothing be too small to be looked at."""

    def fix(size):
        monkeypatch.setattr(memory, "free_bytes", lambda device: size)

    monkeypatch.setattr(memory, "SMALL", 0)
    return fix


class TestWhatIsFree:
    def test_a_cpu_has_some(self):
        assert 0 < free_bytes("cpu") < 2**60

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits private memory")
    def test_the_limit_of_the_process_counts(self):
        import resource

        before = resource.getrlimit(resource.RLIMIT_DATA)
        used = int(memory._STATM.read_text().split()[5]) * resource.getpagesize()
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (used + GB // 10, before[1]))
            assert 0 <= free_bytes("cpu") <= GB // 10 + 2**24
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, before)

    def test_control_groups_count(self, tmp_path, monkeypatch):
        group = tmp_path / "slurm" / "job"
        group.mkdir(parents=True)
        (tmp_path / "own").write_text("1:name=systemd:/\n0::/slurm/job\n")
        for folder, most in ((group, "max"), (group.parent, "5000")):
            (folder / "memory.max").write_text(most)
            (folder / "memory.current").write_text("4000\n")
            (folder / "memory.stat").write_text("anon 1000\ninactive_file 3000\n")
        monkeypatch.setattr(memory, "_GROUPS", tmp_path)
        monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "own")
        assert free_bytes("cpu") == 4000
        (group.parent / "memory.stat").write_text("in another layout\n")
        assert free_bytes("cpu") > 4000

    def test_on_cuda_what_torch_holds_is_free_too(self, imitate, monkeypatch):
        with imitate(free=10 * GB):
            assert free_bytes("cuda:0") == 10 * GB
            monkeypatch.setattr("torch.cuda.memory_reserved", lambda device=None: 3 * GB)
            monkeypatch.setattr("torch.cuda.memory_allocated", lambda device=None: GB)
            assert free_bytes("cuda:0") == 9 * GB  # the driver's total bounds it
            monkeypatch.setattr("torch.cuda.get_per_process_memory_fraction", lambda device=None: 0.5)
            assert free_bytes("cuda:0") == 4 * GB

    @pytest.mark.gpu
    def test_on_a_real_device(self):
        if not torch.cuda.is_available():
            pytest.skip("this machine has no CUDA device")
        before = free_bytes("cuda:0")
        held = torch.empty(10**8, dtype=torch.uint8, device="cuda:0")
        assert before - free_bytes("cuda:0") >= 0.9 * len(held)


class TestRowsThatFit:
    def test_plenty_gives_the_default(self, free):
        free(10 * GB)
        assert rows_that_fit("cpu", 1000, default=512) == 512

    def test_blocks_are_halved_until_they_fit(self, free):
        free(100_000)
        assert rows_that_fit("cpu", 1000, default=512) == 64  # 64,000 <= 80,000 < 128,000
        assert rows_that_fit("cpu", 1000, default=512, fixed=30_000) == 32
        assert rows_that_fit("cpu", 1000, default=500, least=70) == 70

    def test_then_a_sentence(self, free):
        free(2 * GB)
        with pytest.raises(ResourceError) as caught:
            rows_that_fit("cuda:0", 1e9, default=8, least=2, what="the features of Theta_1")
        assert str(caught.value) == (
            "the features of Theta_1 must fit into the free memory of cuda:0, got 2 GB needed at least where"
            " 2 GB are free: take a smaller problem, end what else uses this memory, or go to a device that"
            " has more"
        )
        assert isinstance(caught.value, WhpError)
        assert isinstance(caught.value, MemoryError)

    def test_small_ones_are_not_looked_up(self, monkeypatch):
        monkeypatch.setattr(memory, "free_bytes", lambda device: pytest.fail("looked up"))
        assert rows_that_fit("cpu", 1.0, default=memory.SMALL) == memory.SMALL

    @pytest.mark.parametrize(
        "wrong", [{"default": 0}, {"default": 4, "least": 5}, {"default": 1, "fixed": -1}]
    )
    def test_sizes_are_checked(self, wrong):
        with pytest.raises(InputError):
            rows_that_fit("cpu", 1.0, **wrong)


class TestSmallerBlocks:
    @pytest.mark.parametrize(
        "error",
        [
            torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
            MemoryError(),
            RuntimeError("CUDA error: out of memory"),
        ],
    )
    def test_memory_that_runs_out(self, error):
        tried = []

        def work(block):
            tried.append(block)
            if block > 16:
                raise error
            return block

        assert with_smaller_blocks(work, 100, least=3) == 12
        assert tried == [100, 50, 25, 12]

    def test_it_gives_up_with_a_sentence(self):
        def work(block):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

        with pytest.raises(ResourceError, match=r"^the pairs must fit into memory, got none for blocks of 2"):
            with_smaller_blocks(work, 8, least=2, what="the pairs")

    def test_other_errors_pass(self):
        with pytest.raises(ValueError, match="a mistake"):
            with_smaller_blocks(lambda block: (_ for _ in ()).throw(ValueError("a mistake")), 8)
        assert not out_of_memory(RuntimeError("shapes cannot be multiplied"))

    def test_a_plan_that_failed_is_not_tried_again(self, free):
        free(10)
        with pytest.raises(ResourceError, match="what is inside"):
            with_smaller_blocks(lambda b: rows_that_fit("cpu", 100, default=1, what="what is inside"), 8)

    def test_what_the_failed_call_held_is_released_before_the_next(self):
        alive = []

        class Held:
            def __init__(self):
                alive.append(1)

            def __del__(self):
                alive.pop()

        def work(block):
            assert not alive
            held = Held()
            if block > 2:
                raise MemoryError
            return held is not None

        assert with_smaller_blocks(work, 8)

    def test_a_real_allocation_that_fails(self):
        def work(block):
            return len(torch.empty(block * 2**50 if block > 1 else 1, dtype=torch.uint8))

        assert with_smaller_blocks(work, 4) == 1


class TestWhereItIsUsed:
    def test_results_that_cannot_be_held(self, free):
        free(1000)
        with pytest.raises(ResourceError, match="a table must fit into the free memory of cpu, got 4e-06 GB"):
            allocate((1000,), torch.float32, "cpu", what="a table")

    def test_a_kernel_in_little_memory_is_the_same(self, free):
        X = torch.from_numpy(generator(0, "memory").standard_normal((40, 5)))
        W = torch.from_numpy(generator(1, "memory").standard_normal((64, 5)))
        whole = first_layer_ntk(X, W, activation("erf"))
        free(40 * 40 * 8 / 0.8 + 40 * 8 * 10)
        assert torch.allclose(first_layer_ntk(X, W, activation("erf")), whole, rtol=1e-13)
        free(1000)
        with pytest.raises(ResourceError, match="a tangent kernel and its features"):
            first_layer_ntk(X, W, activation("erf"))

    def test_convolutional_kernels_in_little_memory_are_the_same(self, device, free, monkeypatch):
        X = torch.from_numpy(generator(0, "memory").standard_normal((4, 2, 3, 3))).to(device)
        whole = cntk(X, layers=2, pooling="average")
        free(96 * 81 * 2 / 0.8)
        assert torch.equal(cntk(X, layers=2, pooling="average").cpu(), whole.cpu())
        free(96 * 81 / 2)
        with pytest.raises(ResourceError, match="convolutional kernels of 81 entries"):
            cntk(X, layers=2, pooling="average")

    def test_convolutional_kernels_survive_a_full_device(self, device, monkeypatch):
        from whp.kernels import cntk_torch

        X = torch.from_numpy(generator(0, "memory").standard_normal((4, 2, 3, 3))).to(device)
        whole, tile = cntk(X, layers=2, pooling="average"), cntk_torch._tile

        def full(left, right, *rest):
            if len(left[0]) * len(right[0]) > 3:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return tile(left, right, *rest)

        monkeypatch.setattr(cntk_torch, "_tile", full)
        assert torch.equal(cntk(X, layers=2, pooling="average").cpu(), whole.cpu())

    def test_lanczos_says_what_it_lacks(self, free):
        A = torch.eye(50, dtype=torch.float64)
        free(100)
        with pytest.raises(ResourceError, match="the basis of 1 Lanczos steps in dimension 50"):
            spectral_norm(DenseSymmetric(A), generator(0, "memory"))
