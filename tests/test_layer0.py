"""Layer 0: errors, intervals, streams, devices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from whp import errors
from whp.devices import as_dtype, resolve_device
from whp.errors import (
    ClaimError,
    ExecutorError,
    InputError,
    LedgerError,
    MeasurementError,
    OutputError,
    ResourceError,
    UsageError,
    WhpError,
    require,
)
from whp.interval import Interval
from whp.seeding import generator, stream_entropy

# From generator(0, "a", 1) on x86-64; a change orphans the trials of every ledger.
FROZEN_ENTROPY = 107609695080405288812801856853201837367781362442071813631738390935143494035829
FROZEN_NUMBERS = [3045720345, 1905421597, 3875690765]


class TestErrors:
    def test_one_root_and_an_exit_code_each(self):
        kinds = [
            UsageError,
            InputError,
            ClaimError,
            LedgerError,
            OutputError,
            MeasurementError,
            ResourceError,
            ExecutorError,
        ]
        assert all(issubclass(kind, WhpError) for kind in kinds)
        assert {kind.exit_code for kind in kinds} == {1, 2, 4}
        found = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
        assert set(found) == {WhpError, *kinds}

    def test_the_sentence(self):
        with pytest.raises(InputError) as caught:
            require(False, "d", "a positive integer", -3)
        assert str(caught.value) == "d must be a positive integer, got -3"
        assert isinstance(caught.value, ValueError)

    def test_nothing_is_raised_where_the_rule_holds(self):
        require(True, "d", "a positive integer", 3)

    def test_the_kind_of_error_is_chosen(self):
        with pytest.raises(UsageError, match=r"^profile must be quick, got 'fast'$"):
            require(False, "profile", "quick", "fast", UsageError)

    def test_a_long_value_is_shortened(self):
        with pytest.raises(InputError) as caught:
            require(False, "x", "short", list(range(1000)))
        sentence = str(caught.value)
        assert sentence.startswith("x must be short, got [0, 1, 2")
        assert sentence.endswith("...")
        assert len(sentence) < 150


class TestInterval:
    def test_a_pair_of_ends(self):
        ends = Interval(-1.0, 3.0)
        assert (ends.width, ends.midpoint) == (4.0, 1.0)
        assert ends.contains(-1.0)
        assert ends.contains(3.0)
        assert not ends.contains(3.0001)
        assert not ends.contains(math.nan)
        assert str(ends) == "[-1, 3]"

    @pytest.mark.parametrize(
        ("other", "meets"), [((3.0, 4.0), True), ((-9.0, 9.0), True), ((3.1, 4.0), False), ((-4, -2), False)]
    )
    def test_intersection_is_symmetric(self, other, meets):
        ends = Interval(-1.0, 3.0)
        assert ends.intersects(Interval(*other)) is meets
        assert Interval(*other).intersects(ends) is meets

    def test_infinite_ends(self):
        line = Interval(-math.inf, math.inf)
        assert line.width == math.inf
        assert line.contains(1e300)
        assert math.isnan(line.midpoint)

    @pytest.mark.parametrize("ends", [(1.0, 0.0), (math.nan, 1.0), (0.0, math.nan)])
    def test_crossed_or_undefined_ends(self, ends):
        with pytest.raises(InputError, match=r"^interval must be a pair low <= high, got \("):
            Interval(*ends)


class TestSeeding:
    def test_same_names_same_numbers(self):
        a, b = (generator(7, "hu2020.prop_3_4", '{"d":64}', 3) for _ in range(2))
        assert np.array_equal(a.standard_normal(100), b.standard_normal(100))

    def test_numbers_are_those_of_earlier_versions(self):
        assert stream_entropy(0, "a", 1) == FROZEN_ENTROPY
        assert generator(0, "a", 1).integers(2**32, size=3).tolist() == FROZEN_NUMBERS

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ((0, "a"), (1, "a")),
            ((0, "a"), (0, "b")),
            ((0, 1), (0, "1")),
            ((0, "a", "bc"), (0, "ab", "c")),
            ((0, "a", ""), (0, "a")),
            ((0, "a", 1, 2), (0, "a", 2, 1)),
            ((0, "a", 12), (0, "a", 1, 2)),
        ],
    )
    def test_different_names_different_numbers(self, one, other):
        assert stream_entropy(*one) != stream_entropy(*other)
        assert not np.array_equal(generator(*one).random(4), generator(*other).random(4))

    def test_streams_of_neighbours_are_uncorrelated(self):
        # 200 means of 1000 standard normals: each exceeds 6 / sqrt(1000) with probability 2e-9.
        draws = np.array([generator(0, "x", k).standard_normal(1000) for k in range(200)])
        assert np.abs(draws.mean(axis=1)).max() < 6 / 1000**0.5
        correlations = (draws[1:] * draws[:-1]).mean(axis=1)
        assert np.abs(correlations).max() < 6.5 / 1000**0.5

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((-1, "a"), "seed must be a non-negative integer, got -1"),
            ((0.5, "a"), "seed must be a non-negative integer, got 0.5"),
            ((0, 1.5), "stream name must be a string or an integer, got 1.5"),
            ((0, None), "stream name must be a string or an integer, got None"),
        ],
    )
    def test_wrong_names(self, arguments, message):
        with pytest.raises(InputError) as caught:
            generator(*arguments)
        assert str(caught.value) == message


class TestDevices:
    def test_cpu(self):
        assert resolve_device("cpu") == torch.device("cpu")

    @pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "mps"])
    def test_unknown_names(self, name):
        with pytest.raises(UsageError) as caught:
            resolve_device(name)
        assert str(caught.value) == f"device must be auto, cpu, cuda or cuda:K, got {name!r}"

    @pytest.mark.parametrize("name", ["cuda", "cuda:0"])
    def test_cuda_that_is_absent(self, name, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert resolve_device("auto") == torch.device("cpu")
        with pytest.raises(UsageError) as caught:
            resolve_device(name)
        assert str(caught.value) == (
            f"device must be cpu or auto where no CUDA device is present, got {name!r}"
        )

    def test_cuda_that_is_present(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        assert resolve_device("cpu") == torch.device("cpu")
        assert torch.backends.cuda.matmul.allow_tf32
        assert resolve_device("auto") == torch.device("cuda")
        assert not torch.backends.cuda.matmul.allow_tf32  # float32 means float32 from here on
        assert not torch.backends.cudnn.allow_tf32
        assert resolve_device("cuda:0") == torch.device("cuda:0")
        with pytest.raises(UsageError, match=r"^device must be below cuda:1, got 'cuda:1'$"):
            resolve_device("cuda:1")

    def test_dtypes(self):
        assert (as_dtype("float32"), as_dtype("float64")) == (torch.float32, torch.float64)
        with pytest.raises(InputError, match=r"^dtype must be one of float32, float64, got 'float16'$"):
            as_dtype("float16")
